//! What only people may say: it is done at once, kept if it holds for a while, and told.

use std::sync::Arc;
use std::time::Duration;

use super::What;
use crate::event::Kind;
use crate::exchange::Word;
use crate::model::{Model, PeerPresence};
use crate::supervisor::Effect;
use crate::supervisor::facts::{ActionStage, Extent, OrderFact, OrderKind};
use crate::supervisor::gate::Gate;
use crate::supervisor::orders::said;
use crate::supervisor::state::{Action, Supervisor};
use crate::supervisor::tell::in_words;
use crate::time::Moment;

/// So much may hold at a time.
const ORDERS_MAX: usize = 1_000;

/// A person, and what they say.
#[derive(Debug)]
pub(super) struct Saying {
    pub(super) by: Arc<str>,
    pub(super) reason: Option<Arc<str>>,
    pub(super) extent: Extent,
}

impl Saying {
    /// Returns the reason behind a colon, if one was given.
    pub(super) fn why(&self) -> String {
        let reason = self.reason.as_ref();
        reason.map_or_else(String::new, |it| format!(": {it}"))
    }

    pub(super) fn order(&self, now: Moment, kind: OrderKind, lasts: Option<Duration>) -> OrderFact {
        OrderFact {
            kind,
            extent: self.extent.clone(),
            by: self.by.clone(),
            reason: self.reason.clone(),
            since: now,
            until: lasts.map(|it| now.wall + it),
            told_ending: false,
        }
    }
}

impl Supervisor {
    /// Takes in what a person says; returns what they are told, or why nothing comes of it.
    pub(super) fn heed(
        &mut self,
        now: Moment,
        model: &Model,
        (by, reason): (Arc<str>, Option<Arc<str>>),
        (word, target): (&Word, &str),
        effects: &mut Vec<Effect>,
    ) -> Result<What, String> {
        // What is over by now was over before this was said.
        self.mind_orders(now, model, effects);
        if self.gates.journal_failed {
            return Err("the journal cannot be written, so it would not be remembered".to_owned());
        }
        if self.orders.len() >= ORDERS_MAX {
            return Err(format!(
                "{ORDERS_MAX} holds, maintenances and the like are in force; end some of them first"
            ));
        }
        let saying = Saying {
            by,
            reason,
            extent: self.find_target(model, target)?,
        };
        is_meant(word, &saying.extent)?;
        let said = match word {
            Word::Announce => Ok(self.announce(now, model, &saying, effects)),
            Word::ColdStart { accept_loss } => {
                let begun = self.order_cold(now, model, &saying, accept_loss, effects);
                return begun.map(What::Cold);
            }
            Word::ConfirmDead => self.confirm_dead(now, model, &saying, effects),
            Word::EndMaintenance => self.end_maintenance(now, model, &saying, effects),
            Word::Forget => self.forget(now, model, &saying, effects),
            Word::Hold => Ok(self.hold(now, model, &saying, effects)),
            Word::Maintain { lasts } => Ok(self.maintain(now, model, &saying, *lasts, effects)),
            Word::Release => self.release(now, model, &saying, effects),
            Word::Retry => self.retry(now, model, &saying, effects),
            Word::Scale { count } => self.scale(now, model, &saying, *count, effects),
            Word::Thaw { gate, lasts } => {
                self.thaw(now, model, &saying, (&**gate, *lasts), effects)
            }
            Word::Want => self.want(now, model, &saying, effects),
        };
        said.map(|it| What::Done(it.into()))
    }

    /// Tells that a person said something, and what.
    pub(super) fn tell_saying(
        &self,
        now: Moment,
        model: &Model,
        saying: &Saying,
        does: &str,
        effects: &mut Vec<Effect>,
    ) {
        let text = format!("{} {does}{}", saying.by, saying.why());
        let about = self.about(model, &saying.extent, text);
        self.raise(now, model, Kind::OperatorCommand, about, effects);
    }

    fn hold(
        &mut self,
        now: Moment,
        model: &Model,
        saying: &Saying,
        effects: &mut Vec<Effect>,
    ) -> String {
        let extent = &saying.extent;
        self.tell_saying(now, model, saying, &format!("holds {extent}"), effects);
        self.keep_order(model, saying.order(now, OrderKind::Hold, None));
        let mut text = format!("nothing is started for {extent} until it is released");
        let may_come = |it: &Action| {
            let has_left = !matches!(it.stage, ActionStage::Preparing { .. });
            has_left && self.covers(model, extent, it.slot)
        };
        if self.actions.values().any(may_come) {
            text.push_str("; a start that was asked for just before may yet come");
        }
        text
    }

    fn maintain(
        &mut self,
        now: Moment,
        model: &Model,
        saying: &Saying,
        lasts: Duration,
        effects: &mut Vec<Effect>,
    ) -> String {
        let order = saying.order(now, OrderKind::Maintenance, Some(lasts));
        let text = format!("of {}{}", order.extent, said(&order));
        self.tell_order(now, model, Kind::MaintenanceStarted, &order, text, effects);
        let (extent, until) = (&order.extent, now.wall + lasts);
        let text = format!("{extent} is in maintenance until {until}; healing resumes by itself");
        self.keep_order(model, order);
        text
    }

