//! What may live on beside the process that is started in its place, and that there is never more
//! of it than one for a seat.
//!
//! Whether a process out of reach is dead cannot be known; whether it may be replaced is decided in
//! `evidence`. Here it is only counted.

use super::Effect;
use super::facts::ActionStage;
use super::rule::{Blocked, Case, Hindrance, Obstacle};
use super::state::{About, Evidence, Lapsed, SlotId, Supervisor};
use super::watch::Row;
use crate::event::{Cause, Kind};
use crate::exchange::ActionId;
use crate::model::{Model, PeerId, PeerPresence, ProcessId};
use crate::mutation::Mutant;
use crate::policy::SeatKind;
use crate::time::{Moment, Timestamp};

/// A process that sits nowhere, not told of as surplus yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extra {
    pub(super) process: ProcessId,
    /// Whose place was given away while it was out of reach or late.
    pub(super) replaced_at: Option<SlotId>,
}

/// A replacement of a process whose exit was told, but whose agent did not answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Unproven {
    /// Where it ran.
    pub(super) peer: PeerId,
    /// When the replacement left.
    pub(super) at: Timestamp,
}

impl Supervisor {
    /// Returns whether a start leaves at most one process of its seat that may come to life beside
    /// it; none if the policy forbids that.
    ///
    /// What may come to life is whoever is out of reach and sat there, and starts for it of which
    /// nothing was heard.
    pub(super) fn overlaps_once(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        if self.settings.planted.has(Mutant::NoOverlapLimit) {
            return Ok(());
        }
        let starts: Vec<Timestamp> = self.owed_starts(case).collect();
        let may_come = self.away(case).count() + starts.len();
        let is_strict = self.forbids_two(case);
        if is_strict && !starts.is_empty() || may_come > 1 {
            return Err(may_overlap(&starts).into());
        }
        // Who sat there since then, and is gone, says nothing about who is out of reach. Of one
        // that is missed itself the evidence says more.
        if is_strict && may_come > 0 && !self.misses_one_away(case) {
            return Err(Obstacle::StrictSiblings.blocks().into());
        }
        Ok(())
    }

    /// Returns whether the one that is missed is out of reach, and may live for all we know.
    fn misses_one_away(&self, case: &Case<'_>) -> bool {
        match case.vacancy.evidence {
            Evidence::Unreachable { peer, .. } => !self.is_dead(case.model, peer),
            Evidence::Declared | Evidence::Exit { .. } | Evidence::Vanished { .. } => false,
        }
    }

    /// Returns whether nobody may come to life beside what is started: by the policy, or because
    /// two on one archive are one too many, however they came.
    fn forbids_two(&self, case: &Case<'_>) -> bool {
        let has_archive = self.slot(case.slot).rule.seat == SeatKind::Archive;
        let is_loose = self.settings.planted.has(Mutant::StrictIsLoose);
        has_archive || self.policy(case.slot).strict_siblings && !is_loose
    }

    /// Returns whether one more may come to life beside what is started: the one whose exit was
    /// told, but whose agent is silent.
    pub(super) fn overlaps_nothing(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        let starts: Vec<Timestamp> = self.owed_starts(case).collect();
        let is_free = starts.is_empty() && self.away(case).next().is_none();
        if is_free || self.settings.planted.has(Mutant::NoOverlapLimit) {
            return Ok(());
        }
        Err(may_overlap(&starts).into())
    }

    /// Returns who is out of reach and has a claim to that seat.
    fn away(&self, case: &Case<'_>) -> impl Iterator<Item = ProcessId> {
        let is_dead = |it: &ProcessId| {
            let process = case.model.process(*it);
            process.is_some_and(|it| self.is_dead(case.model, it.peer))
        };
        let away = self.away.get(&case.slot).into_iter().flatten();
        away.copied().filter(move |it| !is_dead(it))
    }

    /// Returns why a seat that was not missed so far is empty: whoever sat there and is out of
    /// reach may live, though nobody wanted it just then.
    pub(super) fn why_empty(&self, model: &Model, slot: SlotId) -> Evidence {
        let mut away = self.away.get(&slot).into_iter().flatten();
        let away = away.find_map(|it| model.process(*it));
        away.map_or(Evidence::Declared, |it| Evidence::Unreachable {
            peer: it.peer,
            life: it.life,
        })
    }

    /// Returns until when each start for that seat, of which nothing was heard, may come to life.
    fn owed_starts(&self, case: &Case<'_>) -> impl Iterator<Item = Timestamp> {
        let lapsed = self.lapsed.values();
        let lapsed = lapsed.filter(|it| it.slot == Some(case.slot));
        let lapsed = lapsed.map(|it| (it.peer, self.starts_until(case, it)));
        let unproven = self.slot(case.slot).unproven;
        let is_own = |it: &Unproven| case.leaving.is_some_and(|id| self.is_noted_by(id, *it));
        let unproven = unproven.filter(|it| !is_own(it));
        lapsed
            .chain(unproven.map(|it| (it.peer, self.returns_until(case, it))))
            .filter(|(peer, _)| !self.is_dead(case.model, *peer))
            .map(|(_, until)| until)
            .filter(|until| *until > case.now)
    }

