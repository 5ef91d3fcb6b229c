//! The whole path: pilot, warden, journal, dispatcher and a listener that counts.
//!
//! Only the sockets are missing; their reads are slices of 64 KiB.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dbwarden::exchange::Observation;
use dbwarden::journal::{Batch, Journal, Ticket};
use dbwarden::listener::{
    Closed, Delivery, Dispatcher, Hooks, Listener, Notified, Registration, Reply, Terms,
};
use dbwarden::model::{self, Address};
use dbwarden::nuodb::pilot::{Command, ConnectionId, Input as PilotInput, Pilot, PilotSettings};
use dbwarden::policy::Policy;
use dbwarden::supervisor::{Effect, Input, Settings};
use dbwarden::time::{Moment, Timestamp};
use dbwarden::warden::Warden;
use tokio::runtime::Runtime;
use tokio::time::sleep;

use crate::stream::{self, Recording};

const READ: usize = 64 * 1024;

/// How fast virtual time goes: one read a millisecond.
const TICK: Duration = Duration::from_millis(1);

/// So many inputs and events may wait for the journal, as in the daemon.
const BACKLOG_MAX: usize = 65_536;

/// How often it is looked whether everything is told.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Where the path ends.
pub(crate) struct End {
    pub(crate) journal: Journal,
    /// `None` if nobody listens.
    pub(crate) listener: Option<Registration>,
    /// Counts the events the listener is done with.
    pub(crate) told: Arc<AtomicU64>,
    /// Inputs and facts are written as well as events.
    pub(crate) is_durable: bool,
}

/// Returns how long it takes in memory, and how many events a listener was told that drops them.
pub(crate) fn in_memory(recording: Recording) -> (Duration, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime can be had");
    let told = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&told);
    let listener = Registration {
        name: "drop".to_owned(),
        terms: Terms::default(),
        make: Arc::new(move || Box::new(Counted::new(Drop, Arc::clone(&counter)))),
    };
    let end = End {
        journal: Journal::memory(1, 65_536),
        listener: Some(listener),
        told: Arc::clone(&told),
        is_durable: false,
    };
    let took = measure(recording, stream::EVENTS, &runtime, end);
    (took, told.load(Ordering::Relaxed))
}

/// Returns how long `events` take up to the end.
pub(crate) fn measure(
    mut recording: Recording,
    events: u32,
    runtime: &Runtime,
    end: End,
) -> Duration {
    let client = stream::client_settings();
    let settings = PilotSettings::new(vec![Address::new("10.0.0.0", 48_004)], client);
    let mut pilot = Pilot::new(settings);
    let mut connection = None;
    let now = Timestamp::from_micros(1);
    recording.shake_hands(|bytes| speak(&mut pilot, now, &mut connection, bytes));
    let mut settings = Settings::new("prod".into());
    settings.policies = vec![Policy::default()];
    let mut path = Path {
        pilot,
        connection: connection.expect("the pilot dialled"),
        warden: Warden::new(model::Settings::default(), settings),
        journal: end.journal.clone(),
        is_durable: end.is_durable,
        now,
        last: Ticket::default(),
    };
    let (snapshot, parts) = recording.stream(events);
    runtime.block_on(async {
        let source = Arc::new(end.journal.clone());
        let listeners = end.listener.into_iter().collect::<Vec<_>>();
        let is_heard = !listeners.is_empty();
        let dispatcher = Dispatcher::start(source, listeners, Hooks::default());
        path.feed(&snapshot);
        let mut took = Duration::ZERO;
        for part in parts {
            took += path.travel(&part).await;
        }
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
        let begin = Instant::now();
        path.arrive().await;
        while is_heard && end.told.load(Ordering::Relaxed) < end.journal.last_seq() {
            sleep(LOOK_EVERY).await;
        }
        took += begin.elapsed();
        dispatcher.flush(Duration::from_secs(10)).await;
        took
    })
}

/// What stands between the socket and the journal.
struct Path {
    pilot: Pilot,
    connection: ConnectionId,
    warden: Warden,
    journal: Journal,
    is_durable: bool,
    now: Timestamp,
    last: Ticket,
}

