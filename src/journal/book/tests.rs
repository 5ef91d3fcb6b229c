//! Where a listener stands after what was noted.

use super::*;
use crate::time::Timestamp;

fn recorded(seq: u64, kind: Kind) -> Arc<Recorded> {
    let time = Moment::simulated(Timestamp::from_micros(seq));
    let event = Event::new(time, Some("prod".into()), kind, Subject::default());
    Arc::new(Recorded {
        epoch: 3,
        seq,
        event,
    })
}

fn note(book: &mut Book, notes: Vec<Note>) -> Vec<String> {
    let mut raised = Vec::new();
    book.note(Moment::default(), "mail", notes, &mut raised);
    let domain = Some(DomainName::from("prod"));
    let events = raised
        .into_iter()
        .map(|it| it.event(Moment::default(), domain.clone()));
    events
        .map(|it| format!("{}: {}", it.kind.as_str(), it.text.unwrap_or_default()))
        .collect()
}

fn dead(seq: u64, kind: Kind) -> Note {
    Note::DeadLetter {
        event: recorded(seq, kind),
        attempts: 3,
        error: "no route".to_owned(),
    }
}

#[test]
fn a_listener_is_unknown_until_it_advances() {
    let mut book = Book::default();
    note(&mut book, vec![Note::Begin { seq: 7, attempt: 1 }]);
    assert_eq!(book.standing("mail"), None);
    note(&mut book, vec![Note::Advance { cursor: 6 }]);
    let standing = book.standing("mail").unwrap();
    assert_eq!((standing.cursor, standing.open.len()), (6, 1));
    assert_eq!(book.slowest(), Some(6));
}

#[test]
fn what_is_behind_the_cursor_is_kept_until_the_cursor_comes() {
    let mut book = Book::default();
    note(&mut book, vec![Note::Advance { cursor: 0 }]);
    let begin = |seq, attempt| Note::Begin { seq, attempt };
    note(
        &mut book,
        vec![begin(1, 1), begin(2, 1), Note::Told { seq: 2 }],
    );
    note(&mut book, vec![Note::Failed { seq: 1 }, begin(1, 2)]);
    let open = |seq, attempts, is_told| Open {
        seq,
        attempts,
        crashes: 0,
        is_told,
    };
    let standing = book.standing("mail").unwrap();
    assert_eq!(standing.open, [open(1, 2, false), open(2, 1, true)]);
    book.take_dirty();
    note(
        &mut book,
        vec![Note::Told { seq: 1 }, Note::Advance { cursor: 2 }],
    );
    let standing = book.standing("mail").unwrap();
    assert_eq!((standing.cursor, standing.open), (2, vec![]));
    let dirty = book.take_dirty();
    assert_eq!(dirty.deliveries.len(), 2, "both rows go");
    // Late notes leave nothing behind.
    note(&mut book, vec![begin(1, 9), Note::Failed { seq: 2 }]);
    assert_eq!(book.standing("mail").unwrap().open, []);
}

#[test]
fn only_an_attempt_under_way_counts_a_crash() {
    let mut book = Book::default();
    let begin = |seq| Note::Begin { seq, attempt: 1 };
    let notes = vec![
        Note::Advance { cursor: 0 },
        begin(1),
        begin(2),
        begin(3),
        Note::Told { seq: 1 },
        Note::Failed { seq: 2 },
    ];
    note(&mut book, notes);
    book.reopen(true);
    book.reopen(true);
    let open = book.standing("mail").unwrap().open;
    let crashes: Vec<u32> = open.iter().map(|it| it.crashes).collect();
    assert_eq!(crashes, [0, 0, 1]);
    note(&mut book, vec![begin(3)]);
    book.reopen(false);
    assert_eq!(book.standing("mail").unwrap().open[2].crashes, 1);
}

