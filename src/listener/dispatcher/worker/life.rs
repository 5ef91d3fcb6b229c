//! How a worker begins and ends, and what reaches it from outside besides events.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};
use tracing::warn;

use super::{CLOSING, Done, LEDGER_PAUSE, Order, Worker};
use crate::event::{Event, Kind, Recorded, Subject};
use crate::listener::dispatcher::entity::Entity;
use crate::listener::dispatcher::queue::Queue;
use crate::listener::ledger::Ledger;
use crate::listener::settings::OnConnect;
use crate::listener::source::Source;
use crate::time::WallTime;

impl<J: Source + Ledger> Worker<J> {
    /// Finds out where the listener stands; `None` if it is told to end before that is known.
    pub(super) async fn open(&mut self) -> Option<()> {
        let standing = loop {
            let asked = tokio::select! {
                asked = self.journal.standing(&self.registration.name) => asked,
                _ = self.ends.orders.wait_for(is_retirement) => return None,
            };
            match asked {
                Ok(standing) => break standing,
                Err(error) => self.complain(&error),
            }
            if matches!(*self.ends.orders.borrow(), Order::Flush { .. }) {
                // The next start finds it where it was.
                return None;
            }
            sleep(LEDGER_PAUSE).await;
        };
        self.is_refused = false;
        let Some(standing) = standing else {
            return self.introduce().await;
        };
        let manner = self.queue.manner().clone();
        self.queue = Queue::new(manner, standing.cursor);
        self.ends.cursor.advance(standing.cursor);
        self.opens = standing.open.into_iter().map(|it| (it.seq, it)).collect();
        for it in standing.replays {
            self.queue.push_replay(it.event, it.attempts);
        }
        if let Some(memo) = standing.memo {
            for hand in &mut self.idle {
                hand.listener().recall(&memo);
            }
            self.memo = Some(memo);
        }
        self.call_on_hand();
        self.ends.settled.send_replace(true);
        Some(())
    }

    /// Finds out when the listener first wants to be called.
    fn call_on_hand(&mut self) {
        if let Some(mut hand) = self.idle.pop() {
            self.schedule(&mut hand);
            self.idle.push(hand);
        }
    }

    /// Begins with a listener that was never seen.
    async fn introduce(&mut self) -> Option<()> {
        self.is_new = true;
        self.call_on_hand();
        self.ends.cursor.advance(self.begin);
        let wants = self.registration.terms.on_connect == OnConnect::Snapshot && self.begin > 0;
        let Some(present) = self.hooks.present.clone().filter(|_| wants) else {
            return Some(());
        };
        // What is there covers everything up to now; it may go on behind that.
        self.ends.settled.send_replace(true);
        let (answer, answered) = oneshot::channel();
        let asked = async {
            present.send(answer).await.ok()?;
            answered.await.ok()
        };
        let events = tokio::select! {
            events = asked => events.unwrap_or_default(),
            _ = self.ends.orders.wait_for(is_retirement) => return None,
        };
        for mut event in events {
            event.snapshot = true;
            self.push_volatile(Entity::Introduction, event, false);
        }
        Some(())
    }

    /// Does as the dispatcher says.
    pub(super) fn obey(&mut self) {
        let grace = match *self.ends.orders.borrow_and_update() {
            Order::Drain { grace, .. } | Order::Flush { grace, .. } | Order::Retire(grace) => grace,
            Order::Work => return,
        };
        self.work.spawn(async move {
            sleep(grace).await;
            Done::Overdue
        });
    }

    /// Returns whether everything was done that shall be.
    pub(super) fn is_over(&self) -> bool {
        let (last, is_patient) = match *self.ends.orders.borrow() {
            Order::Drain { last, .. } => (last, true),
            Order::Flush { last, .. } => (last, false),
            Order::Retire(_) => return self.is_overdue || self.busy.is_empty(),
            Order::Work => return false,
        };
        let is_read = self.journal.last_seq().min(last) <= self.queue.read_to();
        let is_told = is_read && self.held.is_none() && self.queue.is_exhausted();
        let is_told = is_told && !(is_patient && self.queue.has_events());
        let is_noted = self.noting.is_none() && !self.is_new && !self.queue.has_news(self.window);
        self.is_overdue || (is_told && is_noted && self.busy.is_empty())
    }

    /// Ends in order: what is under way is broken off, and does not count as ended by a crash.
    pub(super) async fn close(mut self) {
        for (_, (task, _)) in self.busy.drain() {
            task.abort();
        }
        let _ = timeout(CLOSING, async {
            while self.noting.is_some() {
                match self.work.join_next().await {
                    Some(Ok(Done::Noted(Ok(())))) => self.noting = None,
                    Some(Ok(Done::Told(hand, fates))) => {
                        self.queue.settle(fates);
                        self.idle.push(hand);
                    }
                    Some(Ok(Done::Noted(Err(_)))) | None => break,
                    Some(_) => (),
                }
            }
        })
        .await;
        self.work.shutdown().await;
        self.queue.stand_down();
        self.ends.cursor.advance(self.queue.cursor());
        let mut notes = self.noting.take().unwrap_or_default();
        notes.extend(self.queue.compose(0));
        if !notes.is_empty() {
            let name = &self.registration.name;
            match timeout(CLOSING, self.journal.note(name, notes)).await {
                Ok(Ok(())) => (),
                Ok(Err(error)) => self.complain(&error),
                Err(_elapsed) => warn!(listener = name, "the journal is too slow to end in order"),
            }
        }
        for mut hand in std::mem::take(&mut self.idle) {
            self.work.spawn(async move {
                let limit = CLOSING + hand.listener().farewell();
                let _ = timeout(limit, hand.listener().close()).await;
                Done::Lull
            });
        }
        while self.work.join_next().await.is_some() {}
    }

    /// Returns the beat at which the listener is told that the daemon lives.
    pub(super) fn heartbeat(&self) -> Option<Interval> {
        let every = self.registration.terms.heartbeat?;
        self.hooks.pulse.as_ref()?;
        let mut interval = interval(every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Some(interval)
    }

    /// Tells that the daemon lives, unless that still waits to be told.
    pub(super) fn beat(&mut self) {
        let now = self.hooks.pulse.as_ref().and_then(|pulse| pulse());
        let Some(now) = now.filter(|_| !self.queue.has(&Entity::Heartbeat)) else {
            return;
        };
        let event = Event::new(now, None, Kind::Heartbeat, Subject::default());
        self.push_volatile(Entity::Heartbeat, event, true);
    }

    /// Tells what cannot be written down.
    pub(super) fn alarm(&mut self, event: Event) {
        let is_gate = matches!(event.kind, Kind::DomainFrozen | Kind::DomainThawed);
        self.push_volatile(Entity::Alarm, event, is_gate);
    }

    /// Puts in an event without a number, if it is wanted. No two have the same time, since their
    /// identities are made of it.
    fn push_volatile(&mut self, entity: Entity, mut event: Event, is_wanted: bool) {
        let micros = event.time.wall.as_unix_micros();
        self.last_volatile = micros.max(self.last_volatile + 1);
        event.time.wall = WallTime::from_unix_micros(self.last_volatile);
        let recorded = Recorded {
            epoch: 0,
            seq: 0,
            event,
        };
        if is_wanted || self.admits(&recorded) {
            self.queue.push_volatile(entity, Arc::new(recorded));
        }
    }
}

/// Who is retired is told nothing more, and goes on where it was if it comes back.
fn is_retirement(order: &Order) -> bool {
    match order {
        Order::Retire(_) => true,
        Order::Drain { .. } | Order::Flush { .. } | Order::Work => false,
    }
}
