//! What somebody asks to be started: it takes a seat that is missed, or is told why not.
//!
//! A request adds nothing to what is missing and opens no gate: a seat that was lost is filled
//! once, however many ask for it, by the evidence, the pace and the gates of the healer's own
//! starts.

mod cold;
mod people;
mod start;
mod target;
mod wanted;

use std::sync::Arc;
use std::time::Duration;

use super::decide::Decision;
use super::facts::WishFact;
use super::rule::Obstacle;
use super::state::{About, Phase, SlotId, Supervisor};
use super::tell::in_words;
use super::{Effect, Mode};
use crate::event::Kind;
use crate::exchange::{ActionId, Answer, Place, Request, RequestId, Wish};
use crate::model::{DatabaseId, DatabaseName, Model};
use crate::time::{Moment, Timestamp};

/// What becomes of a request, as far as that is known before the supervisor acts.
#[derive(Clone, Debug)]
pub struct Asked {
    request: RequestId,
    /// What comes of it, or why nothing does.
    what: Result<What, Arc<str>>,
}

/// What comes of a request.
#[derive(Clone, Debug)]
enum What {
    /// This database is brought up.
    Cold(DatabaseId),
    /// It is done, in these words.
    Done(Arc<str>),
    /// It is for this seat.
    Seat(Found),
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
        let Request {
            id,
            by,
            reason,
            wish,
        } = request;
        let what = match wish {
            Wish::Person { word, target } => {
                self.heed(now, model, (by, reason), (&word, &*target), effects)
            }
            Wish::StartTe { database, place } => {
                let found = self.ask_for(now, model, (by, reason), (&database, place), effects);
                found.map(What::Seat)
            }
        };
        Asked {
            request: id,
            what: what.map_err(Arc::from),
        }
    }

    fn ask_for(
        &mut self,
        now: Moment,
        model: &Model,
        (by, reason): (Arc<str>, Option<Arc<str>>),
        (database, place): (&DatabaseName, Place),
        effects: &mut Vec<Effect>,
    ) -> Result<Found, String> {
        let found = self.find_seat(model, database, &place);
        let patience = found
            .as_ref()
            .map_or(Duration::ZERO, |it| self.patience(it.slot));
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
            let why = reason
                .as_ref()
                .map_or_else(String::new, |it| format!(": {it}"));
            let text = format!("{by} asks for an engine{where_to}{why}");
            let until = now.at + patience;
            vacancy.wish = Some(WishFact {
                by,
                reason,
                place,
                until,
            });
            vacancy.told.blocked = false;
            let about = About {
                slot: Some(slot),
                text,
                ..About::default()
            };
            self.raise(now, model, Kind::OperatorCommand, about, effects);
        }
        found
    }

    /// Returns what whoever asked is told, once the supervisor has acted.
    pub fn answer(&self, now: Timestamp, model: &Model, asked: &Asked) -> Effect {
        let answer = match &asked.what {
            Err(reason) => Answer::Refused {
                reason: reason.clone(),
            },
            Ok(What::Cold(database)) => self.answer_cold(now, model, *database),
            Ok(What::Done(text)) => Answer::Accepted {
                action: None,
                text: text.clone(),
            },
            Ok(What::Seat(found)) => self.answer_about(now, model, *found),
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
                    Decision::Blocked(blocked) => blocked.by.as_str(),
                    Decision::Ask(query) => query.obstacle().as_str(),
                    Decision::Hold(_) => Obstacle::DatabaseDown.as_str(),
                    Decision::Start(_) => "suggest",
                };
                let patience = in_words(self.patience(slot));
                let text = format!(
                    "{name} was asked for{joined} and waits for the gate {gate}, at most {patience}"
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

    /// Returns for how long what is asked for a seat may wait.
    fn patience(&self, slot: SlotId) -> Duration {
        self.policy(slot).waits.request_patience
    }

    fn name_of(&self, slot: SlotId) -> String {
        self.slot(slot).name()
    }

    /// Returns what is being started where, by which action.
    fn start_name(&self, model: &Model, action: ActionId) -> String {
        self.actions.get(&action).map_or_else(String::new, |it| {
            let (slot, peer) = (self.name_of(it.slot), &model.peer(it.target).name);
            format!("{slot} on {peer} (action {action})")
        })
    }
}
