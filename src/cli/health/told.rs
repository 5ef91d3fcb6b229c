//! Reads what the daemon tells of a domain.

use std::time::Duration;

use serde_json::Value;

use crate::cli::answer::{array, text};

/// So many are named where many have the same trouble.
const NAMED: usize = 3;

/// One domain of the status.
#[derive(Clone, Copy, Debug)]
pub(super) struct Domain<'a> {
    pub(super) told: &'a Value,
    pub(super) name: &'a str,
    /// Whether it must be said which one is meant.
    is_one_of_many: bool,
}

impl<'a> Domain<'a> {
    pub(super) fn new(told: &'a Value, is_one_of_many: bool) -> Self {
        Self {
            told,
            name: text(&told["domain"]),
            is_one_of_many,
        }
    }

    /// Returns the first order of this kind on the domain as a whole or on any of these.
    pub(super) fn order(&self, order: &str, names: &[&str]) -> Option<&'a Value> {
        array(&self.told["orders"]).iter().find(|it| {
            let on = text(&it["on"]);
            it["order"] == order && (on == "the domain" || names.contains(&on))
        })
    }

    /// Returns the command that ends a hold.
    pub(super) fn release(&self, hold: &Value) -> String {
        let on = match text(&hold["on"]) {
            "the domain" => self.name,
            on => on,
        };
        self.command(&format!("release {on}"))
    }

    /// Returns how long ago something of it was, when it was looked at.
    pub(super) fn age(&self, since: &Value) -> Option<Duration> {
        between(since, &self.told["time"])
    }

    /// Returns the words, with the domain in front where there are several.
    pub(super) fn named(&self, words: &str) -> String {
        if self.is_one_of_many {
            format!("{}: {words}", self.name)
        } else {
            words.to_owned()
        }
    }

    /// Returns a command for a person, as it has to be typed.
    pub(super) fn command(&self, words: &str) -> String {
        if self.is_one_of_many {
            format!("`dbwarden {words} --domain {}`", self.name)
        } else {
            format!("`dbwarden {words}`")
        }
    }
}

/// Says the same of each of these, by name as long as there are few.
pub(super) fn of_each(names: &[&str], plural: &str, words: &str) -> String {
    let count = names.len();
    match names.get(..NAMED) {
        Some(first) if count > NAMED => {
            format!("{count} {plural} {words} ({} ...)", first.join(", "))
        }
        Some(_) | None => format!("{} {words}", names.join(", ")),
    }
}

/// Returns how long it was from one time to another.
pub(super) fn between(from: &Value, to: &Value) -> Option<Duration> {
    let [from, to] = [from, to].map(|it| humantime::parse_rfc3339(text(it)));
    to.ok()?.duration_since(from.ok()?).ok()
}

/// Returns a time as people say it: its two largest units.
pub(super) fn ago(age: Duration) -> String {
    let seconds = age.as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let first = units.iter().position(|it| seconds >= it.0).unwrap_or(3);
    let (size, unit) = units[first];
    let rest = units.get(first + 1).map(|(small, unit)| {
        let count = seconds % size / small;
        (count, *unit)
    });
    match rest {
        Some((count, small)) if count > 0 => format!("{}{unit} {count}{small}", seconds / size),
        Some(_) | None => format!("{}{unit}", seconds / size),
    }
}
