//! A journal across ends of every kind: what is committed stays, what is damaged is noticed.
//!
//! Whether a warden goes on as it should is not asked here.

mod damage;
mod disk;
mod harness;
mod queries;

use std::time::Duration;

use dbwarden::journal::{Batch, Condition, Journal, JournalSettings};
use dbwarden::listener::{Ledger, Note, Source};
use dbwarden::time::WallTime;
use rusqlite::Connection;

use harness::{
    Place, appears, at, batch, committed, event, events, fact, forgotten, input, settings, told,
    until,
};

#[tokio::test]
async fn what_was_committed_is_there_again() {
    let place = Place::new();
    let (journal, recovered) = place.open();
    assert_eq!(recovered.condition, Condition::New);
    assert_eq!((recovered.facts.len(), recovered.last), (0, None));
    let mut ticket = journal.write(batch(1));
    for number in 2..=30 {
        ticket = journal.write(batch(number));
    }
    committed(&journal, ticket).await;
    let (before, _) = events(&journal).await;
    let inputs = journal.inputs(0, 100).await.unwrap();
    let epoch = journal.epoch();
    journal.close().await;

    let (journal, recovered) = place.open();
    assert_eq!(recovered.condition, Condition::Sound);
    assert_eq!((recovered.last_seq, recovered.epoch), (30, epoch));
    assert_eq!(recovered.last, Some(at(30)));
    let expected: Vec<_> = (1..=30).map(|it| fact(&format!("peer-{it}"), it)).collect();
    assert_eq!(told(&recovered.facts), told(&expected));
    let (after, lost) = events(&journal).await;
    assert_eq!((after, lost), (before, vec![]));
    assert_eq!(journal.inputs(0, 100).await.unwrap(), inputs);
    let expected: Vec<_> = (1..=30)
        .map(|it| (it, at(it), input(u32::try_from(it).unwrap())))
        .collect();
    assert_eq!(inputs, expected);
    assert_eq!(journal.inputs(28, 1).await.unwrap(), expected[28..29]);

    // Numbers go on.
    let ticket = journal.write(batch(31));
    committed(&journal, ticket).await;
    assert_eq!(journal.last_seq(), 31);
}

#[tokio::test]
async fn a_crash_at_any_time_loses_nothing_that_was_committed() {
    let place = Place::new();
    let (journal, _) = place.open();
    for round in 0..10_u64 {
        let mut ticket = journal.write(batch(round * 20 + 1));
        for number in 2..=20 {
            ticket = journal.write(batch(round * 20 + number));
        }
        committed(&journal, ticket).await;
        let image = place.image();
        let (after, recovered) = image.open();
        assert_eq!(recovered.condition, Condition::Sound);
        assert_eq!(recovered.last_seq, (round + 1) * 20);
        let (all, lost) = events(&after).await;
        assert_eq!((all.len() as u64, lost), (recovered.last_seq, vec![]));
    }
}

#[tokio::test]
async fn the_latest_of_a_fact_counts_and_a_forgotten_one_is_gone() {
    let place = Place::new();
    let (journal, _) = place.open();
    let facts = |facts| Batch {
        facts,
        ..Batch::default()
    };
    journal.write(facts(vec![fact("a", 1).into(), fact("b", 1).into()]));
    let ticket = journal.write(facts(vec![fact("a", 2).into(), fact("c", 3).into()]));
    committed(&journal, ticket).await;
    let ticket = journal.write(facts(vec![
        forgotten("b"),
        forgotten("z"),
        fact("c", 4).into(),
    ]));
    committed(&journal, ticket).await;
    journal.close().await;
    let (_, recovered) = place.open();
    let expected = [fact("a", 2), fact("c", 4)];
    assert_eq!(told(&recovered.facts), told(&expected));
}

#[tokio::test]
async fn inputs_of_many_moments_and_one_moment_of_many_inputs_keep_their_order() {
    let place = Place::new();
    let (journal, _) = place.open();
    let mut inputs = vec![(at(1), input(1))];
    inputs.extend((2..=600).map(|it| (at(2), input(it))));
    inputs.extend((601..=610).map(|it| (at(it.into()), input(it))));
    let ticket = journal.write(Batch {
        inputs: inputs.clone(),
        ..Batch::default()
    });
    committed(&journal, ticket).await;
    let mut read = Vec::new();
    while read.len() < inputs.len() {
        let page = journal.inputs(read.len() as u64, 37).await.unwrap();
        assert!(!page.is_empty());
        for (number, time, input) in page {
            assert_eq!(number, read.len() as u64 + 1);
            read.push((time, input));
        }
    }
    assert_eq!(read, inputs);
}

