//! What only some histories have: it is drawn aside, so that the others are what they are without.

use super::dice::Dice;
use super::fault::Fault;

/// In how many histories of a hundred people tell us something.
const SAID: usize = 25;

/// What a history has that others have not.
#[derive(Clone, Debug, Default)]
pub(super) struct More {
    /// How often people tell us something.
    said: usize,
}

impl More {
    /// Draws what the history of a seed has.
    pub(super) fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(!seed);
        let said = if dice.percent(SAID) {
            3 + dice.below(10)
        } else {
            0
        };
        Self { said }
    }

    /// Returns how many faults of which groups strike beside the usual ones.
    pub(super) fn faults(&self) -> [(&'static [Fault], usize); 1] {
        [(Fault::SAID, self.said)]
    }
}
