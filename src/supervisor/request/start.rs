//! Which seat a start that somebody asks for is for, where it may be, and when it is given up.

use super::Found;
use crate::event::Kind;
use crate::exchange::Place;
use crate::model::{DatabaseId, DatabaseName, Model, Role};
use crate::policy::Candidate;
use crate::supervisor::Effect;
use crate::supervisor::decide::Decision;
use crate::supervisor::orders::said;
use crate::supervisor::place::{Choice, crowd};
use crate::supervisor::rule::{Case, Objection, Obstacle, Rule};
use crate::supervisor::state::{About, Phase, SlotId, Supervisor};
use crate::time::Moment;

impl Supervisor {
    /// Returns the seat that a request is for, or why it is for none.
    pub(super) fn find_seat(
        &self,
        model: &Model,
        name: &DatabaseName,
        place: &Place,
    ) -> Result<Found, String> {
        self.may_ask()?;
        let Some(database) = model.database_named(name) else {
            let domain = &self.settings.domain;
            return Err(format!(
                "no process of a database `{name}` was ever seen in the domain {domain}; \
                 `dbwarden status` shows those that were"
            ));
        };
        if !self.settings.te_options.contains_key(name) {
            return Err(format!(
                "te-options of {name} are not configured ([] would do)"
            ));
        }
        if let Place::On(peer) = place {
            let Some((id, _)) = model.peers().find(|(_, it)| it.name == *peer) else {
                return Err(format!(
                    "no peer `{peer}` was ever seen; `dbwarden status` shows those that were"
                ));
            };
            if crowd(model, id, database, Role::Te).1 > 0 {
                return Err(format!(
                    "{peer} has a transaction engine of {name}; ask for another peer"
                ));
            }
        }
        self.find_vacancy(model, database, name, place)
    }

    fn find_vacancy(
        &self,
        model: &Model,
        database: DatabaseId,
        name: &DatabaseName,
        place: &Place,
    ) -> Result<Found, String> {
        let seats = || {
            let watch = self.watches.get(database.index());
            let rows = watch.into_iter().flat_map(|it| &it.rows);
            let rows = rows.filter(|it| it.rule.role == Role::Te);
            rows.flat_map(|it| it.seats.iter().copied())
        };
        let is_free = |it: &SlotId| match &self.slot(*it).phase {
            Phase::Vacant(vacancy) => {
                let is_free = vacancy.wish.is_none() && self.is_minded(*it);
                let suits = self.suits_place(model, *it, place);
                is_free && suits && self.hold_on(model, *it).is_none()
            }
            Phase::Acting { .. }
            | Phase::Empty
            | Phase::Filled(_)
            | Phase::Held { .. }
            | Phase::Leaving { .. } => false,
        };
        // Whoever may be alive out of reach is replaced last.
        let free = seats().filter(is_free);
        if let Some(slot) = free.min_by_key(|it| (!self.is_deserted(*it), *it)) {
            let is_joined = false;
            return Ok(Found { slot, is_joined });
        }
        let agrees = |it: &SlotId| self.agrees(model, *it, place);
        if let Some(slot) = seats().find(agrees) {
            let is_joined = true;
            return Ok(Found { slot, is_joined });
        }
        let reasons = seats().filter_map(|it| self.no_vacancy(model, it, name));
        Err(reasons.min().map_or_else(
            || {
                format!(
                    "no transaction engine of {name} is missing; `dbwarden domain start-te {name}` \
                     starts one more"
                )
            },
            |(_, reason)| reason,
        ))
    }

    /// Returns whether what is under way for a seat is what somebody else asks for.
    fn agrees(&self, model: &Model, slot: SlotId, place: &Place) -> bool {
        match &self.slot(slot).phase {
            Phase::Acting { action, vacancy } => {
                let Some(it) = self.actions.get(action) else {
                    return false;
                };
                match place {
                    Place::Anywhere => true,
                    Place::Elsewhere => Some(it.target) != vacancy.evidence.here(),
                    Place::On(name) => model.peer(it.target).name == *name,
                }
            }
            Phase::Vacant(vacancy) => {
                let wish = vacancy.wish.as_ref();
                wish.is_some_and(|it| *place == Place::Anywhere || it.place == *place)
            }
            Phase::Empty | Phase::Filled(_) | Phase::Held { .. } | Phase::Leaving { .. } => false,
        }
    }

