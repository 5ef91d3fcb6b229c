//! A journal in memory that can lose its beginning, refuse to be written, and crash.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use crate::event::{Event, Kind, Recorded, Subject};
use crate::listener::{Ledger, LedgerError, Ledgered, Note, Open, Page, Replay, Source, Standing};
use crate::time::{Moment, Timestamp};

pub(super) fn event(kind: Kind, subject: Subject) -> Event {
    let time = Moment::simulated(Timestamp::from_micros(1_732_147_445_678_901));
    Event::new(time, Some("prod".into()), kind, subject)
}

/// Returns a subject: `@peer`, a database, or nothing.
pub(super) fn about(name: &str) -> Subject {
    let mut subject = Subject::default();
    match name.strip_prefix('@') {
        Some(peer) => subject.peer = Some(peer.into()),
        None if name.is_empty() => (),
        None => subject.database = Some(name.into()),
    }
    subject
}

/// What is remembered of one attempt.
#[derive(Clone, Copy, Debug, Default)]
struct Tried {
    attempts: u32,
    crashes: u32,
    is_told: bool,
    is_under_way: bool,
}

#[derive(Debug, Default)]
struct Account {
    cursor: Option<u64>,
    tried: BTreeMap<u64, Tried>,
    memo: Option<String>,
}

/// A dead letter: the event, how often it was tried, why it died, and whether it is to be replayed.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) event: Arc<Recorded>,
    pub(super) attempts: u32,
    pub(super) error: String,
    is_replayed: bool,
}

#[derive(Debug, Default)]
struct Inner {
    lost: u64,
    events: Vec<Arc<Recorded>>,
    accounts: BTreeMap<String, Account>,
    letters: Vec<Letter>,
    /// Everything that was noted, in words.
    notes: Vec<String>,
    is_broken: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Tape {
    inner: Arc<Mutex<Inner>>,
    committed: watch::Sender<u64>,
    replays: watch::Sender<u64>,
}

impl Tape {
    /// Returns a tape that knows the listener `it`, which is done with the first `cursor` events.
    pub(super) fn new(cursor: u64) -> Self {
        let tape = Self::unknown();
        tape.account_at("it", cursor);
        tape
    }

    /// Returns a tape that knows no listener.
    pub(super) fn unknown() -> Self {
        Self {
            inner: Arc::default(),
            committed: watch::Sender::new(0),
            replays: watch::Sender::new(0),
        }
    }

    pub(super) fn account_at(&self, name: &str, cursor: u64) {
        let account = Account {
            cursor: Some(cursor),
            ..Account::default()
        };
        self.inner().accounts.insert(name.to_owned(), account);
    }

    /// Forgets the first events.
    pub(super) fn lose(&self, lost: u64) {
        self.inner().lost = lost;
    }

    pub(super) fn write(&self, events: &[(Kind, &str)]) {
        let mut inner = self.inner();
        for (kind, subject) in events {
            let seq = inner.events.len() as u64 + 1;
            inner.events.push(Arc::new(Recorded {
                epoch: 3,
                seq,
                event: event(*kind, about(subject)),
            }));
        }
        let last = inner.events.len() as u64;
        drop(inner);
        self.committed.send_replace(last);
    }

    /// Refuses to be written from now on, or no more.
    pub(super) fn set_broken(&self, is_broken: bool) {
        self.inner().is_broken = is_broken;
    }

    /// Goes on as after the end of a daemon; whatever was under way was so in a crash.
    pub(super) fn crash(&self) -> Self {
        let inner = std::mem::take(&mut *self.inner());
        let last = inner.events.len() as u64;
        let tape = Self {
            inner: Arc::new(Mutex::new(inner)),
            committed: watch::Sender::new(last),
            replays: watch::Sender::new(0),
        };
        for account in tape.inner().accounts.values_mut() {
            for it in account.tried.values_mut() {
                it.crashes += u32::from(std::mem::take(&mut it.is_under_way));
            }
        }
        tape
    }

    pub(super) fn replay(&self, seq: u64) {
        for it in &mut self.inner().letters {
            it.is_replayed |= it.event.seq == seq;
        }
        self.replays.send_modify(|it| *it += 1);
    }

    pub(super) fn letters(&self) -> Vec<Letter> {
        self.inner().letters.clone()
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.inner().notes.clone()
    }

    pub(super) fn cursor(&self, name: &str) -> Option<u64> {
        self.inner().accounts.get(name)?.cursor
    }

    pub(super) fn memo(&self, name: &str) -> Option<String> {
        self.inner().accounts.get(name)?.memo.clone()
    }

