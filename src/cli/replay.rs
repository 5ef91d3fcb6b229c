//! `dbwarden replay`: a recorded past against a policy.
//!
//! It reads a file or a journal, and changes nothing. What it says is arithmetic on the record, in
//! two bounds; it does not know what would have happened.

mod report;

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use super::Exit;
use crate::config::{self, Config, DomainSettings};
use crate::journal::{JournalError, Look, domain_in};
use crate::model::Address;
use crate::replay::{Bound, Log, Past, Replay, Rethink, Rethought};
use crate::supervisor::Accepted;
use crate::telemetry::chain;

/// The port of agents that do not say.
const AGENT_PORT: u16 = 48_004;

/// Show what a policy would have done about a recorded past.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For each database: how long it was without a transaction engine then, and how long it would have \
been. Kind: engines live on where the record shows none of their database. Harsh: engines crash \
everywhere as they did on record. docs/healing.md has more.

Exit codes: 0 done, 1 a journal is not decided as it was, 64 wrong command line, or no such file, \
journal or domain, 78 the configuration has problems.")]
pub(super) struct Args {
    /// The log of a NuoDB agent, a state directory, or the directory of a domain in one
    #[arg(value_name = "FILE|DIR")]
    past: PathBuf,
    /// The configuration with the policy
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// By the policies of this domain; needed if there are several
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// This peer is there as well, though nothing is recorded of it
    #[arg(long = "host", value_name = "HOST[:PORT]")]
    hosts: Vec<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// A past and what is to be said of how it was read.
struct Read {
    past: Past,
    log: Option<LogRead>,
    rethought: Option<Result<Rethought, &'static str>>,
}

/// What was made of the lines of a log.
struct LogRead {
    lines: u64,
    others: u64,
    known: Vec<(&'static str, u64)>,
    unknown: u64,
    strangers: Vec<crate::replay::Stranger>,
    failed_starts: usize,
    agent_starts: u32,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Exit {
    let config = match config::load(&args.config) {
        Ok(it) => it,
        Err(problems) => return refuse(&problems.to_string(), Exit::Config),
    };
    let read = domain(&config, args.domain.as_deref()).and_then(|domain| {
        let mut read = read(&args.past, domain.name.as_str())?;
        let added = add_hosts(&mut read.past, domain, &args.hosts)?;
        Ok((domain, read, added))
    });
    let (domain, read, added) = match read {
        Ok(it) => it,
        Err(text) => return refuse(&text, Exit::Usage),
    };
    let accepted = Accepted {
        model: domain.model.clone(),
        supervisor: domain.supervisor.clone(),
    };
    let [then, kind, harsh] = [Bound::AsItWas, Bound::Kind, Bound::Harsh]
        .map(|bound| Replay::live(&read.past, &accepted, bound));
    let report = report::Report {
        name: &args.past,
        read: &read,
        added: &added,
        settings: &domain.supervisor,
        then: &then,
        kind: &kind,
        harsh: &harsh,
    };
    let mut stdout = io::stdout().lock();
    let written = if args.json {
        writeln!(stdout, "{}", report.json())
    } else {
        report
            .lines()
            .iter()
            .try_for_each(|it| writeln!(stdout, "{it}"))
    };
    let is_other = match &read.rethought {
        Some(Ok(it)) => it.first_difference.is_some(),
        Some(Err(_)) | None => false,
    };
    match written {
        // A pipe that is closed is no error.
        Ok(()) | Err(_) if is_other => Exit::Failed,
        Ok(()) => Exit::Fine,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Fine,
        Err(_) => Exit::Failed,
    }
}

fn refuse(text: &str, exit: Exit) -> Exit {
    let _ = writeln!(io::stderr().lock(), "{text}");
    exit
}

fn domain<'a>(config: &'a Config, name: Option<&str>) -> Result<&'a DomainSettings, String> {
    let names: Vec<&str> = config.domains.iter().map(|it| it.name.as_str()).collect();
    match (name, &config.domains[..]) {
        (None, [only]) => Ok(only),
        (None, _) => Err(format!(
            "the configuration has several domains; name one by --domain: {}",
            names.join(", ")
        )),
        (Some(name), domains) => {
            let found = domains.iter().find(|it| it.name.as_str() == name);
            found.ok_or_else(|| {
                let known = names.join(", ");
                format!("the configuration has no domain `{name}`; it has: {known}")
            })
        }
    }
}

fn read(path: &Path, domain: &str) -> Result<Read, String> {
    if !path.is_dir() {
        return read_log(path).map_err(|error| {
            format!(
                "cannot read {}: {error}; name an agent's log or a directory",
                path.display()
            )
        });
    }
    let dir = if path.join("journal.sqlite").exists() {
        path.to_owned()
    } else {
        domain_in(path, domain)
    };
    read_journal(&dir).map_err(|error| {
        format!(
            "cannot replay the journal in {}: {}",
            dir.display(),
            chain(&error)
        )
    })
}

fn read_log(path: &Path) -> io::Result<Read> {
    let mut log = Log::default();
    let mut file = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    while file.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        log.line(text.trim_end_matches(['\n', '\r']));
        line.clear();
    }
    let (lines, others) = log.lines();
    let (unknown, strangers) = log.strangers();
    let read = LogRead {
        lines,
        others,
        known: log
            .known()
            .iter()
            .map(|(form, count)| (*form, *count))
            .collect(),
        unknown,
        strangers: strangers.to_vec(),
        failed_starts: log.failed_starts().len(),
        agent_starts: log.agent_starts(),
    };
    Ok(Read {
        past: log.into_past(),
        log: Some(read),
        rethought: None,
    })
}

