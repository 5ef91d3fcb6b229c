//! Translates between the protocol's messages and the words of the model.
//!
//! Text is moved, never copied: this is what every event of a busy domain passes through.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::exchange::{EngineOption, Question, Start};
use crate::model::{
    Address, AgentId, DatabaseName, PeerSeen, ProcessSeen, Role, Sighting, Snapshot, Status,
    StatusSeen,
};
use crate::nuodb::message::{
    self, BrokerElement, Element, IDENTITY, MONITOR, ProcessElement, Request, Style,
};

/// The port of an agent that does not say.
pub(super) const AGENT_PORT: u16 = 48_004;

/// The service that tells which databases the domain manages itself.
pub(super) const DESCRIPTION: &str = "Description";

/// What is kept of what a description says of its status: words, for people.
const STATUS_MAX: usize = 80;

/// The longest value that is taken from what an agent knows of an archive: that of a path.
const HISTORY_MAX: usize = 4_096;

/// Returns the domain as `status` shows it, the entry peer under the address that was dialled.
pub(super) fn snapshot(status: message::Status, dialled: &Address) -> Snapshot {
    Snapshot {
        domain: status.domain,
        entry: PeerSeen {
            address: dialled.clone(),
            ..peer(status.entry)
        },
        peers: status.peers.into_iter().map(peer).collect(),
        processes: status.processes.into_iter().map(process).collect(),
    }
}

/// Returns the change that `event` tells of, unless it is one that we have no use for.
pub(super) fn sighting(event: message::Event) -> Option<Sighting> {
    Some(match event {
        message::Event::BrokerExit(broker) => Sighting::PeerLost(peer(broker)),
        message::Event::NewBroker(broker) => Sighting::PeerJoined(peer(broker)),
        message::Event::NewProcess(it) => Sighting::ProcessJoined(process(it)),
        message::Event::ProcessExit(it) => Sighting::ProcessGone(process(it)),
        message::Event::ProcessFailed {
            start_id,
            reason,
            broker,
        } => Sighting::StartFailed {
            agent_id: broker.agent_id.into(),
            start_id: start_id.map(Into::into),
            reason,
        },
        message::Event::StatusChanged {
            status: word,
            process: it,
        } => Sighting::StatusChanged(ProcessSeen {
            status: Some(status(word)),
            ..process(it)
        }),
        message::Event::Unknown(_) => return None,
    })
}

fn peer(broker: BrokerElement) -> PeerSeen {
    // Only the entry peer has no address of its own; for anything else its host is a good guess.
    let host = broker
        .address
        .unwrap_or_else(|| Arc::clone(&broker.hostname));
    PeerSeen {
        agent_id: broker.agent_id.into(),
        address: Address::new(host, broker.port.unwrap_or(AGENT_PORT)),
        is_broker: broker.is_broker,
        hostname: broker.hostname,
        version: broker.version,
    }
}

fn process(process: ProcessElement) -> ProcessSeen {
    ProcessSeen {
        agent_id: process.agent_id.into(),
        database: process.database.into(),
        pid: process.pid,
        port: process.port,
        role: if process.is_transaction_engine {
            Role::Te
        } else {
            Role::Sm
        },
        status: process.state.map(status),
        hostname: process.hostname,
        version: process.version,
        node_id: process.node_id,
        start_id: process.start_id.map(Into::into),
    }
}

/// Returns what a domain's word for the status of a process means.
pub fn status(word: Arc<str>) -> StatusSeen {
    let status = match &*word {
        "ACTIVE" | "SYNCING" | "UNQUIESCING" => Status::Starting,
        "RUNNING" => Status::Up,
        "QUIESCING" | "QUIESCING2" | "QUIESCED" | "SHUTTING_DOWN" => Status::Stopping,
        "DIED" => Status::Down,
        _ => Status::Unknown,
    };
    StatusSeen { status, word }
}

/// Asks for the domain and all its changes.
pub(super) fn monitor() -> Request {
    Request::new(MONITOR, Style::Connect)
}

/// Asks a peer who it is; needs no password.
pub(super) fn identity() -> Request {
    Request::new(IDENTITY, Style::Request)
}

/// Asks a peer's own agent to start a process.
///
/// Without `StartBarrierTimeout`: an agent that waits for its barrier longer than we wait for the
/// agent would start a process that has long been started elsewhere.
pub(super) fn process_start(start: &Start) -> Request {
    let option = |it: &EngineOption| {
        let element = Element::new("Option").with("option", &it.name);
        match &it.value {
            Some(value) => element.with("value", value),
            None => element,
        }
    };
    let database = Element::new("Option")
        .with("option", "--database")
        .with("value", start.database.as_str());
    let request = Request::new("ProcessStart", Style::Request).with("Process", "server");
    let options = start.options.iter().map(option);
    options.chain([database]).fold(request, Request::child)
}

