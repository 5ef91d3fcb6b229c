//! The operator's port: HTTP and JSON over a Unix socket, on a thread and a runtime of its own.
//!
//! It shows what the wardens know and passes on what people ask of them. It decides nothing, and no
//! GET changes anything.

mod access;
mod asker;
mod description;
mod events;
mod guard;
mod health;
mod letters;
mod lines;
mod me;
mod metrics;
mod office;
mod page;
mod patient;
mod people;
mod port;
mod record;
mod refusal;
mod routes;
mod server;
mod settings;
mod show;
mod socket;
mod strands;
mod tcp;
mod telling;
mod why;
mod wishes;
mod words;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

use crate::transport::TransportError;

pub use access::{Role, TcpSettings, Token};
pub use port::{ConfigState, DaemonPort, DomainPort, Errand, Now, Permits, Port};
pub use server::serve;
pub use socket::{Socket, bind};
pub use tcp::{Listening, listen};

/// Why there is no operator's port.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ApiError {
    /// The socket cannot be made.
    #[error(
        "cannot bind the daemon's socket {path}; set `socket` in [daemon] to a path whose \
        directory is ours"
    )]
    Bind {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The port ended by itself.
    #[error("the thread of the daemon's socket broke")]
    Broke,
    /// The port over TCP cannot be had.
    #[error("cannot listen at {address}; set another `listen` in [api]")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody answers at that socket.
    #[error("another daemon answers at {path}; stop it, or set another `socket` in [daemon]")]
    Occupied {
        /// Where.
        path: PathBuf,
    },
    /// Something that is no socket lies in its place.
    #[error(
        "{path} is in the way of the daemon's socket and is no socket; remove it, or set \
        another `socket` in [daemon]"
    )]
    Strange {
        /// Where.
        path: PathBuf,
    },
    /// What is shown over TLS cannot be used.
    #[error("cannot serve the API over TLS; see `tls` in [api]")]
    Tls(#[source] Box<TransportError>),
    /// The port cannot run.
    #[error("cannot start the thread of the daemon's socket")]
    Thread(#[source] io::Error),
}
