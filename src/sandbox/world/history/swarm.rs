//! What one history is about: sizes, rates and policies, drawn from its seed before it begins.

use std::sync::Arc;
use std::time::Duration;

use super::super::{Pace, PeerSettings};
use super::Ground;
use super::archives;
use super::dice::Dice;
use super::fault::Fault;
use super::managers;
use super::more::More;
use super::ports;
use crate::model::{self, Address, DatabaseName};
use crate::mutation::Planted;
use crate::nuodb::cipher::CipherName;
use crate::nuodb::pilot::PilotSettings;
use crate::policy::{AfterStages, Backoff, Bounds, Place, Policy, Stage};
use crate::supervisor::{Accepted, Budget, Settings};

/// What a policy that is drawn says at most, so that histories need not be longer.
const LONGEST_TAIL: Duration = Duration::from_secs(180);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long things go wrong.
pub(super) const STORM: Duration = Duration::from_secs(1_320);

/// One database.
#[derive(Clone, Debug)]
pub(super) struct Database {
    pub(super) name: Arc<str>,
    /// How many transaction engines run at the beginning.
    pub(super) engines: usize,
    /// How many storage managers do.
    pub(super) managers: usize,
    pub(super) policy: Option<Policy>,
    /// The policy it had, and may have again.
    pub(super) withdrawn: Option<Policy>,
}

/// Sizes, rates and policies.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) peers: Vec<PeerSettings>,
    pub(super) databases: Vec<Database>,
    pub(super) accepted: Arc<Accepted>,
    pub(super) pilot: PilotSettings,
    pub(super) ciphers: Vec<CipherName>,
    pub(super) faults: usize,
    /// How often each kind of fault happens, relative to the others.
    pub(super) weights: Vec<usize>,
    /// What else there is.
    pub(super) more: More,
    /// How late the daemon's timers are at most, in milliseconds.
    pub(super) lateness: u64,
    /// How long a packet travels, in microseconds.
    pub(super) latency: (u64, u64),
    /// How long a commit takes, in microseconds.
    pub(super) disk: (u64, u64),
    /// How long things take in the domain.
    pub(super) pace: Pace,
    /// Whether what peers send is cut into pieces.
    pub(super) cuts: bool,
    /// How long all is well in the end: longer than any pause of any policy.
    pub(super) calm: Duration,
}

impl Plan {
    pub(super) fn draw(dice: &mut Dice, ground: &Ground, more: More) -> Self {
        // Small domains are quick, and show as much.
        let count = dice.pick(&[3, 3, 3, 4, 4, 5, 6]);
        let brokers = 2 + dice.below(count - 1);
        let peers: Vec<PeerSettings> = (1..=count).map(|it| peer(it, it <= brokers)).collect();
        let (mut databases, mut accepted) = match &ground.accepted {
            Some(accepted) => given(dice, accepted, count),
            None => drawn(dice, count),
        };
        if ground.accepted.is_none()
            && let Some(mut dice) = more.managed.clone()
        {
            accepted = managers::manage(&mut dice, &mut databases, accepted, count);
            if more.asks_archives {
                accepted = archives::ask(accepted);
            }
        }
        if ground.accepted.is_none() && more.probes {
            accepted = ports::probe(accepted);
        }
        let accepted = planted(accepted, ground.planted);
        let calm = calm(&accepted.supervisor.policies);
        let cipher = dice.pick(&[CipherName::Aes256Ctr, CipherName::Aes128Ctr]);
        let most = dice.pick(&[5, 5, 5, 20]);
        let mut pilot = ground.pilot.clone();
        let known = 1 + dice.below(brokers);
        pilot.brokers = peers[..known].iter().map(|it| it.address.clone()).collect();
        if ground.accepted.is_none() {
            let often = dice.percent(2);
            let interval = if often { 10 } else { 300 };
            pilot.probe_interval = Duration::from_secs(interval);
            pilot.probe_misses = if often { 3 } else { 1 };
        }
        Self {
            peers,
            databases,
            accepted,
            pilot,
            ciphers: vec![cipher],
            faults: 5 + dice.below(most),
            weights: (0..Fault::USUAL.len())
                .map(|_| dice.pick(&[0, 0, 1, 2, 4]))
                .collect(),
            more,
            lateness: dice.pick(&[0, 0, 0, 100]),
            latency: dice.pick(&[(200, 400), (100, 5_000), (1_000, 40_000)]),
            disk: dice.pick(&[(50, 300), (1_000, 20_000), (1_000, 400_000)]),
            // That a start failed is told twice, and the second time may come late.
            pace: Pace {
                failed_again: Duration::from_millis(dice.pick(&[100, 100, 3_000, 20_000])),
                ..Pace::REAL
            },
            cuts: dice.percent(10),
            calm,
        }
    }
}

