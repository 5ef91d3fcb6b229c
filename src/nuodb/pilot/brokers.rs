//! Which broker to try next, and when: order, back-off with seeded jitter, cool-down.
//!
//! It opens nothing and knows of no session; it is told what failed and what stood.

use std::time::Duration;

use super::Strategy;
use crate::model::{Address, AgentId};
use crate::time::Timestamp;

/// How many brokers are remembered. Real domains have three to nine; a broker that announces
/// thousands shall not cost us memory.
const BROKERS_MAX: usize = 64;

/// How a try at a broker ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Miss {
    /// Another try may succeed: the next broker's turn, after the usual pause.
    Passing,
    /// This broker will not have us until a person acts; others may.
    Refused,
    /// The domain will not have us until a person acts: trying brokers in turn is hammering.
    Rejected,
}

/// How long to wait between tries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// The first pause.
    pub(super) first: Duration,
    /// The longest pause.
    pub(super) max: Duration,
    /// Makes the pauses of two daemons differ, and those of two runs with one seed equal.
    pub(super) seed: u64,
}

/// The brokers of a domain, configured ones first, and the pause before the next try.
#[derive(Debug)]
pub(super) struct Brokers {
    known: Vec<Broker>,
    strategy: Strategy,
    pace: Pace,
    /// Misses since a session last stood for long.
    misses: u32,
    /// Misses ever; gives each pause a jitter of its own.
    draws: u64,
    /// No try before this, at whichever broker.
    not_before: Timestamp,
    /// Whether no session ever stood: then every broker is tried once without a pause.
    is_first_round: bool,
    last: Option<Address>,
}

#[derive(Debug)]
struct Broker {
    address: Address,
    /// Who was last seen there: one broker may be known under several addresses.
    agent: Option<AgentId>,
    is_configured: bool,
    misses: u32,
    /// Its own cool-down.
    not_before: Timestamp,
}

impl Brokers {
    pub(super) fn new(
        configured: &[Address],
        learned: &[Address],
        strategy: Strategy,
        pace: Pace,
    ) -> Self {
        let mut brokers = Self {
            known: Vec::new(),
            strategy,
            pace,
            misses: 0,
            draws: 0,
            not_before: Timestamp::ZERO,
            is_first_round: true,
            last: None,
        };
        for address in configured {
            brokers.add(address.clone(), true);
        }
        for address in learned {
            brokers.learn(address, None);
        }
        brokers
    }

    /// Takes in a broker that the domain announced. It comes after those known already; when
    /// there are too many, the one learned first is forgotten.
    pub(super) fn learn(&mut self, address: &Address, agent: Option<&AgentId>) {
        if let Some(known) = self.find(address) {
            if agent.is_some() {
                known.agent = agent.cloned();
            }
            return;
        }
        if self.known.len() >= BROKERS_MAX {
            match self.known.iter().position(|it| !it.is_configured) {
                Some(oldest) => drop(self.known.remove(oldest)),
                None => return,
            }
        }
        self.add(address.clone(), false);
        if let Some(added) = self.known.last_mut() {
            added.agent = agent.cloned();
        }
    }

    /// Returns whom to try next and when, unless no broker is known.
    pub(super) fn next(&self) -> Option<(Timestamp, Address)> {
        let last = self.last.as_ref();
        let last = last.and_then(|it| self.known.iter().position(|at| at.address.is_same(it)));
        let ready: Vec<usize> = (0..self.known.len())
            .filter(|it| self.known[*it].not_before <= self.not_before)
            .collect();
        let agent = last.and_then(|it| self.known[it].agent.as_ref());
        let is_other = |it: &usize| {
            let is_same_agent = agent.is_some() && self.known[*it].agent.as_ref() == agent;
            Some(*it) != last && !is_same_agent
        };
        let others: Vec<usize> = ready.iter().copied().filter(is_other).collect();
        let picked = self.pick(if others.is_empty() { &ready } else { &others }, last);
        let broker = match picked {
            Some(index) => &self.known[index],
            None => self.known.iter().min_by_key(|it| it.not_before)?,
        };
        let at = broker.not_before.max(self.not_before);
        Some((at, broker.address.clone()))
    }

