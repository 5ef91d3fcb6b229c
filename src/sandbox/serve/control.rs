//! Where faults are asked for: a Unix socket, one line of JSON for each request and each answer.
//!
//! The records here are the format; what they mean is the world's business.

mod record;

use std::fs::{self, Permissions};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::sleep;

pub use record::{EngineRecord, LifeRecord, PeerRecord, SessionRecord, SurveyRecord};

use super::stage::{ACCEPT_AGAIN_AFTER, Happening};
use super::{PeerInfo, SandboxError};
use crate::sandbox::world::{Fault, Lie, NextStart, PeerNumber, SessionId};

/// The longest request; a reason may be a screenful.
const REQUEST_LIMIT: u64 = 64 * 1_024;

/// How many may ask at a time.
const MAX_CLIENTS: usize = 64;

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What is asked. A peer is named by its number, its port or its address.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(
    deny_unknown_fields,
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    tag = "command"
)]
pub enum Request {
    /// An agent tells the truth again.
    Confess {
        /// At which peer.
        peer: String,
    },
    /// An engine ends without a word.
    Crash {
        /// Its process id.
        pid: u32,
    },
    /// The next start at a peer registers, and ends without a word soon after.
    CrashNext {
        /// Which peer.
        peer: String,
        /// How soon, in milliseconds.
        ms: u64,
    },
    /// Answers of a peer come late from now on.
    Delay {
        /// Which peer.
        peer: String,
        /// How late, in milliseconds; 0 is in time again.
        ms: u64,
    },
    /// Every connection to a peer breaks.
    Drop {
        /// Which peer.
        peer: String,
    },
    /// One Monitor session breaks.
    DropSession {
        /// Which.
        session: u64,
    },
    /// The next start at a peer fails.
    FailNext {
        /// Which peer.
        peer: String,
        /// Why.
        reason: String,
    },
    /// The faults that wait for the starts of a peer are forgotten.
    Forgive {
        /// Which peer.
        peer: String,
    },
    /// An engine hangs until it is killed.
    Hang {
        /// Its process id.
        pid: u32,
    },
    /// An agent tells of a transaction engine that is not there.
    Invent {
        /// At which peer.
        peer: String,
        /// Of which database.
        database: String,
    },
    /// The next start at a peer is told as if it went well, and nothing is started.
    InventNext {
        /// Which peer.
        peer: String,
    },
    /// An agent says of its archives that they were last used at another time.
    LastUsed {
        /// At which peer.
        peer: String,
        /// What it says of when.
        at: String,
    },
    /// The next start at a peer comes late.
    LateNext {
        /// Which peer.
        peer: String,
        /// How late, in milliseconds.
        ms: u64,
    },
    /// A peer and all others see each other no more.
    Isolate {
        /// Which peer.
        peer: String,
    },
    /// Nothing happens: what is there is told.
    List,
    /// A peer's agent is gone and its engines live on.
    Lose {
        /// Which peer.
        peer: String,
        /// Whether the others are told of its engines before they are told of the peer.
        #[serde(default)]
        exits_first: bool,
    },
    /// Connections to a peer stay open and nothing passes any more.
    Mute {
        /// Which peer.
        peer: String,
    },
    /// Nothing is told on one Monitor session any more.
    MuteSession {
        /// Which.
        session: u64,
    },
    /// An agent tells nothing any more of an engine of its own.
    Omit {
        /// At which peer.
        peer: String,
        /// Its process id.
        pid: u32,
    },
    /// An engine's end is told, and it lives on.
    Orphan {
        /// Its process id.
        pid: u32,
    },
    /// An isolated peer and the others see each other again.
    Rejoin {
        /// Which peer.
        peer: String,
    },
    /// A lost peer's agent is there again, under a new id.
    Return {
        /// Which peer.
        peer: String,
    },
    /// Nothing is ever heard of the next start at a peer.
    SilenceNext {
        /// Which peer.
        peer: String,
    },
    /// Nothing happens: every start there was is told.
    Starts,
    /// What was held back at a peer passes, and whatever comes after.
    Unmute {
        /// Which peer.
        peer: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It happened.
    Done,
    /// It did not, and why.
    Failed(String),
    /// What is there.
    Domain(SurveyRecord),
    /// What was started.
    Starts(Vec<LifeRecord>),
}

/// Why nothing was answered.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Nobody is there.
    #[error("cannot connect to {}: is the sandbox running?", path.display())]
    Connect {
        /// Where.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The sandbox closed, or took too long.
    #[error("no answer from {}", path.display())]
    NoAnswer {
        /// Where.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The answer is none.
    #[error("{} does not answer as a sandbox", path.display())]
    Nonsense {
        /// Where.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// Asks the sandbox that listens on `path`, and waits for the answer.
pub fn ask(path: &Path, request: &Request) -> Result<Answer, ControlError> {
    let connect = |source| ControlError::Connect {
        path: path.to_owned(),
        source,
    };
    let no_answer = |source| ControlError::NoAnswer {
        path: path.to_owned(),
        source,
    };
    let nonsense = |source| ControlError::Nonsense {
        path: path.to_owned(),
        source,
    };
    let mut stream = BlockingStream::connect(path).map_err(connect)?;
    let timeout = Some(ANSWER_WITHIN);
    stream.set_read_timeout(timeout).map_err(no_answer)?;
    stream.set_write_timeout(timeout).map_err(no_answer)?;
    let mut line = serde_json::to_string(request).map_err(nonsense)?;
    line.push('\n');
    stream.write_all(line.as_bytes()).map_err(no_answer)?;
    let mut answer = String::new();
    let length = BufReader::new(stream).read_line(&mut answer);
    if length.map_err(no_answer)? == 0 {
        return Err(no_answer(io::ErrorKind::UnexpectedEof.into()));
    }
    serde_json::from_str(&answer).map_err(nonsense)
}

/// The socket's name in the file system. It is removed when this is dropped.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody else may have removed it.
        let _ = fs::remove_file(&self.0);
    }
}

/// Listens on `path`, which a sandbox that died may have left behind.
pub(super) fn listen(path: &Path) -> Result<(SocketFile, UnixListener), SandboxError> {
    let fail = |source| SandboxError::Control {
        path: path.to_owned(),
        source,
    };
    let left_behind = BlockingStream::connect(path)
        .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if left_behind {
        fs::remove_file(path).map_err(fail)?;
    }
    let listener = UnixListener::bind(path).map_err(fail)?;
    let file = SocketFile(path.to_owned());
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(fail)?;
    Ok((file, listener))
}

/// Answers whoever asks, for as long as the sandbox lasts.
pub(super) async fn serve(
    listener: UnixListener,
    stage: mpsc::Sender<Happening>,
    peers: Vec<PeerInfo>,
) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if clients.len() < MAX_CLIENTS => {
                let Ok((stream, _)) = accepted else {
                    // Out of descriptors, most likely: not for ever.
                    sleep(ACCEPT_AGAIN_AFTER).await;
                    continue;
                };
                let (stage, peers) = (stage.clone(), peers.clone());
                clients.spawn(async move {
                    // Who asked may have gone meanwhile.
                    let _ = converse(stream, &stage, &peers).await;
                });
            }
            Some(_) = clients.join_next() => (),
        }
    }
}

