//! The operator's port: HTTP and JSON over a Unix socket, on a thread and a runtime of its own.
//!
//! It shows what the wardens know and passes on what people ask of them. It decides nothing, and no
//! GET changes anything.

mod asker;
mod description;
mod events;
mod health;
mod letters;
mod lines;
mod metrics;
mod office;
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
mod telling;
mod why;
mod wishes;
mod words;

use std::io;
use std::path::PathBuf;

use thiserror::Error;

pub use port::{ConfigState, DaemonPort, DomainPort, Errand, Now, Permits, Port};
pub use server::serve;
pub use socket::{Socket, bind};

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
    /// The port cannot run.
    #[error("cannot start the thread of the daemon's socket")]
    Thread(#[source] io::Error),
}
