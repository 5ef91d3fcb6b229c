//! The stream that is measured: a Monitor session as a broker would send it.

use dbwarden::nuodb::cipher::CipherName;
use dbwarden::nuodb::client::{Credentials, Settings as ClientSettings};
use dbwarden::nuodb::message::{Event, ProcessElement, Status};
use dbwarden::nuodb::server::{Server, ServerEvent, ServerSettings};
use dbwarden::nuodb::srp::{Agreement, Password};

use crate::brokers::{agent, broker};

/// How many monitor events are measured at once.
pub(crate) const EVENTS: u32 = 100_000;

const PEERS: u32 = 20;
const DATABASES: u32 = 50;

/// So many processes live at once.
const LIVING: u32 = 1_000;

/// A broker's half of a session up to the point where it has sent everything.
pub(crate) struct Recording {
    pub(crate) cipher: CipherName,
    server: Server,
}

pub(crate) fn client_settings() -> ClientSettings {
    ClientSettings {
        credentials: Credentials {
            user: "domain".to_owned(),
            password: Password::new("bird".to_owned()),
        },
        inside_tls: false,
        allow_legacy_ciphers: true,
        frame_limit: 1 << 20,
        agreement: Agreement::default(),
    }
}

pub(crate) fn record(cipher: CipherName) -> Recording {
    let settings = ServerSettings {
        user: "domain".to_owned(),
        password: Password::new("bird".to_owned()),
        ciphers: vec![cipher],
        frame_limit: 1 << 20,
        agreement: Agreement::default(),
    };
    Recording {
        cipher,
        server: Server::new(&settings, [7; 80]),
    }
}

impl Recording {
    /// Goes through the handshake with a client, whose bytes `exchange` carries there and back.
    pub(crate) fn shake_hands(&mut self, mut exchange: impl FnMut(&[u8]) -> Vec<u8>) {
        let mut bytes = exchange(&[]);
        loop {
            self.server
                .handle_bytes(&bytes)
                .expect("our own client is well-behaved");
            while let Some(event) = self.server.poll_event() {
                if let ServerEvent::Opened { .. } = event {
                    return;
                }
            }
            let answer = self.server.poll_transmit().expect("the handshake goes on");
            bytes = exchange(&answer);
        }
    }

    /// Returns the snapshot, and then `count` events in parts of [`EVENTS`], encrypted.
    pub(crate) fn stream(mut self, count: u32) -> (Vec<u8>, impl Iterator<Item = Vec<u8>>) {
        self.server.send_status(&status());
        let snapshot = self.server.poll_transmit().expect("the snapshot waits");
        let mut events = events(count).peekable();
        let parts = std::iter::from_fn(move || {
            events.peek()?;
            for event in events.by_ref().take(EVENTS as usize) {
                self.server.send_event(&event);
            }
            self.server.poll_transmit()
        });
        (snapshot, parts)
    }
}

/// Returns the same events as documents in clear.
pub(crate) fn documents() -> Vec<Vec<u8>> {
    let document = |event: Event| {
        let mut document = Vec::new();
        event.write(&mut document);
        document
    };
    events(EVENTS).map(document).collect()
}

fn status() -> Status {
    Status {
        domain: "domain".into(),
        entry: broker(0, true),
        peers: (1..PEERS).map(|it| broker(it, false)).collect(),
        processes: Vec::new(),
    }
}

fn process(life: u32) -> ProcessElement {
    let peer = life % PEERS;
    ProcessElement {
        agent_id: agent(peer),
        database: format!("database-{}", life % DATABASES).into(),
        pid: 1_000 + life,
        port: Some(48_005 + u16::try_from(life % 10_000).expect("it fits")),
        is_transaction_engine: !life.is_multiple_of(4),
        state: Some("ACTIVE".into()),
        hostname: format!("db{peer}.example.com").into(),
        version: "3.0.0".into(),
        node_id: None,
        start_id: None,
    }
}

/// Every process joins, becomes active and running, and exits when many others have joined.
fn events(count: u32) -> impl Iterator<Item = Event> {
    assert_eq!(count % 4, 0, "each process has four events");
    let lives = count / 4;
    (0..lives + LIVING).flat_map(move |life| {
        let arrives = (life < lives).then(|| arrival(life));
        let leaves = life.checked_sub(LIVING).map(departure);
        arrives.into_iter().flatten().chain(leaves)
    })
}

fn arrival(life: u32) -> [Event; 3] {
    let mut joined = process(life);
    joined.start_id = Some(format!("67419876{life:08}").into());
    let becomes = |word: &str| {
        let mut process = process(life);
        process.node_id = Some(life);
        process.state = Some(word.into());
        let status = word.into();
        Event::StatusChanged { status, process }
    };
    [
        Event::NewProcess(joined),
        becomes("ACTIVE"),
        becomes("RUNNING"),
    ]
}

fn departure(life: u32) -> Event {
    let mut process = process(life);
    process.node_id = Some(life);
    process.state = Some("RUNNING".into());
    Event::ProcessExit(process)
}
