//! What is wrong with what a daemon watches, the worst first, each with the next step.
//!
//! It reads a status as the daemon tells it and asks nobody; what is right is not its business.

mod seats;
mod silent;
mod told;

use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Value, json};

use self::told::{Domain, ago, between, of_each};
use super::answer::{array, text, time};

/// How bad something is, the worst first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Level {
    /// For a person, now.
    Critical,
    /// For a person, when there is time.
    Warning,
    /// In the healer's hands.
    Work,
    /// Worth knowing; nothing is wrong with it.
    Note,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Kind {
    /// The daemon or the event loop of a domain does not answer
    Daemon,
    /// A changed configuration was refused
    Config,
    /// There is no session to a domain, or there never was one
    Session,
    /// A database that is wanted has no transaction engine
    Database,
    /// The healer gave up on a process
    Held,
    /// A process is missing, and something keeps the healer from starting it
    Blocked,
    /// A process is missing, and the healer may not start it
    Suggested,
    /// A person holds a missing process
    Hold,
    /// A process is missing, and the healer is about to start it
    Missing,
    /// A process is being started
    Healing,
    /// A peer is out of reach
    Peer,
    /// A process runs and does not answer at its port
    Unresponsive,
    /// A gate that waits for a person is closed: the journal, or memory that was lost
    Journal,
    /// Another gate is closed
    Gate,
    /// Something a person said holds, or the mode is not heal
    #[value(skip)]
    Note,
}

/// Something that is not as it should be, or is worth knowing.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) level: Level,
    pub(super) kind: Kind,
    /// The domain; empty if it is about the daemon.
    pub(super) domain: String,
    /// What `why` can be asked about; empty for the domain as a whole.
    pub(super) about: String,
    pub(super) title: String,
    /// What is known of it, in sentences; may be empty.
    pub(super) text: String,
    /// What to do; empty if there is nothing.
    pub(super) next: String,
    /// For how long it has been so, if that is known.
    pub(super) age: Option<Duration>,
    /// Whether the daemon has more to say, asked why.
    pub(super) explains: bool,
}

impl Level {
    /// Returns its name in JSON.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Work => "work",
            Self::Note => "note",
        }
    }

    /// Returns how it is as a whole if nothing is worse.
    pub(super) const fn verdict(self) -> &'static str {
        match self {
            Self::Critical => "Needs somebody now",
            Self::Warning => "Needs a look",
            Self::Work => "Being healed",
            Self::Note => "Healthy",
        }
    }
}

impl Kind {
    /// Returns its name, as `--critical` takes it.
    pub(super) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(|| "note".to_owned(), |it| it.get_name().to_owned())
    }
}

impl Problem {
    fn new(level: Level, kind: Kind, domain: &str, title: String) -> Self {
        Self {
            level,
            kind,
            domain: domain.to_owned(),
            about: String::new(),
            title,
            text: String::new(),
            next: String::new(),
            age: None,
            explains: false,
        }
    }

    fn about(mut self, entity: &str) -> Self {
        entity.clone_into(&mut self.about);
        self
    }

    fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }

    /// Returns it as programs read it.
    pub(super) fn json(&self) -> Value {
        let mut it = json!({
            "level": self.level.name(), "kind": self.kind.name(), "title": self.title,
        });
        for (key, value) in [
            ("domain", &self.domain),
            ("about", &self.about),
            ("text", &self.text),
            ("next", &self.next),
        ] {
            if !value.is_empty() {
                it[key] = json!(value);
            }
        }
        if let Some(age) = self.age {
            it["seconds"] = json!(age.as_secs());
        }
        it
    }
}

/// Returns how bad the worst of these is; `Note` if all is well.
pub(super) fn level_of(problems: &[Problem]) -> Level {
    let worst = problems.iter().map(|it| it.level).min();
    worst.unwrap_or(Level::Note)
}

/// Returns what is wrong with all of it, the worst first.
pub(super) fn problems(status: &Value) -> Vec<Problem> {
    let mut found = Vec::new();
    if let Some(problem) = status["daemon"]["rejected"].as_str() {
        let title = "a changed configuration was refused; the old one stays".to_owned();
        let next = "correct the file, try it with `dbwarden check FILE`, and reload";
        found.push(
            Problem::new(Level::Warning, Kind::Config, "", title)
                .text(problem)
                .next(next),
        );
    }
    let domains = array(&status["domains"]);
    let started = &status["daemon"]["started"];
    for told in domains {
        let domain = Domain::new(told, domains.len() > 1);
        add_domain(&domain, started, &mut found);
    }
    found.sort_by_key(|it| it.level);
    found
}

