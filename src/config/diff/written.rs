//! What was written, key by key, as far as it takes to name what changed.
//!
//! Of every value only a digest is kept, since some are secret. A value that was not written
//! counts as its default, a duration or size as what it means.

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::config::file::{self, Entry, Node, Value};
use crate::config::keys::{self, Form, Key, TOP, Table};
use crate::config::value::parse_size;

/// A value that is compared and not shown.
type Digest = [u8; 32];

/// The keys of one table, by what they are called in it.
pub(in crate::config) type Keys = BTreeMap<String, Digest>;

/// The keys of several tables, by the names these have.
type Named = BTreeMap<String, Keys>;

/// All that was written, for telling what changes; nothing for settings that come from elsewhere.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Written {
    pub(super) daemon: Keys,
    pub(super) domains: Named,
    pub(super) policies: Vec<Keys>,
    pub(super) listeners: Named,
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Written(..)")
    }
}

/// What happened to a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Change {
    pub(super) key: String,
    pub(super) how: &'static str,
}

/// What happened to the keys of a table, each at most once.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Changes(Vec<Change>);

impl Changes {
    /// Adds that a key changed, unless that is known.
    pub(super) fn name(&mut self, key: &str) {
        if self.0.iter().all(|it| it.key != key) {
            self.0.push(Change {
                key: key.to_owned(),
                how: "changed",
            });
        }
    }

    /// Adds that a key changed if nothing else is known to have.
    pub(super) fn name_if_none(&mut self, key: &str) {
        if self.0.is_empty() {
            self.name(key);
        }
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Change> {
        self.0.iter()
    }
}

impl IntoIterator for Changes {
    type Item = Change;
    type IntoIter = std::vec::IntoIter<Change>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Returns what happened to the keys of one table.
pub(super) fn compare(old: &Keys, new: &Keys) -> Changes {
    let mut changes = Vec::new();
    for key in old
        .keys()
        .chain(new.keys().filter(|it| !old.contains_key(*it)))
    {
        let how = match (old.get(key), new.get(key)) {
            (Some(before), Some(after)) if before == after => continue,
            (Some(_), Some(_)) => "changed",
            (Some(_), None) => "removed",
            (None, _) => "added",
        };
        // What stands in a table goes and comes with it.
        let parent = key.rsplit_once('.').map(|(parent, _)| parent);
        let is_told = |parent: &str| old.contains_key(parent) != new.contains_key(parent);
        if !parent.is_some_and(is_told) {
            let key = key.clone();
            changes.push(Change { key, how });
        }
    }
    changes.sort_by(|a, b| a.key.cmp(&b.key));
    Changes(changes)
}

/// Returns what happened to the keys of the table of that name, which may be in neither.
pub(super) fn compare_named(old: &Named, new: &Named, name: &str) -> Changes {
    match (old.get(name), new.get(name)) {
        (Some(old), Some(new)) => compare(old, new),
        // It is there without having been written.
        (None, _) | (_, None) => Changes::default(),
    }
}

impl Written {
    /// Notes what stands in a whole configuration.
    pub(in crate::config) fn new(root: &Node) -> Self {
        let mut written = Self::default();
        for key in TOP.keys {
            let named = match key.name {
                "domain" => &mut written.domains,
                "listener" => &mut written.listeners,
                _ => continue,
            };
            for node in elements(root, key.name) {
                let table = table_of(key);
                named.insert(name_of(table, node), keys_of(table, Some(node)));
            }
        }
        let policies = elements(root, "policy");
        written.policies = policies
            .into_iter()
            .map(|it| keys_of(&keys::POLICY, Some(it)))
            .collect();
        let daemon = entries(Some(root)).iter().find(|it| it.name == "daemon");
        written.daemon = keys_of(&keys::DAEMON, daemon.map(|it| &it.node));
        let api = entries(Some(root)).iter().find(|it| it.name == "api");
        let api = keys_of(&keys::API, api.map(|it| &it.node));
        let api = api.into_iter().map(|(key, it)| (format!("api.{key}"), it));
        written.daemon.extend(api);
        written
    }

    /// Notes that a key of `[daemon]` has a value that comes from elsewhere.
    pub(in crate::config) fn override_daemon(&mut self, key: &str, value: &str) {
        let value = Value::Text(value.to_owned());
        self.daemon.insert(key.to_owned(), digest(&value));
    }
}

/// Returns the tables that stand at a key in double brackets, of all files.
pub(in crate::config) fn elements<'a>(parent: &'a Node, name: &str) -> Vec<&'a Node> {
    let lists = entries(Some(parent)).iter().filter(|it| it.name == name);
    lists
        .flat_map(|it| match &it.node.value {
            Value::Array(elements) => elements.as_slice(),
            Value::Boolean(_)
            | Value::Integer(_)
            | Value::Other(_)
            | Value::Table(_)
            | Value::Text(_) => &[],
        })
        .collect()
}

