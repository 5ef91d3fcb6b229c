//! The log as entries of the journal of systemd, each value in a field of its own.
//!
//! What is shown of an entry is its message; the values are found by their fields, as in
//! `journalctl DBWARDEN_DATABASE=teas`. A value that is not known has no field.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;

use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{registry, reload};

use super::{Log, LogFilter};

/// What the names of our fields begin with.
const PREFIX: &str = "DBWARDEN";

/// Returns whether what is written to `output` reaches the journal: whether it is the very stream
/// that the service manager names in `$JOURNAL_STREAM`, by device and inode. The variable alone
/// says nothing, since a program inherits it whose output was sent elsewhere.
pub(super) fn is_behind(output: &impl AsFd, stream: Option<&OsStr>) -> bool {
    let numbers = stream.and_then(OsStr::to_str);
    let Some((device, inode)) = numbers.and_then(|it| it.split_once(':')) else {
        return false;
    };
    let Ok(status) = rustix::fs::fstat(output) else {
        return false;
    };
    device.parse() == Ok(status.st_dev) && inode.parse() == Ok(status.st_ino)
}

/// Returns what writes the log to the journal.
///
/// # Errors
///
/// Fails when there is no journal.
pub(super) fn log(filter: &LogFilter) -> io::Result<Log> {
    let journal = tracing_journald::layer()?
        .with_field_prefix(Some(PREFIX.to_owned()))
        .with_syslog_identifier(env!("CARGO_PKG_NAME").to_owned())
        .with_priority_mappings(PriorityMappings {
            error: Priority::Error,
            warn: Priority::Warning,
            info: Priority::Informational,
            debug: Priority::Debug,
            trace: Priority::Debug,
        });
    let (filter, handle) = reload::Layer::new(filter.to_env_filter());
    Ok(Log {
        subscriber: Box::new(registry().with(filter).with(journal)),
        change: Box::new(move |filter| handle.reload(filter).is_ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_known_by_its_device_and_inode() {
        let output = tempfile::tempfile().unwrap();
        let status = rustix::fs::fstat(&output).unwrap();
        let (device, inode) = (status.st_dev, status.st_ino);
        let told = |stream: &str| is_behind(&output, Some(OsStr::new(stream)));
        assert!(told(&format!("{device}:{inode}")));
        assert!(!told(&format!("{device}:{}", inode + 1)));
        assert!(!told(&format!("{}:{inode}", device + 1)));
        assert!(!told(&format!("{inode}")));
        assert!(!told("8:"));
        assert!(!told(""));
        assert!(!is_behind(&output, None));
    }
}
