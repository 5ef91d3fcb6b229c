//! What people say of what is wanted, and of what is given up: scale, want, forget, release, retry.

use super::people::Saying;
use crate::model::{DatabaseId, Model, PeerId, Role};
use crate::mutation::Mutant;
use crate::supervisor::Effect;
use crate::supervisor::facts::{Extent, OrderFact, OrderKind};
use crate::supervisor::state::{Evidence, Phase, SlotId, Supervisor, Vacancy};
use crate::time::Moment;

/// So many transaction engines of a database may be wanted where its policy says no other number.
const SCALE_MAX: u32 = 100;

impl Supervisor {
    /// Returns the seats that are meant: one, or all of a database.
    fn seats_in(&self, model: &Model, extent: &Extent) -> Vec<SlotId> {
        let all = (0..).map(SlotId).take(self.slots.len());
        all.filter(|it| self.covers(model, extent, *it)).collect()
    }

    /// Lets go of what people hold there, and of what the healer gave up on.
    pub(super) fn release(
        &mut self,
        now: Moment,
        model: &Model,
        saying: &Saying,
        effects: &mut Vec<Effect>,
    ) -> Result<String, String> {
        let extent = &saying.extent;
        let is_inside = |it: &Extent| match (extent, it) {
            (Extent::Database(name), Extent::Slot(database, ..)) => name == database,
            _ => it == extent,
        };
        let holds = self.orders().filter(|it| it.kind == OrderKind::Hold);
        let names: Vec<_> = holds
            .filter(|it| is_inside(&it.extent))
            .map(OrderFact::name)
            .collect();
        let seats = self.seats_in(model, extent);
        let given_up = |it: &SlotId| self.is_given_up(*it);
        let given_up: Vec<SlotId> = seats.iter().copied().filter(given_up).collect();
        if names.is_empty() && given_up.is_empty() {
            let whole = seats.first().and_then(|it| self.hold_on(model, *it));
            return Err(match whole {
                Some(hold) => format!("{extent} is held with all of {0}; release {0}", hold.extent),
                None => format!("nobody holds {extent}"),
            });
        }
        let does = format!("releases {extent}");
        self.tell_saying(now, model, saying, &does, effects);
        for name in names {
            self.drop_order(model, &name);
        }
        for id in given_up {
            let why = format!("{} releases it{}", saying.by, saying.why());
            self.mind_again(now, model, id, &why, effects);
        }
        let still = seats.first().and_then(|it| self.hold_on(model, *it));
        Ok(match still {
            Some(hold) => format!(
                "{extent} is released, and held with all of {} still",
                hold.extent
            ),
            None => format!("{extent} is released; it is healed as soon as every gate is open"),
        })
    }

    /// Tries what is missing now, as if for the first time.
    pub(super) fn retry(
        &mut self,
        now: Moment,
        model: &Model,
        saying: &Saying,
        effects: &mut Vec<Effect>,
    ) -> Result<String, String> {
        let extent = &saying.extent;
        let seats = self.seats_in(model, extent);
        let is_vacant = |it: &SlotId| matches!(self.slot(*it).phase, Phase::Vacant(_));
        let vacant: Vec<SlotId> = seats.iter().copied().filter(is_vacant).collect();
        if vacant.is_empty() {
            let is_held = seats.iter().any(|it| self.is_given_up(*it));
            let advice = if is_held {
                "the healer gave up on it; release it"
            } else {
                "nothing is missing there, or a start is under way"
            };
            return Err(format!("there is nothing to retry for {extent}: {advice}"));
        }
        let does = format!("has {extent} tried now");
        self.tell_saying(now, model, saying, &does, effects);
        for id in vacant {
            self.slot_mut(id).tries = 0;
            self.cut_pause(now.at, id);
            let database = self.slot(id).database;
            self.forget_failures(|it| it.0 == database);
        }
        Ok(format!("{extent} is tried as soon as every gate is open"))
    }

