//! Dials peers and moves bytes, over TCP and TLS.
//!
//! It knows no message, keeps no session, and never tries again: who is dialled when, and what a
//! failure means for the domain, is decided elsewhere. [`TransportError::class`] says which sort
//! of failure it was.

mod error;
mod renewed;
mod secret;
mod stream;
mod tls;

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Sleep, sleep, timeout};

pub use error::{AddressFailure, ConnectFailures, Stage, TransportClass, TransportError};
pub use renewed::{Renewal, Renewed};
pub use secret::{SecretError, read_password, read_secret};
pub use stream::Stream;
pub use tls::{TlsClient, TlsClientSettings, TlsServer, TlsServerSettings};

/// How many addresses of one name are tried; more than that is a mistake in the DNS.
const MAX_ADDRESSES: usize = 8;

/// How long a connection is idle before the kernel asks whether the other side still lives.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
/// How often it then asks again.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
/// How many unanswered questions end the connection.
const KEEPALIVE_RETRIES: u32 = 3;

/// Opens a connection to `host`, over TLS if asked, within `deadline` altogether.
///
/// A name with several addresses has them tried in turn, each for its share of the deadline. The
/// connection sends small writes at once and is kept alive by the kernel.
///
/// With TLS 1.3 a server judges our certificate only after the handshake: its refusal then is the
/// error of the first read, and [`TransportError::from_io`] tells it apart.
///
/// # Errors
///
/// Fails when the name has no address, no address accepts, the TLS handshake fails, or the
/// deadline passes first.
pub async fn dial(
    host: &str,
    port: u16,
    tls: Option<&TlsClient>,
    deadline: Duration,
) -> Result<Stream, TransportError> {
    let endpoint = endpoint(host, port);
    let mut timer = pin!(sleep(deadline));
    let late = |stage| TransportError::TimedOut {
        endpoint: endpoint.clone(),
        stage,
        deadline,
    };
    let addresses = within(timer.as_mut(), resolve(&endpoint, host, port))
        .await
        .ok_or_else(|| late(Stage::Resolve))??;
    let socket = within(timer.as_mut(), connect(&endpoint, &addresses, deadline))
        .await
        .ok_or_else(|| late(Stage::Connect))??;
    let Some(tls) = tls else {
        return Ok(Stream::Plain(socket));
    };
    within(timer.as_mut(), tls.handshake(&endpoint, host, socket))
        .await
        .ok_or_else(|| late(Stage::Handshake))?
}

/// Returns what `work` returns, or nothing if the timer fires first.
async fn within<T>(timer: Pin<&mut Sleep>, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        result = work => Some(result),
        () = timer => None,
    }
}

/// Returns the addresses of `host`, in the order the resolver prefers.
async fn resolve(endpoint: &str, host: &str, port: u16) -> Result<Vec<SocketAddr>, TransportError> {
    let addresses = lookup_host((host, port))
        .await
        .map_err(|source| TransportError::Resolve {
            endpoint: endpoint.to_owned(),
            source,
        })?;
    let addresses: Vec<_> = addresses.take(MAX_ADDRESSES).collect();
    if addresses.is_empty() {
        return Err(TransportError::NoAddress {
            endpoint: endpoint.to_owned(),
        });
    }
    Ok(addresses)
}

/// Connects to the first address that accepts.
async fn connect(
    endpoint: &str,
    addresses: &[SocketAddr],
    deadline: Duration,
) -> Result<TcpStream, TransportError> {
    let count = u32::try_from(addresses.len()).expect("MAX_ADDRESSES is small");
    let share = deadline / count;
    let mut failures = Vec::new();
    for &address in addresses {
        let attempt = timeout(share, TcpStream::connect(address)).await;
        let source = match attempt {
            Ok(Ok(socket)) => match set_up(&socket) {
                Ok(()) => return Ok(socket),
                Err(error) => error,
            },
            Ok(Err(error)) => error,
            Err(_elapsed) => std::io::ErrorKind::TimedOut.into(),
        };
        failures.push(AddressFailure { address, source });
    }
    Err(TransportError::Connect {
        endpoint: endpoint.to_owned(),
        source: ConnectFailures(failures),
    })
}

/// Sets what every connection of ours has: no delay of small writes, and keepalive.
fn set_up(socket: &TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    SockRef::from(socket).set_tcp_keepalive(&keepalive)
}

/// Writes host and port as people do, an IPv6 address in brackets.
fn endpoint(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests;
