//! The client of a running daemon: how the commands that talk to one reach it, and what they say
//! when they cannot.
//!
//! It knows no address but those it is given; what an answer means is each command's business.

use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::http::{Method, Request, Response, StatusCode};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Exit;
use super::domain::patiently;
use crate::telemetry::chain;

/// A daemon that says nothing for so long does not work.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// While its queue is full a daemon is asked again after this pause, so many times.
const QUEUE_PAUSE: Duration = Duration::from_millis(20);
const QUEUE_TRIES: u32 = 1_500;

/// An answer as a whole, or a line of one, is not longer.
const ANSWER_LIMIT: usize = 1 << 30;

/// Where a daemon listens unless its configuration says otherwise.
pub(super) const SOCKET: &str = "/run/dbwarden/dbwarden.sock";

/// Where the daemon is.
#[derive(Debug, clap::Args)]
pub(super) struct SocketArgs {
    /// The daemon's socket
    #[arg(
        long,
        value_name = "PATH",
        env = "DBWARDEN_SOCKET",
        default_value = SOCKET
    )]
    pub(super) socket: PathBuf,
}

/// Why a command did not work out.
#[derive(Debug)]
pub(super) enum Failure {
    /// The daemon does not let us.
    Denied(String),
    /// The daemon does not answer, or not any more.
    Gone(String),
    /// What was asked about is not as it should be, and was shown.
    NotMet,
    /// What answers is no daemon of ours.
    Protocol(String),
    /// It was refused.
    Refused(String),
    /// Nobody reads what we say, or there is no runtime.
    System(io::Error),
    /// What was said on the command line.
    Usage(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// How the daemon says no.
#[derive(Debug, Deserialize)]
struct Refusal {
    attempted: String,
    problem: String,
    #[serde(default)]
    advice: String,
}

/// A connection to the daemon.
#[derive(Debug)]
pub(super) struct Client {
    sender: SendRequest<Body>,
    _connection: JoinSet<()>,
}

/// Runs a command that talks to the daemon, and tells why it did not work out.
pub(super) fn talk(
    args: &SocketArgs,
    work: impl AsyncFnOnce(&mut Client) -> Result<(), Failure>,
) -> Exit {
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::System)
        .and_then(|runtime| {
            runtime.block_on(async {
                let mut client = Client::connect(&args.socket).await?;
                work(&mut client).await
            })
        });
    done.map_or_else(Failure::tell, |()| Exit::Fine)
}

impl Failure {
    /// Returns what went wrong, as a sentence.
    pub(super) fn says(self) -> String {
        match self {
            Self::Denied(text)
            | Self::Gone(text)
            | Self::Protocol(text)
            | Self::Refused(text)
            | Self::Usage(text) => text,
            Self::NotMet => "it is not as it should be".to_owned(),
            Self::System(error) => chain(&error),
        }
    }

    /// Says what went wrong, and returns how to end.
    pub(super) fn tell(self) -> Exit {
        let (exit, text) = match self {
            Self::Denied(text) => (Exit::Denied, text),
            Self::Gone(text) => (Exit::Unavailable, text),
            Self::NotMet => return Exit::NotMet,
            Self::Protocol(text) => (Exit::Protocol, text),
            Self::Refused(text) => (Exit::Failed, text),
            // Whoever read our answer has seen enough.
            Self::System(error) if error.kind() == io::ErrorKind::BrokenPipe => return Exit::Fine,
            Self::System(error) => (Exit::Failed, chain(&error)),
            Self::Usage(text) => (Exit::Usage, text),
        };
        // Some of it may be others' words, which shall not play with the terminal.
        let text = text.replace(char::is_control, " ");
        // A closed terminal is no reason to end with another code.
        let _ = writeln!(io::stderr().lock(), "dbwarden: {text}");
        exit
    }
}

impl Client {
    pub(super) async fn connect(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let stream = patiently(&format!("connecting to {shown}"), dial(path))
            .await
            .map_err(|error| unreached(path, &error))?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|it| gone(&it))?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // Whoever waits for an answer is told.
            let _ = connection.await;
        });
        Ok(Self {
            sender,
            _connection: tasks,
        })
    }

    /// Asks, and returns the answer as it came.
    pub(super) async fn get(&mut self, address: &str) -> Result<Bytes, Failure> {
        self.whole(Method::GET, address, Body::empty()).await
    }

    /// Asks, and returns the answer.
    pub(super) async fn get_json(&mut self, address: &str) -> Result<Value, Failure> {
        read(&self.get(address).await?)
    }

    /// Has something done, and returns the answer as it came.
    pub(super) async fn post(&mut self, address: &str, body: &Value) -> Result<Bytes, Failure> {
        let body = Body::from(body.to_string());
        self.whole(Method::POST, address, body).await
    }

    async fn whole(&mut self, method: Method, address: &str, body: Body) -> Result<Bytes, Failure> {
        let answered = patiently("waiting for the daemon", async {
            let response = self.send(method, address, body).await?;
            let body = to_bytes(response.into_body(), ANSWER_LIMIT).await;
            body.map_err(|it| gone(&it))
        });
        timeout(ANSWER_TIMEOUT, answered)
            .await
            .unwrap_or_else(|_| Err(silent()))
    }

    /// Asks for an answer that comes line by line; `line` gets each without its line feed.
    pub(super) async fn lines(
        &mut self,
        address: &str,
        mut line: impl FnMut(&str) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let response = self.send(Method::GET, address, Body::empty()).await?;
        let mut body = response.into_body();
        let mut rest = Vec::new();
        loop {
            let frame = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context));
            let Some(frame) = frame.await else {
                return if rest.is_empty() {
                    Ok(())
                } else {
                    Err(Failure::Gone(
                        "the daemon ended in the middle of a line".into(),
                    ))
                };
            };
            let Ok(piece) = frame.map_err(|it| gone(&it))?.into_data() else {
                continue;
            };
            rest.extend_from_slice(&piece);
            let Some(end) = rest.iter().rposition(|it| *it == b'\n') else {
                continue;
            };
            let whole: Vec<u8> = rest.drain(..=end).collect();
            for it in String::from_utf8_lossy(&whole).lines() {
                line(it)?;
            }
        }
    }

    /// Returns the domain that is meant: the named one, or the only one there is.
    pub(super) async fn domain(&mut self, wanted: Option<&str>) -> Result<String, Failure> {
        if let Some(name) = wanted {
            return Ok(name.to_owned());
        }
        let domains = self.get_json("/api/v1/domains").await?;
        let names: Vec<&str> = domains
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|it| it["domain"].as_str())
            .collect();
        match names[..] {
            [only] => Ok(only.to_owned()),
            [] => Err(Failure::Refused("the daemon watches no domain".into())),
            _ => Err(Failure::Usage(format!(
                "say which --domain is meant: there is {}",
                names.join(", ")
            ))),
        }
    }

    async fn send(
        &mut self,
        method: Method,
        address: &str,
        body: Body,
    ) -> Result<Response<Body>, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(address)
            .header("host", "dbwarden")
            .header("content-type", "application/json");
        if let Ok(listener) = std::env::var("DBWARDEN_LISTENER") {
            request = request.header("dbwarden-listener", listener);
        }
        let request = request
            .body(body)
            .map_err(|error| Failure::Usage(format!("cannot ask for `{address}`: {error}")))?;
        let sent = timeout(ANSWER_TIMEOUT, self.sender.send_request(request));
        let response = sent.await.map_err(|_| silent())?.map_err(|it| gone(&it))?;
        let response = response.map(Body::new);
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refused(response).await)
    }
}

