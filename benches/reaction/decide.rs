//! From bytes to deeds, without a socket and without a disk, in a large domain.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dbwarden::exchange::{ActionId, Deed, Observation, Outcome};
use dbwarden::journal::Batch;
use dbwarden::model::{self, Address};
use dbwarden::nuodb::cipher::CipherName;
use dbwarden::nuodb::client::{Credentials, Settings as ClientSettings};
use dbwarden::nuodb::message::{Event, ProcessElement, Status};
use dbwarden::nuodb::pilot::{Command, ConnectionId, Input as PilotInput, Pilot, PilotSettings};
use dbwarden::nuodb::server::{Server, ServerEvent, ServerSettings};
use dbwarden::nuodb::srp::{Agreement, Password};
use dbwarden::policy::Policy;
use dbwarden::supervisor::{Accepted, Effect, Input, Settings};
use dbwarden::time::{Moment, Timestamp};
use dbwarden::warden::Warden;

use crate::ROUNDS;
use crate::brokers::{agent, broker};

/// How many processes the domain has.
pub(crate) const PROCESSES: u32 = PEERS * PER_PEER;

const PEERS: u32 = 200;
const PER_PEER: u32 = 50;
const DATABASES: u32 = 500;

/// How far apart rounds are: far enough for every budget and pause.
const PAUSE: Duration = Duration::from_secs(60);

/// What was measured, and what each round would have written.
pub(crate) struct Decided {
    /// From the bytes of the exit to `Prepare`, without the pause in which the exit settles.
    pub(crate) exit: Vec<Duration>,
    /// From `Ready` to `Commit`.
    pub(crate) ready: Vec<Duration>,
    pub(crate) both: Vec<Duration>,
    pub(crate) batches: Vec<Batch>,
}

/// Measures one exit after the other, each of another process.
pub(crate) fn measure() -> Decided {
    let mut domain = Domain::begin();
    let mut decided = Decided {
        exit: Vec::new(),
        ready: Vec::new(),
        both: Vec::new(),
        batches: Vec::new(),
    };
    for round in 0..ROUNDS {
        let (exit, ready, batch) = domain.lose(round);
        decided.exit.push(exit);
        decided.ready.push(ready);
        decided.both.push(exit + ready);
        decided.batches.push(batch);
    }
    decided
}

/// A broker's half of a session, and all that the daemon makes of it.
struct Domain {
    server: Server,
    pilot: Pilot,
    connection: Option<ConnectionId>,
    warden: Warden,
    now: Timestamp,
    effects: Vec<Effect>,
}

impl Domain {
    fn begin() -> Self {
        let password = || Password::new("bird".to_owned());
        let server = ServerSettings {
            user: "domain".to_owned(),
            password: password(),
            ciphers: vec![CipherName::Aes256Ctr],
            frame_limit: 1 << 20,
            agreement: Agreement::default(),
        };
        let client = ClientSettings {
            credentials: Credentials {
                user: "domain".to_owned(),
                password: password(),
            },
            inside_tls: false,
            allow_legacy_ciphers: false,
            frame_limit: 1 << 26,
            agreement: Agreement::default(),
        };
        let brokers = vec![Address::new("10.0.0.0", 48_004)];
        let mut settings = Settings::new("prod".into());
        settings.policies = vec![Policy::default()];
        let options = (0..DATABASES).map(|it| (database(it).as_ref().into(), Vec::new()));
        settings.te_options = options.collect();
        let model = model::Settings::default();
        let accepted = Accepted {
            model: model.clone(),
            supervisor: settings.clone(),
        };
        let mut domain = Self {
            server: Server::new(&server, [7; 80]),
            pilot: Pilot::new(PilotSettings::new(brokers, client)),
            connection: None,
            warden: Warden::new(model, settings),
            now: Timestamp::from_micros(1),
            effects: Vec::new(),
        };
        domain.feed(Input::Began(Arc::new(accepted)));
        domain.log_in();
        domain.server.send_status(&status());
        let snapshot = domain.server.poll_transmit().expect("it waits");
        for input in domain.read(&snapshot) {
            domain.feed(input);
        }
        // Long enough for every process to be wanted.
        for _ in 0..10 {
            domain.now = domain.now + PAUSE;
            domain.feed(Input::Timeout);
        }
        domain.forget();
        domain
    }

    fn log_in(&mut self) {
        self.pilot.handle(self.now, PilotInput::Timeout);
        loop {
            while let Some(command) = self.pilot.poll() {
                if let Command::Dial { connection, .. } = command {
                    self.connection = Some(connection);
                    let entropy = [5; 32];
                    let opened = PilotInput::Opened {
                        connection,
                        entropy,
                    };
                    self.pilot.handle(self.now, opened);
                } else if let Command::Transmit { bytes, .. } = command {
                    self.server.handle_bytes(&bytes).expect("it is our own");
                }
            }
            while let Some(event) = self.server.poll_event() {
                if let ServerEvent::Opened { .. } = event {
                    return;
                }
            }
            let bytes = self.server.poll_transmit().expect("the handshake goes on");
            let connection = self.connection.expect("the pilot dialled");
            let bytes = &bytes;
            self.pilot
                .handle(self.now, PilotInput::Bytes { connection, bytes });
        }
    }