/// Returns what is accepted, with a mistake planted wherever it says how things are decided.
fn planted(accepted: Arc<Accepted>, planted: Planted) -> Arc<Accepted> {
    let mut accepted = Arc::unwrap_or_clone(accepted);
    accepted.model.planted = planted;
    accepted.supervisor.planted = planted;
    Arc::new(accepted)
}

fn peer(number: usize, is_broker: bool) -> PeerSettings {
    PeerSettings {
        address: Address::new(format!("10.0.0.{number}").as_str(), 48_004),
        hostname: format!("host{number}").into(),
        is_broker,
    }
}

/// Returns how long all must be well until everything can be expected to rest.
fn calm(policies: &[Policy]) -> Duration {
    let pauses = policies.iter().map(|it| {
        let slow = match it.after_stages {
            AfterStages::Hold => Duration::ZERO,
            AfterStages::Slow(pause) => pause,
        };
        // The jitter of a pause is a tenth of it.
        slow.max(it.backoff.max) * 12 / 10 + it.start_timeout + it.unreachable_grace
    });
    let longest = pauses.max().unwrap_or_default();
    (longest + Duration::from_secs(240)).max(Duration::from_secs(480))
}

/// Returns the operator's databases, or some that his policies apply to.
fn given(dice: &mut Dice, accepted: &Accepted, peers: usize) -> (Vec<Database>, Arc<Accepted>) {
    let mut accepted = accepted.clone();
    let supervisor = &mut accepted.supervisor;
    supervisor.seed = dice.next();
    let mut names: Vec<DatabaseName> = supervisor.te_options.keys().cloned().collect();
    for name in ["accounts", "orders"] {
        if names.len() < 2 {
            names.push(name.into());
            supervisor.te_options.insert(name.into(), Vec::new());
        }
    }
    let databases = names.into_iter().map(|name| {
        let applies = |it: &&Policy| it.applies(supervisor.domain.as_str(), name.as_str());
        let policy = supervisor.policies.iter().find(applies).cloned();
        database(dice, name.as_str(), policy, peers)
    });
    (databases.collect(), Arc::new(accepted))
}

fn database(dice: &mut Dice, name: &str, policy: Option<Policy>, peers: usize) -> Database {
    Database {
        name: name.into(),
        engines: 1 + dice.below(peers.min(3)),
        managers: 1 + dice.below(2),
        policy,
        withdrawn: None,
    }
}

fn drawn(dice: &mut Dice, peers: usize) -> (Vec<Database>, Arc<Accepted>) {
    let count = dice.pick(&[2, 2, 2, 3]);
    let mut supervisor = Settings::new("prod".into());
    supervisor.settle = Duration::from_millis(dice.pick(&[0, 500, 2_000]));
    supervisor.prepare_timeout = Duration::from_secs(dice.pick(&[15, 15, 4]));
    supervisor.seed = dice.next();
    if supervisor.seed.is_multiple_of(4) {
        supervisor.budget = Budget {
            max_actions: 4,
            window: Duration::from_secs(120),
        };
    }
    let mut databases = Vec::new();
    for index in 0..count {
        let name = format!("db{index}");
        let is_foreign = index == 0 && dice.percent(25);
        let policy = (!is_foreign).then(|| policy(dice, LONGEST_TAIL, LONGEST_PAUSE));
        supervisor.policies.extend(policy.clone().map(|it| Policy {
            databases: vec![name.as_str().into()],
            ..it
        }));
        let key = DatabaseName::from(name.as_str());
        supervisor.te_options.insert(key, Vec::new());
        databases.push(database(dice, &name, policy, peers));
    }
    let model = model::Settings::default();
    (databases, Arc::new(Accepted { model, supervisor }))
}

/// Draws a policy; a slow tail and a pause are at most that long.
fn policy(dice: &mut Dice, tail: Duration, pause: Duration) -> Policy {
    let keep_observed = dice.percent(75);
    let min = if keep_observed {
        dice.below(3)
    } else {
        1 + dice.below(3)
    };
    let stage = |place, tries| Stage { place, tries };
    let (here, elsewhere) = (Place::Here, Place::Elsewhere);
    let stages = match dice.below(5) {
        0 => vec![stage(here, None)],
        1 => vec![stage(elsewhere, None)],
        2 => vec![
            stage(here, Some(1)),
            stage(elsewhere, Some(3)),
            stage(here, Some(2)),
        ],
        _ => Policy::default().stages,
    };
    Policy {
        keep_observed,
        te: (min > 0).then(|| Bounds {
            min: u32::try_from(min).expect("it is small"),
            max: None,
        }),
        stages,
        after_stages: dice.pick(&[
            AfterStages::Hold,
            AfterStages::Slow(Duration::from_secs(60)),
            AfterStages::Slow(tail),
        ]),
        backoff: Backoff {
            max: dice.pick(&[Duration::from_secs(10), pause]),
            ..Backoff::default()
        },
        confirm_for: Duration::from_secs(dice.pick(&[0, 10])),
        strict_siblings: dice.percent(20),
        ..Policy::default()
    }
}
