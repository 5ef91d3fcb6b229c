//! Where every listener stands: cursors, attempts, dead letters.
//!
//! The arithmetic of a ledger, as a value. It stores nothing itself: it says what changed since it
//! was last asked, and which events a note raises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::{Event, Kind, Recorded, Subject};
use crate::listener::{Note, Open, Replay, Standing};
use crate::model::DomainName;
use crate::time::Moment;

/// So many dead letters are kept; beyond it the oldest are dropped, for they are only waiting for
/// a person, and a listener that nobody mends shall not fill the disk.
pub(super) const LETTERS_MAX: usize = 10_000;

/// An event a listener was not told, and will not be unless a person wants it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeadLetter {
    /// Names it, in this journal.
    pub id: u64,
    /// Who was not told.
    pub listener: Arc<str>,
    /// What.
    pub event: Arc<Recorded>,
    /// How many attempts were made.
    pub attempts: u32,
    /// Why the last one failed.
    pub error: Arc<str>,
    /// When it was given up.
    pub time: Moment,
    /// Whether it is to be told again.
    pub is_replayed: bool,
}

/// Where one listener stands.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Account {
    /// Everything up to this number is done with; `None` before the first advance.
    pub(super) cursor: Option<u64>,
    /// Every event up to this number was begun, once at least.
    pub(super) begun: u64,
    /// Events behind the cursor that were begun, but for those of which only that is known.
    pub(super) deliveries: BTreeMap<u64, Attempts>,
    /// Why it could not be told, while it fails.
    pub(super) failing: Option<Arc<str>>,
    /// What the listener itself wants to remember.
    pub(super) memo: Option<String>,
}

impl Account {
    /// Returns the events that were begun, and of which nothing else is known.
    fn swept(&self) -> Vec<u64> {
        let first = self.cursor.unwrap_or_default() + 1;
        let seqs = first..=self.begun;
        seqs.filter(|it| !self.deliveries.contains_key(it))
            .collect()
    }
}

/// What was tried of one event.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Attempts {
    pub(super) begun: u32,
    pub(super) crashes: u32,
    pub(super) is_told: bool,
    /// An attempt was begun and did not end yet.
    pub(super) is_under_way: bool,
}

impl Attempts {
    /// An event whose first attempt was begun.
    const FIRST: Self = Self {
        begun: 1,
        crashes: 0,
        is_told: false,
        is_under_way: true,
    };
}

/// What is to be stored, by key: each is there with its new value, or is gone.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Dirty {
    pub(super) accounts: BTreeSet<Arc<str>>,
    /// Up to where events were begun.
    pub(super) beginnings: BTreeSet<Arc<str>>,
    pub(super) deliveries: BTreeSet<(Arc<str>, u64)>,
    pub(super) letters: BTreeSet<u64>,
}

/// An event that a note raises, without its time.
#[derive(Clone, Debug)]
pub(super) struct Raised {
    kind: Kind,
    text: String,
    about: Option<Arc<Recorded>>,
}

impl Raised {
    /// Returns the event; one that is about another is of its domain.
    pub(super) fn event(self, now: Moment, domain: Option<DomainName>) -> Event {
        let (domain, subject) = match self.about {
            Some(about) => (about.event.domain.clone(), about.event.subject.clone()),
            None => (domain, Subject::default()),
        };
        let mut event = Event::new(now, domain, self.kind, subject);
        event.text = Some(self.text.into());
        event
    }
}

/// Where all listeners of one journal stand.
#[derive(Debug, Default)]
pub(super) struct Book {
    accounts: BTreeMap<Arc<str>, Account>,
    letters: BTreeMap<u64, DeadLetter>,
    last_letter: u64,
    dirty: Dirty,
}

impl Book {
    /// Returns a book that goes on from what was stored.
    pub(super) fn restored(
        accounts: BTreeMap<Arc<str>, Account>,
        letters: BTreeMap<u64, DeadLetter>,
    ) -> Self {
        let last_letter = letters.keys().next_back().copied().unwrap_or_default();
        Self {
            accounts,
            letters,
            last_letter,
            dirty: Dirty::default(),
        }
    }

    /// Returns where a listener stands, `None` if it never advanced.
    pub(super) fn standing(&self, listener: &str) -> Option<Standing> {
        let account = self.accounts.get(listener)?;
        let mut tried = account.deliveries.clone();
        for seq in account.swept() {
            tried.insert(seq, Attempts::FIRST);
        }
        let opens = tried.into_iter().map(|(seq, it)| Open {
            seq,
            attempts: it.begun,
            crashes: it.crashes,
            is_told: it.is_told,
        });
        let letters = self.letters.values();
        let replays = letters
            .filter(|it| it.is_replayed && *it.listener == *listener)
            .map(|it| Replay {
                event: Arc::clone(&it.event),
                attempts: it.attempts,
            });
        Some(Standing {
            cursor: account.cursor?,
            open: opens.collect(),
            replays: replays.collect(),
            memo: account.memo.clone(),
        })
    }

