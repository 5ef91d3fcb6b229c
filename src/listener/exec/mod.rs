//! The listener that runs a program for each event.
//!
//! The program is given as arguments, and no shell reads them. It gets the event as one line of
//! JSON on its standard input and as `DBWARDEN_*` in its environment, and says by its exit code
//! what became of it. It runs in a process group of its own, which ends with it: what it leaves
//! behind in the group is killed.

mod program;
mod running;

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use thiserror::Error;
use tokio::time::timeout;

use super::record::Record;
use super::{Delivery, Listener, ListenerError, Notified, Reply};

pub use program::{ProgramError, check_program};
use running::Running;
pub(in crate::listener) use running::{
    KILL_AFTER, LINGER, Leader, OUTPUT_KEPT, command, hear, watch_exit,
};

/// Exit codes after which no further try is made: wrong usage, wrong data, no permission, wrong
/// configuration, as `sysexits.h` numbers them.
const PERMANENT: [i32; 4] = [64, 65, 77, 78];

/// A program that is run for a listener, and what it is told of the daemon.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProgramSettings {
    /// The program, by its absolute path, and its arguments.
    pub command: Vec<String>,
    /// Environment variables of the daemon that the program does not get, since they hold secrets.
    pub withhold: Vec<String>,
    /// The daemon's socket, told to the program as `DBWARDEN_SOCKET`.
    pub socket: Option<PathBuf>,
}

/// Runs a program for each event.
///
/// Exit code 0 means done; 64, 65, 77 and 78 mean never; everything else, and a signal, means try
/// again. A program that takes longer than its timeout is asked to end by SIGTERM and killed two
/// seconds later, together with its group.
#[derive(Debug)]
pub struct Exec {
    name: String,
    settings: ProgramSettings,
    timeout: Duration,
}

/// Why a program did not take an event.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExecError {
    /// It said no.
    #[error("{program} exited with {code}{output}")]
    Exited {
        /// The program.
        program: String,
        /// What it exited with.
        code: i32,
        /// What it said last.
        output: Output,
    },
    /// A signal ended it.
    #[error("{program} was ended by signal {signal}{output}")]
    Signalled {
        /// The program.
        program: String,
        /// Which signal.
        signal: i32,
        /// What it said last.
        output: Output,
    },
    /// It cannot be run.
    #[error("cannot run {program}")]
    Spawn {
        /// The program.
        program: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// It took too long.
    #[error("{program} was stopped after {timeout:?}{output}")]
    TimedOut {
        /// The program.
        program: String,
        /// How long it had.
        timeout: Duration,
        /// What it said last.
        output: Output,
    },
    /// It runs, or ran, and cannot be waited for.
    #[error("cannot tell how {program} ended")]
    Wait {
        /// The program.
        program: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

/// The last of what a program wrote; shown as the end of a message, on one line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Output(String);

impl Output {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.trim() {
            "" => Ok(()),
            text => write!(f, "; its last words: {}", text.escape_debug()),
        }
    }
}

impl Exec {
    /// Returns the listener of that name; each run may take as long as `timeout`.
    pub fn new(name: impl Into<String>, settings: ProgramSettings, timeout: Duration) -> Self {
        Self {
            name: name.into(),
            settings,
            timeout,
        }
    }

    /// Runs the program once.
    async fn run(&self, delivery: Delivery<'_>) -> Result<(), ExecError> {
        let program = || self.settings.command.first().cloned().unwrap_or_default();
        let wait = |source| ExecError::Wait {
            program: program(),
            source,
        };
        let record = Record::new(delivery.event).with_attempt(delivery.attempt);
        let mut running =
            Running::start(&self.name, &self.settings, &record).map_err(|source| {
                ExecError::Spawn {
                    program: program(),
                    source,
                }
            })?;
        let Ok(exited) = timeout(self.timeout, running.until_exit()).await else {
            running.terminate().await;
            running.end(Duration::ZERO).await.map_err(wait)?;
            return Err(ExecError::TimedOut {
                program: program(),
                timeout: self.timeout,
                output: Output(running.output()),
            });
        };
        exited.map_err(wait)?;
        let status = running.end(LINGER).await.map_err(wait)?;
        judge(status, program(), running.output())
    }
}

impl Listener for Exec {
    fn name(&self) -> &str {
        &self.name
    }

    fn notify<'a>(&'a mut self, delivery: Delivery<'a>) -> Notified<'a> {
        Box::pin(async move {
            match self.run(delivery).await {
                Ok(()) => Ok(Reply::done()),
                Err(error @ ExecError::Exited { code, .. }) if PERMANENT.contains(&code) => {
                    Err(ListenerError::permanent(error))
                }
                Err(error) => Err(ListenerError::temporary(error)),
            }
        })
    }

    /// Time for the program to end on request, to be killed, and to be buried.
    fn farewell(&self) -> Duration {
        KILL_AFTER + 2 * LINGER
    }
}

/// Returns what an exit status means.
fn judge(status: ExitStatus, program: String, output: String) -> Result<(), ExecError> {
    let output = Output(output);
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(ExecError::Exited {
            program,
            code,
            output,
        }),
        None => Err(ExecError::Signalled {
            program,
            signal: status.signal().unwrap_or_default(),
            output,
        }),
    }
}

#[cfg(test)]
mod tests;
