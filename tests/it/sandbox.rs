//! The sandbox as its clients see it: real sockets, real children.

pub(crate) mod caller;
pub(crate) mod outside;

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::time::Duration;

use dbwarden::model::Role;
use dbwarden::nuodb::cipher::CipherName;
use dbwarden::nuodb::client::ClientError;
use dbwarden::nuodb::message::{Event, Request, Style};
use dbwarden::sandbox::serve::{DatabaseSettings, Sandbox, SandboxError, Settings, TlsSettings};
use dbwarden::sandbox::world::{Fault, FaultError, NextStart, Pace, PeerNumber};
use dbwarden::transport::{TlsClient, TlsClientSettings, TransportClass, dial};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use caller::{Caller, PATIENCE, ask, connect, kill, shutdown, start};

/// Long enough for an answer to come that must not come. A test that waits for it in vain has
/// found nothing, and a slow machine lets it pass.
const A_WHILE: Duration = Duration::from_millis(100);

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_dbwarden").into()
}

fn settings() -> Settings {
    Settings {
        pace: Pace::scaled(0),
        engine_program: Some(program()),
        ..Settings::default()
    }
}

/// A sandbox with the database `teas`: its storage manager at peer 1, its engines at 2 and 3.
async fn teas() -> Sandbox {
    Sandbox::start(Settings {
        databases: vec![DatabaseSettings {
            name: "teas".to_owned(),
            te: 2,
            sm: 1,
        }],
        ..settings()
    })
    .await
    .unwrap()
}

async fn empty() -> Sandbox {
    Sandbox::start(settings()).await.unwrap()
}

fn at(sandbox: &Sandbox, number: usize) -> SocketAddrV4 {
    sandbox.peers()[number - 1].address
}

async fn pid_at(sandbox: &Sandbox, number: u16) -> u32 {
    let engines = sandbox.engines().await.unwrap();
    let mut at_peer = engines.iter().filter(|it| it.peer == PeerNumber(number));
    at_peer.next().unwrap().pid
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().unwrap()).unwrap()
}

fn lives(number: u32) -> bool {
    test_kill_process(pid(number)).is_ok()
}

const BOTH: [PeerNumber; 2] = [PeerNumber(2), PeerNumber(3)];

#[tokio::test]
async fn what_runs_from_the_beginning_is_in_the_snapshot_and_in_the_list() {
    let sandbox = teas().await;
    let (_monitor, status) = Caller::monitor(at(&sandbox, 2)).await;
    assert_eq!(&*status.domain, "sandbox");
    assert!(status.entry.is_broker);
    let others: Vec<_> = status.peers.iter().map(|it| it.port.unwrap()).collect();
    assert_eq!(others, [at(&sandbox, 1).port(), at(&sandbox, 3).port()]);
    let seen: BTreeSet<u32> = status.processes.iter().map(|it| it.pid).collect();
    for process in &status.processes {
        assert_eq!(process.state.as_deref(), Some("RUNNING"), "{process:?}");
        assert!(lives(process.pid), "{process:?}");
        // Its port is real: it accepts and closes.
        let address = SocketAddrV4::new([127, 0, 0, 1].into(), process.port.unwrap());
        let end = connect(address, None).await.read(&mut [0]).await;
        assert!(matches!(end, Ok(0) | Err(_)));
    }
    let engines = sandbox.engines().await.unwrap();
    let listed: BTreeSet<u32> = engines.iter().map(|it| it.pid).collect();
    assert_eq!(seen, listed);
    let roles: Vec<Role> = engines.iter().map(|it| it.role).collect();
    assert_eq!(roles, [Role::Sm, Role::Te, Role::Te]);
    sandbox.stop().await;
    assert!(
        !seen.into_iter().any(lives),
        "an engine outlived its sandbox"
    );
}

#[tokio::test]
async fn a_start_joins_and_runs_and_a_kill_from_outside_is_noticed() {
    let sandbox = teas().await;
    let (mut monitor, _) = Caller::monitor(at(&sandbox, 1)).await;
    let start_id = start(at(&sandbox, 3), &[("--database", "teas")]).await;
    let Event::NewProcess(process) = monitor.event().await else {
        panic!("a start begins with NewProcess");
    };
    assert_eq!(process.start_id.as_deref(), Some(start_id.as_str()));
    let number = process.pid;
    assert_eq!(monitor.heard().await, format!("ACTIVE {number}"));
    assert_eq!(monitor.heard().await, format!("RUNNING {number}"));
    kill_process(pid(number), Signal::KILL).unwrap();
    assert_eq!(monitor.heard().await, format!("ProcessExit {number}"));
    sandbox.stop().await;
}

