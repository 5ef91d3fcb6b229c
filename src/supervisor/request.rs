//! What somebody asks to be started: it takes a seat that is missed, or is told why not.
//!
//! A request adds nothing to what is missing and opens no gate: a seat that was lost is filled
//! once, however many ask for it, by the evidence, the pace and the gates of the healer's own
//! starts.

use std::sync::Arc;

use super::decide::Decision;
use super::evidence::Verdict;
use super::facts::WishFact;
use super::state::{About, Phase, SlotId, Supervisor, Vacancy};
use super::{Effect, Mode};
use crate::event::Kind;
use crate::exchange::{ActionId, Answer, Place, Request, RequestId, Wish};
use crate::model::{DatabaseId, DatabaseName, Model};
use crate::policy::Candidate;
use crate::time::{Moment, Timestamp};

/// What becomes of a request, as far as that is known before the supervisor acts.
#[derive(Clone, Debug)]
pub struct Asked {
    request: RequestId,
    /// The seat it is for, or why it is for none.
    seat: Result<Found, Arc<str>>,
}

/// A seat that a request may have.
#[derive(Clone, Copy, Debug)]
struct Found {
    slot: SlotId,
    /// Whether somebody else was first, and wants the same.
    is_joined: bool,
}

impl Supervisor {
    /// Takes in what somebody asks for. `act` and [`answer`](Self::answer) must follow.
    pub fn request(
        &mut self,
        now: Moment,
        model: &Model,
        request: Request,
        effects: &mut Vec<Effect>,
    ) -> Asked {
        let Request { id, by, wish } = request;
        let Wish::StartTe { database, place } = wish;
        let found = self.find_seat(model, &database, &place);
        if let Ok(Found {
            slot,
            is_joined: false,
        }) = found
            && let Some(vacancy) = self.slot_mut(slot).vacancy_mut()
        {
            let where_to = match &place {
                Place::Anywhere => String::new(),
                Place::Elsewhere => " elsewhere".to_owned(),
                Place::On(peer) => format!(" on {peer}"),
            };
            let text = format!("{by} asks for an engine{where_to}");
            let until = now.at + WishFact::PATIENCE;
            vacancy.wish = Some(WishFact { by, place, until });
            vacancy.told.blocked = false;
            let about = About {
                slot: Some(slot),
                text,
                ..About::default()
            };
            self.raise(now, model, Kind::OperatorCommand, about, effects);
        }
        Asked {
            request: id,
            seat: found.map_err(Arc::from),
        }
    }

    /// Returns what whoever asked is told, once the supervisor has acted.
    pub fn answer(&self, now: Timestamp, model: &Model, asked: &Asked) -> Effect {
        let answer = match &asked.seat {
            Err(reason) => Answer::Refused {
                reason: reason.clone(),
            },
            Ok(found) => self.answer_about(now, model, *found),
        };
        Effect::Answer {
            request: asked.request,
            answer,
        }
    }

    fn answer_about(&self, now: Timestamp, model: &Model, found: Found) -> Answer {
        let Found { slot, is_joined } = found;
        let (name, joined) = (self.name_of(slot), if is_joined { " already" } else { "" });
        match &self.slot(slot).phase {
            Phase::Acting { action, .. } => Answer::Accepted {
                action: Some(*action),
                text: format!(
                    "{} is being started{joined}",
                    self.start_name(model, *action)
                )
                .into(),
            },
            Phase::Vacant(vacancy) if vacancy.wish.is_some() => {
                let gate = match self.decide(now, model, slot) {
                    Decision::Blocked(blocked) => blocked.gate,
                    Decision::Ask(_) => "asking-agent",
                    Decision::Hold(_) => "database-down",
                    Decision::Start { .. } => "suggest",
                };
                let minutes = WishFact::PATIENCE.as_secs() / 60;
                let text = format!(
                    "{name} was asked for{joined} and waits for the gate {gate}, at most {minutes} \
                     minutes"
                );
                let action = None;
                Answer::Accepted {
                    action,
                    text: text.into(),
                }
            }
            Phase::Empty
            | Phase::Filled(_)
            | Phase::Held { .. }
            | Phase::Leaving { .. }
            | Phase::Vacant(_) => Answer::Refused {
                reason: format!("{name} is not missed any more").into(),
            },
        }
    }

    /// Returns the seat that a request is for, or why it is for none.
    fn find_seat(
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
            if super::decide::has_engine(model, id, database) {
                return Err(format!(
                    "{peer} has a transaction engine of {name}; ask for another peer"
                ));
            }
        }
        self.find_vacancy(model, database, name, place)
    }

    /// Returns why nothing can be asked for, whatever is missing.
    fn may_ask(&self) -> Result<(), String> {
        let reason = if self.gates.journal_failed {
            "the journal cannot be written, so nothing that is done would be remembered".to_owned()
        } else if self.gates.memory_lost {
            "memory was lost; `dbwarden resume --accept-lost-memory` accepts that".to_owned()
        } else if self.settings.mode != Mode::Heal {
            "the daemon does not run in the mode `heal`; `dbwarden domain start-te` starts one \
             without it"
                .to_owned()
        } else {
            return Ok(());
        };
        Err(reason)
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
            watch.into_iter().flat_map(|it| it.seats.iter().copied())
        };
        let is_free = |it: &SlotId| match &self.slot(*it).phase {
            Phase::Vacant(vacancy) => vacancy.wish.is_none() && self.is_minded(*it),
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
                    "{name} is held: {}; `dbwarden domain start-te {database}` starts one, and \
                     that ends the hold",
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

    fn name_of(&self, slot: SlotId) -> String {
        format!("te/{}", self.slot(slot).ordinal + 1)
    }

    /// Returns what is being started where, by which action.
    fn start_name(&self, model: &Model, action: ActionId) -> String {
        self.actions.get(&action).map_or_else(String::new, |it| {
            let (slot, peer) = (self.name_of(it.slot), &model.peer(it.target).name);
            format!("{slot} on {peer} (action {action})")
        })
    }

    /// Gives up what somebody asked for and could not be had in time.
    pub(super) fn mind_wish(
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
            Decision::Blocked(blocked) => blocked.gate,
            Decision::Ask(_) | Decision::Hold(_) | Decision::Start { .. } => "pace",
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

    /// Decides where, as somebody wishes; `None` leaves it to the policy.
    pub(super) fn decide_as_asked(
        &self,
        now: Timestamp,
        model: &Model,
        id: SlotId,
        vacancy: &Vacancy,
        all: &[Candidate],
    ) -> Option<Decision> {
        let here = vacancy.evidence.here();
        let place = &vacancy.wish.as_ref()?.place;
        let is_asked = |it: &&Candidate| match place {
            Place::Anywhere => false,
            Place::Elsewhere => Some(it.peer) != here,
            Place::On(name) => it.name == *name,
        };
        if *place == Place::Anywhere {
            return None;
        }
        let there: Vec<Candidate> = all.iter().filter(is_asked).cloned().collect();
        let decision = match there.first() {
            Some(it) if Some(it.peer) == here => {
                match self.may_stay_here(now, model, id, vacancy) {
                    Verdict::Allowed => self.chosen(id, vacancy, it, "here"),
                    Verdict::Blocked(blocked) => Decision::Blocked(blocked),
                    Verdict::Ask | Verdict::Hold(_) => return None,
                }
            }
            _ => self.decide_elsewhere(now, model, id, vacancy, &there),
        };
        Some(decision)
    }
}