/// Returns why the daemon is not reached: what was tried, where, and what to do.
fn unreached(path: &Path, error: &io::Error) -> Failure {
    let text = format!("cannot reach the daemon at {}: {error}", path.display());
    let is = |kind| error.kind() == kind;
    if is(io::ErrorKind::PermissionDenied) {
        let owner = owner(path).map_or_else(String::new, |it| format!(", {it},"));
        let advice = format!("ask as the user it runs as{owner} or as root");
        return Failure::Denied(format!("{text}; {advice}"));
    }
    let advice = if is(io::ErrorKind::NotFound) {
        "is it running? `systemctl status dbwarden` says; if its configuration has another \
         `socket`, say which with --socket or DBWARDEN_SOCKET"
    } else if is(io::ErrorKind::ConnectionRefused) {
        "it ended and left its socket behind: `journalctl -u dbwarden` says why, `systemctl start \
         dbwarden` starts it"
    } else {
        "is it running? --socket or DBWARDEN_SOCKET say where"
    };
    Failure::Gone(format!("{text}; {advice}"))
}

/// Returns the number of the user whom a socket belongs to, if we may know.
fn owner(path: &Path) -> Option<String> {
    let uid = std::fs::metadata(path).ok()?.uid();
    Some(format!("number {uid}"))
}

/// Connects, and waits for a place in the queue if it is full.
async fn dial(path: &Path) -> io::Result<UnixStream> {
    let mut tries = 1;
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && tries < QUEUE_TRIES => {
                tries += 1;
                sleep(QUEUE_PAUSE).await;
            }
            other => return other,
        }
    }
}

/// Returns why the daemon said no.
async fn refused(response: Response<Body>) -> Failure {
    let status = response.status();
    let body = match timeout(ANSWER_TIMEOUT, to_bytes(response.into_body(), ANSWER_LIMIT)).await {
        Ok(Ok(it)) => it,
        Ok(Err(error)) => return gone(&error),
        Err(_) => return silent(),
    };
    let Ok(refusal) = serde_json::from_slice::<Refusal>(&body) else {
        let text = format!("what answers at the socket is no dbwarden: it says {status}");
        return Failure::Protocol(text);
    };
    let mut text = format!("cannot {}: {}", refusal.attempted, refusal.problem);
    if !refusal.advice.is_empty() {
        text = format!("{text}; {}", refusal.advice);
    }
    match status {
        StatusCode::BAD_REQUEST => Failure::Usage(text),
        StatusCode::FORBIDDEN => Failure::Denied(text),
        StatusCode::REQUEST_TIMEOUT | StatusCode::SERVICE_UNAVAILABLE => Failure::Gone(text),
        _ => Failure::Refused(text),
    }
}

fn gone(error: &dyn std::error::Error) -> Failure {
    Failure::Gone(format!(
        "the daemon does not answer any more: {}",
        chain(error)
    ))
}

fn silent() -> Failure {
    Failure::Gone(format!(
        "the daemon did not answer within {} s; look at its log",
        ANSWER_TIMEOUT.as_secs()
    ))
}

/// Reads an answer.
pub(super) fn read(body: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(body)
        .map_err(|error| Failure::Protocol(format!("the daemon's answer does not read: {error}")))
}

/// Writes lines of an answer.
pub(super) fn say<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    for line in lines {
        writeln!(stdout, "{}", line.as_ref())?;
    }
    stdout.flush()?;
    Ok(())
}

/// Writes an answer as it came.
pub(super) fn say_raw(body: &[u8]) -> Result<(), Failure> {
    say([String::from_utf8_lossy(body)])
}

/// Returns the text as a part of an address.
pub(super) fn encode(text: &str) -> String {
    let encoded = text.bytes().map(|byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    encoded.collect()
}