#[tokio::test]
async fn an_engine_ends_at_once_or_by_itself() {
    let sandbox = teas().await;
    let (mut monitor, status) = Caller::monitor(at(&sandbox, 1)).await;
    let killed = pid_at(&sandbox, 2).await;
    assert_eq!(kill(at(&sandbox, 2), killed).await, "137");
    assert_eq!(monitor.heard().await, format!("ProcessExit {killed}"));
    let other = pid_at(&sandbox, 3).await;
    let mut all = status.processes.iter();
    let process = all.find(|it| it.pid == other).unwrap();
    monitor.send(&shutdown(process)).await;
    assert_eq!(monitor.heard().await, format!("SHUTTING_DOWN {other}"));
    assert_eq!(monitor.heard().await, format!("ProcessExit {other}"));
    // A healer brings nothing but the name of the database.
    start(at(&sandbox, 3), &[("--database", "teas")]).await;
    assert!(monitor.heard().await.starts_with("NewProcess"));
    sandbox.stop().await;
}

#[tokio::test]
async fn an_archive_is_made_once_and_has_one_storage_manager() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("deep/teas");
    let archive = archive.to_str().unwrap();
    let sandbox = empty().await;
    let peer = at(&sandbox, 1);
    let (mut monitor, _) = Caller::monitor(peer).await;
    let old = [("--archive", archive), ("--database", "teas")];
    let new = [("--initialize", ""), old[0], old[1]];
    let failed = async |monitor: &mut Caller, reason: &str| {
        assert_eq!(monitor.heard().await, format!("ProcessFailed {reason}"));
        let last = "ProcessFailed Unknown startup failure";
        assert_eq!(monitor.heard().await, last);
    };

    start(peer, &old).await;
    let missing = "Archive does not exist; a new one takes --initialize";
    failed(&mut monitor, &format!("{archive}: {missing}")).await;

    start(peer, &new).await;
    let joined = monitor.heard().await;
    let number: u32 = joined.strip_prefix("NewProcess ").unwrap().parse().unwrap();
    monitor.heard().await;
    monitor.heard().await;
    for options in [&old[..], &new[..]] {
        start(at(&sandbox, 2), options).await;
        failed(
            &mut monitor,
            &format!("Archive is already in use: {archive}"),
        )
        .await;
    }

    assert_eq!(kill(peer, number).await, "137");
    assert_eq!(monitor.heard().await, format!("ProcessExit {number}"));
    start(peer, &new).await;
    let present = "Archive exists already and is not initialized again";
    failed(&mut monitor, &format!("{archive}: {present}")).await;
    start(peer, &old).await;
    assert!(monitor.heard().await.starts_with("NewProcess"));

    start(peer, &[("--archive", "/proc/none"), new[0], new[2]]).await;
    monitor.heard().await;
    monitor.heard().await;
    let reason = monitor.heard().await;
    assert!(
        reason.starts_with("ProcessFailed /proc/none: Unable to create archive directory: "),
        "{reason}"
    );
    sandbox.stop().await;
}