fn read_journal(dir: &Path) -> Result<Read, JournalError> {
    let look = Look::open(dir)?;
    let mut past = Past::default();
    let mut rethink = Rethink::default();
    let mut begins = None;
    let mut last = None;
    let mut is_decided = true;
    look.inputs(|number, now, input| {
        begins.get_or_insert(number);
        last = Some(now.at);
        past.input(now, &input);
        is_decided = is_decided && rethink.input(now, input);
    })?;
    let mut events = Vec::new();
    let mut first = None;
    look.events(|it| {
        first.get_or_insert(it.seq);
        // A daemon that runs may have gone on.
        if last.is_some_and(|last| it.event.time.at <= last) {
            events.push(it.event.clone());
        }
    })?;
    let rethought = match begins {
        None => Err("there are no inputs on record"),
        Some(1) if is_decided => Ok(rethink.compare(events, first == Some(1))),
        Some(1) => {
            Err("it goes on from a backup, or from a version that did not record its settings")
        }
        Some(_) => Err("its first inputs are not kept any more"),
    };
    Ok(Read {
        past,
        log: None,
        rethought: Some(rethought),
    })
}

/// Adds the peers that were allowed and of which nothing is recorded, and returns them.
fn add_hosts(
    past: &mut Past,
    domain: &DomainSettings,
    named: &[String],
) -> Result<Vec<Address>, String> {
    let known: Vec<Address> = past.addresses().iter().map(Address::folded).collect();
    let mut added = Vec::new();
    for text in named {
        let address = Address::parse(text, AGENT_PORT).map_err(|error| chain(&error))?;
        added.push(address);
    }
    for peer in &domain.model.peers {
        let by_name = Address::parse(peer.name.as_str(), AGENT_PORT).ok();
        let all = peer
            .dial
            .iter()
            .chain(&peer.aliases)
            .cloned()
            .chain(by_name);
        let all: Vec<Address> = all.collect();
        let is_known = |it: &Address| known.contains(&it.folded()) || added.contains(it);
        if let Some(address) = all.first().filter(|_| !all.iter().any(is_known)) {
            added.push(address.clone());
        }
    }
    added.retain(|it| !known.contains(&it.folded()));
    for address in &added {
        past.add_host(address);
    }
    Ok(added)
}
