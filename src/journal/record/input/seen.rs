//! What a driver saw, as JSON: peers, processes, and what became of them.

use serde::{Deserialize, Serialize};

use super::{InputRecord, Text, is_false, shared, text};
use crate::exchange::Managed;
use crate::journal::record::RecordError;
use crate::journal::record::event::{role_of, status_of};
use crate::model::{
    Address, AgentId, DatabaseName, PeerSeen, ProcessSeen, Sighting, StartId, StatusSeen,
};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::journal) struct PeerRecord<'a> {
    #[serde(borrow)]
    agent: Text<'a>,
    #[serde(borrow)]
    host: Text<'a>,
    port: u16,
    #[serde(default, skip_serializing_if = "is_false")]
    broker: bool,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    hostname: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    version: Text<'a>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::journal) struct ProcessRecord<'a> {
    #[serde(borrow)]
    agent: Text<'a>,
    #[serde(borrow)]
    database: Text<'a>,
    pid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(borrow)]
    role: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    status: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    word: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    hostname: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    version: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node_id: Option<u32>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    start_id: Option<Text<'a>>,
}

/// A database that the domain manages, and what it says of it.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::journal) struct ManagedRecord<'a> {
    #[serde(borrow)]
    database: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    status: Text<'a>,
}

impl<'a> From<&'a Managed> for ManagedRecord<'a> {
    fn from(it: &'a Managed) -> Self {
        Self {
            database: it.database.as_str().into(),
            status: text(&it.status),
        }
    }
}

impl From<ManagedRecord<'_>> for Managed {
    fn from(record: ManagedRecord<'_>) -> Self {
        Self {
            database: DatabaseName::from(&*record.database),
            status: shared(&record.status),
        }
    }
}

impl<'a> From<&'a Sighting> for InputRecord<'a> {
    fn from(sighting: &'a Sighting) -> Self {
        match sighting {
            Sighting::PeerJoined(peer) => Self::PeerJoined(peer.into()),
            Sighting::PeerLost(peer) => Self::PeerLost(peer.into()),
            Sighting::ProcessGone(process) => Self::ProcessGone(process.into()),
            Sighting::ProcessJoined(process) => Self::ProcessJoined(process.into()),
            Sighting::StartFailed {
                agent_id,
                start_id,
                reason,
            } => Self::StartFailed {
                agent: agent_id.as_str().into(),
                start_id: start_id.as_ref().map(|it| it.as_str().into()),
                reason: text(reason),
            },
            Sighting::StatusChanged(process) => Self::StatusChanged(process.into()),
        }
    }
}

impl<'a> From<&'a PeerSeen> for PeerRecord<'a> {
    fn from(peer: &'a PeerSeen) -> Self {
        let PeerSeen {
            agent_id,
            address: Address { host, port },
            is_broker,
            hostname,
            version,
        } = peer;
        Self {
            agent: agent_id.as_str().into(),
            host: text(host),
            port: *port,
            broker: *is_broker,
            hostname: text(hostname),
            version: text(version),
        }
    }
}

impl From<PeerRecord<'_>> for PeerSeen {
    fn from(record: PeerRecord<'_>) -> Self {
        Self {
            agent_id: AgentId::from(&*record.agent),
            address: Address::new(&*record.host, record.port),
            is_broker: record.broker,
            hostname: shared(&record.hostname),
            version: shared(&record.version),
        }
    }
}

impl<'a> From<&'a ProcessSeen> for ProcessRecord<'a> {
    fn from(process: &'a ProcessSeen) -> Self {
        let ProcessSeen {
            agent_id,
            database,
            pid,
            port,
            role,
            status,
            hostname,
            version,
            node_id,
            start_id,
        } = process;
        Self {
            agent: agent_id.as_str().into(),
            database: database.as_str().into(),
            pid: *pid,
            port: *port,
            role: role.as_str().into(),
            status: status.as_ref().map(|it| it.status.as_str().into()),
            word: status.as_ref().map(|it| text(&it.word)),
            hostname: text(hostname),
            version: text(version),
            node_id: *node_id,
            start_id: start_id.as_ref().map(|it| it.as_str().into()),
        }
    }
}

impl TryFrom<ProcessRecord<'_>> for ProcessSeen {
    type Error = RecordError;

    fn try_from(record: ProcessRecord<'_>) -> Result<Self, RecordError> {
        let status = match (record.status, record.word) {
            (None, None) => None,
            (Some(status), Some(word)) => Some(StatusSeen {
                status: status_of(&status)?,
                word: shared(&word),
            }),
            (None, Some(_)) | (Some(_), None) => {
                let problem = "a status and its word stand together";
                return Err(RecordError(problem.to_owned()));
            }
        };
        Ok(Self {
            agent_id: AgentId::from(&*record.agent),
            database: DatabaseName::from(&*record.database),
            pid: record.pid,
            port: record.port,
            role: role_of(&record.role)?,
            status,
            hostname: shared(&record.hostname),
            version: shared(&record.version),
            node_id: record.node_id,
            start_id: record.start_id.as_deref().map(StartId::from),
        })
    }
}
