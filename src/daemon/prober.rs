//! Tries the ports of processes: each once in a period, spread over it, and few at once.
//!
//! Whose port counts, and what it means that one is silent, is the warden's business, which hears
//! of changes alone. Nothing is sent to a port but the end of the connection.

mod tally;
#[cfg(test)]
mod tests;

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::warn;

use self::tally::Tally;
use crate::exchange::{Probe, Probed};
use crate::model::{Address, DomainName};
use crate::supervisor::{ProbeTerms, SignOfLife};
use crate::telemetry::chain;
use crate::transport::{TransportError, dial};

/// So many ports of a domain are tried at once: of the thousand files that a program has by
/// default, sessions and people need some. If all 10,000 of a large domain are silent for the
/// default of five seconds, a round takes a little more than three minutes.
const AT_ONCE_MAX: usize = 256;

/// Two tries are at least so far apart, however many there are.
const PACE_MIN: Duration = Duration::from_micros(1);

/// What a prober wants of its event loop.
#[derive(Debug)]
pub(super) enum News {
    /// A round begins: whose port is to be tried?
    Due,
    /// Something is not as the warden has it.
    Found(Probed),
}

/// How a try ended.
#[derive(Debug)]
enum Tried {
    Answered,
    /// It was not tried: we lack what that takes.
    Not(String),
    Silent(Arc<str>),
}

/// Tries the ports of one domain, for as long as this value lives.
#[derive(Debug)]
pub(super) struct Prober {
    domain: DomainName,
    terms: Option<ProbeTerms>,
    running: Option<Running>,
}

/// The task that does it, and what leads there and back.
#[derive(Debug)]
struct Running {
    probes: mpsc::Sender<Vec<Probe>>,
    news: mpsc::Receiver<News>,
    /// Dropped, it ends the task and all tries.
    _task: JoinSet<()>,
}

impl Prober {
    /// Returns one that tries nothing so far.
    pub(super) const fn new(domain: DomainName) -> Self {
        Self {
            domain,
            terms: None,
            running: None,
        }
    }

    /// Tries ports by these terms from now on, or none.
    pub(super) fn follow(&mut self, terms: Option<ProbeTerms>) {
        if self.terms == terms {
            return;
        }
        self.terms = terms;
        self.running = terms.map(|terms| {
            let (probes, asked) = mpsc::channel(1);
            let (teller, news) = mpsc::channel(1);
            let mut task = JoinSet::new();
            task.spawn(probe(self.domain.clone(), terms, asked, teller));
            Running {
                probes,
                news,
                _task: task,
            }
        });
    }

    /// Waits for news, for ever if no port is tried.
    pub(super) async fn news(&mut self) -> News {
        if let Some(running) = &mut self.running
            && let Some(news) = running.news.recv().await
        {
            return news;
        }
        // A task that broke tries nothing any more; the rest of the daemon needs it for nothing.
        pending().await
    }

    /// Answers [`News::Due`].
    pub(super) fn begin(&self, probes: Vec<Probe>) {
        if let Some(running) = &self.running {
            // It asks again when it has had the answer.
            let _ = running.probes.try_send(probes);
        }
    }
}

/// Tries ports, round after round, until nobody listens.
async fn probe(
    domain: DomainName,
    terms: ProbeTerms,
    mut asked: mpsc::Receiver<Vec<Probe>>,
    news: mpsc::Sender<News>,
) {
    let mut tally = Tally::new(terms.misses);
    let mut rounds = interval(terms.every);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    rounds.tick().await;
    while news.send(News::Due).await.is_ok() {
        let Some(probes) = asked.recv().await else {
            return;
        };
        tally.begin(&probes);
        let mut round = Round {
            terms,
            tally: &mut tally,
            news: &news,
            tries: JoinSet::new(),
            untried: None,
        };
        round.run(probes).await;
        if let Some((count, why)) = round.untried {
            let domain = domain.as_str();
            warn!(
                domain,
                "cannot try {count} ports of processes, the first: {why}"
            );
        }
        rounds.tick().await;
    }
}

/// One round.
struct Round<'a> {
    terms: ProbeTerms,
    tally: &'a mut Tally,
    news: &'a mpsc::Sender<News>,
    tries: JoinSet<(Probe, Tried)>,
    /// How many could not be tried, and why the first one.
    untried: Option<(u32, String)>,
}

impl Round<'_> {
    /// Tries them all, each at its part of the period.
    async fn run(&mut self, probes: Vec<Probe>) {
        let count = u32::try_from(probes.len()).unwrap_or(u32::MAX).max(1);
        let mut pace = interval((self.terms.every / count).max(PACE_MIN));
        for it in probes {
            loop {
                tokio::select! {
                    Some(done) = self.tries.join_next() => self.note(done.ok()).await,
                    _ = pace.tick(), if self.tries.len() < AT_ONCE_MAX => break,
                }
            }
            let terms = self.terms;
            self.tries.spawn(async move {
                let tried = knock(&it.address, terms).await;
                (it, tried)
            });
        }
        while let Some(done) = self.tries.join_next().await {
            self.note(done.ok()).await;
        }
    }

    /// Counts a try, and tells what is news by it.
    async fn note(&mut self, done: Option<(Probe, Tried)>) {
        let Some((probe, tried)) = done else {
            return;
        };
        let found = match tried {
            Tried::Answered => self.tally.answered(probe),
            Tried::Not(why) => {
                self.untried.get_or_insert((0, why)).0 += 1;
                None
            }
            Tried::Silent(reason) => self.tally.missed(probe, reason),
        };
        if let Some(found) = found {
            // If nobody listens any more, the next round is not asked for.
            let _ = self.news.send(News::Found(found)).await;
        }
    }
}

/// Tries one port.
async fn knock(address: &Address, terms: ProbeTerms) -> Tried {
    let mut is_connected = false;
    let answer = async {
        let mut stream = dial(&address.host, address.port, None, terms.timeout).await?;
        is_connected = true;
        if terms.answer == SignOfLife::Close {
            // One that is closed already has answered.
            let _ = stream.shutdown().await;
            let mut ignored = [0; 256];
            while matches!(stream.read(&mut ignored).await, Ok(1..)) {}
        }
        Ok(())
    };
    let within = terms.timeout;
    let reason = match timeout(within, answer).await {
        Ok(Ok(())) => return Tried::Answered,
        Ok(Err(error)) if is_ours(&error) => return Tried::Not(chain(&error)),
        Ok(Err(error)) => chain(&error),
        Err(_) if is_connected => {
            format!("{address} took a connection and did not end it within {within:?}")
        }
        Err(_) => format!("cannot connect to {address} within {within:?}"),
    };
    Tried::Silent(reason.into())
}

/// Returns whether it is us who lack what a connection takes.
fn is_ours(error: &TransportError) -> bool {
    let lacks = |it: &io::Error| {
        let ours = [
            Errno::ADDRNOTAVAIL,
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOBUFS,
            Errno::NOMEM,
        ];
        let ours = ours.map(Errno::raw_os_error);
        it.raw_os_error().is_some_and(|it| ours.contains(&it))
    };
    if let TransportError::Connect { source, .. } = error {
        source.0.iter().any(|it| lacks(&it.source))
    } else if let TransportError::Resolve { source, .. } = error {
        lacks(source)
    } else {
        false
    }
}