fn add_domain(domain: &Domain<'_>, started: &Value, found: &mut Vec<Problem>) {
    let name = domain.name;
    if let Some(problem) = domain.told["problem"].as_str() {
        let next = "nothing of it can be shown: look at the log of the daemon, and if it stays so \
                    start it again";
        let title = format!("{name}: {problem}");
        found.push(Problem::new(Level::Critical, Kind::Daemon, name, title).next(next));
        return;
    }
    add_freshness(domain, started, found);
    for database in array(&domain.told["databases"]) {
        add_database(domain, database, found);
    }
    seats::add(domain, found);
    silent::add(domain, found);
    add_peers(domain, found);
    add_gates(domain, found);
    add_notes(domain, found);
}

fn add_freshness(domain: &Domain<'_>, started: &Value, found: &mut Vec<Problem>) {
    let (name, since) = (domain.name, &domain.told["since"]);
    let next = "it is tried again by itself, at every broker; do they run, and does this host \
                reach them? The log says why the last try failed";
    let (title, words, age) = match text(&domain.told["freshness"]) {
        "synced" => return,
        "stale" => (
            format!(
                "{name}: no session to a broker; what is shown is of {}",
                time(since)
            ),
            "nothing is started on stale knowledge",
            domain.age(since),
        ),
        _ => (
            format!("{name}: no session yet, nothing is known"),
            "it was never reached since the daemon began",
            between(started, &domain.told["time"]),
        ),
    };
    let mut problem = Problem::new(Level::Critical, Kind::Session, name, title)
        .text(words)
        .next(next);
    if let Some(age) = age {
        problem.text = format!("for {}; {words}", ago(age));
    }
    problem.age = age;
    found.push(problem);
}

fn add_database(domain: &Domain<'_>, it: &Value, found: &mut Vec<Problem>) {
    let wanted = it["te"]["wanted"].as_u64().unwrap_or(0);
    if it["status"] != "inactive" || wanted == 0 {
        return;
    }
    let name = text(&it["database"]);
    let sms = it["sm"]["running"].as_u64().unwrap_or(0);
    let (mut level, mut title) = (
        Level::Critical,
        format!("{name}: down, no transaction engine runs"),
    );
    let mut next = if sms > 0 {
        format!(
            "the healer starts engines as soon as it may; if that takes long, {} says why",
            domain.command(&format!("why {name}"))
        )
    } else {
        format!(
            "start a storage manager, or have it brought up: {}",
            domain.command(&format!("request cold-start {name}"))
        )
    };
    if let Some(by) = domain.order("maintenance", &[name]) {
        level = Level::Note;
        title = format!("{name}: down, in maintenance by {}", text(&by["by"]));
        "it is healed when the maintenance ends".clone_into(&mut next);
    } else if let Some(by) = domain.order("hold", &[name]) {
        level = Level::Warning;
        title = format!("{name}: down, held by {}", text(&by["by"]));
        next = format!("{} when the work is done", domain.release(by));
    }
    let managers = if sms == 1 {
        "storage manager"
    } else {
        "storage managers"
    };
    found.push(
        Problem::new(level, Kind::Database, domain.name, title)
            .about(name)
            .text(format!("0 of {wanted} engines, {sms} {managers}"))
            .next(next),
    );
}

/// Says which peers are out of reach: together, for mostly there is one reason.
fn add_peers(domain: &Domain<'_>, found: &mut Vec<Problem>) {
    let lost: Vec<&Value> = array(&domain.told["peers"])
        .iter()
        .filter(|it| it["connected"] == false)
        .collect();
    let Some(first) = lost.first() else { return };
    let names: Vec<&str> = lost.iter().map(|it| text(&it["peer"])).collect();
    let is_worked_at = names
        .iter()
        .all(|it| domain.order("maintenance", &[it]).is_some());
    let is_dead = names.iter().all(|it| domain.order("dead", &[it]).is_some());
    let is = if names.len() == 1 { "is" } else { "are" };
    let title = of_each(&names, "peers", &format!("{is} unreachable"));
    let level = if is_worked_at {
        Level::Note
    } else {
        Level::Warning
    };
    let running: u64 = lost.iter().filter_map(|it| it["processes"].as_u64()).sum();
    let ran = match running {
        0 => "nothing ran there".to_owned(),
        1 => "the process there may run on, unseen".to_owned(),
        _ => format!("the {running} processes there may run on, unseen"),
    };
    let next = if is_worked_at {
        "in maintenance".to_owned()
    } else if is_dead {
        "somebody vouched that it is dead".to_owned()
    } else {
        format!(
            "look at the host and its network; if it is off for certain, {}; if it is gone for \
             good, {}",
            domain.command(&format!("confirm-dead {} --reason TEXT", names[0])),
            domain.command(&format!("forget {}", names[0])),
        )
    };
    let age = domain.age(&first["since"]);
    let words = age.map_or_else(|| ran.clone(), |it| format!("for {}; {ran}", ago(it)));
    let mut problem = Problem::new(level, Kind::Peer, domain.name, domain.named(&title))
        .about(names[0])
        .text(words)
        .next(next);
    problem.age = age;
    found.push(problem);
}

