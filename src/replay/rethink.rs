//! A recorded life of a warden, decided once more: inputs in, and what is told must be what is on
//! record.
//!
//! Deeds are not on record, but nothing is done that is not told of. What the daemon and its
//! journal say of themselves no warden decides.

use crate::event::{Event, Group};
use crate::supervisor::{Effect, Input, Recovery};
use crate::time::Moment;
use crate::warden::Warden;

/// A warden that is fed with what is on record.
#[derive(Debug, Default)]
pub struct Rethink {
    warden: Option<Warden>,
    told: Vec<Event>,
    inputs: u64,
}

/// How it compares.
#[derive(Debug)]
pub struct Rethought {
    /// How many inputs there were.
    pub inputs: u64,
    /// How many events are the same.
    pub same: usize,
    /// The first that differ: what is decided now, and what is on record.
    pub first_difference: Option<(Option<Event>, Option<Event>)>,
}

impl Rethink {
    /// Takes in the next input, and returns whether it can be decided. Before the first that says
    /// by which settings nothing can, nor can what was decided with a memory from a backup.
    pub fn input(&mut self, now: Moment, input: Input) -> bool {
        if let (None, Input::Began(accepted)) = (&self.warden, &input) {
            let (model, supervisor) = (accepted.model.clone(), accepted.supervisor.clone());
            self.warden = Some(Warden::new(model, supervisor));
        }
        let Some(warden) = &mut self.warden else {
            return false;
        };
        if input == Input::Recovered(Recovery::Backup) {
            return false;
        }
        self.inputs += 1;
        let mut effects = Vec::new();
        warden.handle(now, input, &mut effects);
        self.told
            .extend(effects.into_iter().filter_map(|it| match it {
                Effect::Raise(event) => Some(event),
                Effect::Answer { .. } | Effect::Do(_) => None,
            }));
        true
    }

    /// Compares what was decided with what is on record, which may have lost its beginning.
    pub fn compare(self, recorded: Vec<Event>, is_whole: bool) -> Rethought {
        let is_decided = |it: &Event| it.kind.group() != Group::Daemon;
        let recorded: Vec<Event> = recorded.into_iter().filter(is_decided).collect();
        let decided: Vec<Event> = self.told.into_iter().filter(is_decided).collect();
        let begin = match recorded.first() {
            Some(first) if !is_whole => decided.iter().position(|it| it == first),
            _ => None,
        };
        let decided = &decided[begin.unwrap_or_default()..];
        let pairs = decided.iter().zip(&recorded);
        let same = pairs.take_while(|(a, b)| a == b).count();
        let next = (decided.get(same).cloned(), recorded.get(same).cloned());
        let is_same = next.0.is_none() && next.1.is_none();
        Rethought {
            inputs: self.inputs,
            same,
            first_difference: (!is_same).then_some(next),
        }
    }
}
