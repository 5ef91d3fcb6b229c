//! Deeds: each a short session of its own to the peer that must do it, from order to outcome.
//!
//! Whether a deed is wise is not asked here; only whether it is still valid when it leaves.

use std::sync::Arc;
use std::time::Duration;

use super::session::{Patience, Phase, Preparation, Purpose, Session};
use super::starts::Accepted;
use super::{DEEDS_MAX, Pilot, Verdict, flush, words};
use crate::exchange::{ActionId, Deed, Loss, LossClass, Outcome, Question, Start, Stop, Target};
use crate::model::{Address, StartId};
use crate::mutation::Mutant;
use crate::nuodb::message::Element;
use crate::time::Timestamp;

/// The smallest step of the timeline: a start is valid at `valid_until`, and not after it.
const INSTANT: Duration = Duration::from_micros(1);

impl Pilot {
    /// Begins a deed, goes on with it, or gives it up.
    pub(super) fn order(&mut self, now: Timestamp, deed: Deed) {
        match deed {
            Deed::Abandon { action } => self.abandon(action),
            Deed::Ask { action, question } => self.ask(now, action, question),
            Deed::Commit { action } => self.commit(now, action),
            Deed::Prepare {
                action,
                start,
                valid_until,
            } => self.prepare(now, action, start, valid_until),
            Deed::Refresh => self.want_refresh(now),
            Deed::Stop {
                action,
                target,
                pid,
                how,
            } => self.stop(now, action, target, pid, how),
        }
    }

    fn prepare(&mut self, now: Timestamp, action: ActionId, start: Start, valid_until: Timestamp) {
        let address = start.target.address.clone();
        if !self.admit(action, &address) {
            return;
        }
        if now > valid_until {
            return self.finish(action, Outcome::NotSent(expired(&address)));
        }
        let validity = valid_until.since(now) + INSTANT;
        let patience = Patience::fixed(now, self.settings.dial_timeout.min(validity));
        let preparation = Preparation {
            action,
            start,
            valid_until,
            phase: Phase::Preparing,
        };
        self.dial(address, Purpose::Start(Box::new(preparation)), patience);
    }

    /// Notes that a prepared session stands: from here on only `valid_until` limits it.
    pub(super) fn ready(&mut self, session: &mut Session) {
        if let Purpose::Start(preparation) = &mut session.purpose {
            preparation.phase = Phase::Ready;
            let valid = if self.settings.planted.has(Mutant::CommitLate) {
                self.settings.start_timeout
            } else {
                INSTANT
            };
            session.patience = Patience::fixed(preparation.valid_until, valid);
            let action = preparation.action;
            self.finish(action, Outcome::Ready);
        }
    }

    fn commit(&mut self, now: Timestamp, action: ActionId) {
        let Some(&connection) = self.errands.get(&action) else {
            return;
        };
        let Some(mut session) = self.sessions.remove(&connection) else {
            return;
        };
        let request = match &mut session.purpose {
            Purpose::Start(preparation) if preparation.phase == Phase::Ready => {
                let is_late = now > preparation.valid_until;
                if is_late && !self.settings.planted.has(Mutant::CommitLate) {
                    self.conclude(connection, &session);
                    let loss = expired(&session.address);
                    return self.finish(action, Outcome::NotSent(loss));
                }
                preparation.phase = Phase::Sent;
                Some(words::process_start(&preparation.start))
            }
            // Committed before it was ready, or twice: the first answer stands.
            Purpose::Ask { .. }
            | Purpose::Describe(_)
            | Purpose::Kill { .. }
            | Purpose::Look
            | Purpose::Monitor
            | Purpose::Probe
            | Purpose::Refresh
            | Purpose::Start(_) => None,
        };
        if let Some(request) = request {
            self.starts.sent();
            session.patience = Patience::fixed(now, self.settings.start_timeout);
            session.send_request(request);
            flush(connection, &mut session, &mut self.commands);
        }
        self.sessions.insert(connection, session);
    }

    /// Gives up a start that was not committed. A request that left cannot be called back.
    fn abandon(&mut self, action: ActionId) {
        let Some(&connection) = self.errands.get(&action) else {
            return;
        };
        let is_uncommitted = self
            .sessions
            .get(&connection)
            .is_some_and(|it| matches!(it.purpose, Purpose::Start(_)) && !it.is_asked());
        if is_uncommitted {
            self.drop_connection(connection);
        }
    }

    fn stop(&mut self, now: Timestamp, action: ActionId, target: Target, pid: u32, how: Stop) {
        if !self.admit(action, &target.address) {
            return;
        }
        match how {
            Stop::Graceful => {
                let outcome = if self.send_to_entry(&words::shutdown(&target.agent_id, pid)) {
                    Outcome::Stopped { exit_code: None }
                } else {
                    Outcome::NotSent(no_session(target.address))
                };
                self.finish(action, outcome);
            }
            Stop::Kill => {
                let patience = Patience::fixed(now, self.settings.dial_timeout);
                self.dial(target.address, Purpose::Kill { action, pid }, patience);
            }
        }
    }

    fn ask(&mut self, now: Timestamp, action: ActionId, question: Question) {
        let address = match &question {
            Question::History { target, .. } | Question::Identity(target) => {
                Some(target.address.clone())
            }
            Question::DeleteTags(..)
            | Question::Quiesce(_)
            | Question::SetTags(..)
            | Question::Tags(_)
            | Question::Unquiesce(_) => self.entry().cloned(),
        };
        if let Some(address) = address {
            if self.admit(action, &address) {
                let patience = Patience::fixed(now, self.settings.dial_timeout);
                self.dial(address, Purpose::Ask { action, question }, patience);
            }
            return;
        }
        let next = self.brokers.next().map(|(_, address)| address);
        let address = next.unwrap_or_else(|| Address::new("", words::AGENT_PORT));
        if self.admit(action, &address) {
            self.finish(action, Outcome::NotSent(no_session(address)));
        }
    }

