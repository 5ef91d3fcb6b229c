//! Breaks what carries the session, and what goes on meanwhile; mends it in the end.

use std::collections::BTreeSet;
use std::time::Duration;

use dbwarden::sandbox::serve::Sandbox;
use dbwarden::sandbox::world::history::Dice;
use dbwarden::sandbox::world::{Fault, PeerNumber};

use super::judge::Judge;
use super::watch::Watch;
use crate::sandbox::caller::start;

/// The agent that is no broker.
const AGENT: PeerNumber = PeerNumber(4);

/// How the session is lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Break {
    /// All its connections are closed, and may be opened again.
    Drop,
    /// The entry peer is gone.
    Lose { exits_first: bool },
    /// It is silent, on all connections.
    Mute,
    /// It lives, and only our session is silent: it is deaf, and does not know.
    MuteSession,
}

/// One round of trouble.
pub(super) struct Director<'a> {
    sandbox: &'a Sandbox,
    dice: Dice,
    how: Option<Break>,
    /// The engines that were there from the beginning.
    first: BTreeSet<u32>,
    /// When the session was broken.
    pub(super) broke: Duration,
    /// Peers whose agent went, if only for a while.
    pub(super) lost: BTreeSet<PeerNumber>,
    /// Peers that could not be seen by others, nor see them.
    pub(super) isolated: BTreeSet<PeerNumber>,
    /// Engines that were killed.
    pub(super) crashed: BTreeSet<u32>,
    /// How many engines were started.
    pub(super) started: usize,
    /// How often the daemon was restarted.
    restarts: u32,
    /// Whether a broker told that saw nobody.
    was_minority: bool,
    /// What to do to mend it.
    mending: Vec<Fault>,
}

impl<'a> Director<'a> {
    pub(super) fn new(sandbox: &'a Sandbox, dice: Dice) -> Self {
        Self {
            sandbox,
            dice,
            how: None,
            first: BTreeSet::new(),
            broke: Duration::ZERO,
            lost: BTreeSet::new(),
            isolated: BTreeSet::new(),
            crashed: BTreeSet::new(),
            started: 0,
            restarts: 0,
            was_minority: false,
            mending: Vec::new(),
        }
    }

    /// Breaks the session while other things happen, and mends everything.
    pub(super) async fn play(&mut self, watch: &mut Watch) {
        let entry = watch.entry(self.sandbox).unwrap();
        let engines = self.sandbox.engines().await.unwrap();
        self.first = engines.iter().map(|it| it.pid).collect();
        // In the order in which most strategies turn to them.
        let others = [entry.0 % 3 + 1, (entry.0 + 1) % 3 + 1].map(PeerNumber);
        if self.dice.percent(60) {
            // Whom the daemon turns to next may see nobody.
            let turn = usize::from(self.dice.percent(30));
            let peer = others[turn];
            self.isolated.insert(peer);
            self.mending.push(Fault::Rejoin { peer });
            self.fault(watch, Fault::Isolate { peer }).await;
            self.pause(watch, 0, 30).await;
        }
        if self.dice.percent(30) {
            self.crash(watch, &BTreeSet::new()).await;
        }
        self.break_session(watch, entry).await;
        if self.dice.percent(20) {
            watch.note("the daemon is restarted");
            watch.end();
            self.restarts += 1;
            self.pause(watch, 0, 100).await;
            watch.resume();
        }
        for _ in 0..self.dice.below(4) {
            self.pause(watch, 0, 150).await;
            match self.dice.below(4) {
                0 => self.crash(watch, &BTreeSet::new()).await,
                1 | 2 if !self.lost.contains(&AGENT) => self.start(watch).await,
                3 if !self.lost.contains(&AGENT) => {
                    let exits_first = self.dice.percent(50);
                    self.lose(watch, AGENT, exits_first).await;
                }
                _ => (),
            }
        }
        self.pause(watch, 50, 900).await;
        let entry = watch.entry(self.sandbox).unwrap();
        let is_synced = watch.status["freshness"] == "synced";
        self.was_minority = is_synced && self.isolated.contains(&entry);
        for fault in std::mem::take(&mut self.mending) {
            self.fault(watch, fault).await;
            self.pause(watch, 0, 50).await;
        }
    }

