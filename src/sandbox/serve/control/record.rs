//! The forms in which a sandbox says what is there and what was.

use serde::{Deserialize, Serialize};

use crate::sandbox::serve::stage::Survey;
use crate::sandbox::world::{Asker, EngineState, StartRecord};
use crate::time::Timestamp;

/// What is there.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SurveyRecord {
    /// Every peer, present or lost.
    pub peers: Vec<PeerRecord>,
    /// Every engine that runs or is about to.
    pub engines: Vec<EngineRecord>,
    /// Every Monitor session.
    pub sessions: Vec<SessionRecord>,
}

/// A peer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct PeerRecord {
    /// Its number.
    pub number: u16,
    /// Where it is dialled.
    pub address: String,
    /// The port of it.
    pub port: u16,
    /// `broker` or `agent`.
    pub role: String,
    /// What its agent calls itself at present.
    pub agent_id: String,
    /// Whether its agent is gone.
    pub lost: bool,
    /// Whether it and the others see each other no more.
    #[serde(default)]
    pub isolated: bool,
    /// Whether nothing passes between it and its clients.
    pub muted: bool,
    /// How late its answers are, in milliseconds.
    pub delay_ms: u64,
    /// How many faults wait for its next starts.
    pub faults_waiting: usize,
}

/// An engine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EngineRecord {
    /// Its process id, once it is a process.
    pub pid: Option<u32>,
    /// The number of its peer.
    pub peer: u16,
    /// The database it serves.
    pub database: String,
    /// `TE` or `SM`.
    pub role: String,
    /// The port it listens on, once it does.
    pub port: Option<u16>,
    /// How it is, once it has said so.
    pub status: Option<String>,
    /// Its archive.
    pub archive: Option<String>,
    /// Whether its end was told and it lives on.
    #[serde(default)]
    pub leftover: bool,
}

/// A Monitor session.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SessionRecord {
    /// Its number.
    pub number: u64,
    /// The number of its peer.
    pub peer: u16,
}

/// One start, and what became of it. Times are milliseconds since the sandbox began.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct LifeRecord {
    /// When it was asked for.
    pub at_ms: u64,
    /// The session on which it was, if a client did.
    pub session: Option<u64>,
    /// Whether the domain itself did.
    #[serde(default)]
    pub enforced: bool,
    /// The number of the peer.
    pub peer: u16,
    /// What the answer called it.
    pub start_id: Option<String>,
    /// The database, if the request made sense.
    pub database: Option<String>,
    /// `TE` or `SM`, if the request made sense.
    pub role: Option<String>,
    /// The process id of what came of it.
    pub pid: Option<u32>,
    /// When that registered.
    pub registered_ms: Option<u64>,
    /// When its end was told though it lived on.
    pub disowned_ms: Option<u64>,
    /// When it had ended.
    pub ended_ms: Option<u64>,
}

impl From<Survey> for SurveyRecord {
    fn from(survey: Survey) -> Self {
        let peers = survey.peers.into_iter().map(|it| PeerRecord {
            number: it.number.0,
            address: it.address.to_string(),
            port: it.address.port,
            role: if it.is_broker { "broker" } else { "agent" }.to_owned(),
            agent_id: it.agent_id.to_string(),
            lost: it.is_lost,
            isolated: it.is_isolated,
            muted: it.is_muted,
            delay_ms: u64::try_from(it.delay.as_millis()).unwrap_or(u64::MAX),
            faults_waiting: it.next_starts,
        });
        let engines = survey.engines.into_iter().map(|it| EngineRecord {
            pid: it.pid,
            peer: it.peer.0,
            database: it.start.database.to_string(),
            role: it.start.role.as_str().to_owned(),
            port: it.port,
            status: it.state.map(|it| EngineState::as_str(it).to_owned()),
            archive: it.start.archive.map(|it| it.to_string()),
            leftover: it.is_leftover,
        });
        let sessions = survey.monitors.into_iter().map(|(session, peer)| {
            let (number, peer) = (session.0, peer.0);
            SessionRecord { number, peer }
        });
        Self {
            peers: peers.collect(),
            engines: engines.collect(),
            sessions: sessions.collect(),
        }
    }
}

impl From<StartRecord> for LifeRecord {
    fn from(it: StartRecord) -> Self {
        let millis = |it: Timestamp| it.as_micros() / 1_000;
        let start = it.start.as_ref();
        Self {
            at_ms: millis(it.at),
            session: match it.asker {
                Asker::Client(session) => Some(session.0),
                Asker::Enforcer | Asker::Nobody => None,
            },
            enforced: it.asker == Asker::Enforcer,
            peer: it.peer.0,
            start_id: it.start_id.as_deref().map(str::to_owned),
            database: start.map(|it| it.database.to_string()),
            role: start.map(|it| it.role.as_str().to_owned()),
            pid: it.pid,
            registered_ms: it.registered.map(millis),
            disowned_ms: it.disowned.map(millis),
            ended_ms: it.ended.map(millis),
        }
    }
}
