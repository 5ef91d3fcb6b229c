//! The state directory: where journals lie, and who may use them.
//!
//! One daemon per state directory: it holds a lock on a file in it, which ends with the process,
//! however that ends. It knows the paths of journals and nothing of what is in them.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::JournalError;

/// The file that is locked; it holds the process id of whoever did.
const LOCK: &str = "lock";

/// Where the daemon's own journal lies.
const DAEMON: &str = "daemon";

/// A state directory that is ours for as long as this lives.
#[derive(Debug)]
pub struct StateDirectory {
    path: PathBuf,
    _lock: File,
}

impl StateDirectory {
    /// Makes the directory, for its owner only, if there is none, and locks it.
    ///
    /// # Errors
    ///
    /// Fails when another process holds it, and when it cannot be made or written.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        make(path)?;
        let lock_path = path.join(LOCK);
        let fail = |attempt, source| JournalError::File {
            attempt,
            path: lock_path.clone(),
            source,
        };
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&lock_path)
            .map_err(|source| fail("open", source))?;
        match lock.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let read = lock.read_to_string(&mut holder);
                let holder = holder.trim();
                let is_known = read.is_ok() && !holder.is_empty();
                return Err(JournalError::Busy {
                    path: path.to_owned(),
                    holder: if is_known { holder } else { "?" }.to_owned(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(fail("lock", source)),
        }
        // A full disk must not keep a daemon from watching: without the id it is locked as well.
        let _ = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Returns the directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns where the journal of a domain lies.
    ///
    /// Characters that could mean something to a file system are written as `%` and two digits.
    pub fn domain(&self, name: &str) -> PathBuf {
        domain_in(&self.path, name)
    }

    /// Returns where the daemon's own journal lies.
    pub fn daemon(&self) -> PathBuf {
        self.path.join(DAEMON)
    }
}

/// Returns where the journal of a domain lies in a state directory that may be another's.
pub fn domain_in(state: &Path, name: &str) -> PathBuf {
    state.join(escaped(name))
}

/// Makes a directory for its owner only, with those above it, unless it is there.
pub(super) fn make(path: &Path) -> Result<(), JournalError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| JournalError::File {
        attempt: "make the directory",
        path: path.to_owned(),
        source,
    })
}

/// Returns a name as that of a directory; two names never give the same.
fn escaped(name: &str) -> String {
    let is_taken = name == LOCK || name == DAEMON;
    let mut text = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        let is_plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if is_plain && !(at == 0 && (is_taken || byte == b'.')) {
            text.push(char::from(byte));
        } else {
            text.push('%');
            for half in [byte >> 4, byte & 15] {
                let digit = char::from_digit(u32::from(half), 16);
                text.push(digit.expect("half a byte is a digit"));
            }
        }
    }
    if text.is_empty() {
        "%".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests;