async fn converse(
    mut stream: UnixStream,
    stage: &mpsc::Sender<Happening>,
    peers: &[PeerInfo],
) -> io::Result<()> {
    let (reading, mut writing) = stream.split();
    let mut reading = tokio::io::BufReader::new(reading);
    loop {
        let mut line = String::new();
        let mut limited = (&mut reading).take(REQUEST_LIMIT);
        if limited.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let answer = match serde_json::from_str(&line) {
            Ok(request) => answer(request, stage, peers).await,
            Err(error) => Err(format!("not a request: {error}")),
        };
        let answer = answer.unwrap_or_else(Answer::Failed);
        let mut line = serde_json::to_vec(&answer)?;
        line.push(b'\n');
        writing.write_all(&line).await?;
    }
}

async fn answer(
    request: Request,
    stage: &mpsc::Sender<Happening>,
    peers: &[PeerInfo],
) -> Result<Answer, String> {
    let gone = || SandboxError::Gone.to_string();
    if request == Request::Starts {
        let (answer, answered) = oneshot::channel();
        let starts = Happening::Starts { answer };
        stage.send(starts).await.map_err(|_| gone())?;
        let starts = answered.await.map_err(|_| gone())?;
        return Ok(Answer::Starts(starts.into_iter().map(Into::into).collect()));
    }
    let Some(fault) = fault(request, peers)? else {
        let (answer, answered) = oneshot::channel();
        let survey = Happening::Survey { answer };
        stage.send(survey).await.map_err(|_| gone())?;
        let survey = answered.await.map_err(|_| gone())?;
        return Ok(Answer::Domain(survey.into()));
    };
    let (answer, answered) = oneshot::channel();
    let fault = Happening::Fault { fault, answer };
    stage.send(fault).await.map_err(|_| gone())?;
    let result = answered.await.map_err(|_| gone())?;
    result.map_err(|error| error.to_string())?;
    Ok(Answer::Done)
}

