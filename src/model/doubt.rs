//! What a look at the domain did not show, and whether to believe it.
//!
//! That something is gone is believed when it is told. Where it only does not show, because nobody
//! listened or because the broker that tells is cut off itself, it is doubted: it counts as there
//! until a second look agrees, and nobody hears of it meanwhile.

use std::collections::BTreeMap;

use super::change::{Change, Ending};
use super::state::{Model, Peer, PeerId, PeerPresence, Presence, Process, ProcessId};
use crate::mutation::Mutant;
use crate::time::Timestamp;

/// In a minority view another look can hardly show more, but must be had: nobody might tell that
/// the view has widened.
const MINORITY_FACTOR: u32 = 15;

/// Something that ought to be there did not show.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Doubt {
    /// When a view of the majority first did not show it, and whose view that was.
    pub(super) first: Option<(Timestamp, Option<PeerId>)>,
}

/// What is doubted, and how the domain is seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Doubts {
    pub(super) peers: BTreeMap<PeerId, Doubt>,
    pub(super) processes: BTreeMap<ProcessId, Doubt>,
    /// Fewer than half of the known brokers are in view.
    pub(super) is_minority: bool,
    /// When the next look is due.
    look: Option<Timestamp>,
    /// That moment has come.
    is_look_wanted: bool,
}

impl Doubts {
    pub(super) const fn next_look(&self) -> Option<Timestamp> {
        self.look
    }

    pub(super) const fn is_minority(&self) -> bool {
        self.is_minority
    }

    pub(super) fn is_peer_doubted(&self, id: PeerId) -> bool {
        self.peers.contains_key(&id)
    }

    /// Forgets the doubt about a process: it was seen, or what became of it is known.
    pub(super) fn clear_process(&mut self, id: ProcessId) -> bool {
        self.processes.remove(&id).is_some()
    }

    /// Returns whether a picture that shows its peer did not show a process.
    pub(super) fn is_missed(&self, id: ProcessId) -> bool {
        let doubt = self.processes.get(&id);
        doubt.is_some_and(|it| it.first.is_some())
    }
}

impl Model {
    /// Returns whether fewer than half of the known brokers are in view of the one that tells.
    pub const fn is_minority(&self) -> bool {
        self.doubts.is_minority()
    }

    /// Returns whether the last look at the domain did not show a peer that counts as connected.
    pub fn is_doubted(&self, id: PeerId) -> bool {
        self.doubts.is_peer_doubted(id)
    }

    /// Returns whether a process counts as there though it may be gone: its exit was told just now,
    /// or the last look at the domain did not show it.
    pub fn may_be_gone(&self, id: ProcessId) -> bool {
        let is_ending = |it: &Process| matches!(it.presence, Presence::Ending { .. });
        self.doubts.processes.contains_key(&id) || self.process(id).is_some_and(is_ending)
    }

    /// Returns whether anything counts as there that the last look at the domain did not show.
    pub fn has_doubts(&self) -> bool {
        !self.doubts.peers.is_empty() || !self.doubts.processes.is_empty()
    }

    /// Returns, once for each time it is so, that another snapshot must be taken now because
    /// something is doubted. It is due at [`next_timeout`](Self::next_timeout) as other things are.
    pub fn take_second_look(&mut self) -> bool {
        std::mem::take(&mut self.doubts.is_look_wanted)
    }

    /// Forgets the doubt about a peer: it was seen, or is known to be lost.
    pub(super) fn clear_peer(&mut self, id: PeerId) {
        if self.doubts.peers.remove(&id).is_some() {
            self.touched.peers.insert(id);
        }
    }

    fn doubt_peer(&mut self, id: PeerId, doubt: Doubt) {
        if self.doubts.peers.insert(id, doubt) != Some(doubt) {
            self.touched.peers.insert(id);
        }
    }

    fn keep_doubting(&mut self, id: ProcessId, doubt: Doubt) {
        if self.doubts.processes.insert(id, doubt) != Some(doubt) {
            self.touch(id);
        }
    }

    /// Takes in that a complete picture does not show what counts as there.
    pub(super) fn doubt_missing(&mut self, now: Timestamp, changes: &mut Vec<Change>) {
        let generation = self.generation;
        self.count_brokers(now, |it| it.generation == generation);
        let peers: Vec<PeerId> = self
            .peers()
            .filter(|(_, it)| it.is_connected() && it.generation != generation)
            .map(|(id, _)| id)
            .collect();
        for id in peers {
            let doubt = self.doubts.peers.get(&id).copied().unwrap_or_default();
            match self.weigh(now, doubt) {
                None => self.lose_peer(now, id, changes),
                Some(doubt) => self.doubt_peer(id, doubt),
            }
        }
        let processes: Vec<ProcessId> = self
            .processes()
            .filter(|(_, it)| it.generation != generation)
            .map(|(id, _)| id)
            .collect();
        for id in processes {
            self.doubt_process(now, id, changes);
        }
    }