    /// Returns what is behind the cursor: number, attempts, crashes, told.
    pub(super) fn open(&self, name: &str) -> Vec<(u64, u32, u32, bool)> {
        let inner = self.inner();
        let tried = inner.accounts[name].tried.iter();
        tried
            .map(|(seq, it)| (*seq, it.attempts, it.crashes, it.is_told))
            .collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

impl Source for Tape {
    type Mark = u64;

    fn committed(&self) -> watch::Receiver<u64> {
        self.committed.subscribe()
    }

    fn last_seq(&self) -> u64 {
        *self.committed.borrow()
    }

    fn read(&self, after_seq: u64, limit: usize) -> Ledgered<'_, Page> {
        let inner = self.inner();
        let lost = inner.lost;
        let later = inner
            .events
            .iter()
            .filter(|it| it.seq > after_seq.max(lost));
        let page = Page {
            events: later.take(limit).cloned().collect(),
            gap: (after_seq < lost).then(|| after_seq + 1..=lost),
        };
        Box::pin(std::future::ready(Ok(page)))
    }
}

impl Ledger for Tape {
    fn standing<'a>(&'a self, listener: &'a str) -> Ledgered<'a, Option<Standing>> {
        let inner = self.inner();
        let known = inner.accounts.get(listener);
        let standing = known.and_then(|it| {
            let open = it.tried.iter().map(|(seq, it)| Open {
                seq: *seq,
                attempts: it.attempts,
                crashes: it.crashes,
                is_told: it.is_told,
            });
            let replays = inner.letters.iter().filter(|it| it.is_replayed);
            Some(Standing {
                cursor: it.cursor?,
                open: open.collect(),
                replays: replays
                    .map(|it| Replay {
                        event: Arc::clone(&it.event),
                        attempts: it.attempts,
                    })
                    .collect(),
                memo: it.memo.clone(),
            })
        });
        Box::pin(std::future::ready(Ok(standing)))
    }

    fn note<'a>(&'a self, listener: &'a str, notes: Vec<Note>) -> Ledgered<'a, ()> {
        Box::pin(async move {
            // A commit takes its time, so that the others get a turn.
            tokio::task::yield_now().await;
            let mut inner = self.inner();
            if inner.is_broken {
                return Err(LedgerError("the disk is full".into()));
            }
            for note in notes {
                inner.note(listener, note);
            }
            Ok(())
        })
    }

    fn replays(&self) -> watch::Receiver<u64> {
        self.replays.subscribe()
    }
}

impl Inner {
    fn note(&mut self, listener: &str, note: Note) {
        let account = self.accounts.entry(listener.to_owned()).or_default();
        let cursor = account.cursor.unwrap_or_default();
        let words = match note {
            Note::Begin { seq, attempt } => {
                if seq > cursor {
                    let it = account.tried.entry(seq).or_default();
                    (it.attempts, it.is_under_way) = (attempt, true);
                }
                format!("begin {seq} {attempt}")
            }
            Note::BeginThrough { seq } => {
                for seq in cursor + 1..=seq {
                    let it = account.tried.entry(seq).or_default();
                    if it.attempts == 0 {
                        (it.attempts, it.is_under_way) = (1, true);
                    }
                }
                format!("begin through {seq}")
            }
            Note::Told { seq } => {
                let it = account.tried.entry(seq).or_default();
                (it.is_told, it.is_under_way) = (true, false);
                format!("told {seq}")
            }
            Note::Failed { seq } => {
                account.tried.entry(seq).or_default().is_under_way = false;
                format!("failed {seq}")
            }
            Note::Advance { cursor } => {
                assert!(account.cursor.is_none_or(|it| it <= cursor), "it goes back");
                account.cursor = Some(cursor);
                account.tried.retain(|seq, _| *seq > cursor);
                format!("advance {cursor}")
            }
            Note::DeadLetter {
                event,
                attempts,
                error,
            } => {
                let seq = event.seq;
                let it = account.tried.entry(seq).or_default();
                (it.is_told, it.is_under_way) = (true, false);
                self.letters.push(Letter {
                    event,
                    attempts,
                    error,
                    is_replayed: false,
                });
                format!("dead {seq}")
            }
            Note::Memo { text } => {
                let words = format!("memo {text}");
                account.memo = Some(text);
                words
            }
            Note::Replayed { seq, result } => {
                let result = result.is_ok();
                self.letters.retain(|it| it.event.seq != seq || !result);
                for it in &mut self.letters {
                    it.is_replayed &= it.event.seq != seq;
                }
                format!("replayed {seq} {result}")
            }
            Note::Failing { .. } => "failing".to_owned(),
            Note::Recovered => "recovered".to_owned(),
        };
        self.notes.push(words);
    }
}
