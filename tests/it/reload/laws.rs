//! What must hold whatever was reloaded when: judged by the journals, and by what was told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::flaws::Planted;
use super::ground::{Ground, OWN, Seqs};
use super::plan::{Difference, EXTRA, Manner, Plan, role};

/// What a reload had to come to.
#[derive(Debug)]
pub(super) enum Outcome {
    Refused(Planted),
    Taken {
        generation: u64,
        difference: Difference,
    },
}

/// For how long, in events of one domain, a listener was configured.
#[derive(Debug)]
struct Span {
    /// It must be told everything from behind this one on ...
    must_after: u64,
    /// ... up to this one.
    must_to: u64,
    /// It may be told nothing outside of these.
    may_after: u64,
    may_to: u64,
}

/// Who was configured when.
#[derive(Debug, Default)]
pub(super) struct Spans {
    past: Vec<(&'static str, String, Span)>,
    open: BTreeMap<(&'static str, String), (u64, u64)>,
    /// The last event of each domain that was seen, removed ones included.
    known: Seqs,
}

impl Spans {
    /// Begins with what is there from the first event on.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut spans = Self::default();
        spans.turn(
            &Seqs::new(),
            plan,
            &Seqs::from(["prod", "spare", OWN].map(|it| (it.into(), 0))),
        );
        spans
    }

    /// Notes a reload that took effect, between two looks at the daemon.
    pub(super) fn turn(&mut self, before: &Seqs, plan: &Plan, after: &Seqs) {
        self.known.extend(before.clone());
        let open = std::mem::take(&mut self.open);
        for ((name, domain), (must_after, may_after)) in open {
            if plan.tellers.contains_key(name) {
                self.open.insert((name, domain), (must_after, may_after));
                continue;
            }
            let span = Span {
                must_after,
                must_to: self.known[&domain],
                may_after,
                may_to: after.get(&domain).copied().unwrap_or(u64::MAX),
            };
            self.past.push((name, domain, span));
        }
        for name in plan.tellers.keys() {
            for (domain, seq) in after {
                let may_after = self.known.get(domain).copied().unwrap_or(0);
                let key = (*name, domain.clone());
                self.open.entry(key).or_insert((*seq, may_after));
            }
        }
        self.known.extend(after.clone());
    }

    /// Returns every span, those that are open up to the last event there is.
    fn all(&self, last: &Seqs) -> Vec<(&'static str, &str, Span)> {
        let past = self
            .past
            .iter()
            .map(|(name, domain, it)| (*name, domain.as_str(), Span { ..*it }));
        let open = self
            .open
            .iter()
            .map(|((name, domain), (must_after, may_after))| {
                let span = Span {
                    must_after: *must_after,
                    must_to: last[domain],
                    may_after: *may_after,
                    may_to: u64::MAX,
                };
                (*name, domain.as_str(), span)
            });
        past.chain(open).collect()
    }
}

/// Everything that happened, and everything that was told.
pub(super) struct Evidence {
    journals: BTreeMap<String, Vec<Value>>,
    told: BTreeMap<String, Vec<(u32, Value)>>,
}

impl Evidence {
    pub(super) fn of(ground: &Ground) -> Self {
        let domains = [OWN, "prod", "spare"];
        let told = ground.told();
        Self {
            journals: domains.map(|it| (it.to_owned(), ground.events(it))).into(),
            told,
        }
    }

    pub(super) fn deliveries(&self) -> usize {
        self.told.values().map(Vec::len).sum()
    }

    pub(super) fn events(&self) -> usize {
        self.journals.values().map(Vec::len).sum()
    }

    fn last(&self) -> Seqs {
        let last = |events: &Vec<Value>| events.last().map_or(0, seq);
        self.journals
            .iter()
            .map(|(domain, it)| (domain.clone(), last(it)))
            .collect()
    }

    /// Returns what was not told to those that wanted it while they were configured.
    pub(super) fn missing(&self, spans: &Spans) -> Vec<String> {
        let mut missing = Vec::new();
        for (name, domain, span) in spans.all(&self.last()) {
            let of = format!("{name}@{domain}");
            let told: BTreeSet<u64> = self
                .told
                .get(&of)
                .into_iter()
                .flatten()
                .map(|(_, it)| seq(it))
                .collect();
            let wanted = self.journals[domain]
                .iter()
                .filter(|it| is_wanted(name, it, false));
            let due = wanted
                .map(seq)
                .filter(|it| (span.must_after + 1..=span.must_to).contains(it));
            missing.extend(
                due.filter(|it| !told.contains(it))
                    .map(|it| format!("{of} {it}")),
            );
        }
        missing
    }

