//! Reads the keys of a table, and collects everything that is wrong with them.
//!
//! Reading goes on behind a problem with whatever stands in for the value: what is reported is
//! what counts, and a configuration with a problem is never used.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::Purpose;
use super::file::{Node, Value};
use super::keys::Table;
use super::nearest::nearest;
use super::problem::{Place, Problem};
use crate::listener::ProgramError;
use crate::telemetry::chain;
use crate::transport::SecretError;

/// What is wrong with a value, and what would be right.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) problem: String,
    pub(super) advice: String,
    /// It is wrong only for who is somebody else than the owner of a file.
    is_about_owner: bool,
}

impl Wrong {
    /// Takes over an error of a file, which says what to do as well.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut is_about_owner = false;
        let mut cause = Some(error);
        while let Some(error) = cause {
            is_about_owner |= matches!(error.downcast_ref(), Some(SecretError::Foreign { .. }))
                || matches!(error.downcast_ref(), Some(ProgramError::Foreign { .. }));
            cause = error.source();
        }
        Self {
            is_about_owner,
            ..Self::new(chain(error), "")
        }
    }

    pub(super) fn new(problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            advice: advice.into(),
            is_about_owner: false,
        }
    }
}

/// Everything found wrong so far.
#[derive(Debug)]
pub(super) struct Report {
    problems: Vec<Problem>,
    /// What is allowed and probably not meant.
    warnings: Vec<Problem>,
    purpose: Purpose,
    /// Some of the file is no TOML: what is missing may stand there, unreadable.
    is_torn: bool,
}

impl Report {
    /// Begins with what is no TOML or could not be read, other problems, and warnings.
    pub(super) fn new(
        torn: Vec<Problem>,
        problems: Vec<Problem>,
        warnings: Vec<Problem>,
        purpose: Purpose,
    ) -> Self {
        Self {
            purpose,
            is_torn: !torn.is_empty(),
            problems: torn.into_iter().chain(problems).collect(),
            warnings,
        }
    }

    /// Adds a problem, unless the line could not even be read. Whose a file must be is only
    /// known to who runs by the configuration.
    pub(super) fn add(&mut self, place: &Place, key: &str, wrong: Wrong) {
        if wrong.is_about_owner && self.purpose == Purpose::Check {
            self.warn(place, key, wrong);
            return;
        }
        let is_known = |it: &Problem| {
            it.key.is_empty() && it.place.line == place.line && it.place.file == place.file
        };
        if self.is_torn && self.problems.iter().any(is_known) {
            return;
        }
        self.problems.push(Problem {
            place: place.clone(),
            key: key.to_owned(),
            problem: wrong.problem,
            advice: wrong.advice,
        });
    }

    /// Adds something that is allowed and probably not meant.
    pub(super) fn warn(&mut self, place: &Place, key: &str, doubt: Wrong) {
        self.warnings.push(Problem {
            place: place.clone(),
            key: key.to_owned(),
            problem: doubt.problem,
            advice: doubt.advice,
        });
    }

    /// Adds that something is missing, unless it may stand where the file could not be read.
    pub(super) fn add_missing(&mut self, place: &Place, key: &str, wrong: Wrong) {
        if !self.is_torn {
            self.add(place, key, wrong);
        }
    }

    /// Returns whether a key may have come to stand where it does by a header that is no TOML.
    fn is_stray(&self, table: &Table, place: &Place) -> bool {
        let is_header = |it: &Problem| {
            it.key.is_empty() && it.place.file == place.file && it.place.line < place.line
        };
        self.is_torn && table.path.is_empty() && self.problems.iter().any(is_header)
    }

    /// Returns how many problems there are by now.
    pub(super) fn len(&self) -> usize {
        self.problems.len()
    }

    /// Returns the problems and the warnings, each in the order of the files.
    pub(super) fn into_parts(self, files: &[Arc<Path>]) -> (Vec<Problem>, Vec<Problem>) {
        let index = |it: &Problem| files.iter().position(|file| *file == it.place.file);
        let in_order = |mut them: Vec<Problem>| {
            them.sort_by(|a, b| (index(a), a).cmp(&(index(b), b)));
            them.dedup();
            them
        };
        (in_order(self.problems), in_order(self.warnings))
    }
}

/// A table of the file together with what is known of its keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section<'a> {
    node: &'a Node,
    table: &'static Table,
}

impl<'a> Section<'a> {
    /// Opens a table, and reports what is in it that should not.
    pub(super) fn open(report: &mut Report, node: &'a Node, table: &'static Table) -> Option<Self> {
        let Value::Table(entries) = &node.value else {
            let wrong = Wrong::new(
                format!("is {}", node.value.noun()),
                format!("write a table with {}", table.names().join(", ")),
            );
            report.add(&node.place, table.path, wrong);
            return None;
        };
        for entry in entries {
            if table.key(&entry.name).is_none() && !report.is_stray(table, &entry.place) {
                let advice = match nearest(&entry.name, table.names()) {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => format!("there is {}", table.names().join(", ")),
                };
                let wrong = Wrong::new("there is no such key", advice);
                report.add(&entry.place, &table.path_to(&entry.name), wrong);
            }
        }
        Some(Self { node, table })
    }

