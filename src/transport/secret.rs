//! Reads files that hold secrets, and refuses those that others can read.
//!
//! It does not know what for: whose password or key it is, is the caller's business.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use thiserror::Error;
use zeroize::Zeroizing;

/// The longest secret: keys and certificates are a few KiB, everything else is a wrong path.
const MAX_LENGTH: u64 = 1 << 20;

/// Why a secret cannot be read from its file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecretError {
    /// There is nothing in the file.
    #[error("{} is empty; write the password into it", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner may read or write the file.
    #[error(
        "{} holds a secret and others have access to it (mode {mode:04o}); run chmod 600 on it",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Who owns the file is neither who reads it nor the administrator.
    #[error(
        "{} holds a secret and belongs to the user {owner}; run chown on it, or run this as that \
         user",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The number of its owner.
        owner: u32,
    },
    /// The file holds no password.
    #[error("{} is no UTF-8; write the password as text", path.display())]
    NoText {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file is too long for a secret.
    #[error("{} is longer than {MAX_LENGTH} bytes and holds no secret", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a file that only its owner has access to.
///
/// The permissions looked at are those of the very file that is read. What the service manager
/// hands out in `$CREDENTIALS_DIRECTORY` is let pass: that directory is private to the service,
/// and its files show a group's read bit only as the mask of an access control list.
///
/// # Errors
///
/// Fails when the file cannot be read, is too long, or is open to others.
pub fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let read = |source| SecretError::Read {
        path: path.to_owned(),
        source,
    };
    let regular = |metadata: &Metadata| {
        if metadata.is_file() {
            Ok(())
        } else {
            Err(read(io::Error::other("it is no regular file")))
        }
    };
    // Looked at before it is opened as well: opening a pipe would wait for somebody to write.
    regular(&std::fs::metadata(path).map_err(read)?)?;
    let file = File::open(path).map_err(read)?;
    let metadata = file.metadata().map_err(read)?;
    regular(&metadata)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 && !is_credential(path) {
        return Err(SecretError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let owner = metadata.uid();
    if owner != 0 && owner != geteuid().as_raw() && !is_credential(path) {
        return Err(SecretError::Foreign {
            path: path.to_owned(),
            owner,
        });
    }
    if metadata.len() > MAX_LENGTH {
        return Err(SecretError::TooLong {
            path: path.to_owned(),
        });
    }
    // Reserved at once, so that growing leaves no copies behind.
    let capacity = usize::try_from(metadata.len()).map_or(0, |it| it + 1);
    let mut secret = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(MAX_LENGTH)
        .read_to_end(&mut secret)
        .map_err(read)?;
    Ok(secret)
}

/// Reads a password from a file that only its owner has access to; a line feed at its end is the
/// editor's.
///
/// # Errors
///
/// As [`read_secret`], and when there is no password in it.
pub fn read_password(path: &Path) -> Result<String, SecretError> {
    let bytes = read_secret(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| SecretError::NoText {
        path: path.to_owned(),
    })?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(SecretError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(line.to_owned())
}

/// Returns whether the service manager handed the file out.
fn is_credential(path: &Path) -> bool {
    std::env::var_os("CREDENTIALS_DIRECTORY")
        .is_some_and(|it| !it.is_empty() && path.starts_with(it))
}
