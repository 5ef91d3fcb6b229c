//! What was seen of a domain, as JSON: the domain, its peers, databases and processes.

use serde::{Deserialize, Serialize};

use super::archive::ColdRecord;
use super::{Text, at, meaning, shared};
use crate::exchange::{ActionId, LossClass};
use crate::journal::record::RecordError;
use crate::journal::record::input::ManagedRecord;
use crate::model::{
    Address, KnownDatabase, KnownDomain, KnownDoubt, KnownPeer, KnownProcess, PeerPresence,
    Presence, Role, Status,
};
use crate::supervisor::{
    DatabaseFact, DomainFact, Foreign, Gate, ProcessFact, Starting, Storm, Unresponsive,
};
use crate::time::{Moment, Timestamp, WallTime};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct DomainRecord<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    name: Option<Text<'a>>,
    was_synced: bool,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    entry: Option<Text<'a>>,
    #[serde(default)]
    minority: bool,
    lives: u64,
    /// Agent and start, the latest last.
    #[serde(borrow)]
    failed_starts: Vec<(Text<'a>, Text<'a>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    told_loss: Option<ClassRecord>,
    #[serde(borrow)]
    told_closed: Vec<Text<'a>>,
    memory_lost: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recovered_until: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    minority_since: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    storm: Option<StormRecord>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    managed: Vec<ManagedRecord<'a>>,
    /// By the timeline and by the wall clock.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    spent: Vec<(u64, u64)>,
    last_action: u64,
    seed: u64,
    generation: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct StormRecord {
    began: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quiet_at: Option<u64>,
    slow_until: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_start: Option<u64>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum ClassRecord {
    Connection,
    Denied,
    Protocol,
}

impl<'a> From<&'a DomainFact> for DomainRecord<'a> {
    fn from(it: &'a DomainFact) -> Self {
        let starts = it.known.failed_starts.iter();
        let starts = starts.map(|(agent, start)| (agent.as_str().into(), start.as_str().into()));
        Self {
            name: it.known.name.as_deref().map(Into::into),
            was_synced: it.known.was_synced,
            entry: it.known.entry.as_ref().map(|it| it.as_str().into()),
            minority: it.known.is_minority,
            lives: it.known.lives,
            failed_starts: starts.collect(),
            told_loss: it.told_loss.map(|it| match it {
                LossClass::Connection => ClassRecord::Connection,
                LossClass::Denied => ClassRecord::Denied,
                LossClass::Protocol => ClassRecord::Protocol,
            }),
            told_closed: it.told_closed.iter().map(|it| it.as_str().into()).collect(),
            memory_lost: it.memory_lost,
            recovered_until: it.recovered_until.map(Timestamp::as_micros),
            minority_since: it.minority_since.map(Timestamp::as_micros),
            storm: it.storm.map(|it| StormRecord {
                began: it.began.as_micros(),
                quiet_at: it.quiet_at.map(Timestamp::as_micros),
                slow_until: it.slow_until.as_micros(),
                last_start: it.last_start.map(Timestamp::as_micros),
            }),
            managed: it.managed.iter().map(Into::into).collect(),
            spent: it.spent.iter().map(pair).collect(),
            last_action: it.last_action.0,
            seed: it.seed,
            generation: it.generation,
        }
    }
}

impl TryFrom<DomainRecord<'_>> for DomainFact {
    type Error = RecordError;

    fn try_from(it: DomainRecord<'_>) -> Result<Self, RecordError> {
        let starts = it.failed_starts.iter();
        let starts = starts.map(|(agent, start)| (shared(agent).into(), shared(start).into()));
        let gates = it.told_closed.iter();
        let gates = gates.map(|word| meaning("gate", word, Gate::named));
        Ok(Self {
            known: KnownDomain {
                name: it.name.as_ref().map(shared),
                was_synced: it.was_synced,
                entry: it.entry.as_ref().map(|it| shared(it).into()),
                is_minority: it.minority,
                lives: it.lives,
                failed_starts: starts.collect(),
            },
            told_loss: it.told_loss.map(|it| match it {
                ClassRecord::Connection => LossClass::Connection,
                ClassRecord::Denied => LossClass::Denied,
                ClassRecord::Protocol => LossClass::Protocol,
            }),
            told_closed: gates.collect::<Result<_, _>>()?,
            memory_lost: it.memory_lost,
            recovered_until: it.recovered_until.map(at),
            minority_since: it.minority_since.map(at),
            storm: it.storm.map(|it| Storm {
                began: at(it.began),
                quiet_at: it.quiet_at.map(at),
                slow_until: at(it.slow_until),
                last_start: it.last_start.map(at),
            }),
            managed: it.managed.into_iter().map(Into::into).collect(),
            spent: it.spent.into_iter().map(moment).collect(),
            last_action: ActionId(it.last_action),
            seed: it.seed,
            generation: it.generation,
        })
    }
}

