//! Accepts connections and serves them, on a thread and a runtime of its own.
//!
//! A client that is slow, silent or many holds up nobody but itself. What is answered is the
//! business of the other files.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::asker::User;
use super::office::Office;
use super::patient::Patient;
use super::{ApiError, Listening, Port, Socket, routes, tcp};

/// So many connections are served at once; the others wait in the queue of the socket.
pub(super) const CONNECTIONS_MAX: usize = 64;

/// A request has to arrive, and an idle connection to say something, within this time.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// As [`HEADER_TIMEOUT`], for what follows the headers.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a request line and its headers may fill.
const HEADER_LIMIT: usize = 16 * 1024;

/// What is being answered when the daemon stops may take so long.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);

/// A pause before accepting again when the system had no descriptor left.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the port, over TCP as well if that was bound, until it is told to stop, or the future is
/// dropped.
pub async fn serve(
    socket: Socket,
    tcp: Option<Listening>,
    port: Port,
    stop: watch::Receiver<bool>,
) -> Result<(), ApiError> {
    let (done, ended) = oneshot::channel();
    // Dropped with this future, which tells the thread.
    let (_wanted, unwanted) = oneshot::channel::<()>();
    thread::Builder::new()
        .name("api".to_owned())
        .spawn(move || {
            // Nobody listens if the future was dropped.
            let _ = done.send(run(&socket, tcp, port, stop, unwanted));
        })
        .map_err(ApiError::Thread)?;
    ended.await.unwrap_or(Err(ApiError::Broke))
}

fn run(
    socket: &Socket,
    tcp: Option<Listening>,
    port: Port,
    stop: watch::Receiver<bool>,
    unwanted: oneshot::Receiver<()>,
) -> Result<(), ApiError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ApiError::Thread)?;
    runtime.block_on(async {
        let listener = socket.listener.try_clone().map_err(ApiError::Thread)?;
        let listener = UnixListener::from_std(listener).map_err(ApiError::Thread)?;
        tokio::select! {
            () = accept(&listener, tcp, port, stop) => (),
            _ = unwanted => (),
        }
        Ok(())
    })
}

async fn accept(
    listener: &UnixListener,
    tcp: Option<Listening>,
    port: Port,
    mut stop: watch::Receiver<bool>,
) {
    let tokens = port.tokens.clone();
    let office = Arc::new(Office::new(port, stop.clone()));
    let router = routes::router(office.clone());
    let mut looking = JoinSet::new();
    looking.spawn(async move { office.keep_looking().await });
    let mut beside = JoinSet::new();
    if let Some(listening) = tcp {
        let (router, stop) = (router.clone(), stop.clone());
        beside.spawn(tcp::accept(listening, router, tokens, stop));
    }
    let mut connections = JoinSet::new();
    let until_stop = stop.clone();
    let mut stopped = std::pin::pin!(stop.wait_for(|stop| *stop));
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => (),
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => {
                    let router = match user(&stream) {
                        Some(user) => router.clone().layer(Extension(user)),
                        None => routes::closed_door(),
                    };
                    connections.spawn(converse(stream, router, until_stop.clone()));
                }
                Err(error) => {
                    warn!("cannot accept a connection at the daemon's socket: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    let ended = timeout(GOODBYE, async {
        while connections.join_next().await.is_some() {}
        while beside.join_next().await.is_some() {}
    });
    // What is still being said is cut off.
    let _ = ended.await;
}

/// Returns who connected, if that is the user we run as, or root.
///
/// The mode of the socket says so too, unless somebody changed it.
fn user(stream: &UnixStream) -> Option<User> {
    let ours = rustix::process::geteuid().as_raw();
    let uid = stream.peer_cred().ok()?.uid();
    (uid == ours || uid == 0).then_some(User::Local(uid))
}

/// Serves one connection.
pub(super) async fn converse<S>(stream: S, router: Router, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_LIMIT)
        .serve_connection(
            TokioIo::new(Patient::new(stream)),
            TowerToHyperService::new(router),
        );
    let mut connection = std::pin::pin!(connection);
    // What goes wrong on the way is the client's affair, and it knows.
    tokio::select! {
        _ = &mut connection => return,
        _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
