//! Writes what the daemon does to its log, on stderr or to the journal of systemd, and tells errors
//! with all their causes.
//!
//! It does not rotate, ship or keep anything: that is the service manager's business.

mod chain;
mod journald;

use std::ffi::OsStr;
use std::fmt;
use std::io::IsTerminal;
use std::str::FromStr;

use thiserror::Error;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

pub use chain::chain;

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

/// Which lines are written: directives as in `info,dbwarden::driver=debug`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogFilter(String);

impl LogFilter {
    /// Returns the directives as they were written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn to_env_filter(&self) -> EnvFilter {
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
    let (subscriber, unreachable) = match settings.format {
        LogFormat::Journald => match journald::subscriber(&settings.filter) {
            Ok(subscriber) => (subscriber, None),
            Err(error) => (subscriber(&settings, colour, stderr), Some(error)),
        },
        LogFormat::Auto | LogFormat::Human | LogFormat::Json => {
            (subscriber(&settings, colour, stderr), None)
        }
    };
    subscriber.try_init().map_err(TelemetryError::AlreadySet)?;
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

/// Returns what writes the log to `writer`.
fn subscriber<W>(
    settings: &LogSettings,
    colour: bool,
    writer: W,
) -> Box<dyn Subscriber + Send + Sync>
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
            Box::new(builder.with_ansi(colour).finish())
        }
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    }
}

/// Returns whether to write in colour; any value of `NO_COLOR` but the empty one forbids it.
fn has_colour(no_color: Option<&OsStr>, is_terminal: bool) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

#[cfg(test)]
mod tests;
