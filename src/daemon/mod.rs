//! Runs the daemon: builds it from its settings, drives it, stops it in order.
//!
//! Each domain has a driver, an event loop, a journal and workers for its listeners; none waits for
//! another. A task that ends though nobody asked it to ends the daemon.

mod carrier;
mod clock;
mod diary;
mod event_loop;
mod heart;
mod lease;
mod port;
mod prober;
mod pulse;
mod reload;
mod signals;
mod standing;
mod stop;
mod watched;

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{interval, timeout};
use tracing::info;

use self::heart::Heart;
use self::port::Api;
use self::pulse::Pulse;
use self::watched::{Opened, Watched, clock_after, generation};
use crate::api::ApiError;
use crate::config::{Config, DomainSettings};
use crate::driver::nuodb::DriverError;
use crate::event::{Event, Kind};
use crate::journal::{Journal, JournalError, StateDirectory};
use crate::listener::{Dispatcher, Hooks, Registration};
use crate::model::DomainName;
use crate::warden::RestoreError;

pub use clock::Clock;
pub use signals::{Command, listen};

/// How often a stopping daemon says that it is not forgotten.
const STILL_STOPPING_EVERY: Duration = Duration::from_secs(5);

/// So many events that cannot be recorded may wait to be told.
const ALARMS: usize = 1_024;

/// All a daemon needs to know.
#[derive(Debug)]
pub struct Settings {
    /// What is configured.
    pub config: Config,
    /// Listeners of the program itself; they stay whatever is configured later.
    pub listeners: Vec<Registration>,
    /// How often it says that it is alive, if anybody wants to know.
    pub heartbeat: Option<Duration>,
}

/// What a daemon tells whoever started it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Every event loop turned lately.
    Alive,
    /// Everything runs; a broker need not be there for that.
    Ready,
    /// It reads its configuration again; `Ready` follows.
    Reloading,
    /// It begins to stop.
    Stopping,
    /// How it is, as a sentence.
    Status(String),
}

/// Why a daemon could not begin, or ended though nobody asked it to.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// The operator's socket cannot be had.
    #[error("cannot serve the operator's socket")]
    Api(#[source] ApiError),
    /// A driver cannot work at all.
    #[error("the driver of the domain `{domain}` cannot work")]
    Driver {
        /// Of which domain.
        domain: DomainName,
        /// Why.
        #[source]
        source: Box<DriverError>,
    },
    /// A task ended by itself.
    #[error("{0} ended unexpectedly")]
    Ended(String),
    /// What a journal remembers does not fit together.
    #[error("cannot go on from what the journal of the domain `{domain}` remembers")]
    Facts {
        /// Of which domain.
        domain: DomainName,
        /// Why.
        #[source]
        source: RestoreError,
    },
    /// It was told to stop, and told again before it had.
    #[error("told to stop again, it did not wait for what still ran")]
    Hurried,
    /// A journal cannot be opened or read.
    #[error("cannot use the journal of {}", Whose(.domain.as_ref()))]
    Journal {
        /// Of which domain; `None` for the daemon's own.
        domain: Option<DomainName>,
        /// Why.
        #[source]
        source: Box<JournalError>,
    },
    /// The state directory cannot be used.
    #[error("cannot use the state directory")]
    State(#[source] Box<JournalError>),
    /// A task panicked.
    #[error("a task of the daemon broke")]
    Task(#[source] JoinError),
}

impl DaemonError {
    fn journal(domain: Option<&DomainName>, source: JournalError) -> Self {
        Self::Journal {
            domain: domain.cloned(),
            source: Box::new(source),
        }
    }
}

/// Shows whose journal it is.
struct Whose<'a>(Option<&'a DomainName>);

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(domain) => write!(f, "the domain `{domain}`"),
            None => f.write_str("the daemon"),
        }
    }
}

/// What a task was, whether it was asked to end, and how it ended.
type Ended = (String, bool, Result<(), DaemonError>);

/// Watches the domains until it is told to stop.
///
/// `tell` hears how far the daemon is. `load` is called when the configuration is to be read again,
/// and returns it, or what is wrong with it.
///
/// Being told to stop once more while it stops ends it at once.
///
/// # Errors
///
/// Fails when a part of it cannot begin, cannot work or ends by itself, or when it had no time to
/// stop in order.
pub async fn run(
    settings: Settings,
    mut commands: mpsc::Receiver<Command>,
    mut tell: impl FnMut(Stage),
    mut load: impl FnMut() -> Result<Config, String>,
) -> Result<(), DaemonError> {
    let heartbeat = settings.heartbeat;
    let (mut daemon, mut alarms) = Daemon::start(settings)?;
    let mut heart = Heart::new(heartbeat, daemon.pulse.clone(), daemon.clock);
    let _ = timeout(watched::SETTLING, daemon.dispatcher.settled()).await;
    daemon.raise(Kind::DaemonStarted, None);
    let _ = timeout(watched::SETTLING, daemon.forget_listeners()).await;
    tell(Stage::Status(daemon.standing()));
    tell(Stage::Ready);
    let mut progress = daemon.journal.progress();
    // It may have been opened on a full disk.
    progress.mark_changed();
    let result = loop {
        tokio::select! {
            Some(ended) = daemon.tasks.join_next() => {
                if let Some(error) = ended_early(ended) {
                    break Err(error);
                }
            }
            Some(ended) = daemon.api.tasks.join_next() => {
                if let Some(error) = ended_early(ended) {
                    break Err(error);
                }
            }
            Some((domain, event)) = alarms.recv() => {
                tell(Stage::Status(format!("domain {domain}: {}", sentence(&event))));
                daemon.alarm(&domain, &event);
            }
            Ok(()) = progress.changed() => {
                let health = progress.borrow_and_update().health.clone();
                if let Some(text) = daemon.mind(health).await {
                    tell(Stage::Status(text));
                }
            }
            command = commands.recv() => match command {
                Some(Command::Reload) => {
                    tell(Stage::Reloading);
                    let told = heart.during(daemon.reload(&mut load), &mut tell).await;
                    tell(Stage::Status(told));
                    tell(Stage::Ready);
                }
                Some(Command::Stop) | None => break Ok(()),
            },
            () = heart.beat() => tell(Stage::Alive),
        }
    };
    tell(Stage::Stopping);
    heart.stop();
    daemon.raise(Kind::DaemonStopping, None);
    let mut still_stopping = interval(STILL_STOPPING_EVERY);
    still_stopping.tick().await;
    let mut stopped = pin!(daemon.stop());
    loop {
        tokio::select! {
            () = &mut stopped => return result,
            Some(command) = commands.recv() => match command {
                Command::Reload => (),
                // What is dropped here takes the programs of listeners along.
                Command::Stop => return result.and(Err(DaemonError::Hurried)),
            },
            _ = still_stopping.tick() => {
                info!("still stopping; told to stop once more it ends at once");
            }
            () = heart.beat() => tell(Stage::Alive),
        }
    }
}

