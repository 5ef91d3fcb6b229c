//! The real daemon, on real sockets, with real processes.
//!
//! Both ends are read from the sandbox's own records: when it had taken in the end of an engine,
//! which it tells next, and when it had taken in the request. What its own queues take is in it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dbwarden::model::Role;
use dbwarden::sandbox::serve::{DatabaseSettings, EngineInfo, Sandbox, Settings};
use dbwarden::sandbox::world::{Asker, Fault, Pace, StartRecord};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::{ROUNDS, runtime};

/// What the model waits to see whether the peer is gone as well, by default.
pub(crate) const EXIT_SETTLE: Duration = Duration::from_millis(50);

/// How often it is looked whether something has happened.
const STEP: Duration = Duration::from_millis(5);

/// So many looks are longer than anything takes.
const PATIENCE: u32 = 12_000;

/// Exits follow each other faster than in life: whatever would wait for that reason does not.
const CONFIG: &str = r#"
    [daemon]
    state-directory = "DIR/state"
    socket = "DIR/socket"

    [[domain]]
    name = "prod"
    brokers = ["BROKER"]
    user = "domain"
    password = { file = "DIR/password" }
    settle = "50ms"
    max-actions = 1000
    action-window = "10s"

    [[domain.database]]
    name = "teas"
    te-options = []

    [[policy]]
    te = { min = 2 }
    min-uptime = "1ms"
    confirm-for = "1ms"
    return-grace = "50ms"
"#;

/// Returns how long each reaction took.
pub(crate) fn measure() -> Vec<Duration> {
    runtime().block_on(async {
        let settings = Settings {
            peers: 4,
            pace: Pace::scaled(0),
            databases: vec![DatabaseSettings {
                name: "teas".to_owned(),
                te: 2,
                sm: 1,
            }],
            engine_program: Some(env!("CARGO_BIN_EXE_dbwarden").into()),
            ..Settings::default()
        };
        let sandbox = Sandbox::start(settings).await.expect("it starts");
        let daemon = Daemon::start(&sandbox);
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            times.push(lose(&sandbox).await);
        }
        drop(daemon);
        sandbox.stop().await;
        times
    })
}

/// An engine is killed, and another is asked for.
async fn lose(sandbox: &Sandbox) -> Duration {
    let lost = whole(sandbox).await;
    let known = sandbox.starts().await.expect("it runs").len();
    let fault = Fault::Crash { pid: lost.pid };
    sandbox.control(fault).await.expect("it is there");
    for _ in 0..PATIENCE {
        sleep(STEP).await;
        let starts = sandbox.starts().await.expect("it runs");
        let ended = starts.iter().find_map(|it| ended(it, &lost));
        if let Some((asked, ended)) = starts.get(known).zip(ended) {
            assert!(matches!(asked.asker, Asker::Client(_)), "{asked:?}");
            return asked.at.since(ended);
        }
    }
    panic!("nothing is started in place of {lost:?}");
}

fn ended(it: &StartRecord, lost: &EngineInfo) -> Option<dbwarden::time::Timestamp> {
    it.ended.filter(|_| it.pid == Some(lost.pid))
}

/// Waits until everything runs and has for a while, and returns the oldest transaction engine.
async fn whole(sandbox: &Sandbox) -> EngineInfo {
    for _ in 0..PATIENCE {
        let engines = sandbox.engines().await.expect("it runs");
        let has_settled = engines.iter().all(|it| it.status == Some("RUNNING"));
        if engines.len() == 3 && has_settled && sandbox_is_watched(sandbox).await {
            // The daemon hears of it, and writes it down.
            sleep(STEP * 6).await;
            let mut engines = engines.into_iter();
            return engines
                .find(|it| it.role == Role::Te)
                .expect("there are two");
        }
        sleep(STEP).await;
    }
    panic!("the domain is never whole");
}

async fn sandbox_is_watched(sandbox: &Sandbox) -> bool {
    !sandbox.survey().await.expect("it runs").monitors.is_empty()
}

/// The daemon, until this is dropped.
struct Daemon {
    child: Child,
    _dir: TempDir,
}

impl Daemon {
    fn start(sandbox: &Sandbox) -> Self {
        // Where the build lies there is a disk; what is temporary may be memory.
        let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory can be made");
        let path = dir.path().to_str().expect("it has a plain name");
        let config = CONFIG
            .replace("DIR", path)
            .replace("BROKER", &sandbox.peers()[0].address.to_string());
        for (name, text) in [("config.toml", config.as_str()), ("password", "bird")] {
            let path = dir.path().join(name);
            fs::write(&path, text).expect("there is room");
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("it is ours");
        }
        let child = Command::new(env!("CARGO_BIN_EXE_dbwarden"))
            .args(["run", "--config"])
            .arg(dir.path().join("config.toml"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.expect("it was built with this");
        Self { child, _dir: dir }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended, and then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
