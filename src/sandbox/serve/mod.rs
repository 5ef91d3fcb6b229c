//! The world on real sockets with real child processes.
//!
//! What the domain does, and when, is decided by [`mod@world`].

mod certificates;
mod child;
mod clock;
mod connection;
mod control;
mod door;
mod engine;
mod nursery;
mod stage;
mod workspace;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use thiserror::Error;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

pub use certificates::{CertificateError, TlsFiles};
pub use child::live;
pub use control::{
    Answer, ControlError, EngineRecord, LifeRecord, PeerRecord, Request, SessionRecord,
    SurveyRecord, ask,
};
pub use stage::Survey;

use super::world::{
    self, Fault, FaultError, Pace, PeerNumber, PeerSettings, Start, StartRecord, World,
};
use crate::model::{Address, Role};
use crate::nuodb::cipher::CipherName;
use crate::nuodb::server::ServerSettings;
use crate::nuodb::srp::{Agreement, Password};
use crate::transport::{TlsServer, TlsServerSettings, TransportError};
use clock::Clock;
use connection::Context;
use door::Door;
use nursery::Nursery;
use stage::{HAPPENINGS, Happening, Props, Stage};
use workspace::Workspace;

/// The longest document a client may send once it has logged in.
const FRAME_LIMIT: usize = 1 << 20;

/// How a sandbox is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the first peer listens, on loopback. The others follow on the next ports, or on
    /// ports of their own if this one is 0.
    pub listen: SocketAddrV4,
    /// How many peers there are.
    pub peers: u16,
    /// How many of them are brokers: the first ones.
    pub brokers: u16,
    /// What the domain calls itself.
    pub domain: String,
    /// The account that may log in.
    pub user: String,
    /// Its password.
    pub password: Password,
    /// The ciphers that may be used, the preferred one first.
    pub ciphers: Vec<CipherName>,
    /// Whether the peers speak TLS, and how.
    pub tls: Option<TlsSettings>,
    /// How long things take.
    pub pace: Pace,
    /// What runs from the beginning.
    pub databases: Vec<DatabaseSettings>,
    /// Which of them the domain itself keeps running.
    pub managed: Vec<String>,
    /// Where the archives of these databases are; `None` has them removed at the end.
    pub archives: Option<PathBuf>,
    /// Where faults are asked for; `None` finds a place that is removed at the end.
    pub control: Option<PathBuf>,
    /// The program whose subcommand `engine` is an engine; `None` is the running one.
    pub engine_program: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0),
            peers: 3,
            brokers: 2,
            domain: "sandbox".to_owned(),
            user: "domain".to_owned(),
            // The one that NuoDB's own examples use.
            password: Password::new("bird".to_owned()),
            ciphers: vec![
                CipherName::Aes256Ctr,
                CipherName::Aes128Ctr,
                CipherName::Rc4,
            ],
            tls: None,
            pace: Pace::REAL,
            databases: Vec::new(),
            managed: Vec::new(),
            archives: None,
            control: None,
            engine_program: None,
        }
    }
}

/// How the peers of a sandbox speak TLS.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TlsSettings {
    /// Where the certificates are, or are written if there are none; `None` finds a place that is
    /// removed at the end.
    pub dir: Option<PathBuf>,
    /// Whether clients must show a certificate.
    pub require_client_cert: bool,
}

/// A database that runs from the beginning.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DatabaseSettings {
    /// What it is called.
    pub name: String,
    /// How many transaction engines it has.
    pub te: u16,
    /// How many storage managers it has.
    pub sm: u16,
}

/// Where a peer is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerInfo {
    /// Which one.
    pub number: PeerNumber,
    /// Where it is dialled.
    pub address: SocketAddrV4,
    /// Whether it sees the whole domain.
    pub is_broker: bool,
}

/// An engine that is a process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EngineInfo {
    /// Its process id.
    pub pid: u32,
    /// The peer that watches it.
    pub peer: PeerNumber,
    /// The database it serves.
    pub database: Arc<str>,
    /// What it does there.
    pub role: Role,
    /// The port it listens on, once it does.
    pub port: Option<u16>,
    /// How it is in the words of the protocol, once it has said so.
    pub status: Option<&'static str>,
    /// Whether its end was told and it lives on.
    pub is_leftover: bool,
}

