//! Why a journal cannot be had, read or written.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

/// Why an operation of a journal failed.
///
/// Damage is none of these: a damaged journal is moved aside, and said so by
/// [`Condition`](super::Condition).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another daemon uses the state directory.
    #[error(
        "the state directory {path} is in use by the process {holder}; stop it, or give this \
         daemon a state directory of its own"
    )]
    Busy {
        /// The directory.
        path: PathBuf,
        /// The process id of the other daemon, `?` if it could not be read.
        holder: String,
    },
    /// The journal was closed, or its thread is gone.
    #[error("the journal is closed")]
    Closed,
    /// A file or directory could not be made, read, moved or locked.
    #[error("cannot {attempt} {path}; check its owner, its mode and the disk")]
    File {
        /// What was attempted.
        attempt: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The journal was written by a newer version of this program.
    #[error(
        "the journal {path} has the schema {found}, and this version knows up to {known}; run a \
         newer version, or move the file away to begin anew"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema it has.
        found: u32,
        /// The newest schema this version knows.
        known: u32,
    },
    /// The database cannot be opened or prepared, though it is not damaged.
    #[error("cannot open the journal {path}; check its owner, its mode and the disk")]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The system gave no thread for it.
    #[error("cannot start a thread of the journal")]
    Thread(#[source] io::Error),
    /// It cannot be read or written at present.
    #[error("the journal cannot be used: {0}")]
    Unusable(Arc<str>),
}