    /// Takes in notes of one listener, and appends what they raise to `raised`.
    pub(super) fn note(
        &mut self,
        now: Moment,
        listener: &str,
        notes: Vec<Note>,
        raised: &mut Vec<Raised>,
    ) {
        let listener: Arc<str> = match self.accounts.get_key_value(listener) {
            Some((known, _)) => Arc::clone(known),
            None => listener.into(),
        };
        for note in notes {
            match note {
                Note::Begin { seq, attempt } => self.begin(&listener, seq, attempt),
                Note::BeginThrough { seq } => self.begin_through(&listener, seq),
                Note::Told { seq } => self.end(&listener, seq, true),
                Note::Failed { seq } => self.end(&listener, seq, false),
                Note::Advance { cursor } => self.advance(&listener, cursor),
                Note::DeadLetter {
                    event,
                    attempts,
                    error,
                } => {
                    self.end(&listener, event.seq, true);
                    self.bury(now, &listener, event, attempts, error.into(), raised);
                }
                Note::Memo { text } => self.account(&listener).memo = Some(text),
                Note::Replayed { seq, result } => {
                    self.replayed(now, &listener, seq, result, raised);
                }
                Note::Failing { error } => {
                    let account = self.account(&listener);
                    if account.failing.is_none() {
                        raised.push(Raised {
                            kind: Kind::ListenerFailing,
                            text: format!("the listener {listener} could not be told: {error}"),
                            about: None,
                        });
                    }
                    account.failing = Some(error.into());
                }
                Note::Recovered => {
                    if self.account(&listener).failing.take().is_some() {
                        raised.push(Raised {
                            kind: Kind::ListenerRecovered,
                            text: format!("the listener {listener} was told again"),
                            about: None,
                        });
                    }
                }
            }
        }
    }

    /// Wants these dead letters told again, and returns those that exist.
    pub(super) fn replay(&mut self, ids: &[u64]) -> Vec<u64> {
        let mut found = Vec::new();
        for id in ids {
            if let Some(letter) = self.letters.get_mut(id) {
                letter.is_replayed = true;
                self.dirty.letters.insert(*id);
                found.push(*id);
            }
        }
        found
    }

    /// Forgets these dead letters, and returns those that existed.
    pub(super) fn drop_letters(&mut self, ids: &[u64]) -> Vec<u64> {
        let existed = ids.iter().filter(|id| self.letters.remove(id).is_some());
        let existed: Vec<u64> = existed.copied().collect();
        self.dirty.letters.extend(&existed);
        existed
    }

    /// Returns every dead letter, the oldest first.
    pub(super) fn letters(&self) -> Vec<DeadLetter> {
        self.letters.values().cloned().collect()
    }

    /// Forgets where all other listeners stand; their dead letters stay.
    pub(super) fn keep(&mut self, names: &[String]) {
        let accounts = std::mem::take(&mut self.accounts);
        for (name, account) in accounts {
            if names.iter().any(|it| **it == *name) {
                self.accounts.insert(name, account);
            } else {
                let gone = account.deliveries.keys();
                let gone = gone.map(|seq| (Arc::clone(&name), *seq));
                self.dirty.deliveries.extend(gone);
                self.dirty.beginnings.insert(Arc::clone(&name));
                self.dirty.accounts.insert(name);
            }
        }
    }

    /// Ends attempts that were under way when the daemon ended, and counts a crash for each if it
    /// ended without goodbye. Whether a listener fails is found out anew.
    pub(super) fn reopen(&mut self, crashed: bool) {
        for (name, account) in &mut self.accounts {
            for seq in account.swept() {
                account.deliveries.insert(seq, Attempts::FIRST);
            }
            if std::mem::take(&mut account.begun) > 0 {
                self.dirty.beginnings.insert(Arc::clone(name));
            }
            for (seq, it) in &mut account.deliveries {
                if std::mem::take(&mut it.is_under_way) {
                    it.crashes += u32::from(crashed);
                    self.dirty.deliveries.insert((Arc::clone(name), *seq));
                }
            }
            if account.failing.take().is_some() {
                self.dirty.accounts.insert(Arc::clone(name));
            }
        }
    }

    /// Returns the least number that some listener still waits behind.
    pub(super) fn slowest(&self) -> Option<u64> {
        self.accounts.values().filter_map(|it| it.cursor).min()
    }

    /// Returns what changed since this was last asked.
    pub(super) fn take_dirty(&mut self) -> Dirty {
        std::mem::take(&mut self.dirty)
    }

    /// Returns where a listener stands, for storing it.
    pub(super) fn find(&self, listener: &str) -> Option<&Account> {
        self.accounts.get(listener)
    }

    /// Returns a dead letter, for storing it.
    pub(super) fn letter(&self, id: u64) -> Option<&DeadLetter> {
        self.letters.get(&id)
    }

