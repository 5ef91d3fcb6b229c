//! `dbwarden domain show`: the domain as people and as programs read it.
//!
//! The records here are the promise made to programs; the model may change beneath them.

use std::collections::BTreeMap;
use std::io;

use serde::Serialize;

use super::{Failure, say};
use crate::cli::paint::{Paint, Tone};
use crate::driver::nuodb::Domain;
use crate::model::{ProcessSeen, Role, Status};

/// Show the peers, the databases and their processes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --json, one object: `domain` (name), `entry` (the broker that tells, HOST:PORT), `peers` \
(each `address`, `role` broker or agent, `hostname`, `version`, `agent_id`) and `databases` (each \
`name`, `status` active or inactive, and `processes`: each `address`, `pid`, `role` TE or SM, \
`status` starting, up, stopping, down or unknown, `state` as the domain calls it, `peer` \
(HOST:PORT), `hostname`, `version`, `node_id` or null). A database is active if a TE of it is up. \
Fields may be added, none is removed or changes its meaning.")]
pub(super) struct Args {
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args, domain: &Domain) -> Result<(), Failure> {
    if args.json {
        let record = DomainRecord::new(domain);
        let text = serde_json::to_string_pretty(&record).map_err(io::Error::from)?;
        return say(text);
    }
    say(picture(domain).join("\n"))
}

/// Returns the domain as people read it, line by line.
pub(in crate::cli) fn picture(domain: &Domain) -> Vec<String> {
    DomainRecord::new(domain).describe(Paint::for_stdout())
}

#[derive(Serialize)]
struct DomainRecord {
    domain: String,
    entry: String,
    peers: Vec<PeerRecord>,
    databases: Vec<DatabaseRecord>,
}

#[derive(Serialize)]
struct PeerRecord {
    address: String,
    role: &'static str,
    hostname: String,
    version: String,
    agent_id: String,
}

#[derive(Serialize)]
struct DatabaseRecord {
    name: String,
    status: &'static str,
    processes: Vec<ProcessRecord>,
}

#[derive(Serialize)]
struct ProcessRecord {
    address: String,
    pid: u32,
    role: String,
    status: &'static str,
    state: String,
    peer: Option<String>,
    hostname: String,
    version: String,
    node_id: Option<u32>,
    #[serde(skip)]
    label: String,
    #[serde(skip)]
    tone: Tone,
}

impl DomainRecord {
    fn new(domain: &Domain) -> Self {
        let snapshot = domain.snapshot();
        let mut peers: Vec<_> = domain
            .peers()
            .map(|it| PeerRecord {
                address: it.address.to_string(),
                role: if it.is_broker { "broker" } else { "agent" },
                hostname: it.hostname.to_string(),
                version: it.version.to_string(),
                agent_id: it.agent_id.to_string(),
            })
            .collect();
        peers.sort_by(|left, right| left.address.cmp(&right.address));
        let mut databases: BTreeMap<&str, Vec<&ProcessSeen>> = BTreeMap::new();
        for process in &snapshot.processes {
            let of_database = databases.entry(process.database.as_str()).or_default();
            of_database.push(process);
        }
        let databases = databases
            .into_iter()
            .map(|(name, processes)| DatabaseRecord::new(name, processes, domain))
            .collect();
        Self {
            domain: snapshot.domain.to_string(),
            entry: snapshot.entry.address.to_string(),
            peers,
            databases,
        }
    }

    /// Returns the lines that people read.
    fn describe(&self, paint: Paint) -> Vec<String> {
        let mut lines = vec![format!("domain {} at {}", self.domain, self.entry)];
        let peers = self.peers.iter();
        lines.extend(peers.map(|it| format!("{} [role={}]", it.address, it.role)));
        let width = self
            .databases
            .iter()
            .flat_map(|it| &it.processes)
            .map(|it| it.label.len())
            .max()
            .unwrap_or_default();
        for database in &self.databases {
            let (name, status) = (&database.name, database.status);
            let tone = if status == "active" {
                Tone::Good
            } else {
                Tone::Bad
            };
            lines.push(format!("database {name} {}", paint.paint(tone, status)));
            lines.extend(database.processes.iter().map(|it| {
                let state = paint.paint(it.tone, &it.state);
                format!("  {:width$} {state}", it.label)
            }));
        }
        if self.databases.is_empty() {
            lines.push("no database".to_owned());
        }
        lines
    }
}

impl DatabaseRecord {
    fn new(name: &str, mut processes: Vec<&ProcessSeen>, domain: &Domain) -> Self {
        processes.sort_by_cached_key(|it| (it.role, domain.place(it).to_string(), it.pid));
        let is_active = processes.iter().any(|it| {
            it.role == Role::Te && it.status.as_ref().is_some_and(|it| it.status == Status::Up)
        });
        Self {
            name: name.to_owned(),
            status: if is_active { "active" } else { "inactive" },
            processes: processes
                .into_iter()
                .map(|it| ProcessRecord::new(it, domain))
                .collect(),
        }
    }
}

impl ProcessRecord {
    fn new(process: &ProcessSeen, domain: &Domain) -> Self {
        let peer = domain.peers().find(|it| it.agent_id == process.agent_id);
        let (status, state) = match &process.status {
            Some(seen) => (seen.status, seen.word.to_string()),
            None => (Status::Unknown, "UNKNOWN".to_owned()),
        };
        Self {
            address: domain.place(process).to_string(),
            pid: process.pid,
            role: process.role.as_str().to_owned(),
            status: status.as_str(),
            state,
            peer: peer.map(|it| it.address.to_string()),
            hostname: process.hostname.to_string(),
            version: process.version.to_string(),
            node_id: process.node_id,
            label: domain.label(process),
            tone: Tone::of(status),
        }
    }
}
