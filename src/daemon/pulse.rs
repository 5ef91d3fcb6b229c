//! Whether every event loop still turns: what a heartbeat stands for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::clock::Clock;
use crate::model::DomainName;
use crate::telemetry::LoopFigures;
use crate::time::{Moment, Timestamp};

/// A loop turns at least every ten seconds; one that did not for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// When each event loop turned last. Its clones share that.
#[derive(Clone, Default)]
pub(super) struct Pulse(Arc<Mutex<BTreeMap<DomainName, Beat>>>);

/// When one event loop turned last.
#[derive(Clone, Debug)]
pub(super) struct Beat(Arc<LoopFigures>);

impl fmt::Debug for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pulse").finish_non_exhaustive()
    }
}

impl Beat {
    /// Notes a turn.
    pub(super) fn turned(&self, now: Timestamp) {
        self.0.turn(now.as_micros());
    }

    /// Returns where the loop counts and measures.
    pub(super) fn figures(&self) -> &Arc<LoopFigures> {
        &self.0
    }
}

impl Pulse {
    /// Returns where a loop notes its turns from now on.
    pub(super) fn join(&self, name: &DomainName, now: Timestamp) -> Beat {
        let beat = Beat(Arc::default());
        beat.turned(now);
        self.with(|loops| loops.insert(name.clone(), beat.clone()));
        beat
    }

    /// Forgets a loop that was asked to end.
    pub(super) fn leave(&self, name: &DomainName) {
        self.with(|loops| loops.remove(name));
    }

    /// Returns what time it is, if every loop turned lately.
    pub(super) fn read(&self, clock: Clock) -> Option<Moment> {
        let now = clock.now();
        let is_well = |beat: &Beat| {
            let turned = Timestamp::from_micros(beat.0.turned());
            now.at.since(turned) < STUCK_AFTER
        };
        self.with(|loops| loops.values().all(is_well))
            .then_some(now)
    }

    fn with<T>(&self, look: impl FnOnce(&mut BTreeMap<DomainName, Beat>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_loop_that_does_not_turn_silences_the_heart() {
        let (pulse, clock) = (Pulse::default(), Clock::start());
        let now = clock.timestamp();
        let (prod, test) = (
            pulse.join(&"prod".into(), now),
            pulse.join(&"test".into(), now),
        );
        assert!(pulse.read(clock).is_some());
        test.turned(Timestamp::from_micros(now.as_micros() - 31_000_000));
        assert_eq!(pulse.read(clock), None);
        prod.turned(now);
        assert_eq!(pulse.read(clock), None, "the other one is still stuck");
        pulse.leave(&"test".into());
        assert!(pulse.read(clock).is_some());
    }
}