    fn account(&mut self, listener: &Arc<str>) -> &mut Account {
        self.dirty.accounts.insert(Arc::clone(listener));
        self.accounts.entry(Arc::clone(listener)).or_default()
    }

    fn begin(&mut self, listener: &Arc<str>, seq: u64, attempt: u32) {
        let account = self.accounts.entry(Arc::clone(listener)).or_default();
        if account.cursor.is_some_and(|cursor| seq <= cursor) {
            // Only a dead letter is told from before the cursor.
            if let Some(id) = self.buried(listener, seq)
                && let Some(letter) = self.letters.get_mut(&id)
            {
                letter.attempts = attempt;
                self.dirty.letters.insert(id);
            }
            return;
        }
        let delivery = account.deliveries.entry(seq).or_default();
        delivery.begun = attempt;
        delivery.is_under_way = true;
        self.dirty.deliveries.insert((Arc::clone(listener), seq));
    }

    fn begin_through(&mut self, listener: &Arc<str>, seq: u64) {
        let account = self.accounts.entry(Arc::clone(listener)).or_default();
        account.begun = account.begun.max(seq);
        self.dirty.beginnings.insert(Arc::clone(listener));
    }

    fn end(&mut self, listener: &Arc<str>, seq: u64, is_told: bool) {
        let account = self.accounts.get_mut(listener);
        let Some(account) = account.filter(|it| it.cursor.is_none_or(|cursor| seq > cursor)) else {
            return;
        };
        let begun = u32::from(seq <= account.begun);
        let delivery = account.deliveries.entry(seq).or_insert(Attempts {
            begun,
            ..Attempts::default()
        });
        delivery.is_under_way = false;
        delivery.is_told |= is_told;
        self.dirty.deliveries.insert((Arc::clone(listener), seq));
    }

    fn advance(&mut self, listener: &Arc<str>, cursor: u64) {
        let account = self.account(listener);
        if account.cursor.is_some_and(|it| cursor <= it) {
            return;
        }
        account.cursor = Some(cursor);
        let behind = account.deliveries.split_off(&cursor.saturating_add(1));
        let done = std::mem::replace(&mut account.deliveries, behind);
        let done = done.into_keys().map(|seq| (Arc::clone(listener), seq));
        self.dirty.deliveries.extend(done);
    }

    fn buried(&self, listener: &str, seq: u64) -> Option<u64> {
        let is_it = |it: &&DeadLetter| it.event.seq == seq && *it.listener == *listener;
        self.letters.values().find(is_it).map(|it| it.id)
    }

    fn bury(
        &mut self,
        now: Moment,
        listener: &Arc<str>,
        event: Arc<Recorded>,
        attempts: u32,
        error: Arc<str>,
        raised: &mut Vec<Raised>,
    ) {
        raised.extend(raised_by(listener, &event, attempts, &error));
        let id = self.buried(listener, event.seq).unwrap_or_else(|| {
            self.last_letter += 1;
            self.last_letter
        });
        let letter = DeadLetter {
            id,
            listener: Arc::clone(listener),
            event,
            attempts,
            error,
            time: now,
            is_replayed: false,
        };
        self.letters.insert(id, letter);
        self.dirty.letters.insert(id);
        while self.letters.len() > LETTERS_MAX {
            let oldest = self.letters.pop_first();
            self.dirty.letters.extend(oldest.map(|(id, _)| id));
        }
    }

    fn replayed(
        &mut self,
        now: Moment,
        listener: &Arc<str>,
        seq: u64,
        result: Result<(), String>,
        raised: &mut Vec<Raised>,
    ) {
        let Some(id) = self.buried(listener, seq) else {
            return;
        };
        match result {
            Ok(()) => {
                self.letters.remove(&id);
                self.dirty.letters.insert(id);
            }
            Err(error) => {
                let Some(letter) = self.letters.get(&id) else {
                    return;
                };
                let (event, attempts) = (Arc::clone(&letter.event), letter.attempts);
                self.bury(now, listener, event, attempts, error.into(), raised);
            }
        }
    }
}

/// Returns what a dead letter raises; nothing if the event is itself about deliveries, or a
/// listener that cannot even be told of its dead letters would make new ones for ever.
fn raised_by(listener: &str, event: &Arc<Recorded>, attempts: u32, error: &str) -> Option<Raised> {
    let is_about_deliveries = matches!(
        event.event.kind,
        Kind::EventDeadLettered | Kind::ListenerFailing | Kind::ListenerRecovered
    );
    (!is_about_deliveries).then(|| Raised {
        kind: Kind::EventDeadLettered,
        text: format!(
            "the listener {listener} was not told {} after {attempts} attempts: {error}",
            event.id()
        ),
        about: Some(Arc::clone(event)),
    })
}

#[cfg(test)]
mod tests;
