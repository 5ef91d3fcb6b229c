//! Stops the daemon in order: event loops and drivers, listeners, journals, the operator's socket.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::warn;

use super::Daemon;
use crate::journal::{Batch, Health, Journal, Progress};
use crate::listener::Unfinished;

/// The least that journals get to be closed, whatever the others used up.
const CLOSING: Duration = Duration::from_secs(1);

impl Daemon {
    /// Ends the event loops and with them the drivers, lets the listeners hear the rest, and closes
    /// the journals, all within the grace period. What a listener is not told it is told after the
    /// next start.
    pub(super) async fn stop(mut self) {
        let grace = self.config.daemon.stop_grace;
        let deadline = self.clock.timestamp() + grace;
        self.watched
            .values()
            .for_each(super::watched::Watched::stop);
        let ended = timeout(grace, async {
            while self.tasks.join_next().await.is_some() {}
        });
        if ended.await.is_err() {
            let tasks = self.tasks.len();
            warn!(tasks, "did not stop in time and is ended");
        }
        self.tasks.shutdown().await;
        // Listeners are to hear the last that was written as well.
        let rest = deadline.since(self.clock.timestamp());
        let written = timeout(rest, async {
            on_record(&self.journal).await;
            for watched in self.watched.values() {
                on_record(&watched.journal).await;
            }
        });
        if written.await.is_err() {
            warn!("the journals did not write everything in time");
        }
        let rest = deadline.since(self.clock.timestamp());
        let mut flushes = JoinSet::new();
        let dispatcher = self.dispatcher;
        flushes.spawn(async move { ("the daemon".to_owned(), dispatcher.flush(rest).await) });
        let mut journals = vec![self.journal];
        for (name, watched) in self.watched {
            journals.push(watched.journal);
            let dispatcher = watched.dispatcher;
            flushes.spawn(async move { (name.to_string(), dispatcher.flush(rest).await) });
        }
        while let Some(flushed) = flushes.join_next().await {
            if let Ok((domain, unfinished)) = flushed {
                report(&domain, unfinished);
            }
        }
        let rest = deadline.since(self.clock.timestamp()).max(CLOSING);
        let mut closing = JoinSet::new();
        for journal in journals {
            closing.spawn(journal.close());
        }
        let closed = timeout(rest, async { while closing.join_next().await.is_some() {} });
        if closed.await.is_err() {
            warn!("the journals were not closed in time; what they have is on disk");
        }
        self.api.stop().await;
    }
}

/// Waits until everything that was written is on record, or cannot be.
pub(super) async fn on_record(journal: &Journal) {
    let ticket = journal.write(Batch::default());
    let mut progress = journal.progress();
    let is_done = |it: &Progress| it.ticket >= ticket || it.health != Health::Working;
    // A journal that is gone writes nothing more.
    let _ = progress.wait_for(is_done).await;
}

/// Says who was not told everything, which is told after the next start.
fn report(domain: &str, unfinished: Vec<Unfinished>) {
    for it in unfinished {
        warn!(
            domain,
            listener = it.name,
            told = it.told,
            last = it.last,
            "was not told everything yet"
        );
    }
}