/// Asks a peer's own agent to end a process at once.
pub(super) fn process_stop(pid: u32) -> Request {
    Request::new("ProcessStop", Style::Request).with("PID", pid.to_string())
}

/// Asks a process, by way of the Monitor session, to finish and leave.
pub(super) fn shutdown(agent_id: &AgentId, pid: u32) -> Element {
    let request = Element::new("Request")
        .with("Service", "Admin")
        .with("Type", "Shutdown")
        .with("WaitTime", "0");
    Element::new("ManagementRequest")
        .with("AgentId", agent_id.as_str())
        .with("ProcessId", pid.to_string())
        .child(request)
}

/// Returns the request that carries `question`.
pub(super) fn question(question: &Question) -> Request {
    let tags = |action: &str, agent_id: &AgentId| {
        Request::new("Tag", Style::Request)
            .with("Action", action)
            .with("AgentId", agent_id.as_str())
    };
    let manage = |action: &str, database: &DatabaseName| {
        Request::new("ChorusManagement", Style::Connect)
            .with("Action", action)
            .with("Database", database.as_str())
    };
    let tag = |key: &String| Element::new("Tag").with("Key", key);
    match question {
        Question::DeleteTags(agent_id, keys) => keys
            .iter()
            .map(tag)
            .fold(tags("DeleteHostTags", agent_id), Request::child),
        Question::History { archive, .. } => archive_history(archive),
        Question::Identity(_) => identity(),
        Question::Quiesce(database) => manage("Quiesce", database),
        Question::SetTags(agent_id, pairs) => pairs
            .iter()
            .map(|(key, value)| tag(key).with("Value", value))
            .fold(tags("SetHostTags", agent_id), Request::child),
        Question::Tags(agent_id) => tags("GetHostTags", agent_id),
        Question::Unquiesce(database) => manage("Unquiesce", database),
    }
}

/// Asks which databases the domain manages itself.
pub(super) fn list_descriptions() -> Request {
    Request::new(DESCRIPTION, Style::Request).with("Action", "ListDescriptions")
}

/// Asks how it stands with one of them.
pub(super) fn show_description(database: &DatabaseName) -> Request {
    Request::new(DESCRIPTION, Style::Request)
        .with("Action", "GetDescription")
        .with("DatabaseName", database.as_str())
}

/// Reads the databases out of the answer to the question which there are. What has no name that a
/// database may have is none.
pub(super) fn descriptions(answer: &Element) -> BTreeSet<DatabaseName> {
    let names = answer
        .children
        .iter()
        .filter_map(|it| it.attribute("DatabaseName"));
    let names = names.filter(|it| !it.is_empty() && !it.contains(char::is_control));
    names.map(DatabaseName::from).collect()
}

/// Reads out of a description how it stands: the status, then whether the domain has what the
/// description asks for.
pub(super) fn description_status(answer: &Element) -> Arc<str> {
    let word = |name: &str| {
        let it = answer.children.iter().find(|it| it.name == name)?;
        let word = it.text.split(char::is_control).collect::<String>();
        let word: String = word.trim().chars().take(STATUS_MAX).collect();
        (!word.is_empty()).then_some(word)
    };
    let words: Vec<String> = ["Status", "LiveStatus"]
        .into_iter()
        .filter_map(word)
        .collect();
    words.join(", ").into()
}

/// Asks a peer's own agent what it knows of an archive there. No database is named: whoever takes
/// it for a start has nothing to start.
fn archive_history(path: &str) -> Request {
    let archive = Element::new("Option")
        .with("option", "--archive")
        .with("value", path);
    let request = Request::new("ProcessStart", Style::Request);
    request.with("Process", "archiveHistory").child(archive)
}

/// Reads what an agent knows of an archive, in a form that is inferred: whatever else it says is
/// nothing.
pub(super) fn history(answer: &Element) -> Vec<(String, String)> {
    if answer.name != "ArchiveHistory" {
        return Vec::new();
    }
    let pair = |(name, attribute): (&str, &str)| {
        let value = answer.attribute(attribute)?;
        let is_plain = value.len() <= HISTORY_MAX && !value.contains(char::is_control);
        is_plain.then(|| (name.to_owned(), value.to_owned()))
    };
    let known = [
        ("archive", "Archive"),
        ("database", "Database"),
        ("last-used", "LastUsed"),
        ("in-use", "InUse"),
    ];
    known.into_iter().filter_map(pair).collect()
}

/// Reads the tags out of the answer to a question for them.
pub(super) fn tags(answer: &Element) -> Vec<(String, String)> {
    let pair = |it: &Element| {
        let key = it.attribute("Key")?.to_owned();
        Some((key, it.attribute("Value").unwrap_or_default().to_owned()))
    };
    answer.children.iter().filter_map(pair).collect()
}
