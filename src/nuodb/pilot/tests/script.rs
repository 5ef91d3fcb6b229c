//! What the stories are made of: messages, deeds, and what came of them as text.

use crate::exchange::{
    ActionId, Deed, EngineOption, Means, Observation, Outcome, Question, Start, Stop, Target,
};
use crate::model::{Address, Role, Sighting};
use crate::nuodb::message::{BrokerElement, Event, ProcessElement};
use crate::time::Timestamp;

pub(super) fn broker(host: &str) -> BrokerElement {
    BrokerElement {
        agent_id: format!("agent-{host}").into(),
        address: Some(host.into()),
        port: Some(48_004),
        is_broker: true,
        hostname: host.into(),
        version: "1".into(),
    }
}

pub(super) fn engine(host: &str, pid: u32, start_id: Option<&str>) -> ProcessElement {
    ProcessElement {
        agent_id: format!("agent-{host}").into(),
        database: "teas".into(),
        pid,
        port: Some(48_005),
        is_transaction_engine: true,
        state: None,
        hostname: host.into(),
        version: "1".into(),
        node_id: None,
        start_id: start_id.map(Into::into),
    }
}

pub(super) fn failed(host: &str, start_id: &str, reason: &str) -> Event {
    Event::ProcessFailed {
        start_id: Some(start_id.into()),
        reason: reason.into(),
        broker: broker(host),
    }
}

pub(super) fn target(host: &str) -> Target {
    Target {
        peer: host.into(),
        agent_id: format!("agent-{host}").as_str().into(),
        address: Address::new(host, 48_004),
    }
}

pub(super) fn prepare(action: u64, host: &str, valid_until: Timestamp) -> Deed {
    Deed::Prepare {
        action: ActionId(action),
        start: Start {
            target: target(host),
            database: "teas".into(),
            role: Role::Te,
            means: Means::Start,
            options: vec![
                EngineOption {
                    name: "--mem".into(),
                    value: Some("2g".into()),
                },
                EngineOption {
                    name: "--force".into(),
                    value: None,
                },
            ],
        },
        valid_until,
    }
}

pub(super) fn commit(action: u64) -> Deed {
    Deed::Commit {
        action: ActionId(action),
    }
}

pub(super) fn stop(action: u64, host: &str, pid: u32, how: Stop) -> Deed {
    Deed::Stop {
        action: ActionId(action),
        target: target(host),
        pid,
        how,
    }
}

pub(super) fn ask(action: u64, question: Question) -> Deed {
    Deed::Ask {
        action: ActionId(action),
        question,
    }
}

pub(super) fn outcome_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered(pairs) => format!("answered {pairs:?}"),
        Outcome::NotSent(loss) => format!("not sent, {}", loss.reason),
        Outcome::Ready => "ready".into(),
        Outcome::Refused(text) => format!("refused, {text}"),
        Outcome::Registered { pid } => format!("registered {pid}"),
        Outcome::StartFailed(reason) => format!("start failed, {reason}"),
        Outcome::Started(id) => match id {
            Some(id) => format!("started {id}"),
            None => "started".into(),
        },
        Outcome::Stopped { exit_code } => format!("stopped {exit_code:?}"),
        Outcome::Unanswered(loss) => format!("unanswered, {}", loss.reason),
        Outcome::Withdrawn => "withdrawn".into(),
    }
}

pub(super) fn observation_text(observation: &Observation) -> String {
    match observation {
        Observation::Lost(loss) => format!("lost {:?} {}", loss.class, loss.reason),
        Observation::Managed(all) => {
            let all: Vec<_> = all
                .iter()
                .map(|it| format!("{} ({})", it.database, it.status))
                .collect();
            format!("managed {}: {}", all.len(), all.join(", "))
        }
        Observation::Sighted(sighting) => match sighting {
            Sighting::PeerJoined(peer) => format!("peer joined {}", peer.address.host),
            Sighting::PeerLost(peer) => format!("peer lost {}", peer.address.host),
            Sighting::ProcessGone(process) => format!("process gone {}", process.pid),
            Sighting::ProcessJoined(process) => format!("process joined {}", process.pid),
            Sighting::StartFailed { reason, .. } => format!("failure seen, {reason}"),
            Sighting::StatusChanged(process) => {
                let word = process.status.as_ref().map_or("?", |it| &*it.word);
                format!("status {} {word}", process.pid)
            }
        },
        Observation::Snapshot(snapshot) => {
            let peers: Vec<_> = snapshot.peers.iter().map(|it| &*it.address.host).collect();
            let pids: Vec<_> = snapshot.processes.iter().map(|it| it.pid).collect();
            format!(
                "snapshot at {} with {peers:?} {pids:?}",
                snapshot.entry.address.host
            )
        }
    }
}