    /// Returns why a seat that may be missed is not for the one who asks, the best reason first.
    fn no_vacancy(
        &self,
        model: &Model,
        slot: SlotId,
        database: &DatabaseName,
    ) -> Option<(u8, String)> {
        let name = self.name_of(slot);
        match &self.slot(slot).phase {
            Phase::Acting { action, .. } => {
                let start = self.start_name(model, *action);
                Some((0, format!("{start} is being started already")))
            }
            Phase::Vacant(_) if self.hold_on(model, slot).is_some() => {
                let by = self.hold_on(model, slot).map(said).unwrap_or_default();
                let text = format!("{name} is held{by}; `dbwarden release {database}` ends that");
                Some((2, text))
            }
            Phase::Vacant(vacancy) => {
                let by = vacancy.wish.as_ref().map(|it| &it.by)?;
                Some((
                    1,
                    format!("{by} asked for {name} already, at another place"),
                ))
            }
            Phase::Held { reason, .. } => Some((
                2,
                format!(
                    "{name} is held: {}; `dbwarden release {database}` ends that",
                    reason.as_str()
                ),
            )),
            Phase::Leaving { .. } => Some((
                3,
                format!("{name} left as somebody wished, and is not missed so far"),
            )),
            Phase::Empty if self.is_wanted(slot) => {
                Some((4, format!("whether {name} is missing is not known yet")))
            }
            Phase::Empty | Phase::Filled(_) => None,
        }
    }

    /// Gives up what somebody asked for and could not be had in time.
    pub(in crate::supervisor) fn mind_wish(
        &mut self,
        now: Moment,
        model: &Model,
        id: SlotId,
        effects: &mut Vec<Effect>,
    ) {
        let wish = self.slot(id).vacancy().and_then(|it| it.wish.as_ref());
        let Some(by) = wish.filter(|it| it.until <= now.at).map(|it| it.by.clone()) else {
            return;
        };
        let gate = match self.decide(now.at, model, id) {
            Decision::Blocked(blocked) => blocked.by.as_str(),
            Decision::Ask(_) | Decision::Hold(_) | Decision::Start(_) => Obstacle::Pace.as_str(),
        };
        if let Some(vacancy) = self.slot_mut(id).vacancy_mut() {
            vacancy.wish = None;
        }
        let about = About {
            slot: Some(id),
            text: format!("gate {gate}; what {by} asked for is given up"),
            ..About::default()
        };
        self.raise(now, model, Kind::SlotBlocked, about, effects);
    }

    /// Finds a place as somebody wishes; `None` leaves it to the policy.
    pub(in crate::supervisor) fn find_place_as_asked(
        &self,
        case: &Case<'_>,
        all: &[Candidate],
    ) -> Option<Result<Choice, Objection>> {
        let here = self.here(case);
        let place = &case.vacancy.wish.as_ref()?.place;
        let is_asked = |it: &&Candidate| match place {
            Place::Anywhere => false,
            Place::Elsewhere => Some(it.peer) != here,
            Place::On(name) => it.name == *name,
        };
        if *place == Place::Anywhere {
            return None;
        }
        let there: Vec<Candidate> = all.iter().filter(is_asked).cloned().collect();
        let place = match there.first() {
            Some(it) if Some(it.peer) == here => {
                let stay = self.may_stay_here(case);
                let stay = stay.map(|()| self.choice(case, it, "here"));
                stay.map_err(|hindrance| Objection {
                    rule: Rule::Evidence,
                    hindrance,
                })
            }
            _ => self.find_place_elsewhere(case, &there),
        };
        Some(place)
    }
}