fn pair(it: &Moment) -> (u64, u64) {
    (it.at.as_micros(), it.wall.as_unix_micros())
}

fn moment((timeline, wall): (u64, u64)) -> Moment {
    Moment {
        at: at(timeline),
        wall: WallTime::from_unix_micros(wall),
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct PeerRecord<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    number: u32,
    #[serde(borrow)]
    agent: Text<'a>,
    #[serde(borrow)]
    agents: Vec<Text<'a>>,
    #[serde(borrow)]
    address: AddressRecord<'a>,
    #[serde(borrow)]
    addresses: Vec<AddressRecord<'a>>,
    broker: bool,
    #[serde(borrow)]
    hostname: Text<'a>,
    #[serde(borrow)]
    version: Text<'a>,
    presence: PeerPresenceRecord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost: Option<u64>,
    #[serde(default)]
    retired: bool,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    doubt: Option<DoubtRecord<'a>>,
}

/// Since when, and in whose view; empty if no view counted yet.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct DoubtRecord<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    by: Option<Text<'a>>,
}

impl<'a> From<&'a KnownDoubt> for DoubtRecord<'a> {
    fn from(it: &'a KnownDoubt) -> Self {
        let by = it.first.as_ref().and_then(|(_, by)| by.as_ref());
        Self {
            since: it.first.as_ref().map(|(since, _)| since.as_micros()),
            by: by.map(|it| it.as_str().into()),
        }
    }
}

impl From<DoubtRecord<'_>> for KnownDoubt {
    fn from(it: DoubtRecord<'_>) -> Self {
        let by = it.by.as_ref().map(|it| shared(it).into());
        Self {
            first: it.since.map(|since| (at(since), by)),
        }
    }
}

/// Host and port.
#[derive(Debug, Deserialize, Serialize)]
struct AddressRecord<'a>(#[serde(borrow)] Text<'a>, u16);

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum PeerPresenceRecord {
    Connected { since: u64 },
    Unreachable { since: u64 },
}

impl<'a> From<&'a Address> for AddressRecord<'a> {
    fn from(it: &'a Address) -> Self {
        Self((&*it.host).into(), it.port)
    }
}

impl From<AddressRecord<'_>> for Address {
    fn from(it: AddressRecord<'_>) -> Self {
        Self::new(shared(&it.0), it.1)
    }
}

impl<'a> From<&'a KnownPeer> for PeerRecord<'a> {
    fn from(it: &'a KnownPeer) -> Self {
        Self {
            name: it.name.as_str().into(),
            number: it.number,
            agent: it.agent_id.as_str().into(),
            agents: it.agents.iter().map(|it| it.as_str().into()).collect(),
            address: (&it.address).into(),
            addresses: it.addresses.iter().map(Into::into).collect(),
            broker: it.is_broker,
            hostname: (&*it.hostname).into(),
            version: (&*it.version).into(),
            presence: match it.presence {
                PeerPresence::Connected { since } => PeerPresenceRecord::Connected {
                    since: since.as_micros(),
                },
                PeerPresence::Unreachable { since } => PeerPresenceRecord::Unreachable {
                    since: since.as_micros(),
                },
            },
            lost: it.lost.map(Timestamp::as_micros),
            retired: it.is_retired,
            doubt: it.doubt.as_ref().map(Into::into),
        }
    }
}

