//! What is written is read again, in order, or missed by name.

use super::*;
use crate::event::{Kind, Subject};
use crate::time::{Moment, Timestamp};

fn batch(count: u64) -> Batch {
    let event = |micros| {
        let time = Moment::simulated(Timestamp::from_micros(micros));
        Event::new(time, None, Kind::DaemonStarted, Subject::default())
    };
    Batch {
        events: (0..count).map(event).collect(),
        ..Batch::default()
    }
}

fn seqs(page: &Page) -> Vec<u64> {
    page.events.iter().map(|it| it.seq).collect()
}

#[test]
fn events_are_numbered_from_one_and_read_page_by_page() {
    let journal = Memory::new(7, 100);
    assert_eq!(journal.last_seq(), 0);
    assert!(journal.read(0, 10).events.is_empty());
    journal.write(batch(2));
    journal.write(batch(3));
    assert_eq!(journal.last_seq(), 5);

    let page = journal.read(0, 3);
    assert_eq!((seqs(&page), page.gap), (vec![1, 2, 3], None));
    let page = journal.read(3, 3);
    assert_eq!((seqs(&page), page.gap), (vec![4, 5], None));
    assert_eq!(page.events[0].epoch, 7);
    let page = journal.read(5, 3);
    assert_eq!((seqs(&page), page.gap), (vec![], None));
    // A reader who is ahead waits.
    let page = journal.read(50, 3);
    assert_eq!((seqs(&page), page.gap), (vec![], None));
}

#[test]
fn who_reads_too_late_is_told_what_was_lost() {
    let journal = Memory::new(1, 3);
    journal.write(batch(3));
    assert_eq!(journal.read(0, 10).gap, None);
    journal.write(batch(2));
    let page = journal.read(0, 10);
    assert_eq!((seqs(&page), page.gap), (vec![3, 4, 5], Some(1..=2)));
    let page = journal.read(1, 1);
    assert_eq!((seqs(&page), page.gap), (vec![3], Some(2..=2)));
    let page = journal.read(2, 10);
    assert_eq!((seqs(&page), page.gap), (vec![3, 4, 5], None));
}

#[test]
fn a_batch_longer_than_the_journal_leaves_its_end() {
    let journal = Memory::new(1, 2);
    journal.write(batch(5));
    let page = journal.read(0, 10);
    assert_eq!((seqs(&page), page.gap), (vec![4, 5], Some(1..=3)));
}

#[test]
fn every_batch_is_a_ticket_and_readers_see_it_committed() {
    let journal = Memory::new(1, 10);
    let mut committed = journal.progress();
    assert!(!committed.has_changed().unwrap());
    let first = journal.write(batch(1));
    assert!(committed.has_changed().unwrap());
    assert_eq!(committed.borrow_and_update().ticket, first);
    let second = journal.write(Batch::default());
    assert!(second > first);
    assert_eq!(committed.borrow_and_update().ticket, second);
    assert_eq!(journal.last_seq(), 1);
}

#[test]
fn writers_at_once_leave_no_gap() {
    let journal = Memory::new(1, 10_000);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    journal.write(batch(3));
                }
            });
        }
    });
    let page = journal.read(0, usize::MAX);
    assert_eq!(seqs(&page), (1..=1_200).collect::<Vec<_>>());
    assert_eq!(journal.progress().borrow().ticket, Ticket(400));
}
