//! What only some histories have: it is drawn aside, so that the others are what they are without.

use super::dice::Dice;
use super::fault::Fault;

/// Which groups of faults strike in how many histories of a hundred, and how often at least and at
/// most.
const GROUPS: [(&[Fault], usize, [usize; 2]); 5] = [
    (Fault::SAID, 25, [3, 12]),
    (Fault::CLOCKS, 12, [1, 3]),
    (Fault::ONE_WAY, 10, [1, 3]),
    (Fault::HANGS, 8, [1, 2]),
    (Fault::RELOADS, 10, [1, 3]),
];

/// In how many histories of a hundred storage managers are healed.
const MANAGED: usize = 15;

/// In how many of those, of a hundred, archives are asked before a cold start.
const ASKED: usize = 60;

/// In how many histories of a hundred ports are tried.
const PROBED: usize = 12;

/// What a history has that others have not.
#[derive(Clone, Debug, Default)]
pub(super) struct More {
    /// How many faults of which groups strike beside the usual ones.
    pub(super) faults: Vec<(&'static [Fault], usize)>,
    /// By what it is drawn how storage managers are healed, if they are.
    pub(super) managed: Option<Dice>,
    /// Whether archives are asked which of them was used last.
    pub(super) asks_archives: bool,
    /// Whether the ports of engines are tried.
    pub(super) probes: bool,
    /// Whether the configuration changes.
    pub(super) reloads: bool,
}

impl More {
    /// Draws what the history of a seed has.
    pub(super) fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(!seed);
        let (mut faults, mut reloads) = (Vec::new(), false);
        for (group, chance, [least, most]) in GROUPS {
            if dice.percent(chance) {
                reloads |= group == Fault::RELOADS;
                faults.push((group, least + dice.below(most - least + 1)));
            }
        }
        let managed = dice.percent(MANAGED).then(|| Dice::new(dice.next()));
        if managed.is_some() {
            faults.push((Fault::MANAGERS, 1 + dice.below(5)));
        }
        let asks_archives = managed.is_some() && dice.percent(ASKED);
        if asks_archives {
            faults.push((Fault::LIES, 1 + dice.below(5)));
        }
        let probes = dice.percent(PROBED);
        if probes {
            faults.push((Fault::PORTS, 2 + dice.below(7)));
        }
        Self {
            faults,
            managed,
            asks_archives,
            probes,
            reloads,
        }
    }
}
