//! Real programs that run on, and answer well, badly, or not at all.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;

use super::*;
use crate::event::{Event, Kind, Recorded, Subject};
use crate::exchange::{Place, Wish};
use crate::time::{Moment, Timestamp};

/// Long enough for a loaded machine; no test waits for it to pass.
const LONG: Duration = Duration::from_secs(60);

/// Answers each event with its id, and keeps what it reads.
const ECHO: &str = r#"
    echo $$ >> "$1/pids"
    while read -r line; do
        echo "$line" >> "$1/lines"
        id=${line#*\"id\":\"}
        echo "${id%%\"*}"
    done
"#;

struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// Returns a listener that runs `script` with the directory as `$1`.
    fn listener(&self, script: &str, timeout: Duration) -> Pipe {
        let directory = self.0.path().to_str().unwrap();
        let command = ["/bin/sh", "-c", script, "script", directory];
        let settings = ProgramSettings {
            command: command.map(str::to_owned).to_vec(),
            withhold: Vec::new(),
            socket: None,
        };
        let retry = Retry {
            tries: 1,
            first: Duration::from_millis(10),
            max: Duration::from_millis(50),
        };
        Pipe::new("script", settings, timeout, 256, retry)
    }

    fn lines(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

fn recorded(seq: u64) -> Arc<Recorded> {
    let time = Moment::simulated(Timestamp::from_micros(0));
    let subject = Subject::default();
    Arc::new(Recorded {
        epoch: 1,
        seq,
        event: Event::new(time, Some("prod".into()), Kind::ProcessFailed, subject),
    })
}

/// Tells so many events at once, and returns what the listener says.
async fn tell(listener: &mut Pipe, count: u64) -> Reply {
    let events: Vec<_> = (1..=count).map(recorded).collect();
    let delivery = Delivery {
        event: &events[0],
        attempt: 2,
        rest: &events[1..],
    };
    listener.notify(delivery).await.unwrap()
}

/// Returns which events failed, in order, and why.
fn failed(reply: Reply) -> Vec<(usize, bool, String)> {
    let mut failed: Vec<_> = reply
        .failed
        .into_iter()
        .map(|(place, error)| (place, error.is_permanent(), error.to_string()))
        .collect();
    failed.sort();
    failed
}

#[tokio::test]
async fn one_program_is_handed_many_events() {
    let bench = Bench::new();
    let mut listener = bench.listener(ECHO, LONG);
    for _ in 0..3 {
        assert_eq!(failed(tell(&mut listener, 100).await), []);
    }
    assert_eq!(bench.lines("pids").len(), 1, "it was started once");
    let lines = bench.lines("lines");
    assert_eq!(lines.len(), 300);
    let record: serde_json::Value = serde_json::from_str(&lines[6]).unwrap();
    assert_eq!(record["id"], "prod/1/7");
    assert_eq!(record["attempt"], 2);
}

#[tokio::test]
async fn more_than_a_pipe_holds_can_be_on_its_way_in_both_directions() {
    let bench = Bench::new();
    let script = r#"
        while read -r line; do
            id=${line#*\"id\":\"}
            printf '{"id":"%s","error":"%01000d","permanent":true}\n' "${id%%\"*}" 0
        done
    "#;
    let failed = failed(tell(&mut bench.listener(script, LONG), 256).await);
    assert_eq!(failed.len(), 256);
}

#[tokio::test]
async fn a_program_says_what_became_of_each_event_in_any_order() {
    let bench = Bench::new();
    let script = r#"
        read -r a; read -r b; read -r c; read -r d
        echo 'what is this'
        echo ''
        echo '{"id": 5'
        echo '{"id":"prod/1/3","ok":false,"permanent":true,"error":"never"}'
        echo '{"id":"prod/1/1","error":"not now","after":7}'
        echo 'prod/1/2'
        echo '{"id":"prod/1/4","request":{"start-te":{"database":"teas","elsewhere":true}}}'
        read -r end
    "#;
    let mut listener = bench.listener(script, LONG);
    let reply = tell(&mut listener, 4).await;
    let expected = Wish::StartTe {
        database: "teas".into(),
        place: Place::Elsewhere,
    };
    assert_eq!(reply.wishes, [expected]);
    let pauses: Vec<_> = reply.failed.iter().map(|it| it.1.pause()).collect();
    assert_eq!(pauses, [None, Some(Duration::from_secs(7))]);
    let failed = failed(reply);
    assert_eq!(failed.len(), 2);
    assert_eq!((failed[0].0, failed[0].1), (0, false));
    assert_eq!((failed[1].0, failed[1].1), (2, true));
    assert_eq!(failed[1].2, "/bin/sh says: never");
}

#[tokio::test]
async fn a_program_that_ends_is_started_again_and_only_what_it_left_fails() {
    let bench = Bench::new();
    let script = r#"
        echo $$ >> "$1/pids"
        read -r line
        echo prod/1/1
        echo 'out of paper' >&2
        exit 3
    "#;
    let mut listener = bench.listener(script, LONG);
    for _ in 0..2 {
        let failed = failed(tell(&mut listener, 2).await);
        let expected = "/bin/sh ended (exit code 3); its last words: out of paper";
        assert_eq!(failed, [(1, false, expected.to_owned())]);
    }
    assert_eq!(bench.lines("pids").len(), 2);
}

#[tokio::test]
async fn a_program_that_is_silent_is_stopped_with_its_group() {
    let bench = Bench::new();
    let script = r#"
        trap '' TERM
        sleep 1000 & echo $! > "$1/child"
        while true; do sleep 0.05; done
    "#;
    let mut listener = bench.listener(script, Duration::from_millis(500));
    let failed = failed(tell(&mut listener, 1).await);
    assert!(failed[0].2.contains("answered nothing for 500ms"));
    let child: i32 = bench.lines("child")[0].parse().unwrap();
    let child = Pid::from_raw(child).unwrap();
    let gone = async {
        loop {
            let stat = fs::read_to_string(format!("/proc/{}/stat", child.as_raw_nonzero()));
            // An orphan may wait for a parent that never reaps: dead is as good as gone.
            if test_kill_process(child).is_err() || stat.is_ok_and(|it| it.contains(") Z ")) {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, gone).await.unwrap();
}

#[tokio::test]
async fn a_program_is_asked_to_end_when_the_listener_closes() {
    let bench = Bench::new();
    let script = r#"
        trap 'echo asked > "$1/end"; exit 0' TERM
        read -r line
        echo prod/1/1
        while true; do sleep 0.05; done
    "#;
    let mut listener = bench.listener(script, LONG);
    assert_eq!(failed(tell(&mut listener, 1).await), []);
    listener.close().await;
    assert_eq!(bench.lines("end"), ["asked"]);
}

#[tokio::test]
async fn a_line_without_an_end_is_not_waited_for() {
    let bench = Bench::new();
    let script = "read -r line; while true; do printf '%01000d' 0; done";
    let failed = failed(tell(&mut bench.listener(script, LONG), 1).await);
    assert!(failed[0].2.contains("more than 65536 bytes"), "{failed:?}");
}

#[tokio::test]
async fn a_program_that_is_not_there_may_come() {
    let bench = Bench::new();
    let mut listener = bench.listener("", LONG);
    listener.settings.command = vec!["/no/such/program".to_owned()];
    let failed = failed(tell(&mut listener, 1).await);
    assert!(!failed[0].1);
    assert!(
        failed[0]
            .2
            .contains("cannot run /no/such/program: No such file")
    );
}

#[test]
fn what_cannot_be_asked_for_is_no_answer() {
    for line in [
        r#"{"id":"a","request":{"stop":{"database":"teas"}}}"#,
        r#"{"id":"a","request":{"start-te":{"database":""}}}"#,
        r#"{"id":"a","request":{"start-te":{"database":"a","on":"b","elsewhere":true}}}"#,
        r#"{"id":"a","colour":"red"}"#,
        r#"{"ok":true}"#,
    ] {
        assert!(Line::parse(line).is_err(), "{line}");
    }
}
