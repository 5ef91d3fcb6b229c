//! Both halves talk to each other, with every cipher and in pieces of every size.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::nuodb::message::{BrokerElement, ProcessElement, Style};
use crate::nuodb::server::ServerEvent;

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

#[test]
fn a_request_is_answered_once_and_then_the_peer_may_close() {
    for size in [1, usize::MAX] {
        let client = Client::new(&settings(), "State", CLIENT_ENTROPY);
        let mut wire = Wire::new(client, &[CipherName::Aes256Ctr], size);
        wire.run();
        // Also after the authorisation a request goes out.
        let request = Request::new("State", Style::Request).child(Element::new("ö"));
        wire.client.send_request(request);
        wire.client.send(&Element::new("Further"));
        wire.run();
        assert!(matches!(
            &wire.heard()[..],
            [ServerEvent::Opened { .. }, ServerEvent::Document(further)]
                if further.name == "Further"
        ));
        let answer = Element::new("State").with("text", "größer & \"better\"");
        wire.server.send(&answer);
        wire.run();
        assert_eq!(
            wire.told(),
            [
                ClientEvent::Authorised {
                    cipher: CipherName::Aes256Ctr
                },
                ClientEvent::Response(answer)
            ]
        );
        assert_eq!(wire.client.handle_close(), Ok(()));
    }
}

#[test]
fn identity_is_asked_in_clear() {
    let request = Request::new("Identity", Style::Request);
    let client = Client::without_authorisation(&settings(), request.clone());
    let mut wire = Wire::new(client, &CipherName::ALL, 1);
    wire.run();
    assert_eq!(
        wire.heard(),
        [ServerEvent::Opened {
            request,
            authorised: false
        }]
    );
    let answer = Element::new("Identity").with("Domain", "prod");
    wire.server.send(&answer);
    wire.run();
    assert_eq!(wire.told(), [ClientEvent::Response(answer)]);
    assert!(!wire.client.is_authorised());
    assert_eq!(wire.client.handle_close(), Ok(()));
}

#[test]
fn a_session_is_the_same_wherever_its_bytes_are_split_in_two() {
    let open = || Client::new(&settings(), MONITOR, CLIENT_ENTROPY);
    let connect = || Request::new(MONITOR, Style::Connect);
    // The same entropy gives the same bytes each time: one recording serves every split.
    let mut client = open();
    client.send_request(connect());
    let mut server = Server::new(&server_settings(&CipherName::ALL), SERVER_ENTROPY);
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let bytes = client.poll_transmit().unwrap();
        server.handle_bytes(&bytes).unwrap();
        to_server.extend(bytes);
        if matches!(server.poll_event(), Some(ServerEvent::Opened { .. })) {
            server.send_status(&status());
            server.send_event(&change());
        }
        let bytes = server.poll_transmit().unwrap();
        client.handle_bytes(&bytes).unwrap();
        to_client.extend(bytes);
    }
    let expected = [
        ClientEvent::Authorised {
            cipher: CipherName::Aes256Ctr,
        },
        ClientEvent::Status(Box::new(status())),
        ClientEvent::Event(change()),
    ];
    for at in 0..=to_client.len() {
        let mut client = open();
        client.handle_bytes(&to_client[..at]).unwrap();
        client.handle_bytes(&to_client[at..]).unwrap();
        let told: Vec<_> = std::iter::from_fn(|| client.poll_event()).collect();
        assert_eq!(told, expected, "split at {at}");
    }
    for at in 0..=to_server.len() {
        let mut server = Server::new(&server_settings(&CipherName::ALL), SERVER_ENTROPY);
        server.handle_bytes(&to_server[..at]).unwrap();
        server.handle_bytes(&to_server[at..]).unwrap();
        assert_eq!(
            server.poll_event(),
            Some(ServerEvent::Opened {
                request: connect(),
                authorised: true
            }),
            "split at {at}"
        );
    }
}

fn damaged(mut bytes: Vec<u8>, damage: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    let length = bytes.len();
    for (at, byte) in damage.iter().take_while(|_| length > 0) {
        bytes[at.index(length)] = *byte;
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 2))]

    #[test]
    fn a_damaged_dialogue_does_no_harm(
        to_server in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2),
        to_client in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        let mut client = Client::new(&settings(), MONITOR, CLIENT_ENTROPY);
        let mut server = Server::new(&server_settings(&[CipherName::Rc4]), SERVER_ENTROPY);
        for _ in 0..3 {
            let bytes = client.poll_transmit().unwrap_or_default();
            if server.handle_bytes(&damaged(bytes, &to_server)).is_err() {
                break;
            }
            let bytes = server.poll_transmit().unwrap_or_default();
            if client.handle_bytes(&damaged(bytes, &to_client)).is_err() {
                break;
            }
        }
        let _ = client.handle_close();
    }
}
