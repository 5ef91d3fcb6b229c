//! The thread that reads what is not in memory any more: pages for listeners that are far behind,
//! inputs for a replay, and the facts, to copy them.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::backup;
use super::error::JournalError;
use super::recover::Paths;
use super::shared::{Reply, Shared};
use super::store::{Disk, StoreError};
use super::writer::warn_of;
use crate::listener::Page;
use crate::supervisor::Input;
use crate::time::{Moment, WallTime};

/// So many questions may wait.
pub(super) const QUEUE: usize = 64;

/// Something to be read.
#[derive(Debug)]
pub(super) enum Query {
    BackUp,
    Inputs {
        after: u64,
        limit: usize,
        reply: Reply<Vec<(u64, Moment, Input)>>,
    },
    Page {
        after: u64,
        until: u64,
        limit: usize,
        reply: Reply<Page>,
    },
    SeqBefore {
        wall: WallTime,
        reply: Reply<u64>,
    },
}

/// What the thread has.
pub(super) struct Reader {
    pub(super) shared: Arc<Shared>,
    pub(super) paths: Paths,
    pub(super) queries: mpsc::Receiver<Query>,
}

impl Reader {
    /// Reads until nobody is left to ask.
    pub(super) fn run(mut self) {
        let mut open: Option<(u64, Disk)> = None;
        while let Some(query) = self.queries.blocking_recv() {
            let generation = self.shared.generation();
            let disk = match open.take() {
                Some((of, disk)) if of == generation => Ok(disk),
                _ => Disk::open(&self.paths.journal, self.shared.epoch()),
            };
            match disk {
                Ok(disk) => {
                    self.answer(query, &disk);
                    open = Some((generation, disk));
                }
                Err(error) => refuse(query, &error),
            }
        }
    }

    fn answer(&self, query: Query, disk: &Disk) {
        match query {
            Query::BackUp => self.back_up(disk),
            Query::Inputs {
                after,
                limit,
                reply,
            } => give(reply, disk.inputs(after, limit)),
            Query::Page {
                after,
                until,
                limit,
                reply,
            } => give(reply, disk.page(after, until, limit)),
            Query::SeqBefore { wall, reply } => give(reply, disk.seq_before(wall)),
        }
    }

    /// Copies the facts, unless the last copy is being made: that one is newer.
    fn back_up(&self, disk: &Disk) {
        let _alone = self.shared.copying();
        if self.shared.is_closed() {
            return;
        }
        match disk.facts() {
            Ok((facts, state)) => {
                let written = backup::write(&self.paths.backup, disk.epoch(), &state, &facts);
                warn_of(&self.paths, written);
            }
            // It is in nobody's way: the copy that is there stays.
            Err(error) => warn_of(&self.paths, Err(std::io::Error::other(error))),
        }
    }
}

/// Answers; whoever asked may have gone.
fn give<T>(reply: Reply<T>, result: Result<T, StoreError>) {
    let _ = reply.send(result.map_err(|error| unusable(&error)));
}

fn refuse(query: Query, error: &StoreError) {
    match query {
        Query::BackUp => (),
        Query::Inputs { reply, .. } => drop(reply.send(Err(unusable(error)))),
        Query::Page { reply, .. } => drop(reply.send(Err(unusable(error)))),
        Query::SeqBefore { reply, .. } => drop(reply.send(Err(unusable(error)))),
    }
}

fn unusable(error: &StoreError) -> JournalError {
    JournalError::Unusable(error.to_string().into())
}

/// Asks the thread something.
pub(super) async fn ask<T>(
    queries: &mpsc::Sender<Query>,
    query: impl FnOnce(Reply<T>) -> Query,
) -> Result<T, JournalError> {
    let (reply, answer) = oneshot::channel();
    let sent = queries.send(query(reply)).await;
    sent.map_err(|_gone| JournalError::Closed)?;
    answer.await.unwrap_or(Err(JournalError::Closed))
}
