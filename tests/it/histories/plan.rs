//! What one history is about: drawn from its seed before it begins.

use std::time::Duration;

use dbwarden::model::DatabaseName;
use dbwarden::policy::Policy;
use dbwarden::sandbox::world::history::{self, Dice};
use dbwarden::supervisor::Settings;

/// One database.
#[derive(Clone, Debug)]
pub(super) struct Database {
    pub(super) name: String,
    /// How many transaction engines run at the beginning.
    pub(super) engines: usize,
    /// So many are declared; `None` if no policy applies.
    pub(super) policy: Option<Policy>,
}

/// Sizes, rates and policies.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) peers: usize,
    pub(super) databases: Vec<Database>,
    pub(super) faults: usize,
    /// How often each kind of fault happens, relative to the others.
    pub(super) weights: Vec<usize>,
    /// How late the broker's word may be, in milliseconds.
    pub(super) lag: u64,
    /// The longest time an engine takes to register again with a restarted agent.
    pub(super) reattach: u64,
    pub(super) start_timeout: Duration,
    /// How many starts in a hundred go wrong where nothing else is the matter.
    pub(super) bad_starts: usize,
    pub(super) settle: Duration,
}

/// How long things go wrong.
pub(super) const STORM: Duration = Duration::from_secs(1_860);

impl Plan {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let peers = 3 + dice.below(4);
        let count = 1 + dice.below(3);
        let mut databases: Vec<Database> = (0..count)
            .map(|index| Database {
                name: format!("db{index}"),
                engines: 1 + dice.below(peers.min(3)),
                policy: Some(policy(dice)),
            })
            .collect();
        if count > 1 && dice.percent(25) {
            "foreign".clone_into(&mut databases[0].name);
            databases[0].policy = None;
        }
        Self {
            peers,
            databases,
            faults: 5 + dice.below(45),
            weights: (0..super::faults::KINDS)
                .map(|_| dice.pick(&[0, 0, 1, 2, 4]))
                .collect(),
            lag: dice.pick(&[0, 5, 24]),
            reattach: dice.pick(&[100, 5_000, 15_000]),
            start_timeout: Duration::from_secs(30),
            bad_starts: dice.pick(&[0, 5, 30]),
            settle: Duration::from_millis(dice.pick(&[0, 500, 2_000])),
        }
    }

    pub(super) fn settings(&self) -> Settings {
        let mut settings = Settings::new("prod".into());
        settings.settle = self.settle;
        for database in &self.databases {
            settings
                .policies
                .extend(database.policy.clone().map(|it| Policy {
                    databases: vec![database.name.as_str().into()],
                    ..it
                }));
            let name = DatabaseName::from(database.name.as_str());
            settings.te_options.insert(name, Vec::new());
        }
        settings
    }
}

pub(super) fn policy(dice: &mut Dice) -> Policy {
    let (tail, pause) = (Duration::from_secs(600), Duration::from_secs(300));
    history::policy(dice, tail, pause)
}
