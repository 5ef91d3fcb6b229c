//! A directory of the sandbox's own that goes when it goes.
//!
//! One that was killed leaves it behind; the next sandbox clears it away.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, test_kill_process};

/// What the directories of all sandboxes begin with; the process id comes next.
const PREFIX: &str = "dbwarden-sandbox-";

/// A temporary directory that only its owner may enter. It is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Workspace {
    path: PathBuf,
    /// The directory itself, locked: it is in use.
    _lock: File,
}

impl Workspace {
    pub(super) fn create() -> io::Result<Self> {
        let parent = std::env::temp_dir();
        clear(&parent);
        let number = getrandom::u64().map_err(io::Error::other)?;
        let name = format!("{PREFIX}{}-{number:016x}", std::process::id());
        let path = parent.join(name);
        DirBuilder::new().mode(0o700).create(&path)?;
        let lock = File::open(&path)?;
        lock.lock()?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever cleans the temporary directory.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes what sandboxes left behind that are no more.
fn clear(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        if is_left_behind(&entry.path()) {
            // Another sandbox may be faster, and another user's is not ours to remove.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Returns whether the directory is of a sandbox, and of one that is no more. No process of its
/// number is not enough, since another container may share the directory and not the numbers; no
/// lock is not enough either, since a new one takes it a moment after it is made.
fn is_left_behind(path: &Path) -> bool {
    let owner = path
        .file_name()
        .and_then(|it| it.to_str())
        .and_then(|it| it.strip_prefix(PREFIX))
        .and_then(|it| it.split_once('-'))
        .and_then(|(pid, _)| Pid::from_raw(pid.parse().ok()?));
    owner.is_some_and(|it| test_kill_process(it) == Err(rustix::io::Errno::SRCH))
        && File::open(path).is_ok_and(|it| it.try_lock().is_ok())
}