    /// Picks one of those that may be tried, as the strategy says.
    fn pick(&self, ready: &[usize], last: Option<usize>) -> Option<usize> {
        match self.strategy {
            Strategy::Fallback => ready
                .iter()
                .copied()
                .min_by_key(|it| self.known[*it].misses),
            Strategy::Random => {
                let rank = |it: &usize| (self.known[*it].misses, !self.known[*it].is_configured);
                let best = ready.iter().map(rank).min()?;
                let equal: Vec<usize> = ready
                    .iter()
                    .copied()
                    .filter(|it| rank(it) == best)
                    .collect();
                // Not the number that the next pause comes from.
                let chance = mix(!self.pace.seed, self.draws);
                let count = u64::try_from(equal.len()).unwrap_or(1);
                let at = usize::try_from(chance % count).unwrap_or_default();
                equal.get(at).copied()
            }
            Strategy::RoundRobin => {
                let after = |it: &&usize| last.is_none_or(|last| **it > last);
                ready.iter().find(after).or_else(|| ready.first()).copied()
            }
        }
    }

    /// Notes that a session to `address` stands, and who answers there.
    pub(super) fn stood(&mut self, address: &Address, agent: &AgentId) {
        if let Some(known) = self.find(address) {
            known.agent = Some(agent.clone());
        }
        self.is_first_round = false;
        self.last = Some(address.clone());
        self.known.iter_mut().for_each(|it| it.misses = 0);
    }

    /// Notes that a session ended after it had stood for `uptime`.
    pub(super) fn lost(&mut self, now: Timestamp, address: &Address, miss: Miss, uptime: Duration) {
        // A session that breaks as soon as it stands is no success, or it would be opened again
        // at the shortest pause for ever.
        if uptime >= self.pace.max {
            self.misses = 0;
        }
        self.missed(now, address, miss);
    }

    /// Notes that a try at `address` failed.
    pub(super) fn missed(&mut self, now: Timestamp, address: &Address, miss: Miss) {
        self.misses = self.misses.saturating_add(1);
        self.draws += 1;
        self.last = Some(address.clone());
        let (pace, draw) = (self.pace, self.draws);
        if let Some(broker) = self.find(address) {
            broker.misses = broker.misses.saturating_add(1);
            let cool_down = match miss {
                Miss::Passing => pace.pause(broker.misses, draw),
                Miss::Refused | Miss::Rejected => pace.max,
            };
            broker.not_before = now + cool_down;
        }
        let is_prompt = self.is_first_round && self.known.iter().any(|it| it.misses == 0);
        let pause = match miss {
            Miss::Rejected => pace.max,
            Miss::Passing | Miss::Refused if is_prompt => Duration::ZERO,
            Miss::Passing | Miss::Refused => pace.pause(self.misses, draw),
        };
        self.not_before = now + pause;
    }

    fn find(&mut self, address: &Address) -> Option<&mut Broker> {
        self.known.iter_mut().find(|it| it.address.is_same(address))
    }

    fn add(&mut self, address: Address, is_configured: bool) {
        if self.find(&address).is_none() {
            self.known.push(Broker {
                address,
                agent: None,
                is_configured,
                misses: 0,
                not_before: Timestamp::ZERO,
            });
        }
    }
}

impl Pace {
    /// Returns the pause after so many misses in a row: doubled with each, capped, and shortened
    /// by up to a half as the seed and the draw say.
    pub(super) fn pause(self, misses: u32, draw: u64) -> Duration {
        let doublings = misses.saturating_sub(1).min(31);
        let whole = self.first.saturating_mul(1 << doublings).min(self.max);
        let micros = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX);
        let off = mix(self.seed, draw) % (micros / 2 + 1);
        Duration::from_micros(micros - off)
    }
}

