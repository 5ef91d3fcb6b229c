//! Peers and engines as agents write them: `Peer A:P (broker)`, `[Node TE db=[d] pid=n ...]`.

use crate::model::{Address, DatabaseName, Role};

/// A peer as a line names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PeerName {
    /// The agent that writes.
    Local,
    /// Another one.
    Remote {
        /// Where it is.
        address: Address,
        /// Whether it is said to be a broker.
        is_broker: bool,
    },
}

/// An engine as a line names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Node {
    /// What it does.
    pub role: Role,
    /// The database it serves.
    pub database: DatabaseName,
    /// Its process id at its peer.
    pub pid: u32,
    /// Its number within the database, once it has one.
    pub id: Option<u32>,
    /// The peer it runs at.
    pub peer: PeerName,
}

/// Reads `[Peer A:P (broker)]`; what follows is glued to it.
pub(super) fn peer_in_brackets(text: &str) -> Option<PeerName> {
    let (peer, rest) = peer(text.strip_prefix('[')?)?;
    rest.starts_with(']').then_some(peer)
}

/// Reads `[Node TE db=[d] pid=n id=-1 req=TEs (local)]`; what follows is glued to it.
pub(super) fn node_in_brackets(text: &str) -> Option<Node> {
    let text = text.strip_prefix("[Node ")?;
    let (role, text) = text.split_once(" db=[")?;
    let role = role_named(role)?;
    let (database, text) = text.split_once("] pid=")?;
    let (pid, text) = text.split_once(" id=")?;
    let (id, text) = text.split_once(" req=")?;
    let (_requested, text) = text.split_once(" (")?;
    let (peer, rest) = match text.strip_prefix("local") {
        Some(rest) => (PeerName::Local, rest),
        None => peer(text)?,
    };
    if !rest.starts_with(")]") {
        return None;
    }
    let id: i64 = id.parse().ok()?;
    Some(Node {
        role,
        database: database.into(),
        pid: number(pid)?,
        id: u32::try_from(id).ok(),
        peer,
    })
}

pub(super) fn role_named(text: &str) -> Option<Role> {
    match text {
        "SM" => Some(Role::Sm),
        "TE" => Some(Role::Te),
        _ => None,
    }
}

/// Reads a number that may have commas between its thousands.
pub(super) fn number(text: &str) -> Option<u32> {
    text.replace(',', "").parse().ok()
}

/// Reads `Peer A:P` with or without `(broker)`, and returns what follows.
fn peer(text: &str) -> Option<(PeerName, &str)> {
    if let Some(rest) = text.strip_prefix("LocalPeer ") {
        let (_, rest) = address(rest)?;
        return Some((
            PeerName::Local,
            rest.strip_prefix(" (broker)").unwrap_or(rest),
        ));
    }
    let (address, rest) = address(text.strip_prefix("Peer ")?)?;
    let broker = rest.strip_prefix(" (broker)");
    let peer = PeerName::Remote {
        address,
        is_broker: broker.is_some(),
    };
    Some((peer, broker.unwrap_or(rest)))
}

/// Reads `A:P`, and returns what follows.
fn address(text: &str) -> Option<(Address, &str)> {
    let end = text.find([' ', ']', ')'])?;
    let (address, rest) = text.split_at(end);
    let (host, port) = address.rsplit_once(':')?;
    if host.is_empty() {
        return None;
    }
    Some((Address::new(host, port.parse().ok()?), rest))
}