    /// Does what the driver does with what one read brought.
    fn read(&mut self, bytes: &[u8]) -> Vec<Input> {
        let connection = self.connection.expect("there is a session");
        let input = PilotInput::Bytes { connection, bytes };
        self.pilot.handle(self.now, input);
        let mut inputs = Vec::new();
        while let Some(command) = self.pilot.poll() {
            if let Command::Observe(observation) = command {
                inputs.push(Input::Observed(observation));
            }
        }
        inputs
    }

    fn feed(&mut self, input: Input) {
        let now = Moment::simulated(self.now);
        self.warden.handle(now, input, &mut self.effects);
    }

    fn forget(&mut self) {
        self.effects.clear();
        drop(self.warden.drain_facts());
    }

    /// Feeds inputs, and returns how long that took and all that would be written of it.
    fn turn(&mut self, inputs: Vec<Input>, batch: &mut Batch) -> Duration {
        let now = Moment::simulated(self.now);
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
        let begin = Instant::now();
        for input in inputs {
            // As the event loop does it.
            batch.inputs.push((now, input.clone()));
            self.warden.handle(now, input, &mut self.effects);
        }
        batch.facts.extend(self.warden.drain_facts());
        let took = begin.elapsed();
        let events = self.effects.iter().filter_map(|it| match it {
            Effect::Raise(event) => Some(event.clone()),
            Effect::Answer { .. } | Effect::Do(_) => None,
        });
        batch.events.extend(events);
        took
    }

    /// One process ends, and another is started.
    fn lose(&mut self, round: u32) -> (Duration, Duration, Batch) {
        self.now = self.now + PAUSE;
        self.feed(Input::Timeout);
        self.forget();
        // A transaction engine; each round another one.
        let lost = process(round * 4 + 1);
        self.server.send_event(&Event::ProcessExit(lost.clone()));
        let bytes = self.server.poll_transmit().expect("it waits");
        let mut batch = Batch::default();
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
        let begin = Instant::now();
        let inputs = self.read(&bytes);
        let mut exit = begin.elapsed();
        exit += self.turn(inputs, &mut batch);
        self.now = self.now + model::Settings::default().exit_settle;
        exit += self.turn(vec![Input::Timeout], &mut batch);
        let action = self.prepared();
        self.effects.clear();
        let mut rest = Batch::default();
        let outcome = Outcome::Ready;
        let ready = self.turn(vec![Input::Reported { action, outcome }], &mut rest);
        let left = |it: &Effect| matches!(it, Effect::Do(Deed::Commit { .. }));
        assert!(self.effects.iter().any(left), "{:?}", self.effects);
        self.come_up(action, &lost);
        (exit, ready, batch)
    }

    fn prepared(&self) -> ActionId {
        let prepared = self.effects.iter().find_map(|it| match it {
            Effect::Do(Deed::Prepare { action, .. }) => Some(*action),
            Effect::Answer { .. } | Effect::Do(_) | Effect::Raise(_) => None,
        });
        prepared.unwrap_or_else(|| panic!("nothing is started: {:?}", self.effects))
    }

    /// What was started registers, where the lost one was and in its place.
    fn come_up(&mut self, action: ActionId, lost: &ProcessElement) {
        let start_id: Arc<str> = format!("674198{:08}", action.0).into();
        let outcome = Outcome::Started(Some(start_id.as_ref().into()));
        self.feed(Input::Reported { action, outcome });
        let mut joined = lost.clone();
        joined.start_id = Some(start_id);
        self.server.send_event(&Event::NewProcess(joined));
        let bytes = self.server.poll_transmit().expect("it waits");
        for input in self.read(&bytes) {
            assert!(matches!(input, Input::Observed(Observation::Sighted(_))));
            self.feed(input);
        }
        let outcome = Outcome::Registered { pid: lost.pid };
        self.feed(Input::Reported { action, outcome });
        self.forget();
    }
}

fn database(index: u32) -> Arc<str> {
    format!("database-{index}").into()
}

fn status() -> Status {
    Status {
        domain: "domain".into(),
        entry: broker(0, true),
        peers: (1..PEERS).map(|it| broker(it, false)).collect(),
        processes: (0..PROCESSES).map(process).collect(),
    }
}

/// One process of each database is on a peer, one in four a storage manager.
fn process(index: u32) -> ProcessElement {
    let peer = index % PEERS;
    ProcessElement {
        agent_id: agent(peer),
        database: database(index / 20 % DATABASES),
        pid: 1_000 + index,
        port: Some(48_005 + u16::try_from(index / PEERS).expect("it fits")),
        is_transaction_engine: !index.is_multiple_of(4),
        state: Some("RUNNING".into()),
        hostname: format!("db{peer}.example.com").into(),
        version: "3.0.0".into(),
        node_id: Some(index),
        start_id: None,
    }
}
