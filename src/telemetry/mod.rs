//! Writes what the daemon does to its log, on stderr or to the journal of systemd, and tells errors
//! with all their causes.
//!
//! It does not rotate, ship or keep anything: that is the service manager's business.

mod chain;
mod figures;
mod filter;
mod journald;
mod metrics;

use std::ffi::OsStr;
use std::io::IsTerminal;

use thiserror::Error;
use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

use filter::Change;

pub use chain::chain;
pub use figures::{Histogram, LoopFigures, Shape};
pub use filter::{LogFilter, LogFilterError, change_filter, filter};
pub use metrics::{Exposition, Metric, MetricFormat, MetricKind};

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LogFormat {
    /// For the journal of systemd where stderr leads there, for people elsewhere.
    #[default]
    Auto,
    /// For people, on stderr.
    Human,
    /// For the journal of systemd, each value in a field of its own.
    Journald,
    /// One JSON object per line, on stderr.
    Json,
}

/// How the log is written.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct LogSettings {
    /// How a line looks.
    pub format: LogFormat,
    /// Which lines are written.
    pub filter: LogFilter,
}

/// Why the log cannot be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// Something else in this process writes the log already.
    #[error("the log is already set up")]
    AlreadySet(#[source] tracing_subscriber::util::TryInitError),
}

/// Sets up the log of this process.
///
/// A filter in the environment, `RUST_LOG`, wins over the one in `settings`; one that cannot be
/// read is ignored with a warning. There is colour on a terminal unless `NO_COLOR` is set. Where
/// the journal cannot be reached, the log goes to stderr, for people, with a warning.
///
/// # Errors
///
/// Fails when the process has a log already.
pub fn set_up(settings: &LogSettings) -> Result<(), TelemetryError> {
    let mut settings = settings.clone();
    let mut ignored = None;
    if let Ok(text) = std::env::var("RUST_LOG")
        && !text.is_empty()
    {
        match text.parse() {
            Ok(filter) => settings.filter = filter,
            Err(error) => ignored = Some(error),
        }
    }
    let stderr = std::io::stderr;
    if settings.format == LogFormat::Auto {
        let stream = std::env::var_os("JOURNAL_STREAM");
        settings.format = if journald::is_behind(&stderr(), stream.as_deref()) {
            LogFormat::Journald
        } else {
            LogFormat::Human
        };
    }
    let colour = has_colour(
        std::env::var_os("NO_COLOR").as_deref(),
        stderr().is_terminal(),
    );
    let (log, unreachable) = match settings.format {
        LogFormat::Journald => match journald::log(&settings.filter) {
            Ok(log) => (log, None),
            Err(error) => (log(&settings, colour, stderr), Some(error)),
        },
        LogFormat::Auto | LogFormat::Human | LogFormat::Json => {
            (log(&settings, colour, stderr), None)
        }
    };
    log.subscriber
        .try_init()
        .map_err(TelemetryError::AlreadySet)?;
    filter::remember(settings.filter, log.change);
    if let Some(error) = unreachable {
        let error = chain(&error);
        tracing::warn!(
            error,
            "the journal cannot be reached; the log goes to stderr"
        );
    }
    if let Some(error) = ignored {
        tracing::warn!(error = chain(&error), "RUST_LOG is ignored");
    }
    Ok(())
}

/// What writes a log, and how its filter is changed.
struct Log {
    subscriber: Box<dyn Subscriber + Send + Sync>,
    change: Change,
}

/// Returns what writes the log to `writer`.
fn log<W>(settings: &LogSettings, colour: bool, writer: W) -> Log
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        .with_env_filter(settings.filter.to_env_filter())
        // A log that cannot be written must not end the daemon: this would tell stderr, and panic
        // if stderr is what is gone.
        .log_internal_errors(false)
        .with_writer(writer);
    match settings.format {
        LogFormat::Auto | LogFormat::Human | LogFormat::Journald => {
            let builder = builder.with_ansi(colour).with_filter_reloading();
            let handle = builder.reload_handle();
            Log {
                subscriber: Box::new(builder.finish()),
                change: Box::new(move |filter| handle.reload(filter).is_ok()),
            }
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_filter_reloading();
            let handle = builder.reload_handle();
            Log {
                subscriber: Box::new(builder.finish()),
                change: Box::new(move |filter| handle.reload(filter).is_ok()),
            }
        }
    }
}

/// Returns whether to write in colour; any value of `NO_COLOR` but the empty one forbids it.
fn has_colour(no_color: Option<&OsStr>, is_terminal: bool) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

#[cfg(test)]
mod tests;
