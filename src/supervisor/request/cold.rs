//! A cold start that a person orders: of a database that was stopped, that was gone when we looked
//! again, or of which not every archive can be asked.
//!
//! It lifts what keeps a cold start from beginning, and the loss of archives is accepted by name;
//! the order in which things come up, and every gate, stay.

use std::collections::BTreeSet;
use std::time::Duration;

use super::people::Saying;
use crate::event::Kind;
use crate::exchange::Answer;
use crate::model::{DatabaseId, Model, PeerId, PeerName};
use crate::policy::SeatKind;
use crate::supervisor::Effect;
use crate::supervisor::decide::Decision;
use crate::supervisor::facts::{Extent, HoldReason, OrderFact, OrderKind};
use crate::supervisor::orders::said;
use crate::supervisor::rule::{Case, Obstacle};
use crate::supervisor::state::{About, Evidence, Phase, SlotId, Supervisor, Vacancy};
use crate::supervisor::tell::in_words;
use crate::time::{Moment, Timestamp};

/// What is brought up: a database, and the row of the seats that belong to its archives.
type Row = (DatabaseId, usize);

impl Supervisor {
    /// Has a database brought up of which nothing runs.
    pub(super) fn order_cold(
        &mut self,
        now: Moment,
        model: &Model,
        saying: &Saying,
        accept_loss: &[PeerName],
        effects: &mut Vec<Effect>,
    ) -> Result<DatabaseId, String> {
        self.may_ask()?;
        let row = self.coldly(model, &saying.extent)?;
        let (database, extent) = (row.0, &saying.extent);
        let accepted = accept_loss.iter().map(|it| self.archive_at(model, row, it));
        let accepted: BTreeSet<PeerName> = accepted.collect::<Result<_, _>>()?;
        let before = std::mem::replace(&mut self.watch_mut(database).cold.accepted, accepted);
        if let Err(reason) = self.may_order_cold(now.at, model, row) {
            self.watch_mut(database).cold.accepted = before;
            return Err(reason);
        }
        let lost: Vec<&str> = accept_loss.iter().map(PeerName::as_str).collect();
        let giving_up = if lost.is_empty() {
            String::new()
        } else {
            format!(", giving up what is on {}", lost.join(", "))
        };
        let does = format!("has {extent} brought up from nothing{giving_up}");
        self.tell_saying(now, model, saying, &does, effects);
        let lasts = self.cold_patience(database);
        let order = saying.order(now, OrderKind::ColdStart, Some(lasts));
        self.keep_order(model, order);
        let seats: Vec<SlotId> = self.watches[database.index()].seats().collect();
        for id in seats {
            match &self.slot(id).phase {
                Phase::Held { reason, .. } if *reason != HoldReason::ArchiveUnknown => {
                    let why = format!("{} has it brought up", saying.by);
                    self.mind_again(now, model, id, &why, effects);
                }
                Phase::Vacant(_) => self.cut_pause(now.at, id),
                Phase::Acting { .. }
                | Phase::Empty
                | Phase::Filled(_)
                | Phase::Held { .. }
                | Phase::Leaving { .. } => (),
            }
        }
        Ok(database)
    }

    /// Returns what is meant, if it can be brought up at all.
    fn coldly(&self, model: &Model, extent: &Extent) -> Result<Row, String> {
        let database = match extent {
            Extent::Database(name) => model.database_named(name),
            Extent::Domain | Extent::Peer(_) | Extent::Process { .. } | Extent::Slot(..) => None,
        };
        let database = database.ok_or_else(|| format!("{extent} is no database"))?;
        let mut roles = self.settings.doctrine.roles.iter();
        let row = roles.position(|it| it.seat == SeatKind::Archive);
        let row = row.filter(|row| {
            let watch = self.watches.get(database.index());
            watch.is_some_and(|it| it.rows[*row].policy.is_some())
        });
        let Some(row) = row else {
            return Err(format!(
                "no policy heals storage managers of {extent}; `roles` says which are healed"
            ));
        };
        if model.database(database).is_any_running() {
            return Err(format!(
                "processes of {extent} run; only what is wholly down is brought up from nothing"
            ));
        }
        Ok((database, row))
    }

    /// Returns under which name an archive is given up.
    fn archive_at(
        &self,
        model: &Model,
        (database, row): Row,
        name: &PeerName,
    ) -> Result<PeerName, String> {
        let known = model.peer_called(name);
        let seats = &self.watches[database.index()].rows[row].seats;
        let is_home = |it: PeerId| seats.iter().any(|id| self.slot(*id).home == Some(it));
        if let Some(peer) = known.filter(|it| is_home(*it)) {
            return Ok(model.peer(peer).name.clone());
        }
        let of_database = &model.database(database).name;
        let known = self.settings.archives.get(of_database);
        if known.into_iter().flatten().any(|it| it.peer == *name) {
            return Ok(name.clone());
        }
        Err(format!("no archive of {of_database} is known at {name}"))
    }

