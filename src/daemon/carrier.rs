//! A driver that runs, and the two queues that lead to it.
//!
//! What is asked and told is none of its business.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::clock::Clock;
use crate::driver::nuodb::{self, DriverError, DriverSettings, Report};
use crate::exchange::Deed;
use crate::model::Address;

/// How many deeds and batches of reports may be on their way between a warden and its driver.
const QUEUE: usize = 1_024;

/// How long a driver that is replaced may take to say goodbye to its peers.
const GOODBYE: Duration = Duration::from_secs(1);

/// A driver with what leads to it. Dropping it ends the driver at once.
#[derive(Debug)]
pub(super) struct Carrier {
    settings: DriverSettings,
    /// What is asked of it.
    pub(super) deeds: mpsc::Sender<Deed>,
    /// What it tells.
    pub(super) reports: mpsc::Receiver<Vec<Report>>,
    /// Its one task.
    tasks: JoinSet<Result<(), DriverError>>,
}

impl Carrier {
    /// Starts a driver that knows of brokers from earlier.
    pub(super) fn start(settings: DriverSettings, learned: Vec<Address>, clock: Clock) -> Self {
        let (deeds, deed_receiver) = mpsc::channel(QUEUE);
        let (report_sender, reports) = mpsc::channel(QUEUE);
        let mut with_learned = settings.clone();
        with_learned.pilot.learned = learned;
        let driver = nuodb::run(
            with_learned,
            move || clock.timestamp(),
            deed_receiver,
            report_sender,
        );
        let mut tasks = JoinSet::new();
        tasks.spawn(driver);
        Self {
            settings,
            deeds,
            reports,
            tasks,
        }
    }

    /// Returns what another driver for the same domain needs.
    pub(super) fn settings(&self) -> DriverSettings {
        self.settings.clone()
    }

    /// Returns why the driver ended, `None` if it broke or ended without a reason.
    pub(super) async fn why(&mut self) -> Option<DriverError> {
        match self.tasks.join_next().await {
            Some(Ok(Err(error))) => Some(error),
            Some(Ok(Ok(())) | Err(_)) | None => None,
        }
    }

    /// Lets the driver say goodbye, and ends it.
    pub(super) async fn end(mut self) {
        drop(self.deeds);
        self.reports.close();
        // One that takes longer is ended by being dropped.
        let _ = timeout(GOODBYE, self.tasks.join_next()).await;
    }
}
