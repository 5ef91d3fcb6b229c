//! Whether many peers were lost at once, by what was told alone, and what may be started then.

use std::time::Duration;

use super::told::{Told, ToldPeer};
use super::{Broken, Judge, Law};
use crate::exchange::ActionId;
use crate::supervisor::StormLimits;
use crate::time::Timestamp;

/// For so long at most things go slowly after a storm.
const SLOW_FOR: Duration = Duration::from_secs(600);

/// The last storm.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Storms {
    /// When its first peer was lost, and since when all is quiet if nobody else is.
    last: Option<(Timestamp, Timestamp)>,
    last_start: Option<Timestamp>,
}

impl Storms {
    /// Takes in that something was told.
    pub(super) fn hear(&mut self, now: Timestamp, told: &Told, limits: &StormLimits) {
        let is_away = |it: &&ToldPeer| !it.connected && it.lost.is_some();
        let is_over = |(began, quiet_at): (Timestamp, Timestamp)| {
            let mut peers = told.peers.values().filter(is_away);
            quiet_at <= now && !peers.any(|it| it.lost >= Some(began))
        };
        if self.last.is_some_and(is_over) {
            self.last = None;
        }
        let mut away = told.peers.values().filter(is_away);
        if !away.clone().any(|it| it.lost == Some(now)) {
            return;
        }
        let lately = |it: &&ToldPeer| it.lost.is_some_and(|lost| now.since(lost) < limits.quiet);
        let lost = away.clone().filter(lately).count();
        let there = told.peers.values().filter(|it| it.connected).count();
        let is_storm =
            lost >= limits.peers as usize && lost * 100 > limits.percent as usize * (there + lost);
        let rages = self.last.filter(|(_, quiet_at)| now < *quiet_at);
        if is_storm || rages.is_some() {
            let first = away.by_ref().filter(lately).filter_map(|it| it.lost).min();
            let began = rages.map_or(first.unwrap_or(now), |it| it.0);
            self.last = Some((began, now + limits.quiet));
            self.last_start = None;
        }
    }

    /// Returns whether it goes on.
    pub(super) fn rages(&self, now: Timestamp) -> bool {
        self.last.is_some_and(|(_, quiet_at)| now < quiet_at)
    }

    /// Notes that a start was told of.
    pub(super) fn started(&mut self, now: Timestamp) {
        self.last_start = self.last.map(|_| now);
    }

    /// Returns until when nothing else may be started, if the storm was a while ago.
    fn slowed_until(&self, now: Timestamp, told: &Told, pace: Duration) -> Option<Timestamp> {
        let (began, quiet_at) = self.last.filter(|(_, it)| now < *it + SLOW_FOR)?;
        let is_away = |lost: Option<Timestamp>| lost.is_some_and(|it| it >= began);
        let mut peers = told.peers.values();
        let is_slow = peers.any(|it| !it.connected && is_away(it.lost));
        is_slow.then(|| self.last_start.map_or(quiet_at, |it| it + pace))
    }
}

impl Judge {
    /// Nothing is started in a storm.
    pub(super) fn judge_storm(&mut self, now: Timestamp, action: ActionId) -> Result<(), Broken> {
        let storms = self.known.storms;
        if storms.rages(now) && !self.known.orders.is_thawed("storm") {
            return Err(Law::Storm.broken(format!("{action}: many peers were lost just now")));
        }
        Ok(())
    }

    /// After a storm one thing is begun after the other. To be called before the start is noted.
    pub(super) fn judge_calming(&mut self, now: Timestamp) -> Result<(), Broken> {
        let (storms, pace) = (self.known.storms, self.storm.pace);
        let Some(until) = storms.slowed_until(now, &self.known.told, pace) else {
            return Ok(());
        };
        self.met(Law::Storm);
        if now < until && !self.known.orders.is_thawed("storm") {
            let text = "something else was started just now after a storm".to_owned();
            return Err(Law::Storm.broken(text));
        }
        Ok(())
    }
}
