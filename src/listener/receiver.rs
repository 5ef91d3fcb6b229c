//! An HTTP server for tests, which does what its script says and writes down what it is told.
//!
//! It is written by hand on a socket, since it must also do what no server should.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Listener, ListenerError, Reply};
use crate::event::Recorded;

/// What the server does with one call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// Closes the connection without a word.
    Close,
    /// Says nothing, ever.
    Hang,
    /// Says this, head and body.
    Say(&'static str),
    /// Says this and closes, whatever length it has promised.
    Tear(&'static str),
}

/// A plain yes.
pub(super) const OK: Answer = Answer::Say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");

/// What the server was told in one call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) head: String,
    pub(super) body: String,
}

impl Call {
    /// Returns the value of a header, of which the name is in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1);
        lines.find_map(|it| {
            let (found, value) = it.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// A server that runs until it is dropped. When the script ends it takes everything.
pub(super) struct Receiver {
    address: String,
    calls: watch::Receiver<Vec<Call>>,
    _server: JoinSet<()>,
}

impl Receiver {
    pub(super) async fn start(script: &[Answer]) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", socket.local_addr().unwrap());
        let (told, calls) = watch::channel(Vec::new());
        let script: VecDeque<Answer> = script.iter().copied().collect();
        let script = Arc::new(Mutex::new(script));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = socket.accept().await.unwrap();
                connections.spawn(serve(stream, Arc::clone(&script), told.clone()));
            }
        });
        Self {
            address,
            calls,
            _server: server,
        }
    }

    /// Returns where it is, without a path.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Returns what it was told by now.
    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.borrow().clone()
    }
}

/// Serves one connection until it is closed, or for ever if it hangs.
async fn serve(
    mut stream: TcpStream,
    script: Arc<Mutex<VecDeque<Answer>>>,
    told: watch::Sender<Vec<Call>>,
) {
    while let Some(call) = read(&mut stream).await {
        told.send_modify(|it| it.push(call));
        let next = script.lock().unwrap().pop_front().unwrap_or(OK);
        if !answer(&mut stream, next).await {
            return;
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Call> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let mut call = Call {
                head,
                body: String::new(),
            };
            let length: usize = call.header("content-length")?.parse().unwrap();
            if bytes.len() >= end + 4 + length {
                call.body = String::from_utf8(bytes[end + 4..][..length].to_vec()).unwrap();
                return Some(call);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// Returns whether the connection goes on.
async fn answer(stream: &mut TcpStream, answer: Answer) -> bool {
    match answer {
        Answer::Close => drop(stream.shutdown().await),
        Answer::Hang => std::future::pending().await,
        Answer::Say(text) => return stream.write_all(text.as_bytes()).await.is_ok(),
        Answer::Tear(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    }
    false
}

/// Tells a listener one event, at its first attempt.
pub(super) async fn tell(
    listener: &mut impl Listener,
    event: &Recorded,
) -> Result<Reply, ListenerError> {
    let delivery = super::Delivery {
        event,
        attempt: 1,
        rest: &[],
    };
    listener.notify(delivery).await
}
