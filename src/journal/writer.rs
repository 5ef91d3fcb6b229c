//! The thread that writes: everything that waits, in one transaction, again and again.
//!
//! It gives events their numbers, and tells of them once they are on the disk. When the disk fails
//! it drops what it cannot write, tries by and by, and waits to be told to go on.

use std::sync::Arc;

use tracing::warn;

use super::book::{Book, DeadLetter, Raised};
use super::error::JournalError;
use super::mark::Mark;
use super::recover::{self, Opened, Paths};
use super::ring::Ring;
use super::settings::JournalSettings;
use super::shared::{Reply, Shared, Work};
use super::store::{Group, RETENTION_STEP, Store, StoreError, Turn};
use super::{Batch, Health, Recovered, Ticket, backup};
use crate::event::{Event, Recorded};
use crate::listener::Standing;
use crate::model::DomainName;
use crate::time::{Moment, Timestamp};

/// The file, while it is open.
struct File {
    store: Store,
    mark: Mark,
}

/// Whether it writes.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Mode {
    /// It cannot; with what is wrong if that is the file itself.
    Failed {
        damage: Option<String>,
    },
    Working,
    /// It could, and waits to be told to; with what is wrong with the file.
    Writable {
        damage: Option<String>,
    },
}

/// What the thread has.
pub(super) struct Writer {
    shared: Arc<Shared>,
    paths: Paths,
    settings: JournalSettings,
    /// `None` after an attempt to open it again failed.
    file: Option<File>,
    book: Book,
    mode: Mode,
    /// Asks for a copy of the facts.
    back_up: Box<dyn Fn() + Send>,
    /// The time of the last copy, on the timeline of what is written.
    backed_up: Option<Timestamp>,
    /// Whether facts changed since.
    is_backup_due: bool,
}

/// A group to be, and whom to answer when it is committed.
#[derive(Default)]
struct Draft {
    group: Group,
    ticket: Option<Ticket>,
    answers: Vec<Answer>,
    has_replays: bool,
}

/// An answer that waits for the disk.
enum Answer {
    Done(Reply<()>),
    Letters(Reply<Vec<DeadLetter>>, Vec<DeadLetter>),
    Numbers(Reply<Vec<u64>>, Vec<u64>),
    Standing(Reply<Option<Standing>>, Option<Standing>),
}

