//! Which peer is meant: a peer is a set of aliases, and any of them may be new.
//!
//! An agent id is unique in the domain, but new with each start of the agent. An address is unique
//! too, but it may have passed on, and the peer that tells does not know its own. Host name and
//! port serve only to recognise a peer that is not there at present under another name: hosts of
//! different sites may share one. What the configuration says of aliases counts as an address does.

use std::collections::{BTreeMap, BTreeSet};

use super::ids::{Address, PeerName};
use super::sighting::PeerSeen;
use super::state::{Model, PeerId, PeerSettings};

/// Returns which of the configured peers each address means.
pub(super) fn aliases(peers: &[PeerSettings]) -> BTreeMap<Address, usize> {
    let mut aliases = BTreeMap::new();
    for (index, peer) in peers.iter().enumerate() {
        // A name may be an address itself; without a port it is a mere name.
        let name = Address::parse(peer.name.as_str(), 0).ok();
        let name = name.filter(|it| it.port != 0);
        for alias in peer.aliases.iter().chain(&peer.dial).chain(&name) {
            aliases.entry(alias.folded()).or_insert(index);
        }
    }
    aliases
}

/// Returns where to dial the configured peers that are dialled elsewhere than they say, by each
/// address they may say.
pub fn dials(peers: &[PeerSettings]) -> BTreeMap<Address, Address> {
    let aliases = aliases(peers).into_iter();
    aliases
        .filter_map(|(address, index)| Some((address, peers[index].dial.clone()?)))
        .collect()
}

impl Model {
    /// Finds the peers that a complete picture means, each at most once, the one that tells first.
    ///
    /// The strongest alias of all counts before the next weaker one of any: a peer that only looks
    /// like another must not take its place.
    pub(super) fn identify(&self, entry: &PeerSeen, peers: &[PeerSeen]) -> Vec<Option<PeerId>> {
        let listed: Vec<&PeerSeen> = std::iter::once(entry).chain(peers).collect();
        let mut found: Vec<Option<PeerId>> = vec![None; listed.len()];
        let mut claimed = BTreeSet::new();
        for rule in [Self::by_agent, Self::by_address, Self::by_host] {
            for (found, seen) in found.iter_mut().zip(&listed) {
                if found.is_none() {
                    *found = rule(self, seen).filter(|it| claimed.insert(*it));
                }
            }
        }
        found
    }

    /// Finds the peer that is meant by itself, by the strongest alias first.
    pub(super) fn resolve(&self, seen: &PeerSeen) -> Option<PeerId> {
        let absent = |id: &PeerId| !self.peer(*id).is_connected() || self.is_doubted(*id);
        self.by_agent(seen)
            .or_else(|| self.by_address(seen))
            .or_else(|| self.by_host(seen).filter(absent))
    }

    fn by_agent(&self, seen: &PeerSeen) -> Option<PeerId> {
        self.peer_of_agent(&seen.agent_id)
    }

    fn by_address(&self, seen: &PeerSeen) -> Option<PeerId> {
        let known = self.addresses.get(&seen.address.folded()).copied();
        known.or_else(|| {
            let rule = self.rule_of(seen)?;
            let aliases = rule.aliases.iter().chain(&rule.dial);
            let mut known = aliases.filter_map(|it| self.addresses.get(&it.folded()).copied());
            self.peer_named(&rule.name).or_else(|| known.next())
        })
    }

    fn by_host(&self, seen: &PeerSeen) -> Option<PeerId> {
        self.addresses.get(&seen.host_alias()?).copied()
    }

    /// Returns the peer that people call so: by our name for it, or by an address of it.
    pub fn peer_called(&self, name: &PeerName) -> Option<PeerId> {
        let known = self.peer_named(name);
        known.or_else(|| {
            let address = Address::parse(name.as_str(), 0).ok()?.folded();
            let configured = || {
                let index = self.configured.get(&address)?;
                self.peer_named(&self.settings.peers.get(*index)?.name)
            };
            self.addresses.get(&address).copied().or_else(configured)
        })
    }

    /// Returns what the configuration says of a peer.
    pub(super) fn rule_of(&self, seen: &PeerSeen) -> Option<&PeerSettings> {
        let by_address = self.configured.get(&seen.address.folded());
        let index = by_address.or_else(|| self.configured.get(&seen.host_alias()?))?;
        self.settings.peers.get(*index)
    }

    /// Returns what a new peer is called: as the configuration says, else by its address. A name
    /// that is taken, by one that was here under that address before, gets a number.
    pub(super) fn name_of(&self, seen: &PeerSeen, rule: Option<&PeerSettings>) -> PeerName {
        let address = PeerName::from(seen.address.to_string().as_str());
        let name = rule.map_or(address, |it| it.name.clone());
        let numbered = (2_u64..).map(|it| PeerName::from(format!("{name}#{it}").as_str()));
        std::iter::once(name.clone())
            .chain(numbered)
            .find(|it| !self.names.contains_key(it))
            .expect("there are more numbers than peers")
    }

    /// Applies what the configuration says of peers to those that are known. What they are called
    /// stays: other things are remembered under that name.
    pub(super) fn apply_rules(&mut self) {
        self.configured = aliases(&self.settings.peers);
        for peer in &mut self.peers {
            let by_name = self.settings.peers.iter().find(|it| it.name == peer.name);
            let mut known = peer.addresses.iter();
            let rule = by_name.or_else(|| {
                let index = known.find_map(|it| self.configured.get(it))?;
                self.settings.peers.get(*index)
            });
            let (dial, labels) =
                rule.map_or_else(Default::default, |it| (it.dial.clone(), it.labels.clone()));
            peer.dial = dial;
            peer.labels = labels;
        }
    }
}
