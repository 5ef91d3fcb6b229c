//! Which lines are written: read when they are configured, changed while the daemon runs.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use thiserror::Error;
use tracing_subscriber::EnvFilter;

/// Which lines are written: directives as in `info,dbwarden::driver=debug`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogFilter(String);

impl LogFilter {
    /// Returns the directives as they were written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn to_env_filter(&self) -> EnvFilter {
        EnvFilter::builder()
            .parse(&self.0)
            .expect("the directives were parsed when the filter was made")
    }
}

impl Default for LogFilter {
    /// Everything from INFO upwards.
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl FromStr for LogFilter {
    type Err = LogFilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match EnvFilter::builder().parse(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(source) => Err(LogFilterError {
                text: text.to_owned(),
                source,
            }),
        }
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why a text is no filter.
#[derive(Debug, Error)]
#[error("`{text}` is no log filter")]
pub struct LogFilterError {
    text: String,
    source: tracing_subscriber::filter::ParseError,
}

/// Puts another filter before the log; false if the log is gone.
pub(super) type Change = Box<dyn Fn(EnvFilter) -> bool + Send + Sync>;

/// The log of this process, of which there is one: by which filter it is written, and how that is
/// changed.
static LOG: Mutex<Option<(LogFilter, Change)>> = Mutex::new(None);

/// Remembers how the log of this process is changed.
pub(super) fn remember(filter: LogFilter, change: Change) {
    *LOG.lock().unwrap_or_else(PoisonError::into_inner) = Some((filter, change));
}

/// Returns by which filter the log of this process is written, if we write one.
pub fn filter() -> Option<LogFilter> {
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    log.as_ref().map(|(filter, _)| filter.clone())
}

/// Has the log of this process written by another filter from now on, and returns whether we write
/// one.
pub fn change_filter(filter: &LogFilter) -> bool {
    let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    match log.as_mut() {
        Some((current, change)) if change(filter.to_env_filter()) => {
            *current = filter.clone();
            true
        }
        Some(_) | None => false,
    }
}
