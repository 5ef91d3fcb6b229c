//! What a reload changes.

use super::Config;
use crate::model::DomainName;

/// What differs between two configurations.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Diff {
    /// Domains that are new.
    pub domains_added: Vec<DomainName>,
    /// Domains that are gone.
    pub domains_removed: Vec<DomainName>,
    /// Domains that changed.
    pub domains_changed: Vec<DomainChange>,
    /// Listeners that are new.
    pub listeners_added: Vec<String>,
    /// Listeners that are gone.
    pub listeners_removed: Vec<String>,
    /// Listeners that changed.
    pub listeners_changed: Vec<String>,
    /// What the operator is told.
    pub lines: Vec<String>,
}

/// How a domain changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DomainChange {
    /// Which.
    pub name: DomainName,
    /// How it is reached.
    pub driver: bool,
    /// How it is healed.
    pub healing: bool,
}

/// Compares.
pub fn diff(_old: &Config, _new: &Config) -> Diff {
    Diff::default()
}
