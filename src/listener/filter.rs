//! Which kinds of events a listener wants.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::event::{Group, Kind};

/// A choice of kinds of events.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Filter(BTreeSet<Kind>);

impl FromIterator<Kind> for Filter {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        Self(kinds.into_iter().collect())
    }
}

/// A name that is neither a kind nor a group of events.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("`{name}` is neither an event nor a group of events")]
pub struct UnknownEvent {
    name: String,
}

impl Filter {
    /// Returns the filter that lets everything pass.
    pub fn every() -> Self {
        Self(Kind::ALL.iter().copied().collect())
    }

    /// Returns the filter that lets nothing pass.
    pub fn none() -> Self {
        Self(BTreeSet::new())
    }

    /// Lets pass what `name` says: a kind, every kind of a group, or `*` for all of them.
    ///
    /// # Errors
    ///
    /// Fails, and leaves the filter as it is, when nothing has that name.
    pub fn add(&mut self, name: &str) -> Result<(), UnknownEvent> {
        let named = |it: &Kind| name == "*" || it.as_str() == name || it.group().as_str() == name;
        let mut kinds = Kind::ALL.iter().copied().filter(named).peekable();
        if kinds.peek().is_none() {
            return Err(UnknownEvent {
                name: name.to_owned(),
            });
        }
        self.0.extend(kinds);
        Ok(())
    }

    /// Returns whether events of that kind pass.
    pub fn admits(&self, kind: Kind) -> bool {
        self.0.contains(&kind)
    }

    /// Returns every name that [`add`](Self::add) knows: groups first, then kinds.
    pub fn names() -> Vec<&'static str> {
        let groups: BTreeSet<Group> = Kind::ALL.iter().map(|it| it.group()).collect();
        let groups = groups.into_iter().map(Group::as_str);
        groups
            .chain(Kind::ALL.iter().map(|it| it.as_str()))
            .collect()
    }
}
