//! The whole path: pilot, warden, journal, dispatcher and a listener that drops what it is told.
//!
//! Only the sockets are missing; their reads are slices of 64 KiB.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dbwarden::exchange::Observation;
use dbwarden::journal::{Batch, Journal};
use dbwarden::listener::{
    Delivery, Dispatcher, Hooks, Listener, Notified, Registration, Reply, Terms,
};
use dbwarden::model::{self, Address};
use dbwarden::nuodb::pilot::{Command, ConnectionId, Input as PilotInput, Pilot, PilotSettings};
use dbwarden::policy::Policy;
use dbwarden::supervisor::{Effect, Input, Settings};
use dbwarden::time::{Moment, Timestamp};
use dbwarden::warden::Warden;

use crate::stream::{self, Recording};

const READ: usize = 64 * 1024;

/// How fast virtual time goes: one read a millisecond.
const TICK: Duration = Duration::from_millis(1);

/// Returns how long it took, and how many events the listener was told.
pub(crate) fn measure(mut recording: Recording) -> (Duration, u64) {
    let client = stream::client_settings();
    let settings = PilotSettings::new(vec![Address::new("10.0.0.0", 48_004)], client);
    let mut pilot = Pilot::new(settings);
    let mut now = Timestamp::from_micros(1);
    let mut connection = None;
    recording.shake_hands(|bytes| speak(&mut pilot, now, &mut connection, bytes));
    let connection = connection.expect("the pilot dialled");
    let (snapshot, events) = recording.stream();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime can be had");
    runtime.block_on(async {
        let journal = Journal::memory(1, 65_536);
        let told = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&told);
        let listener = Registration {
            name: "drop".to_owned(),
            terms: Terms::default(),
            make: Arc::new(move || Box::new(Drop(Arc::clone(&counter)))),
        };
        let source = Arc::new(journal.clone());
        let dispatcher = Dispatcher::start(source, vec![listener], Hooks::default());
        let mut settings = Settings::new("prod".into());
        settings.policies = vec![Policy::default()];
        let mut warden = Warden::new(model::Settings::default(), settings);
        let mut feed = |now: Timestamp, bytes: &[u8]| {
            pilot.handle(now, PilotInput::Bytes { connection, bytes });
            turn(&mut pilot, &mut warden, &journal, now);
        };
        feed(now, &snapshot);
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
        let begin = Instant::now();
        for bytes in events.chunks(READ) {
            now = now + TICK;
            feed(now, bytes);
            tokio::task::yield_now().await;
        }
        // The last exits settle.
        now = now + Duration::from_secs(1);
        feed(now, &[]);
        while told.load(Ordering::Relaxed) < journal.last_seq() {
            tokio::task::yield_now().await;
        }
        let took = begin.elapsed();
        dispatcher.flush(Duration::from_secs(1)).await;
        (took, told.load(Ordering::Relaxed))
    })
}

/// What the event loop does with what one read brought.
fn turn(pilot: &mut Pilot, warden: &mut Warden, journal: &Journal, now: Timestamp) {
    let now = Moment::simulated(now);
    let mut effects = Vec::new();
    let mut observations: Vec<Observation> = Vec::new();
    while let Some(command) = pilot.poll() {
        if let Command::Observe(observation) = command {
            observations.push(observation);
        }
    }
    for observation in observations {
        warden.handle(now, Input::Observed(observation), &mut effects);
    }
    warden.handle(now, Input::Timeout, &mut effects);
    let events = effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Raise(event) => Some(event),
            Effect::Answer { .. } | Effect::Do(_) => None,
        })
        .collect();
    journal.write(Batch {
        events,
        ..Batch::default()
    });
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

/// A listener that drops what it is told.
struct Drop(Arc<AtomicU64>);

impl Listener for Drop {
    fn name(&self) -> &'static str {
        "drop"
    }

    fn notify<'a>(&'a mut self, delivery: Delivery<'a>) -> Notified<'a> {
        black_box(delivery.event);
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::ready(Ok(Reply::done())))
    }
}
