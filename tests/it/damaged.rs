//! The real daemon on a journal that is damaged, on a disk that is full, and beside another one.
//!
//! What a journal by itself makes of every kind of damage is shown in `journal/damage.rs`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rusqlite::Connection;
use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::daemon::{Daemon, ELSEWHERE_AT_ONCE, pid, running_te, teas};
use crate::sandbox::outside::{Running, eventually};

/// A listener that writes down whatever it is told, and one whose events are in the log.
const SCRIBE: &str = "
    [[listener]]
    name = \"scribe\"
    kind = \"exec\"
    command = [\"/bin/sh\", \"-c\", \"cat >> DIR/told\"]
    best-effort = true

    [[listener]]
    name = \"log\"
    kind = \"log\"
";

const JOURNAL: &str = "
    [daemon.journal]
    backup-every = \"50ms\"
    probe-every = \"50ms\"
";

fn two_engines() -> Running {
    Running::start(&["--database", "teas", "--te", "2", "--sm", "1"])
}

fn config(sandbox: &Running, journal: &str) -> String {
    let policy = format!("{ELSEWHERE_AT_ONCE}\nstart-timeout = \"1s\"\n");
    format!("{JOURNAL}{journal}{}{policy}{SCRIBE}", teas(sandbox))
}

/// Starts a daemon, and waits until it would start both engines again.
fn healer(sandbox: &Running) -> Daemon {
    let daemon = Daemon::start(&config(sandbox, ""));
    wants_both(&daemon);
    daemon
}

fn wants_both(daemon: &Daemon) {
    daemon.says(&["domain_thawed", "not-synced"]);
    eventually("both engines are wanted", || {
        let slots = &daemon.status()["domains"][0]["slots"];
        let slots = slots.as_array().unwrap().iter();
        slots.filter(|it| it["wanted"] == true).count() == 2
    });
}

fn kill_one(sandbox: &Running) -> u32 {
    let victim = running_te(sandbox)[0];
    kill_process(pid(victim), Signal::KILL).unwrap();
    victim
}

/// Returns what the listener was told by now.
fn told(daemon: &Daemon) -> Vec<Value> {
    let text = fs::read_to_string(daemon.path("told")).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let lines = whole.lines();
    lines.map(|it| serde_json::from_str(it).unwrap()).collect()
}

/// Holds what was told in several lives of a daemon to it that no number was given twice.
fn assert_no_number_twice(told: &[Value]) {
    let mut known: BTreeMap<&str, &Value> = BTreeMap::new();
    for event in told {
        let id = event["id"].as_str().unwrap();
        let first = known.entry(id).or_insert(event);
        for key in ["event", "time", "text", "pid"] {
            assert_eq!(first[key], event[key], "two events are {id}");
        }
    }
}

/// Holds the events of one journal to it that each has its number.
fn assert_gapless(events: &[Value]) {
    let seqs: Vec<u64> = events
        .iter()
        .map(|it| it["seq"].as_u64().unwrap())
        .collect();
    let expected: Vec<u64> = (1..).take(events.len()).collect();
    assert_eq!(seqs, expected, "{events:#?}");
}

/// Returns the gates of the domain that are closed.
fn gates(daemon: &Daemon) -> Vec<String> {
    let status = daemon.status();
    let gates = status["domains"][0]["gates"].as_array().unwrap().iter();
    gates
        .map(|it| it["gate"].as_str().unwrap().to_owned())
        .collect()
}

fn seq_of(events: &[Value], kind: &str, text: &str) -> u64 {
    let is_it = |it: &&Value| {
        let said = it["text"].as_str().unwrap_or_default();
        it["event"] == kind && said.contains(text)
    };
    let found = events.iter().find(is_it);
    let found = found.unwrap_or_else(|| panic!("no {kind} with `{text}`: {events:#?}"));
    found["seq"].as_u64().unwrap()
}

/// What happens to a journal.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Cut,
    Flip,
}

impl Damage {
    const ALL: [Self; 2] = [Self::Cut, Self::Flip];

    /// Befalls the journal in a directory, with its log if there is one.
    fn befall(self, dir: &Path) {
        for name in ["journal.sqlite", "journal.sqlite-wal"] {
            let path = dir.join(name);
            let Ok(mut bytes) = fs::read(&path) else {
                continue;
            };
            match self {
                Self::Cut => bytes.truncate(bytes.len() / 2),
                // In the magic words at the beginning.
                Self::Flip => {
                    if let Some(byte) = bytes.get_mut(2) {
                        *byte ^= 4;
                    }
                }
            }
            fs::write(path, bytes).unwrap();
        }
    }
}

