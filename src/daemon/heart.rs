//! Says now and then that the daemon lives, as long as it does.
//!
//! Who hears it decides what silence means; here nothing is ended or started again.

use std::future::{Future, pending};
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::Stage;
use super::clock::Clock;
use super::pulse::Pulse;

/// Beats while every event loop turns, if anybody asked for it.
pub(super) struct Heart {
    ticks: Option<Interval>,
    /// What it stands for; nothing once the loops are asked to end.
    loops: Option<(Pulse, Clock)>,
}

impl Heart {
    /// Beats so often, or never.
    pub(super) fn new(every: Option<Duration>, pulse: Pulse, clock: Clock) -> Self {
        let ticks = every.filter(|it| !it.is_zero()).map(|every| {
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        Self {
            ticks,
            loops: Some((pulse, clock)),
        }
    }

    /// Beats without the event loops from now on: they end, and how long that may take is for
    /// others to bound.
    pub(super) fn stop(&mut self) {
        self.loops = None;
    }

    /// Waits for the next beat: for ever while a loop is stuck, or if nobody asked.
    pub(super) async fn beat(&mut self) {
        let Some(ticks) = &mut self.ticks else {
            return pending().await;
        };
        loop {
            ticks.tick().await;
            let is_well = match &self.loops {
                Some((pulse, clock)) => pulse.read(*clock).is_some(),
                None => true,
            };
            if is_well {
                return;
            }
        }
    }

    /// Beats until something is done.
    pub(super) async fn during<T>(
        &mut self,
        work: impl Future<Output = T>,
        tell: &mut impl FnMut(Stage),
    ) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = self.beat() => tell(Stage::Alive),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::time::Timestamp;

    const EVERY: Duration = Duration::from_secs(5);

    fn heart(every: Option<Duration>) -> (Heart, Pulse, Clock) {
        let (pulse, clock) = (Pulse::default(), Clock::start());
        (Heart::new(every, pulse.clone(), clock), pulse, clock)
    }

    #[tokio::test(start_paused = true)]
    async fn it_beats_while_work_goes_on_and_returns_what_that_gave() {
        let (mut heart, _, _) = heart(Some(EVERY));
        let mut told = Vec::new();
        let work = async {
            sleep(EVERY * 3 + Duration::from_secs(1)).await;
            7
        };
        let done = heart.during(work, &mut |it| told.push(it)).await;
        assert_eq!(done, 7);
        assert_eq!(told, vec![Stage::Alive; 4], "at once, and three times more");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stuck_loop_silences_it_until_it_turns_or_is_to_end() {
        let (mut heart, pulse, clock) = heart(Some(EVERY));
        let now = clock.timestamp();
        let beat = pulse.join(&"prod".into(), now);
        beat.turned(Timestamp::from_micros(now.as_micros() - 31_000_000));
        assert!(timeout(EVERY * 10, heart.beat()).await.is_err());
        beat.turned(clock.timestamp());
        assert!(timeout(EVERY * 2, heart.beat()).await.is_ok());
        beat.turned(Timestamp::from_micros(now.as_micros() - 31_000_000));
        assert!(timeout(EVERY * 10, heart.beat()).await.is_err());
        heart.stop();
        assert!(timeout(EVERY * 2, heart.beat()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_asked() {
        for every in [None, Some(Duration::ZERO)] {
            let (mut heart, _, _) = heart(every);
            assert!(timeout(EVERY * 100, heart.beat()).await.is_err());
        }
    }
}
