//! `dbwarden run` as a service manager sees it: what it is told, and when it is told nothing.
//!
//! A socket stands in for systemd; under the real one `tests/live/systemd.py` tells the story.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use tempfile::TempDir;

use crate::daemon::pid;

/// How long is waited for what must come; only a broken daemon takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The configuration, in which no broker is there.
const CONFIG: &str = "
    [daemon]
    state-directory = \"DIR/state\"
    socket = \"DIR/socket\"

    [[domain]]
    name = \"prod\"
    brokers = \"127.0.0.1:1\"
    user = \"domain\"
    password = { env = \"DBWARDEN_PASSWORD\" }
";

/// A service and what its manager was told of it, line by line.
struct Service {
    child: Child,
    socket: UnixDatagram,
    folder: TempDir,
    told: Vec<String>,
}

impl Service {
    fn start(watchdog: Option<Duration>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("notify");
        let socket = UnixDatagram::bind(&at).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let config = folder.path().join("config.toml");
        let mut service = Command::new(env!("CARGO_BIN_EXE_dbwarden"));
        service
            .args(["run", "--config"])
            .arg(&config)
            .env("NOTIFY_SOCKET", at)
            .env("DBWARDEN_PASSWORD", "bird")
            .env_remove("WATCHDOG_PID")
            .env_remove("WATCHDOG_USEC")
            .stderr(Stdio::null());
        if let Some(it) = watchdog {
            service.env("WATCHDOG_USEC", it.as_micros().to_string());
        }
        let configured = CONFIG.replace("DIR", folder.path().to_str().unwrap());
        fs::write(config, configured).unwrap();
        Self {
            child: service.spawn().unwrap(),
            socket,
            folder,
            told: Vec::new(),
        }
    }

    /// Takes what comes until a line begins so, and returns it.
    fn hears(&mut self, begin: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            let length = match self.socket.recv(&mut buffer) {
                Ok(it) => it,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => panic!("no `{begin}` ({error}) after {:?}", self.told),
            };
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            self.told.extend(text.lines().map(str::to_owned));
            if let Some(line) = text.lines().find(|it| it.starts_with(begin)) {
                return line.to_owned();
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(pid(self.child.id()), signal).unwrap();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended as it was asked to.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_is_ready_without_a_broker_tells_of_reloads_and_of_its_end() {
    let mut service = Service::start(None);
    let status = service.hears("STATUS=");
    assert_eq!(status, "STATUS=watching 1 domain by configuration 1");
    service.hears("READY=1");

    let config = service.folder.path().join("config.toml");
    let good = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{good}\nnonsense = 1\nrubbish = 2\n")).unwrap();
    service.signal(Signal::HUP);
    service.hears("RELOADING=1");
    let refused = service.hears("STATUS=");
    let expected = "STATUS=the new configuration is refused, 1 stays: ";
    assert!(refused.starts_with(expected), "{refused}");
    assert!(
        refused.contains("nonsense") && refused.ends_with("(and 1 more)"),
        "{refused}"
    );
    service.hears("READY=1");

    fs::write(&config, &good).unwrap();
    service.signal(Signal::HUP);
    service.hears("RELOADING=1");
    let status = service.hears("STATUS=");
    assert_eq!(status, "STATUS=watching 1 domain by configuration 2");
    service.hears("READY=1");

    service.signal(Signal::TERM);
    service.hears("STOPPING=1");
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
    // Nobody asked whether it is alive.
    assert!(!service.told.iter().any(|it| it.starts_with("WATCHDOG")));
}

#[test]
fn it_says_that_it_is_alive_to_who_asked() {
    let mut service = Service::start(Some(Duration::from_millis(400)));
    service.hears("READY=1");
    for _ in 0..5 {
        service.hears("WATCHDOG=1");
    }
    service.signal(Signal::TERM);
    service.hears("STOPPING=1");
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
}
