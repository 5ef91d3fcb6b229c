//! A domain that is watched: its journal, its dispatcher and the event loop between them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tracing::{info, warn};

use super::clock::Clock;
use super::event_loop::{Asked, Beginning, EventLoop, Inbox, Order};
use super::{Daemon, DaemonError, lease};
use crate::api::{DomainPort, Errand};
use crate::config::DomainSettings;
use crate::event::{Event, Kind, Subject};
use crate::journal::{
    Batch, Condition, Journal, JournalError, JournalSettings, Recovered, StateDirectory,
};
use crate::listener::{Dispatcher, Hooks, Registration};
use crate::model::DomainName;
use crate::supervisor::{Accepted, Effect, Fact, Input, Recovery};
use crate::telemetry::LoopFigures;
use crate::time::Moment;
use crate::warden::Warden;

/// How many errands of people and requests of listeners may wait for a turn of the loop.
const QUEUE: usize = 256;

/// How many orders of the daemon may wait; each follows from one reload.
const ORDERS: usize = 16;

/// How long the journal may take to note the listeners before anything happens.
pub(super) const SETTLING: Duration = Duration::from_secs(2);

/// A journal that was opened for a domain, and what it remembers.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) journal: Journal,
    pub(super) recovered: Recovered,
}

/// What the daemon holds of a domain whose event loop runs.
pub(super) struct Watched {
    pub(super) journal: Journal,
    pub(super) dispatcher: Dispatcher<Journal>,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) errands: mpsc::Sender<Errand>,
    figures: Arc<LoopFigures>,
    stop: watch::Sender<bool>,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").finish_non_exhaustive()
    }
}

impl Watched {
    /// Asks the event loop to end.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until the event loop has ended.
    pub(super) async fn stopped(&self) {
        self.stop.closed().await;
    }

    /// Returns how people reach the domain.
    pub(super) fn port(&self, name: &DomainName) -> DomainPort {
        DomainPort {
            name: name.clone(),
            kind: "nuodb",
            journal: self.journal.clone(),
            errands: self.errands.clone(),
            figures: self.figures.clone(),
            cursors: self.dispatcher.cursors(),
        }
    }
}

impl Opened {
    /// Opens the journal of a domain, which nothing else has to do with yet.
    pub(super) fn open(
        state: &StateDirectory,
        settings: &DomainSettings,
        journal: &JournalSettings,
    ) -> Result<Self, JournalError> {
        let directory = state.domain(settings.name.as_str());
        let (journal, recovered) = Journal::open(&directory, journal.clone())?;
        Ok(Self { journal, recovered })
    }
}

impl Daemon {
    /// Returns what a warden of the domain works by, in the configuration of now.
    pub(super) fn accepted(&self, settings: &DomainSettings) -> Arc<Accepted> {
        let mut supervisor = settings.supervisor.clone();
        supervisor.seed = seed();
        supervisor.generation = self.api.config.borrow().generation;
        Arc::new(Accepted {
            model: settings.model.clone(),
            supervisor,
        })
    }

    /// Watches a domain from now on.
    pub(super) fn watch(
        &mut self,
        settings: DomainSettings,
        opened: Opened,
        registrations: Vec<Registration>,
    ) -> Result<(), DaemonError> {
        let name = settings.name.clone();
        let Opened { journal, recovered } = opened;
        info!(
            domain = name.as_str(),
            mode = ?settings.supervisor.mode,
            policies = settings.supervisor.policies.len(),
            facts = recovered.facts.len(),
            last_seq = recovered.last_seq,
            "watching"
        );
        let clock = self.clock;
        journal.keep_time(move || clock.now());
        let now = clock.now();
        let accepted = self.accepted(&settings);
        let mut driver = settings.driver;
        driver.pilot.seed = seed();
        let warden = recover(&name, now, &accepted, &journal, recovered)?;
        let (requests, request_receiver) = mpsc::channel::<Asked>(QUEUE);
        let (errands, errand_receiver) = mpsc::channel(QUEUE);
        let (present, present_receiver) = mpsc::channel(QUEUE);
        let (orders, order_receiver) = mpsc::channel(ORDERS);
        let stop = watch::Sender::new(false);
        let hooks = Hooks {
            requests: Some(requests),
            present: Some(present),
            pulse: None,
        };
        let source = Arc::new(journal.clone());
        let dispatcher = Dispatcher::start(source, registrations, hooks);
        let settled = timeout(SETTLING, dispatcher.settled());
        let beat = self.pulse.join(&name, now.at);
        let figures = beat.figures().clone();
        let event_loop = EventLoop::new(Beginning {
            clock: self.clock,
            settings: accepted,
            warden,
            journal: journal.clone(),
            driver,
            inbox: Inbox {
                errands: errand_receiver,
                requests: request_receiver,
                present: present_receiver,
                orders: order_receiver,
            },
            alarms: self.alarms.clone(),
            stop: stop.subscribe(),
            beat,
            owner: lease::owner(self.state.path()),
        });
        let label = format!("the event loop of the domain `{name}`");
        let asked = stop.subscribe();
        self.tasks.spawn(async move {
            // Who is not known to the journal begins behind what it has; a journal that cannot be
            // written keeps nobody from watching.
            let _ = settled.await;
            let result = event_loop.run().await;
            // One that was asked to end has done as it was told.
            let is_asked = *asked.borrow();
            (label, is_asked, result)
        });
        let watched = Watched {
            journal,
            dispatcher,
            orders,
            errands,
            figures,
            stop,
        };
        self.watched.insert(name, watched);
        Ok(())
    }
}