impl From<PeerRecord<'_>> for KnownPeer {
    fn from(it: PeerRecord<'_>) -> Self {
        Self {
            name: shared(&it.name).into(),
            number: it.number,
            agent_id: shared(&it.agent).into(),
            agents: it.agents.iter().map(|it| shared(it).into()).collect(),
            address: it.address.into(),
            addresses: it.addresses.into_iter().map(Into::into).collect(),
            is_broker: it.broker,
            hostname: shared(&it.hostname),
            version: shared(&it.version),
            presence: match it.presence {
                PeerPresenceRecord::Connected { since } => {
                    PeerPresence::Connected { since: at(since) }
                }
                PeerPresenceRecord::Unreachable { since } => {
                    PeerPresence::Unreachable { since: at(since) }
                }
            },
            lost: it.lost.map(at),
            is_retired: it.retired,
            doubt: it.doubt.map(Into::into),
        }
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct DatabaseRecord<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    number: u32,
    exits: Vec<u64>,
    confirm_until: u64,
    told_degraded: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keeps_observed: Option<bool>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    seats_others: Vec<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    storage_lost: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    foreign: Option<ForeignRecord>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    cold: Option<ColdRecord<'a>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ForeignRecord {
    starts: Vec<u64>,
    until: u64,
    told: bool,
}

impl From<&Foreign> for ForeignRecord {
    fn from(it: &Foreign) -> Self {
        Self {
            starts: it.starts.iter().map(|it| it.as_micros()).collect(),
            until: it.until.as_micros(),
            told: it.is_told,
        }
    }
}

impl From<ForeignRecord> for Foreign {
    fn from(it: ForeignRecord) -> Self {
        Self {
            starts: it.starts.into_iter().map(at).collect(),
            until: at(it.until),
            is_told: it.told,
        }
    }
}

impl<'a> From<&'a DatabaseFact> for DatabaseRecord<'a> {
    fn from(it: &'a DatabaseFact) -> Self {
        Self {
            name: it.known.name.as_str().into(),
            number: it.known.number,
            exits: it.exits.iter().map(|it| it.as_micros()).collect(),
            confirm_until: it.confirm_until.as_micros(),
            told_degraded: it.told_degraded,
            keeps_observed: it.keeps_observed,
            seats_others: it
                .seats_others
                .iter()
                .map(|it| it.as_str().into())
                .collect(),
            storage_lost: it.storage_lost.map(Timestamp::as_micros),
            foreign: (it.foreign != Foreign::default()).then(|| (&it.foreign).into()),
            cold: ColdRecord::of(&it.cold),
        }
    }
}

