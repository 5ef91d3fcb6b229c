//! What people said that holds for a while: kept, looked up, and ended by the clock on the wall.
//!
//! What a word does when it is said is in `request::people`; what is forbidden by one is a rule.

use std::sync::Arc;
use std::time::Duration;

use super::Effect;
use super::facts::{Extent, OrderFact, OrderKind};
use super::gate::Gate;
use super::rule::{Case, Hindrance, Obstacle};
use super::state::{About, Phase, SlotId, Supervisor};
use crate::event::Kind;
use crate::model::{Change, Ending, Model, PeerId, PeerName, Process};
use crate::mutation::Mutant;
use crate::policy::DomainWaits;
use crate::time::{Moment, Timestamp};

impl Supervisor {
    /// Keeps what a person said, in place of what was said of the same before.
    pub(super) fn keep_order(&mut self, model: &Model, order: OrderFact) {
        let name = order.name();
        match order.kind {
            OrderKind::ColdStart => self.note_cold_order(model, &order.extent, true),
            OrderKind::Scale(count) => self.note_scale(model, &order.extent, Some(count)),
            OrderKind::Announced
            | OrderKind::Dead
            | OrderKind::Hold
            | OrderKind::Maintenance
            | OrderKind::Thaw(_) => (),
        }
        self.changed.orders.insert(name.clone());
        self.orders.insert(name, order);
    }

    /// Takes back what a person said.
    pub(super) fn drop_order(&mut self, model: &Model, name: &str) -> Option<OrderFact> {
        let order = self.orders.remove(name)?;
        match order.kind {
            OrderKind::ColdStart => self.note_cold_order(model, &order.extent, false),
            OrderKind::Scale(_) => self.note_scale(model, &order.extent, None),
            OrderKind::Announced
            | OrderKind::Dead
            | OrderKind::Hold
            | OrderKind::Maintenance
            | OrderKind::Thaw(_) => (),
        }
        self.changed.orders.insert(order.name());
        Some(order)
    }

    fn note_scale(&mut self, model: &Model, extent: &Extent, count: Option<u32>) {
        if let Extent::Database(name) = extent
            && let Some(id) = model.database_named(name)
            && let Some(watch) = self.watches.get_mut(id.index())
        {
            watch.scale = count;
        }
    }

    /// Returns what people said that holds, by name.
    pub fn orders(&self) -> impl Iterator<Item = &OrderFact> {
        self.orders.values()
    }

    fn of_kind(&self, kind: OrderKind) -> impl Iterator<Item = &OrderFact> {
        self.orders.values().filter(move |it| it.kind == kind)
    }

    /// Returns which person holds a seat, by itself or with its database.
    pub(super) fn hold_on(&self, model: &Model, slot: SlotId) -> Option<&OrderFact> {
        let mut holds = self.of_kind(OrderKind::Hold);
        holds.find(|it| self.covers(model, &it.extent, slot))
    }

    /// Returns the maintenance that a seat is in: its own process's, its peer's, its database's or
    /// the domain's.
    pub(super) fn maintenance_of(&self, model: &Model, slot: SlotId) -> Option<&OrderFact> {
        let mut all = self.of_kind(OrderKind::Maintenance);
        all.find(|it| self.covers(model, &it.extent, slot))
    }

    /// Returns whether people work at a peer.
    pub(super) fn is_maintained(&self, model: &Model, peer: PeerId) -> bool {
        let is_it = |it: &OrderFact| it.extent == Extent::Peer(model.peer(peer).name.clone());
        let is_heeded = !self.settings.planted.has(Mutant::IgnoreMaintenance);
        self.of_kind(OrderKind::Maintenance).any(is_it) && is_heeded
    }

    /// Returns whether a person said that a peer is dead.
    pub(super) fn is_dead(&self, model: &Model, peer: PeerId) -> bool {
        let is_it = |it: &OrderFact| it.extent == Extent::Peer(model.peer(peer).name.clone());
        self.of_kind(OrderKind::Dead).any(is_it)
    }

    /// Returns whether a person said that a gate does not count.
    pub(super) fn is_thawed(&self, gate: Gate) -> bool {
        self.of_kind(OrderKind::Thaw(gate)).next().is_some()
    }