    /// Judges everything that does not come right by waiting.
    pub(super) fn judge(&self, spans: &Spans, outcomes: &[Outcome]) {
        for (domain, events) in &self.journals {
            let seqs = events.iter().map(seq);
            assert!(seqs.eq(1..=events.len() as u64), "{domain} has a gap");
        }
        let spans = spans.all(&self.last());
        for (of, told) in &self.told {
            let (name, domain) = of.split_once('@').unwrap();
            let may: Vec<_> = spans
                .iter()
                .filter(|it| (it.0, it.1) == (name, domain))
                .map(|it| it.2.may_after + 1..=it.2.may_to)
                .collect();
            judge_listener(of, &self.journals[domain], told, &|seq| {
                may.iter().any(|it| it.contains(&seq))
            });
        }
        self.judge_outcomes(outcomes);
        self.judge_sessions(outcomes);
    }

    /// Nobody opens a session anew whose settings stayed, and no refusal does.
    fn judge_sessions(&self, outcomes: &[Outcome]) {
        let is_renewed = |it: &&Value| it["text"] == "the configuration of the domain changed";
        let renewed = self.journals["prod"].iter().filter(is_renewed).count();
        let is_asked = |it: &&Outcome| match it {
            Outcome::Refused(_) => false,
            Outcome::Taken { difference, .. } => {
                let changes = difference.get("domain prod").into_iter().flatten();
                let mut changes = changes.map(String::as_str);
                changes.any(|it| ["password changed", "strategy changed"].contains(&it))
            }
        };
        let asked = outcomes.iter().filter(is_asked).count();
        assert!(
            renewed <= asked,
            "{renewed} new sessions, {asked} asked for"
        );
    }

    /// Judges what each reload came to.
    fn judge_outcomes(&self, outcomes: &[Outcome]) {
        let told = self.journals[OWN].iter();
        let verdicts: Vec<_> = told
            .filter(|it| it["event"].as_str().unwrap().starts_with("config_"))
            .collect();
        assert_eq!(verdicts.len(), outcomes.len(), "{verdicts:#?}");
        for (verdict, outcome) in verdicts.into_iter().zip(outcomes) {
            let text = verdict["text"].as_str().unwrap();
            match outcome {
                Outcome::Refused(planted) => {
                    assert_eq!(verdict["event"], "config_rejected", "{text}");
                    judge_refusal(text, planted);
                }
                Outcome::Taken {
                    generation,
                    difference,
                } => {
                    assert_eq!(verdict["event"], "config_reloaded", "{text}");
                    let (number, lines) = text.split_once(": ").unwrap();
                    assert_eq!(number, format!("generation {generation}"));
                    assert_eq!(read_difference(lines), *difference, "{text}");
                }
            }
        }
    }
}

/// What one listener was told of one domain.
fn judge_listener(of: &str, events: &[Value], told: &[(u32, Value)], may: &dyn Fn(u64) -> bool) {
    let name = of.split_once('@').unwrap().0;
    let versions: Vec<u32> = told.iter().map(|it| it.0).collect();
    assert!(
        versions.is_sorted(),
        "an old {of} was run after a new one: {versions:?}"
    );
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    for (version, event) in told {
        let Some(number) = event["seq"].as_u64() else {
            assert_eq!(event["snapshot"], true, "{of} {version} was told {event}");
            continue;
        };
        assert!(is_wanted(name, event, true), "{of} did not want {event}");
        assert!(may(number), "{of} was not there for {event}");
        let mut same = event.clone();
        let attempt = same.as_object_mut().unwrap().remove("attempt");
        assert_eq!(same, events[usize::try_from(number).unwrap() - 1], "{of}");
        let entity = ["database", "peer"].map(|it| event[it].as_str());
        let entity = entity.into_iter().flatten().next().unwrap_or_default();
        let before = last.insert(entity.to_owned(), number).unwrap_or_default();
        let is_again =
            before == number && role(name).manner == Manner::Hanging && attempt != Some(1.into());
        assert!(
            before < number || is_again,
            "{of} {version}: {number} behind {before} of {entity:?}"
        );
    }
}

/// Every mistake is told, and nothing else.
fn judge_refusal(text: &str, planted: &Planted) {
    let lines: Vec<&str> = text.lines().collect();
    for parts in planted {
        let is_it = |line: &&str| parts.iter().all(|part| line.contains(part));
        let found = lines.iter().copied().filter(is_it).count();
        assert_eq!(found, 1, "{parts:?} is not told once:\n{text}");
    }
    assert_eq!(lines.len(), planted.len(), "there was no more:\n{text}");
}

fn read_difference(lines: &str) -> Difference {
    let mut difference = Difference::new();
    for line in lines.split("; ").filter(|it| *it != "nothing changed") {
        let (whose, changes) = line.split_once(": ").unwrap();
        let changes = changes.split(", ").map(str::to_owned);
        difference
            .entry(whose.to_owned())
            .or_default()
            .extend(changes);
    }
    difference
}

fn seq(event: &Value) -> u64 {
    event["seq"].as_u64().unwrap_or_default()
}

fn is_wanted(listener: &str, event: &Value, with_extra: bool) -> bool {
    let role = role(listener);
    let group = event["group"].as_str().unwrap();
    let is_named = role.events.iter().any(|it| *it == "*" || *it == group);
    let is_named = is_named || (with_extra && group == EXTRA) || event["event"] == "gap";
    is_named && (role.hears_snapshots || event["snapshot"] != true)
}