impl TryFrom<DatabaseRecord<'_>> for DatabaseFact {
    type Error = RecordError;

    fn try_from(it: DatabaseRecord<'_>) -> Result<Self, RecordError> {
        let others = it.seats_others.iter();
        let others = others.map(|it| meaning("role", it, Role::named));
        Ok(Self {
            known: KnownDatabase {
                name: shared(&it.name).into(),
                number: it.number,
            },
            exits: it.exits.into_iter().map(at).collect(),
            confirm_until: at(it.confirm_until),
            told_degraded: it.told_degraded,
            keeps_observed: it.keeps_observed,
            storage_lost: it.storage_lost.map(at),
            foreign: it.foreign.map(Into::into).unwrap_or_default(),
            seats_others: others.collect::<Result<_, _>>()?,
            cold: it
                .cold
                .map(TryInto::try_into)
                .transpose()?
                .unwrap_or_default(),
        })
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ProcessRecord<'a> {
    #[serde(borrow)]
    peer: Text<'a>,
    pid: u32,
    life: u64,
    #[serde(borrow)]
    database: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(borrow)]
    role: Text<'a>,
    #[serde(borrow)]
    status: Text<'a>,
    #[serde(borrow)]
    word: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node_id: Option<u32>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    start_id: Option<Text<'a>>,
    #[serde(borrow)]
    version: Text<'a>,
    #[serde(borrow)]
    agent: Text<'a>,
    presence: PresenceRecord,
    first_seen: u64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    doubt: Option<DoubtRecord<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seat: Option<u32>,
    /// Since when, and whether that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    starting: Option<(u64, bool)>,
    /// Since when, and why.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    unresponsive: Option<(u64, Text<'a>)>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum PresenceRecord {
    Ending { due: u64 },
    Live,
    Unreachable { registered: bool },
}

impl<'a> From<&'a ProcessFact> for ProcessRecord<'a> {
    fn from(fact: &'a ProcessFact) -> Self {
        let ProcessFact {
            known,
            seat,
            starting,
            unresponsive,
        } = fact;
        Self {
            peer: known.peer.as_str().into(),
            pid: known.pid,
            life: known.life,
            database: known.database.as_str().into(),
            port: known.port,
            role: known.role.as_str().into(),
            status: known.status.as_str().into(),
            word: (&*known.status_word).into(),
            node_id: known.node_id,
            start_id: known.start_id.as_ref().map(|it| it.as_str().into()),
            version: (&*known.version).into(),
            agent: known.agent_id.as_str().into(),
            presence: match known.presence {
                Presence::Ending { due } => PresenceRecord::Ending {
                    due: due.as_micros(),
                },
                Presence::Live => PresenceRecord::Live,
                Presence::Unreachable { registered } => PresenceRecord::Unreachable { registered },
            },
            first_seen: known.first_seen.as_micros(),
            doubt: known.doubt.as_ref().map(Into::into),
            seat: *seat,
            starting: starting.map(|it| (it.since.as_micros(), it.is_told)),
            unresponsive: unresponsive
                .as_ref()
                .map(|it| (it.since.as_micros(), (&*it.reason).into())),
        }
    }
}

impl TryFrom<ProcessRecord<'_>> for ProcessFact {
    type Error = RecordError;

    fn try_from(it: ProcessRecord<'_>) -> Result<Self, RecordError> {
        let status = |word: &str| {
            use Status::{Down, Starting, Stopping, Unknown, Up};
            let all = [Down, Starting, Stopping, Unknown, Up];
            all.into_iter().find(|it| it.as_str() == word)
        };
        let known = KnownProcess {
            peer: shared(&it.peer).into(),
            pid: it.pid,
            life: it.life,
            database: shared(&it.database).into(),
            port: it.port,
            role: meaning("role", &it.role, Role::named)?,
            status: meaning("status", &it.status, status)?,
            status_word: shared(&it.word),
            node_id: it.node_id,
            start_id: it.start_id.as_ref().map(|it| shared(it).into()),
            version: shared(&it.version),
            agent_id: shared(&it.agent).into(),
            presence: match it.presence {
                PresenceRecord::Ending { due } => Presence::Ending { due: at(due) },
                PresenceRecord::Live => Presence::Live,
                PresenceRecord::Unreachable { registered } => Presence::Unreachable { registered },
            },
            first_seen: at(it.first_seen),
            doubt: it.doubt.map(Into::into),
        };
        Ok(Self {
            known,
            seat: it.seat,
            starting: it.starting.map(|(since, is_told)| Starting {
                since: at(since),
                is_told,
            }),
            unresponsive: it.unresponsive.map(|(since, reason)| Unresponsive {
                since: at(since),
                reason: shared(&reason),
            }),
        })
    }
}
