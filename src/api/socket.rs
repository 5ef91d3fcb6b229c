//! Makes the socket of the port: the owner's alone, and never in the place of a living one.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fchmod};
use socket2::{Domain, SockAddr, Type};

use super::ApiError;

/// So many clients may wait to be accepted; the system has a limit of its own.
const BACKLOG: i32 = 1_024;

/// A bound socket. Dropping it removes the file, unless another one took its place.
#[derive(Debug)]
pub struct Socket {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// Device and inode of the file.
    identity: Option<(u64, u64)>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            // One that stays is stale, and the next daemon replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Binds a socket that only its owner can reach.
///
/// The last directory of the path is made if it is missing. A socket that lies there is replaced if
/// nobody answers on it.
pub fn bind(path: &Path) -> Result<Socket, ApiError> {
    let fail = |source| ApiError::Bind {
        path: path.to_owned(),
        source,
    };
    if let Some(parent) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
        match fs::DirBuilder::new().mode(0o700).create(parent) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(fail(error)),
            Ok(()) | Err(_) => (),
        }
    }
    let listener = match bound(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path)?;
            bound(path).map_err(fail)?
        }
        other => other.map_err(fail)?,
    };
    Ok(Socket {
        listener,
        path: path.to_owned(),
        identity: identity(path),
    })
}

fn bound(path: &Path) -> io::Result<UnixListener> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // The file takes the mode of the unbound socket: at no moment can others connect.
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(UnixListener::from(std::os::fd::OwnedFd::from(socket)))
}

/// Removes the socket at `path` if nobody listens on it.
fn remove_stale(path: &Path) -> Result<(), ApiError> {
    let path_buf = path.to_owned();
    let fail = |source| ApiError::Bind {
        path: path.to_owned(),
        source,
    };
    let found = fs::symlink_metadata(path).map_err(fail)?;
    if !found.file_type().is_socket() {
        return Err(ApiError::Strange { path: path_buf });
    }
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None).map_err(fail)?;
    // A full queue of a living one must not keep us waiting.
    socket.set_nonblocking(true).map_err(fail)?;
    match socket.connect(&SockAddr::unix(path).map_err(fail)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(fail)
        }
        Ok(()) | Err(_) => Err(ApiError::Occupied { path: path_buf }),
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}