    /// Returns why a database cannot be brought up, if nothing but a person can change that.
    fn may_order_cold(&self, now: Timestamp, model: &Model, row: Row) -> Result<(), String> {
        let name = &model.database(row.0).name;
        let left: Vec<SlotId> = self.seats_left(model, row).collect();
        let Some(any) = left.first() else {
            return Err(format!(
                "no archive of {name} is left; `archives` of the database says where they are"
            ));
        };
        let vacancy = Vacancy::new(now, Evidence::Declared);
        let case = Case {
            now,
            model,
            slot: *any,
            vacancy: &vacancy,
            target: None,
            leaving: None,
        };
        // A host that is only just back is waited for.
        let away = self.unasked(&case, row).filter(|it| it.1.until.is_none());
        let away: BTreeSet<PeerName> = away.map(|it| it.0).collect();
        if !away.is_empty() {
            let away: Vec<&str> = away.iter().map(PeerName::as_str).collect();
            let lost = away.iter().map(|it| format!(" --accept-loss {it}"));
            return Err(format!(
                "what is in the archive on {} cannot be asked, and may be newer; bring it back, or \
                 give that up:{}",
                away.join(", "),
                lost.collect::<String>()
            ));
        }
        let first = match (self.newest_left(model, row.0, row.1), &left[..]) {
            (Some(first), _) => first,
            (None, [only]) => *only,
            (None, _) => {
                return Err(format!(
                    "which storage manager of {name} ran last is not known; give up all archives \
                     but one, with `--accept-loss`"
                ));
            }
        };
        if self.archive_of(model, first).is_none() {
            return Err(format!(
                "how {} is started is not known; `archives` of {name} says it",
                self.name_of(first)
            ));
        }
        if let Some(hold) = self.hold_on(model, first) {
            return Err(format!(
                "{} is held{}; `dbwarden release {}` ends that",
                self.name_of(first),
                said(hold),
                hold.extent
            ));
        }
        Ok(())
    }

    /// Returns what whoever ordered a cold start is told, once the supervisor has acted.
    pub(super) fn answer_cold(
        &self,
        now: Timestamp,
        model: &Model,
        database: DatabaseId,
    ) -> Answer {
        let name = &model.database(database).name;
        let patience = in_words(self.cold_patience(database));
        let (action, text) = match self.first_of_cold(model, database) {
            Some((_, Phase::Acting { action, .. })) => (
                Some(*action),
                format!("{name} is brought up: {}", self.start_name(model, *action)),
            ),
            Some((slot, _)) => {
                let (seat, gate) = (self.name_of(slot), self.gate_of(now, model, slot));
                let text = if gate == Obstacle::AskingArchives.as_str() {
                    format!(
                        "{name} is brought up as soon as its archives have said which of them is \
                         the newest"
                    )
                } else {
                    format!(
                        "{name} is brought up, beginning with {seat}, which waits for the gate \
                         {gate}, at most {patience}"
                    )
                };
                (None, text)
            }
            None => (
                None,
                format!("{name} is brought up as soon as every gate is open"),
            ),
        };
        Answer::Accepted {
            action,
            text: text.into(),
        }
    }

    /// Returns for how long a cold start may wait.
    fn cold_patience(&self, database: DatabaseId) -> Duration {
        let keeper = self.settings.doctrine.keeper();
        let policy = keeper.map_or(&self.unhealed, |it| self.policy_of(database, it));
        policy.waits.request_patience
    }

    /// Returns the seat that a cold start begins with, or began with.
    fn first_of_cold(&self, model: &Model, database: DatabaseId) -> Option<(SlotId, &Phase)> {
        let mut seats = self.watches[database.index()].seats();
        let is_begun = |it: &SlotId| {
            let slot = self.slot(*it);
            slot.rule.seat == SeatKind::Archive && matches!(slot.phase, Phase::Acting { .. })
        };
        let begun = seats.find(is_begun);
        let mut roles = self.settings.doctrine.roles.iter();
        let row = roles.position(|it| it.seat == SeatKind::Archive)?;
        let id = begun.or_else(|| self.newest_left(model, database, row))?;
        Some((id, &self.slot(id).phase))
    }

    fn gate_of(&self, now: Timestamp, model: &Model, slot: SlotId) -> &'static str {
        match self.decide(now, model, slot) {
            Decision::Blocked(blocked) => blocked.by.as_str(),
            Decision::Ask(query) => query.obstacle().as_str(),
            Decision::Hold(reason) => reason.as_str(),
            Decision::Start(_) => Obstacle::Mode.as_str(),
        }
    }

    /// The time of a cold start that a person ordered is over; if it has not begun, that is said.
    pub(in crate::supervisor) fn cold_order_over(
        &self,
        now: Moment,
        model: &Model,
        order: &OrderFact,
        effects: &mut Vec<Effect>,
    ) {
        let Extent::Database(name) = &order.extent else {
            return;
        };
        let Some(database) = model.database_named(name) else {
            return;
        };
        let is_begun = self
            .watches
            .get(database.index())
            .is_none_or(|it| it.cold.is_under_way);
        if is_begun || model.database(database).is_any_running() {
            return;
        }
        let slot = self.first_of_cold(model, database).map(|it| it.0);
        let gate = slot.map_or("database-down", |it| self.gate_of(now.at, model, it));
        let about = About {
            slot,
            database: Some(database),
            text: format!(
                "gate {gate}; the cold start that {} asked for is given up",
                order.by
            ),
            ..About::default()
        };
        self.raise(now, model, Kind::SlotBlocked, about, effects);
    }
}
