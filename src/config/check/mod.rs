//! What a file means: a tree of values becomes settings, problem by problem.
//!
//! Every function here returns settings whatever it finds, with defaults where something is wrong
//! or missing; they are used only if nothing was reported.

mod api;
mod archive;
mod domain;
mod listener;
mod listener_kind;
mod password;
mod peer;
mod policy;

use std::time::Duration;

use super::diff::Written;
use super::file::Node;
use super::keys;
use super::section::{Report, Section, Wrong};
use super::value;
use super::{Config, DaemonSettings};
use crate::journal::JournalSettings;
use crate::supervisor::Mode;
use crate::telemetry::LogFormat;

/// `TimeoutStopSec=` of `systemd/dbwarden.service`.
const UNIT_STOP_TIMEOUT: Duration = Duration::from_secs(90);

/// A journal smaller than this could not even hold what belongs to a few domains.
const MIN_JOURNAL: usize = 1 << 20;

/// A journal of this size is a slip of the keyboard.
const MAX_JOURNAL: usize = 64 << 40;

/// More events than this are never kept for a listener that does not take them.
const MAX_LAG: u32 = 1_000_000_000;

/// Checks a whole file.
pub(super) fn check(
    report: &mut Report,
    root: &Node,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Config {
    let Some(top) = Section::open(report, root, &keys::TOP) else {
        unreachable!("the top of a TOML file is a table")
    };
    let daemon = top.table(report, "daemon", &keys::DAEMON);
    let (daemon, mode) = check_daemon(report, daemon);
    let domains = top.tables(report, "domain", &keys::DOMAIN);
    let names = check_names(report, &domains, value::own_name);
    if top.node("domain").is_none() {
        let wrong = Wrong::new("there is no domain to watch", "write a [[domain]]");
        report.add_missing(top.place(), "domain", wrong);
    }
    let policies: Vec<_> = top
        .tables(report, "policy", &keys::POLICY)
        .iter()
        .map(|it| policy::check(report, it, &names))
        .collect();
    let mut withhold = Vec::new();
    let api = api::check(report, &top, variable, &mut withhold);
    let domains = domains
        .iter()
        .zip(&names)
        .map(|(section, name)| {
            let given = domain::Given {
                name: name.as_str().into(),
                mode,
                policies: &policies,
                variable,
            };
            domain::check(report, section, &given, &mut withhold)
        })
        .collect();
    let listeners = top.tables(report, "listener", &keys::LISTENER);
    let names = check_names(report, &listeners, value::own_name);
    for section in &listeners {
        listener_kind::withhold(section, &mut withhold);
    }
    let given = listener_kind::Given {
        variable,
        withhold: &withhold,
        socket: &daemon.socket,
    };
    let mut listeners: Vec<_> = listeners
        .iter()
        .zip(names)
        .map(|(section, name)| listener::check(report, section, name, &given))
        .collect();
    if top.node("listener").is_none() {
        listeners.push(listener::log());
    }
    Config {
        daemon,
        api,
        domains,
        policies: policies.len(),
        listeners,
        files: Vec::new(),
        written: Written::default(),
        warnings: Vec::new(),
    }
}

fn check_daemon(report: &mut Report, section: Option<Section<'_>>) -> (DaemonSettings, Mode) {
    let mut daemon = DaemonSettings::default();
    let mut mode = Mode::default();
    let Some(section) = section else {
        return (daemon, mode);
    };
    let modes = [
        ("heal", Mode::Heal),
        ("suggest", Mode::Suggest),
        ("observe", Mode::Observe),
    ];
    let directory = &mut daemon.state_directory;
    section.set(report, "state-directory", directory, value::path);
    section.set(report, "mode", &mut mode, value::choice(&modes));
    section.set(report, "socket", &mut daemon.socket, value::socket);
    let grace = &mut daemon.stop_grace;
    section.set(report, "stop-grace", grace, value::duration);
    if daemon.stop_grace > UNIT_STOP_TIMEOUT {
        let problem = format!(
            "is longer than the {} that the service unit gives the daemon to stop",
            humantime::format_duration(UNIT_STOP_TIMEOUT)
        );
        let advice = "write a shorter one, or raise TimeoutStopSec= with systemctl edit";
        section.doubt(report, "stop-grace", Wrong::new(problem, advice));
    }
    if let Some(section) = section.table(report, "journal", &keys::JOURNAL) {
        check_journal(report, &section, &mut daemon.journal);
    }
    if let Some(section) = section.table(report, "log", &keys::LOG) {
        let formats = [
            ("auto", LogFormat::Auto),
            ("human", LogFormat::Human),
            ("json", LogFormat::Json),
            ("journald", LogFormat::Journald),
        ];
        let log = &mut daemon.log;
        section.set(report, "format", &mut log.format, value::choice(&formats));
        section.set(report, "filter", &mut log.filter, |node| {
            let advice = "write a level, such as \"info\", or directives, such as \
                          \"info,dbwarden::driver=debug\"";
            let text = value::text(node)?;
            text.parse()
                .map_err(|_| Wrong::new(format!("`{text}` is no log filter"), advice))
        });
    }
    (daemon, mode)
}

fn check_journal(report: &mut Report, section: &Section<'_>, journal: &mut JournalSettings) {
    for (key, target) in [
        ("retain-for", &mut journal.retain_for),
        ("backup-every", &mut journal.backup_every),
        ("probe-every", &mut journal.probe_every),
    ] {
        section.set(report, key, target, value::pause);
    }
    let size = |node: &Node| {
        let bytes = value::size(MIN_JOURNAL, MAX_JOURNAL)(node)?;
        Ok(u64::try_from(bytes).expect("a size in memory fits 64 bits"))
    };
    section.set(report, "retain-size", &mut journal.retain_size, size);
    journal.quota = section.optional(report, "quota", size);
    section.set(report, "lag-limit", &mut journal.lag_limit, |node| {
        value::number(1, MAX_LAG)(node).map(u64::from)
    });
    if let Some(quota) = journal.quota
        && quota < journal.retain_size
    {
        let problem = "is less than retain-size, so the disk counts as full before anything is \
                       forgotten";
        let wrong = Wrong::new(problem, "write more, or less at retain-size");
        section.complain(report, "quota", wrong);
    }
}

/// Returns the name of each table, and reports those that are missing or used twice.
fn check_names(
    report: &mut Report,
    sections: &[Section<'_>],
    read: impl Fn(&Node) -> Result<String, Wrong>,
) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for section in sections {
        let name = section.required(report, "name", &read).unwrap_or_default();
        let other = names.iter().position(|it| *it == name);
        if let Some(other) = other.filter(|_| !name.is_empty()) {
            let problem = format!(
                "`{name}` is the name of the one at {} already",
                sections[other].place()
            );
            section.complain(report, "name", Wrong::new(problem, "write another name"));
        }
        names.push(name);
    }
    names
}