/// Returns what is to go wrong, or nothing if it is only asked how things are.
fn fault(request: Request, peers: &[PeerInfo]) -> Result<Option<Fault>, String> {
    let find = |name: &str| find(name, peers);
    let fail_next = |peer: &str, how| {
        let peer = find(peer)?;
        Ok::<_, String>(Fault::FailNext { peer, how })
    };
    let lie = |peer: &str, lie| {
        let peer = find(peer)?;
        Ok::<_, String>(Fault::Lie { peer, lie })
    };
    Ok(Some(match request {
        Request::Confess { peer } => lie(&peer, Lie::NoMore)?,
        Request::Crash { pid } => Fault::Crash { pid },
        Request::CrashNext { peer, ms } => {
            let after = Duration::from_millis(ms);
            fail_next(&peer, NextStart::Crash { after })?
        }
        Request::Delay { peer, ms } => Fault::Delay {
            peer: find(&peer)?,
            by: Duration::from_millis(ms),
        },
        Request::Drop { peer } => Fault::Drop { peer: find(&peer)? },
        Request::DropSession { session } => Fault::DropSession {
            session: SessionId(session),
        },
        Request::FailNext { peer, reason } => {
            let reason = reason.into();
            fail_next(&peer, NextStart::Fail { reason })?
        }
        Request::Forgive { peer } => Fault::Forgive { peer: find(&peer)? },
        Request::Hang { pid } => Fault::Hang { pid },
        Request::Invent { peer, database } => {
            let database = database.into();
            lie(&peer, Lie::Invent { database })?
        }
        Request::InventNext { peer } => fail_next(&peer, NextStart::Invented)?,
        Request::Isolate { peer } => Fault::Isolate { peer: find(&peer)? },
        Request::LastUsed { peer, at } => lie(&peer, Lie::LastUsed { at: at.into() })?,
        Request::LateNext { peer, ms } => {
            let by = Duration::from_millis(ms);
            fail_next(&peer, NextStart::Late { by })?
        }
        Request::List | Request::Starts => return Ok(None),
        Request::Lose { peer, exits_first } => {
            let peer = find(&peer)?;
            Fault::Lose { peer, exits_first }
        }
        Request::Mute { peer } => Fault::Mute { peer: find(&peer)? },
        Request::MuteSession { session } => Fault::MuteSession {
            session: SessionId(session),
        },
        Request::Omit { peer, pid } => lie(&peer, Lie::Omit { pid })?,
        Request::Orphan { pid } => Fault::Orphan { pid },
        Request::Rejoin { peer } => Fault::Rejoin { peer: find(&peer)? },
        Request::Return { peer } => Fault::Return { peer: find(&peer)? },
        Request::SilenceNext { peer } => fail_next(&peer, NextStart::Silent)?,
        Request::Unmute { peer } => Fault::Unmute { peer: find(&peer)? },
    }))
}

/// Finds a peer by its number, its port or its address.
fn find(name: &str, peers: &[PeerInfo]) -> Result<PeerNumber, String> {
    let number: Option<u16> = name.parse().ok();
    let is_it = |it: &&PeerInfo| {
        let (ip, port) = (it.address.ip(), it.address.port());
        number.is_some_and(|number| number == it.number.0 || number == port)
            || name == format!("{ip}:{port}")
            || (ip.is_loopback() && name == format!("localhost:{port}"))
    };
    if let Some(peer) = peers.iter().find(is_it) {
        return Ok(peer.number);
    }
    let known: Vec<String> = peers
        .iter()
        .map(|it| format!("{} ({})", it.number, it.address))
        .collect();
    let known = known.join(", ");
    Err(format!("there is no peer `{name}`; there are {known}"))
}
