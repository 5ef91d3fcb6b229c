//! Seats that belong to peers with certain labels: a policy may want so many engines in each region
//! or zone.
//!
//! Which seats those are follows from the policy; where a process is started is decided elsewhere.

use super::Effect;
use super::overlap::Extra;
use super::state::{Phase, SlotId, Supervisor};
use crate::exchange::Place;
use crate::model::{DatabaseId, Model, PeerId, ProcessId};
use crate::policy::Share;
use crate::time::Moment;

impl Supervisor {
    /// Returns which share of the engines of its database a seat is for, if it is for one.
    pub(super) fn share_of(&self, id: SlotId) -> Option<&Share> {
        let slot = self.slot(id);
        let share = self.policy(id).share_of(slot.rule.role, slot.ordinal);
        share.filter(|_| slot.home.is_none())
    }

    /// Returns whether a peer has the labels that a seat asks for.
    pub(super) fn suits(&self, model: &Model, id: SlotId, peer: PeerId) -> bool {
        let labels = &model.peer(peer).labels;
        let has = |(name, it): (&String, &String)| labels.get(name) == Some(it);
        self.share_of(id).is_none_or(|it| it.labels.iter().all(has))
    }

    /// Returns whether somebody who asks for that place may have a seat.
    pub(super) fn suits_place(&self, model: &Model, id: SlotId, place: &Place) -> bool {
        match place {
            Place::Anywhere | Place::Elsewhere => true,
            Place::On(name) => {
                let peer = model.peer_named(name);
                peer.is_none_or(|it| self.suits(model, id, it))
            }
        }
    }

    /// Returns whether whoever sits on a seat, or is on the way, may have the other one.
    pub(super) fn may_move(&self, model: &Model, from: SlotId, to: SlotId) -> bool {
        let peer = match &self.slot(from).phase {
            Phase::Acting { action, .. } => self.actions.get(action).map(|it| it.target),
            Phase::Filled(process) => model.process(*process).map(|it| it.peer),
            Phase::Empty | Phase::Held { .. } | Phase::Leaving { .. } | Phase::Vacant(_) => None,
        };
        peer.is_none_or(|it| self.suits(model, to, it))
    }

    /// The policy, or the labels of peers, may have changed: who sits where it does not belong any
    /// more goes to another seat.
    pub(super) fn regroup(
        &mut self,
        now: Moment,
        model: &Model,
        (database, row): (DatabaseId, usize),
        effects: &mut Vec<Effect>,
    ) {
        let seats = self.watches[database.index()].rows[row].seats.iter();
        let wrong = seats.filter_map(|id| match self.slot(*id).phase {
            Phase::Filled(process) => {
                let peer = model.process(process)?.peer;
                (!self.suits(model, *id, peer)).then_some((*id, process))
            }
            Phase::Acting { .. }
            | Phase::Empty
            | Phase::Held { .. }
            | Phase::Leaving { .. }
            | Phase::Vacant(_) => None,
        });
        let wrong: Vec<(SlotId, ProcessId)> = wrong.collect();
        let mut moving = Vec::new();
        for (id, process) in wrong {
            let slot = self.slot_mut(id);
            slot.given_up = None;
            moving.push((process, std::mem::take(&mut slot.observed)));
            self.seats[process.index()] = None;
            self.enter(id, Phase::Empty);
        }
        if moving.is_empty() {
            return;
        }
        for (process, was_observed) in moving {
            self.seat_again(
                now,
                model,
                (database, row),
                (process, was_observed),
                effects,
            );
        }
        self.declare_seats(database, row);
    }

    /// Gives a process that lost its seat one that suits: one that is missed, an empty one, or a
    /// new one if what is observed is kept.
    fn seat_again(
        &mut self,
        now: Moment,
        model: &Model,
        at: (DatabaseId, usize),
        (id, was_observed): (ProcessId, bool),
        effects: &mut Vec<Effect>,
    ) {
        let Some(process) = model.process(id) else {
            return;
        };
        let suits = |slot: SlotId| self.suits(model, slot, process.peer);
        let is_missed = |slot: SlotId| match self.slot(slot).phase {
            Phase::Held { .. } | Phase::Vacant(_) => suits(slot),
            Phase::Empty => suits(slot) && self.is_declared(slot),
            Phase::Acting { .. } | Phase::Filled(_) | Phase::Leaving { .. } => false,
        };
        let is_empty = |slot: SlotId| suits(slot) && matches!(self.slot(slot).phase, Phase::Empty);
        let missed = self.free_seat(at, is_missed);
        let free = missed.or_else(|| self.free_seat(at, is_empty));
        let (database, row) = at;
        let seats_all = self.watches[database.index()].rows[row].seats_all;
        let slot = match (missed, free) {
            (Some(slot), _) => slot,
            (None, free) if seats_all => free.unwrap_or_else(|| self.add_seat(database, row, None)),
            (None, _) => {
                let surplus = &mut self.row_mut(database, row).surplus;
                surplus.insert((process.life, id));
                self.changed.processes.insert((process.peer, process.pid));
                self.extra.push(Extra {
                    process: id,
                    replaced_at: None,
                });
                return;
            }
        };
        self.fill(now, model, slot, id, effects);
        self.slot_mut(slot).observed |= was_observed;
    }
}