#[tokio::test]
async fn a_lost_peer_refuses_and_returns_as_another_with_the_same_engines() {
    let sandbox = teas().await;
    let (lost, address) = (PeerNumber(2), at(&sandbox, 2));
    let (mut watcher, before) = Caller::monitor(at(&sandbox, 1)).await;
    let (mut victim, _) = Caller::monitor(address).await;
    let number = pid_at(&sandbox, 2).await;
    let exits_first = false;
    let fault = Fault::Lose {
        peer: lost,
        exits_first,
    };
    sandbox.control(fault.clone()).await.unwrap();
    assert!(victim.is_cut().await);
    let refused = dial("127.0.0.1", address.port(), None, PATIENCE).await;
    assert_eq!(refused.unwrap_err().class(), TransportClass::Connection);
    let port = address.port();
    assert_eq!(watcher.heard().await, format!("BrokerExit {port}"));
    assert_eq!(watcher.heard().await, format!("ProcessExit {number}"));
    assert!(lives(number), "engines live on without their agent");
    let again = sandbox.control(fault).await.unwrap_err();
    assert!(matches!(again, SandboxError::Fault(FaultError::Lost(_))));

    sandbox.control(Fault::Return { peer: lost }).await.unwrap();
    let Event::NewBroker(returned) = watcher.event().await else {
        panic!("a return begins with NewBroker");
    };
    let old = before
        .peers
        .iter()
        .find(|it| it.port == Some(port))
        .unwrap();
    assert_ne!(returned.agent_id, old.agent_id);
    let Event::NewProcess(process) = watcher.event().await else {
        panic!("engines that live on are told of");
    };
    assert_eq!((process.pid, process.start_id), (number, None));
    assert_eq!(process.state.as_deref(), Some("RUNNING"));
    let (_, status) = Caller::monitor(address).await;
    assert_eq!(status.entry.agent_id, returned.agent_id);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_muted_peer_holds_everything_back_until_it_is_not() {
    let sandbox = teas().await;
    let (mut heard, _) = Caller::monitor(at(&sandbox, 1)).await;
    let (mut muted, _) = Caller::monitor(at(&sandbox, 2)).await;
    let peer = PeerNumber(2);
    sandbox.control(Fault::Mute { peer }).await.unwrap();
    let number = pid_at(&sandbox, 3).await;
    sandbox.control(Fault::Crash { pid: number }).await.unwrap();
    assert_eq!(heard.heard().await, format!("ProcessExit {number}"));
    let mut probe = connect(at(&sandbox, 2), None).await;
    probe.write_all(b"~~~~stat ").await.unwrap();
    let mut answer = [0; 5];
    let silence = timeout(A_WHILE, probe.read_exact(&mut answer)).await;
    assert!(silence.is_err(), "a muted peer answers");
    sandbox.control(Fault::Unmute { peer }).await.unwrap();
    assert_eq!(muted.heard().await, format!("ProcessExit {number}"));
    timeout(PATIENCE, probe.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"<ok/>");
    sandbox.stop().await;
}

#[tokio::test]
async fn a_peer_with_a_delay_answers_late_and_others_in_time() {
    let sandbox = empty().await;
    let identity = || Request::new("Identity", Style::Request);
    let by = Duration::from_hours(1);
    let peer = PeerNumber(2);
    sandbox.control(Fault::Delay { peer, by }).await.unwrap();
    let mut late = Box::pin(ask(at(&sandbox, 2), identity()));
    let early = timeout(A_WHILE, &mut late).await;
    assert!(early.is_err(), "an answer came in time");
    ask(at(&sandbox, 1), identity()).await.unwrap();
    let by = Duration::ZERO;
    sandbox.control(Fault::Delay { peer, by }).await.unwrap();
    late.await.unwrap();
    sandbox.stop().await;
}

#[tokio::test]
async fn sessions_break_one_by_one_or_all_of_a_peer() {
    let sandbox = empty().await;
    let (mut first, _) = Caller::monitor(at(&sandbox, 1)).await;
    let (mut second, _) = Caller::monitor(at(&sandbox, 1)).await;
    let (mut other, _) = Caller::monitor(at(&sandbox, 2)).await;
    let monitors = sandbox.survey().await.unwrap().monitors;
    assert_eq!(monitors.len(), 3);
    let session = monitors[0].0;
    sandbox
        .control(Fault::DropSession { session })
        .await
        .unwrap();
    assert!(first.is_cut().await);
    let peer = PeerNumber(1);
    sandbox.control(Fault::Drop { peer }).await.unwrap();
    assert!(second.is_cut().await);
    // It may be opened anew, and the sessions of other peers go on.
    Caller::monitor(at(&sandbox, 1)).await;
    let exits_first = false;
    sandbox
        .control(Fault::Lose { peer, exits_first })
        .await
        .unwrap();
    let port = at(&sandbox, 1).port();
    assert_eq!(other.heard().await, format!("BrokerExit {port}"));
    sandbox.stop().await;
}

#[tokio::test]
async fn the_next_starts_fail_as_asked() {
    let sandbox = teas().await;
    let (mut monitor, _) = Caller::monitor(at(&sandbox, 1)).await;
    for peer in BOTH {
        let reason = format!("no luck at {peer}").into();
        let how = NextStart::Fail { reason };
        sandbox
            .control(Fault::FailNext { peer, how })
            .await
            .unwrap();
        let how = NextStart::Silent;
        sandbox
            .control(Fault::FailNext { peer, how })
            .await
            .unwrap();
        let address = sandbox.peers()[peer.index()].address;
        let options = [("--database", "teas")];
        start(address, &options).await;
        let told = format!("ProcessFailed no luck at {peer}");
        assert_eq!(monitor.heard().await, told);
        monitor.heard().await;
        start(address, &options).await;
        // Had the silent one been told of, it would come now.
        start(address, &options).await;
        assert!(monitor.heard().await.starts_with("NewProcess"));
        assert!(monitor.heard().await.starts_with("ACTIVE"));
        assert!(monitor.heard().await.starts_with("RUNNING"));
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn who_does_not_know_the_password_is_not_let_in() {
    let sandbox = Sandbox::start(Settings {
        ciphers: vec![CipherName::Aes128Ctr],
        ..settings()
    })
    .await
    .unwrap();
    let monitor = || Request::new("Monitor", Style::Connect);
    let stream = connect(at(&sandbox, 1), None).await;
    let mut caller = Caller::open_on(stream, "wrong", monitor());
    assert_eq!(caller.next().await, Err(ClientError::WrongPassword));
    // An agent watches its own engines only.
    let mut caller = Caller::open(at(&sandbox, 3), monitor()).await;
    let refused = caller.next().await;
    assert!(
        matches!(refused, Err(ClientError::Refused { .. })),
        "{refused:?}"
    );
    sandbox.stop().await;
}

#[tokio::test]
async fn tls_takes_a_certificate_of_the_client_if_so_asked() {
    let sandbox = Sandbox::start(Settings {
        tls: Some(TlsSettings {
            dir: None,
            require_client_cert: true,
        }),
        ..settings()
    })
    .await
    .unwrap();
    let files = sandbox.tls_files().unwrap();
    let own = (files.client_cert.clone(), files.client_key.clone());
    let tls = |own: Option<(PathBuf, PathBuf)>| {
        let (cert, key) = own.unzip();
        TlsClient::load(&TlsClientSettings {
            ca: Some(files.ca.clone()),
            cert,
            key,
            verify_name: true,
        })
    };
    let identity = || Request::new("Identity", Style::Request);
    let known = tls(Some(own)).unwrap();
    let stream = connect(at(&sandbox, 1), Some(&known)).await;
    Caller::open_on(stream, "bird", identity())
        .next()
        .await
        .unwrap();

    let unknown = tls(None).unwrap();
    let port = at(&sandbox, 1).port();
    // With TLS 1.3 the refusal comes with the first read.
    if let Ok(stream) = dial("localhost", port, Some(&unknown), PATIENCE).await {
        let mut caller = Caller::open_on(stream, "bird", identity());
        assert!(caller.next().await.is_err());
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn what_makes_no_sense_does_not_start() {
    let wrong = [
        Settings {
            peers: 0,
            ..settings()
        },
        Settings {
            brokers: 4,
            ..settings()
        },
        Settings {
            listen: "192.0.2.1:0".parse().unwrap(),
            ..settings()
        },
        Settings {
            ciphers: Vec::new(),
            ..settings()
        },
    ];
    for settings in wrong {
        let error = Sandbox::start(settings).await.unwrap_err();
        assert!(matches!(error, SandboxError::Settings(_)), "{error}");
    }
    let taken = empty().await;
    let error = Sandbox::start(Settings {
        listen: at(&taken, 1),
        ..settings()
    })
    .await
    .unwrap_err();
    let SandboxError::Bind { source, .. } = error else {
        panic!("a port was taken twice: {error}");
    };
    assert_eq!(source.kind(), io::ErrorKind::AddrInUse);
    let error = Sandbox::start(Settings {
        engine_program: Some("/none".into()),
        databases: vec![DatabaseSettings {
            name: "teas".to_owned(),
            te: 1,
            sm: 0,
        }],
        ..settings()
    })
    .await
    .unwrap_err();
    assert!(
        error.to_string().contains("Unable to start a process"),
        "{error}"
    );
    taken.stop().await;
}
