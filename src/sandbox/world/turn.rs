//! What the world is told, and what it wants done: the closed lists of both.

use std::sync::Arc;
use std::time::Duration;

use super::fault::{Fault, FaultError};
use super::peer::PeerNumber;
use super::start::Start;
use crate::nuodb::message::{Element, Event, Request, Status};

/// One session of a client at a peer; the caller numbers them and uses no number twice.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SessionId(pub u64);

/// One engine from its start to its end; the world numbers them. Pids are used again, this is not.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct EngineId(pub u64);

/// What an [`Effect::Answer`] is matched by.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ticket(pub u64);

/// Everything that can make the world move. The list is closed on purpose.
#[derive(Clone, Debug)]
pub enum Input {
    /// An engine is started that no client asked for; its database needs no dba.
    Begin {
        /// Where.
        peer: PeerNumber,
        /// What.
        start: Start,
    },
    /// A session is over, from whichever side.
    Closed {
        /// Which.
        session: SessionId,
    },
    /// A client sent a further document on its session.
    Document {
        /// Which.
        session: SessionId,
        /// What it sent.
        document: Element,
    },
    /// An engine is no more: the last that is heard of every [`Effect::Spawn`], and heard once.
    EngineExited {
        /// Which.
        engine: EngineId,
        /// Its exit code, or 128 and the signal, or -1 if it never was a process.
        code: i32,
    },
    /// An engine could not be started, or says that it cannot go on. It exits next.
    EngineFailed {
        /// Which.
        engine: EngineId,
        /// Why.
        reason: Arc<str>,
    },
    /// An engine has what it needs and registers with its peer.
    EngineReady {
        /// Which.
        engine: EngineId,
        /// The port it listens on.
        port: u16,
    },
    /// An engine is a process now.
    EngineSpawned {
        /// Which.
        engine: EngineId,
        /// Its process id.
        pid: u32,
    },
    /// Something goes wrong, by somebody's wish.
    Fault {
        /// What the answer carries.
        ticket: Ticket,
        /// What goes wrong.
        fault: Fault,
    },
    /// A client opened a session and asks for something.
    Opened {
        /// Which session.
        session: SessionId,
        /// At which peer.
        peer: PeerNumber,
        /// What is asked.
        request: Request,
        /// Whether the client proved to know the password.
        authorised: bool,
    },
    /// Time passed.
    Timeout,
}

/// Something the caller must do. The world only asks.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Answer who asked for a fault.
    Answer {
        /// Who asked.
        ticket: Ticket,
        /// Whether it happened.
        result: Result<(), FaultError>,
    },
    /// Close a session once everything for it is sent.
    Close {
        /// Which.
        session: SessionId,
    },
    /// End a session without a word, whatever is still to be sent.
    Cut {
        /// Which.
        session: SessionId,
    },
    /// End every connection to a peer without a word, also those that have not asked anything.
    CutPeer {
        /// Which peer.
        peer: PeerNumber,
    },
    /// The session has its answer: wait a while for the client to close, then close.
    Done {
        /// Which.
        session: SessionId,
    },
    /// Tell of a change.
    Event {
        /// Whom.
        session: SessionId,
        /// What.
        event: Event,
    },
    /// Have an engine do nothing any more.
    Hang {
        /// Which.
        engine: EngineId,
    },
    /// End an engine at once.
    Kill {
        /// Which.
        engine: EngineId,
    },
    /// From now on what passes between a peer and its clients is held back like this.
    Link {
        /// Which peer.
        peer: PeerNumber,
        /// Whether nothing passes at all.
        muted: bool,
        /// How late each answer is.
        delay: Duration,
    },
    /// From now on connections to a peer are accepted, or refused.
    Listen {
        /// Which peer.
        peer: PeerNumber,
        /// Whether they are accepted.
        listening: bool,
    },
    /// Answer a request.
    Reply {
        /// Whose.
        session: SessionId,
        /// With what.
        document: Element,
    },
    /// Start an engine.
    Spawn {
        /// Which.
        engine: EngineId,
        /// Where.
        peer: PeerNumber,
        /// What.
        start: Start,
    },
    /// Begin a Monitor session with the domain as it is.
    Status {
        /// Whose.
        session: SessionId,
        /// The domain.
        status: Box<Status>,
    },
    /// Ask an engine to end by itself.
    Stop {
        /// Which.
        engine: EngineId,
    },
}
