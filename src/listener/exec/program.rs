//! Which programs are fit to be run.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use thiserror::Error;

/// Why a program is not run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// Who owns it is neither who runs it nor the administrator, and could change it.
    #[error(
        "{} belongs to the user {owner}, who can change it; run chown on it, or run this as that \
         user",
        path.display()
    )]
    Foreign {
        /// The program.
        path: PathBuf,
        /// The number of its owner.
        owner: u32,
    },
    /// It cannot be looked at.
    #[error("cannot find {}", path.display())]
    Missing {
        /// The program.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// It has no bit that lets anybody execute it.
    #[error("{} is not executable; run chmod +x on it", path.display())]
    NotExecutable {
        /// The program.
        path: PathBuf,
    },
    /// It is a directory, or something stranger.
    #[error("{} is no file", path.display())]
    NotFile {
        /// The program.
        path: PathBuf,
    },
    /// It is named in a way that depends on where the daemon was started.
    #[error("{} is no absolute path; name it from / on", path.display())]
    Relative {
        /// The program.
        path: PathBuf,
    },
    /// Others could change what the daemon runs.
    #[error("{} can be changed by others (mode {mode:04o}); run chmod go-w on it", path.display())]
    Writable {
        /// The program, or the directory it lies in.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Checks that a program is there and that nobody but us and the administrator
/// can change or replace it.
///
/// # Errors
///
/// Fails when it is not there, not executable, or not safe.
pub fn check_program(path: &Path) -> Result<(), ProgramError> {
    let owned = || path.to_owned();
    if !path.is_absolute() {
        return Err(ProgramError::Relative { path: owned() });
    }
    // Links are followed: what is run counts, and where it lies.
    let missing = |source| ProgramError::Missing {
        path: owned(),
        source,
    };
    let real = path.canonicalize().map_err(missing)?;
    let metadata = real.metadata().map_err(missing)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if !metadata.is_file() {
        return Err(ProgramError::NotFile { path: owned() });
    }
    if mode & 0o111 == 0 {
        return Err(ProgramError::NotExecutable { path: owned() });
    }
    if mode & 0o022 != 0 {
        return Err(ProgramError::Writable {
            path: owned(),
            mode,
        });
    }
    let user = metadata.uid();
    if user != 0 && user != geteuid().as_raw() {
        return Err(ProgramError::Foreign {
            path: owned(),
            owner: user,
        });
    }
    let Some(directory) = real.parent() else {
        return Ok(());
    };
    let mode = directory.metadata().map_err(missing)?.permissions().mode() & 0o7777;
    let is_sticky = mode & 0o1000 != 0;
    if mode & 0o002 != 0 && !is_sticky {
        return Err(ProgramError::Writable {
            path: directory.to_owned(),
            mode,
        });
    }
    Ok(())
}
