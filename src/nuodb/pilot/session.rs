//! One connection of the pilot's: what it is for, how far it got, and when its patience ends.
//!
//! It carries the protocol's client and knows what its failures mean; what follows from them is
//! the pilot's business.

use std::time::Duration;

use super::errands::expired;
use super::{Failure, sentence, words};
use crate::exchange::{ActionId, Loss, LossClass, Question, Start};
use crate::model::{Address, DatabaseName};
use crate::nuodb::client::{Client, ClientError, ClientEvent, ErrorClass, Settings};
use crate::nuodb::message::{Element, Request};
use crate::time::Timestamp;

/// What a connection is for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// To ask something that starts and stops nothing.
    Ask {
        action: ActionId,
        question: Question,
    },
    /// To be told which databases the domain manages itself, or how it stands with one of them.
    Describe(Option<DatabaseName>),
    /// To end a process.
    Kill { action: ActionId, pid: u32 },
    /// To see whether the session still tells of all that happens.
    Look,
    /// To be told of the domain.
    Monitor,
    /// To see whether the entry peer lives.
    Probe,
    /// To see the whole domain once more.
    Refresh,
    /// To start a process.
    Start(Box<Preparation>),
}

/// A start on its way to the peer.
#[derive(Debug)]
pub(super) struct Preparation {
    pub(super) action: ActionId,
    pub(super) start: Start,
    pub(super) valid_until: Timestamp,
    pub(super) phase: Phase,
}

/// How far a start is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// The session is not authorised yet.
    Preparing,
    /// The session stands and the request waits for `Commit`.
    Ready,
    /// The request left.
    Sent,
}

impl Purpose {
    /// Returns the action it serves, if any.
    pub(super) fn action(&self) -> Option<ActionId> {
        match self {
            Self::Ask { action, .. } | Self::Kill { action, .. } => Some(*action),
            Self::Start(preparation) => Some(preparation.action),
            Self::Describe(_) | Self::Look | Self::Monitor | Self::Probe | Self::Refresh => None,
        }
    }

    /// Returns what is asked as soon as the session is authorised; a start waits for `Commit`.
    fn request(&self) -> Option<Request> {
        match self {
            Self::Ask { question, .. } => Some(words::question(question)),
            Self::Describe(None) => Some(words::list_descriptions()),
            Self::Describe(Some(name)) => Some(words::show_description(name)),
            Self::Kill { pid, .. } => Some(words::process_stop(*pid)),
            Self::Look | Self::Monitor | Self::Refresh => Some(words::monitor()),
            Self::Probe => Some(words::identity()),
            Self::Start(_) => None,
        }
    }

    /// Returns whether it asks something anybody may ask.
    fn is_open_to_all(&self) -> bool {
        matches!(
            self,
            Self::Probe
                | Self::Ask {
                    question: Question::Identity(_),
                    ..
                }
        )
    }

    /// Returns the service that the session is authorised for.
    fn service(&self) -> &'static str {
        match self {
            Self::Ask { question, .. } => match question {
                Question::DeleteTags(..) | Question::SetTags(..) | Question::Tags(_) => "Tag",
                Question::History { .. } => "ProcessStart",
                Question::Identity(_) => "Identity",
                Question::Quiesce(_) | Question::Unquiesce(_) => "ChorusManagement",
            },
            Self::Describe(_) => words::DESCRIPTION,
            Self::Kill { .. } => "ProcessStop",
            Self::Look | Self::Monitor | Self::Refresh => "Monitor",
            Self::Probe => "Identity",
            Self::Start(_) => "ProcessStart",
        }
    }
}

/// How long a session waits, and for what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// When it ends; never, if `None`.
    pub(super) until: Option<Timestamp>,
    /// How long it was, to say so.
    pub(super) length: Duration,
    /// How far arriving bytes may put off the end.
    pub(super) extensible_to: Timestamp,
}

impl Patience {
    /// Ends after `length`, whatever arrives.
    pub(super) fn fixed(now: Timestamp, length: Duration) -> Self {
        Self {
            until: Some(now + length),
            length,
            extensible_to: Timestamp::ZERO,
        }
    }

    /// Ends when nothing arrived for `length`, or after six times that.
    pub(super) fn while_bytes_arrive(now: Timestamp, length: Duration) -> Self {
        Self {
            until: Some(now + length),
            length,
            extensible_to: now + length.saturating_mul(6),
        }
    }

    /// Never ends.
    pub(super) const fn endless() -> Self {
        Self {
            until: None,
            length: Duration::ZERO,
            extensible_to: Timestamp::ZERO,
        }
    }