    async fn break_session(&mut self, watch: &mut Watch, entry: PeerNumber) {
        let peer = entry;
        let how = self.dice.pick(&[
            Break::Lose { exits_first: false },
            Break::Lose { exits_first: true },
            Break::Drop,
            Break::Mute,
            Break::MuteSession,
        ]);
        watch.note(&format!("the session at peer {peer} breaks: {how:?}"));
        self.how = Some(how);
        self.broke = watch.now();
        let told = watch.told.len();
        let is_noticed = |it: &Watch| it.was_told(told, "domain_disconnected");
        match how {
            Break::Drop => self.fault(watch, Fault::Drop { peer }).await,
            Break::Lose { exits_first } => self.lose(watch, peer, exits_first).await,
            Break::Mute => {
                self.mending.push(Fault::Unmute { peer });
                self.fault(watch, Fault::Mute { peer }).await;
                watch.until("silence is noticed", is_noticed).await;
            }
            Break::MuteSession => {
                let monitors = self.sandbox.survey().await.unwrap().monitors;
                // One of a second look may be among them; it will be repeated.
                for (session, _) in monitors.into_iter().filter(|it| it.1 == peer) {
                    let result = self.sandbox.control(Fault::MuteSession { session }).await;
                    watch.note(&format!("mute session {}: {result:?}", session.0));
                }
                // Something to be missed.
                let isolated = self.isolated.clone();
                self.crash(watch, &isolated).await;
                watch.until("deafness is noticed", is_noticed).await;
            }
        }
    }

    async fn lose(&mut self, watch: &mut Watch, peer: PeerNumber, exits_first: bool) {
        self.lost.insert(peer);
        self.mending.push(Fault::Return { peer });
        self.fault(watch, Fault::Lose { peer, exits_first }).await;
    }

    /// Kills an engine that was there from the beginning and is at none of these peers.
    async fn crash(&mut self, watch: &mut Watch, but: &BTreeSet<PeerNumber>) {
        let engines = self.sandbox.engines().await.unwrap();
        let living: Vec<u32> = engines
            .iter()
            .filter(|it| !but.contains(&it.peer))
            .map(|it| it.pid)
            .filter(|it| self.first.contains(it) && !self.crashed.contains(it))
            .collect();
        let pid = self.dice.pick(&living);
        self.crashed.insert(pid);
        self.fault(watch, Fault::Crash { pid }).await;
    }

    /// Starts an engine at the agent.
    async fn start(&mut self, watch: &mut Watch) {
        let agent = &self.sandbox.peers()[AGENT.index()];
        let start_id = start(agent.address, &[("--database", "teas")]).await;
        self.started += 1;
        watch.note(&format!("start {start_id}"));
    }

    async fn fault(&mut self, watch: &mut Watch, fault: Fault) {
        watch.note(&format!("{fault:?}"));
        self.sandbox.control(fault).await.unwrap();
    }

    async fn pause(&mut self, watch: &mut Watch, from: u64, to: u64) {
        let pause = self.dice.whole_millis(from, to);
        watch.pass(pause).await;
    }
}

/// What was done and seen in all rounds.
#[derive(Debug, Default)]
pub(super) struct Deeds {
    lost: u32,
    dropped: u32,
    muted: u32,
    deaf: u32,
    isolated: usize,
    minority_views: u32,
    failovers: usize,
    reconnects: usize,
    agents_lost: u32,
    crashed: usize,
    started: usize,
    restarts: u32,
    slowest_reconnect: Duration,
}

impl Deeds {
    pub(super) fn add(&mut self, director: &Director<'_>, judge: &Judge) {
        match director.how.unwrap() {
            Break::Drop => self.dropped += 1,
            Break::Lose { .. } => self.lost += 1,
            Break::Mute => self.muted += 1,
            Break::MuteSession => self.deaf += 1,
        }
        self.isolated += director.isolated.len();
        self.minority_views += u32::from(director.was_minority);
        self.failovers += judge.failovers;
        self.reconnects += judge.reconnects;
        self.agents_lost += u32::from(director.lost.contains(&AGENT));
        self.crashed += director.crashed.len();
        self.started += director.started;
        self.restarts += director.restarts;
        self.slowest_reconnect = self.slowest_reconnect.max(judge.slowest);
    }

    /// Returns whether every sort of trouble there is came up.
    pub(super) fn has_everything(&self) -> bool {
        let troubles = [self.lost, self.dropped, self.muted, self.deaf];
        let counts = [self.failovers, self.crashed, self.started];
        troubles.iter().all(|it| *it > 0)
            && counts.iter().all(|it| *it > 0)
            && self.minority_views > 0
            && self.agents_lost > 0
    }
}
