//! A daemon without brokers: real journals, real wardens fed by hand in virtual time, the real
//! socket.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use dbwarden::api::{
    self, ConfigState, DaemonPort, DomainPort, Errand, Listening, Now, Permits, Port, TcpSettings,
};
use dbwarden::event::{Event, Kind, Subject};
use dbwarden::exchange::{Answer, Finding, Observation, Probed, Request, Wish};
use dbwarden::journal::{Batch, Journal};
use dbwarden::listener::{Cursor, Ledger as _, Note, Source, WishKind};
use dbwarden::model::{
    self, Address, PeerSeen, ProcessSeen, Role, Sighting, Snapshot, Status, StatusSeen,
};
use dbwarden::policy::Policy;
use dbwarden::supervisor::{Effect, Input, ProbeTerms, Settings};
use dbwarden::telemetry::LoopFigures;
use dbwarden::time::{Moment, Timestamp, WallTime};
use dbwarden::warden::Warden;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// 2026-11-21T03:04:05Z.
pub(crate) const START: u64 = 1_795_230_245_000_000;

/// Seconds after the stand-in began.
pub(crate) fn at(seconds: u64) -> Moment {
    Moment::simulated(Timestamp::from_micros(START + seconds * 1_000_000))
}

/// One domain of the stand-in.
pub(crate) struct Domain {
    pub(crate) journal: Journal,
    pub(crate) figures: Arc<LoopFigures>,
    warden: Arc<Mutex<Warden>>,
}

impl Domain {
    fn new(
        name: &str,
        tasks: &mut JoinSet<()>,
        asked: &Arc<Mutex<Vec<Request>>>,
    ) -> (Self, DomainPort) {
        let mut settings = Settings::new(name.into());
        settings.policies = vec![Policy::default()];
        settings.probe = Some(ProbeTerms::default());
        settings.te_options.insert("teas".into(), Vec::new());
        let warden = Warden::new(model::Settings::default(), settings);
        let warden = Arc::new(Mutex::new(warden));
        let (sender, mut errands) = mpsc::channel(16);
        let (loop_warden, asked) = (warden.clone(), asked.clone());
        tasks.spawn(async move {
            while let Some(errand) = errands.recv().await {
                answer(&mut loop_warden.lock().unwrap(), &asked, errand);
            }
        });
        let journal = Journal::memory(7, 10_000);
        let figures = Arc::new(LoopFigures::default());
        figures.turn(at(1_000).at.as_micros());
        let port = DomainPort {
            name: name.into(),
            kind: "nuodb",
            journal: journal.clone(),
            errands: sender,
            figures: figures.clone(),
            cursors: Arc::new([("page".to_owned(), Cursor::default())]),
        };
        let domain = Self {
            journal,
            figures,
            warden,
        };
        (domain, port)
    }

    /// Has the warden handle an input, and records what it tells.
    pub(crate) fn handle(&self, seconds: u64, input: Input) {
        let mut effects = Vec::new();
        let mut warden = self.warden.lock().unwrap();
        warden.handle(at(seconds), input, &mut effects);
        drop(warden);
        let events = effects.into_iter().filter_map(|it| match it {
            Effect::Raise(event) => Some(event),
            Effect::Answer { .. } | Effect::Do(_) => None,
        });
        let events = events.collect();
        self.journal.write(Batch {
            events,
            ..Batch::default()
        });
    }

    /// Has the warden hear that a process does not answer at its port.
    pub(crate) fn silence(&self, seconds: u64, pid: u32) {
        let probes = self.warden.lock().unwrap().probes();
        let probe = probes.into_iter().find(|it| it.pid == pid).unwrap();
        self.handle(
            seconds,
            Input::Probed(Probed {
                peer: probe.peer,
                pid,
                life: probe.life,
                finding: Finding::Silent {
                    misses: 3,
                    reason: "refused".into(),
                },
            }),
        );
    }

    pub(crate) fn sight(&self, seconds: u64, sighting: Sighting) {
        self.handle(seconds, Input::Observed(Observation::Sighted(sighting)));
    }
}

fn answer(warden: &mut Warden, asked: &Mutex<Vec<Request>>, errand: Errand) {
    match errand {
        Errand::Request { request, answer } => {
            let database = match &request.wish {
                Wish::StartTe { database, .. } => database,
                Wish::Person { .. } => {
                    asked.lock().unwrap().push(request.clone());
                    let mut effects = Vec::new();
                    warden.handle(at(900), Input::Requested(request), &mut effects);
                    let said = effects.into_iter().find_map(|it| match it {
                        Effect::Answer { answer, .. } => Some(answer),
                        Effect::Do(_) | Effect::Raise(_) => None,
                    });
                    let _ = answer.send(said.unwrap());
                    return;
                }
            };
            let said = match database.as_str() {
                // As a loop that breaks.
                "silence" => return,
                "nothing" => Answer::Refused {
                    reason: "no database is called `nothing`".into(),
                },
                _ => Answer::Accepted {
                    action: None,
                    text: "it is started as soon as the gates allow".into(),
                },
            };
            asked.lock().unwrap().push(request);
            let _ = answer.send(said);
        }
        Errand::Resume { by, answer } => {
            let reason = format!("{by} asks, and nothing is lost").into();
            let _ = answer.send(Answer::Refused { reason });
        }
        Errand::View(view) => {
            let _ = view.send(warden.view(at(1_000)));
        }
        Errand::Why { entity, answer } => {
            let now = at(1_000);
            let _ = answer.send((now, warden.explain(now, &entity)));
        }
    }
}