#[test]
fn a_burst_that_was_begun_as_one_is_known_event_by_event() {
    let mut book = Book::default();
    let notes = vec![
        Note::Advance { cursor: 2 },
        Note::BeginThrough { seq: 6 },
        Note::Told { seq: 4 },
        Note::Failed { seq: 5 },
    ];
    note(&mut book, notes);
    let opens = |book: &Book| -> Vec<(u64, u32, u32, bool)> {
        let open = book.standing("mail").unwrap().open;
        let open = open.iter();
        open.map(|it| (it.seq, it.attempts, it.crashes, it.is_told))
            .collect()
    };
    let begun = [
        (3, 1, 0, false),
        (4, 1, 0, true),
        (5, 1, 0, false),
        (6, 1, 0, false),
    ];
    assert_eq!(opens(&book), begun);
    book.take_dirty();
    // Only those that were under way may have been what ended the daemon.
    book.reopen(true);
    let crashed = [
        (3, 1, 1, false),
        (4, 1, 0, true),
        (5, 1, 0, false),
        (6, 1, 1, false),
    ];
    assert_eq!(opens(&book), crashed);
    let dirty = book.take_dirty();
    assert_eq!((dirty.deliveries.len(), dirty.beginnings.len()), (2, 1));
    book.reopen(true);
    assert_eq!(opens(&book), crashed, "nothing was begun since");
    note(&mut book, vec![Note::Advance { cursor: 6 }]);
    assert_eq!(opens(&book), []);
}

#[test]
fn a_dead_letter_is_told_of_unless_it_is_about_deliveries_itself() {
    let mut book = Book::default();
    note(&mut book, vec![Note::Advance { cursor: 0 }]);
    let raised = note(&mut book, vec![dead(1, Kind::ProcessFailed)]);
    assert_eq!(
        raised,
        ["event_dead_lettered: the listener mail was not told prod/3/1 after 3 attempts: no route"]
    );
    for kind in [
        Kind::EventDeadLettered,
        Kind::ListenerFailing,
        Kind::ListenerRecovered,
    ] {
        assert_eq!(note(&mut book, vec![dead(2, kind)]), [""; 0]);
    }
    assert_eq!(book.letters().len(), 2, "one per event and listener");
    assert!(book.standing("mail").unwrap().open[0].is_told);
}

#[test]
fn failing_is_told_when_it_begins_and_when_it_ends() {
    let mut book = Book::default();
    let failing = || Note::Failing {
        error: "no route".to_owned(),
    };
    assert_eq!(
        note(&mut book, vec![failing(), failing()]),
        ["listener_failing: the listener mail could not be told: no route"]
    );
    assert_eq!(
        note(&mut book, vec![Note::Recovered, Note::Recovered]),
        ["listener_recovered: the listener mail was told again"]
    );
}

#[test]
fn a_replayed_letter_is_told_and_gone_or_dead_again() {
    let mut book = Book::default();
    let notes = vec![
        Note::Advance { cursor: 9 },
        dead(1, Kind::ProcessFailed),
        dead(2, Kind::ProcessLeft),
    ];
    note(&mut book, notes);
    assert_eq!(book.replay(&[2, 1, 77]), [2, 1]);
    let replays = book.standing("mail").unwrap().replays;
    assert_eq!(replays.iter().map(|it| it.event.seq).max(), Some(2));
    note(&mut book, vec![Note::Begin { seq: 2, attempt: 4 }]);
    let told = |seq, result| Note::Replayed { seq, result };
    let raised = note(
        &mut book,
        vec![told(1, Ok(())), told(2, Err("gone".to_owned()))],
    );
    assert_eq!(raised.len(), 1, "{raised:?}");
    let letters = book.letters();
    assert_eq!(letters.len(), 1);
    let left = (letters[0].id, letters[0].attempts, &*letters[0].error);
    assert_eq!(left, (2, 4, "gone"));
    assert!(book.standing("mail").unwrap().replays.is_empty());
    assert_eq!(book.drop_letters(&[1, 2]), [2]);
}

#[test]
fn what_is_kept_for_listeners_that_are_gone_is_forgotten() {
    let mut book = Book::default();
    let notes = vec![
        Note::Advance { cursor: 1 },
        Note::Begin { seq: 2, attempt: 1 },
    ];
    note(&mut book, notes);
    book.take_dirty();
    book.keep(&["mail".to_owned()]);
    assert_eq!(book.take_dirty(), Dirty::default());
    book.keep(&["page".to_owned()]);
    let dirty = book.take_dirty();
    assert_eq!((dirty.accounts.len(), dirty.deliveries.len()), (1, 1));
    assert_eq!((book.standing("mail"), book.slowest()), (None, None));
}
