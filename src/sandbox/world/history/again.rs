//! Decides again, from the record alone, and compares with life. It knows nothing but what is on
//! record: neither what was lost with a crash nor that there was one, until the record says so.

use std::sync::Arc;

use super::disk::Batch;
use super::judge::{Broken, Law};
use crate::supervisor::{Accepted, Effect};
use crate::warden::Warden;

/// A warden that is fed with the record.
#[derive(Debug)]
pub(super) struct Again {
    warden: Warden,
    pub(super) inputs: u64,
}

impl Again {
    pub(super) fn new(accepted: Arc<Accepted>) -> Self {
        let Accepted { model, supervisor } = Arc::unwrap_or_clone(accepted);
        Self {
            warden: Warden::new(model, supervisor),
            inputs: 0,
        }
    }

    /// Takes in what is on record; what comes of it must be what came of it in life.
    pub(super) fn decide(&mut self, batch: &Batch) -> Result<(), Broken> {
        let mut effects: Vec<Effect> = Vec::new();
        for (now, input) in &batch.inputs {
            self.inputs += 1;
            self.warden.handle(*now, input.clone(), &mut effects);
        }
        let facts = self.warden.drain_facts();
        if effects != batch.effects {
            return Err(Law::DecidedAgain.broken(format!(
                "in life {:?}, from the record {effects:?}",
                batch.effects
            )));
        }
        let _ = facts;
        Ok(())
    }
}
