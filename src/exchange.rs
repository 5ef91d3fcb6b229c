//! What passes between a driver and the warden: observations and outcomes in, deeds out.
//!
//! Both sides speak model words only; how a deed is done is the driver's business, whether it is
//! done is the warden's.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    Address, AgentId, DatabaseName, Life, PeerName, Role, Sighting, Snapshot, StartId,
};
use crate::time::Timestamp;

/// Names one action of the healer from intent to outcome; late answers are fenced by it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ActionId(pub u64);

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a driver saw.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Observation {
    /// The session to the domain is gone, or could not be had: from here on knowledge grows stale.
    Lost(Loss),
    /// Which databases the domain manages itself: these, and no others.
    Managed(Vec<Managed>),
    /// One change.
    Sighted(Sighting),
    /// The whole domain; complete for everything it could contain.
    Snapshot(Snapshot),
}

/// A database that the domain manages itself: it has a healer of its own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Managed {
    /// Which.
    pub database: DatabaseName,
    /// How it stands with it, in the domain's own words; empty if it does not say.
    pub status: Arc<str>,
}

/// Why there is no session to the domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Loss {
    /// The peer that was dialled or talked to.
    pub address: Address,
    /// What sort of failure it is.
    pub class: LossClass,
    /// The whole chain of causes, as a sentence for people.
    pub reason: Arc<str>,
}

/// Sorts of failure that call for different answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LossClass {
    /// Refused, closed, unreachable or silent: another try may succeed.
    Connection,
    /// Wrong password, unknown CA, wrong host name: a person must act.
    Denied,
    /// The other side does not speak the protocol.
    Protocol,
}

/// A process whose port is to be tried.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Probe {
    /// The peer it runs at.
    pub peer: PeerName,
    /// Its process id there.
    pub pid: u32,
    /// Which life of it is meant.
    pub life: Life,
    /// Where it listens.
    pub address: Address,
    /// Whether the warden takes it for one that does not answer.
    pub is_unresponsive: bool,
}

/// What trying the port of a process has shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Probed {
    /// The peer it runs at.
    pub peer: PeerName,
    /// Its process id there.
    pub pid: u32,
    /// Which life of it was tried.
    pub life: Life,
    /// What came of it.
    pub finding: Finding,
}

/// How a process behaves at its port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Finding {
    /// It answered.
    Answers,
    /// It did not, again and again.
    Silent {
        /// How often in a row.
        misses: u32,
        /// What the last try failed of, as a sentence for people.
        reason: Arc<str>,
    },
}

/// A peer as a target: all a driver needs to reach it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// Our stable name for it.
    pub peer: PeerName,
    /// What its agent calls itself at present.
    pub agent_id: AgentId,
    /// Where to dial it.
    pub address: Address,
}

/// A process to be started, fully specified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Start {
    /// The peer that shall start it.
    pub target: Target,
    /// The database it shall serve.
    pub database: DatabaseName,
    /// What it shall do.
    pub role: Role,
    /// How it is brought about.
    pub means: Means,
    /// Engine options in order: name and, unless it is a flag, value. `--database` is not among
    /// them.
    pub options: Vec<EngineOption>,
}

/// How a process is brought back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Means {
    /// A command at its peer restarts it, and it stays what it was.
    RestartInPlace,
    /// A new one is started.
    Start,
}

/// One option of an engine's command line.
#[derive(Clone, Eq, PartialEq)]
pub struct EngineOption {
    /// The name with its hyphens: `--mem`.
    pub name: String,
    /// The value; `None` for a flag.
    pub value: Option<String>,
}

impl EngineOption {
    /// Returns whether the value is for nobody to read.
    pub fn is_secret(&self) -> bool {
        self.name.contains("password") && self.value.is_some()
    }
}

impl fmt::Debug for EngineOption {
    /// Names the option and hides the value of those that carry a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => write!(f, "{}", self.name),
            Some(_) if self.is_secret() => write!(f, "{}=***", self.name),
            Some(value) => write!(f, "{}={value}", self.name),
        }
    }
}

/// How a process is made to stop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stop {
    /// It is asked to finish and leave.
    Graceful,
    /// Its peer ends it at once.
    Kill,
}

/// What the warden, or a person at the command line, asks of a driver.
///
/// Every deed with an action is answered by exactly one final [`Outcome`], unless the driver ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Deed {
    /// Give up a prepared start: close the session, send nothing. Answered by nothing.
    Abandon {
        /// The action that was prepared.
        action: ActionId,
    },
    /// Ask something that changes no process; see [`Question`].
    Ask {
        /// Fences the answer.
        action: ActionId,
        /// What to ask.
        question: Question,
    },
    /// Send the prepared request now.
    Commit {
        /// The action that was prepared.
        action: ActionId,
    },
    /// Open and authorise a session to the target's own agent, answer [`Outcome::Ready`], and wait
    /// for `Commit`; after `valid_until` the request must not leave any more.
    Prepare {
        /// Fences everything about this start.
        action: ActionId,
        /// What shall be started, and where.
        start: Start,
        /// When the preparation expires.
        valid_until: Timestamp,
    },
    /// Take a fresh snapshot of the domain.
    Refresh,
    /// Stop one process.
    Stop {
        /// Fences the answer.
        action: ActionId,
        /// The peer it runs at.
        target: Target,
        /// Its process id there.
        pid: u32,
        /// By which means.
        how: Stop,
    },
}