#[tokio::test]
async fn where_listeners_stand_outlives_a_crash_which_is_counted() {
    let place = Place::new();
    let (journal, _) = place.open();
    journal.write(batch(1));
    let ticket = journal.write(batch(2));
    committed(&journal, ticket).await;
    let begin = |seq| Note::Begin { seq, attempt: 1 };
    let memo = Note::Memo {
        text: "three fire".to_owned(),
    };
    let notes = vec![Note::Advance { cursor: 0 }, begin(1), begin(2), memo];
    journal.note("mail", notes).await.unwrap();
    journal
        .note("mail", vec![Note::Told { seq: 2 }])
        .await
        .unwrap();
    assert_eq!(journal.standing("page").await.unwrap(), None);

    let image = place.image();
    let (after, _) = image.open();
    let standing = after.standing("mail").await.unwrap().unwrap();
    let opens: Vec<_> = standing
        .open
        .iter()
        .map(|it| (it.seq, it.attempts, it.crashes, it.is_told))
        .collect();
    assert_eq!(opens, [(1, 1, 1, false), (2, 1, 0, true)]);
    assert_eq!(standing.memo.as_deref(), Some("three fire"));

    // A goodbye is no crash.
    journal.close().await;
    let (journal, _) = place.open();
    let standing = journal.standing("mail").await.unwrap().unwrap();
    assert_eq!((standing.open[0].crashes, standing.cursor), (0, 0));
    journal
        .note("mail", vec![Note::Advance { cursor: 2 }])
        .await
        .unwrap();
    journal.keep_listeners(&["mail".to_owned()]).await.unwrap();
    assert!(
        journal
            .standing("mail")
            .await
            .unwrap()
            .unwrap()
            .open
            .is_empty()
    );
    journal.keep_listeners(&[]).await.unwrap();
    assert_eq!(journal.standing("mail").await.unwrap(), None);
}

#[tokio::test]
async fn a_dead_letter_is_told_of_kept_and_told_again() {
    let place = Place::new();
    let (journal, _) = place.open();
    journal.keep_time(|| at(77));
    let ticket = journal.write(batch(1));
    committed(&journal, ticket).await;
    let (all, _) = events(&journal).await;
    let letter = Note::DeadLetter {
        event: all[0].clone(),
        attempts: 3,
        error: "no route".to_owned(),
    };
    let failing = Note::Failing {
        error: "no route".to_owned(),
    };
    journal
        .note("mail", vec![Note::Advance { cursor: 0 }, failing, letter])
        .await
        .unwrap();
    until(&journal, |it| it.seq == 3).await;
    let (all, _) = events(&journal).await;
    let told: Vec<_> = all.iter().map(|it| it.event.kind.as_str()).collect();
    assert_eq!(
        told,
        ["process_failed", "listener_failing", "event_dead_lettered"]
    );
    assert_eq!(
        (all[2].event.time, all[2].event.domain.clone()),
        (at(77), Some("prod".into()))
    );
    journal.close().await;

    let (journal, _) = place.open();
    let letters = journal.dead_letters().await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((&letters[0].event, letters[0].attempts), (&all[0], 3));
    let mut replays = journal.replays();
    replays.mark_unchanged();
    assert_eq!(
        journal.replay(&[letters[0].id, 99]).await.unwrap(),
        [letters[0].id]
    );
    replays.changed().await.unwrap();
    let standing = journal.standing("mail").await.unwrap().unwrap();
    assert_eq!(standing.replays[0].event, all[0]);
    let done = Note::Replayed {
        seq: 1,
        result: Ok(()),
    };
    journal.note("mail", vec![done]).await.unwrap();
    assert!(journal.dead_letters().await.unwrap().is_empty());
}

#[tokio::test]
async fn who_is_far_behind_reads_from_the_disk_and_misses_nothing() {
    let place = Place::new();
    let (journal, _) = place.open();
    let mut ticket = journal.write(batch(1));
    for number in 2..=500 {
        ticket = journal.write(batch(number));
    }
    committed(&journal, ticket).await;
    let (all, lost) = events(&journal).await;
    let seqs: Vec<u64> = all.iter().map(|it| it.seq).collect();
    assert_eq!((seqs, lost), ((1..=500).collect(), vec![]));
    let since = |micros| journal.seq_since(WallTime::from_unix_micros(micros));
    assert_eq!(since(0).await.unwrap(), 0);
    assert_eq!(since(200).await.unwrap(), 199);
    assert_eq!(since(499).await.unwrap(), 498);
    assert_eq!(since(u64::MAX >> 1).await.unwrap(), 500);
    let page = journal.read(900, 7).await.unwrap();
    assert_eq!((page.events.len(), page.gap), (0, None));
}

