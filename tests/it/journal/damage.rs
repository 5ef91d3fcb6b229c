//! Damaged files: noticed, moved aside, and gone on from a copy if there is a good one.

use std::fs;

use dbwarden::journal::{Condition, JournalError};
use dbwarden::listener::{Ledger, Note};
use rusqlite::Connection;

use super::harness::{Dice, Place, batch, committed, events, fact, told};

const COUNT: u64 = 300;

/// Returns a journal that was closed in order, with a good copy.
async fn closed() -> Place {
    let place = Place::new();
    let (journal, _) = place.open();
    for number in 1..=COUNT {
        journal.write(batch(number));
    }
    let notes = vec![
        Note::Advance { cursor: 3 },
        Note::Begin { seq: 4, attempt: 1 },
    ];
    journal.note("mail", notes).await.unwrap();
    journal.close().await;
    place
}

fn expected() -> Vec<String> {
    let facts: Vec<_> = (251..=COUNT)
        .map(|it| fact(&format!("peer-{}", it % 50), it))
        .collect();
    told(&facts)
}

/// Opens what is left, and holds what it says to what there was.
async fn judge(place: &Place, has_copy: bool, what: &str) -> bool {
    let (journal, recovered) = match place.try_open() {
        Ok(opened) => opened,
        Err(error) => panic!("{what}: {error:?}"),
    };
    match &recovered.condition {
        Condition::Sound => {
            assert_eq!(told(&recovered.facts), expected(), "{what}");
            assert_eq!(recovered.last_seq, COUNT, "{what}");
            let (all, lost) = events(&journal).await;
            assert_eq!(
                all.len() + lost.len(),
                usize::try_from(COUNT).unwrap(),
                "{what}"
            );
            for it in all {
                let wanted = &batch(it.seq).events[0];
                assert_eq!(&it.event, wanted, "{what}");
            }
        }
        Condition::FromBackup { aside, .. } => {
            assert!(has_copy, "{what}");
            assert!(aside.exists(), "{what}");
            assert_eq!(told(&recovered.facts), expected(), "{what}");
            assert_eq!(recovered.last_seq, 0, "{what}");
        }
        Condition::Lost { aside, .. } => {
            assert!(!has_copy, "{what}");
            assert!(aside.exists(), "{what}");
            assert!(recovered.facts.is_empty(), "{what}");
        }
        Condition::New => panic!("{what}: it is not new"),
    }
    let is_sound = recovered.condition == Condition::Sound;
    assert_eq!(place.damaged().is_empty(), is_sound, "{what}");
    // Whatever it was, it can be written, and read again.
    let ticket = journal.write(batch(1));
    committed(&journal, ticket).await;
    journal.close().await;
    let (_, again) = place.open();
    assert_eq!(again.condition, Condition::Sound, "{what}");
    is_sound
}

#[tokio::test]
async fn a_truncated_journal_is_never_taken_for_a_whole_one() {
    let place = closed().await;
    let whole = fs::read(place.file("journal.sqlite")).unwrap();
    let mut dice = Dice(1);
    for round in 0..40 {
        let length = match round {
            0 => 0,
            1 => 1,
            2 => whole.len() - 1,
            _ => usize::try_from(dice.below(whole.len() as u64)).unwrap(),
        };
        let has_copy = round % 2 == 0;
        let image = place.image();
        fs::write(image.file("journal.sqlite"), &whole[..length]).unwrap();
        if !has_copy {
            fs::remove_file(image.file("facts.bak")).unwrap();
        }
        let is_sound = judge(&image, has_copy, &format!("cut at {length}")).await;
        assert!(!is_sound, "cut at {length}");
    }
}

#[tokio::test]
async fn no_flipped_bit_changes_what_is_remembered() {
    let place = closed().await;
    let whole = fs::read(place.file("journal.sqlite")).unwrap();
    let seed = std::env::var("DBWARDEN_SEED")
        .ok()
        .and_then(|it| it.parse().ok())
        .unwrap_or(2);
    let rounds = std::env::var("DBWARDEN_ROUNDS")
        .ok()
        .and_then(|it| it.parse().ok())
        .unwrap_or(20);
    let mut dice = Dice(seed);
    let mut noticed = 0;
    for round in 0..rounds * 8 {
        let bit = if round < 80 {
            // The header, where a bit means most.
            round * 10 + dice.below(10)
        } else {
            dice.below(whole.len() as u64 * 8)
        };
        let has_copy = dice.below(2) == 0;
        let mut flipped = whole.clone();
        flipped[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
        let image = place.image();
        fs::write(image.file("journal.sqlite"), flipped).unwrap();
        if !has_copy {
            fs::remove_file(image.file("facts.bak")).unwrap();
        }
        let what = format!("seed {seed}, bit {bit}");
        noticed += u64::from(!judge(&image, has_copy, &what).await);
    }
    assert!(noticed > 0, "a journal in which no bit matters is none");
}

#[tokio::test]
async fn a_table_whose_column_is_called_otherwise_is_damaged() {
    const COLUMN: &[u8] = b"last_seq";
    let place = closed().await;
    let whole = fs::read(place.file("journal.sqlite")).unwrap();
    let named = (0..whole.len()).filter(|at| whole[*at..].starts_with(COLUMN));
    let named: Vec<usize> = named.collect();
    assert!(!named.is_empty());
    for (at, has_copy) in named.iter().flat_map(|at| [(*at, true), (*at, false)]) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        let image = place.image();
        fs::write(image.file("journal.sqlite"), flipped).unwrap();
        if !has_copy {
            fs::remove_file(image.file("facts.bak")).unwrap();
        }
        let is_sound = judge(&image, has_copy, &format!("byte {at}")).await;
        assert!(!is_sound, "byte {at}");
    }
}

