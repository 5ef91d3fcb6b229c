//! The conversation with a whole domain: which broker, back-off, failover, probes, sessions to
//! the agents of peers, and which start id is whose. Observations come out, deeds go in.
//!
//! It opens no socket and reads no clock: connections are asked for by [`Command::Dial`], named
//! by a number, and reported on by [`Input`]. It does not know what is healed, or why.

mod brokers;
mod descriptions;
mod errands;
mod hearing;
mod link;
mod overlay;
mod session;
mod starts;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::fmt;
use std::time::Duration;

pub use overlay::apply;
pub use words::status;

use self::brokers::{Brokers, Miss, Pace};
use self::descriptions::Descriptions;
use self::link::{Link, Refresh};
use self::session::{Patience, Purpose, Session};
use self::starts::Starts;
use crate::exchange::{ActionId, Deed, Loss, LossClass, Observation, Outcome};
use crate::model::Address;
use crate::mutation::Planted;
use crate::nuodb::client::{self, ClientError, ClientEvent};
use crate::time::Timestamp;

/// Which broker is tried next. It is always another one than before, if another is there.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Strategy {
    /// In the order given: the first that is not being left alone after a failure.
    #[default]
    Fallback,
    /// Any, as chance has it, and of the configured ones first.
    Random,
    /// The one after the last.
    RoundRobin,
}

/// How a pilot behaves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PilotSettings {
    /// The brokers to try; those that were learned come after them.
    pub brokers: Vec<Address>,
    /// Brokers that the domain announced in an earlier run; more are learned as it tells of them.
    pub learned: Vec<Address>,
    /// Where peers are dialled that say such an address, or host name and port, of themselves.
    pub dials: BTreeMap<Address, Address>,
    /// Which of them is tried next.
    pub strategy: Strategy,
    /// What each session needs.
    pub client: client::Settings,
    /// The pause before the second try at a broker.
    pub reconnect_first: Duration,
    /// The longest pause between tries, and the pause after a refused password.
    pub reconnect_max: Duration,
    /// For dialling and handshake together.
    pub dial_timeout: Duration,
    /// For the answer to a request other than a start, and for the first bytes of a snapshot.
    pub answer_timeout: Duration,
    /// How long the entry peer may be silent before it is probed.
    pub probe_interval: Duration,
    /// So many unanswered probes in a row mean that the session is lost.
    pub probe_misses: u32,
    /// From the moment a start is asked for until its fate must be known.
    pub start_timeout: Duration,
    /// How long after its last answer a broker is asked again which databases the domain manages
    /// itself; `None` if nobody wants to know.
    pub descriptions: Option<Duration>,
    /// Makes the pauses of two daemons differ.
    pub seed: u64,
    /// A mistake on purpose, in simulations.
    pub planted: Planted,
}

impl PilotSettings {
    /// Returns the settings every domain begins with.
    pub fn new(brokers: Vec<Address>, client: client::Settings) -> Self {
        Self {
            brokers,
            learned: Vec::new(),
            dials: BTreeMap::new(),
            strategy: Strategy::default(),
            client,
            reconnect_first: Duration::from_millis(500),
            reconnect_max: Duration::from_secs(30),
            dial_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(10),
            probe_interval: Duration::from_secs(10),
            probe_misses: 3,
            start_timeout: Duration::from_secs(30),
            descriptions: None,
            seed: 0,
            planted: Planted::default(),
        }
    }
}

/// Names one connection, from its dialling to its end.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnectionId(u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Why a connection could not be had, or broke.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// What sort of failure it is.
    pub class: LossClass,
    /// The whole chain of causes; it says which peer it is about.
    pub text: String,
}

impl Failure {
    /// Returns the failure that `error` with all its causes is.
    pub fn new(class: LossClass, error: &dyn Error) -> Self {
        Self {
            class,
            text: sentence(error),
        }
    }
}

/// What happened outside.
#[derive(Debug)]
pub enum Input<'a> {
    /// Bytes arrived.
    Bytes {
        /// On which connection.
        connection: ConnectionId,
        /// The bytes, cut anywhere.
        bytes: &'a [u8],
    },
    /// A connection ended, or could not be had. Not told of those the pilot closed itself.
    Closed {
        /// Which.
        connection: ConnectionId,
        /// Why; `None` if the peer ended it in the ordinary way.
        failure: Option<Failure>,
    },
    /// The warden, or a person, wants something done.
    Deed(Deed),
    /// A connection that was dialled stands.
    Opened {
        /// Which.
        connection: ConnectionId,
        /// Fresh from the operating system; the session's key comes from it.
        entropy: [u8; 32],
    },
    /// The time of [`Pilot::next_timeout`] has come.
    Timeout,
}

