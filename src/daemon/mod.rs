//! Runs the daemon: builds it from its settings, drives it, stops it in order.
//!
//! Each domain has a driver, an event loop, a journal and workers for its listeners; none waits for
//! another. A task that ends though nobody asked it to ends the daemon.

mod clock;
mod event_loop;
mod signals;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{interval, timeout};
use tracing::{info, warn};

use self::event_loop::EventLoop;
use crate::config::Config;
use crate::driver::nuodb::{self, DriverError, DriverSettings};
use crate::event::{Event, Kind, Subject};
use crate::journal::{Batch, Journal};
use crate::listener::{Dispatcher, Hooks, Registration, Unremembered};
use crate::model::{self, DomainName};
use crate::supervisor;
use crate::warden::Warden;

pub use clock::Clock;
pub use signals::{Command, listen};

/// How many deeds and batches of reports may be on their way between a warden and its driver.
const QUEUE: usize = 1_024;

/// How many events of a domain are remembered in memory.
const REMEMBERED: usize = 65_536;

/// How often a stopping daemon says that it is not forgotten.
const STILL_STOPPING_EVERY: Duration = Duration::from_secs(5);

/// All a daemon needs to know.
#[derive(Debug)]
pub struct Settings {
    /// The domains to watch.
    pub domains: Vec<DomainSettings>,
    /// Who is told.
    pub listeners: Vec<Registration>,
    /// How long everything may take when the daemon stops, listeners that hear the rest included.
    pub stop_grace: Duration,
}

/// All it needs to know about one domain.
#[derive(Debug)]
pub struct DomainSettings {
    /// How patient the model is.
    pub model: model::Settings,
    /// What is healed, and how.
    pub supervisor: supervisor::Settings,
    /// How the domain is reached.
    pub driver: DriverSettings,
}

impl From<Config> for Settings {
    fn from(config: Config) -> Self {
        let domains = config.domains.into_iter().map(|it| {
            let mut settings = DomainSettings {
                model: it.model,
                supervisor: it.supervisor,
                driver: it.driver,
            };
            settings.driver.pilot.seed = seed();
            settings.supervisor.seed = seed();
            settings
        });
        Self {
            domains: domains.collect(),
            listeners: config
                .listeners
                .into_iter()
                .map(Registration::from)
                .collect(),
            stop_grace: config.daemon.stop_grace,
        }
    }
}

/// Returns what makes the pauses of this daemon differ from those of others.
///
/// Without entropy no session stands either, which the driver tells; it is no secret.
fn seed() -> u64 {
    getrandom::u64().unwrap_or_default()
}

/// Why a daemon ended though nobody asked it to.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// A driver cannot work at all.
    #[error("the driver of the domain `{domain}` cannot work")]
    Driver {
        /// Of which domain.
        domain: DomainName,
        /// Why.
        #[source]
        source: DriverError,
    },
    /// A task ended by itself.
    #[error("{0} ended unexpectedly")]
    Ended(String),
    /// It was told to stop, and told again before it had.
    #[error("told to stop again, it did not wait for what still ran")]
    Hurried,
    /// A task panicked.
    #[error("a task of the daemon broke")]
    Task(#[source] JoinError),
}

/// What a task was, and how it ended.
type Ended = (String, Result<(), DaemonError>);

/// Watches the domains until it is told to stop.
///
/// `ready` is called when everything runs; a broker need not be there for that. `stopping` is
/// called when it begins to stop. `check` is called when the configuration is to be looked at
/// again, and returns what is wrong with it, if anything is.
///
/// Being told to stop once more while it stops ends it at once.
///
/// # Errors
///
/// Fails when a part of it cannot work or ends by itself, or when it had no time to stop in order.
pub async fn run(
    settings: Settings,
    mut commands: mpsc::Receiver<Command>,
    ready: impl FnOnce(),
    stopping: impl FnOnce(),
    mut check: impl FnMut() -> Result<(), String>,
) -> Result<(), DaemonError> {
    let clock = Clock::start();
    let mut daemon = Daemon::start(settings, clock);
    daemon.raise(clock, Kind::DaemonStarted, None);
    ready();
    let result = loop {
        tokio::select! {
            ended = daemon.tasks.join_next() => break Err(ended_early(ended)),
            command = commands.recv() => match command {
                Some(Command::CheckConfig) => daemon.check_config(clock, &mut check),
                Some(Command::Stop) | None => break Ok(()),
            },
        }
    };
    stopping();
    daemon.raise(clock, Kind::DaemonStopping, None);
    let mut still_stopping = interval(STILL_STOPPING_EVERY);
    still_stopping.tick().await;
    let mut stopped = pin!(daemon.stop(clock));
    loop {
        tokio::select! {
            () = &mut stopped => return result,
            Some(command) = commands.recv() => match command {
                Command::CheckConfig => (),
                // What is dropped here takes the programs of listeners along.
                Command::Stop => return result.and(Err(DaemonError::Hurried)),
            },
            _ = still_stopping.tick() => {
                info!("still stopping; told to stop once more it ends at once");
            }
        }
    }
}

