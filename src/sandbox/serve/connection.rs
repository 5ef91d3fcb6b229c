//! One connection of a client to a peer.
//!
//! It moves documents between the socket and the world, as fast as the peer's link lets it. What
//! is answered is the world's business.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::clock::Clock;
use super::stage::Happening;
use crate::nuodb::message::{Element, Event, Status};
use crate::nuodb::server::{Server, ServerEvent, ServerSettings};
use crate::sandbox::world::{Input, PeerNumber, SessionId};
use crate::transport::{Stream, TlsServer};

/// How long a client may take to log in and to ask.
const ASK_WITHIN: Duration = Duration::from_secs(60);

/// How long a client may take to close after its answer.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// How long what a client still sends is read after we have closed: a socket that is closed with
/// something unread takes the last answer with it.
const DRAIN_FOR: Duration = Duration::from_secs(1);

/// How much is read at once.
const READ_SIZE: usize = 16 * 1_024;

/// How a peer's clients are served at present.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Link {
    pub(super) muted: bool,
    pub(super) delay: Duration,
}

/// What is to be sent to a client, or done about it.
#[derive(Debug)]
pub(super) enum Outgoing {
    Close,
    Done,
    Event(Event),
    Reply(Element),
    Status(Box<Status>),
}

/// What all connections have in common.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) server: ServerSettings,
    pub(super) tls: Option<TlsServer>,
    pub(super) clock: Clock,
    pub(super) stage: mpsc::Sender<Happening>,
    /// How many clients began to log in.
    pub(super) logins: AtomicU64,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) session: SessionId,
    pub(super) peer: PeerNumber,
    pub(super) link: watch::Receiver<Link>,
    pub(super) outgoing: mpsc::Receiver<Outgoing>,
    pub(super) context: Arc<Context>,
}

impl Connection {
    /// Serves the client until either side has enough, or until `cut` resolves.
    pub(super) async fn run(mut self, socket: TcpStream, cut: oneshot::Receiver<()>) {
        tokio::select! {
            _ = cut => (),
            // Clients close as they like; there is nobody to tell.
            _ = self.converse(socket) => (),
        }
        let session = self.session;
        self.tell(Input::Closed { session }).await;
    }

    async fn converse(&mut self, socket: TcpStream) -> io::Result<()> {
        let context = self.context.clone();
        socket.set_nodelay(true)?;
        self.unmuted().await;
        let mut stream = match &context.tls {
            Some(tls) => timeout(ASK_WITHIN, tls.accept(socket))
                .await?
                .map_err(io::Error::other)?,
            None => Stream::Plain(socket),
        };
        let mut entropy = [0; 80];
        getrandom::fill(&mut entropy).map_err(io::Error::other)?;
        let mut server = Server::new(&context.server, entropy);
        let mut buffer = vec![0; READ_SIZE];
        let mut deadline = Some(context.clock.after(ASK_WITHIN));
        let (mut is_over, mut is_counted) = (false, false);
        while !is_over {
            tokio::select! {
                read = stream.read(&mut buffer) => {
                    let length = read?;
                    if length == 0 {
                        return Ok(());
                    }
                    self.unmuted().await;
                    is_over = server.handle_bytes(&buffer[..length]).is_err();
                    if server.is_logging_in() && !std::mem::replace(&mut is_counted, true) {
                        context.logins.fetch_add(1, Ordering::Relaxed);
                    }
                    while let Some(event) = server.poll_event() {
                        is_over |= self.learn(event, &mut deadline).await;
                    }
                }
                outgoing = self.outgoing.recv() => {
                    let mut next = Some(outgoing.ok_or(io::ErrorKind::ConnectionAborted)?);
                    while let Some(outgoing) = next {
                        is_over |= self.take(outgoing, &mut server, &mut deadline);
                        next = self.outgoing.try_recv().ok();
                    }
                }
                () = expired(deadline) => return Ok(()),
            }
            self.flush(&mut stream, &mut server).await?;
        }
        stream.shutdown().await?;
        timeout(DRAIN_FOR, async {
            while stream.read(&mut buffer).await? > 0 {}
            Ok(())
        })
        .await?
    }

    /// Takes in what the client did, and returns whether that was the end.
    async fn learn(&self, event: ServerEvent, deadline: &mut Option<Instant>) -> bool {
        let (session, peer) = (self.session, self.peer);
        match event {
            ServerEvent::Denied | ServerEvent::Probe => return true,
            ServerEvent::Document(document) => {
                self.tell(Input::Document { session, document }).await;
            }
            ServerEvent::Opened {
                request,
                authorised,
            } => {
                *deadline = None;
                self.tell(Input::Opened {
                    session,
                    peer,
                    request,
                    authorised,
                })
                .await;
            }
        }
        false
    }

    /// Takes in what the world wants, and returns whether that is the end.
    fn take(
        &self,
        outgoing: Outgoing,
        server: &mut Server,
        deadline: &mut Option<Instant>,
    ) -> bool {
        match outgoing {
            Outgoing::Close => return true,
            Outgoing::Done => *deadline = Some(self.context.clock.after(CLOSE_WITHIN)),
            Outgoing::Event(event) => server.send_event(&event),
            Outgoing::Reply(document) => server.send(&document),
            Outgoing::Status(status) => server.send_status(&status),
        }
        false
    }

    async fn flush(&mut self, stream: &mut Stream, server: &mut Server) -> io::Result<()> {
        while let Some(bytes) = server.poll_transmit() {
            self.delayed().await;
            self.unmuted().await;
            stream.write_all(&bytes).await?;
            stream.flush().await?;
        }
        Ok(())
    }

    /// Waits as long as the peer's answers are late, or until they are not any more.
    async fn delayed(&mut self) {
        let clock = self.context.clock;
        let since = clock.now();
        loop {
            let delay = self.link.borrow_and_update().delay;
            if clock.now().since(since) >= delay {
                return;
            }
            tokio::select! {
                () = sleep_until(clock.instant(since + delay)) => (),
                // The link is gone only when the whole sandbox is.
                _ = self.link.changed() => (),
            }
        }
    }

    async fn unmuted(&mut self) {
        // The link is gone only when the whole sandbox is.
        let _ = self.link.wait_for(|it| !it.muted).await;
    }

    async fn tell(&self, input: Input) {
        // The stage is gone only when the whole sandbox is.
        let _ = self.context.stage.send(Happening::Input(input)).await;
    }
}

async fn expired(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
