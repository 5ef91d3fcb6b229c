//! Which Alertmanager it is, and what it is told.

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;

use super::condition;
use crate::event::{Kind, Severity};
use crate::listener::filter::Filter;
use crate::listener::http::HttpSettings;

/// How often alerts that fire are told again, if nothing else is said.
pub const RESEND_EVERY: Duration = Duration::from_secs(60);

/// Labels that alerts have of their own.
const OURS: [&str; 8] = [
    "alertname",
    "database",
    "domain",
    "gate",
    "listener",
    "peer",
    "severity",
    "slot",
];

/// Which Alertmanager it is, and what it is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AlertmanagerSettings {
    /// The Alertmanager, without the path of its interface.
    pub http: HttpSettings,
    /// Labels that every alert has beside its own.
    pub labels: BTreeMap<String, String>,
    /// How often alerts that fire are told again.
    pub resend_every: Duration,
    /// Which events begin an alert. Those that end one are always heard.
    pub events: Filter,
    /// The least urgent events that begin one.
    pub severity: Severity,
}

impl AlertmanagerSettings {
    /// Returns which events such a listener must hear: those that begin an alert, and those that
    /// end one.
    pub fn heard() -> Filter {
        let kinds = Kind::ALL.iter().copied();
        kinds
            .filter(|it| !condition::turns(*it).is_empty())
            .collect()
    }

    /// Returns whether any of these events begins an alert.
    pub fn begins_any(events: &Filter) -> bool {
        let mut kinds = Kind::ALL.iter().copied();
        kinds.any(|it| condition::begins(it) && events.admits(it))
    }

    /// Returns whether an event of that kind begins its alert here. Heartbeats and gaps are asked
    /// for elsewhere, or by nobody.
    pub(super) fn wants(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Gap | Kind::Heartbeat)
            || self.events.admits(kind) && kind.severity() >= self.severity
    }
}

/// Why a label cannot be added.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum LabelError {
    /// The name is none.
    #[error("is no name of a label")]
    Name,
    /// Alerts have it already.
    #[error("is a label that alerts have of their own")]
    Ours,
}

/// Returns whether alerts may have a label of that name.
///
/// # Errors
///
/// Says what is wrong with it.
pub fn check_label(name: &str) -> Result<(), LabelError> {
    if OURS.contains(&name) {
        return Err(LabelError::Ours);
    }
    let is_letter = |it: char| it.is_ascii_alphabetic() || it == '_';
    let is_name = name.starts_with(is_letter)
        && name.chars().all(|it| is_letter(it) || it.is_ascii_digit())
        && !name.starts_with("__");
    if is_name {
        Ok(())
    } else {
        Err(LabelError::Name)
    }
}
