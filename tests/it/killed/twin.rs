//! A warden that never dies, fed with what the journal of the one that dies has on record.
//!
//! Of a kill it hears what is on record: that a daemon began. From there on it must tell and
//! remember what the restored one does, event by event and fact by fact.

use std::collections::BTreeMap;

use dbwarden::config::DomainSettings;
use dbwarden::event::{Event, Group};
use dbwarden::journal::fact_to_json;
use dbwarden::supervisor::{Effect, Fact, FactKey, Input};
use dbwarden::time::Moment;
use dbwarden::warden::Warden;

use crate::storm::Left;

/// How many of the last inputs are shown when the two differ.
const SHOWN: usize = 40;

/// The twin, and how far it has followed the journal.
pub(super) struct Twin {
    settings: DomainSettings,
    warden: Option<Warden>,
    last_input: u64,
    last_seq: u64,
    pub(super) inputs: usize,
    pub(super) open_starts: usize,
}

impl Twin {
    pub(super) fn new(settings: DomainSettings) -> Self {
        Self {
            settings,
            warden: None,
            last_input: 0,
            last_seq: 0,
            inputs: 0,
            open_starts: 0,
        }
    }

    /// Lives through what was recorded since the daemon was last started, and compares what it
    /// decides and remembers with what is on record.
    pub(super) async fn follow(&mut self, left: &Left, when: &str) {
        let facts = &left.recovered.facts;
        let inputs = left.inputs(&mut self.last_input).await;
        let events = left.events(self.last_seq).await;
        self.last_seq = left.recovered.last_seq;
        let Some((begin, _)) = inputs.first().cloned() else {
            let told = events.iter().map(|it| &it.event);
            assert_eq!(told.filter(|it| is_decided(it)).count(), 0, "{when}");
            return;
        };
        let (model, supervisor) = (
            self.settings.model.clone(),
            self.settings.supervisor.clone(),
        );
        let warden = self
            .warden
            .get_or_insert_with(|| Warden::new(model, supervisor));
        let mut effects = Vec::new();
        for (now, input) in &inputs {
            warden.handle(*now, input.clone(), &mut effects);
        }
        let decided = effects.iter().filter_map(raised);
        let decided: Vec<&Event> = decided.filter(|it| is_decided(it)).collect();
        let recorded = events.iter().map(|it| &it.event);
        let recorded: Vec<&Event> = recorded.filter(|it| is_decided(it)).collect();
        compare_told(when, &inputs, &decided, &recorded);
        compare(when, &warden.facts(), facts);
        self.compare_restored(when, begin, facts);
        self.inputs += inputs.len();
        let is_start = |it: &&Fact| matches!(it, Fact::Action(_));
        self.open_starts += facts.iter().filter(is_start).count();
    }

    /// What is on record makes a warden that knows just that.
    fn compare_restored(&self, when: &str, now: Moment, facts: &[Fact]) {
        let settings = self.settings.clone();
        let (model, supervisor) = (settings.model, settings.supervisor);
        let restored = Warden::restore(model, supervisor, now, facts.to_vec()).unwrap();
        compare(when, &restored.facts(), facts);
    }
}

/// Compares what the twin tells with what is on record, event by event and in order.
fn compare_told(when: &str, inputs: &[(Moment, Input)], decided: &[&Event], recorded: &[&Event]) {
    if decided == recorded {
        return;
    }
    let is_same = |(a, b): &(&&Event, &&Event)| a == b;
    let both = decided.iter().zip(recorded).take_while(is_same).count();
    let next = |it: &[&Event]| it.get(both).map(|it| (*it).clone());
    let (decided, recorded) = (next(decided), next(recorded));
    let moment = [&decided, &recorded].into_iter().flatten();
    let moment = moment.map(|it| it.time.at).min().expect("one has more");
    let mut before: Vec<_> = inputs.iter().filter(|it| it.0.at <= moment).collect();
    let before = before.split_off(before.len().saturating_sub(SHOWN));
    let before: Vec<String> = before.iter().map(|it| format!("{it:?}")).collect();
    panic!(
        "{when}: after {both} events the twin tells\n{decided:?}\nand on record is\n{recorded:?}\n\
         after\n{}",
        before.join("\n"),
    );
}

fn raised(effect: &Effect) -> Option<&Event> {
    match effect {
        Effect::Raise(event) => Some(event),
        Effect::Answer { .. } | Effect::Do(_) => None,
    }
}

/// Returns whether a warden tells of it; of the daemon itself the journal does.
fn is_decided(event: &Event) -> bool {
    event.kind.group() != Group::Daemon
}

/// Compares facts by what is written of them.
fn compare(when: &str, expected: &[Fact], known: &[Fact]) {
    let (expected, known) = (written(expected), written(known));
    for key in expected.keys().chain(known.keys()) {
        assert_eq!(known.get(key), expected.get(key), "{when}: {key}");
    }
}

fn written(facts: &[Fact]) -> BTreeMap<FactKey, String> {
    let facts = facts.iter().map(|it| (it.key(), fact_to_json(it)));
    facts.collect()
}
