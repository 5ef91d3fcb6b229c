//! The rules of NuoDB: storage managers belong to archives, transaction engines run anywhere.

use super::{Capabilities, Doctrine, Needs, RoleRule, SeatKind};
use crate::exchange::Means;
use crate::model::Role;

/// The rules of NuoDB.
pub static NUODB: Doctrine = Doctrine {
    kind: "nuodb",
    roles: &[
        RoleRule {
            role: Role::Te,
            seat: SeatKind::Fungible,
            lane: 0,
            needs: Needs::AnyRunning,
            means: Means::Start,
        },
        RoleRule {
            role: Role::Sm,
            seat: SeatKind::Archive,
            lane: 1,
            needs: Needs::SiblingOrLast,
            means: Means::Start,
        },
    ],
    can: Capabilities {
        starts: true,
        restarts_in_place: false,
        kills: true,
    },
};