#[tokio::test]
async fn the_oldest_go_by_size_but_not_before_a_listener_was_told() {
    let place = Place::new();
    let small = JournalSettings {
        retain_size: 1,
        lag_limit: 3_000,
        ..settings()
    };
    let (journal, _) = Journal::open(place.path(), small).unwrap();
    journal
        .note("mail", vec![Note::Advance { cursor: 0 }])
        .await
        .unwrap();
    let many = |from: u64, to: u64| Batch {
        events: (from..=to).map(|it| event(it, "")).collect(),
        ..Batch::default()
    };
    let ticket = journal.write(many(1, 2_500));
    committed(&journal, ticket).await;
    journal.note("mail", vec![]).await.unwrap();
    assert_eq!(
        journal.read(0, 1).await.unwrap().gap,
        None,
        "it is waited for"
    );
    let ticket = journal.write(many(2_501, 6_000));
    committed(&journal, ticket).await;
    // What is committed is told before what is old is forgotten.
    let gap = loop {
        if let Some(gap) = journal.read(0, 1).await.unwrap().gap
            && *gap.end() >= 3_000
        {
            break gap;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(gap, 1..=3_000, "up to the limit and no further");
    journal
        .note("mail", vec![Note::Advance { cursor: 6_000 }])
        .await
        .unwrap();
    while journal.read(0, 1).await.unwrap().gap != Some(1..=5_992) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_oldest_go_by_age() {
    let place = Place::new();
    let short = JournalSettings {
        retain_for: Duration::from_secs(1),
        ..settings()
    };
    let (journal, _) = Journal::open(place.path(), short).unwrap();
    for number in 1..=10 {
        journal.write(batch(number));
    }
    let late = Batch {
        inputs: vec![(at(1_000_006), input(1))],
        events: vec![event(1_000_006, "late")],
        ..Batch::default()
    };
    let ticket = journal.write(late);
    committed(&journal, ticket).await;
    while journal.inputs(0, 1).await.unwrap()[0].0 != 6 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    journal.close().await;
    let (journal, _) = place.open();
    let (all, lost) = events(&journal).await;
    assert_eq!((all[0].seq, lost), (6, vec![1, 2, 3, 4, 5]));
}

#[tokio::test]
async fn people_can_read_it() {
    let place = Place::new();
    let (journal, _) = place.open();
    let mut started = event(1_732_147_445_678_901, "");
    started.action = Some(dbwarden::exchange::ActionId(4));
    started.kind = dbwarden::event::Kind::ActionStarted;
    started.subject.peer = Some("db1".into());
    let mut done = started.clone();
    done.kind = dbwarden::event::Kind::ActionSucceeded;
    journal.write(Batch {
        inputs: vec![(at(1_732_147_445_000_000), input(4711))],
        events: vec![started, done],
        facts: vec![fact("db1", 1).into()],
    });
    journal
        .note("mail", vec![Note::Advance { cursor: 1 }])
        .await
        .unwrap();
    let people = Connection::open(place.file("journal.sqlite")).unwrap();
    let ask = |question: &str| -> Vec<String> {
        let mut statement = people.prepare(question).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(0));
        rows.unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(
        ask("SELECT time || ' ' || kind FROM events"),
        [
            "2024-11-21T00:04:05.678901Z action_started",
            "2024-11-21T00:04:05.678901Z action_succeeded"
        ]
    );
    assert_eq!(
        ask("SELECT time || ' ' || what || ' ' || (body ->> 'pid') FROM inputs"),
        ["2024-11-21T00:04:05.000000Z process-gone 4711"]
    );
    assert_eq!(
        ask("SELECT action || ' ' || peer || ' ' || outcome FROM actions"),
        ["4 db1 succeeded"]
    );
    assert_eq!(
        ask("SELECT listener || ' is ' || behind || ' behind' FROM deliveries"),
        ["mail is 1 behind"]
    );
    assert_eq!(
        ask("SELECT name FROM fact WHERE kind = 'failure'"),
        ["db1/teas"]
    );
}

#[tokio::test]
async fn facts_are_copied_while_it_runs_and_when_it_closes() {
    let place = Place::new();
    let (journal, _) = place.open();
    journal.write(batch(1));
    appears(&place.file("facts.bak")).await;
    let ticket = journal.write(batch(2));
    committed(&journal, ticket).await;
    journal.close().await;
    let copy = std::fs::read_to_string(place.file("facts.bak")).unwrap();
    assert!(copy.contains("peer-1") && copy.contains("peer-2"), "{copy}");
}

#[tokio::test]
async fn a_closed_journal_takes_nothing_and_says_so() {
    let place = Place::new();
    let (journal, _) = place.open();
    let ticket = journal.write(batch(1));
    let other = journal.clone();
    journal.close().await;
    committed(&other, ticket).await;
    other.write(batch(2));
    assert_eq!(other.last_seq(), 1);
    assert_eq!(other.backlog(), 0);
    other.note("mail", vec![]).await.unwrap_err();
    other.dead_letters().await.unwrap_err();
}
