//! A domain in the hand: look at it, start and stop processes, each awaited to its outcome.
//!
//! For the command line and for programs. It heals nothing and remembers nothing; a process that
//! fails stays failed.

mod deeds;
mod error;
mod look;
mod order;

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

pub use self::error::DomainError;
pub use self::order::Order;
use super::{DriverError, DriverSettings, Report, run};
use crate::exchange::{ActionId, Deed, Loss, LossClass, Observation, Outcome};
use crate::model::Snapshot;
use crate::nuodb::pilot;
use crate::time::Timestamp;

/// How many deeds may wait for the driver; one is asked for at a time.
const DEEDS_MAX: usize = 4;
/// How many batches of reports may wait for us; more stay with the peers.
const BATCHES_MAX: usize = 64;
/// How many outcomes of an action may wait for us: ready, started and the final one.
const OUTCOMES_MAX: usize = 8;

/// A domain that is watched for as long as this lives.
///
/// What is known is kept current while something is awaited, and only then.
#[derive(Debug)]
pub struct Domain {
    deeds: mpsc::Sender<Deed>,
    reports: mpsc::Receiver<Vec<Report>>,
    driver: JoinSet<Result<(), DriverError>>,
    clock: Clock,
    snapshot: Snapshot,
    /// How long a prepared start stays valid.
    patience: Duration,
    actions: u64,
    /// What became of the action that is awaited.
    outcomes: VecDeque<Outcome>,
}

/// The time since the domain was connected to.
#[derive(Clone, Copy, Debug)]
struct Clock(Instant);

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "programs that use the handle have no daemon that reads the clock for them"
    )]
    fn start() -> Self {
        Self(Instant::now())
    }

    fn now(self) -> Timestamp {
        Timestamp::ZERO + self.0.elapsed()
    }
}

impl Domain {
    /// Connects to the first broker that shows the domain; each is tried once.
    ///
    /// # Errors
    ///
    /// Fails at once if a broker denies us, since the others would too; otherwise, when all have
    /// failed, with the first that does not speak the protocol, or the last.
    pub async fn connect(settings: DriverSettings) -> Result<Self, DomainError> {
        let mut brokers = settings.pilot.brokers.clone();
        brokers.sort_by_key(ToString::to_string);
        brokers.dedup();
        if brokers.is_empty() {
            return Err(DomainError::NoBroker);
        }
        let patience = settings.pilot.dial_timeout + settings.pilot.answer_timeout;
        let clock = Clock::start();
        let (deeds, ordered) = mpsc::channel(DEEDS_MAX);
        let (told, mut reports) = mpsc::channel(BATCHES_MAX);
        let mut driver = JoinSet::new();
        driver.spawn(run(settings, move || clock.now(), ordered, told));
        let mut losses = Vec::new();
        while let Some(batch) = reports.recv().await {
            let mut batch = batch.into_iter();
            while let Some(report) = batch.next() {
                match report {
                    Report::Observed(Observation::Snapshot(snapshot)) => {
                        let mut domain = Self {
                            deeds,
                            reports,
                            driver,
                            clock,
                            snapshot,
                            patience,
                            actions: 0,
                            outcomes: VecDeque::new(),
                        };
                        batch.for_each(|it| domain.take(it, None));
                        return Ok(domain);
                    }
                    Report::Observed(Observation::Lost(loss)) => losses.push(loss),
                    Report::Observed(Observation::Managed(_) | Observation::Sighted(_))
                    | Report::Finished { .. } => (),
                }
            }
            if let Some(loss) = telling(&losses, brokers.len()) {
                return Err(DomainError::Connect { loss: loss.clone() });
            }
        }
        Err(ended(&mut driver).await)
    }

    /// Takes leave of the domain after everything that was asked for has left.
    pub async fn close(self) {
        let Self {
            deeds,
            reports,
            mut driver,
            ..
        } = self;
        drop((deeds, reports));
        // It ends in order, or is cut off after its own goodbye timeout.
        let _ = driver.join_next().await;
    }

