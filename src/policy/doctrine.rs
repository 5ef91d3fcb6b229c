//! What a kind of domain demands of who heals it, as data: which roles there are, where a process
//! of a role may run, and what it needs.
//!
//! A doctrine says what is possible; a policy says what is wanted. Neither looks at a domain.

mod nuodb;

use std::fmt;

use crate::exchange::Means;
use crate::model::Role;

pub use nuodb::NUODB;

/// The rules of one kind of domain.
#[derive(Eq, PartialEq)]
pub struct Doctrine {
    /// What the kind is called: `nuodb`.
    pub kind: &'static str,
    /// Its roles. A process of a role that is not among them is told of and not healed.
    pub roles: &'static [RoleRule],
    /// What its driver can do.
    pub can: Capabilities,
}

/// What holds for the processes of one role.
#[derive(Debug, Eq, PartialEq)]
pub struct RoleRule {
    /// The role.
    pub role: Role,
    /// Where a process of it belongs.
    pub seat: SeatKind,
    /// At most one start of a database is under way in each lane.
    pub lane: u8,
    /// What must run before it is started.
    pub needs: Needs,
    /// How it is brought back.
    pub means: Means,
}

/// Where a process belongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SeatKind {
    /// To an archive, and with it to the peer that has it. It is never started elsewhere.
    Archive,
    /// Nowhere: any allowed peer will do.
    Fungible,
    /// To the peer it was seen at.
    Pinned,
}

impl SeatKind {
    /// Returns whether a process belongs to one peer.
    pub const fn has_home(self) -> bool {
        match self {
            Self::Archive | Self::Pinned => true,
            Self::Fungible => false,
        }
    }
}

/// What must run before a process is started.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Needs {
    /// Anything of its database.
    AnyRunning,
    /// Nothing.
    Nothing,
    /// Another that keeps the same data, unless it was itself the last that did.
    SiblingOrLast,
}

/// What a driver can do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Capabilities {
    /// Start a process that is not there.
    pub starts: bool,
    /// Restart one in place, by a command.
    pub restarts_in_place: bool,
    /// End one at once.
    pub kills: bool,
}

impl Capabilities {
    /// Returns whether a process can be brought back so.
    pub const fn has(self, means: Means) -> bool {
        match means {
            Means::RestartInPlace => self.restarts_in_place,
            Means::Start => self.starts,
        }
    }
}

impl fmt::Debug for Doctrine {
    /// Writes what the kind is called.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)
    }
}

impl Doctrine {
    /// Returns which of the rules is for processes of that role.
    pub fn row(&self, role: Role) -> Option<usize> {
        self.roles.iter().position(|it| it.role == role)
    }

    /// Returns the role whose processes keep the data, if the kind has one.
    pub fn keeper(&self) -> Option<Role> {
        let rule = self.roles.iter().find(|it| it.seat == SeatKind::Archive)?;
        Some(rule.role)
    }
}
