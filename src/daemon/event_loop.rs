//! The event loop of one domain: where the core meets the world.
//!
//! It reads the clock, feeds the warden, writes the journal and hands deeds to the driver once what
//! led to them is on record. It decides nothing and waits for nobody.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

use super::clock::Clock;
use crate::driver::nuodb::Report;
use crate::exchange::Deed;
use crate::journal::{Batch, Journal, Ticket};
use crate::supervisor::{Effect, Input};
use crate::warden::Warden;

/// So many reports are handled in one turn, and their events written together: enough that a burst
/// costs few writes, few enough that the listeners hear of its beginning before its end.
const TURN_MAX: usize = 1_024;

/// The longest pause between two turns: a pause does not see that the machine was suspended, and
/// the timeline does.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// One domain's warden with all that it needs to act.
pub(super) struct EventLoop {
    pub(super) clock: Clock,
    pub(super) warden: Warden,
    pub(super) journal: Journal,
    pub(super) reports: mpsc::Receiver<Vec<Report>>,
    pub(super) deeds: mpsc::Sender<Deed>,
    pub(super) stop: watch::Receiver<bool>,
}

impl EventLoop {
    /// Turns until it is told to stop, or the driver is gone.
    pub(super) async fn run(mut self) {
        let mut committed = self.journal.progress();
        // Deeds in order, each with the ticket of what led to it.
        let mut parked: VecDeque<(Ticket, Deed)> = VecDeque::new();
        loop {
            let on_record = committed.borrow_and_update().ticket;
            let is_due = parked
                .front()
                .is_some_and(|(ticket, _)| *ticket <= on_record);
            let pause = self
                .warden
                .next_timeout()
                .map_or(PAUSE_MAX, |at| at.since(self.clock.timestamp()))
                .min(PAUSE_MAX);
            let reports = tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => return,
                room = self.deeds.reserve(), if is_due => {
                    match (room, parked.pop_front()) {
                        (Ok(room), Some((_, deed))) => room.send(deed),
                        (Ok(_), None) => (),
                        (Err(_closed), _) => return,
                    }
                    continue;
                }
                Ok(()) = committed.changed(), if !parked.is_empty() && !is_due => continue,
                reports = self.reports.recv() => match reports {
                    Some(reports) => reports,
                    None => return,
                },
                () = sleep(pause) => Vec::new(),
            };
            self.turn(reports, &mut parked);
        }
    }

    /// Handles some reports and whatever more is there already; without any, time has passed.
    fn turn(&mut self, reports: Vec<Report>, parked: &mut VecDeque<(Ticket, Deed)>) {
        let mut effects = Vec::new();
        if reports.is_empty() {
            self.warden
                .handle(self.clock.now(), Input::Timeout, &mut effects);
        }
        let mut handled = 0;
        let mut next = Some(reports);
        while let Some(reports) = next {
            handled += reports.len();
            // One reading for what was read at once.
            let now = self.clock.now();
            for report in reports {
                self.warden.handle(now, input_of(report), &mut effects);
            }
            next = (handled < TURN_MAX)
                .then(|| self.reports.try_recv().ok())
                .flatten();
        }
        let mut events = Vec::with_capacity(effects.len());
        let mut deeds = Vec::new();
        for effect in effects {
            match effect {
                Effect::Answer { .. } => (),
                Effect::Do(deed) => deeds.push(deed),
                Effect::Raise(event) => events.push(event),
            }
        }
        if events.is_empty() && deeds.is_empty() {
            return;
        }
        let ticket = self.journal.write(Batch {
            events,
            ..Batch::default()
        });
        parked.extend(deeds.into_iter().map(|deed| (ticket, deed)));
    }
}

fn input_of(report: Report) -> Input {
    match report {
        Report::Finished { action, outcome } => Input::Reported { action, outcome },
        Report::Observed(observation) => Input::Observed(observation),
    }
}
