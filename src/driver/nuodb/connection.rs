//! The connections of a pilot: each dialled, read and written by a task of its own.
//!
//! Bytes pass as they come; nothing here knows what they mean, or tries anything twice.

use std::collections::BTreeMap;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::exchange::LossClass;
use crate::model::Address;
use crate::nuodb::pilot::{ConnectionId, Failure};
use crate::transport::{self, Stream, TlsClient, TransportClass, TransportError};

/// What one read takes at most; as much as a socket's buffer usually holds.
const READ_MAX: usize = 64 * 1024;
/// How many reads of all connections may wait. When the pilot's caller is slow, a megabyte is
/// held here and the rest stays with the peers.
const READS_MAX: usize = 16;
/// How many writes of one connection may wait. A session writes a handful of short documents; a
/// peer that lets so many pile up does not read.
const WRITES_MAX: usize = 256;
/// How long one write may take. The peer's buffers hold more than we ever say at once.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may take over its goodbye.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// What happened to a connection.
#[derive(Debug)]
pub(super) struct Happening {
    pub(super) connection: ConnectionId,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    Bytes(Vec<u8>),
    Closed(Option<Failure>),
    Opened,
}

/// All connections of one pilot.
#[derive(Debug)]
pub(super) struct Connections {
    tasks: JoinSet<()>,
    /// To close a connection is to drop its queue.
    writes: BTreeMap<ConnectionId, (Address, mpsc::Sender<Vec<u8>>)>,
    happenings: mpsc::Sender<Happening>,
}

impl Connections {
    /// Returns no connection, and where happenings are told.
    pub(super) fn new() -> (Self, mpsc::Receiver<Happening>) {
        let (happenings, told) = mpsc::channel(READS_MAX);
        let connections = Self {
            tasks: JoinSet::new(),
            writes: BTreeMap::new(),
            happenings,
        };
        (connections, told)
    }

    /// Begins to dial.
    pub(super) fn dial(
        &mut self,
        connection: ConnectionId,
        address: Address,
        tls: Option<TlsClient>,
        limit: Duration,
    ) {
        self.reap();
        let (writes, queue) = mpsc::channel(WRITES_MAX);
        self.writes.insert(connection, (address.clone(), writes));
        let line = Line {
            connection,
            address,
            happenings: self.happenings.clone(),
        };
        self.tasks.spawn(line.carry(tls, limit, queue));
    }

    /// Queues bytes, unless too many wait already.
    pub(super) fn transmit(
        &mut self,
        connection: ConnectionId,
        bytes: Vec<u8>,
    ) -> Result<(), Failure> {
        // A connection that has ended says so itself.
        if let Some((address, writes)) = self.writes.get(&connection)
            && let Err(mpsc::error::TrySendError::Full(_)) = writes.try_send(bytes)
        {
            return Err(clogged(address));
        }
        Ok(())
    }

    /// Closes a connection after what is queued for it has left.
    pub(super) fn close(&mut self, connection: ConnectionId) {
        self.writes.remove(&connection);
    }

    /// Closes all connections and waits for a moment until they are.
    pub(super) async fn close_all(mut self) {
        self.writes.clear();
        let all = async { while self.tasks.join_next().await.is_some() {} };
        // Those that linger are cut off as the set is dropped.
        let _ = timeout(GOODBYE_TIMEOUT, all).await;
    }

    /// Forgets the tasks that have ended.
    fn reap(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            if let Err(error) = ended
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }
}

/// One connection, as its task has it.
struct Line {
    connection: ConnectionId,
    address: Address,
    happenings: mpsc::Sender<Happening>,
}

impl Line {
    async fn carry(
        self,
        tls: Option<TlsClient>,
        limit: Duration,
        mut queue: mpsc::Receiver<Vec<u8>>,
    ) {
        let (host, port) = (&*self.address.host, self.address.port);
        let dialled = tokio::select! {
            biased;
            // Nothing is queued before the connection stands, so this is its closing.
            _ = queue.recv() => return,
            dialled = transport::dial(host, port, tls.as_ref(), limit) => dialled,
        };
        let failure = match dialled {
            Err(error) => Some(failure(&error)),
            Ok(stream) => {
                self.tell(What::Opened).await;
                let (reader, writer) = tokio::io::split(stream);
                let mut read = pin!(self.read(reader));
                tokio::select! {
                    failure = &mut read => failure,
                    written = self.write(writer, queue) => match written {
                        Ok(()) => return,
                        Err(failure) => {
                            // A peer that closes may have said why.
                            let _ = timeout(GOODBYE_TIMEOUT, read).await;
                            Some(failure)
                        }
                    },
                }
            }
        };
        self.tell(What::Closed(failure)).await;
    }

    /// Hands on what arrives until nothing more does, and returns why if it was no orderly end.
    async fn read(&self, mut reader: ReadHalf<Stream>) -> Option<Failure> {
        loop {
            let mut bytes = Vec::with_capacity(READ_MAX);
            match reader.read_buf(&mut bytes).await {
                Ok(0) => return None,
                Ok(_) => self.tell(What::Bytes(bytes)).await,
                Err(error) => return Some(self.broken(error)),
            }
        }
    }

    /// Writes what is queued until the connection is closed from our side.
    async fn write(
        &self,
        mut writer: WriteHalf<Stream>,
        mut queue: mpsc::Receiver<Vec<u8>>,
    ) -> Result<(), Failure> {
        while let Some(bytes) = queue.recv().await {
            let write = async {
                writer.write_all(&bytes).await?;
                writer.flush().await
            };
            tokio::select! {
                biased;
                written = write => written.map_err(|it| self.broken(it))?,
                () = sleep(WRITE_TIMEOUT) => return Err(clogged(&self.address)),
            }
        }
        // Whether the peer hears the goodbye makes no difference to us.
        let _ = timeout(GOODBYE_TIMEOUT, writer.shutdown()).await;
        Ok(())
    }

    async fn tell(&self, what: What) {
        let happening = Happening {
            connection: self.connection,
            what,
        };
        // If nobody listens the driver has ended, and this task with it.
        let _ = self.happenings.send(happening).await;
    }

    fn broken(&self, error: std::io::Error) -> Failure {
        failure(&TransportError::from_io(&self.address.to_string(), error))
    }
}

fn failure(error: &TransportError) -> Failure {
    let class = match error.class() {
        TransportClass::Connection => LossClass::Connection,
        TransportClass::Denied => LossClass::Denied,
        TransportClass::Protocol => LossClass::Protocol,
    };
    Failure::new(class, error)
}

/// Returns the failure of a peer that does not read.
fn clogged(address: &Address) -> Failure {
    Failure {
        class: LossClass::Connection,
        text: format!("{address} does not read what it is sent"),
    }
}