    fn doubt_process(&mut self, now: Timestamp, id: ProcessId, changes: &mut Vec<Change>) {
        let process = self.kept(id);
        let is_with_peer = self.is_doubted(process.peer);
        let doubt = self.doubts.processes.get(&id).copied().unwrap_or_default();
        match process.presence {
            // Its exit was told by the last session, but not whether its peer went as well. Now
            // that is known.
            Presence::Ending { .. } if !self.is_pending(process, id) => {
                if is_with_peer || self.is_minority() {
                    self.keep_doubting(id, doubt);
                } else {
                    self.end(id, Ending::Exit, changes);
                }
            }
            Presence::Ending { .. } | Presence::Unreachable { .. } => (),
            // It goes with its peer, or shows itself when that does.
            Presence::Live if is_with_peer => self.keep_doubting(id, doubt),
            Presence::Live => match self.weigh(now, doubt) {
                None => self.end(id, Ending::Unknown, changes),
                Some(doubt) => self.keep_doubting(id, doubt),
            },
        }
    }

    /// Returns whether the end of a process that was told to be gone is only a matter of time.
    pub(super) fn is_pending(&self, process: &Process, id: ProcessId) -> bool {
        match process.presence {
            Presence::Ending { due } => self.exits.contains(&(due, process.life, id)),
            Presence::Live | Presence::Unreachable { .. } => false,
        }
    }

    /// Returns the doubt as it is after the present picture, or nothing if the loss is certain.
    fn weigh(&self, now: Timestamp, doubt: Doubt) -> Option<Doubt> {
        if self.is_minority() {
            return Some(doubt);
        }
        match doubt.first {
            None if self.settings.planted.has(Mutant::OneLookIsEnough) => None,
            None => Some(Doubt {
                first: Some((now, self.entry)),
            }),
            Some((since, by)) if by == self.entry && now < since + self.settings.settle => {
                Some(doubt)
            }
            Some(_) => None,
        }
    }

    /// Plans the next look, if one is needed.
    pub(super) fn plan_look(&mut self, now: Timestamp) {
        let settle = self.settings.settle;
        let pause = if self.is_minority() {
            settle.saturating_mul(MINORITY_FACTOR)
        } else {
            settle
        };
        self.doubts.look = self.has_doubts().then(|| now + pause);
    }

    /// Notes that a planned look is due.
    pub(super) fn mind_look(&mut self, now: Timestamp) {
        if self.doubts.look.take_if(|due| *due <= now).is_some() {
            self.doubts.is_look_wanted = self.has_doubts();
        }
    }

    /// Forgets about looks: there is no session, and the next one begins with one.
    pub(super) fn cancel_look(&mut self) {
        self.doubts.look = None;
        self.doubts.is_look_wanted = false;
    }

    /// Takes in that a peer joined or was lost while the session stands.
    pub(super) fn review_view(&mut self, now: Timestamp) {
        let was_minority = self.is_minority();
        let doubted = std::mem::take(&mut self.doubts.peers);
        let mut id = 0;
        self.count_brokers(now, |it| {
            let is_doubted = doubted.contains_key(&PeerId(id));
            id += 1;
            it.is_connected() && !is_doubted
        });
        self.doubts.peers = doubted;
        if was_minority && !self.is_minority() {
            // What did not show so far may have been out of view.
            self.returns.clear();
            self.await_missing(now);
            self.plan_look(now);
        }
    }

    /// Counts the brokers that are in view, as `is_in_view` says of all peers in order, and those
    /// that ought to be.
    fn count_brokers(&mut self, now: Timestamp, mut is_in_view: impl FnMut(&Peer) -> bool) {
        let (was_minority, retire_after) = (self.is_minority(), self.settings.retire_after);
        let (mut seen, mut known) = (0_usize, 0_usize);
        for (id, peer) in (0..).map(PeerId).zip(&mut self.peers) {
            let is_seen = is_in_view(peer);
            let was_retired = peer.is_retired;
            if let PeerPresence::Unreachable { since } = peer.presence
                && !was_minority
                && since + retire_after <= now
            {
                peer.is_retired = true;
            }
            peer.is_retired &= !is_seen;
            if peer.is_retired != was_retired {
                self.touched.peers.insert(id);
            }
            if peer.is_broker && !peer.is_retired {
                known += 1;
                seen += usize::from(is_seen);
            }
        }
        let trusts = self.settings.planted.has(Mutant::TrustMinority);
        self.doubts.is_minority = 2 * seen < known && !trusts;
        self.touched.domain |= self.doubts.is_minority != was_minority;
    }
}
