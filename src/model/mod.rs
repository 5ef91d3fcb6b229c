//! What is known of one domain, and how fresh it is.
//!
//! The model turns what was seen into what is known, and names every difference as a [`Change`].
//! It decides nothing, and it believes nothing that it was not told: a lost peer is unreachable,
//! not dead, and so are its processes.

mod apply;
mod change;
mod doubt;
mod facts;
mod identity;
mod ids;
mod peers;
mod processes;
mod role;
mod sighting;
mod state;

#[cfg(test)]
mod tests;

pub use change::{Change, Ending};
pub use facts::{
    Known, KnownDatabase, KnownDomain, KnownDoubt, KnownPeer, KnownProcess, Touched, Unknown,
};
pub use identity::dials;
pub use ids::{Address, AddressError, AgentId, DatabaseName, DomainName, PeerName, StartId};
pub use role::{Role, RoleName};
pub use sighting::{PeerSeen, ProcessSeen, Sighting, Snapshot, Status, StatusSeen};
pub use state::{
    Database, DatabaseId, Freshness, Life, Model, Peer, PeerId, PeerPresence, PeerSettings,
    Presence, Process, ProcessId, Settings,
};
