//! What people said that holds for a while, as JSON.

use serde::{Deserialize, Serialize};

use super::{Text, at, meaning, shared};
use crate::journal::record::RecordError;
use crate::model::Role;
use crate::supervisor::{Extent, Gate, OrderFact, OrderKind};
use crate::time::{Moment, WallTime};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct OrderRecord<'a> {
    #[serde(borrow)]
    order: KindRecord<'a>,
    #[serde(borrow)]
    on: ExtentRecord<'a>,
    #[serde(borrow)]
    by: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    reason: Option<Text<'a>>,
    /// The daemon's timeline, and the clock on the wall.
    since: (u64, u64),
    /// By the clock on the wall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    told_ending: bool,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum KindRecord<'a> {
    Announced,
    ColdStart,
    Dead,
    Hold,
    Maintenance,
    Scale(u32),
    #[serde(borrow)]
    Thaw(Text<'a>),
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum ExtentRecord<'a> {
    #[serde(borrow)]
    Database(Text<'a>),
    Domain,
    #[serde(borrow)]
    Peer(Text<'a>),
    Process {
        #[serde(borrow)]
        peer: Text<'a>,
        pid: u32,
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        seat: Option<(Text<'a>, Text<'a>, u32)>,
    },
    Slot(#[serde(borrow)] Text<'a>, #[serde(borrow)] Text<'a>, u32),
}

impl<'a> From<&'a OrderFact> for OrderRecord<'a> {
    fn from(it: &'a OrderFact) -> Self {
        Self {
            order: match it.kind {
                OrderKind::Announced => KindRecord::Announced,
                OrderKind::ColdStart => KindRecord::ColdStart,
                OrderKind::Dead => KindRecord::Dead,
                OrderKind::Hold => KindRecord::Hold,
                OrderKind::Maintenance => KindRecord::Maintenance,
                OrderKind::Scale(count) => KindRecord::Scale(count),
                OrderKind::Thaw(gate) => KindRecord::Thaw(gate.as_str().into()),
            },
            on: (&it.extent).into(),
            by: (&*it.by).into(),
            reason: it.reason.as_deref().map(Into::into),
            since: (it.since.at.as_micros(), it.since.wall.as_unix_micros()),
            until: it.until.map(WallTime::as_unix_micros),
            told_ending: it.told_ending,
        }
    }
}

impl TryFrom<OrderRecord<'_>> for OrderFact {
    type Error = RecordError;

    fn try_from(it: OrderRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            kind: match it.order {
                KindRecord::Announced => OrderKind::Announced,
                KindRecord::ColdStart => OrderKind::ColdStart,
                KindRecord::Dead => OrderKind::Dead,
                KindRecord::Hold => OrderKind::Hold,
                KindRecord::Maintenance => OrderKind::Maintenance,
                KindRecord::Scale(count) => OrderKind::Scale(count),
                KindRecord::Thaw(gate) => OrderKind::Thaw(meaning("gate", &gate, Gate::named)?),
            },
            extent: it.on.try_into()?,
            by: shared(&it.by),
            reason: it.reason.as_ref().map(shared),
            since: Moment {
                at: at(it.since.0),
                wall: WallTime::from_unix_micros(it.since.1),
            },
            until: it.until.map(WallTime::from_unix_micros),
            told_ending: it.told_ending,
        })
    }
}

impl<'a> From<&'a Extent> for ExtentRecord<'a> {
    fn from(it: &'a Extent) -> Self {
        match it {
            Extent::Database(name) => Self::Database(name.as_str().into()),
            Extent::Domain => Self::Domain,
            Extent::Peer(name) => Self::Peer(name.as_str().into()),
            Extent::Process { peer, pid, seat } => Self::Process {
                peer: peer.as_str().into(),
                pid: *pid,
                seat: seat.as_ref().map(|(name, role, ordinal)| {
                    (name.as_str().into(), role.as_str().into(), *ordinal)
                }),
            },
            Extent::Slot(name, role, ordinal) => {
                Self::Slot(name.as_str().into(), role.as_str().into(), *ordinal)
            }
        }
    }
}

impl TryFrom<ExtentRecord<'_>> for Extent {
    type Error = RecordError;

    fn try_from(it: ExtentRecord<'_>) -> Result<Self, RecordError> {
        let role = |it: &Text<'_>| meaning("role", it, Role::named);
        Ok(match it {
            ExtentRecord::Database(name) => Self::Database(shared(&name).into()),
            ExtentRecord::Domain => Self::Domain,
            ExtentRecord::Peer(name) => Self::Peer(shared(&name).into()),
            ExtentRecord::Process { peer, pid, seat } => Self::Process {
                peer: shared(&peer).into(),
                pid,
                seat: match seat {
                    Some((name, of, ordinal)) => Some((shared(&name).into(), role(&of)?, ordinal)),
                    None => None,
                },
            },
            ExtentRecord::Slot(name, of, ordinal) => {
                Self::Slot(shared(&name).into(), role(&of)?, ordinal)
            }
        })
    }
}