#[tokio::test]
async fn a_damaged_log_is_noticed_for_what_was_told_must_not_be_told_anew() {
    let place = Place::new();
    let (journal, _) = place.open();
    for number in 1..=COUNT {
        let ticket = journal.write(batch(number));
        if number % 50 == 0 {
            committed(&journal, ticket).await;
        }
    }
    let image = place.image();
    let log = fs::read(image.file("journal.sqlite-wal")).unwrap();
    let mut dice = Dice(3);
    for round in 0..20 {
        let image = image.image();
        let path = image.file("journal.sqlite-wal");
        let at = usize::try_from(dice.below(log.len() as u64)).unwrap();
        match round {
            0 => fs::remove_file(path).unwrap(),
            1 => fs::write(path, "").unwrap(),
            _ if round % 2 == 0 => fs::write(path, &log[..at]).unwrap(),
            _ => {
                let mut flipped = log.clone();
                flipped[at] ^= 4;
                fs::write(path, flipped).unwrap();
            }
        }
        let (_, recovered) = image.open();
        if recovered.condition == Condition::Sound {
            // What was damaged had been written anew behind it.
            assert_eq!(
                (recovered.last_seq, told(&recovered.facts)),
                (COUNT, expected())
            );
        } else {
            assert!(!image.damaged().is_empty());
            assert_ne!(
                recovered.epoch,
                journal.epoch(),
                "numbers are never given twice"
            );
        }
    }
}

#[tokio::test]
async fn what_is_no_database_is_moved_aside() {
    for (content, has_copy) in [("hello", true), ("hello", false), ("", true), ("", false)] {
        let place = closed().await;
        fs::write(place.file("journal.sqlite"), content.repeat(1_000)).unwrap();
        if !has_copy {
            fs::remove_file(place.file("facts.bak")).unwrap();
        }
        assert!(!judge(&place, has_copy, content).await);
    }
    let place = closed().await;
    fs::remove_file(place.file("journal.sqlite")).unwrap();
    let (_, recovered) = place.open();
    assert!(matches!(recovered.condition, Condition::FromBackup { .. }));
}

#[tokio::test]
async fn a_damaged_copy_is_no_copy_and_nothing_is_deleted() {
    let place = closed().await;
    for name in ["journal.sqlite", "facts.bak"] {
        let mut bytes = fs::read(place.file(name)).unwrap();
        let middle = bytes.len() / 2;
        bytes.truncate(middle);
        fs::write(place.file(name), bytes).unwrap();
    }
    assert!(!judge(&place, false, "both are cut").await);
    let expected = [
        "facts.bak.damaged-1",
        "journal.mark.damaged-1",
        "journal.sqlite.damaged-1",
    ];
    assert_eq!(place.damaged(), expected);
}

#[tokio::test]
async fn a_loss_is_said_again_until_somebody_went_on_from_it() {
    let place = closed().await;
    fs::write(place.file("journal.sqlite"), "hello").unwrap();
    fs::remove_file(place.file("facts.bak")).unwrap();
    let (_, first) = place.open();
    assert!(matches!(first.condition, Condition::Lost { .. }));
    // The daemon crashed before it could act on it.
    let image = place.image();
    let (journal, second) = image.open();
    assert_eq!(second.condition, first.condition);
    let ticket = journal.write(batch(1));
    committed(&journal, ticket).await;
    let (_, third) = image.image().open();
    assert_eq!(third.condition, Condition::Sound);
}

#[tokio::test]
async fn a_journal_of_the_first_schema_goes_on() {
    let place = closed().await;
    let old = Connection::open(place.file("journal.sqlite")).unwrap();
    let first = include_str!("../../../src/journal/store/1.sql");
    let view = first.split("CREATE VIEW ");
    let view = view.into_iter().find(|it| it.starts_with("deliveries "));
    old.execute_batch(&format!(
        "DROP TABLE beginning; DROP VIEW deliveries; CREATE VIEW {};
         PRAGMA user_version = 1; UPDATE meta SET value = '1' WHERE key = 'schema'",
        view.unwrap().trim_end().trim_end_matches(';'),
    ))
    .unwrap();
    drop(old);
    let (journal, recovered) = place.open();
    assert_eq!(recovered.condition, Condition::Sound);
    assert!(recovered.last_seq > 0);
    let notes = vec![Note::Advance { cursor: 0 }, Note::BeginThrough { seq: 1 }];
    journal.note("mail", notes).await.unwrap();
    let standing = journal.standing("mail").await.unwrap().unwrap();
    assert_eq!(standing.open.len(), 1);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let place = closed().await;
    let newer = Connection::open(place.file("journal.sqlite")).unwrap();
    newer
        .execute_batch("PRAGMA user_version = 9; UPDATE meta SET value = '9' WHERE key = 'schema'")
        .unwrap();
    drop(newer);
    let error = place.try_open().unwrap_err();
    assert!(
        matches!(error, JournalError::Newer { found: 9, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("run a newer version"), "{error}");
    assert!(place.damaged().is_empty());
}

#[tokio::test]
async fn a_path_that_cannot_be_used_is_an_error_and_no_damage() {
    let place = Place::new();
    fs::create_dir(place.file("journal.sqlite")).unwrap();
    let error = place.try_open().unwrap_err();
    assert!(error.to_string().contains("check its owner"), "{error}");
    assert!(place.damaged().is_empty());
    let file = Place::new();
    fs::write(file.file("file"), "").unwrap();
    let inside = file.file("file").join("prod");
    dbwarden::journal::Journal::open(&inside, super::settings()).unwrap_err();
}
