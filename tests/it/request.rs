//! The real daemon with every policy off, asked by a script and by many at once.
//!
//! Who may ask for what, and what is answered to nonsense, is shown in `api.rs`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use crate::daemon::{Daemon, engines, pid, running_te, teas};
use crate::sandbox::outside::{Running, eventually};

/// So many ask at once.
const AT_ONCE: usize = 1_000;

/// The script of docs/cli.md that is a restart policy.
fn script() -> String {
    let page = include_str!("../../docs/cli.md");
    let blocks = page.split("```sh\n").skip(1);
    let mut blocks = blocks.filter_map(|it| it.split("```").next());
    let script = blocks.find(|it| it.starts_with("#!/bin/sh")).unwrap();
    script.to_owned()
}

/// The number of the peer that runs the engine of that pid.
fn peer_of(sandbox: &Running, pid: u32) -> Value {
    let found = engines(sandbox).into_iter().find(|it| it["pid"] == pid);
    found.unwrap()["peer"].clone()
}

#[test]
fn a_script_is_the_restart_policy() {
    let sandbox = Running::start(&["--database", "teas", "--te", "1", "--sm", "1"]);
    let listener = "
        [[listener]]
        name = \"restart\"
        kind = \"exec\"
        command = [\"/bin/sh\", \"DIR/restart\"]
        events = [\"process_failed\"]
        on-connect = \"changes\"
        may-request = [\"start-te\"]

        [[listener]]
        name = \"log\"
        kind = \"log\"
    ";
    let daemon = Daemon::start(&format!("{}{listener}", teas(&sandbox)));
    let program = Path::new(env!("CARGO_BIN_EXE_dbwarden"));
    let path = program.parent().unwrap().display();
    let script = format!("PATH={path}:$PATH\n{}", script());
    fs::write(daemon.path("restart"), script).unwrap();
    daemon.says(&["domain_thawed"]);
    let before = running_te(&sandbox)[0];
    let peer = peer_of(&sandbox, before);
    kill_process(pid(before), Signal::KILL).unwrap();
    eventually("another engine runs", || {
        let now = running_te(&sandbox);
        now.len() == 1 && now[0] != before
    });
    let after = running_te(&sandbox)[0];
    assert_ne!(peer_of(&sandbox, after), peer, "elsewhere");
    daemon.says(&["action_succeeded"]);
    let log = daemon.end();
    assert!(log.contains("listener restart"), "who asked: {log}");
    assert_eq!(log.matches("event=\"action_started\"").count(), 1, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_who_ask_at_once_start_one() {
    let sandbox = Running::start(&["--database", "teas", "--te", "1", "--sm", "1"]);
    let daemon = Daemon::start(&teas(&sandbox));
    tokio::task::block_in_place(|| daemon.says(&["domain_thawed"]));
    let before = running_te(&sandbox)[0];
    kill_process(pid(before), Signal::KILL).unwrap();
    tokio::task::block_in_place(|| daemon.says(&["process_failed"]));
    let mut askers = JoinSet::new();
    for _ in 0..AT_ONCE {
        askers.spawn(post(daemon.path("dbwarden.sock")));
    }
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(status) = askers.join_next().await {
        *answers.entry(status.unwrap()).or_default() += 1;
    }
    assert_eq!(answers.values().sum::<usize>(), AT_ONCE);
    let known = answers.keys().all(|it| it == "200" || it == "409");
    assert!(known && answers.contains_key("200"), "{answers:?}");
    tokio::task::block_in_place(|| {
        eventually("it is started", || running_te(&sandbox).len() == 1);
        daemon.says(&["action_succeeded"]);
        // Asked once more there is nothing to do, and whatever was on its way has come by then.
        let again = daemon.ask(&["request", "start-te", "teas"]);
        assert_eq!(again.status.code(), Some(1), "{again:?}");
        let now = engines(&sandbox);
        let engines = now.iter().filter(|it| it["role"] == "TE").count();
        assert_eq!(engines, 1, "{now:?}");
        let log = daemon.end();
        let joined = log.matches("event=\"process_joined\"").count();
        // One that was there before, its SM, and the one that was started.
        assert_eq!(joined, 3, "{log}");
    });
}

/// Asks for an engine elsewhere, and returns the status of the answer.
async fn post(socket: PathBuf) -> String {
    let body = r#"{"start-te":{"database":"teas","elsewhere":true}}"#;
    let request = format!(
        "POST /api/v1/domains/prod/requests HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut said = String::new();
    while said.is_empty() {
        // The queue of the socket may be full for a moment.
        let Ok(mut stream) = UnixStream::connect(&socket).await else {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            continue;
        };
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.read_to_string(&mut said).await.unwrap();
    }
    said.split(' ').nth(1).unwrap().to_owned()
}