    fn end_maintenance(
        &mut self,
        now: Moment,
        model: &Model,
        saying: &Saying,
        effects: &mut Vec<Effect>,
    ) -> Result<String, String> {
        let extent = &saying.extent;
        let name = OrderKind::Maintenance.on(extent);
        let Some(order) = self.drop_order(model, &name) else {
            return Err(format!("{extent} is in no maintenance of its own"));
        };
        let why = format!("{} ends it{}", saying.by, saying.why());
        self.maintenance_over(now, model, &order, &why, effects);
        Ok(format!("the maintenance of {extent} is over"))
    }

    fn confirm_dead(
        &mut self,
        now: Moment,
        model: &Model,
        saying: &Saying,
        effects: &mut Vec<Effect>,
    ) -> Result<String, String> {
        let extent = &saying.extent;
        let Extent::Peer(name) = extent else {
            return Err(format!("{extent} is no peer"));
        };
        let presence = model.peer_named(name).map(|it| model.peer(it).presence);
        if !matches!(presence, Some(PeerPresence::Unreachable { .. })) {
            return Err(format!(
                "{name} is connected; only a peer that is out of reach can be dead"
            ));
        }
        let does = format!("says that {name} is dead");
        self.tell_saying(now, model, saying, &does, effects);
        self.keep_order(model, saying.order(now, OrderKind::Dead, None));
        Ok(format!(
            "{name} is taken for dead, and what ran there is replaced, until it is back"
        ))
    }

    fn announce(
        &mut self,
        now: Moment,
        model: &Model,
        saying: &Saying,
        effects: &mut Vec<Effect>,
    ) -> String {
        let extent = &saying.extent;
        let does = format!("is about to end {extent}");
        self.tell_saying(now, model, saying, &does, effects);
        self.keep_order(model, saying.order(now, OrderKind::Announced, None));
        let within = in_words(self.settings.waits.announced_for);
        format!("an end of {extent} within {within} is as asked for")
    }

    fn thaw(
        &mut self,
        now: Moment,
        model: &Model,
        saying: &Saying,
        (name, lasts): (&str, Duration),
        effects: &mut Vec<Effect>,
    ) -> Result<String, String> {
        let gate = match Gate::named(name) {
            Some(Gate::Journal) => {
                return Err(
                    "nothing that is done could be remembered; make room for the journal \
                            instead"
                        .to_owned(),
                );
            }
            Some(Gate::Memory) => {
                return Err(
                    "`dbwarden resume --accept-lost-memory` opens the gate memory".to_owned(),
                );
            }
            Some(Gate::NotSynced) => {
                return Err(
                    "without a session nothing can be known, or started; the gate not-synced has \
                     no override"
                        .to_owned(),
                );
            }
            Some(Gate::Clock) => {
                return Err(
                    "what is known may be old; the gate clock opens with a fresh picture"
                        .to_owned(),
                );
            }
            Some(Gate::ViewsDiffer) => {
                return Err(
                    "who is out of reach and answers us lives; `dbwarden confirm-dead` \
                            says otherwise"
                        .to_owned(),
                );
            }
            Some(
                gate @ (Gate::AnotherHealer
                | Gate::Lease
                | Gate::MinorityView
                | Gate::Recovered
                | Gate::Storm),
            ) => gate,
            None => {
                let all: Vec<&str> = Gate::ALL.iter().map(|it| it.as_str()).collect();
                let all = all.join(", ");
                return Err(format!("there is no gate `{name}`; there are {all}"));
            }
        };
        let is_left_alone = self.foreign.values().any(|it| it.is_told);
        let is_of_databases = gate == Gate::AnotherHealer && is_left_alone;
        if !self.gates.is_closed(gate) && !is_of_databases {
            return Err(format!("the gate {name} is open"));
        }
        let order = saying.order(now, OrderKind::Thaw(gate), Some(lasts));
        let until = now.wall + lasts;
        let does = format!("overrides the gate {name}, until {until}");
        self.tell_saying(now, model, saying, &does, effects);
        self.keep_order(model, order);
        Ok(format!("the gate {name} does not count until {until}"))
    }
}

/// Returns whether something like this can be said of something like that.
fn is_meant(word: &Word, extent: &Extent) -> Result<(), String> {
    let (fits, of) = match word {
        Word::Announce => (
            matches!(extent, Extent::Database(_) | Extent::Process { .. }),
            "a process or a database",
        ),
        Word::ConfirmDead => (matches!(extent, Extent::Peer(_)), "a peer"),
        Word::EndMaintenance | Word::Maintain { .. } => (
            !matches!(extent, Extent::Slot(..)),
            "the domain, a database, a peer or a process; a slot can be held",
        ),
        Word::Forget => (
            matches!(
                extent,
                Extent::Database(_) | Extent::Peer(_) | Extent::Slot(..)
            ),
            "a slot, a database or a peer",
        ),
        Word::Hold | Word::Release | Word::Retry | Word::Want => (
            matches!(extent, Extent::Database(_) | Extent::Slot(..)),
            "a slot or a database",
        ),
        Word::ColdStart { .. } | Word::Scale { .. } => {
            (matches!(extent, Extent::Database(_)), "a database")
        }
        Word::Thaw { .. } => (matches!(extent, Extent::Domain), "a domain"),
    };
    if fits {
        return Ok(());
    }
    let word = word.as_str();
    Err(format!("`{word}` is said of {of}, and not of {extent}"))
}
