//! A peer of the world: an agent that watches the engines of its host, broker or not.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::VERSION;
use super::fault::NextStart;
use crate::model::Address;
use crate::nuodb::message::BrokerElement;

/// Which peer: they are numbered from 1 in the order they were given.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct PeerNumber(pub u16);

impl PeerNumber {
    /// Returns where the peer stands in a list of all peers; beyond every end if there is none.
    pub fn index(self) -> usize {
        // 0 is nobody's number.
        usize::from(self.0).wrapping_sub(1)
    }
}

impl fmt::Display for PeerNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a peer is from the beginning to the end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerSettings {
    /// Where it is dialled: an IPv4 address, since clients resolve nothing else.
    pub address: Address,
    /// The name of its host.
    pub hostname: Arc<str>,
    /// Whether it sees the whole domain.
    pub is_broker: bool,
}

/// A peer as it is now.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is true or not whatever the others are"
)]
pub struct PeerView {
    /// Which one.
    pub number: PeerNumber,
    /// Where it is dialled.
    pub address: Address,
    /// What its agent calls itself at present.
    pub agent_id: Arc<str>,
    /// Whether it sees the whole domain.
    pub is_broker: bool,
    /// Whether its agent is gone.
    pub is_lost: bool,
    /// Whether it and the others see each other no more.
    pub is_isolated: bool,
    /// Whether nothing passes between it and its clients.
    pub is_muted: bool,
    /// How late its answers are.
    pub delay: Duration,
    /// How many faults wait for its next starts.
    pub next_starts: usize,
}

#[derive(Debug)]
pub(super) struct Peer {
    number: PeerNumber,
    settings: PeerSettings,
    seed: u64,
    /// How often its agent was started.
    generation: u64,
    starts: u64,
    pub(super) agent_id: Arc<str>,
    pub(super) is_lost: bool,
    pub(super) is_isolated: bool,
    pub(super) is_muted: bool,
    pub(super) delay: Duration,
    /// Belongs to the host, so that it survives the agent.
    pub(super) tags: BTreeMap<String, String>,
    pub(super) next_starts: VecDeque<NextStart>,
    /// When its archives were last used, if it says what is not so.
    pub(super) last_used: Option<Arc<str>>,
}

impl Peer {
    pub(super) fn new(number: PeerNumber, settings: PeerSettings, seed: u64) -> Self {
        let mut peer = Self {
            number,
            settings,
            seed,
            generation: 0,
            starts: 0,
            agent_id: "".into(),
            is_lost: false,
            is_isolated: false,
            is_muted: false,
            delay: Duration::ZERO,
            tags: BTreeMap::new(),
            next_starts: VecDeque::new(),
            last_used: None,
        };
        peer.start_agent();
        peer
    }

    /// Starts the agent, which calls itself something new each time.
    pub(super) fn start_agent(&mut self) {
        self.generation += 1;
        self.starts = 0;
        self.is_lost = false;
        let (number, generation) = (self.number, self.generation);
        self.agent_id = format!("{:08x}-{number}-{generation}", self.seed & 0xFFFF_FFFF).into();
    }

    /// Returns what the next start is called: digits, and never the same again.
    pub(super) fn next_start_id(&mut self) -> Arc<str> {
        self.starts += 1;
        let (seed, number) = (1 + self.seed % 899, self.number.0);
        format!("{seed}{number:03}{:03}{:06}", self.generation, self.starts).into()
    }

    pub(super) fn is_broker(&self) -> bool {
        self.settings.is_broker
    }

    pub(super) fn hostname(&self) -> &Arc<str> {
        &self.settings.hostname
    }

    pub(super) fn number(&self) -> PeerNumber {
        self.number
    }

    /// Returns the peer as every other peer tells of it.
    pub(super) fn element(&self) -> BrokerElement {
        BrokerElement {
            agent_id: self.agent_id.clone(),
            address: Some(self.settings.address.host.clone()),
            port: Some(self.settings.address.port),
            is_broker: self.settings.is_broker,
            hostname: self.settings.hostname.clone(),
            version: VERSION.into(),
        }
    }

    /// Returns the peer as it tells of itself: it does not know where it was dialled.
    pub(super) fn own_element(&self) -> BrokerElement {
        BrokerElement {
            address: None,
            port: None,
            ..self.element()
        }
    }

    pub(super) fn view(&self) -> PeerView {
        PeerView {
            number: self.number,
            address: self.settings.address.clone(),
            agent_id: self.agent_id.clone(),
            is_broker: self.settings.is_broker,
            is_lost: self.is_lost,
            is_isolated: self.is_isolated,
            is_muted: self.is_muted,
            delay: self.delay,
            next_starts: self.next_starts.len(),
        }
    }
}