impl Answer {
    /// Gives it, or says why not. Whoever asked may have gone.
    fn give(self, failure: Option<&Arc<str>>) {
        fn send<T>(reply: Reply<T>, value: T, failure: Option<&Arc<str>>) {
            let answer = match failure {
                None => Ok(value),
                Some(why) => Err(JournalError::Unusable(Arc::clone(why))),
            };
            let _ = reply.send(answer);
        }
        match self {
            Self::Done(reply) => send(reply, (), failure),
            Self::Letters(reply, letters) => send(reply, letters, failure),
            Self::Numbers(reply, numbers) => send(reply, numbers, failure),
            Self::Standing(reply, standing) => send(reply, standing, failure),
        }
    }
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        paths: Paths,
        settings: JournalSettings,
        opened: Opened,
        back_up: Box<dyn Fn() + Send>,
    ) -> Self {
        let Opened {
            store,
            book,
            mark,
            full,
            ..
        } = opened;
        let mode = match full {
            None => Mode::Working,
            Some(_) => Mode::Failed { damage: None },
        };
        Self {
            shared,
            paths,
            settings,
            file: Some(File { store, mark }),
            book,
            mode,
            back_up,
            backed_up: None,
            is_backup_due: false,
        }
    }

    /// Writes until it is told to close, or nobody is left.
    pub(super) fn run(mut self) {
        loop {
            let pause = match self.mode {
                Mode::Failed { .. } => Some(self.settings.probe_every),
                Mode::Working if self.is_backup_due => Some(self.settings.backup_every),
                Mode::Working | Mode::Writable { .. } => None,
            };
            let mut works = self.shared.take(pause);
            if works.is_empty() {
                self.pass();
                continue;
            }
            let last = works.pop_if(|it| it.is_last());
            self.commit(works);
            match last {
                None => self.retain(),
                Some(Work::Close(reply)) => {
                    self.close();
                    let _ = reply.send(Ok(()));
                    return;
                }
                Some(Work::Reopen(reply)) => self.reopen(*reply),
                Some(_) => {
                    self.shared.close();
                    return;
                }
            }
        }
    }

    /// Does what is due when nothing came for a while.
    fn pass(&mut self) {
        match &self.mode {
            Mode::Failed { damage } => {
                let damage = damage.clone();
                self.probe(damage);
            }
            Mode::Working => self.copy_facts(),
            Mode::Writable { .. } => (),
        }
    }

    fn commit(&mut self, works: Vec<Work>) {
        let Some(file) = &self.file else {
            return refuse(&self.shared, works, &"the file is not open".into());
        };
        if works.is_empty() {
            return;
        }
        let mut draft = Draft::default();
        draft.group.state = file.store.state().clone();
        for work in works {
            self.draft(&mut draft, work);
        }
        draft.group.dirty = self.book.take_dirty();
        let result = self.write(&draft.group);
        match result {
            Ok(()) => self.committed(draft),
            Err(error) => {
                let why = self.fail(&error);
                for answer in draft.answers {
                    answer.give(Some(&why));
                }
            }
        }
    }

    fn write(&mut self, group: &Group) -> Result<(), StoreError> {
        if let Some(file) = &mut self.file
            && !group.is_empty(file.store.state())
        {
            file.store.write(group, &self.book)?;
            file.mark
                .write(file.store.epoch, file.store.state().commits);
        }
        Ok(())
    }

    fn committed(&mut self, draft: Draft) {
        self.is_backup_due |= !draft.group.facts.is_empty();
        let now = draft.group.state.last.map(|it| it.at);
        self.shared.publish(draft.ticket, draft.group.events);
        for answer in draft.answers {
            answer.give(None);
        }
        if draft.has_replays {
            self.shared.replays.send_modify(|it| *it += 1);
        }
        let is_time = match (self.backed_up, now) {
            (Some(before), Some(now)) => now.since(before) >= self.settings.backup_every,
            (None, _) => true,
            (Some(_), None) => false,
        };
        if self.is_backup_due && is_time {
            self.copy_facts();
            self.backed_up = now;
        }
    }

    /// Takes one thing into the next transaction.
    fn draft(&mut self, draft: &mut Draft, work: Work) {
        match work {
            Work::Batch(ticket, batch) => self.take_batch(draft, ticket, batch),
            Work::DropLetters(ids, reply) => {
                let dropped = self.book.drop_letters(&ids);
                draft.answers.push(Answer::Numbers(reply, dropped));
            }
            Work::Keep(names, reply) => {
                self.book.keep(&names);
                draft.answers.push(Answer::Done(reply));
            }
            Work::Letters(reply) => {
                let letters = self.book.letters();
                draft.answers.push(Answer::Letters(reply, letters));
            }
            Work::Note(listener, notes, reply) => {
                let now = self.shared.now().or(draft.group.state.last);
                let now = now.unwrap_or_default();
                let mut raised: Vec<Raised> = Vec::new();
                self.book.note(now, &listener, notes, &mut raised);
                for it in raised {
                    let domain = self.domain(draft);
                    self.number(draft, it.event(now, domain));
                }
                draft.answers.push(Answer::Done(reply));
            }
            Work::Replay(ids, reply) => {
                let replayed = self.book.replay(&ids);
                draft.has_replays |= !replayed.is_empty();
                draft.answers.push(Answer::Numbers(reply, replayed));
            }
            Work::Standing(listener, reply) => {
                let standing = self.book.standing(&listener);
                draft.answers.push(Answer::Standing(reply, standing));
            }
            // They end a group, and stand in none.
            Work::Close(_) | Work::Leave | Work::Reopen(_) => (),
        }
    }

    fn take_batch(&self, draft: &mut Draft, ticket: Ticket, batch: Batch) {
        self.shared.relieve(batch.inputs.len() + batch.events.len());
        draft.ticket = Some(ticket);
        let state = &mut draft.group.state;
        Turn::append(&mut draft.group.turns, state.last_input + 1, &batch.inputs);
        state.last_input += batch.inputs.len() as u64;
        if let Some((time, _)) = batch.inputs.last() {
            state.last = Some(later(state.last, *time));
        }
        if !batch.facts.is_empty() {
            // Whoever writes facts has begun with those it was given.
            state.condition = None;
        }
        for it in batch.facts {
            draft.group.facts.insert(it.key, it.fact);
        }
        for it in batch.events {
            self.number(draft, it);
        }
    }

    /// Gives an event the next number.
    fn number(&self, draft: &mut Draft, event: Event) {
        let state = &mut draft.group.state;
        state.last_seq += 1;
        state.last = Some(later(state.last, event.time));
        draft.group.events.push(Arc::new(Recorded {
            epoch: self.shared.epoch(),
            seq: state.last_seq,
            event,
        }));
    }

    /// Returns the domain of the last event; all of a journal are of one.
    fn domain(&self, draft: &Draft) -> Option<DomainName> {
        let last = draft.group.events.last().cloned();
        let last = last.or_else(|| self.shared.ring().last().cloned());
        last.and_then(|it| it.event.domain.clone())
    }

    /// Forgets what is too old, as long as nobody waits.
    fn retain(&mut self) {
        let slowest = self.book.slowest();
        while self.mode == Mode::Working
            && let Some(file) = &mut self.file
        {
            match file.store.forget(&self.settings, slowest, RETENTION_STEP) {
                Ok(true) if !self.shared.is_busy() => (),
                Ok(_) => return,
                Err(error) => {
                    self.fail(&error);
                }
            }
        }
    }

    /// From here on nothing is written; returns why.
    fn fail(&mut self, error: &StoreError) -> Arc<str> {
        let why: Arc<str> = error.to_string().into();
        self.mode = Mode::Failed {
            damage: error.damage(),
        };
        let refused = self.shared.fail(&why);
        refuse(&self.shared, refused, &why);
        why
    }

    fn tell(&self, health: Health) {
        self.shared.progress.send_modify(|it| it.health = health);
    }

    /// Looks whether it could go on.
    fn probe(&mut self, damage: Option<String>) {
        let is_writable = match &mut self.file {
            // The file as it is will not be written any more.
            Some(_) if damage.is_some() => true,
            Some(file) => file.store.probe().is_ok(),
            None => true,
        };
        if is_writable {
            self.mode = Mode::Writable { damage };
            self.tell(Health::Writable);
        }
    }

    /// Reads the file again and goes on from there.
    fn reopen(&mut self, reply: Reply<Recovered>) {
        let damage = match &self.mode {
            Mode::Failed { damage } | Mode::Writable { damage } => damage.clone(),
            Mode::Working => None,
        };
        if let Some(file) = self.file.take()
            && damage.is_some()
            && let Ok(stored) = file.store.facts()
        {
            // The damage is elsewhere: no fact need be older than it is.
            let state = file.store.state();
            let written = backup::write(&self.paths.backup, file.store.epoch, state, &stored);
            warn_of(&self.paths, written);
        }
        let opened = recover::open(&self.paths, &self.settings, damage.as_deref());
        let opened = opened.and_then(|it| match &it.full {
            None => Ok(it),
            Some(why) => Err(JournalError::Unusable(Arc::clone(why))),
        });
        match opened {
            Ok(opened) => {
                let recovered = opened.recovered.clone();
                let ring = ring_of(&opened, self.settings.remembered);
                let Opened {
                    store, book, mark, ..
                } = opened;
                self.file = Some(File { store, mark });
                self.book = book;
                self.mode = Mode::Working;
                self.shared.replace(ring, recovered.epoch);
                self.shared.welcome();
                let _ = reply.send(Ok(recovered));
            }
            Err(error) => {
                self.mode = Mode::Failed { damage: None };
                self.tell(Health::Failed {
                    why: error.to_string().into(),
                });
                let _ = reply.send(Err(error));
            }
        }
    }

    /// Has the facts copied, beside the work.
    fn copy_facts(&mut self) {
        if self.is_backup_due {
            self.is_backup_due = false;
            (self.back_up)();
        }
    }

    /// Writes that this is a goodbye, copies the facts, and puts the log away.
    fn close(&mut self) {
        self.shared.close();
        let Some(file) = self.file.as_mut().filter(|_| self.mode == Mode::Working) else {
            return;
        };
        self.book.reopen(false);
        let mut group = Group {
            dirty: self.book.take_dirty(),
            state: file.store.state().clone(),
            ..Group::default()
        };
        group.state.is_open = false;
        let closed = file.store.write(&group, &self.book);
        file.mark
            .write(file.store.epoch, file.store.state().commits);
        let copied = file.store.facts().map(|stored| {
            let _alone = self.shared.copying();
            let state = file.store.state();
            let written = backup::write(&self.paths.backup, file.store.epoch, state, &stored);
            warn_of(&self.paths, written);
        });
        let checkpointed = file.store.checkpoint();
        for error in [closed, copied, checkpointed]
            .into_iter()
            .filter_map(Result::err)
        {
            let journal = self.paths.journal.display();
            warn!(%journal, %error, "the journal could not be closed in order");
        }
    }
}

