//! The queue by itself, turn by turn.

use super::*;
use crate::event::{Event, Subject};
use crate::time::{Moment, Timestamp};

fn queue() -> Queue {
    let manner = Manner {
        name: "it".to_owned(),
        deliver: Deliver::Every,
        retry: Retry::default(),
        batch: 1,
        is_atomic: true,
        is_spread: false,
        seed: 0,
    };
    Queue::new(manner, 0)
}

/// An event about the domain as a whole.
fn event(seq: u64) -> Arc<Recorded> {
    let time = Moment::simulated(Timestamp::from_micros(seq));
    Arc::new(Recorded {
        epoch: 1,
        seq,
        event: Event::new(time, None, Kind::DomainConnected, Subject::default()),
    })
}

/// Begins as much as may be begun, and returns which are told now.
fn begin(queue: &mut Queue, window: usize) -> Vec<u64> {
    drop(queue.compose(window));
    queue.committed();
    let run = queue.take(1).unwrap_or_default();
    run.iter().flatten().map(|it| it.event.seq).collect()
}

#[test]
fn what_failed_is_tried_again_however_many_are_ready_behind_it() {
    let mut queue = queue();
    (1..=5).for_each(|it| queue.push(event(it), None));
    assert_eq!(begin(&mut queue, 1), [1]);
    // The listener was fast, so that more was begun, and is slow from now on.
    assert!(begin(&mut queue, 4).is_empty());
    let failed = Fate::Failed(Arc::new(ListenerError::temporary("not now")));
    queue.settle(vec![(Key::Event(1), failed)]);
    assert!(begin(&mut queue, 1).is_empty(), "it rests");
    queue.rested(Key::Event(1));
    assert_eq!(begin(&mut queue, 1), [1, 2, 3, 4]);
}

#[test]
fn a_burst_is_begun_by_one_note_as_far_as_nothing_before_it_waits() {
    let mut queue = queue();
    for seq in 1..=100 {
        let open = (seq == 3).then_some(Open {
            seq,
            attempts: 1,
            crashes: 0,
            is_told: false,
        });
        queue.push(event(seq), open);
    }
    let again = Note::Begin { seq: 3, attempt: 2 };
    let notes = queue.compose(40);
    assert_eq!(notes, [Note::BeginThrough { seq: 40 }, again]);
    // A few are named one by one.
    queue.committed();
    let notes = queue.compose(45);
    let begin = |seq| Note::Begin { seq, attempt: 1 };
    assert_eq!(notes, (41..=45).map(begin).collect::<Vec<_>>());
}

#[test]
fn a_burst_of_several_entities_names_those_that_are_ahead() {
    let mut queue = queue();
    queue.manner.is_spread = true;
    for seq in 1..=100 {
        let mut it = Recorded::clone(&event(seq));
        let name = if seq <= 60 { "teas" } else { "cups" };
        it.event.subject.database = Some(name.into());
        queue.push(Arc::new(it), None);
    }
    let begin = Note::Begin {
        seq: 61,
        attempt: 1,
    };
    let notes = queue.compose(50);
    assert_eq!(notes, [Note::BeginThrough { seq: 49 }, begin]);
}

#[test]
fn what_is_far_from_the_cursor_is_begun_one_by_one() {
    let mut queue = queue();
    for seq in (1..=40).chain(ROW_MAX + 2..ROW_MAX + 50) {
        queue.push(event(seq), None);
    }
    let notes = queue.compose(80);
    assert_eq!(notes.len(), 80, "{notes:?}");
}

#[test]
fn a_queue_that_ends_begins_nothing() {
    let mut queue = queue();
    queue.push(event(1), None);
    assert!(begin(&mut queue, 0).is_empty());
}

/// Returns a queue whose first event is to be tried again, with another one ready behind it.
fn torn() -> Queue {
    let mut queue = queue();
    (1..=2).for_each(|it| queue.push(event(it), None));
    assert_eq!(begin(&mut queue, 1), [1]);
    assert!(begin(&mut queue, 2).is_empty());
    queue
}

