//! What one history is about: drawn from its seed before it begins.

use std::time::Duration;

use dbwarden::model::DatabaseName;
use dbwarden::policy::{AfterStages, Backoff, Bounds, Place, Policy, Stage};
use dbwarden::supervisor::Settings;

use super::dice::Dice;

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
            min: u32::try_from(min).unwrap(),
            max: None,
        }),
        stages,
        after_stages: dice.pick(&[
            AfterStages::Hold,
            AfterStages::Slow(Duration::from_secs(60)),
            AfterStages::Slow(Duration::from_secs(600)),
        ]),
        backoff: Backoff {
            max: Duration::from_secs(dice.pick(&[10, 300])),
            ..Backoff::default()
        },
        confirm_for: Duration::from_secs(dice.pick(&[0, 10])),
        strict_siblings: dice.percent(20),
        ..Policy::default()
    }
}
