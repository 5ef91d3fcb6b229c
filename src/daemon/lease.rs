//! The lease of a domain that several daemons watch: a file on a disk they share, which one of them
//! has locked and writes to again and again.
//!
//! A thread of its own does it, for such a disk may hang. Whether the healer may act is decided by
//! the warden, which is told who has the lease.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{info, warn};

use super::clock::Clock;
use crate::supervisor::{Lease, LeaseTerms};
use crate::time::Timestamp;

/// It is renewed so many times before it would be lost.
const RENEWALS: u32 = 3;

/// What a daemon writes of itself into the file is shorter than this.
const OWNER_MAX: u64 = 4_096;

/// The lease of one domain, for as long as this value lives.
#[derive(Debug)]
struct Keeper {
    terms: LeaseTerms,
    states: watch::Receiver<State>,
    /// Dropped, it ends the thread.
    _stop: mpsc::SyncSender<()>,
    clock: Clock,
}

/// What the thread found last.
#[derive(Clone, Copy, Debug)]
struct State {
    lease: Lease,
    /// When that was.
    at: Timestamp,
}

/// Whether a domain has a lease, and who has that.
#[derive(Debug)]
pub(super) struct Leasing {
    owner: String,
    clock: Clock,
    keeper: Option<Keeper>,
    /// What the warden was told last.
    told: Lease,
}

impl Leasing {
    /// Returns that there is none so far, for that daemon.
    pub(super) const fn new(owner: String, clock: Clock) -> Self {
        Self {
            owner,
            clock,
            keeper: None,
            told: Lease::Lost,
        }
    }

    /// Asks for the lease of these terms from now on, and gives back another one.
    pub(super) fn follow(&mut self, terms: Option<&LeaseTerms>) {
        if self.keeper.as_ref().map(|it| &it.terms) == terms {
            return;
        }
        self.keeper = None;
        let keeper = terms.map(|it| Keeper::start(it.clone(), self.owner.clone(), self.clock));
        match keeper.transpose() {
            Ok(keeper) => self.keeper = keeper,
            // The gate stays closed.
            Err(error) => warn!("cannot ask for the lease: {error}"),
        }
    }

    /// Returns whether we have it, if that is not what was told last.
    fn untold(&self) -> Option<Lease> {
        let lease = self.keeper.as_ref().map_or(Lease::Lost, Keeper::lease);
        let is_news = (lease == Lease::Lost) != (self.told == Lease::Lost);
        is_news.then_some(lease)
    }

    /// Returns whether there is something to be told.
    pub(super) fn has_news(&self) -> bool {
        self.untold().is_some()
    }

    /// Returns whether we have it, to tell it, if that is not what was told last.
    pub(super) fn news(&mut self) -> Option<Lease> {
        let news = self.untold();
        self.told = news.unwrap_or(self.told);
        news
    }

    /// Whoever was told has forgotten it.
    pub(super) const fn forget_told(&mut self) {
        self.told = Lease::Lost;
    }

    /// Waits until there may be news.
    pub(super) async fn wait(&mut self) {
        let is_held = self.told != Lease::Lost;
        match &mut self.keeper {
            Some(keeper) => keeper.wait(is_held).await,
            None => std::future::pending().await,
        }
    }
}

impl Keeper {
    /// Begins to ask for the lease, in the name of that daemon.
    fn start(terms: LeaseTerms, owner: String, clock: Clock) -> io::Result<Self> {
        let first = State {
            lease: Lease::Lost,
            at: clock.timestamp(),
        };
        let (sender, states) = watch::channel(first);
        let (stop, stopped) = mpsc::sync_channel(1);
        let (path, pause) = (PathBuf::from(&*terms.path), terms.ttl / RENEWALS);
        thread::Builder::new()
            .name("lease".to_owned())
            .spawn(move || keep(&path, (&owner, clock), pause, &stopped, &sender))?;
        Ok(Self {
            terms,
            states,
            _stop: stop,
            clock,
        })
    }

    /// Returns whether we have it: one that was not renewed in time is lost.
    fn lease(&self) -> Lease {
        let state = *self.states.borrow();
        let is_old = self.clock.timestamp().since(state.at) >= self.terms.ttl;
        if is_old { Lease::Lost } else { state.lease }
    }