impl Path {
    async fn travel(&mut self, part: &[u8]) -> Duration {
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
        let begin = Instant::now();
        let mut progress = self.journal.progress();
        for bytes in part.chunks(READ) {
            self.now = self.now + TICK;
            self.feed(bytes);
            tokio::task::yield_now().await;
            while self.journal.backlog() >= BACKLOG_MAX {
                progress.changed().await.expect("the journal is there");
            }
        }
        begin.elapsed()
    }

    /// The last exits settle, and everything is on record.
    async fn arrive(&mut self) {
        self.now = self.now + Duration::from_secs(1);
        self.feed(&[]);
        let mut progress = self.journal.progress();
        let everything = progress.wait_for(|it| it.ticket >= self.last).await;
        drop(everything.expect("the journal is there"));
    }

    /// What pilot and event loop do with what one read brought.
    fn feed(&mut self, bytes: &[u8]) {
        let connection = self.connection;
        let input = PilotInput::Bytes { connection, bytes };
        self.pilot.handle(self.now, input);
        let mut observations: Vec<Observation> = Vec::new();
        while let Some(command) = self.pilot.poll() {
            if let Command::Observe(observation) = command {
                observations.push(observation);
            }
        }
        let now = Moment::simulated(self.now);
        let mut batch = Batch::default();
        let mut effects = Vec::new();
        let inputs = observations.into_iter().map(Input::Observed);
        for input in inputs.chain([Input::Timeout]) {
            if self.is_durable {
                batch.inputs.push((now, input.clone()));
            }
            self.warden.handle(now, input, &mut effects);
        }
        if self.is_durable {
            batch.facts = self.warden.drain_facts();
        }
        let events = effects.into_iter().filter_map(|effect| match effect {
            Effect::Raise(event) => Some(event),
            Effect::Answer { .. } | Effect::Do(_) => None,
        });
        batch.events = events.collect();
        self.last = self.journal.write(batch);
    }
}

/// Hands bytes of the broker to the pilot, and returns what it says.
fn speak(
    pilot: &mut Pilot,
    now: Timestamp,
    connection: &mut Option<ConnectionId>,
    bytes: &[u8],
) -> Vec<u8> {
    match *connection {
        None => pilot.handle(now, PilotInput::Timeout),
        Some(connection) => pilot.handle(now, PilotInput::Bytes { connection, bytes }),
    }
    let mut said = Vec::new();
    while let Some(command) = pilot.poll() {
        match command {
            Command::Dial { connection: it, .. } => {
                *connection = Some(it);
                let entropy = [5; 32];
                pilot.handle(
                    now,
                    PilotInput::Opened {
                        connection: it,
                        entropy,
                    },
                );
            }
            Command::Transmit { bytes, .. } => said.extend(bytes),
            Command::Close { .. }
            | Command::Finish { .. }
            | Command::Note { .. }
            | Command::Observe(_)
            | Command::Warn { .. } => (),
        }
    }
    said
}

/// A listener whose events are counted when it is done with them.
pub(crate) struct Counted<L> {
    listener: L,
    told: Arc<AtomicU64>,
}

impl<L> Counted<L> {
    pub(crate) fn new(listener: L, told: Arc<AtomicU64>) -> Self {
        Self { listener, told }
    }
}

impl<L: Listener> Listener for Counted<L> {
    fn name(&self) -> &str {
        self.listener.name()
    }

    fn notify<'a>(&'a mut self, delivery: Delivery<'a>) -> Notified<'a> {
        let events = delivery.events().count();
        let (told, listener) = (&self.told, &mut self.listener);
        Box::pin(async move {
            let reply = listener.notify(delivery).await;
            told.fetch_add(u64::try_from(events).expect("it fits"), Ordering::Relaxed);
            reply
        })
    }

    fn farewell(&self) -> Duration {
        self.listener.farewell()
    }

    fn is_atomic(&self) -> bool {
        self.listener.is_atomic()
    }

    fn close(&mut self) -> Closed<'_> {
        self.listener.close()
    }
}

/// A listener that drops what it is told.
struct Drop;

impl Listener for Drop {
    fn name(&self) -> &'static str {
        "drop"
    }

    fn notify<'a>(&'a mut self, delivery: Delivery<'a>) -> Notified<'a> {
        black_box(delivery.event);
        Box::pin(std::future::ready(Ok(Reply::done())))
    }
}
