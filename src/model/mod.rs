//! What is known of one domain, and how fresh it is.

mod ids;
mod sighting;

pub use ids::{Address, AddressError, AgentId, DatabaseName, DomainName, PeerName, StartId};
pub use sighting::{PeerSeen, ProcessSeen, Role, Sighting, Snapshot, Status, StatusSeen};
