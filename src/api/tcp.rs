//! The port over TCP: bound before anything runs, guarded at every request.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::Arc;

use axum::{Router, middleware};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::ApiError;
use super::access::{TcpSettings, Token};
use super::guard::{Guard, guard};
use super::server::{ACCEPT_PAUSE, CONNECTIONS_MAX, GOODBYE, HEADER_TIMEOUT, converse};
use crate::telemetry::chain;
use crate::transport::{Renewal, Renewed, Stream, TlsServer, TlsServerSettings};

/// A bound port.
#[derive(Debug)]
pub struct Listening {
    listener: StdListener,
    tls: Option<Renewed<TlsServerSettings, TlsServer>>,
    settings: Arc<TcpSettings>,
}

impl Listening {
    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        let address = self.listener.local_addr();
        address.unwrap_or(self.settings.listen)
    }
}

/// Binds the port, and reads what it shows over TLS.
pub fn listen(settings: TcpSettings) -> Result<Listening, ApiError> {
    let fail = |source| ApiError::Listen {
        address: settings.listen,
        source,
    };
    let tls = settings.tls.clone().map(Renewed::server).transpose();
    let tls = tls.map_err(|source| ApiError::Tls(Box::new(source)))?;
    let listener = StdListener::bind(settings.listen).map_err(fail)?;
    listener.set_nonblocking(true).map_err(fail)?;
    Ok(Listening {
        listener,
        tls,
        settings: Arc::new(settings),
    })
}

/// Accepts connections until it is told to stop.
pub(super) async fn accept(
    listening: Listening,
    router: Router,
    tokens: watch::Receiver<Arc<[Token]>>,
    mut stop: watch::Receiver<bool>,
) {
    let listener = match TcpListener::from_std(listening.listener) {
        Ok(it) => it,
        Err(error) => return warn!("cannot serve the API over TCP: {error}"),
    };
    let (mut tls, settings) = (listening.tls, listening.settings);
    let mut connections = JoinSet::new();
    let until_stop = stop.clone();
    let mut stopped = pin!(async move {
        // Whoever would say so is gone, or has said so.
        let _ = stop.wait_for(|stop| *stop).await;
    });
    loop {
        let accepted = tokio::select! {
            () = &mut stopped => break,
            Some(_) = connections.join_next() => continue,
            it = listener.accept(), if connections.len() < CONNECTIONS_MAX => it,
        };
        match accepted {
            Ok((stream, peer)) => {
                let guard = Guard {
                    settings: settings.clone(),
                    tokens: tokens.clone(),
                    certificate: None,
                    // Somebody who is let through to loopback may well be elsewhere.
                    is_local: peer.ip().is_loopback() && settings.listen.ip().is_loopback(),
                };
                let tls = tls.as_mut().map(shown);
                connections.spawn(serve(
                    stream,
                    tls,
                    guard,
                    router.clone(),
                    until_stop.clone(),
                ));
            }
            Err(error) => {
                warn!("cannot accept a connection over TCP: {error}");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Returns what the next connection is shown: the files may have been renewed.
fn shown(tls: &mut Renewed<TlsServerSettings, TlsServer>) -> TlsServer {
    let (server, renewal) = tls.get();
    match renewal {
        Renewal::Done => info!("the files for TLS of the API have changed and were read again"),
        Renewal::Failed(error) => warn!(
            "the files for TLS of the API have changed and cannot be used: {}",
            chain(&error)
        ),
        Renewal::None => (),
    }
    server
}

/// Serves one connection, as long as the tokens are those with which it began.
async fn serve(
    stream: TcpStream,
    tls: Option<TlsServer>,
    mut guarding: Guard,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let stream = match tls {
        None => Stream::Plain(stream),
        Some(tls) => match timeout(HEADER_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            // Whoever it is knows: their certificate was refused, or they speak no TLS.
            Ok(Err(error)) => return debug!("a client of the API: {}", chain(&error)),
            Err(_) => return,
        },
    };
    guarding.certificate = stream.certificate().map(Into::into);
    let mut tokens = guarding.tokens.clone();
    tokens.mark_unchanged();
    let router = router.layer(middleware::from_fn_with_state(guarding, guard));
    let (end, ended) = watch::channel(false);
    let mut conversation = pin!(converse(stream, router, ended));
    tokio::select! {
        () = &mut conversation => return,
        _ = async { stop.wait_for(|stop| *stop).await.is_ok() } => (),
        // Somebody who follows something may not be let in any more.
        Ok(()) = tokens.changed() => (),
    }
    end.send_replace(true);
    // What is still being said is cut off.
    let _ = timeout(GOODBYE, conversation).await;
}
