//! A disk that is full for a while: nothing is numbered, nothing is half there, and it goes on.

use std::time::Duration;

use dbwarden::journal::{Batch, Condition, Health, Journal, JournalSettings};
use dbwarden::listener::{Ledger, Note};
use rusqlite::Connection;

use super::harness::{
    Place, batch, committed, event, events, fact, settings, told, until, writable,
};

#[tokio::test]
async fn a_full_disk_drops_whole_batches_and_gives_no_numbers() {
    let place = Place::new();
    let tight = JournalSettings {
        quota: Some(600 * 1024),
        ..settings()
    };
    let (journal, _) = Journal::open(place.path(), tight).unwrap();
    journal
        .note("mail", vec![Note::Advance { cursor: 0 }])
        .await
        .unwrap();
    let ticket = journal.write(batch(1));
    committed(&journal, ticket).await;
    let mut large = batch(2);
    large.events = (0..2_000).map(|it| event(it, &"x".repeat(1_000))).collect();
    let failed = journal.write(large);
    let progress = until(&journal, |it| it.health != Health::Working).await;
    assert!(progress.ticket < failed, "it was never committed");
    assert_eq!((progress.seq, journal.last_seq()), (1, 1));

    // There is room for less, which it finds out; until somebody goes on, nothing is taken.
    writable(&journal).await;
    let error = journal
        .note("mail", vec![Note::Advance { cursor: 1 }])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("full"), "{error}");
    journal.write(batch(3));
    assert_eq!(journal.backlog(), 0, "it is dropped, not kept");

    let recovered = journal.reopen().await.unwrap();
    assert_eq!(
        (recovered.condition, recovered.last_seq),
        (Condition::Sound, 1)
    );
    assert_eq!(told(&recovered.facts), told(&[fact("peer-1", 1)]));
    assert_eq!(journal.progress().borrow().health, Health::Working);
    let standing = journal.standing("mail").await.unwrap().unwrap();
    assert_eq!(
        standing.cursor, 0,
        "what was refused is not remembered either"
    );
    let ticket = journal.write(batch(4));
    committed(&journal, ticket).await;
    let (all, lost) = events(&journal).await;
    let seqs: Vec<u64> = all.iter().map(|it| it.seq).collect();
    assert_eq!((seqs, lost), (vec![1, 2], vec![]));
}

#[tokio::test]
async fn a_file_that_somebody_else_holds_is_a_failure_that_passes() {
    let place = Place::new();
    let (journal, _) = place.open();
    let ticket = journal.write(batch(1));
    committed(&journal, ticket).await;
    let other = Connection::open(place.file("journal.sqlite")).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    journal.write(batch(2));
    until(&journal, |it| matches!(it.health, Health::Failed { .. })).await;
    other.execute_batch("ROLLBACK").unwrap();
    writable(&journal).await;
    assert_eq!(journal.reopen().await.unwrap().last_seq, 1);
    let ticket = journal.write(batch(3));
    committed(&journal, ticket).await;
    assert_eq!(journal.last_seq(), 2);
}

#[tokio::test]
async fn damage_that_shows_while_it_runs_is_moved_aside_with_the_facts_of_now() {
    let place = Place::new();
    let (journal, _) = place.open();
    for number in 1..=100 {
        journal.write(batch(number));
    }
    let ticket = journal.write(Batch::default());
    committed(&journal, ticket).await;
    // A table that is not what it was is as good as a page that is not.
    let other = Connection::open(place.file("journal.sqlite")).unwrap();
    other.busy_timeout(Duration::from_secs(5)).unwrap();
    other
        .execute_batch(
            "PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET rootpage = 2 WHERE name = 'event';
             PRAGMA writable_schema = OFF; PRAGMA schema_version = 77;",
        )
        .unwrap();
    drop(other);
    journal.write(batch(101));
    until(&journal, |it| it.health != Health::Working).await;
    writable(&journal).await;
    let epoch = journal.epoch();
    let recovered = journal.reopen().await.unwrap();
    assert!(
        matches!(recovered.condition, Condition::FromBackup { .. }),
        "{recovered:?}"
    );
    let expected: Vec<_> = (51..=100)
        .map(|it| fact(&format!("peer-{}", it % 50), it))
        .collect();
    assert_eq!(told(&recovered.facts), told(&expected));
    assert!(journal.epoch() > epoch);
    let ticket = journal.write(batch(102));
    committed(&journal, ticket).await;
    let (all, _) = events(&journal).await;
    assert_eq!((all.len(), all[0].epoch), (1, recovered.epoch));
}