    /// Returns whether a new deed may begin. One whose action is under way already is left alone:
    /// that action has its own outcome to come.
    fn admit(&mut self, action: ActionId, address: &Address) -> bool {
        if self.errands.contains_key(&action) || self.starts.contains(action) {
            return false;
        }
        if self.errands.len() + self.starts.len() < DEEDS_MAX {
            return true;
        }
        let loss = Loss {
            address: address.clone(),
            class: LossClass::Connection,
            reason: format!("{address}: {DEEDS_MAX} other deeds are under way").into(),
        };
        self.finish(action, Outcome::NotSent(loss));
        false
    }

    /// Takes in the answer to a request.
    pub(super) fn answered(
        &mut self,
        now: Timestamp,
        session: &Session,
        answer: &Element,
    ) -> Verdict {
        if !session.is_asked() {
            let text = format!("peer sent `{}` and was not asked anything", answer.name);
            return Verdict::Fail(session.loss(LossClass::Protocol, &text));
        }
        match &session.purpose {
            Purpose::Ask { action, question } => {
                let pairs = match question {
                    Question::History { .. } => words::history(answer),
                    Question::Tags(_) => words::tags(answer),
                    Question::DeleteTags(..)
                    | Question::Identity(_)
                    | Question::Quiesce(_)
                    | Question::SetTags(..)
                    | Question::Unquiesce(_) => Vec::new(),
                };
                self.finish(*action, Outcome::Answered(pairs));
            }
            Purpose::Describe(database) => self.described(now, database.as_ref(), answer),
            Purpose::Kill { action, .. } => {
                let exit_code = answer.attribute("ExitCode").and_then(|it| it.parse().ok());
                self.finish(*action, Outcome::Stopped { exit_code });
            }
            Purpose::Monitor => {
                // A request sent on the session that watches has no answer but this.
                if let Some(text) = answer.error_text() {
                    self.warn(&format!("the broker objects: {text}"));
                }
                return Verdict::Keep;
            }
            Purpose::Look | Purpose::Refresh => return Verdict::Keep,
            Purpose::Probe => self.answered_probe(),
            Purpose::Start(preparation) => {
                let start_id = answer.attribute("StartId").filter(|it| !it.is_empty());
                self.accepted(session, preparation, start_id.map(StartId::from));
            }
        }
        Verdict::Done
    }

    fn accepted(&mut self, session: &Session, start: &Preparation, start_id: Option<StartId>) {
        self.finish(start.action, Outcome::Started(start_id.clone()));
        let told = self.starts.accept(Accepted {
            action: start.action,
            agent_id: start.start.target.agent_id.clone(),
            address: session.address.clone(),
            database: start.start.database.clone(),
            role: start.start.role,
            start_id,
            deadline: session.patience.until.unwrap_or_default(),
        });
        self.starts.replied();
        if let Some(outcome) = told {
            self.finish(start.action, outcome);
        }
    }

    /// Takes in a refusal; returns whether it settles what the session was for.
    pub(super) fn refused(&mut self, now: Timestamp, session: &Session, text: &str) -> bool {
        match &session.purpose {
            Purpose::Monitor | Purpose::Refresh => return false,
            // Who refuses is alive.
            Purpose::Look | Purpose::Probe => self.answered_probe(),
            Purpose::Describe(database) => self.undescribed(now, database.as_ref()),
            Purpose::Ask { action, .. } | Purpose::Kill { action, .. } => {
                self.finish(*action, Outcome::Refused(Arc::from(text)));
            }
            Purpose::Start(preparation) => {
                self.starts.replied();
                self.finish(preparation.action, Outcome::Refused(Arc::from(text)));
            }
        }
        true
    }

    /// Draws the consequences for an action whose session ended without an answer.
    pub(super) fn end_errand(&mut self, session: &Session, loss: Loss) {
        let Some(action) = session.purpose.action() else {
            return;
        };
        let outcome = if session.is_asked() {
            if let Purpose::Start(_) = &session.purpose {
                self.starts.replied();
            }
            Outcome::Unanswered(loss)
        } else {
            Outcome::NotSent(loss)
        };
        self.finish(action, outcome);
    }

    pub(super) fn expire_starts(&mut self, now: Timestamp) {
        while let Some(start) = self.starts.take_overdue(now) {
            let reason = format!(
                "{}: the start was accepted, and for {:?} nothing was heard of it",
                start.address, self.settings.start_timeout
            );
            let loss = Loss {
                address: start.address,
                class: LossClass::Connection,
                reason: reason.into(),
            };
            self.finish(start.action, Outcome::Unanswered(loss));
        }
    }
}

/// Returns the loss of a start that was not committed in time.
pub(super) fn expired(address: &Address) -> Loss {
    let reason = format!("{address}: the start expired before its request could leave");
    Loss {
        address: address.clone(),
        class: LossClass::Connection,
        reason: reason.into(),
    }
}

fn no_session(address: Address) -> Loss {
    let reason = format!("{address}: there is no session to the domain");
    Loss {
        address,
        class: LossClass::Connection,
        reason: reason.into(),
    }
}
