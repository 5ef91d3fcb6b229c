//! `dbwarden run`: watches the configured domains until it is told to stop.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use sd_notify::NotifyState;
use tracing::{error, info, warn};

use super::Exit;
use super::domain::ask_password;
use crate::config::{Config, Loader};
use crate::daemon::{self, Settings, Stage};
use crate::supervisor;
use crate::telemetry::{self, chain};

/// How long is waited for threads when all tasks have ended.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// So many heartbeats fit into the time after which the service manager takes silence for the end;
/// some may come late.
const HEARTBEATS: u32 = 4;

/// Watch the configured domains and heal them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
TERM and INT stop it in order; a second one does not wait any longer. HUP reads the configuration \
again: it takes effect as a whole, or not at all if anything is wrong with it, and the log and the \
events `config_reloaded` and `config_rejected` say what came of it.

Exit codes: 0 stopped in order, 1 a part of it broke or it was hurried, 78 the configuration has \
problems.")]
pub(super) struct Args {
    /// The configuration file
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/dbwarden/dbwarden.toml"
    )]
    config: PathBuf,
    /// What the healer may do, whatever the configuration says
    #[arg(long, value_name = "MODE")]
    mode: Option<Mode>,
}

/// What the healer may do.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    /// Start what is missing
    Heal,
    /// Say what it would start
    Suggest,
    /// Watch and tell, nothing else
    Observe,
}

impl From<Mode> for supervisor::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Heal => Self::Heal,
            Mode::Observe => Self::Observe,
            Mode::Suggest => Self::Suggest,
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Exit {
    let mut loader = Loader::new(args.config.clone(), args.mode.map(Into::into));
    let config = match loader.start(&mut ask_password) {
        Ok(it) => it,
        Err(problems) => {
            // Nobody reads stderr: the exit code says it as well.
            let _ = writeln!(io::stderr().lock(), "{problems}");
            return Exit::Config;
        }
    };
    if let Err(error) = telemetry::set_up(&config.daemon.log) {
        return fail(&error);
    }
    info!(
        config = %args.config.display(),
        version = env!("CARGO_PKG_VERSION"),
        domains = config.domains.len(),
        listeners = config.listeners.len(),
        "starting"
    );
    for warning in &config.warnings {
        warn!("the configuration is doubtful: {warning}");
    }
    match watch(loader, config) {
        Ok(()) => {
            info!("stopped");
            Exit::Fine
        }
        Err(exit) => exit,
    }
}

fn watch(mut loader: Loader, config: Config) -> Result<(), Exit> {
    let commands = daemon::listen().map_err(|error| fail(&error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| fail(&error))?;
    let settings = Settings {
        config,
        listeners: Vec::new(),
        heartbeat: sd_notify::watchdog_enabled().map(|it| it / HEARTBEATS),
    };
    let again = || loader.reload().map_err(|problems| problems.to_string());
    let result = runtime.block_on(daemon::run(settings, commands, tell, again));
    // Dropping it would wait for the lookup of a name as long as the resolver does.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    result.map_err(|error| fail(&error))
}

/// Passes on to the log and to systemd how far the daemon is.
fn tell(stage: Stage) {
    match stage {
        Stage::Alive => notify(&[NotifyState::Watchdog]),
        Stage::Ready => {
            info!("ready");
            notify(&[NotifyState::Ready]);
        }
        Stage::Reloading => {
            info!("reading the configuration again");
            match NotifyState::monotonic_usec_now() {
                Ok(now) => notify(&[NotifyState::Reloading, now]),
                Err(error) => error!("cannot read the monotonic clock: {}", chain(&error)),
            }
        }
        Stage::Status(text) => notify(&[NotifyState::Status(&text)]),
        Stage::Stopping => {
            info!("stopping");
            notify(&[NotifyState::Stopping]);
        }
    }
}

/// Tells systemd, if it is there.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        error!("cannot notify the service manager: {}", chain(&error));
    }
}

fn fail(error: &dyn std::error::Error) -> Exit {
    error!("{}", chain(error));
    Exit::Failed
}