/// What the caller must do, in this order.
#[derive(Debug, Eq, PartialEq)]
pub enum Command {
    /// End a connection, or stop dialling it; nothing more is to be told of it.
    Close {
        /// Which.
        connection: ConnectionId,
    },
    /// Open a connection.
    Dial {
        /// What to call it.
        connection: ConnectionId,
        /// To whom.
        address: Address,
        /// Until when at the latest.
        deadline: Timestamp,
    },
    /// Tell the outcome of an action.
    Finish {
        /// Which action.
        action: ActionId,
        /// What became of it.
        outcome: Outcome,
    },
    /// Write down how the search for a session goes, for whoever wants to know.
    Note {
        /// Whom it is about.
        address: Address,
        /// What there is to say.
        text: String,
    },
    /// Tell what was seen.
    Observe(Observation),
    /// Send bytes.
    Transmit {
        /// On which connection.
        connection: ConnectionId,
        /// All of them.
        bytes: Vec<u8>,
    },
    /// Tell an operator.
    Warn {
        /// Whom it is about.
        address: Address,
        /// What there is to say.
        text: String,
    },
}

/// How many deeds may be under way at once. Each may hold a connection; a warden has one open
/// start per peer, and a person one deed at a time.
const DEEDS_MAX: usize = 1_024;

/// Talks to a domain.
///
/// The caller feeds [`handle`](Self::handle) with whatever happened, and with [`Input::Timeout`]
/// at [`next_timeout`](Self::next_timeout), carries out what [`poll`](Self::poll) returns until
/// that is nothing, and begins again. A new pilot is due at once. Times must not decrease.
///
/// **Invariants:** every deed with an action has exactly one final outcome, `Abandon`ed ones
/// none. A start whose `Commit` comes after `valid_until` does not leave. It never gives up.
#[derive(Debug)]
pub struct Pilot {
    settings: PilotSettings,
    brokers: Brokers,
    link: Link,
    refresh: Refresh,
    descriptions: Descriptions,
    starts: Starts,
    sessions: BTreeMap<ConnectionId, Session>,
    /// The connection of each action that has one.
    errands: BTreeMap<ActionId, ConnectionId>,
    connections: u64,
    commands: VecDeque<Command>,
}

/// What becomes of a session after something was heard on it.
#[derive(Debug)]
enum Verdict {
    /// It has served its purpose.
    Done,
    /// It is of no use, and the pilot must be told.
    Fail(Loss),
    /// It goes on.
    Keep,
}

