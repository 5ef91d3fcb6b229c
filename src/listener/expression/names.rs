//! What an expression can speak of: the names of an event, and the functions of the language.
//!
//! It holds no expression.

use std::sync::Arc;

use cel::Value;
use serde_json::Value as Json;

/// What stands for something that is not known of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Blank {
    /// `false`.
    Flag,
    /// 0.
    Number,
    /// The empty text.
    Text,
}

impl Blank {
    /// Returns it as a value.
    pub(super) fn value(self) -> Value {
        match self {
            Self::Flag => Value::Bool(false),
            Self::Number => Value::Int(0),
            Self::Text => Value::String(Arc::default()),
        }
    }
}

/// Every name of an event, as in its JSON form; `attempt` is none, since it is asked before.
pub(super) const NAMES: &[(&str, Blank)] = &[
    ("id", Blank::Text),
    ("epoch", Blank::Number),
    ("seq", Blank::Number),
    ("time", Blank::Text),
    ("domain", Blank::Text),
    ("event", Blank::Text),
    ("group", Blank::Text),
    ("severity", Blank::Text),
    ("peer", Blank::Text),
    ("agent_id", Blank::Text),
    ("database", Blank::Text),
    ("role", Blank::Text),
    ("pid", Blank::Number),
    ("port", Blank::Number),
    ("node_id", Blank::Number),
    ("start_id", Blank::Text),
    ("status", Blank::Text),
    ("status_word", Blank::Text),
    ("slot", Blank::Text),
    ("cause", Blank::Text),
    ("text", Blank::Text),
    ("snapshot", Blank::Flag),
    ("while_disconnected", Blank::Flag),
    ("action", Blank::Number),
];

/// The functions of the language.
pub(super) const FUNCTIONS: [&str; 13] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "int",
    "matches",
    "size",
    "startsWith",
    "string",
    "type",
    "uint",
];

/// The types of the language, which are names as well.
pub(super) const TYPES: [&str; 10] = [
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
];

/// Returns what is known of an event as the language has it.
pub(super) fn value(json: &Json) -> Option<Value> {
    match json {
        Json::Bool(flag) => Some(Value::Bool(*flag)),
        // Beyond this no number of ours goes.
        Json::Number(number) => number.as_i64().map(Value::Int),
        Json::String(text) => Some(Value::String(Arc::new(text.clone()))),
        Json::Array(_) | Json::Null | Json::Object(_) => None,
    }
}

/// Returns the known name that comes nearest to another one, if it is near enough to be meant.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(2);
    let distances = known.into_iter().map(|it| (distance(name, it), it));
    let near = distances.filter(|(distance, _)| *distance <= limit);
    near.min_by_key(|(distance, _)| *distance).map(|it| it.1)
}

/// Returns how many characters must be added, left out or replaced to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for x in a.to_lowercase().chars() {
        let mut row = vec![above[0] + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(x != *y);
            row.push(replaced.min(above[j + 1] + 1).min(row[j] + 1));
        }
        above = row;
    }
    above[b.len()]
}