/// Says what the first event is after damage: in numbers that begin anew, what was lost.
fn assert_gap_first(daemon: &Daemon, before: &[Value]) {
    eventually("something is on record", || {
        !daemon.events(&["--domain", "prod"]).is_empty()
    });
    let events = daemon.events(&["--domain", "prod"]);
    assert_gapless(&events);
    assert_eq!(events[0]["event"], "gap", "{events:#?}");
    let text = events[0]["text"].as_str().unwrap();
    assert!(text.contains("journal.sqlite.damaged-1"), "{text}");
    let (old, new) = (before[0]["epoch"].as_u64(), events[0]["epoch"].as_u64());
    assert!(new > old, "{new:?} after {old:?}");
    assert!(daemon.path("state/prod/journal.sqlite.damaged-1").exists());
    eventually("the listener is told", || {
        told(daemon).iter().any(|it| it["id"] == events[0]["id"])
    });
}

#[test]
fn a_damaged_journal_with_a_copy_of_the_facts_is_gone_on_from() {
    for damage in Damage::ALL {
        let sandbox = two_engines();
        let daemon = healer(&sandbox);
        let before = daemon.events(&["--domain", "prod"]);
        let daemon = daemon.again(Signal::TERM, |dir| {
            damage.befall(&dir.join("state/prod"));
            kill_one(&sandbox);
        });
        daemon.says(&[
            "is damaged",
            "journal.sqlite.damaged-1",
            "going on from facts.bak",
        ]);
        eventually("the gate is told", || {
            let events = daemon.events(&["--domain", "prod"]);
            let text = |it: &Value| {
                it["text"]
                    .as_str()
                    .unwrap_or_default()
                    .contains("recovered")
            };
            events
                .iter()
                .any(|it| it["event"] == "domain_frozen" && text(it))
        });
        assert_gap_first(&daemon, &before);
        // Who was killed meanwhile is known to have been wanted, and known by its old number.
        eventually("two engines run again", || running_te(&sandbox).len() == 2);
        daemon.says(&["action_succeeded"]);
        let events = daemon.events(&["--domain", "prod"]);
        assert_gapless(&events);
        let opened = seq_of(&events, "domain_thawed", "recovered");
        let started = seq_of(&events, "action_started", "");
        assert!(opened < started, "{damage:?}: {events:#?}");
        let joined = events.iter().filter(|it| it["event"] == "process_joined");
        assert_eq!(joined.count(), 1, "only what is new: {events:#?}");
        eventually("all is well", || {
            daemon.ask(&["status"]).status.code() == Some(0)
        });
        let daemon = daemon.again(Signal::TERM, |_| ());
        wants_both(&daemon);
        eventually("all is well", || gates(&daemon).is_empty());
        assert_no_number_twice(&told(&daemon));
        daemon.end();
    }
}

#[test]
fn without_a_copy_it_watches_until_somebody_accepts_the_loss() {
    for damage in Damage::ALL {
        let sandbox = two_engines();
        let daemon = healer(&sandbox);
        let before = daemon.events(&["--domain", "prod"]);
        let daemon = daemon.again(Signal::KILL, |dir| {
            damage.befall(&dir.join("state/prod"));
            fs::remove_file(dir.join("state/prod/facts.bak")).unwrap();
        });
        daemon.says(&["is damaged", "journal.sqlite.damaged-1", "dbwarden resume"]);
        assert_gap_first(&daemon, &before);
        wants_both(&daemon);
        eventually("all else is well", || gates(&daemon) == ["memory"]);

        let victim = kill_one(&sandbox);
        daemon.says(&["process_failed", &format!("pid={victim}")]);
        eventually("the listener is told", || {
            told(&daemon)
                .iter()
                .any(|it| it["pid"] == victim && it["event"] == "process_failed")
        });
        let request = daemon.ask(&["request", "start-te", "teas", "--elsewhere"]);
        assert_eq!(request.status.code(), Some(1), "{request:?}");
        let said = String::from_utf8(request.stderr).unwrap();
        assert!(said.contains("memory"), "{said}");
        let status = daemon.ask(&["status"]);
        assert_eq!(status.status.code(), Some(2), "{status:?}");
        let shown = String::from_utf8(status.stdout).unwrap();
        assert!(
            shown.contains("dbwarden resume --accept-lost-memory"),
            "{shown}"
        );

        // It does not forget that it forgot.
        let daemon = daemon.again(Signal::TERM, |_| ());
        daemon.says(&["domain_connected"]);
        eventually("all else is well", || gates(&daemon) == ["memory"]);
        assert_eq!(running_te(&sandbox).len(), 1);
        let unsure = daemon.ask(&["resume"]);
        assert_eq!(unsure.status.code(), Some(64), "{unsure:?}");
        let resumed = daemon.ask(&["resume", "--accept-lost-memory"]);
        assert_eq!(resumed.status.code(), Some(0), "{resumed:?}");
        eventually("two engines run again", || running_te(&sandbox).len() == 2);
        daemon.says(&["action_succeeded"]);
        let events = daemon.events(&["--domain", "prod"]);
        assert_gapless(&events);
        let opened = seq_of(&events, "domain_thawed", "memory");
        let started = seq_of(&events, "action_started", "");
        assert!(opened < started, "{damage:?}: {events:#?}");
        let daemon = daemon.again(Signal::TERM, |_| ());
        wants_both(&daemon);
        eventually("all is well", || gates(&daemon).is_empty());
        assert_no_number_twice(&told(&daemon));
        daemon.end();
    }
}