    /// Returns the names of all keys that the table may have.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.table.names()
    }

    /// Returns where the table begins.
    pub(super) fn place(&self) -> &'a Place {
        &self.node.place
    }

    /// Returns what stands at `key`, which must be in the table of keys.
    pub(super) fn node(&self, key: &str) -> Option<&'a Node> {
        assert!(self.table.key(key).is_some(), "`{key}` is not in the table");
        let Value::Table(entries) = &self.node.value else {
            return None;
        };
        entries.iter().find(|it| it.name == key).map(|it| &it.node)
    }

    /// Reports a problem of the value of `key`, or of the table if it has none.
    pub(super) fn complain(&self, report: &mut Report, key: &str, wrong: Wrong) {
        let place = self.node(key).map_or(self.place(), |it| &it.place);
        report.add(place, &self.table.path_to(key), wrong);
    }

    /// Reports a problem of a part of the value of `key`.
    pub(super) fn complain_at(&self, report: &mut Report, key: &str, place: &Place, wrong: Wrong) {
        report.add(place, &self.table.path_to(key), wrong);
    }

    /// Warns about the value of `key`, or about the table if it has none.
    pub(super) fn doubt(&self, report: &mut Report, key: &str, doubt: Wrong) {
        let place = self.node(key).map_or(self.place(), |it| &it.place);
        report.warn(place, &self.table.path_to(key), doubt);
    }

    /// Reports a problem of the table as a whole.
    pub(super) fn complain_whole(&self, report: &mut Report, wrong: Wrong) {
        report.add(self.place(), self.table.path, wrong);
    }

    /// Reports that the first pause is longer than the longest one, at a key that was written.
    pub(super) fn check_order(
        &self,
        report: &mut Report,
        (first, first_value): (&str, Duration),
        (longest, longest_value): (&str, Duration),
    ) {
        if first_value <= longest_value {
            return;
        }
        let (key, wrong) = if self.node(longest).is_some() {
            let problem = format!("is shorter than {first}, {first_value:?}");
            (longest, Wrong::new(problem, "write a longer one"))
        } else {
            let problem = format!("is longer than {longest}, {longest_value:?}");
            let advice = format!("write a shorter one, or a longer {longest}");
            (first, Wrong::new(problem, advice))
        };
        self.complain(report, key, wrong);
    }

    /// Reads the value of `key`, if there is one.
    pub(super) fn optional<T>(
        &self,
        report: &mut Report,
        key: &str,
        read: impl FnOnce(&Node) -> Result<T, Wrong>,
    ) -> Option<T> {
        match read(self.node(key)?) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.complain(report, key, wrong);
                None
            }
        }
    }

    /// Reads the value of `key` over its default.
    pub(super) fn set<T>(
        &self,
        report: &mut Report,
        key: &str,
        target: &mut T,
        read: impl FnOnce(&Node) -> Result<T, Wrong>,
    ) {
        if let Some(value) = self.optional(report, key, read) {
            *target = value;
        }
    }

    /// Reads the value of `key`, which must be there.
    pub(super) fn required<T>(
        &self,
        report: &mut Report,
        key: &str,
        read: impl FnOnce(&Node) -> Result<T, Wrong>,
    ) -> Option<T> {
        if !self.demand(report, key) {
            return None;
        }
        self.optional(report, key, read)
    }

    /// Returns whether `key` is there, and reports it if not.
    pub(super) fn demand(&self, report: &mut Report, key: &str) -> bool {
        let is_there = self.node(key).is_some();
        if !is_there {
            let example = self.table.key(key).map_or("", |it| it.literal());
            let wrong = Wrong::new("is missing", format!("write {key} = {example}"));
            report.add_missing(self.place(), &self.table.path_to(key), wrong);
        }
        is_there
    }

    /// Reads each element of the list at `key`, if there is one.
    pub(super) fn list<T>(
        &self,
        report: &mut Report,
        key: &str,
        mut read: impl FnMut(&Node) -> Result<T, Wrong>,
    ) -> Option<Vec<T>> {
        let node = self.node(key)?;
        let path = self.table.path_to(key);
        let Value::Array(elements) = &node.value else {
            let example = self.table.key(key).map_or("", |it| it.literal());
            let problem = format!("is {}", node.value.noun());
            let wrong = Wrong::new(problem, format!("write a list such as {example}"));
            report.add(&node.place, &path, wrong);
            return None;
        };
        let mut values = Vec::new();
        for element in elements {
            match read(element) {
                Ok(value) => values.push(value),
                Err(wrong) => report.add(&element.place, &path, wrong),
            }
        }
        Some(values)
    }

    /// Returns whether `key` is a list without elements.
    pub(super) fn is_empty_list(&self, key: &str) -> bool {
        let list = self.node(key).map(|it| &it.value);
        matches!(list, Some(Value::Array(elements)) if elements.is_empty())
    }

    /// Opens the table at `key`, if there is one.
    pub(super) fn table(
        &self,
        report: &mut Report,
        key: &str,
        table: &'static Table,
    ) -> Option<Self> {
        Self::open(report, self.node(key)?, table)
    }

    /// Opens each table of the list at `key`.
    pub(super) fn tables(
        &self,
        report: &mut Report,
        key: &str,
        table: &'static Table,
    ) -> Vec<Self> {
        let Value::Table(entries) = &self.node.value else {
            return Vec::new();
        };
        let mut sections = Vec::new();
        // Each file may have a list of its own.
        for node in entries
            .iter()
            .filter(|it| it.name == key)
            .map(|it| &it.node)
        {
            let Value::Array(elements) = &node.value else {
                let problem = format!("is {}", node.value.noun());
                let advice = format!("write [[{}]], in double brackets", table.path);
                report.add(&node.place, table.path, Wrong::new(problem, advice));
                continue;
            };
            let opened = elements
                .iter()
                .filter_map(|it| Self::open(report, it, table));
            sections.extend(opened);
        }
        sections
    }
}