/// Returns what to do about a closed gate, and how bad it is that it is closed.
fn about_gate(domain: &Domain<'_>, gate: &str) -> (Level, Kind, String) {
    let (level, kind, next) = match gate {
        "journal" => (
            Level::Critical,
            Kind::Journal,
            "make room on the disk of the state directory; it goes on by itself",
        ),
        "memory" => {
            let next = format!(
                "look at what runs, then accept the loss: {}",
                domain.command("resume --accept-lost-memory")
            );
            return (Level::Critical, Kind::Journal, next);
        }
        "not-synced" => (
            Level::Note,
            Kind::Note,
            "opens by itself, some seconds after the session stands",
        ),
        "minority-view" => (
            Level::Warning,
            Kind::Gate,
            "fewer than half of the brokers are in view: look at the network between them",
        ),
        "clock" => (
            Level::Warning,
            Kind::Gate,
            "opens by itself with the next fresh picture; find out why the clock jumped",
        ),
        "lease" => (
            Level::Warning,
            Kind::Gate,
            "another daemon heals this domain; if it is gone, this one takes over by itself",
        ),
        "another-healer" => (
            Level::Warning,
            Kind::Gate,
            "decide who heals it; if that is dbwarden, end the other one",
        ),
        "storm" => (
            Level::Warning,
            Kind::Gate,
            "many peers were lost at once: look at the network or the power first",
        ),
        "recovered" => (
            Level::Warning,
            Kind::Gate,
            "opens by itself: a start from before may still show itself",
        ),
        "views-differ" => (
            Level::Warning,
            Kind::Gate,
            "the agents live and the domain does not see them: look at the network to the brokers",
        ),
        _ => (Level::Warning, Kind::Gate, "opens by itself"),
    };
    (level, kind, next.to_owned())
}

fn add_gates(domain: &Domain<'_>, found: &mut Vec<Problem>) {
    let is_synced = domain.told["freshness"] == "synced";
    for it in array(&domain.told["gates"]) {
        let gate = text(&it["gate"]);
        if gate == "not-synced" && !is_synced {
            continue;
        }
        let (level, kind, next) = about_gate(domain, gate);
        let database = text(&it["database"]);
        let whose = if database.is_empty() {
            String::new()
        } else {
            format!(" of {database}")
        };
        let title = format!("{}: gate {gate}{whose} is closed", domain.name);
        let mut words = text(&it["text"]).to_owned();
        if it["until"].is_string() {
            words = format!("{words}; until {}", time(&it["until"]));
        }
        let mut problem = Problem::new(level, kind, domain.name, title)
            .about(database)
            .text(words)
            .next(next);
        problem.age = domain.age(&it["since"]);
        found.push(problem);
    }
}

fn add_notes(domain: &Domain<'_>, found: &mut Vec<Problem>) {
    let name = domain.name;
    let mode = text(&domain.told["mode"]);
    if mode != "heal" {
        let next = if mode == "suggest" {
            "it says what it would start, and starts nothing"
        } else {
            "it watches and starts nothing"
        };
        let title = format!("{name}: the mode is {mode}");
        found.push(Problem::new(Level::Note, Kind::Note, name, title).text(next));
    }
    for it in array(&domain.told["orders"]) {
        let on = text(&it["on"]);
        let about = if on == "the domain" { "" } else { on };
        let whom = if about.is_empty() { name } else { about };
        let words = match text(&it["order"]) {
            "hold" => format!("{whom} is held"),
            "maintenance" => format!("{whom} is in maintenance"),
            "thaw" => format!("{whom}: gate {} does not count", text(&it["gate"])),
            "dead" => format!("{whom} is taken for dead"),
            "cold-start" => format!("{whom} is being brought up"),
            "scale" => format!("{whom} is scaled to {} TE", it["te"]),
            _ => continue,
        };
        let mut told = format!("by {} since {}", text(&it["by"]), time(&it["since"]));
        if it["until"].is_string() {
            told = format!("{told}, until {}", time(&it["until"]));
        }
        if let Some(reason) = it["reason"].as_str() {
            told = format!("{told}: {reason}");
        }
        let title = domain.named(&words);
        found.push(
            Problem::new(Level::Note, Kind::Note, name, title)
                .about(about)
                .text(told),
        );
    }
}

#[cfg(test)]
mod tests;
