//! What is to be started, said step by step.

use crate::exchange::EngineOption;
use crate::model::{DatabaseName, PeerSeen, Role};
use crate::nuodb::srp::Password;

/// A process to be started.
#[derive(Clone, Debug)]
pub struct Order {
    pub(super) database: DatabaseName,
    pub(super) role: Role,
    pub(super) options: Vec<EngineOption>,
    pub(super) on: Option<PeerSeen>,
}

impl Order {
    /// A storage manager of `database` on the archive at `path`.
    pub fn sm(database: &str, path: &str) -> Self {
        Self::new(database, Role::Sm).option("--archive", Some(path))
    }

    /// A transaction engine of `database`.
    pub fn te(database: &str) -> Self {
        Self::new(database, Role::Te)
    }

    fn new(database: &str, role: Role) -> Self {
        Self {
            database: database.into(),
            role,
            options: Vec::new(),
            on: None,
        }
    }

    /// Makes the archive, and with it the database, anew.
    #[must_use]
    pub fn initialize(self) -> Self {
        self.option("--initialize", None)
    }

    /// Names the administrator that the first transaction engine of a new database creates.
    #[must_use]
    pub fn dba(self, user: &str, password: &Password) -> Self {
        self.option("--dba-user", Some(user))
            .option("--dba-password", Some(password.reveal()))
    }

    /// Adds an option of the engine's: a flag, if it has no value.
    #[must_use]
    pub fn option(mut self, name: &str, value: Option<&str>) -> Self {
        self.options.push(EngineOption {
            name: name.to_owned(),
            value: value.map(str::to_owned),
        });
        self
    }

    /// Starts it at this peer. Without that it is the peer with the fewest processes.
    #[must_use]
    pub fn on(mut self, peer: &PeerSeen) -> Self {
        self.on = Some(peer.clone());
        self
    }
}
