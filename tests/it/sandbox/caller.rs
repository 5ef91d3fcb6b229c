//! A client of the sandbox: our own half of the protocol on a socket.

use std::net::SocketAddrV4;
use std::time::Duration;

use dbwarden::nuodb::client::{Client, ClientError, ClientEvent, Credentials, Settings};
use dbwarden::nuodb::message::{Element, Event, ProcessElement, Request, Status, Style};
use dbwarden::nuodb::srp::{Agreement, Password};
use dbwarden::transport::{Stream, TlsClient, dial};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// What takes longer than this does not happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One session with one peer.
pub(crate) struct Caller {
    client: Client,
    stream: Stream,
}

fn settings(password: &str, inside_tls: bool) -> Settings {
    Settings {
        credentials: Credentials {
            user: "domain".to_owned(),
            password: Password::new(password.to_owned()),
        },
        inside_tls,
        allow_legacy_ciphers: false,
        frame_limit: 1 << 20,
        agreement: Agreement::default(),
    }
}

impl Caller {
    pub(crate) async fn open(address: SocketAddrV4, request: Request) -> Self {
        let stream = connect(address, None).await;
        Self::open_on(stream, "bird", request)
    }

    pub(crate) fn open_on(stream: Stream, password: &str, request: Request) -> Self {
        let mut entropy = [0; 32];
        getrandom::fill(&mut entropy).unwrap();
        let settings = settings(password, stream.is_tls());
        let mut client = Client::new(&settings, &request.service, entropy);
        client.send_request(request);
        Self { client, stream }
    }

    /// Watches the domain, and returns what it is like at first.
    pub(crate) async fn monitor(address: SocketAddrV4) -> (Self, Status) {
        let mut caller = Self::open(address, Request::new("Monitor", Style::Connect)).await;
        let first = caller.next().await.unwrap();
        let ClientEvent::Status(status) = first else {
            panic!("a Monitor session begins with {first:?}");
        };
        (caller, *status)
    }

    pub(crate) async fn send(&mut self, document: &Element) {
        self.client.send(document);
        self.transmit().await;
    }

    /// Returns the next thing the client learns, other than that it is let in.
    pub(crate) async fn next(&mut self) -> Result<ClientEvent, ClientError> {
        let mut buffer = [0; 4_096];
        loop {
            self.transmit().await;
            while let Some(event) = self.client.poll_event() {
                if !matches!(event, ClientEvent::Authorised { .. }) {
                    return Ok(event);
                }
            }
            let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await;
            match read.expect("the peer says nothing") {
                Ok(length @ 1..) => self.client.handle_bytes(&buffer[..length])?,
                Ok(0) | Err(_) => self.client.handle_close()?,
            }
        }
    }

    pub(crate) async fn event(&mut self) -> Event {
        let next = self.next().await.unwrap();
        let ClientEvent::Event(event) = next else {
            panic!("no event: {next:?}");
        };
        event
    }

    /// Returns the next event in short, with a process by its pid.
    pub(crate) async fn heard(&mut self) -> String {
        short(&self.event().await)
    }

    /// Returns whether the session ends without another word.
    pub(crate) async fn is_cut(&mut self) -> bool {
        matches!(self.next().await, Err(ClientError::Closed { .. }))
    }

    async fn transmit(&mut self) {
        while let Some(bytes) = self.client.poll_transmit() {
            // The peer may have closed; reading tells.
            let _ = self.stream.write_all(&bytes).await;
            let _ = self.stream.flush().await;
        }
    }
}

pub(crate) fn short(event: &Event) -> String {
    match event {
        Event::BrokerExit(it) => format!("BrokerExit {}", it.port.unwrap()),
        Event::NewBroker(it) => format!("NewBroker {}", it.port.unwrap()),
        Event::NewProcess(it) => format!("NewProcess {}", it.pid),
        Event::ProcessExit(it) => format!("ProcessExit {}", it.pid),
        Event::ProcessFailed { reason, .. } => format!("ProcessFailed {reason}"),
        Event::StatusChanged { status, process } => format!("{status} {}", process.pid),
        Event::Unknown(kind) => format!("{kind}?"),
    }
}

pub(crate) async fn connect(address: SocketAddrV4, tls: Option<&TlsClient>) -> Stream {
    let dialled = dial("127.0.0.1", address.port(), tls, PATIENCE).await;
    dialled.unwrap()
}

/// Asks for one thing and returns the answer.
pub(crate) async fn ask(address: SocketAddrV4, request: Request) -> Result<Element, ClientError> {
    let next = Caller::open(address, request).await.next().await?;
    let ClientEvent::Response(element) = next else {
        panic!("no answer: {next:?}");
    };
    Ok(element)
}

/// Starts an engine and returns the id of the start.
pub(crate) async fn start(address: SocketAddrV4, options: &[(&str, &str)]) -> String {
    let request = Request::new("ProcessStart", Style::Request).with("Process", "server");
    let request = options.iter().fold(request, |request, (name, value)| {
        let option = Element::new("Option").with("option", *name);
        let option = if value.is_empty() {
            option
        } else {
            option.with("value", *value)
        };
        request.child(option)
    });
    let reply = ask(address, request).await.unwrap();
    reply.attribute("StartId").unwrap().to_owned()
}

/// Kills an engine and returns its exit code.
pub(crate) async fn kill(address: SocketAddrV4, pid: u32) -> String {
    let request = Request::new("ProcessStop", Style::Request).with("PID", pid.to_string());
    let reply = ask(address, request).await.unwrap();
    reply.attribute("ExitCode").unwrap().to_owned()
}

/// Returns what asks an engine to end by itself.
pub(crate) fn shutdown(process: &ProcessElement) -> Element {
    Element::new("ManagementRequest")
        .with("AgentId", &*process.agent_id)
        .with("ProcessId", process.pid.to_string())
        .child(
            Element::new("Request")
                .with("Service", "Admin")
                .with("Type", "Shutdown")
                .with("WaitTime", "0"),
        )
}