    /// Returns a domain that nobody carries, for tests of what is seen in it.
    #[cfg(test)]
    fn still(snapshot: Snapshot) -> Self {
        Self {
            deeds: mpsc::channel(1).0,
            reports: mpsc::channel(1).1,
            driver: JoinSet::new(),
            clock: Clock::start(),
            snapshot,
            patience: Duration::ZERO,
            actions: 0,
            outcomes: VecDeque::new(),
        }
    }

    /// Waits until `look` finds what it looks for, for at most `wait`.
    async fn until<T>(
        &mut self,
        wait: Duration,
        look: impl Fn(&Self) -> Option<T>,
    ) -> Result<Option<T>, DomainError> {
        let found = async {
            loop {
                if let Some(found) = look(self) {
                    return Ok(found);
                }
                self.listen(None).await?;
            }
        };
        timeout(wait, found).await.ok().transpose()
    }

    /// Gives the driver a deed, under a new action.
    async fn order(
        &mut self,
        deed: impl FnOnce(ActionId) -> Deed,
    ) -> Result<ActionId, DomainError> {
        self.actions += 1;
        self.outcomes.clear();
        let action = ActionId(self.actions);
        self.send(deed(action)).await?;
        Ok(action)
    }

    async fn send(&mut self, deed: Deed) -> Result<(), DomainError> {
        if self.deeds.send(deed).await.is_err() {
            return Err(ended(&mut self.driver).await);
        }
        Ok(())
    }

    /// Returns what becomes of the action next, unless it came to nothing.
    async fn outcome(&mut self, action: ActionId, attempt: &str) -> Result<Outcome, DomainError> {
        loop {
            if let Some(outcome) = self.outcomes.pop_front() {
                return success(outcome, attempt);
            }
            self.listen(Some(action)).await?;
        }
    }

    /// Takes in the next batch of reports.
    async fn listen(&mut self, awaited: Option<ActionId>) -> Result<(), DomainError> {
        let Some(batch) = self.reports.recv().await else {
            return Err(ended(&mut self.driver).await);
        };
        for report in batch {
            self.take(report, awaited);
        }
        Ok(())
    }

    fn take(&mut self, report: Report, awaited: Option<ActionId>) {
        match report {
            Report::Finished { action, outcome } => {
                if awaited == Some(action) && self.outcomes.len() < OUTCOMES_MAX {
                    self.outcomes.push_back(outcome);
                }
            }
            // The driver connects again, and then a snapshot follows.
            Report::Observed(Observation::Lost(_) | Observation::Managed(_)) => (),
            Report::Observed(Observation::Sighted(sighting)) => {
                pilot::apply(&mut self.snapshot, &sighting);
            }
            Report::Observed(Observation::Snapshot(snapshot)) => self.snapshot = snapshot,
        }
    }
}

/// Returns the loss to tell of, if it is time to give up.
fn telling(losses: &[Loss], brokers: usize) -> Option<&Loss> {
    let first = |class| losses.iter().find(|it| it.class == class);
    first(LossClass::Denied).or_else(|| {
        let is_over = losses.len() >= brokers;
        is_over
            .then(|| first(LossClass::Protocol).or(losses.last()))
            .flatten()
    })
}

/// Returns an outcome that is one step further, and the others as errors.
fn success(outcome: Outcome, attempt: &str) -> Result<Outcome, DomainError> {
    let attempt = attempt.to_owned();
    match outcome {
        Outcome::Answered(_)
        | Outcome::Ready
        | Outcome::Registered { .. }
        | Outcome::Started(_)
        | Outcome::Stopped { .. }
        | Outcome::Withdrawn => Ok(outcome),
        Outcome::NotSent(loss) => Err(DomainError::NotSent { attempt, loss }),
        Outcome::Refused(reason) => Err(DomainError::Refused {
            attempt,
            reason: reason.to_string(),
        }),
        Outcome::StartFailed(reason) => Err(DomainError::Failed {
            attempt,
            reason: reason.to_string(),
        }),
        Outcome::Unanswered(loss) => Err(DomainError::Unanswered { attempt, loss }),
    }
}

/// Returns why the driver ended.
async fn ended(driver: &mut JoinSet<Result<(), DriverError>>) -> DomainError {
    match driver.join_next().await {
        Some(Ok(Err(error))) => error.into(),
        Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Some(Ok(Ok(())) | Err(_)) | None => DomainError::Ended,
    }
}
