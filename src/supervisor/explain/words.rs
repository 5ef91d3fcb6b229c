//! What is in the way of a start, in the words of whoever is on call.

use std::sync::Arc;

use crate::supervisor::rule::Obstacle;
use crate::supervisor::state::Supervisor;
use crate::supervisor::{Gate, HoldReason};

impl Obstacle {
    /// Returns what is in the way, as a sentence.
    const fn says(self) -> &'static str {
        match self {
            Self::AfterStorm => {
                "a storm is only just over, and after one there is one start at a time"
            }
            Self::AnotherHealer => Gate::AnotherHealer.says(),
            Self::ArchiveUnasked => "an archive of the database cannot be asked, and may be newer",
            Self::AskingAgent => "its agent is being asked whether it answers",
            Self::AskingArchives => {
                "the archives of the database are being asked which of them is the newest"
            }
            Self::Budget => "the domain had as many starts lately as max-actions allows",
            Self::ClearingLeftover => "what is left over and holds its archive is being ended",
            Self::ColdStart => "others of its database are started first",
            Self::Confirm => {
                "several processes of the database ended together, so a person may have ended them"
            }
            Self::DatabaseDown => "no process of the database runs, so there is nothing to join",
            Self::Gate(gate) => gate.says(),
            Self::Held => "a person holds it",
            Self::HostOut => "it cannot run there, by what the agent said of the last try",
            Self::Labels => "the peer has not the labels that the policy asks for",
            Self::Lane => "another start of the database is under way, and there is one at a time",
            Self::Maintenance => "people work at it",
            Self::MayOverlap => {
                "one that was replaced before may still come to life, and there is one at most"
            }
            Self::Mode => "the mode forbids it",
            Self::NoPeer => "no peer may take it",
            Self::NotNewest => "another archive of its group is newer",
            Self::NotVacant => "somebody sits there, or is on the way",
            Self::Pace => "the pause after the last failure is not over",
            Self::PeerBusy => "the peer starts something else, and there is one at a time",
            Self::PeerTaken => "the peer has a process of the database, and there is one at most",
            Self::PeerUnreachable => "the peer is out of reach",
            Self::ReturnGrace => "the peer has not been there for return-grace yet",
            Self::StrictSiblings => {
                "the one it replaces may be alive, and strict-siblings forbids a second one"
            }
            Self::UnreachableGrace => {
                "out of reach it may live on, and unreachable-grace is not over"
            }
            Self::Unwanted => "nobody wants it",
            Self::ViewsDiffer => "the domain lost its peer, but the agent there answers us",
        }
    }

    /// Returns what a person can do about it, if there is anything but to wait.
    pub(in crate::supervisor) const fn lift(self) -> Option<&'static str> {
        match self {
            Self::AnotherHealer => Gate::AnotherHealer.lift(),
            Self::ArchiveUnasked => Some(
                "bring its peer back, or give it up with `dbwarden request cold-start \
                 --accept-loss`",
            ),
            Self::DatabaseDown => Some(
                "start a storage manager of the database, or have `dbwarden request cold-start` \
                 do it",
            ),
            Self::Gate(gate) => gate.lift(),
            Self::Held => Some("`dbwarden release` ends the hold"),
            Self::HostOut => Some("mend what the agent said of that host"),
            Self::Maintenance => Some("`dbwarden maintenance end` ends it at once"),
            Self::Mode => Some("set `mode` to \"heal\""),
            Self::NoPeer => Some("bring a peer back, or add one"),
            Self::PeerUnreachable | Self::StrictSiblings | Self::ViewsDiffer => {
                Some("look after the peer: its host, its agent and the network between")
            }
            Self::AfterStorm
            | Self::AskingAgent
            | Self::AskingArchives
            | Self::Budget
            | Self::ClearingLeftover
            | Self::ColdStart
            | Self::Confirm
            | Self::Labels
            | Self::Lane
            | Self::MayOverlap
            | Self::NotNewest
            | Self::NotVacant
            | Self::Pace
            | Self::PeerBusy
            | Self::PeerTaken
            | Self::ReturnGrace
            | Self::UnreachableGrace
            | Self::Unwanted => None,
        }
    }
}

impl HoldReason {
    /// Returns why the healer gave up, as part of a sentence.
    pub(in crate::supervisor) const fn says(self) -> &'static str {
        match self {
            Self::ArchiveUnknown => "nobody said with which options its archive is started",
            Self::ArchiveInUse => "something left over holds its archive",
            Self::BadOption => "the engine does not understand its options",
            Self::StagesUsedUp => "every stage of the policy was tried",
            Self::VanishedUnwatched => {
                "it was gone when we looked again, and nothing of its database runs"
            }
        }
    }
}

impl Supervisor {
    /// Returns what is in the way just now, as a sentence.
    pub(in crate::supervisor) fn in_the_way(&self, obstacle: Obstacle) -> Arc<str> {
        if let Obstacle::Gate(gate) = obstacle {
            return self.waits_for(gate);
        }
        obstacle.says().into()
    }
}

impl Gate {
    /// Returns what a closed gate waits for, as a sentence.
    pub(in crate::supervisor) const fn says(self) -> &'static str {
        match self {
            Self::AnotherHealer => "somebody else heals",
            Self::Clock => "the clocks are not to be trusted until a fresh picture has settled",
            Self::Journal => {
                "the journal cannot be written, so nothing that is done would be remembered"
            }
            Self::Lease => {
                "another daemon has the lease of the domain, or had it a moment ago: what it asked \
                 for may still show itself"
            }
            Self::Memory => "memory was lost; `dbwarden resume --accept-lost-memory` accepts that",
            Self::MinorityView => "fewer than half of the known brokers are in view",
            Self::NotSynced => "the session is new, and what surrounds it has not settled yet",
            Self::Recovered => {
                "memory comes from a backup; what was under way may still show itself"
            }
            Self::Storm => {
                "many peers were lost at once; it opens when no more are lost for a while"
            }
            Self::ViewsDiffer => {
                "the domain lost peers whose agents answer us: look at the network between them \
                 and the brokers"
            }
        }
    }

    /// Returns what a person can do about a closed gate, if there is anything but to wait.
    pub(in crate::supervisor) const fn lift(self) -> Option<&'static str> {
        match self {
            Self::AnotherHealer => {
                Some("let one of the two heal: `observe` leaves a database alone")
            }
            Self::Lease => Some("see that the daemon that has the lease does its work, or end it"),
            Self::Journal => Some("make room, or repair the disk of the state directory"),
            Self::MinorityView => Some("bring the other brokers back"),
            Self::Storm | Self::ViewsDiffer => {
                Some("look after the peers and the network between them")
            }
            Self::Clock | Self::Memory | Self::NotSynced | Self::Recovered => None,
        }
    }
}