    fn extend(&mut self, now: Timestamp) {
        if let Some(until) = self.until {
            self.until = Some(until.max((now + self.length).min(self.extensible_to)));
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Session {
    /// Who is dialled.
    pub(super) address: Address,
    /// What it is for.
    pub(super) purpose: Purpose,
    /// When it is given up.
    pub(super) patience: Patience,
    /// `None` until the connection stands.
    client: Option<Box<Client>>,
    has_heard: bool,
    /// Whether the peer let us in, also once the client has ended over what it said then.
    was_authorised: bool,
}

impl Session {
    /// Returns a session whose connection is being dialled.
    pub(super) fn new(address: Address, purpose: Purpose, patience: Patience) -> Self {
        Self {
            address,
            purpose,
            patience,
            client: None,
            has_heard: false,
            was_authorised: false,
        }
    }

    /// Begins to talk on a connection that stands now.
    pub(super) fn open(&mut self, settings: &Settings, entropy: [u8; 32]) {
        let client = match self.purpose.request() {
            Some(request) if self.purpose.is_open_to_all() => {
                Client::without_authorisation(settings, request)
            }
            Some(request) => {
                let mut client = Client::new(settings, self.purpose.service(), entropy);
                client.send_request(request);
                client
            }
            None => Client::new(settings, self.purpose.service(), entropy),
        };
        self.client = Some(Box::new(client));
    }

    /// Takes in bytes. What they amount to is then had from [`poll_event`](Self::poll_event),
    /// after an error too.
    pub(super) fn handle_bytes(&mut self, now: Timestamp, bytes: &[u8]) -> Result<(), ClientError> {
        self.has_heard = true;
        self.patience.extend(now);
        match &mut self.client {
            Some(client) => {
                self.was_authorised |= client.is_authorised();
                client.handle_bytes(bytes)
            }
            None => Ok(()),
        }
    }

    /// Sends the request that was held back so far.
    pub(super) fn send_request(&mut self, request: Request) {
        if let Some(client) = &mut self.client {
            client.send_request(request);
        }
    }

    /// Sends a further document.
    pub(super) fn send(&mut self, document: &Element) {
        if let Some(client) = &mut self.client {
            client.send(document);
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<ClientEvent> {
        self.client.as_mut()?.poll_event()
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.client.as_mut()?.poll_transmit()
    }

    /// Returns whether the request may have reached the peer.
    pub(super) fn is_asked(&self) -> bool {
        let Some(client) = &self.client else {
            return false;
        };
        match &self.purpose {
            Purpose::Start(preparation) => preparation.phase == Phase::Sent,
            Purpose::Ask { .. }
            | Purpose::Describe(_)
            | Purpose::Kill { .. }
            | Purpose::Look
            | Purpose::Monitor
            | Purpose::Probe
            | Purpose::Refresh => {
                self.purpose.is_open_to_all() || self.was_authorised || client.is_authorised()
            }
        }
    }

    /// Returns the loss that `error` means here.
    pub(super) fn broken(&self, error: &ClientError) -> Loss {
        let class = match error.class() {
            ErrorClass::Connection => LossClass::Connection,
            ErrorClass::Denied => LossClass::Denied,
            ErrorClass::Protocol => LossClass::Protocol,
        };
        self.loss(class, &sentence(error))
    }

    /// Returns the loss that the end of the connection means here.
    pub(super) fn closed(&mut self, failure: Option<Failure>) -> Loss {
        if let Some(Failure { class, text }) = failure {
            return Loss {
                address: self.address.clone(),
                class,
                reason: text.into(),
            };
        }
        match self.client.as_mut().map(|it| it.handle_close()) {
            Some(Err(error)) => self.broken(&error),
            Some(Ok(())) | None => self.loss(LossClass::Connection, "peer closed the session"),
        }
    }

    /// Returns the loss that the end of our patience means here.
    pub(super) fn overdue(&self) -> Loss {
        if let Purpose::Start(preparation) = &self.purpose
            && preparation.phase == Phase::Ready
        {
            return expired(&self.address);
        }
        let length = self.patience.length;
        let text = match &self.client {
            None => format!("peer did not accept the connection within {length:?}"),
            Some(_) if !self.has_heard => {
                format!("peer was silent during the handshake, for {length:?}")
            }
            Some(client) if !client.is_authorised() && !self.purpose.is_open_to_all() => {
                format!("peer did not finish the handshake within {length:?}")
            }
            Some(_) => format!("peer did not answer within {length:?}"),
        };
        self.loss(LossClass::Connection, &text)
    }

    /// Returns a loss of this session, the address said first.
    pub(super) fn loss(&self, class: LossClass, text: &str) -> Loss {
        Loss {
            address: self.address.clone(),
            class,
            reason: format!("{}: {text}", self.address).into(),
        }
    }
}