/// Why there is no sandbox, or why it did not do what it was asked.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// A peer could not listen.
    #[error("cannot listen on {address} (ask for other ports, or for 0 to have free ones found)")]
    Bind {
        /// Where.
        address: SocketAddrV4,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// There are no certificates.
    #[error("cannot speak TLS")]
    Certificates(#[from] CertificateError),
    /// There is no place to ask for faults.
    #[error("cannot listen on {}", path.display())]
    Control {
        /// Where.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A database that was to run from the beginning does not.
    #[error("cannot start the databases: {0}")]
    Databases(Arc<str>),
    /// The fault could not happen.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// The sandbox has come to its end.
    #[error("the sandbox is gone")]
    Gone,
    /// What was asked for makes no sense.
    #[error("{0}")]
    Settings(&'static str),
    /// The operating system does not give what it takes.
    #[error("cannot set up the sandbox")]
    System(#[source] io::Error),
    /// The certificates do not work.
    #[error("cannot use the certificates")]
    Tls(#[from] TransportError),
}

/// A running sandbox. Everything ends with it, [in order](Self::stop) or as it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    peers: Vec<PeerInfo>,
    tls: Option<TlsFiles>,
    control: PathBuf,
    stage: mpsc::Sender<Happening>,
    playing: JoinSet<()>,
    controlling: JoinSet<()>,
    _socket: control::SocketFile,
    workspace: Workspace,
}

impl Sandbox {
    /// Starts a sandbox in the current runtime, which has I/O and time enabled, and waits until
    /// everything that is to run from the beginning does.
    pub async fn start(settings: Settings) -> Result<Self, SandboxError> {
        check(&settings)?;
        let workspace = Workspace::create().map_err(SandboxError::System)?;
        let doors = open_doors(&settings)?;
        let peers: Vec<PeerInfo> = (1..)
            .zip(&doors)
            .map(|(number, door)| PeerInfo {
                number: PeerNumber(number),
                address: door.address(),
                is_broker: number <= settings.brokers,
            })
            .collect();
        let tls = match &settings.tls {
            Some(it) => {
                let inside = workspace.path().join("tls");
                Some(TlsFiles::provide(it.dir.as_ref().unwrap_or(&inside))?)
            }
            None => None,
        };
        let program = settings.engine_program.clone();
        let program = program
            .map_or_else(std::env::current_exe, Ok)
            .map_err(SandboxError::System)?;
        let control = settings.control.clone();
        let control = control.unwrap_or_else(|| workspace.path().join("control"));
        let (socket, listener) = control::listen(&control)?;
        let (stage, happenings) = mpsc::channel(HAPPENINGS);
        let context = Context {
            server: ServerSettings {
                user: settings.user.clone(),
                password: settings.password.clone(),
                ciphers: settings.ciphers.clone(),
                frame_limit: FRAME_LIMIT,
                agreement: Agreement::default(),
            },
            tls: load_tls(&settings, tls.as_ref())?,
            clock: Clock::start(),
            stage: stage.clone(),
            logins: AtomicU64::new(0),
        };
        let props = Props {
            world: world(&settings, &peers)?,
            program,
            doors,
            nursery: Nursery::new().map_err(SandboxError::System)?,
            context: Arc::new(context),
        };
        let mut playing = JoinSet::new();
        playing.spawn(Stage::new(props).run(happenings));
        let sandbox = Self {
            controlling: controlling(listener, stage.clone(), &peers),
            peers,
            tls,
            control,
            stage,
            playing,
            _socket: socket,
            workspace,
        };
        sandbox.begin(&settings).await?;
        Ok(sandbox)
    }

    /// Returns the directory of its own, which only its owner may enter and which goes with it.
    pub fn directory(&self) -> &Path {
        self.workspace.path()
    }

    /// Returns where the peers are.
    pub fn peers(&self) -> &[PeerInfo] {
        &self.peers
    }

    /// Returns the certificates, if the peers speak TLS.
    pub fn tls_files(&self) -> Option<&TlsFiles> {
        self.tls.as_ref()
    }

    /// Returns the socket where faults are asked for.
    pub fn control_path(&self) -> &Path {
        &self.control
    }

    /// Makes something go wrong.
    pub async fn control(&self, fault: Fault) -> Result<(), SandboxError> {
        let (answer, answered) = oneshot::channel();
        self.tell(Happening::Fault { fault, answer }).await?;
        let result = answered.await.map_err(|_| SandboxError::Gone)?;
        Ok(result?)
    }

    /// Returns the domain as it is.
    pub async fn survey(&self) -> Result<Survey, SandboxError> {
        let (answer, answered) = oneshot::channel();
        self.tell(Happening::Survey { answer }).await?;
        answered.await.map_err(|_| SandboxError::Gone)
    }

    /// Returns every start there was, and what became of it.
    pub async fn starts(&self) -> Result<Vec<StartRecord>, SandboxError> {
        let (answer, answered) = oneshot::channel();
        self.tell(Happening::Starts { answer }).await?;
        answered.await.map_err(|_| SandboxError::Gone)
    }

    /// Returns every engine that is a process, in the order they were started.
    pub async fn engines(&self) -> Result<Vec<EngineInfo>, SandboxError> {
        let engines = self.survey().await?.engines.into_iter();
        let known = engines.filter_map(|it| {
            Some(EngineInfo {
                pid: it.pid?,
                peer: it.peer,
                database: it.start.database,
                role: it.start.role,
                port: it.port,
                status: it.state.map(world::EngineState::as_str),
                is_leftover: it.is_leftover,
            })
        });
        Ok(known.collect())
    }

    /// Ends everything: clients are cut, engines are killed and waited for, files are removed.
    pub async fn stop(mut self) {
        self.controlling.shutdown().await;
        // It fails if the stage has ended by itself, which is what is wanted.
        let _ = self.stage.send(Happening::Stop).await;
        while let Some(ended) = self.playing.join_next().await {
            if let Err(error) = ended
                && let Ok(panic) = error.try_into_panic()
            {
                std::panic::resume_unwind(panic);
            }
        }
    }

    async fn tell(&self, happening: Happening) -> Result<(), SandboxError> {
        let sent = self.stage.send(happening).await;
        sent.map_err(|_| SandboxError::Gone)
    }

    /// Starts the databases, spread over the peers, and waits until they run.
    async fn begin(&self, settings: &Settings) -> Result<(), SandboxError> {
        let inside = self.workspace.path().join("archives");
        let archives = settings.archives.as_ref().unwrap_or(&inside);
        let mut next = (1..=settings.peers).map(PeerNumber).cycle();
        let mut starts = Vec::new();
        for database in &settings.databases {
            let start = |role, archive: Option<PathBuf>| Start {
                database: database.name.as_str().into(),
                role,
                initialize: archive.as_ref().is_some_and(|it| !child::is_archive(it)),
                archive: archive.map(|it| it.to_string_lossy().into()),
                has_dba: true,
            };
            let paths =
                (1..=database.sm).map(|it| archives.join(format!("{}-{it}", database.name)));
            let sms = paths.map(|it| start(Role::Sm, Some(it)));
            let tes = (0..database.te).map(|_| start(Role::Te, None));
            let all: Vec<Start> = sms.chain(tes).collect();
            starts.extend(next.by_ref().zip(all));
        }
        if starts.is_empty() {
            return Ok(());
        }
        let (begun, has_begun) = oneshot::channel();
        self.tell(Happening::Begin { starts, begun }).await?;
        let result = has_begun.await.map_err(|_| SandboxError::Gone)?;
        result.map_err(SandboxError::Databases)
    }
}

fn check(settings: &Settings) -> Result<(), SandboxError> {
    let wrong = if !settings.listen.ip().is_loopback() {
        "a sandbox listens on loopback only"
    } else if settings.peers == 0 {
        "a domain has at least one peer"
    } else if !(1..=settings.peers).contains(&settings.brokers) {
        "a domain has at least one broker, and no more brokers than peers"
    } else if settings.ciphers.is_empty() {
        "at least one cipher must be allowed"
    } else if settings.databases.iter().any(|it| !is_plain(&it.name)) {
        "a database that runs from the beginning has letters, digits, `-` and `_` in its name"
    } else {
        return Ok(());
    };
    Err(SandboxError::Settings(wrong))
}

/// Returns whether the name can be part of the name of a file.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | '_'))
}

fn open_doors(settings: &Settings) -> Result<Vec<Door>, SandboxError> {
    let (ip, first) = (*settings.listen.ip(), settings.listen.port());
    (0..settings.peers)
        .map(|it| {
            let port = match first {
                0 => 0,
                first => first.checked_add(it).ok_or(SandboxError::Settings(
                    "there are not as many ports after the first",
                ))?,
            };
            let address = SocketAddrV4::new(ip, port);
            Door::open(address).map_err(|source| SandboxError::Bind { address, source })
        })
        .collect()
}

fn load_tls(
    settings: &Settings,
    files: Option<&TlsFiles>,
) -> Result<Option<TlsServer>, SandboxError> {
    let (Some(tls), Some(files)) = (&settings.tls, files) else {
        return Ok(None);
    };
    let server = TlsServer::load(&TlsServerSettings {
        cert: files.server_cert.clone(),
        key: files.server_key.clone(),
        client_ca: tls.require_client_cert.then(|| files.ca.clone()),
    })?;
    Ok(Some(server))
}

fn world(settings: &Settings, peers: &[PeerInfo]) -> Result<World, SandboxError> {
    let seed = getrandom::u64().map_err(io::Error::other);
    let peers = peers.iter().map(|it| PeerSettings {
        address: Address::new(it.address.ip().to_string(), it.address.port()),
        hostname: "localhost".into(),
        is_broker: it.is_broker,
    });
    let mut world = World::new(world::Settings {
        domain: settings.domain.as_str().into(),
        peers: peers.collect(),
        pace: settings.pace,
        seed: seed.map_err(SandboxError::System)?,
    });
    for database in &settings.managed {
        world.manage(database.as_str());
    }
    Ok(world)
}

fn controlling(
    listener: UnixListener,
    stage: mpsc::Sender<Happening>,
    peers: &[PeerInfo],
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(control::serve(listener, stage, peers.to_vec()));
    tasks
}
