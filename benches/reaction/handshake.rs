//! How long it takes until an agent lets us in, over a socket.

use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use dbwarden::nuodb::client::{Client, ClientEvent, Credentials, Settings as ClientSettings};
use dbwarden::nuodb::message::{Request, Style};
use dbwarden::nuodb::srp::{Agreement, Password};
use dbwarden::sandbox::serve::{Sandbox, Settings};
use dbwarden::transport::{Stream, dial};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{ROUNDS, runtime};

const PATIENCE: Duration = Duration::from_secs(20);

/// Returns how long each of many took.
pub(crate) fn measure() -> Vec<Duration> {
    runtime().block_on(async {
        let settings = Settings {
            peers: 1,
            brokers: 1,
            ..Settings::default()
        };
        let sandbox = Sandbox::start(settings).await.expect("it starts");
        let mut times = Vec::new();
        for round in 0..ROUNDS {
            #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
            let begin = Instant::now();
            let stream = log_in(sandbox.peers()[0].address, round).await;
            times.push(begin.elapsed());
            drop(stream);
        }
        sandbox.stop().await;
        times
    })
}

/// Dials, and goes through the handshake.
async fn log_in(address: SocketAddrV4, round: u32) -> Stream {
    let dialled = dial("127.0.0.1", address.port(), None, PATIENCE).await;
    let mut stream = dialled.expect("it listens");
    let settings = ClientSettings {
        credentials: Credentials {
            user: "domain".to_owned(),
            password: Password::new("bird".to_owned()),
        },
        inside_tls: false,
        allow_legacy_ciphers: false,
        frame_limit: 1 << 20,
        agreement: Agreement::default(),
    };
    let mut entropy = [5; 32];
    entropy[..4].copy_from_slice(&round.to_be_bytes());
    let request = Request::new("ProcessStart", Style::Request);
    let mut client = Client::new(&settings, &request.service, entropy);
    let mut buffer = [0; 4_096];
    loop {
        while let Some(bytes) = client.poll_transmit() {
            stream.write_all(&bytes).await.expect("it reads");
        }
        while let Some(event) = client.poll_event() {
            if let ClientEvent::Authorised { .. } = event {
                return stream;
            }
        }
        let length = stream.read(&mut buffer).await.expect("it answers");
        let read = client.handle_bytes(&buffer[..length]);
        read.expect("the handshake goes on");
    }
}