/// Everything that runs.
struct Daemon {
    tasks: JoinSet<Ended>,
    journal: Journal,
    dispatchers: Vec<(String, Dispatcher<Unremembered<Journal>>)>,
    stop: watch::Sender<bool>,
    stop_grace: Duration,
}

impl Daemon {
    fn start(settings: Settings, clock: Clock) -> Self {
        let mut daemon = Self {
            tasks: JoinSet::new(),
            journal: Journal::memory(clock.epoch(), REMEMBERED),
            dispatchers: Vec::new(),
            stop: watch::Sender::new(false),
            stop_grace: settings.stop_grace,
        };
        let journal = daemon.journal.clone();
        daemon.dispatch("the daemon", journal, &settings.listeners);
        for domain in settings.domains {
            daemon.watch(domain, clock, &settings.listeners);
        }
        daemon
    }

    fn watch(&mut self, settings: DomainSettings, clock: Clock, listeners: &[Registration]) {
        let name = settings.supervisor.domain.clone();
        info!(
            domain = name.as_str(),
            mode = ?settings.supervisor.mode,
            policies = settings.supervisor.policies.len(),
            "watching"
        );
        let journal = Journal::memory(clock.epoch(), REMEMBERED);
        self.dispatch(name.as_str(), journal.clone(), listeners);
        let (deed_sender, deed_receiver) = mpsc::channel(QUEUE);
        let (report_sender, report_receiver) = mpsc::channel(QUEUE);
        let event_loop = EventLoop {
            clock,
            warden: Warden::new(settings.model, settings.supervisor),
            journal,
            reports: report_receiver,
            deeds: deed_sender,
            stop: self.stop.subscribe(),
        };
        let label = format!("the event loop of the domain `{name}`");
        self.tasks.spawn(async move {
            event_loop.run().await;
            (label, Ok(()))
        });
        let label = format!("the driver of the domain `{name}`");
        let driver = nuodb::run(
            settings.driver,
            move || clock.timestamp(),
            deed_receiver,
            report_sender,
        );
        self.tasks.spawn(async move {
            let result = driver.await;
            let result = result.map_err(|source| DaemonError::Driver {
                domain: name,
                source,
            });
            (label, result)
        });
    }

    fn dispatch(&mut self, name: &str, journal: Journal, listeners: &[Registration]) {
        let journal = Arc::new(Unremembered(journal));
        let dispatcher = Dispatcher::start(journal, listeners.to_vec(), Hooks::default());
        self.dispatchers.push((name.to_owned(), dispatcher));
    }

    fn raise(&self, clock: Clock, kind: Kind, text: Option<&str>) {
        let mut event = Event::new(clock.now(), None, kind, Subject::default());
        event.text = text.map(Into::into);
        self.journal.write(Batch {
            events: vec![event],
            ..Batch::default()
        });
    }

    fn check_config(&self, clock: Clock, check: &mut impl FnMut() -> Result<(), String>) {
        match check() {
            Ok(()) => info!("the configuration is fine; it takes effect when the daemon restarts"),
            Err(problems) => {
                warn!("the configuration has problems and would be refused: {problems}");
                self.raise(clock, Kind::ConfigRejected, Some(&problems));
            }
        }
    }

    /// Ends the event loops and with them the drivers, then lets the listeners hear the rest, all
    /// within the grace period.
    async fn stop(mut self, clock: Clock) {
        self.stop.send_replace(true);
        let deadline = clock.timestamp() + self.stop_grace;
        let ended = timeout(self.stop_grace, async {
            while self.tasks.join_next().await.is_some() {}
        });
        if ended.await.is_err() {
            let tasks = self.tasks.len();
            warn!(tasks, "did not stop in time and is ended");
        }
        self.tasks.shutdown().await;
        let rest = deadline.since(clock.timestamp());
        let mut flushes = JoinSet::new();
        for (name, dispatcher) in self.dispatchers {
            flushes.spawn(async move { (name, dispatcher.flush(rest).await) });
        }
        while let Some(flushed) = flushes.join_next().await {
            let Ok((domain, unfinished)) = flushed else {
                continue;
            };
            for it in unfinished {
                warn!(
                    domain,
                    listener = it.name,
                    told = it.told,
                    last = it.last,
                    "was not told everything"
                );
            }
        }
    }
}

fn ended_early(ended: Option<Result<Ended, JoinError>>) -> DaemonError {
    match ended {
        Some(Ok((_, Err(error)))) => error,
        Some(Ok((name, Ok(())))) => DaemonError::Ended(name),
        Some(Err(error)) => DaemonError::Task(error),
        None => DaemonError::Ended("every task".to_owned()),
    }
}