/// Whose receivers the port has.
type Senders = (
    watch::Sender<Arc<[DomainPort]>>,
    watch::Sender<ConfigState>,
    watch::Sender<Arc<Permits>>,
);

/// The daemon.
pub(crate) struct StandIn {
    pub(crate) domains: Vec<Domain>,
    pub(crate) daemon: Journal,
    /// Where it is served over TCP.
    pub(crate) tcp: Option<SocketAddr>,
    /// What was asked of the wardens.
    pub(crate) asked: Arc<Mutex<Vec<Request>>>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    loops: JoinSet<()>,
    dir: TempDir,
    _senders: Senders,
}

impl StandIn {
    /// Starts one with a domain of each name; the listener `page` may start engines, `log` not.
    pub(crate) fn start(names: &[&str]) -> Self {
        Self::serve(names, None)
    }

    /// As [`start`](Self::start), and over TCP as well.
    pub(crate) fn serve(names: &[&str], tcp: Option<TcpSettings>) -> Self {
        let tokens = tcp.iter().flat_map(|it| it.tokens.clone()).collect();
        let tokens = watch::Sender::new(tokens);
        let tcp = tcp.map(|it| api::listen(it).unwrap());
        let address = tcp.as_ref().map(Listening::address);
        let (mut tasks, mut loops) = (JoinSet::new(), JoinSet::new());
        let asked = Arc::default();
        let made = names
            .iter()
            .map(|name| Domain::new(name, &mut loops, &asked));
        let (domains, ports): (Vec<_>, Vec<_>) = made.collect();
        let permits = Permits::from([
            ("page".to_owned(), BTreeSet::from([WishKind::StartTe])),
            ("log".to_owned(), BTreeSet::new()),
        ]);
        let senders = (
            watch::Sender::new(Arc::from(ports)),
            watch::Sender::new(ConfigState {
                generation: 1,
                loaded: at(0).wall,
                rejected: None,
            }),
            watch::Sender::new(Arc::new(permits)),
        );
        let daemon = Journal::memory(7, 1_000);
        let port = Port {
            domains: senders.0.subscribe(),
            daemon: DaemonPort {
                journal: daemon.clone(),
                version: "1.2.3",
                started: at(0).wall,
                config: senders.1.subscribe(),
                now: Now::new(|| at(1_000)),
            },
            permits: senders.2.subscribe(),
            tokens: tokens.subscribe(),
            listens: address,
        };
        let dir = TempDir::new().unwrap();
        let stop = watch::Sender::new(false);
        let socket = api::bind(&dir.path().join("run/socket")).unwrap();
        let stopped = stop.subscribe();
        tasks.spawn(async move {
            api::serve(socket, tcp, port, stopped).await.unwrap();
        });
        Self {
            domains,
            daemon,
            tcp: address,
            asked,
            stop,
            tasks,
            loops,
            dir,
            _senders: senders,
        }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("run/socket")
    }

    /// Records an event of the daemon's own.
    pub(crate) fn raise(&self, seconds: u64, kind: Kind) {
        let event = Event::new(at(seconds), None, kind, Subject::default());
        self.daemon.write(Batch {
            events: vec![event],
            ..Batch::default()
        });
    }

    /// Gives up telling a listener an event of the first domain.
    pub(crate) async fn bury(&self, listener: &str, seq: u64) {
        let journal = &self.domains[0].journal;
        let page = Source::read(journal, seq - 1, 1).await.unwrap();
        let note = Note::DeadLetter {
            event: page.events[0].clone(),
            attempts: 10,
            error: "exit status 1".to_owned(),
        };
        journal.note(listener, vec![note]).await.unwrap();
    }

    /// The command line of a client.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dbwarden"));
        command.args(args).env("DBWARDEN_SOCKET", self.socket());
        for name in ["DBWARDEN_LISTENER", "DBWARDEN_DOMAIN"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs a client to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::from(tokio::task::block_in_place(|| {
            self.command(args).output().unwrap()
        }))
    }

    /// Has the loops of the domains end, as ones that break.
    pub(crate) fn break_off(&mut self) {
        self.loops.abort_all();
    }

    /// Stops it in order, as a daemon that is told to.
    pub(crate) async fn stop(&mut self) {
        self.stop.send_replace(true);
        while !self.tasks.is_empty() && self.socket().exists() {
            tokio::task::yield_now().await;
        }
    }
}

/// How a client ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Three peers, and `teas` with an SM on the first and a TE on each of the others.
pub(crate) fn snapshot() -> Input {
    Input::Observed(Observation::Snapshot(Snapshot {
        domain: "tea".into(),
        entry: peer("a"),
        peers: vec![peer("b"), peer("c")],
        processes: vec![
            process(Role::Sm, 1, "a"),
            process(Role::Te, 2, "b"),
            process(Role::Te, 3, "c"),
        ],
    }))
}

pub(crate) fn peer(name: &str) -> PeerSeen {
    PeerSeen {
        agent_id: name.into(),
        address: Address::new(name, 48_004),
        is_broker: name == "a",
        hostname: "".into(),
        version: "2.6".into(),
    }
}

pub(crate) fn process(role: Role, pid: u32, peer: &str) -> ProcessSeen {
    ProcessSeen {
        agent_id: peer.into(),
        database: "teas".into(),
        pid,
        port: Some(48_005),
        role,
        status: Some(StatusSeen {
            status: Status::Up,
            word: "RUNNING".into(),
        }),
        hostname: "".into(),
        version: "".into(),
        node_id: Some(pid),
        start_id: None,
    }
}

/// The wall time so many seconds after the stand-in began, as people write it.
pub(crate) fn written(seconds: u64) -> String {
    WallTime::from_unix_micros(START + seconds * 1_000_000).to_string()
}
