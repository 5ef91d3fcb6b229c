//! Carries the pilot of a NuoDB domain over real sockets and real time, and offers a [`Domain`] to
//! programs that want something done in one.
//!
//! Nothing is decided here: whom to dial, what to send and when to give up is the pilot's.

mod connection;
mod domain;
mod trust;

use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::sleep;

use self::connection::{Connections, Happening, What};
pub use self::domain::{Domain, DomainError, Order};
use self::trust::Trust;
use crate::exchange::{ActionId, Deed, Observation, Outcome};
use crate::nuodb::pilot::{Command, ConnectionId, Failure, Input, Pilot, PilotSettings};
use crate::time::Timestamp;
use crate::transport::{TlsClientSettings, TransportError};

/// How many reports may wait for a slow receiver before no more deeds are taken in. Bytes are not
/// taken in as soon as one waits.
const REPORTS_MAX: usize = 4_096;

/// What a driver needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DriverSettings {
    /// How the pilot behaves. Whether it speaks inside of TLS is set by what stands in `tls`.
    pub pilot: PilotSettings,
    /// TLS under every session, if wanted. Its files are read again when they change.
    pub tls: Option<TlsClientSettings>,
}

/// What a driver tells.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Report {
    /// What became of an action.
    Finished {
        /// Which.
        action: ActionId,
        /// What.
        outcome: Outcome,
    },
    /// What was seen.
    Observed(Observation),
}

/// Why a driver cannot go on. No peer can bring that about.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DriverError {
    /// The operating system gives no randomness, without which no session is safe.
    #[error("the operating system gives no randomness")]
    Entropy(#[source] getrandom::Error),
    /// The files for TLS cannot be used.
    #[error("cannot set up TLS")]
    Tls(#[source] TransportError),
}

/// Watches a domain, and does the deeds that arrive, until `deeds` or `reports` is closed.
///
/// All that one read brought is one batch of reports, in order. While a batch waits for room in
/// `reports` nothing more is read, and the peers hold back what they have to tell; deeds and
/// timers go on.
///
/// # Errors
///
/// Fails when the files for TLS cannot be used, or the operating system gives no randomness.
pub async fn run(
    settings: DriverSettings,
    clock: impl Fn() -> Timestamp + Send,
    mut deeds: mpsc::Receiver<Deed>,
    reports: mpsc::Sender<Vec<Report>>,
) -> Result<(), DriverError> {
    let (mut driver, mut happenings) = Driver::new(settings)?;
    loop {
        driver.carry_out(clock());
        // At most a day, as timers are not made for more.
        let pause = driver
            .pilot
            .next_timeout()
            .map_or(Duration::MAX, |at| at.since(clock()))
            .min(Duration::from_secs(86_400));
        tokio::select! {
            biased;
            room = reports.reserve(), if !driver.pending.is_empty() => match room {
                Ok(room) => room.send(std::mem::take(&mut driver.pending)),
                Err(_closed) => break,
            },
            deed = deeds.recv(), if driver.pending.len() < REPORTS_MAX => match deed {
                Some(deed) => driver.pilot.handle(clock(), Input::Deed(deed)),
                None => break,
            },
            () = sleep(pause) => driver.pilot.handle(clock(), Input::Timeout),
            Some(happening) = happenings.recv(), if driver.pending.is_empty() => {
                driver.happened(clock(), happening)?;
            }
        }
    }
    driver.connections.close_all().await;
    Ok(())
}

struct Driver {
    pilot: Pilot,
    connections: Connections,
    trust: Option<Trust>,
    /// What the pilot wants told and nobody has taken yet.
    pending: Vec<Report>,
}

impl Driver {
    fn new(settings: DriverSettings) -> Result<(Self, mpsc::Receiver<Happening>), DriverError> {
        let DriverSettings { mut pilot, tls } = settings;
        let trust = tls.map(Trust::load).transpose().map_err(DriverError::Tls)?;
        pilot.client.inside_tls = trust.is_some();
        let (connections, happenings) = Connections::new();
        let driver = Self {
            pilot: Pilot::new(pilot),
            connections,
            trust,
            pending: Vec::new(),
        };
        Ok((driver, happenings))
    }

    fn happened(&mut self, now: Timestamp, happening: Happening) -> Result<(), DriverError> {
        let connection = happening.connection;
        match happening.what {
            What::Bytes(bytes) => {
                let bytes = bytes.as_slice();
                self.pilot.handle(now, Input::Bytes { connection, bytes });
            }
            What::Closed(failure) => self.closed(now, connection, failure),
            What::Opened => {
                let mut entropy = [0; 32];
                getrandom::fill(&mut entropy).map_err(DriverError::Entropy)?;
                let opened = Input::Opened {
                    connection,
                    entropy,
                };
                self.pilot.handle(now, opened);
            }
        }
        Ok(())
    }

    fn closed(&mut self, now: Timestamp, connection: ConnectionId, failure: Option<Failure>) {
        self.connections.close(connection);
        let closed = Input::Closed {
            connection,
            failure,
        };
        self.pilot.handle(now, closed);
    }

    fn carry_out(&mut self, now: Timestamp) {
        while let Some(command) = self.pilot.poll() {
            match command {
                Command::Close { connection } => self.connections.close(connection),
                Command::Dial {
                    connection,
                    address,
                    deadline,
                } => {
                    let tls = self.trust.as_mut().map(Trust::client);
                    let limit = deadline.since(now);
                    self.connections.dial(connection, address, tls, limit);
                }
                Command::Finish { action, outcome } => {
                    self.pending.push(Report::Finished { action, outcome });
                }
                Command::Note { address, text } => {
                    tracing::debug!(peer = %address, "{}", text.escape_debug());
                }
                Command::Observe(observation) => self.pending.push(Report::Observed(observation)),
                Command::Transmit { connection, bytes } => {
                    if let Err(failure) = self.connections.transmit(connection, bytes) {
                        self.closed(now, connection, Some(failure));
                    }
                }
                Command::Warn { address, text } => {
                    // Some of it are the peer's words; they must not begin a line of their own.
                    tracing::warn!(peer = %address, "{}", text.escape_debug());
                }
            }
        }
    }
}