/// Says that the facts could not be copied, which nobody else can.
pub(super) fn warn_of(paths: &Paths, written: std::io::Result<()>) {
    if let Err(error) = written {
        let path = paths.backup.display();
        warn!(%path, %error, "the facts could not be copied; the journal itself has them");
    }
}

/// Returns the last events of a journal that was opened, with what comes before them on the disk.
pub(super) fn ring_of(opened: &Opened, capacity: usize) -> Ring {
    let first = opened.tail.first().map(|it| it.seq);
    let forgotten = first.map_or(opened.recovered.last_seq, |it| it - 1);
    let mut ring = Ring::new(capacity.max(opened.tail.len()), forgotten);
    for it in &opened.tail {
        ring.push(Arc::clone(it));
    }
    ring
}

/// Drops batches, and tells everybody else that there is no answer.
fn refuse(shared: &Shared, works: Vec<Work>, why: &Arc<str>) {
    fn fail<T>(reply: Reply<T>, why: &Arc<str>) {
        let _ = reply.send(Err(JournalError::Unusable(Arc::clone(why))));
    }
    for work in works {
        match work {
            Work::Batch(_, batch) => shared.relieve(batch.inputs.len() + batch.events.len()),
            Work::Close(reply) | Work::Keep(_, reply) | Work::Note(_, _, reply) => {
                fail(reply, why);
            }
            Work::DropLetters(_, reply) | Work::Replay(_, reply) => fail(reply, why),
            Work::Leave => (),
            Work::Letters(reply) => fail(reply, why),
            Work::Reopen(reply) => fail(*reply, why),
            Work::Standing(_, reply) => fail(reply, why),
        }
    }
}

/// Returns the later of two moments: the end of what was recorded never goes back.
fn later(one: Option<Moment>, other: Moment) -> Moment {
    one.filter(|it| it.at > other.at).unwrap_or(other)
}
