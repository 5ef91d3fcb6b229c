//! A warden that never dies, fed with what the journal of the one that dies has on record.
//!
//! A kill is for the twin what it would have been told had only its driver been replaced. Its
//! session is lost at the last moment on record: whatever would have fallen due after that was seen
//! by nobody, and the next snapshot must say what became of it. A start that was only prepared was
//! not sent, which a restored warden finds out with its first input. What the loss makes the twin
//! tell, the restored one tells once it is there. That a session was lost it does not tell, for it
//! had none; until there is one again that may differ, and nothing else.

use std::collections::BTreeMap;

use dbwarden::config::DomainSettings;
use dbwarden::event::{Event, Group, Kind};
use dbwarden::exchange::{Loss, LossClass, Observation, Outcome};
use dbwarden::journal::fact_to_json;
use dbwarden::model::Address;
use dbwarden::supervisor::{ActionStage, Effect, Fact, FactKey, Input};
use dbwarden::time::{Moment, Timestamp};
use dbwarden::warden::Warden;

use super::stage::Left;

/// How many of the last inputs are shown when the two differ.
const SHOWN: usize = 40;

/// The twin, and how far it has followed the journal.
pub(super) struct Twin {
    settings: DomainSettings,
    warden: Option<Warden>,
    /// What is on record of the starts under way at the last kill.
    open: Vec<Fact>,
    /// When the last thing on record happened.
    last: Moment,
    last_input: u64,
    last_seq: u64,
    /// The twin told of a loss when the daemon was killed, and no session stands since.
    differs_in_loss: bool,
    pub(super) inputs: usize,
    pub(super) open_starts: usize,
}

impl Twin {
    pub(super) fn new(settings: DomainSettings) -> Self {
        Self {
            settings,
            warden: None,
            open: Vec::new(),
            last: Moment::default(),
            last_input: 0,
            last_seq: 0,
            differs_in_loss: false,
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
        let mut effects = self.restart(begin, facts);
        let warden = self.warden.as_mut().expect("it was just made");
        // Until then only one of them may tell of a loss.
        let mut session = (!self.differs_in_loss).then_some(Timestamp::ZERO);
        for (now, input) in &inputs {
            if matches!(input, Input::Observed(Observation::Snapshot(_))) {
                session.get_or_insert(now.at);
            }
            warden.handle(*now, input.clone(), &mut effects);
        }
        self.differs_in_loss = session.is_none();
        let is_compared = |it: &&Event| {
            let may_differ = session.is_none_or(|since| it.time.at <= since);
            is_decided(it) && !(may_differ && it.kind == Kind::DomainDisconnected)
        };
        let decided = effects.iter().filter_map(raised);
        let decided: Vec<&Event> = decided.filter(is_compared).collect();
        let recorded = events.iter().map(|it| &it.event);
        let recorded: Vec<&Event> = recorded.filter(is_compared).collect();
        compare_told(when, &inputs, &decided, &recorded);
        compare(when, &warden.facts(), facts, self.differs_in_loss);
        self.compare_restored(when, begin, facts);
        self.inputs += inputs.len();
        self.last = inputs.last().expect("there is a first").0;
        self.open.clone_from(facts);
        let is_start = |it: &&Fact| matches!(it, Fact::Action(_));
        self.open_starts += facts.iter().filter(is_start).count();
    }

    /// Has the twin hear what the last kill amounts to, and that time has passed since; returns
    /// what it makes of that.
    fn restart(&mut self, begin: Moment, facts: &[Fact]) -> Vec<Effect> {
        let Some(warden) = &mut self.warden else {
            self.warden = Some(Warden::new(
                self.settings.model.clone(),
                dbwarden::supervisor::Settings {
                    seed: seed(facts),
                    ..self.settings.supervisor.clone()
                },
            ));
            return Vec::new();
        };
        let loss = |reason: &str| Loss {
            address: Address::new("here", 0),
            class: LossClass::Connection,
            reason: reason.into(),
        };
        let mut effects = Vec::new();
        let killed = Observation::Lost(loss("the daemon was killed"));
        warden.handle(self.last, Input::Observed(killed), &mut effects);
        self.differs_in_loss = true;
        for effect in &mut effects {
            if let Effect::Raise(event) = effect {
                event.time = begin;
            }
        }
        for fact in std::mem::take(&mut self.open) {
            let Fact::Action(action) = fact else { continue };
            if matches!(action.stage, ActionStage::Preparing { .. }) {
                let outcome = Outcome::NotSent(loss("the daemon ended before the request left"));
                let action = action.action;
                let outcome = Input::Reported { action, outcome };
                warden.handle(begin, outcome, &mut effects);
            }
        }
        effects
    }

    /// What is on record makes a warden that knows just that.
    fn compare_restored(&self, when: &str, now: Moment, facts: &[Fact]) {
        let settings = self.settings.clone();
        let (model, supervisor) = (settings.model, settings.supervisor);
        let restored = Warden::restore(model, supervisor, now, facts.to_vec()).unwrap();
        compare(when, &restored.facts(), facts, false);
    }
}

/// Returns what pauses are spread by, which the first daemon drew.
fn seed(facts: &[Fact]) -> u64 {
    let mut domains = facts.iter().filter_map(|it| match it {
        Fact::Domain(it) => Some(it.seed),
        Fact::Action(_)
        | Fact::Database(_)
        | Fact::Failure(_)
        | Fact::Lapsed(_)
        | Fact::Peer(_)
        | Fact::Process(_)
        | Fact::Slot(_) => None,
    });
    domains.next().unwrap()
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
fn compare(when: &str, expected: &[Fact], known: &[Fact], differs_in_loss: bool) {
    let expected = written(expected, differs_in_loss);
    let known = written(known, differs_in_loss);
    for key in expected.keys().chain(known.keys()) {
        assert_eq!(known.get(key), expected.get(key), "{when}: {key}");
    }
}

fn written(facts: &[Fact], differs_in_loss: bool) -> BTreeMap<FactKey, String> {
    let facts = facts.iter().cloned().map(|mut fact| {
        if let Fact::Domain(it) = &mut fact {
            // Each start of the daemon accepts its configuration anew.
            it.generation = 0;
            it.told_loss.take_if(|_| differs_in_loss);
        }
        (fact.key(), fact_to_json(&fact))
    });
    facts.collect()
}
