//! What an engine of the sandbox is: a process with an archive, a port, and nothing to serve.
//!
//! It reports on its standard output what it has become, and ends with its standard input. It
//! speaks no SQL, and closes every connection at once so that nobody waits for it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::sandbox::world::{archive_in_use, archive_missing, archive_present};

/// The file that makes a directory an archive; who runs on the archive holds a lock on it.
const ARCHIVE_FILE: &str = "dbwarden-sandbox.archive";

/// How an engine of the sandbox ends that cannot open its archive, as real ones do.
const FAILED: u8 = 5;

/// Returns whether there is an archive at `path`.
pub(super) fn is_archive(path: &Path) -> bool {
    path.join(ARCHIVE_FILE).exists()
}

/// Lives as an engine until standard input ends, and returns the exit code.
///
/// An engine with an archive is a storage manager, any other a transaction engine.
pub fn live(archive: Option<&Path>, initialize: bool) -> u8 {
    // However the sandbox dies, we go with it: by this signal, and by the end of our input if it
    // died before we asked for the signal.
    let tied = set_parent_process_death_signal(Some(Signal::KILL)).map_err(io::Error::from);
    // The lock is held for as long as we live.
    let opened = tied
        .map_err(|error| format!("Unable to tie the process to its parent: {error}"))
        .and_then(|()| archive.map(|it| open(it, initialize)).transpose())
        .and_then(|lock| Ok((lock, listen().map_err(|it| it.to_string())?)));
    match opened {
        Ok((_lock, port)) => {
            if report(&format!("ready {port}")).is_ok() {
                wait_for_the_end();
            }
            0
        }
        Err(reason) => {
            // Whoever would read it is gone if this fails, and so are we.
            let _ = report(&format!("failed {}", reason.replace('\n', " ")));
            FAILED
        }
    }
}

fn report(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

fn wait_for_the_end() {
    let mut stdin = io::stdin().lock();
    let mut ignored = [0; 64];
    while matches!(stdin.read(&mut ignored), Ok(1..)) {}
}

/// Opens the archive for us alone; `Err` is the reason in the words of an engine.
fn open(archive: &Path, initialize: bool) -> Result<File, String> {
    let shown = archive.display().to_string();
    let is_there = is_archive(archive);
    if !initialize && !is_there {
        return Err(archive_missing(&shown));
    }
    if !is_there {
        fs::create_dir_all(archive).map_err(|error| {
            let error = plain(&error);
            format!("{shown}: Unable to create archive directory: {error}")
        })?;
    }
    let file = File::options()
        .create(initialize)
        .truncate(false)
        .write(true)
        .open(archive.join(ARCHIVE_FILE))
        .map_err(|error| format!("{shown}: Unable to open archive: {}", plain(&error)))?;
    match file.try_lock() {
        Ok(()) if initialize && is_there => Err(archive_present(&shown)),
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(archive_in_use(&shown)),
        Err(TryLockError::Error(error)) => Err(format!(
            "{shown}: Unable to lock archive: {}",
            plain(&error)
        )),
    }
}

/// Returns the error as a C program words it: without the number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_owned()
}

/// Listens on a port of our own and closes whatever comes.
fn listen() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    thread::Builder::new()
        .name("accept".to_owned())
        .spawn(move || {
            for connection in listener.incoming() {
                if connection.is_err() {
                    // Out of descriptors, most likely: not for ever.
                    thread::sleep(Duration::from_millis(50));
                }
            }
        })?;
    Ok(port)
}
