//! Dialogues of a client with the server's half, and with peers that misbehave.

use std::sync::Arc;

use super::*;
use crate::nuodb::message::{BrokerElement, ProcessElement, Style};
use crate::nuodb::server::{Server, ServerEvent, ServerSettings};

const CLIENT_ENTROPY: [u8; 32] = [0x5A; 32];
const SERVER_ENTROPY: [u8; 80] = [0xC3; 80];

fn settings() -> Settings {
    Settings {
        credentials: Credentials {
            user: "domain".to_owned(),
            password: Password::new("bird".to_owned()),
        },
        inside_tls: false,
        allow_legacy_ciphers: true,
        frame_limit: 1024 * 1024,
    }
}

fn server_settings(ciphers: &[CipherName]) -> ServerSettings {
    ServerSettings {
        user: "domain".to_owned(),
        password: Password::new("bird".to_owned()),
        ciphers: ciphers.to_vec(),
        frame_limit: 1024 * 1024,
    }
}

fn broker() -> BrokerElement {
    BrokerElement {
        agent_id: Arc::from("agent-1"),
        address: Some(Arc::from("10.0.0.1")),
        port: Some(48004),
        is_broker: true,
        hostname: Arc::from("db1"),
        version: Arc::from("3.0"),
    }
}

fn process() -> ProcessElement {
    ProcessElement {
        agent_id: Arc::from("agent-1"),
        database: Arc::from("te&as \"ö\""),
        pid: 4711,
        port: Some(48005),
        is_transaction_engine: true,
        state: Some(Arc::from("RUNNING")),
        hostname: Arc::from("db1"),
        version: Arc::from("3.0"),
        node_id: Some(2),
        start_id: None,
    }
}

fn status() -> Status {
    Status {
        domain: Arc::from("prod"),
        entry: BrokerElement {
            address: None,
            port: None,
            ..broker()
        },
        peers: vec![broker()],
        processes: vec![process()],
    }
}

fn change() -> Event {
    Event::StatusChanged {
        status: Arc::from("QUIESCED"),
        process: process(),
    }
}

/// Everything a client can be told while it watches.
fn changes() -> Vec<Event> {
    vec![
        Event::NewBroker(broker()),
        Event::NewProcess(ProcessElement {
            node_id: None,
            start_id: Some(Arc::from("674198")),
            ..process()
        }),
        change(),
        Event::ProcessExit(process()),
        Event::ProcessFailed {
            start_id: Some(Arc::from("674199")),
            reason: Arc::from("Archive is already in use: /data\n<x>"),
            broker: broker(),
        },
        Event::BrokerExit(broker()),
        Event::Unknown(Arc::from("Weather")),
    ]
}

/// Both halves of a session, and the bytes between them in pieces of `size`.
struct Wire {
    client: Client,
    server: Server,
    size: usize,
}

impl Wire {
    fn new(client: Client, ciphers: &[CipherName], size: usize) -> Self {
        Self {
            client,
            server: Server::new(&server_settings(ciphers), SERVER_ENTROPY),
            size,
        }
    }

    /// Carries bytes until both are silent.
    fn run(&mut self) {
        loop {
            let to_server = self.client.poll_transmit();
            for piece in to_server.iter().flat_map(|it| it.chunks(self.size)) {
                self.server.handle_bytes(piece).unwrap();
            }
            let to_client = self.server.poll_transmit();
            for piece in to_client.iter().flat_map(|it| it.chunks(self.size)) {
                self.client.handle_bytes(piece).unwrap();
            }
            if to_server.is_none() && to_client.is_none() {
                return;
            }
        }
    }

    fn told(&mut self) -> Vec<ClientEvent> {
        std::iter::from_fn(|| self.client.poll_event()).collect()
    }

    fn heard(&mut self) -> Vec<ServerEvent> {
        std::iter::from_fn(|| self.server.poll_event()).collect()
    }
}

#[test]
fn a_monitor_session_tells_the_domain_and_then_each_change_with_every_cipher() {
    for cipher in [
        CipherName::Aes256Ctr,
        CipherName::Aes128Ctr,
        CipherName::Rc4,
    ] {
        for size in [1, 2, 3, 7, 64, usize::MAX] {
            let client = Client::new(&settings(), MONITOR, CLIENT_ENTROPY);
            let mut wire = Wire::new(client, &[cipher], size);
            let request = Request::new(MONITOR, Style::Connect);
            wire.client.send_request(request.clone());
            wire.run();
            assert_eq!(
                wire.heard(),
                [ServerEvent::Opened {
                    request,
                    authorised: true
                }]
            );
            assert!(wire.client.is_authorised());
            wire.server.send_status(&status());
            for change in changes() {
                wire.server.send_event(&change);
            }
            wire.run();
            let mut expected = vec![
                ClientEvent::Authorised { cipher },
                ClientEvent::Status(Box::new(status())),
            ];
            expected.extend(changes().into_iter().map(ClientEvent::Event));
            assert_eq!(wire.told(), expected, "{cipher} in pieces of {size}");
        }
    }
}
