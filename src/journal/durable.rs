//! A journal on disk, as its handles see it: nothing here waits for the disk but who asks for it.

use std::fs::{self, Metadata};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc;

use super::Recovered;
use super::error::JournalError;
use super::reader::{self, Query, Reader};
use super::recover::{self, Paths};
use super::settings::JournalSettings;
use super::shared::Shared;
use super::writer::{Writer, ring_of};
use crate::listener::Page;
use crate::supervisor::Input;
use crate::time::{Moment, WallTime};

/// Two threads and what is shared with them.
#[derive(Debug)]
pub(super) struct Durable {
    pub(super) shared: Arc<Shared>,
    queries: mpsc::Sender<Query>,
    dir: PathBuf,
}

impl Drop for Durable {
    fn drop(&mut self) {
        self.shared.leave();
    }
}

impl Durable {
    /// Opens the journal in a directory and starts its threads.
    pub(super) fn open(
        dir: &Path,
        settings: JournalSettings,
    ) -> Result<(Self, Recovered), JournalError> {
        let paths = Paths::new(dir);
        let opened = recover::open(&paths, &settings, None)?;
        let recovered = opened.recovered.clone();
        let ring = ring_of(&opened, settings.remembered);
        let shared = Arc::new(Shared::new(ring, recovered.epoch));
        if let Some(why) = &opened.full {
            shared.fail(why);
        }
        let (queries, receiver) = mpsc::channel(reader::QUEUE);
        let reader = Reader {
            shared: Arc::clone(&shared),
            paths: paths.clone(),
            queries: receiver,
        };
        start("journal-reader", move || reader.run())?;
        let copier = queries.downgrade();
        let back_up = Box::new(move || {
            // If it has so much to do, the next copy comes as well.
            let asked = copier.upgrade().map(|it| it.try_send(Query::BackUp));
            drop(asked);
        });
        let writer = Writer::new(Arc::clone(&shared), paths, settings, opened, back_up);
        let end = End(Arc::clone(&shared));
        start("journal-writer", move || {
            let _end = end;
            writer.run();
        })?;
        let durable = Self {
            shared,
            queries,
            dir: dir.to_owned(),
        };
        Ok((durable, recovered))
    }

    /// Returns how many bytes the files of the journal have.
    pub(super) fn size(&self) -> u64 {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let sizes = entries.filter_map(|it| it.metadata().ok());
        sizes.filter(Metadata::is_file).map(|it| it.len()).sum()
    }

    /// Returns up to `limit` events with numbers above `after`, from memory if they are there.
    pub(super) async fn read(&self, after: u64, limit: usize) -> Result<Page, JournalError> {
        let mut from = after;
        loop {
            let until = {
                let ring = self.shared.ring();
                if from >= ring.forgotten() {
                    let mut page = ring.read(from, limit);
                    page.gap = between(after, from);
                    return Ok(page);
                }
                ring.forgotten()
            };
            let query = |reply| Query::Page {
                after: from,
                until,
                limit,
                reply,
            };
            let mut page = reader::ask(&self.queries, query).await?;
            if let Some(first) = page.events.first() {
                page.gap = between(after, first.seq - 1);
                return Ok(page);
            }
            from = until;
        }
    }

    pub(super) async fn seq_before(&self, wall: WallTime) -> Result<u64, JournalError> {
        let (found, forgotten) = {
            let ring = self.shared.ring();
            (ring.seq_before(wall), ring.forgotten())
        };
        if found > forgotten || forgotten == 0 {
            return Ok(found);
        }
        reader::ask(&self.queries, |reply| Query::SeqBefore { wall, reply }).await
    }

    pub(super) async fn inputs(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Moment, Input)>, JournalError> {
        let query = |reply| Query::Inputs {
            after,
            limit,
            reply,
        };
        reader::ask(&self.queries, query).await
    }
}

/// Whatever ends the writer: nobody waits for it then.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        drop(self.0.close());
    }
}

/// Returns the numbers above one and up to another, if there are any.
fn between(after: u64, until: u64) -> Option<RangeInclusive<u64>> {
    (after < until).then(|| after + 1..=until)
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), JournalError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map(drop).map_err(JournalError::Thread)
}
