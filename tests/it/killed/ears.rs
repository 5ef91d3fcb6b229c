//! What a listener was told, and what it should have been.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

/// What a listener was told, in the order in which it took it.
pub(super) struct Ear {
    name: &'static str,
    heard: Vec<Value>,
}

/// How much it was told.
pub(super) struct Count {
    pub(super) deliveries: usize,
    pub(super) duplicates: usize,
}

/// Who was not told what at first: listener and identity.
pub(super) type Letters = BTreeSet<(String, String)>;

impl Ear {
    pub(super) fn new(name: &'static str, heard: Vec<Value>) -> Self {
        Self { name, heard }
    }

    /// Reads what a script wrote, a line for each event.
    pub(super) fn of_file(name: &'static str, path: PathBuf) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines();
        let heard = lines.map(|it| serde_json::from_str(it).unwrap());
        Self::new(name, heard.collect())
    }

    /// Returns the identities of what it was told.
    pub(super) fn ids(&self) -> BTreeSet<String> {
        self.heard.iter().map(|it| id(it).to_owned()).collect()
    }

    /// Returns whether the listener wants to hear of it, by what the configuration says.
    pub(super) fn wants(name: &str, event: &Value) -> bool {
        let is_own = event["group"] == "daemon";
        match name {
            "slow" => true,
            "thirds" => !is_own && event["snapshot"] != true,
            "hangs" => !is_own,
            other => panic!("there is no listener {other}"),
        }
    }

    /// Checks that it heard of everything it wanted as it is on record, in order.
    pub(super) fn check(&self, told: &[Value], letters: &Letters) -> Count {
        let name = self.name;
        let wanted = told.iter().filter(|it| Self::wants(name, it));
        let wanted: BTreeMap<&str, &Value> = wanted.map(|it| (id(it), it)).collect();
        let mut attempts: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
        let mut last: BTreeMap<(Option<&str>, &str), u64> = BTreeMap::new();
        for event in &self.heard {
            // What has no number tells a new listener of what was there, and is in no journal.
            let Some(seq) = event["seq"].as_u64() else {
                assert_eq!(event["snapshot"], true, "{name}: {event}");
                continue;
            };
            let id = id(event);
            let attempt = event["attempt"].as_u64().unwrap();
            let mut as_recorded = event.clone();
            as_recorded.as_object_mut().unwrap().remove("attempt");
            assert_eq!(Some(&&as_recorded), wanted.get(id), "{name}: {event}");
            let attempts = attempts.entry(id).or_default();
            assert!(
                attempts.insert(attempt),
                "{name}: the same attempt twice: {event}"
            );
            let is_first = attempts.len() == 1;
            if is_first && !letters.contains(&(name.to_owned(), id.to_owned())) {
                let before = last.insert(entity(event), seq).unwrap_or(0);
                assert!(before < seq, "{name}: {event} comes behind {before}");
            }
        }
        for (id, event) in wanted {
            assert!(attempts.contains_key(id), "{name} never heard of {event}");
        }
        let deliveries = attempts.values().map(BTreeSet::len).sum();
        Count {
            deliveries,
            duplicates: deliveries - attempts.len(),
        }
    }
}

fn id(event: &Value) -> &str {
    event["id"].as_str().unwrap()
}

/// What an event is about, as far as the order goes: in which journal, and there of what.
fn entity(event: &Value) -> (Option<&str>, &str) {
    let of = |key: &str| event[key].as_str();
    (of("domain"), of("database").or(of("peer")).unwrap_or(""))
}
