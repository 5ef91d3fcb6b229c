//! Holds what was told against what is true.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dbwarden::sandbox::serve::{EngineInfo, Sandbox};
use dbwarden::sandbox::world::PeerNumber;
use serde_json::Value;

use super::director::Director;
use super::watch::{Told, Watch, number_of};

/// Three probes (200 ms each), then each of three brokers may keep us for a `dial-timeout` (2 s)
/// after the longest pause (300 ms), and what is wrong with the last is mended within 2 s. The
/// same again is for a machine that has much else to do. The pilot's dialogues count it exactly.
const RECONNECT_WITHIN: Duration = Duration::from_secs(19);

/// One round, judged.
pub(super) struct Judge {
    engines: Vec<EngineInfo>,
    names: BTreeMap<String, PeerNumber>,
    /// So many events had been told when trouble began.
    pub(super) before: usize,
    pub(super) failovers: usize,
    pub(super) reconnects: usize,
    /// The longest time without a session.
    pub(super) slowest: Duration,
}

fn all<'a>(watch: &'a Watch, key: &str) -> &'a [Value] {
    watch.status[key].as_array().map_or(&[], Vec::as_slice)
}

/// Returns the pids the daemon takes for living ones.
fn living(watch: &Watch) -> BTreeSet<u32> {
    all(watch, "processes")
        .iter()
        .filter(|it| it["reachable"] == true)
        .map(|it| it["pid"].as_u64().unwrap().try_into().unwrap())
        .collect()
}

/// Returns whether the daemon knows these and nothing else, and is sure of it.
fn knows(watch: &Watch, pids: &BTreeSet<u32>) -> bool {
    watch.status["freshness"] == "synced"
        && all(watch, "gates").is_empty()
        && all(watch, "peers").iter().all(|it| it["connected"] == true)
        && all(watch, "processes").len() == pids.len()
        && living(watch) == *pids
}

fn pids(engines: &[EngineInfo]) -> BTreeSet<u32> {
    engines.iter().map(|it| it.pid).collect()
}

impl Judge {
    /// Looks at the domain as it is before trouble begins.
    pub(super) async fn new(sandbox: &Sandbox, watch: &mut Watch) -> Self {
        let engines = sandbox.engines().await.unwrap();
        let expected = pids(&engines);
        let is_known = |it: &Watch| knows(it, &expected) && it.was_told(0, "domain_thawed");
        watch.until("all is known", is_known).await;
        let names = all(watch, "peers").iter().map(|it| {
            let name = it["peer"].as_str().unwrap().to_owned();
            (name, number_of(sandbox, it).unwrap())
        });
        Self {
            engines,
            names: names.collect(),
            before: watch.told.len(),
            failovers: 0,
            reconnects: 0,
            slowest: Duration::ZERO,
        }
    }

    /// Watches until everything that is true is known, and nothing else.
    pub(super) async fn come_to_rest(
        &self,
        sandbox: &Sandbox,
        director: &Director<'_>,
        watch: &mut Watch,
    ) {
        let expected = self.engines.len() + director.started - director.crashed.len();
        let mut truth = BTreeSet::new();
        while truth.len() != expected {
            watch.pass(Duration::from_millis(10)).await;
            truth = pids(&sandbox.engines().await.unwrap());
        }
        let is_over = |it: &Watch| {
            let told = &it.told[self.before..];
            let ended = |pid: &u32| told.iter().any(|it| is_end_of(it, *pid));
            knows(it, &truth) && director.crashed.iter().all(ended)
        };
        watch.until("what is true is known and told", is_over).await;
    }

    /// Says which of the events are not true, or what was not told, or not recorded.
    pub(super) async fn judge(
        &mut self,
        director: &Director<'_>,
        watch: &mut Watch,
    ) -> Result<(), String> {
        if all(watch, "peers").len() != self.names.len() {
            return Err("a peer is known twice".to_owned());
        }
        let (known, journal) = (living(watch), watch.journal().await);
        watch.end();
        for told in &watch.told[self.before..] {
            self.judge_event(director, told)
                .map_err(|broken| format!("{broken}: {}", told.event))?;
        }
        self.count(director, watch, &known)?;
        self.measure(director, watch)?;
        let mut told = watch.told.iter().map(|it| &it.event["id"]);
        match journal.iter().find(|it| told.next() != Some(&it["id"])) {
            Some(event) => Err(format!("not told, or not in its turn: {event}")),
            None => Ok(()),
        }
    }

    /// Returns which peer it is about.
    pub(super) fn peer(&self, told: &Told) -> Option<PeerNumber> {
        self.names.get(told.event["peer"].as_str()?).copied()
    }

    fn judge_event(&self, director: &Director<'_>, told: &Told) -> Result<(), String> {
        let may_be_away = self
            .peer(told)
            .is_some_and(|it| director.lost.contains(&it) || director.isolated.contains(&it));
        let has_crashed = told.pid().is_some_and(|it| director.crashed.contains(&it));
        let is_new = self.engines.iter().all(|it| Some(it.pid) != told.pid());
        let is_true = match told.kind() {
            "peer_joined" | "database_joined" | "database_left" => false,
            // Of what a broker says that sees few, one that is gone is out of reach at most.
            "process_unreachable" if told.event["cause"] == "minority-view" => {
                has_crashed || may_be_away
            }
            "peer_left"
            | "peer_unreachable"
            | "peer_returned"
            | "process_unreachable"
            | "process_returned" => may_be_away,
            "process_joined" => is_new,
            "process_failed" | "process_left" => has_crashed,
            _ => true,
        };
        if is_true {
            Ok(())
        } else {
            Err("it is not true".to_owned())
        }
    }

    /// Checks that whatever changed for good was told, once.
    fn count(
        &self,
        director: &Director<'_>,
        watch: &Watch,
        known: &BTreeSet<u32>,
    ) -> Result<(), String> {
        let told = &watch.told[self.before..];
        for pid in &director.crashed {
            let ends = told.iter().filter(|it| is_end_of(it, *pid)).count();
            if ends != 1 {
                return Err(format!("{ends} ends were told of {pid}, which crashed"));
            }
        }
        for pid in known.difference(&pids(&self.engines)) {
            let is_it = |it: &&Told| it.kind() == "process_joined" && it.pid() == Some(*pid);
            let joins = told.iter().filter(is_it).count();
            if joins != 1 {
                return Err(format!(
                    "{joins} joins were told of {pid}, which was started"
                ));
            }
        }
        Ok(())
    }

    /// Checks that after each loss the daemon was connected again before long.
    fn measure(&mut self, director: &Director<'_>, watch: &Watch) -> Result<(), String> {
        let mut broke = Some(director.broke);
        for told in &watch.told[self.before..] {
            match told.kind() {
                "domain_disconnected" => {
                    broke.get_or_insert(told.at);
                }
                "domain_connected" | "domain_failover" => {
                    // A daemon that began anew had lost nothing.
                    let since = broke.take().unwrap_or(told.at);
                    self.slowest = self.slowest.max(told.at.saturating_sub(since));
                    match told.kind() {
                        "domain_failover" => self.failovers += 1,
                        _ => self.reconnects += 1,
                    }
                }
                _ => (),
            }
        }
        if broke.is_some() {
            return Err("it was never said that the session is back".to_owned());
        }
        if self.slowest > RECONNECT_WITHIN {
            return Err(format!("connected again after {:?} only", self.slowest));
        }
        Ok(())
    }
}

fn is_end_of(told: &Told, pid: u32) -> bool {
    matches!(told.kind(), "process_failed" | "process_left") && told.pid() == Some(pid)
}
