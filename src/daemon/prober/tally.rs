//! Counts how often the ports of processes were silent in a row, and says what is news by that.
//!
//! It goes by what the warden takes for true: what was told and did not count there is found again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::exchange::{Finding, Probe, Probed};
use crate::model::Life;

/// The misses of one domain.
#[derive(Debug)]
pub(super) struct Tally {
    /// So many in a row are told of.
    limit: u32,
    misses: BTreeMap<Life, u32>,
}

impl Tally {
    /// Returns a tally without any misses.
    pub(super) const fn new(limit: u32) -> Self {
        Self {
            limit,
            misses: BTreeMap::new(),
        }
    }

    /// Forgets those that are not tried any more.
    pub(super) fn begin(&mut self, probes: &[Probe]) {
        let lives: BTreeSet<Life> = probes.iter().map(|it| it.life).collect();
        self.misses.retain(|life, _| lives.contains(life));
    }

    /// Counts an answer.
    pub(super) fn answered(&mut self, probe: Probe) -> Option<Probed> {
        self.misses.remove(&probe.life);
        probe
            .is_unresponsive
            .then(|| found(probe, Finding::Answers))
    }

    /// Counts a miss, for that reason.
    pub(super) fn missed(&mut self, probe: Probe, reason: Arc<str>) -> Option<Probed> {
        let misses = self.misses.entry(probe.life).or_default();
        *misses = misses.saturating_add(1);
        let misses = *misses;
        let is_news = misses >= self.limit && !probe.is_unresponsive;
        is_news.then(|| found(probe, Finding::Silent { misses, reason }))
    }
}

fn found(probe: Probe, finding: Finding) -> Probed {
    Probed {
        peer: probe.peer,
        pid: probe.pid,
        life: probe.life,
        finding,
    }
}