/// Returns a number that looks random and is the same for the same arguments (`SplitMix64`).
fn mix(seed: u64, draw: u64) -> u64 {
    let mut bits = seed.wrapping_add(draw.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        first: Duration::from_millis(500),
        max: Duration::from_secs(30),
        seed: 7,
    };

    fn address(host: &str) -> Address {
        Address::new(host, 48_004)
    }

    fn agent(name: &str) -> AgentId {
        AgentId::from(name)
    }

    fn brokers(hosts: &[&str]) -> Brokers {
        with(hosts, &[], Strategy::Fallback, PACE.seed)
    }

    fn with(hosts: &[&str], learned: &[&str], strategy: Strategy, seed: u64) -> Brokers {
        let all = |hosts: &[&str]| hosts.iter().map(|it| address(it)).collect::<Vec<_>>();
        let pace = Pace { seed, ..PACE };
        Brokers::new(&all(hosts), &all(learned), strategy, pace)
    }

    /// Has a session at whoever is next and loses it after a minute, `count` times.
    fn sessions(brokers: &mut Brokers, count: usize) -> String {
        let mut now = Timestamp::ZERO;
        let mut hosts = Vec::new();
        for _ in 0..count {
            let (at, whom) = brokers.next().unwrap();
            assert!(
                at.since(now) <= PACE.first,
                "no broker failed twice in a row"
            );
            now = at.max(now) + Duration::from_secs(60);
            brokers.stood(&whom, &agent(&whom.host));
            brokers.lost(now, &whom, Miss::Passing, Duration::from_secs(60));
            hosts.push(whom.host.to_string());
        }
        hosts.join(" ")
    }

    #[test]
    fn fallback_takes_the_first_that_was_not_the_last() {
        let mut brokers = with(&["a", "b", "c"], &["x"], Strategy::Fallback, 7);
        assert_eq!(sessions(&mut brokers, 5), "a b a b a");
    }

    #[test]
    fn round_robin_takes_the_next_and_the_learned_ones_in_their_turn() {
        let mut brokers = with(&["a", "b"], &["x"], Strategy::RoundRobin, 7);
        assert_eq!(sessions(&mut brokers, 7), "a b x a b x a");
    }

    #[test]
    fn random_takes_any_but_the_last_and_the_same_with_the_same_seed() {
        let run = |seed| {
            sessions(
                &mut with(&["a", "b", "c"], &["x"], Strategy::Random, seed),
                60,
            )
        };
        let told = run(7);
        assert_eq!(told, run(7));
        assert_ne!(told, run(8));
        let hosts: Vec<&str> = told.split(' ').collect();
        assert!(hosts.windows(2).all(|it| it[0] != it[1]), "{told}");
        for host in ["a", "b", "c"] {
            let count = hosts.iter().filter(|it| **it == host).count();
            assert!((10..=30).contains(&count), "{told}");
        }
        assert!(!hosts.contains(&"x"), "configured ones come first: {told}");
        let mut first = Vec::new();
        for seed in 0..32 {
            first.push(
                with(&["a", "b"], &[], Strategy::Random, seed)
                    .next()
                    .unwrap()
                    .1,
            );
        }
        assert!(first.contains(&address("a")) && first.contains(&address("b")));
    }

    #[test]
    fn every_strategy_comes_to_every_broker_that_is_left() {
        for strategy in [Strategy::Fallback, Strategy::Random, Strategy::RoundRobin] {
            let mut brokers = with(&["a", "b"], &["x", "y"], strategy, 7);
            let tried = tries(&mut brokers, &mut Timestamp::ZERO.clone(), 4);
            let mut hosts: Vec<&str> = tried.iter().map(|it| it.0.as_str()).collect();
            hosts.sort_unstable();
            assert_eq!(hosts, ["a", "b", "x", "y"], "{strategy:?}");
            assert!(tried.iter().all(|it| it.1 == Duration::ZERO));
        }
    }

    /// Tries and fails `count` times; returns who was tried and how long each pause was.
    fn tries(brokers: &mut Brokers, now: &mut Timestamp, count: usize) -> Vec<(String, Duration)> {
        let mut tried = Vec::new();
        for _ in 0..count {
            let (at, whom) = brokers.next().expect("brokers are configured");
            tried.push((whom.host.to_string(), at.since(*now)));
            *now = at.max(*now);
            brokers.missed(*now, &whom, Miss::Passing);
        }
        tried
    }

    fn hosts(tried: &[(String, Duration)]) -> String {
        let hosts: Vec<_> = tried.iter().map(|it| it.0.as_str()).collect();
        hosts.join(" ")
    }

    #[test]
    fn at_first_all_brokers_are_tried_promptly_in_order() {
        let mut now = Timestamp::ZERO;
        let tried = tries(&mut brokers(&["a", "b", "c"]), &mut now, 3);
        assert_eq!(hosts(&tried), "a b c");
        assert_eq!(now, Timestamp::ZERO);
    }

    #[test]
    fn then_in_turn_at_pauses_that_double_up_to_half_a_minute() {
        let mut brokers = brokers(&["a", "b", "c"]);
        let mut now = Timestamp::ZERO;
        tries(&mut brokers, &mut now, 3);
        let tried = tries(&mut brokers, &mut now, 9);
        assert_eq!(hosts(&tried), "a b c a b c a b c");
        for (index, (_, pause)) in tried.iter().enumerate() {
            // Three misses were free, so the first pause is the third one.
            let whole = Duration::from_millis(2_000 << index).min(PACE.max);
            assert!(*pause >= whole / 2 && *pause <= whole, "{index}: {pause:?}");
        }
    }

    #[test]
    fn a_single_broker_is_tried_again_and_again() {
        let mut now = Timestamp::ZERO;
        let tried = tries(&mut brokers(&["a"]), &mut now, 9);
        assert_eq!(tried[0].1, Duration::ZERO);
        assert!(tried[1].1 <= PACE.first && tried[1].1 >= PACE.first / 2);
        assert!(tried[8].1 >= PACE.max / 2 && tried[8].1 <= PACE.max);
    }

    #[test]
    fn after_a_loss_another_broker_is_tried_first() {
        let mut brokers = brokers(&["a", "b"]);
        let now = Timestamp::from_micros(1);
        brokers.stood(&address("a"), &agent("x"));
        brokers.lost(now, &address("a"), Miss::Passing, Duration::from_secs(60));
        let (at, whom) = brokers.next().unwrap();
        assert_eq!(whom, address("b"));
        assert!(at.since(now) <= PACE.first);
    }

    #[test]
    fn a_session_that_breaks_at_once_again_and_again_is_opened_ever_more_rarely() {
        let mut brokers = brokers(&["a"]);
        let mut now = Timestamp::ZERO;
        for _ in 0..10 {
            now = brokers.next().unwrap().0.max(now);
            brokers.stood(&address("a"), &agent("x"));
            brokers.lost(now, &address("a"), Miss::Passing, Duration::from_millis(1));
        }
        assert!(brokers.next().unwrap().0.since(now) >= PACE.first);
        assert!(now.since(Timestamp::ZERO) > PACE.max);
    }

    #[test]
    fn a_rejected_password_is_tried_at_no_other_broker_before_the_longest_pause() {
        let mut brokers = brokers(&["a", "b"]);
        brokers.missed(Timestamp::ZERO, &address("a"), Miss::Rejected);
        let next = brokers.next().unwrap();
        assert_eq!(next, (Timestamp::ZERO + PACE.max, address("b")));
    }

    #[test]
    fn a_certificate_that_fails_at_one_broker_says_nothing_of_the_others() {
        let mut brokers = brokers(&["a", "b"]);
        brokers.missed(Timestamp::ZERO, &address("a"), Miss::Refused);
        assert_eq!(brokers.next().unwrap(), (Timestamp::ZERO, address("b")));
        brokers.missed(Timestamp::ZERO, &address("b"), Miss::Passing);
        let (at, whom) = brokers.next().unwrap();
        assert_eq!(whom, address("b"));
        assert!(at < Timestamp::ZERO + PACE.max / 2);
    }

    #[test]
    fn learned_brokers_come_after_the_configured_ones_and_are_bounded() {
        let mut brokers = brokers(&["a"]);
        for number in 0..200 {
            brokers.learn(&address(&format!("x{number}")), None);
            brokers.learn(&address("a"), None);
        }
        assert_eq!(brokers.known.len(), BROKERS_MAX);
        assert_eq!(brokers.known[0].address, address("a"));
        assert_eq!(brokers.known[BROKERS_MAX - 1].address, address("x199"));
    }

    #[test]
    fn no_broker_is_no_try() {
        assert_eq!(brokers(&[]).next(), None);
    }

    #[test]
    fn a_broker_under_another_address_is_no_other_broker() {
        for strategy in [Strategy::Fallback, Strategy::Random, Strategy::RoundRobin] {
            let mut brokers = with(&["a", "b"], &[], strategy, 7);
            for (name, number) in [("b", "10.0.0.2"), ("a", "10.0.0.1")] {
                brokers.stood(&address(name), &agent(name));
                brokers.learn(&address(number), Some(&agent(name)));
            }
            let now = Timestamp::from_micros(1);
            brokers.lost(now, &address("a"), Miss::Passing, Duration::from_secs(60));
            let next = brokers.next().unwrap().1.host;
            assert!(["b", "10.0.0.2"].contains(&&*next), "{strategy:?}: {next}");
        }
        // If it is the only one, it is tried under each of its names.
        let mut brokers = with(&["a"], &[], Strategy::Fallback, 7);
        brokers.stood(&address("a"), &agent("a"));
        brokers.learn(&address("10.0.0.1"), Some(&agent("a")));
        let tried = tries(&mut brokers, &mut Timestamp::ZERO.clone(), 8);
        let hosts = hosts(&tried);
        assert!(hosts.contains('a') && hosts.contains("10.0.0.1"), "{hosts}");
    }
}