    /// Wants so many transaction engines of a database.
    pub(super) fn scale(
        &mut self,
        now: Moment,
        model: &Model,
        saying: &Saying,
        count: u32,
        effects: &mut Vec<Effect>,
    ) -> Result<String, String> {
        let extent = &saying.extent;
        let database = database_in(model, extent)?;
        if !self.watches[database.index()].is_healed() {
            return Err(format!(
                "no policy applies to {extent}, so nothing of it is kept; add one that does"
            ));
        }
        let policy = self.policy_of(database, Role::Te);
        let (min, max) = (policy.te_min(), policy.te_max().unwrap_or(SCALE_MAX));
        if count < min || count > max {
            return Err(format!(
                "{count} is not from {min} to {max}, as the configuration has it (`te`)"
            ));
        }
        let does = format!("wants {count} transaction engines of {extent}");
        self.tell_saying(now, model, saying, &does, effects);
        self.keep_order(model, saying.order(now, OrderKind::Scale(count), None));
        for row in 0..self.settings.doctrine.roles.len() {
            self.declare_seats(database, row);
        }
        self.touched.insert(database);
        let fills = |it: &SlotId| {
            let slot = self.slot(*it);
            slot.rule.role == Role::Te && matches!(slot.phase, Phase::Filled(_))
        };
        let running = self.watches[database.index()].seats().filter(fills).count();
        let over = running.saturating_sub(count as usize);
        let advice = if over > 0 {
            format!("; {over} more run, and nothing is stopped: `dbwarden domain stop` does that")
        } else {
            String::new()
        };
        Ok(format!(
            "{count} transaction engines of {extent} are wanted, until it is scaled again or \
             forgotten{advice}"
        ))
    }

    /// Wants what left as somebody wished.
    pub(super) fn want(
        &mut self,
        now: Moment,
        model: &Model,
        saying: &Saying,
        effects: &mut Vec<Effect>,
    ) -> Result<String, String> {
        let extent = &saying.extent;
        let seats = self.seats_in(model, extent);
        let is_new = |it: &SlotId| !self.is_wanted(*it);
        let new: Vec<SlotId> = seats.into_iter().filter(is_new).collect();
        if new.is_empty() {
            return Err(format!("{extent} is wanted already"));
        }
        if new.iter().any(|id| !self.is_healed(*id)) {
            return Err(format!(
                "no policy applies to {extent}, so nothing of it is kept; add one that does"
            ));
        }
        if let Some(id) = new.iter().find(|id| !self.is_wanted_if(**id, true)) {
            let name = &model.database(self.slot(*id).database).name;
            return Err(format!(
                "what is observed of {name} is not kept; `dbwarden scale {name} te N` says how \
                 many are wanted"
            ));
        }
        let does = format!("wants {extent}");
        self.tell_saying(now, model, saying, &does, effects);
        for id in new {
            self.slot_mut(id).observed = true;
            let here = match self.slot(id).phase {
                Phase::Leaving { peer, .. } => Evidence::Exit { peer },
                Phase::Empty => self.why_empty(model, id),
                Phase::Acting { .. } | Phase::Filled(_) | Phase::Held { .. } | Phase::Vacant(_) => {
                    continue;
                }
            };
            self.enter(id, Phase::Vacant(Box::new(Vacancy::new(now.at, here))));
        }
        Ok(format!(
            "{extent} is wanted; it is healed as soon as every gate is open"
        ))
    }