fn entries(node: Option<&Node>) -> &[Entry] {
    match node.map(|it| &it.value) {
        Some(Value::Table(entries)) => entries,
        _ => &[],
    }
}

/// Returns what tells a table from its neighbours: its name, or what stands first in it.
fn name_of(table: &Table, node: &Node) -> String {
    let key = table.key("name").or(table.keys.first());
    let is_name = |it: &&Entry| key.is_some_and(|key| key.name == it.name);
    let name = entries(Some(node)).iter().find(is_name);
    match name.map(|it| &it.node.value) {
        Some(Value::Text(name)) => name.clone(),
        _ => String::new(),
    }
}

/// Returns the table that stands at a key.
fn table_of(key: &Key) -> &'static Table {
    match &key.form {
        Form::Section(table)
        | Form::Sections(table)
        | Form::DefaultTable(table, _)
        | Form::ExampleTable(table, _)
        | Form::RequiredTable(table, _) => table,
        Form::Default(_) | Form::Example(_) | Form::Required(_) => {
            unreachable!("there is no table at `{}`", key.name)
        }
    }
}

/// Returns the keys of a table, those of tables in it included.
fn keys_of(table: &Table, node: Option<&Node>) -> Keys {
    let mut found = Keys::new();
    for key in table.keys {
        let here = entries(node).iter().find(|it| it.name == key.name);
        let here = here.map(|it| &it.node);
        let name = key.name.to_owned();
        match &key.form {
            Form::Default(literal) => {
                let digest = here.map_or_else(|| digest(&parsed(literal)), |it| digest(&it.value));
                found.insert(name, digest);
            }
            Form::Example(_) | Form::Required(_) => {
                found.extend(here.map(|it| (name, digest(&it.value))));
            }
            Form::Section(inner) | Form::DefaultTable(inner, _) => {
                let inner = keys_of(inner, here);
                found.extend(
                    inner
                        .into_iter()
                        .map(|(key, it)| (format!("{name}.{key}"), it)),
                );
            }
            Form::ExampleTable(inner, _) | Form::RequiredTable(inner, _) => {
                let Some(here) = here else { continue };
                // Where a secret comes from is one thing.
                if inner.key("credential").is_some() {
                    found.insert(name, digest(&here.value));
                    continue;
                }
                found.insert(name.clone(), digest(&Value::Other("there")));
                let inner = keys_of(inner, Some(here));
                found.extend(
                    inner
                        .into_iter()
                        .map(|(key, it)| (format!("{name}.{key}"), it)),
                );
            }
            Form::Sections(inner) => {
                for element in node.map_or_else(Vec::new, |it| elements(it, key.name)) {
                    let mut whole = Sha256::new();
                    for (key, digest) in keys_of(inner, Some(element)) {
                        whole.update(key);
                        whole.update(digest);
                    }
                    found.insert(
                        format!("{name} {}", name_of(inner, element)),
                        whole.finalize().into(),
                    );
                }
            }
        }
    }
    found
}

/// Returns the value that a literal of the table of keys stands for.
fn parsed(literal: &str) -> Value {
    let path = std::path::Path::new("");
    let (entries, _) = file::parse(path, path, &format!("it = {literal}"));
    let entry = entries.into_iter().next();
    entry.map_or(Value::Other("nothing"), |it| it.node.value)
}

fn digest(value: &Value) -> Digest {
    Sha256::digest(canonical(value)).into()
}

/// Writes a value so that what means the same looks the same.
fn canonical(value: &Value) -> String {
    match value {
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(|it| canonical(&it.value)).collect();
            format!("[{}]", elements.join(","))
        }
        Value::Boolean(is_so) => is_so.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Other(noun) => (*noun).to_owned(),
        Value::Table(entries) => {
            let mut entries: Vec<String> = entries
                .iter()
                .map(|it| format!("{:?}={}", it.name, canonical(&it.node.value)))
                .collect();
            entries.sort();
            format!("{{{}}}", entries.join(","))
        }
        Value::Text(text) => match (humantime::parse_duration(text), parse_size(text)) {
            (Ok(duration), _) => format!("{duration:?}"),
            (Err(_), Some(size)) => size.to_string(),
            (Err(_), None) => format!("{text:?}"),
        },
    }
}
