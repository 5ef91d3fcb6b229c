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
fn a_queue_that_ends_begins_nothing() {
    let mut queue = queue();
    queue.push(event(1), None);
    assert!(begin(&mut queue, 0).is_empty());
}