/// Returns a warden that has begun with what is on record, and tells if that is not what was.
fn recover(
    name: &DomainName,
    now: Moment,
    accepted: &Arc<Accepted>,
    journal: &Journal,
    recovered: Recovered,
) -> Result<Warden, DaemonError> {
    let Accepted { model, supervisor } = (**accepted).clone();
    let mut warden = if recovered.facts.is_empty() {
        Warden::new(model, supervisor)
    } else {
        let warden = Warden::restore(model, supervisor, now, recovered.facts);
        warden.map_err(|source| DaemonError::Facts {
            domain: name.clone(),
            source,
        })?
    };
    let mut events = Vec::new();
    let mut inputs = vec![Input::Began(accepted.clone())];
    if let Some((recovery, text)) = damage(recovered.condition) {
        warn!(domain = name.as_str(), "{text}");
        let mut event = Event::new(now, Some(name.clone()), Kind::Gap, Subject::default());
        event.text = Some(text.into());
        events.push(event);
        inputs.push(Input::Recovered(recovery));
    }
    let mut effects = Vec::new();
    for input in &inputs {
        warden.handle(now, input.clone(), &mut effects);
    }
    // There is no driver yet: what it would look at, its first session shows.
    events.extend(effects.into_iter().filter_map(|it| match it {
        Effect::Raise(event) => Some(event),
        Effect::Answer { .. } | Effect::Do(_) => None,
    }));
    journal.write(Batch {
        inputs: inputs.into_iter().map(|it| (now, it)).collect(),
        events,
        facts: warden.drain_facts(),
    });
    Ok(warden)
}

/// Returns what is left of a memory that is not what was recorded, and what to say of it.
fn damage(condition: Condition) -> Option<(Recovery, String)> {
    match condition {
        Condition::New | Condition::Sound => None,
        Condition::FromBackup { aside, why } => {
            let text = format!(
                "the journal is damaged ({why}) and was moved to {}; going on from facts.bak: \
                 events before this one are lost",
                aside.display()
            );
            Some((Recovery::Backup, text))
        }
        Condition::Lost { aside, why } => {
            let text = format!(
                "the journal is damaged ({why}) and was moved to {}; there is no good facts.bak, \
                 so nothing is started until `dbwarden resume --accept-lost-memory`",
                aside.display()
            );
            Some((Recovery::Lost, text))
        }
    }
}

/// Returns a clock that goes on from the last moment any journal has.
pub(super) fn clock_after<'a>(recovered: impl Iterator<Item = &'a Recovered>) -> Clock {
    let last = recovered.filter_map(|it| it.last).max_by_key(|it| it.at);
    last.map_or_else(Clock::start, Clock::resume)
}

/// Returns which configuration was the last one accepted, as far as the facts of a domain tell.
pub(super) fn generation(recovered: &Recovered) -> u64 {
    let generations = recovered.facts.iter().filter_map(|it| match it {
        Fact::Domain(it) => Some(it.generation),
        Fact::Action(_)
        | Fact::Database(_)
        | Fact::Decisions(_)
        | Fact::Failure(_)
        | Fact::Lapsed(_)
        | Fact::Order(_)
        | Fact::Peer(_)
        | Fact::Process(_)
        | Fact::Archive(_)
        | Fact::Slot(_) => None,
    });
    generations.max().unwrap_or(0)
}

/// Returns what makes the pauses of this daemon differ from those of others.
///
/// Without entropy no session stands either, which the driver tells; it is no secret.
fn seed() -> u64 {
    getrandom::u64().unwrap_or_default()
}