    /// Waits until the thread has found something, or was silent for too long.
    async fn wait(&mut self, is_held: bool) {
        let ttl = self.terms.ttl;
        let at = self.states.borrow().at;
        let left = ttl.saturating_sub(self.clock.timestamp().since(at));
        let pause = if is_held { left } else { ttl };
        // A thread that is gone renews nothing, which is found when its time is over.
        if let Ok(Err(_)) = tokio::time::timeout(pause, self.states.changed()).await {
            tokio::time::sleep(pause).await;
        }
    }
}

/// Asks for the lease, renews it, and asks again when it was lost, until nobody wants it any more.
fn keep(
    path: &Path,
    (owner, clock): (&str, Clock),
    pause: Duration,
    stopped: &mpsc::Receiver<()>,
    states: &watch::Sender<State>,
) {
    let mut held: Option<(File, bool)> = None;
    let mut is_told = false;
    loop {
        let at = clock.timestamp();
        let result = match held.take() {
            Some((file, taken_over)) => renew(file, owner).map(|it| Some((it, taken_over))),
            None => take(path, owner),
        };
        match result {
            Ok(it) => {
                held = it;
                is_told = false;
            }
            Err(error) => {
                if !std::mem::replace(&mut is_told, true) {
                    warn!("cannot have the lease {}: {error}", path.display());
                }
            }
        }
        let lease = match &held {
            Some((_, taken_over)) => Lease::Held {
                taken_over: *taken_over,
            },
            None => Lease::Lost,
        };
        let was = states.send_replace(State { lease, at }).lease;
        if (was == Lease::Lost) != (lease == Lease::Lost) {
            let says = if lease == Lease::Lost { "lost" } else { "had" };
            info!("the lease {} was {says}", path.display());
        }
        match stopped.recv_timeout(pause) {
            Err(mpsc::RecvTimeoutError::Timeout) => (),
            Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Locks the file, if nobody else has; returns it, and whether another daemon had it before.
fn take(path: &Path, owner: &str) -> io::Result<Option<(File, bool)>> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => (),
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let mut before = String::new();
    // What is no text was no daemon's; it is written over.
    let _ = (&file).take(OWNER_MAX).read_to_string(&mut before);
    let taken_over = !before.is_empty() && before.trim_end() != owner;
    let file = renew(file, owner)?;
    Ok(Some((file, taken_over)))
}

/// Writes who has it, to see that it can be written still.
fn renew(mut file: File, owner: &str) -> io::Result<File> {
    file.rewind()?;
    file.write_all(owner.as_bytes())?;
    file.write_all(b"\n")?;
    file.set_len(owner.len() as u64 + 1)?;
    file.sync_data()?;
    Ok(file)
}

/// Returns what names this daemon to others: its host, and where it keeps what it remembers. A
/// daemon that is started again remembers what it asked for itself.
pub(super) fn owner(state_directory: &Path) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{} {}", host.trim(), state_directory.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_and_another_takes_it_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lease");
        let first = take(&path, "a /var").unwrap();
        assert!(matches!(first, Some((_, false))), "nobody had it");
        assert!(take(&path, "b /var").unwrap().is_none(), "it is locked");
        drop(first);
        let again = take(&path, "a /var").unwrap();
        assert!(matches!(again, Some((_, false))), "it was its own");
        drop(again);
        let second = take(&path, "b /var").unwrap();
        assert!(matches!(second, Some((_, true))), "another one had it");
        drop(second);
    }

    #[tokio::test]
    async fn what_another_keeper_drops_is_had() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lease").display().to_string();
        let terms = LeaseTerms {
            path: path.into(),
            ttl: Duration::from_millis(300),
        };
        let clock = Clock::start();
        let mut first = Keeper::start(terms.clone(), "a".to_owned(), clock).unwrap();
        while first.lease() != (Lease::Held { taken_over: false }) {
            first.wait(false).await;
        }
        let mut second = Leasing::new("b".to_owned(), clock);
        second.follow(Some(&terms));
        second.wait().await;
        assert_eq!(second.news(), None, "the other one has it");
        drop(first);
        while second.news() != Some(Lease::Held { taken_over: true }) {
            second.wait().await;
        }
        second.follow(None);
        assert_eq!(second.news(), Some(Lease::Lost), "it was given back");
    }
}