#[test]
fn a_dead_letter_is_told_again_behind_what_failed_before_it_came() {
    let mut queue = torn();
    let failed = Fate::Failed(Arc::new(ListenerError::temporary("not now")));
    queue.settle(vec![(Key::Event(1), failed)]);
    queue.rested(Key::Event(1));
    queue.push_replay(event(0), 3);
    assert_eq!(begin(&mut queue, 1), [1, 2]);
    queue.settle(vec![
        (Key::Event(1), Fate::Told),
        (Key::Event(2), Fate::Told),
    ]);
    assert_eq!(begin(&mut queue, 1), [0]);
}

#[test]
fn a_dead_letter_that_comes_while_something_rests_holds_nothing_up() {
    let mut queue = torn();
    let failed = Fate::Failed(Arc::new(ListenerError::temporary("not now")));
    queue.settle(vec![(Key::Event(1), failed)]);
    queue.push_replay(event(0), 3);
    queue.push(event(3), None);
    assert!(begin(&mut queue, 1).is_empty(), "it rests");
    queue.rested(Key::Event(1));
    assert_eq!(begin(&mut queue, 4), [1, 2]);
    queue.settle(vec![
        (Key::Event(1), Fate::Told),
        (Key::Event(2), Fate::Told),
    ]);
    assert_eq!(begin(&mut queue, 4), [0], "alone");
    queue.settle(vec![(Key::Replay(0), Fate::Told)]);
    assert_eq!(begin(&mut queue, 4), [3]);
}

#[test]
fn a_dead_letter_that_comes_while_nothing_is_taken_holds_nothing_up() {
    let mut queue = torn();
    queue.push_replay(event(0), 3);
    queue.settle(vec![(Key::Event(1), Fate::Untold)]);
    assert_eq!(begin(&mut queue, 4), [1, 2]);
    let untold = [1, 2].map(|it| (Key::Event(it), Fate::Untold));
    queue.settle(untold.to_vec());
    for seq in [1, 2] {
        assert_eq!(begin(&mut queue, 4), [seq]);
        queue.settle(vec![(Key::Event(seq), Fate::Told)]);
    }
    assert_eq!(begin(&mut queue, 4), [0]);
}

#[test]
fn dead_letters_of_one_entity_are_told_again_in_their_order() {
    let mut queue = queue();
    for seq in [5, 3, 7] {
        queue.push_replay(event(seq), 3);
    }
    for seq in [3, 5, 7] {
        assert_eq!(begin(&mut queue, 4), [seq], "alone");
        queue.settle(vec![(Key::Replay(seq), Fate::Told)]);
    }
}

#[test]
fn dead_letters_wait_for_what_fails_in_an_outage() {
    let mut queue = queue();
    (1..=3).for_each(|it| queue.push(event(it), None));
    let failed = |seq| {
        let error = ListenerError::temporary("not now");
        (Key::Event(seq), Fate::Failed(Arc::new(error)))
    };
    assert_eq!(begin(&mut queue, 4), [1, 2, 3]);
    queue.settle((1..=3).map(failed).collect());
    (1..=3).for_each(|it| queue.rested(Key::Event(it)));
    queue.push_replay(event(0), 3);
    assert_eq!(begin(&mut queue, 4), [1, 2, 3]);
    let told = |seq| (Key::Event(seq), Fate::Told);
    queue.settle((1..=3).map(told).collect());
    assert_eq!(begin(&mut queue, 4), [0]);
}

#[test]
fn one_of_a_refused_batch_is_tried_alone_though_others_are_ready_behind_it() {
    let mut queue = torn();
    let refused = Fate::Doubted(Arc::new(ListenerError::permanent("nonsense")));
    queue.settle(vec![(Key::Event(1), refused)]);
    assert_eq!(begin(&mut queue, 1), [1], "alone");
    queue.settle(vec![(Key::Event(1), Fate::Told)]);
    assert_eq!(begin(&mut queue, 1), [2]);
}
