//! What an event is about, as far as the order of telling goes.
//!
//! It says which events keep their order; it does not say which of them are wanted.

use crate::event::Recorded;
use crate::model::{DatabaseName, PeerName};

/// What an event is about: its database if there is one, else its peer, else the domain or the
/// daemon as a whole.
///
/// The events of one entity are told in the order of their numbers, and never two at a time.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Entity {
    /// What a listener that was never seen is told of what is there.
    Introduction,
    /// What is told while the journal cannot be written.
    Alarm,
    /// That the daemon lives.
    Heartbeat,
    /// The domain, or the daemon.
    Whole,
    /// A peer.
    Peer(PeerName),
    /// A database.
    Database(DatabaseName),
}

impl Entity {
    /// Returns what a numbered event is about.
    pub(super) fn of(recorded: &Recorded) -> Self {
        let subject = &recorded.event.subject;
        match (&subject.database, &subject.peer) {
            (Some(database), _) => Self::Database(database.clone()),
            (None, Some(peer)) => Self::Peer(peer.clone()),
            (None, None) => Self::Whole,
        }
    }
}