    /// Returns until when a start that was given up may come to life: for long, or until another
    /// agent has been at the peer for long enough. An agent that was only out of reach may still
    /// do what it was asked; and so may another that was there all the while, as far as was told.
    fn starts_until(&self, case: &Case<'_>, lapsed: &Lapsed) -> Timestamp {
        let until = lapsed.at + self.policy(case.slot).waits.late_for;
        let peer = case.model.peer(lapsed.peer);
        let is_other = lapsed.agent.as_ref().is_some_and(|it| *it != peer.agent_id);
        match peer.presence {
            PeerPresence::Connected { since } if is_other && peer.was_away() => {
                until.min(since + self.policy(case.slot).return_grace)
            }
            PeerPresence::Connected { .. } | PeerPresence::Unreachable { .. } => until,
        }
    }

    /// Returns until when a process whose agent was silent may show itself: for long, or until the
    /// peer has come back and has been there for long enough to list what runs.
    fn returns_until(&self, case: &Case<'_>, it: Unproven) -> Timestamp {
        let until = it.at + self.policy(case.slot).waits.late_for;
        match case.model.peer(it.peer).presence {
            PeerPresence::Connected { since } if since > it.at => {
                until.min(since + self.policy(case.slot).return_grace)
            }
            PeerPresence::Connected { .. } | PeerPresence::Unreachable { .. } => until,
        }
    }

    /// A request leaves: notes what may live on beside what it starts.
    pub(super) fn note_unproven(&mut self, now: Timestamp, action: ActionId) {
        let (slot, target) = {
            let it = &self.actions[&action];
            (it.slot, it.target)
        };
        let Some(vacancy) = self.slot(slot).vacancy() else {
            return;
        };
        if let Some(peer) = vacancy.doubted_at()
            && peer != target
        {
            self.slot_mut(slot).unproven = Some(Unproven { peer, at: now });
        }
    }

    /// A request never left, though that was decided: nothing was replaced by it.
    pub(super) fn forget_unproven(&mut self, action: ActionId) {
        let slot = self.actions[&action].slot;
        let unproven = self.slot(slot).unproven;
        if unproven.is_some_and(|it| self.is_noted_by(action, it)) {
            self.slot_mut(slot).unproven = None;
        }
    }

    /// Returns whether that was noted when the request of this start was to leave.
    fn is_noted_by(&self, action: ActionId, unproven: Unproven) -> bool {
        let Some(it) = self.actions.get(&action) else {
            return false;
        };
        let within = self.policy(it.slot).start_timeout + self.settings.waits.report_slack;
        matches!(it.stage, ActionStage::Committed { deadline } if unproven.at + within == deadline)
    }

    /// Notes that a process with a seat is out of reach.
    pub(super) fn note_away(&mut self, slot: SlotId, process: ProcessId) {
        self.away.entry(slot).or_default().insert(process);
    }

    /// Notes that a process is out of reach no longer: it is back, or it is gone.
    pub(super) fn forget_away(&mut self, slot: SlotId, process: ProcessId) {
        if let Some(away) = self.away.get_mut(&slot) {
            away.remove(&process);
            if away.is_empty() {
                self.away.remove(&slot);
            }
        }
    }

    /// Gives whoever is out of reach a claim to another seat.
    pub(super) fn move_away(&mut self, model: &Model, from: SlotId, to: SlotId) {
        let mut away = self.away.remove(&from).unwrap_or_default();
        for process in &away {
            self.give_seat(*process, to);
            if let Some(known) = model.process(*process) {
                self.changed.processes.insert((known.peer, known.pid));
            }
        }
        if !away.is_empty() {
            self.away.entry(to).or_default().append(&mut away);
        }
        for (action, it) in &mut self.lapsed {
            if it.slot == Some(from) {
                it.slot = Some(to);
                self.changed.lapsed.insert(*action);
            }
        }
        let unproven = self.slot_mut(from).unproven.take();
        let slot = self.slot_mut(to);
        slot.unproven = unproven.or(slot.unproven);
    }

    /// Tells of processes that are more than is wanted, unless they have a seat by now.
    pub(super) fn tell_surplus(&mut self, now: Moment, model: &Model, effects: &mut Vec<Effect>) {
        for Extra {
            process: id,
            replaced_at,
        } in std::mem::take(&mut self.extra)
        {
            let Some(process) = model.process(id).filter(|it| it.is_live()) else {
                continue;
            };
            let is_surplus = |row: &Row| row.surplus.contains(&(process.life, id));
            if !self.watches[process.database.index()]
                .rows
                .iter()
                .any(is_surplus)
            {
                continue;
            }
            let text = match replaced_at {
                Some(slot) => format!(
                    "it was given up for {}, another was started in its place, and it lives: \
                     stop one of them",
                    self.slot(slot).name()
                ),
                None => "it is more than is wanted".to_owned(),
            };
            let about = About {
                slot: replaced_at,
                process: Some(id),
                cause: replaced_at.map(|_| Cause::Overlap),
                text,
                ..About::default()
            };
            self.raise(now, model, Kind::ProcessSurplus, about, effects);
        }
    }
}

fn may_overlap(starts: &[Timestamp]) -> Blocked {
    Blocked {
        by: Obstacle::MayOverlap,
        until: starts.iter().min().copied(),
    }
}
