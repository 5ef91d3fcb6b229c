//! Real programs, told real events.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::*;
use crate::event::{Event, Kind, Recorded, Subject};
use crate::time::{Moment, Timestamp};

/// Long enough for a loaded machine; no test waits for it to pass.
const LONG: Duration = Duration::from_secs(60);
/// For tests that do wait for it.
const SHORT: Duration = Duration::from_millis(50);

/// A directory, and a shell script in it.
struct Bench(TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// Returns a listener that runs `script` with the directory as `$1`.
    fn listener(&self, script: &str, timeout: Duration) -> Exec {
        let directory = self.0.path().to_str().unwrap();
        let command = ["/bin/sh", "-c", script, "script", directory];
        let settings = ProgramSettings {
            command: command.map(str::to_owned).to_vec(),
            withhold: vec!["HOME".to_owned()],
            socket: Some("/run/dbwarden.sock".into()),
        };
        Exec::new("script", settings, timeout)
    }

    async fn run(&self, script: &str, timeout: Duration) -> Result<(), ListenerError> {
        let event = recorded();
        let delivery = Delivery {
            event: &event,
            attempt: 3,
            rest: &[],
        };
        let mut listener = self.listener(script, timeout);
        listener.notify(delivery).await.map(drop)
    }

    /// Starts `script` without a timeout.
    fn start(&self, script: &str) -> Running {
        let settings = self.listener(script, LONG).settings;
        Running::start("script", &settings, &Record::new(&recorded())).unwrap()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    /// Waits until a script has written the process id in `file`.
    async fn pid(&self, file: &str) -> Pid {
        let written = async {
            loop {
                let text = fs::read_to_string(self.path(file)).unwrap_or_default();
                if text.ends_with('\n') {
                    return text.trim().parse().unwrap();
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        Pid::from_raw(timeout(LONG, written).await.unwrap()).unwrap()
    }
}

/// Waits until a process is gone and reaped, by whoever is its parent.
async fn until_gone(pid: Pid) {
    let gone = async {
        while !is_gone(pid) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, gone).await.unwrap();
}

/// An orphan may wait for a parent that never reaps, as in containers: dead is as good as gone.
fn is_gone(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    test_kill_process(pid).is_err() || stat.is_ok_and(|it| it.contains(") Z "))
}

fn recorded() -> Recorded {
    let time = Moment::simulated(Timestamp::from_micros(0));
    Recorded {
        epoch: 1,
        seq: 5,
        event: Event {
            text: Some("a 'text'; $(with) \"traps\"\n".into()),
            ..Event::new(
                time,
                Some("prod".into()),
                Kind::ProcessFailed,
                Subject::default(),
            )
        },
    }
}

#[tokio::test]
async fn a_program_gets_the_event_on_its_input_and_in_its_environment() {
    let bench = Bench::new();
    let script = r#"cat > "$1/line"; env | sort > "$1/env"; echo told"#;
    bench.run(script, LONG).await.unwrap();

    let line = bench.read("line");
    assert_eq!(line.matches('\n').count(), 1, "{line}");
    let record: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record["id"], "prod/1/5");
    assert_eq!(record["text"], "a 'text'; $(with) \"traps\"\n");
    assert_eq!(record["attempt"], 3);

    let environment = bench.read("env");
    for expected in [
        "DBWARDEN_EVENT=process_failed\n",
        "DBWARDEN_ID=prod/1/5\n",
        "DBWARDEN_ATTEMPT=3\n",
        "DBWARDEN_LISTENER=script\n",
        "DBWARDEN_SOCKET=/run/dbwarden.sock\n",
        "DBWARDEN_TEXT=a 'text'; $(with) \"traps\"\n",
        "PATH=",
    ] {
        assert!(environment.contains(expected), "{expected}: {environment}");
    }
    assert!(!environment.contains("\nHOME="), "{environment}");
}

#[tokio::test]
async fn exit_codes_say_whether_to_try_again() {
    let bench = Bench::new();
    for code in [64, 65, 77, 78] {
        let error = bench.run(&format!("exit {code}"), LONG).await.unwrap_err();
        assert!(error.is_permanent(), "{error}");
    }
    for code in [1, 2, 66, 75, 255] {
        let error = bench.run(&format!("exit {code}"), LONG).await.unwrap_err();
        assert!(!error.is_permanent(), "{error}");
        assert!(error.to_string().ends_with(&format!("exited with {code}")));
    }
    let error = bench.run("kill -9 $$", LONG).await.unwrap_err();
    assert!(!error.is_permanent(), "{error}");
    assert!(error.to_string().contains("signal 9"), "{error}");
}

#[tokio::test]
async fn the_last_words_of_a_program_are_kept() {
    let bench = Bench::new();
    let script = "echo first; echo second >&2; exit 1";
    let error = bench.run(script, LONG).await.unwrap_err().to_string();
    assert!(error.ends_with(r"its last words: first\nsecond"), "{error}");

    let script = "i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i+1)); done; exit 1";
    let error = bench.run(script, LONG).await.unwrap_err().to_string();
    assert!(error.ends_with(r"line 3998\nline 3999"), "{error}");
    // A line feed is shown as two characters.
    assert!(error.replace(r"\n", "\n").len() < 8 * 1024 + 100);
    assert!(error.len() > 8 * 1024);
}

#[tokio::test]
async fn a_program_that_reads_nothing_is_no_failure() {
    let bench = Bench::new();
    bench.run("exec <&-; exit 0", LONG).await.unwrap();
    bench.run("exec <&- >&- 2>&-; exit 0", LONG).await.unwrap();
}

#[tokio::test]
async fn a_program_that_is_not_there_may_come() {
    let settings = ProgramSettings {
        command: vec!["/no/such/program".to_owned()],
        withhold: Vec::new(),
        socket: None,
    };
    let event = recorded();
    let delivery = Delivery {
        event: &event,
        attempt: 1,
        rest: &[],
    };
    let mut listener = Exec::new("missing", settings, LONG);
    let error = listener.notify(delivery).await.unwrap_err();
    assert!(!error.is_permanent());
    let text = error.to_string();
    assert!(
        text.contains("cannot run /no/such/program: No such file"),
        "{text}"
    );
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_stopped_and_tried_again() {
    let bench = Bench::new();
    let error = bench.run("sleep 1000", SHORT).await.unwrap_err();
    assert!(!error.is_permanent());
    assert!(error.to_string().contains("stopped after 50ms"), "{error}");
}

#[tokio::test]
async fn a_program_is_asked_to_end_before_it_is_killed() {
    let bench = Bench::new();
    let script = r#"
        trap 'echo asked; exit 3' TERM
        echo $$ > "$1/self"
        while true; do sleep 0.05; done
    "#;
    let mut running = bench.start(script);
    bench.pid("self").await;
    running.terminate().await;
    assert_eq!(running.end(LINGER).await.unwrap().code(), Some(3));
    assert!(running.output().contains("asked"), "{}", running.output());
}

#[tokio::test]
async fn a_program_that_will_not_end_is_killed_with_its_group() {
    let bench = Bench::new();
    let script = r#"
        trap '' TERM
        sleep 1000 & echo $! > "$1/child"
        echo $$ > "$1/self"
        while true; do sleep 0.05; done
    "#;
    let mut running = bench.start(script);
    let own = bench.pid("self").await;
    running.terminate().await;
    let status = running.end(Duration::ZERO).await.unwrap();
    assert_eq!(status.signal(), Some(9));
    assert!(test_kill_process(own).is_err(), "it is not even a zombie");
    until_gone(bench.pid("child").await).await;
}

#[tokio::test]
async fn what_a_program_leaves_behind_ends_with_it() {
    let bench = Bench::new();
    let script = r#"sleep 1000 & echo $! > "$1/child"; echo bye; exit 1"#;
    let error = bench.run(script, LONG).await.unwrap_err().to_string();
    assert!(error.ends_with("its last words: bye"), "{error}");
    until_gone(bench.pid("child").await).await;
}

#[tokio::test]
async fn nobody_outlives_a_dropped_run() {
    let bench = Bench::new();
    let script = r#"
        sleep 1000 & echo $! > "$1/child"
        echo $$ > "$1/self"
        wait
    "#;
    let (own, child) = tokio::select! {
        _ = bench.run(script, LONG) => panic!("it waits for its child"),
        pids = async { (bench.pid("self").await, bench.pid("child").await) } => pids,
    };
    until_gone(own).await;
    until_gone(child).await;
}

#[test]
fn a_program_that_others_can_change_is_refused() {
    let bench = Bench::new();
    let script = bench.path("script");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    let with_mode = |mode| {
        fs::set_permissions(&script, fs::Permissions::from_mode(mode)).unwrap();
        check_program(&script)
    };
    with_mode(0o755).unwrap();
    with_mode(0o700).unwrap();
    for (mode, words) in [
        (0o644, "not executable"),
        (0o775, "by others (mode 0775)"),
        (0o757, "by others (mode 0757)"),
    ] {
        let error = with_mode(mode).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    with_mode(0o755).unwrap();
    let link = bench.path("link");
    symlink(&script, &link).unwrap();
    check_program(&link).unwrap();
    with_mode(0o757).unwrap_err();
    check_program(&link).unwrap_err();

    with_mode(0o755).unwrap();
    fs::set_permissions(bench.0.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let error = check_program(&script).unwrap_err().to_string();
    assert!(error.contains("by others (mode 0777)"), "{error}");
    fs::set_permissions(bench.0.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    check_program(&script).unwrap();

    for (path, words) in [
        ("script", "no absolute path"),
        ("/no/such/program", "cannot find"),
        ("/", "no file"),
    ] {
        let error = check_program(Path::new(path)).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