    /// Returns whether what is said of something is said of a seat.
    pub(super) fn covers(&self, model: &Model, extent: &Extent, id: SlotId) -> bool {
        let slot = self.slot(id);
        let database = &model.database(slot.database).name;
        match extent {
            Extent::Database(name) => name == database,
            Extent::Domain => true,
            Extent::Peer(name) => self.peer_of(model, id) == Some(name),
            Extent::Process { seat, .. } => seat.as_ref().is_some_and(|(name, role, ordinal)| {
                name == database && *role == slot.rule.role && *ordinal == slot.ordinal
            }),
            Extent::Slot(name, role, ordinal) => {
                name == database && *role == slot.rule.role && *ordinal == slot.ordinal
            }
        }
    }

    /// Returns the peer of whoever sits there, or did.
    fn peer_of<'a>(&self, model: &'a Model, id: SlotId) -> Option<&'a PeerName> {
        let peer = match &self.slot(id).phase {
            Phase::Acting { vacancy, .. } | Phase::Vacant(vacancy) => vacancy.evidence.here(),
            Phase::Held { vacancy, .. } => vacancy.as_ref().and_then(|it| it.evidence.here()),
            Phase::Empty => None,
            Phase::Filled(process) => model.process(*process).map(|it| it.peer),
            Phase::Leaving { peer, .. } => Some(*peer),
        };
        peer.map(|it| &model.peer(it).name)
    }

    /// Returns whether no person holds the seat.
    pub(super) fn is_let_go(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        match self.hold_on(case.model, case.slot) {
            Some(_) if !self.settings.planted.has(Mutant::IgnoreHold) => {
                Err(Obstacle::Held.blocks().into())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Returns whether nobody works at the seat, its peer, its database or the domain.
    pub(super) fn is_in_service(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        match self.maintenance_of(case.model, case.slot) {
            Some(_) if !self.settings.planted.has(Mutant::IgnoreMaintenance) => {
                Err(Obstacle::Maintenance.blocks().into())
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Returns which word of a person's keeps a seat from being filled, if that obstacle is one.
    pub(super) fn order_behind(
        &self,
        model: &Model,
        slot: SlotId,
        obstacle: Obstacle,
    ) -> Option<&OrderFact> {
        if obstacle == Obstacle::Held {
            return self.hold_on(model, slot);
        }
        let is_maintenance = obstacle == Obstacle::Maintenance;
        is_maintenance.then(|| self.maintenance_of(model, slot))?
    }

    /// An end that somebody announced is as somebody wished.
    pub fn heed_announced(&self, now: Timestamp, model: &Model, change: &mut Change) {
        if let Change::ProcessEnded {
            process, ending, ..
        } = change
            && *ending == Ending::Exit
            && self.is_announced(now, model, process)
        {
            *ending = Ending::Requested;
        }
    }

    fn is_announced(&self, now: Timestamp, model: &Model, process: &Process) -> bool {
        let is_meant = |it: &OrderFact| match &it.extent {
            Extent::Database(name) => *name == model.database(process.database).name,
            Extent::Process { peer, pid, .. } => {
                *pid == process.pid && *peer == model.peer(process.peer).name
            }
            Extent::Domain | Extent::Peer(_) | Extent::Slot(..) => false,
        };
        let mut all = self.of_kind(OrderKind::Announced);
        let lasts = self.settings.waits.announced_for;
        all.any(|it| now.since(it.since.at) <= lasts && is_meant(it))
    }

    /// Ends what has lasted long enough, and says so.
    pub(super) fn mind_orders(&mut self, now: Moment, model: &Model, effects: &mut Vec<Effect>) {
        if self.orders.is_empty() {
            self.next_order = None;
            return;
        }
        let names: Vec<Arc<str>> = self.orders.keys().cloned().collect();
        for name in names {
            self.mind_order(now, model, &name, effects);
        }
        let waits = &self.settings.waits;
        let due = self.orders.values().filter_map(|it| due(now, it, waits));
        self.next_order = due.min();
    }

    fn mind_order(&mut self, now: Moment, model: &Model, name: &str, effects: &mut Vec<Effect>) {
        let Some(order) = self.orders.get(name) else {
            return;
        };
        let is_over = match (order.kind, &order.extent) {
            (OrderKind::Announced, _) => {
                now.at > order.since.at + self.settings.waits.announced_for
            }
            // It came back, so it was not, or another took its name.
            (OrderKind::Dead, Extent::Peer(name)) => model
                .peer_named(name)
                .is_none_or(|it| model.peer(it).is_connected()),
            (OrderKind::Maintenance, _)
                if self.settings.planted.has(Mutant::EndlessMaintenance) =>
            {
                false
            }
            _ => order.until.is_some_and(|it| it <= now.wall),
        };
        if is_over {
            let order = self.drop_order(model, name);
            match order.as_ref().map(|it| (it, it.kind)) {
                Some((order, OrderKind::Maintenance)) => {
                    self.maintenance_over(now, model, order, "its time is over", effects);
                }
                Some((order, OrderKind::ColdStart)) => {
                    self.cold_order_over(now, model, order, effects);
                }
                Some(_) | None => (),
            }
            return;
        }
        let notice = self.settings.waits.maintenance_notice;
        if order.kind == OrderKind::Maintenance
            && ends_soon(now, order, notice)
            && !order.told_ending
        {
            let mut order = order.clone();
            order.told_ending = true;
            let text = format!("of {}{}", order.extent, said(&order));
            self.tell_order(now, model, Kind::MaintenanceEnding, &order, text, effects);
            self.keep_order(model, order);
        }
    }

    /// A maintenance is over: what it kept waiting waits no longer.
    pub(super) fn maintenance_over(
        &mut self,
        now: Moment,
        model: &Model,
        order: &OrderFact,
        why: &str,
        effects: &mut Vec<Effect>,
    ) {
        let text = format!("of {}: {why}", order.extent);
        self.tell_order(now, model, Kind::MaintenanceEnded, order, text, effects);
        for id in self.busy.clone() {
            if self.covers(model, &order.extent, id) {
                self.cut_pause(now.at, id);
            }
        }
    }

    /// Ends the pause before the next try, and looks at once.
    pub(super) fn cut_pause(&mut self, now: Timestamp, id: SlotId) {
        if let Some(vacancy) = self.slot_mut(id).vacancy_mut() {
            vacancy.pause = (now, now);
            vacancy.told.blocked = false;
        }
    }

    /// Raises an event about what a person said.
    pub(super) fn tell_order(
        &self,
        now: Moment,
        model: &Model,
        kind: Kind,
        order: &OrderFact,
        text: String,
        effects: &mut Vec<Effect>,
    ) {
        let about = self.about(model, &order.extent, text);
        self.raise(now, model, kind, about, effects);
    }

    /// Returns what an event about something is about.
    pub(super) fn about(&self, model: &Model, extent: &Extent, text: String) -> About {
        let mut about = About {
            text,
            ..About::default()
        };
        match extent {
            Extent::Database(name) => about.database = model.database_named(name),
            Extent::Domain => (),
            Extent::Peer(name) => about.peer = model.peer_named(name),
            Extent::Process { peer, pid, .. } => {
                about.peer = model.peer_named(peer);
                about.process = about.peer.and_then(|it| model.process_with(it, *pid));
            }
            Extent::Slot(name, role, ordinal) => {
                let watch = model.database_named(name);
                let watch = watch.and_then(|it| self.watches.get(it.index()));
                let row = self.settings.doctrine.row(*role);
                let row = watch.zip(row).map(|(watch, row)| &watch.rows[row]);
                about.slot = row.and_then(|it| it.seats.get(*ordinal as usize).copied());
            }
        }
        about
    }
}

/// Returns who said it, until when it holds and why, to stand behind what it is about.
pub(super) fn said(order: &OrderFact) -> String {
    let mut text = format!(" by {}", order.by);
    if let Some(until) = order.until {
        text = format!("{text}, until {until}");
    }
    if let Some(reason) = &order.reason {
        text = format!("{text}: {reason}");
    }
    text
}

/// Returns whether a maintenance ends soon and has lasted for a while.
fn ends_soon(now: Moment, order: &OrderFact, notice: Duration) -> bool {
    order.until.is_some_and(|until| {
        until.since(order.since.wall) > notice && until.since(now.wall) <= notice
    })
}

/// Returns when an order is to be looked at again, as far as today's distance between the two
/// clocks tells.
fn due(now: Moment, order: &OrderFact, waits: &DomainWaits) -> Option<Timestamp> {
    if order.kind == OrderKind::Announced {
        return Some(order.since.at + waits.announced_for + Duration::from_micros(1));
    }
    let left = order.until?.since(now.wall);
    let notice = waits.maintenance_notice;
    let is_told = order.told_ending
        || order.kind != OrderKind::Maintenance
        || order.until?.since(order.since.wall) <= notice;
    let before = left.saturating_sub(notice);
    Some(now.at + if is_told { left } else { before })
}