impl Pilot {
    /// Returns a pilot without a session; its first timeout is due at once.
    pub fn new(settings: PilotSettings) -> Self {
        let pace = Pace {
            first: settings.reconnect_first,
            max: settings.reconnect_max,
            seed: settings.seed,
        };
        Self {
            brokers: Brokers::new(
                &settings.brokers,
                &settings.learned,
                settings.strategy,
                pace,
            ),
            starts: Starts::new(settings.planted),
            settings,
            link: Link::Down,
            refresh: Refresh::Idle,
            descriptions: Descriptions::default(),
            sessions: BTreeMap::new(),
            errands: BTreeMap::new(),
            connections: 0,
            commands: VecDeque::new(),
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Timestamp, input: Input<'_>) {
        match input {
            Input::Bytes { connection, bytes } => self.read(now, connection, bytes),
            Input::Closed {
                connection,
                failure,
            } => self.closed(now, connection, failure),
            Input::Deed(deed) => self.order(now, deed),
            Input::Opened {
                connection,
                entropy,
            } => self.opened(connection, entropy),
            Input::Timeout => self.expire(now),
        }
    }

    /// Returns when [`Input::Timeout`] is next due.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let sessions = self
            .sessions
            .values()
            .filter_map(|it| it.patience.until)
            .min();
        [
            sessions,
            self.starts.next_timeout(),
            self.link_timeout(),
            self.refresh.due(),
            self.descriptions.due(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Returns the next thing to do.
    pub fn poll(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    fn observe(&mut self, observation: Observation) {
        self.commands.push_back(Command::Observe(observation));
    }

    fn finish(&mut self, action: ActionId, outcome: Outcome) {
        self.commands.push_back(Command::Finish { action, outcome });
    }

    /// Asks for a connection.
    fn dial(&mut self, address: Address, purpose: Purpose, patience: Patience) -> ConnectionId {
        let connection = ConnectionId(self.connections);
        self.connections += 1;
        if let Some(action) = purpose.action() {
            self.errands.insert(action, connection);
        }
        self.commands.push_back(Command::Dial {
            connection,
            address: address.clone(),
            deadline: patience.until.unwrap_or_default(),
        });
        self.sessions
            .insert(connection, Session::new(address, purpose, patience));
        connection
    }

    fn opened(&mut self, connection: ConnectionId, entropy: [u8; 32]) {
        if let Some(session) = self.sessions.get_mut(&connection) {
            session.open(&self.settings.client, entropy);
            flush(connection, session, &mut self.commands);
        }
    }

    fn read(&mut self, now: Timestamp, connection: ConnectionId, bytes: &[u8]) {
        let Some(mut session) = self.sessions.remove(&connection) else {
            return;
        };
        self.note_life(now, &session);
        let result = session.handle_bytes(now, bytes);
        while let Some(event) = session.poll_event() {
            match self.hear(now, connection, &mut session, event) {
                Verdict::Done => return self.conclude(connection, &session),
                Verdict::Fail(loss) => {
                    self.conclude(connection, &session);
                    return self.end(now, connection, &session, loss, Miss::Passing);
                }
                Verdict::Keep => (),
            }
        }
        match result {
            Ok(()) => {
                flush(connection, &mut session, &mut self.commands);
                self.sessions.insert(connection, session);
            }
            Err(error) => {
                self.conclude(connection, &session);
                self.fail(now, connection, &session, &error);
            }
        }
    }

    fn hear(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        session: &mut Session,
        event: ClientEvent,
    ) -> Verdict {
        match event {
            ClientEvent::Authorised { cipher } => self.authorised(now, session, cipher),
            ClientEvent::Event(event) => self.follow(session, event),
            ClientEvent::Response(answer) => self.answered(now, session, &answer),
            ClientEvent::Status(status) => self.snapped(now, connection, session, *status),
            ClientEvent::Unreadable(problem) => self.puzzled(session, &problem),
        }
    }

    /// Ends a connection from our side.
    fn conclude(&mut self, connection: ConnectionId, session: &Session) {
        if let Some(action) = session.purpose.action() {
            self.errands.remove(&action);
        }
        self.commands.push_back(Command::Close { connection });
    }

    /// Ends a connection whatever it is for, and tells nobody.
    fn drop_connection(&mut self, connection: ConnectionId) {
        if let Some(session) = self.sessions.remove(&connection) {
            self.conclude(connection, &session);
        }
    }

    fn closed(&mut self, now: Timestamp, connection: ConnectionId, failure: Option<Failure>) {
        let Some(mut session) = self.sessions.remove(&connection) else {
            return;
        };
        if let Some(action) = session.purpose.action() {
            self.errands.remove(&action);
        }
        let miss = match &failure {
            Some(failure) if failure.class == LossClass::Denied => Miss::Refused,
            Some(_) | None => Miss::Passing,
        };
        let loss = session.closed(failure);
        // Without a failure below, being denied means that the peer denied us.
        let miss = match (miss, loss.class) {
            (Miss::Passing, LossClass::Denied) => Miss::Rejected,
            (miss, _) => miss,
        };
        self.end(now, connection, &session, loss, miss);
    }

    /// Draws the consequences of an error of the protocol.
    fn fail(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        session: &Session,
        error: &ClientError,
    ) {
        if let ClientError::Refused { text } = error
            && session.is_asked()
            && self.refused(now, session, text)
        {
            return;
        }
        let loss = session.broken(error);
        let miss = if loss.class == LossClass::Denied {
            Miss::Rejected
        } else {
            Miss::Passing
        };
        self.end(now, connection, session, loss, miss);
    }

    /// Draws the consequences of the end of a session that had not served its purpose.
    fn end(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        session: &Session,
        loss: Loss,
        miss: Miss,
    ) {
        match &session.purpose {
            Purpose::Ask { .. } | Purpose::Kill { .. } | Purpose::Start(_) => {
                self.end_errand(session, loss);
            }
            Purpose::Monitor => self.unlink(now, loss, miss),
            Purpose::Look | Purpose::Probe => self.missed_probe(now, connection, &loss),
            Purpose::Describe(_) => self.missed_descriptions(now),
            Purpose::Refresh => self.missed_refresh(now),
        }
    }

    fn expire(&mut self, now: Timestamp) {
        let is_overdue = |it: &Session| it.patience.until.is_some_and(|it| it <= now);
        while let Some(connection) = self
            .sessions
            .iter()
            .find(|(_, session)| is_overdue(session))
            .map(|(connection, _)| *connection)
        {
            if let Some(session) = self.sessions.remove(&connection) {
                self.conclude(connection, &session);
                let loss = session.overdue();
                self.end(now, connection, &session, loss, Miss::Passing);
            }
        }
        self.expire_starts(now);
        self.expire_link(now);
    }
}

/// Hands on what a session wants to send.
fn flush(connection: ConnectionId, session: &mut Session, commands: &mut VecDeque<Command>) {
    while let Some(bytes) = session.poll_transmit() {
        commands.push_back(Command::Transmit { connection, bytes });
    }
}

/// Returns an error and all its causes as one sentence.
pub fn sentence(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