/// Something to ask of the domain that starts or stops no process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Question {
    /// Delete these tags of a peer.
    DeleteTags(AgentId, Vec<String>),
    /// What this peer's own agent knows of an archive there.
    History {
        /// The peer that has it.
        target: Target,
        /// Where it is there.
        archive: Arc<str>,
    },
    /// Whether this peer's own agent answers us.
    Identity(Target),
    /// Quiesce a database.
    Quiesce(DatabaseName),
    /// Set these tags of a peer.
    SetTags(AgentId, Vec<(String, String)>),
    /// All tags of a peer.
    Tags(AgentId),
    /// Let a quiesced database serve again.
    Unquiesce(DatabaseName),
}

/// What became of a deed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Ask: the answer. For tags the pairs; for the history of an archive `archive`, `database`,
    /// `last-used` (a number that grows with time) and `in-use`, as far as the agent says them;
    /// empty for everything else.
    Answered(Vec<(String, String)>),
    /// The session for the deed could not be had, or broke before the request left: nothing was
    /// asked of the domain.
    NotSent(Loss),
    /// Prepare: the session to the agent stands; `Commit` or `Abandon` is awaited. Not final.
    Ready,
    /// The peer refused the request; its words.
    Refused(Arc<str>),
    /// Start: the process registered.
    Registered {
        /// Its process id.
        pid: u32,
    },
    /// Start: the peer says that it failed; its words.
    StartFailed(Arc<str>),
    /// Start: the request was accepted; registration or failure will follow. Not final.
    Started(Option<StartId>),
    /// Stop: the request was accepted; the exit is told by the domain. For `Kill` the exit code.
    Stopped {
        /// Exit code of the killed process, if the peer said.
        exit_code: Option<i32>,
    },
    /// The request left and the answer never came: it may or may not have been carried out.
    Unanswered(Loss),
    /// Start: the request was to leave and was kept back. No driver says so, but whoever hands
    /// deeds to it.
    Withdrawn,
}

impl Outcome {
    /// Returns what became of a question: the answer, or the words that refuse it. None if nobody
    /// said anything.
    pub fn reply(&self) -> Option<Result<&[(String, String)], &str>> {
        match self {
            Self::Answered(pairs) => Some(Ok(pairs)),
            Self::Refused(words) => Some(Err(words)),
            Self::NotSent(_)
            | Self::Ready
            | Self::Registered { .. }
            | Self::StartFailed(_)
            | Self::Started(_)
            | Self::Stopped { .. }
            | Self::Unanswered(_)
            | Self::Withdrawn => None,
        }
    }
}

/// Names one request, so that its answer finds the one who asked.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RequestId(pub u64);

/// What a listener or a person asks of the warden, which decides.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// Names it.
    pub id: RequestId,
    /// Who asks, as events and explanations name them: `listener page-me`, `operator ada`.
    pub by: Arc<str>,
    /// Why, in their words.
    pub reason: Option<Arc<str>>,
    /// What is asked.
    pub wish: Wish,
}

/// What can be asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wish {
    /// What a person says of something; only a person may.
    Person {
        /// What is said.
        word: Word,
        /// Of what, as people name it: `teas`, `teas/te/1`, `db1:48004`, `db1:48004/1234`, or the
        /// domain by its configured name.
        target: Arc<str>,
    },
    /// Start a transaction engine that is missing.
    StartTe {
        /// For this database.
        database: DatabaseName,
        /// Where.
        place: Place,
    },
}

/// What a person says of something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Word {
    /// It is about to be ended: an end that follows soon is as somebody wished.
    Announce,
    /// A database of which nothing runs is brought up again.
    ColdStart {
        /// Whose archives are given up.
        accept_loss: Vec<PeerName>,
    },
    /// A peer out of reach is dead, and so is all that ran there.
    ConfirmDead,
    /// Its maintenance is over.
    EndMaintenance,
    /// It is not wanted any more.
    Forget,
    /// Nothing is started for it until it is released.
    Hold,
    /// People work at it for so long.
    Maintain {
        /// By the wall clock.
        lasts: Duration,
    },
    /// It is held no longer, whoever held it.
    Release,
    /// What is missing is tried now, as if for the first time.
    Retry,
    /// So many transaction engines of it are wanted.
    Scale {
        /// How many.
        count: u32,
    },
    /// A gate that is closed does not count for so long.
    Thaw {
        /// Which.
        gate: Arc<str>,
        /// By the wall clock.
        lasts: Duration,
    },
    /// It is wanted, though it left.
    Want,
}

impl Word {
    /// Returns the word as it is written in requests.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Announce => "announce",
            Self::ColdStart { .. } => "cold-start",
            Self::ConfirmDead => "confirm-dead",
            Self::EndMaintenance => "end-maintenance",
            Self::Forget => "forget",
            Self::Hold => "hold",
            Self::Maintain { .. } => "maintain",
            Self::Release => "release",
            Self::Retry => "retry",
            Self::Scale { .. } => "scale",
            Self::Thaw { .. } => "thaw",
            Self::Want => "want",
        }
    }
}

/// Where something is to be started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// Wherever the policy would.
    Anywhere,
    /// Not at the peer that lost it.
    Elsewhere,
    /// At this peer.
    On(PeerName),
}

/// What becomes of a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Answer {
    /// It is being done, now or as soon as the gates allow.
    Accepted {
        /// The action that does it, if one was begun already.
        action: Option<ActionId>,
        /// What happens now, as a sentence.
        text: Arc<str>,
    },
    /// Nothing is done.
    Refused {
        /// Why, as a sentence that says what to do instead.
        reason: Arc<str>,
    },
}