#[test]
fn a_second_daemon_is_told_who_holds_the_state_directory() {
    let sandbox = Running::start(&["--database", "teas"]);
    let daemon = Daemon::start(&teas(&sandbox));
    daemon.says(&["domain_connected"]);
    let other = fs::read_to_string(daemon.path("config.toml")).unwrap();
    let (state, socket) = (daemon.path("state"), daemon.path("other.sock"));
    let own = format!("[daemon]\nstate-directory = {state:?}\nsocket = {socket:?}\n{other}");
    fs::write(daemon.path("other.toml"), own).unwrap();
    fs::remove_dir_all(daemon.path("conf.d")).unwrap();
    let second = Command::new(env!("CARGO_BIN_EXE_dbwarden"))
        .args(["run", "--config"])
        .arg(daemon.path("other.toml"))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    let said = String::from_utf8(second.stderr).unwrap();
    let holder = format!("is in use by the process {}", daemon.pid());
    assert!(said.contains(&holder) && said.contains("state"), "{said}");
    assert_eq!(
        daemon.ask(&["status"]).status.code(),
        Some(0),
        "the first goes on"
    );
    daemon.end();
}

/// A way to have no room for the journal, and to have it again.
trait Disk {
    fn fill(&self, daemon: &Daemon);
    fn empty(&self, daemon: &Daemon);
}

/// The journal is as large as it may be.
struct Quota;

impl Quota {
    const CONFIG: &str = "quota = \"1MiB\"\nretain-size = \"1MiB\"\n";

    /// So many pages are 1 MiB.
    const PAGES: u32 = 256;

    fn connect(daemon: &Daemon) -> Connection {
        let journal = Connection::open(daemon.path("state/prod/journal.sqlite")).unwrap();
        journal.busy_timeout(Duration::from_secs(5)).unwrap();
        journal
    }
}

impl Disk for Quota {
    fn fill(&self, daemon: &Daemon) {
        const FILL: &str = "INSERT INTO meta VALUES ('filler ' || ?1, hex(zeroblob(?2)))";
        let journal = Self::connect(daemon);
        let limit = format!("PRAGMA max_page_count = {}", Self::PAGES);
        journal.query_row(&limit, [], |_| Ok(())).unwrap();
        let mut number = 0;
        for size in [40_000, 4_000, 400, 40] {
            let mut fits = true;
            while fits {
                number += 1;
                fits = journal.execute(FILL, [number, size]).is_ok();
            }
        }
    }

    fn empty(&self, daemon: &Daemon) {
        let journal = Self::connect(daemon);
        let empty = "DELETE FROM meta WHERE key LIKE 'filler %'";
        journal.execute(empty, []).unwrap();
    }
}

/// The disk has no room for anybody.
struct SmallDisk;

impl Disk for SmallDisk {
    fn fill(&self, daemon: &Daemon) {
        let mut filler = File::create(daemon.on_small_disk("filler")).unwrap();
        while filler.write(&[0; 512]).is_ok_and(|it| it > 0) {}
    }

    fn empty(&self, daemon: &Daemon) {
        fs::remove_file(daemon.on_small_disk("filler")).unwrap();
    }
}

/// Has engines killed until that cannot be written down any more.
fn until_it_breaks(sandbox: &Running, daemon: &Daemon) {
    const SAID: &str = "the journal cannot be written: watching on, starting nothing";
    let breaks = || daemon.log().contains(SAID);
    while !breaks() {
        let victim = kill_one(sandbox);
        eventually("it is started again, or nothing is", || {
            let now = running_te(sandbox);
            breaks() || now.len() == 2 && !now.contains(&victim)
        });
    }
}