/// Everything that runs.
struct Daemon {
    clock: Clock,
    config: Config,
    /// The program's own listeners.
    own: Vec<Registration>,
    state: StateDirectory,
    journal: Journal,
    /// Why its own journal cannot be written.
    outage: Option<Arc<str>>,
    dispatcher: Dispatcher<Journal>,
    watched: BTreeMap<DomainName, Watched>,
    tasks: JoinSet<Ended>,
    alarms: mpsc::Sender<(DomainName, Event)>,
    api: Api,
    pulse: Pulse,
}

impl Daemon {
    /// Starts everything. Nothing is left behind if a part of it cannot begin.
    fn start(
        settings: Settings,
    ) -> Result<(Self, mpsc::Receiver<(DomainName, Event)>), DaemonError> {
        let Settings {
            config, listeners, ..
        } = settings;
        let path = &config.daemon.state_directory;
        let state = StateDirectory::open(path).map_err(|it| DaemonError::State(Box::new(it)))?;
        let directory = state.daemon();
        let opened = Journal::open(&directory, config.daemon.journal.clone());
        let (journal, recovered) = opened.map_err(|it| DaemonError::journal(None, it))?;
        let domains = open_all(&state, &config)?;
        let api = Api::bind(&config)?;
        let clock = clock_after(
            domains
                .iter()
                .map(|(_, it)| &it.recovered)
                .chain([&recovered]),
        );
        let last = domains
            .iter()
            .map(|(_, it)| generation(&it.recovered))
            .max();
        let (alarms, alarm_receiver) = mpsc::channel(ALARMS);
        let pulse = Pulse::default();
        let heart = pulse.clone();
        let hooks = Hooks {
            pulse: Some(Arc::new(move || heart.read(clock))),
            ..Hooks::default()
        };
        journal.keep_time(move || clock.now());
        let mut daemon = Self {
            clock,
            dispatcher: Dispatcher::start(Arc::new(journal.clone()), Vec::new(), hooks),
            journal,
            outage: None,
            own: listeners,
            state,
            watched: BTreeMap::new(),
            tasks: JoinSet::new(),
            alarms,
            api,
            pulse,
            config,
        };
        daemon.serve(last.unwrap_or_default() + 1);
        daemon.say_condition(&recovered.condition);
        let registrations = daemon.registrations();
        for registration in &registrations {
            daemon.dispatcher.add(registration.clone());
        }
        for (settings, opened) in domains {
            daemon.watch(settings, opened, registrations.clone())?;
        }
        daemon.publish();
        Ok((daemon, alarm_receiver))
    }

    /// Returns every listener there is to be, the program's own ones first.
    fn registrations(&self) -> Vec<Registration> {
        let configured = self.config.listeners.iter().cloned();
        let configured = configured.map(Registration::from);
        self.own.iter().cloned().chain(configured).collect()
    }

    /// Tells what cannot be recorded to those that want it nevertheless.
    fn alarm(&self, domain: &DomainName, event: &Event) {
        if let Some(watched) = self.watched.get(domain) {
            watched.dispatcher.alarm(event);
        }
    }
}

fn open_all(
    state: &StateDirectory,
    config: &Config,
) -> Result<Vec<(DomainSettings, Opened)>, DaemonError> {
    let open = |settings: &DomainSettings| {
        let opened = Opened::open(state, settings, &config.daemon.journal);
        let opened = opened.map_err(|it| DaemonError::journal(Some(&settings.name), it))?;
        Ok((settings.clone(), opened))
    };
    config.domains.iter().map(open).collect()
}

/// Returns what an event says to people.
fn sentence(event: &Event) -> String {
    let text = event.text.as_deref().unwrap_or_default();
    format!("{} {text}", event.kind.as_str())
        .trim_end()
        .to_owned()
}

fn ended_early(ended: Result<Ended, JoinError>) -> Option<DaemonError> {
    match ended {
        Ok((_, _, Err(error))) => Some(error),
        Ok((_, true, Ok(()))) => None,
        Ok((name, false, Ok(()))) => Some(DaemonError::Ended(name)),
        Err(error) => Some(DaemonError::Task(error)),
    }
}