    /// Wants something no longer, and forgets what failed there.
    pub(super) fn forget(
        &mut self,
        now: Moment,
        model: &Model,
        saying: &Saying,
        effects: &mut Vec<Effect>,
    ) -> Result<String, String> {
        let extent = &saying.extent;
        let peer = match extent {
            Extent::Peer(name) => model.peer_named(name),
            Extent::Database(_) | Extent::Domain | Extent::Process { .. } | Extent::Slot(..) => {
                None
            }
        };
        if peer.is_some_and(|it| model.peer(it).is_connected()) {
            return Err(format!(
                "{extent} is connected; only a peer that is gone can be forgotten"
            ));
        }
        let scale = OrderKind::Scale(0).on(extent);
        let is_scaled = self.orders.contains_key(&scale);
        let seats = self.seats_in(model, extent);
        let may_go = |id: &SlotId| match &self.slot(*id).phase {
            Phase::Filled(_) => false,
            Phase::Empty => self.slot(*id).observed,
            Phase::Acting { .. }
            | Phase::Held { .. }
            | Phase::Leaving { .. }
            | Phase::Vacant(_) => true,
        };
        let (leaving, kept): (Vec<SlotId>, Vec<SlotId>) = seats.into_iter().partition(may_go);
        let declared = leaving.iter().filter(|it| {
            let slot = self.slot(**it);
            slot.ordinal < self.policy(**it).min(slot.rule.role)
        });
        if let Extent::Slot(..) = extent {
            if declared.count() > 0 {
                return Err(format!(
                    "{extent} is wanted by the configuration (`te`), and only that ends it"
                ));
            }
            if kept.len() == 1 && matches!(self.slot(kept[0]).phase, Phase::Filled(_)) {
                return Err(format!(
                    "a process fills {extent}; `dbwarden domain stop` ends it, and it is not \
                     wanted from then on"
                ));
            }
        }
        if leaving.is_empty() && !is_scaled && peer.is_none() && !self.has_failures(model, extent) {
            return Err(format!(
                "nothing is remembered of {extent} that could be forgotten"
            ));
        }
        let does = format!("has {extent} forgotten");
        self.tell_saying(now, model, saying, &does, effects);
        if is_scaled {
            self.drop_order(model, &scale);
        }
        let mut unwanted = 0;
        for id in leaving {
            unwanted += u32::from(self.unwant(now, model, id, saying, effects));
        }
        match (peer, extent) {
            (Some(peer), _) => self.forget_failures(|it| it.2 == peer),
            (None, Extent::Database(_)) => {
                let database = database_in(model, extent)?;
                self.forget_failures(|it| it.0 == database);
                self.touched.insert(database);
            }
            (None, _) => (),
        }
        Ok(format!(
            "{extent} is forgotten; {unwanted} slots are not wanted any more"
        ))
    }

    /// A seat is not wanted any more, unless it is declared; returns whether that is so.
    fn unwant(
        &mut self,
        now: Moment,
        model: &Model,
        id: SlotId,
        saying: &Saying,
        effects: &mut Vec<Effect>,
    ) -> bool {
        if self.settings.planted.has(Mutant::ForgetNothing) {
            return false;
        }
        let was_given_up = self.is_given_up(id);
        let slot = self.slot_mut(id);
        slot.observed = false;
        slot.tries = 0;
        slot.given_up = None;
        if self.is_wanted(id) {
            return false;
        }
        if matches!(
            self.slot(id).phase,
            Phase::Held { .. } | Phase::Leaving { .. } | Phase::Vacant(_)
        ) {
            self.enter(id, Phase::Empty);
        }
        if was_given_up {
            let why = format!("{} has it forgotten", saying.by);
            self.tell_released(now, model, id, &why, effects);
        }
        true
    }

    fn has_failures(&self, model: &Model, extent: &Extent) -> bool {
        let Ok(database) = database_in(model, extent) else {
            return false;
        };
        self.failures.keys().any(|it| it.0 == database)
    }

    /// Forgets which starts failed, and which hosts are out because of that.
    fn forget_failures(&mut self, is_meant: impl Fn(&(DatabaseId, Role, PeerId)) -> bool) {
        let all = self.failures.keys().chain(self.out.iter());
        let gone: Vec<_> = all.filter(|it| is_meant(it)).copied().collect();
        for it in gone {
            self.failures.remove(&it);
            self.out.remove(&it);
            self.changed.failures.insert(it);
        }
    }
}

fn database_in(model: &Model, extent: &Extent) -> Result<DatabaseId, String> {
    let id = match extent {
        Extent::Database(name) => model.database_named(name),
        Extent::Domain | Extent::Peer(_) | Extent::Process { .. } | Extent::Slot(..) => None,
    };
    id.ok_or_else(|| format!("{extent} is no database"))
}
