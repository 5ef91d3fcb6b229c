//! Reads and checks the configuration, and reports every problem at once.
//!
//! What was written (`file`) becomes what it means (`check`): settings of the modules, which refuse
//! nonsense, so that nothing invalid leaves here. Secrets are read while loading and are never
//! shown. It changes nothing, and does not know who uses the settings.

mod check;
mod diff;
mod file;
mod keys;
mod loader;
mod nearest;
mod problem;
mod reference;
mod section;
mod sources;
mod value;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::api::TcpSettings;
use crate::driver::nuodb::DriverSettings;
use crate::journal::JournalSettings;
use crate::listener::ListenerSettings;
use crate::model::{self, DomainName};
use crate::supervisor;
use crate::telemetry::LogSettings;

pub use diff::{Diff, DomainChange, Written, diff};
pub use loader::{Ask, Loader};
pub use problem::{Place, Problem, Problems};
pub use reference::reference;
use section::Report;
use sources::Sources;

/// A configuration without problems.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// The daemon itself.
    pub daemon: DaemonSettings,
    /// How the API is served over TCP, if it is.
    pub api: Option<TcpSettings>,
    /// The domains to watch, in the order of the file; at least one.
    pub domains: Vec<DomainSettings>,
    /// How many policies there are; the domains have those that apply to them.
    pub policies: usize,
    /// Who is told; at least one.
    pub listeners: Vec<ListenerSettings>,
    /// The files it was read from, in that order; the one that was named comes first.
    pub files: Vec<PathBuf>,
    /// What is allowed and probably not meant, in the order of the file.
    pub warnings: Vec<Problem>,
    /// By which keys a reload is told.
    pub written: Written,
}

impl Config {
    fn domain(&self, name: &DomainName) -> Option<&DomainSettings> {
        self.domains.iter().find(|it| it.name == *name)
    }

    fn listener(&self, name: &str) -> Option<&ListenerSettings> {
        self.listeners.iter().find(|it| it.name == name)
    }

    /// Lets the healer do something else than what the files say.
    pub fn override_mode(&mut self, mode: supervisor::Mode) {
        for domain in &mut self.domains {
            domain.supervisor.mode = mode;
        }
        self.written.override_daemon("mode", &format!("{mode:?}"));
    }
}

/// What the daemon itself must know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DaemonSettings {
    /// Where it keeps what it must not forget.
    pub state_directory: PathBuf,
    /// Where it listens for the commands of operators.
    pub socket: PathBuf,
    /// How long the journals remember.
    pub journal: JournalSettings,
    /// How it writes its log.
    pub log: LogSettings,
    /// How long listeners may take when it stops.
    pub stop_grace: Duration,
}

impl Default for DaemonSettings {
    fn default() -> Self {
        Self {
            state_directory: PathBuf::from("/var/lib/dbwarden"),
            socket: PathBuf::from("/run/dbwarden/dbwarden.sock"),
            journal: JournalSettings::default(),
            log: LogSettings::default(),
            stop_grace: Duration::from_secs(10),
        }
    }
}

/// What everybody who has to do with a domain must know. The seeds are the daemon's to set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DomainSettings {
    /// What we call it.
    pub name: DomainName,
    /// How it is reached.
    pub driver: DriverSettings,
    /// How what it tells is understood.
    pub model: model::Settings,
    /// How it is healed.
    pub supervisor: supervisor::Settings,
}

/// What a configuration is read for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Purpose {
    /// To say what is wrong with it; who will run by it may be somebody else.
    Check,
    /// To run by it, as who reads it.
    Run,
}

/// Reads and checks a configuration file, for nobody to run by it: a password that is to be typed
/// is not asked for. A daemon has a [`Loader`].
///
/// # Errors
///
/// Returns everything that is wrong with it.
pub fn load(path: &Path) -> Result<Config, Problems> {
    understand(sources::read(path), &environment, Purpose::Check)
}

fn environment(name: &str) -> Option<String> {
    std::env::var_os(name).and_then(|it| it.into_string().ok())
}

/// Checks what was written; `variable` looks up the environment.
fn understand(
    sources: Sources,
    variable: &dyn Fn(&str) -> Option<String>,
    purpose: Purpose,
) -> Result<Config, Problems> {
    let Sources {
        root,
        files,
        torn,
        misfits,
        doubts,
    } = sources;
    let mut report = Report::new(torn, misfits, doubts, purpose);
    let config = check::check(&mut report, &root, variable);
    let (problems, warnings) = report.into_parts(&files);
    if problems.is_empty() {
        Ok(Config {
            warnings,
            written: Written::new(&root),
            files: files.iter().map(|it| it.to_path_buf()).collect(),
            ..config
        })
    } else {
        Err(Problems(problems))
    }
}

#[cfg(test)]
mod tests;