/// Fills the disk, and returns the last events that have a number.
fn a_full_disk_stops_it_from_acting(
    sandbox: &Running,
    daemon: &Daemon,
    disk: &impl Disk,
) -> Vec<Value> {
    wants_both(daemon);
    disk.fill(daemon);
    until_it_breaks(sandbox, daemon);
    let last = daemon.events(&["--domain", "prod"]);
    assert_gapless(&last);
    let status = daemon.ask(&["status"]);
    assert_eq!(status.status.code(), Some(2), "{status:?}");
    assert_eq!(gates(daemon), ["journal"]);
    eventually("who wants it in any case is told", || {
        told(daemon)
            .iter()
            .any(|it| it["event"] == "gap" && it["seq"].is_null())
    });

    // It goes on to look, and does nothing.
    if let Some(victim) = running_te(sandbox).first() {
        kill_process(pid(*victim), Signal::KILL).unwrap();
        eventually("it is seen and told", || {
            let told = told(daemon);
            let mut failed = told.iter().filter(|it| it["event"] == "process_failed");
            failed.any(|it| it["pid"] == *victim && it["seq"].is_null())
        });
    }
    let request = daemon.ask(&["request", "start-te", "teas"]);
    assert_eq!(request.status.code(), Some(1), "{request:?}");
    let said = String::from_utf8(request.stderr).unwrap();
    assert!(said.contains("the journal cannot be written"), "{said}");
    assert_eq!(
        daemon.events(&["--domain", "prod"]),
        last,
        "nothing has a number"
    );
    assert!(running_te(sandbox).len() < 2, "nothing was started");

    last
}

/// Makes room, and waits until the daemon goes on behind the last event before.
fn it_goes_on_when_there_is_room(daemon: &Daemon, disk: &impl Disk, last: &[Value]) {
    disk.empty(daemon);
    daemon.says(&["the journal can be written again"]);
    eventually("nothing keeps it from acting", || gates(daemon).is_empty());
    let events = daemon.events(&["--domain", "prod"]);
    assert_gapless(&events);
    assert_eq!(events[..last.len()], *last, "the numbers go on");
    let gap = &events[last.len()];
    assert_eq!(gap["event"], "gap", "{events:#?}");
    assert!(
        gap["text"]
            .as_str()
            .unwrap()
            .contains("nothing was recorded from")
    );
    eventually("all is well", || {
        daemon.ask(&["status"]).status.code() == Some(0)
    });
    eventually("the gap is told with its number", || {
        told(daemon).iter().any(|it| it["id"] == gap["id"])
    });
    assert_no_number_twice(&told(daemon));
}

#[test]
fn a_journal_that_may_not_grow_stops_it_from_acting_until_there_is_room() {
    let sandbox = two_engines();
    let daemon = Daemon::start(&config(&sandbox, Quota::CONFIG));
    let last = a_full_disk_stops_it_from_acting(&sandbox, &daemon, &Quota);
    it_goes_on_when_there_is_room(&daemon, &Quota, &last);
    daemon.end();
}

/// What says that this system lets nobody have a disk of its own, so that it is no oversight.
const NO_DISK: &str = "DBWARDEN_WITHOUT_SMALL_DISK";

fn on_small_disk(sandbox: &Running) -> Option<Daemon> {
    let daemon = Daemon::start_on_small_disk(&config(sandbox, ""));
    let is_known = daemon.is_some() || std::env::var_os(NO_DISK).is_some();
    assert!(
        is_known,
        "unshare cannot mount a tmpfs here; if that is how it should be, set {NO_DISK}"
    );
    daemon
}

#[test]
fn a_disk_without_room_stops_it_from_acting_until_there_is_some() {
    let sandbox = two_engines();
    let Some(daemon) = on_small_disk(&sandbox) else {
        return;
    };
    let last = a_full_disk_stops_it_from_acting(&sandbox, &daemon, &SmallDisk);
    it_goes_on_when_there_is_room(&daemon, &SmallDisk, &last);
    daemon.end();
}

#[test]
fn a_daemon_that_starts_on_a_full_disk_watches_and_waits_for_room() {
    let sandbox = two_engines();
    let Some(daemon) = on_small_disk(&sandbox) else {
        return;
    };
    let last = a_full_disk_stops_it_from_acting(&sandbox, &daemon, &SmallDisk);
    let daemon = daemon.again(Signal::KILL, |_| ());
    daemon.says(&["ready"]);
    daemon.says(&["watching on, starting nothing"]);
    daemon.says(&["the daemon's own journal cannot be written"]);
    eventually("it sees the domain", || gates(&daemon) == ["journal"]);
    assert_eq!(daemon.events(&["--domain", "prod"]), last);
    it_goes_on_when_there_is_room(&daemon, &SmallDisk, &last);
    eventually("its own events are recorded", || {
        let own = daemon.events(&["--domain", "-"]);
        own.last().is_some_and(|it| it["event"] == "gap")
    });
    daemon.end();
}
