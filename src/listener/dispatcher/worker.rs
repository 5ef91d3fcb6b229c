//! The worker of one listener: moves events from the source to the queue, runs to the hands, and
//! notes to the ledger, all at the same time.
//!
//! What is told when, and what follows from a failure, is decided by the queue.

mod life;
mod outcome;

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio::time::{Interval, Sleep, sleep};
use tracing::warn;

use super::Cursor;
use super::entity::Entity;
use super::hand::Hand;
use super::queue::{Fate, Key, Manner, Queue};
use crate::event::{Event, Kind, Recorded, Subject};
use crate::listener::ListenerError;
use crate::listener::ledger::{Ledger, LedgerError, Note, Open, Standing};
use crate::listener::record::Record;
use crate::listener::registration::{Hooks, Registration};
use crate::listener::settings::mix;
use crate::listener::source::{Page, Source};

/// How many events are read at a time.
const PAGE: usize = 512;

/// So many events wait in memory at most.
const LIMIT: usize = 16_384;

/// So many events are under way at most: what a crash makes doubtful at once.
const WINDOW_MAX: usize = 8_192;

/// How often it is looked how fast a listener is: what it is told in this time may be under way at
/// once, so that fast ones cost few commits and slow ones leave little in doubt.
const PACE: Duration = Duration::from_millis(50);

/// So many events told while it had to wait for the journal make a listener a quick one.
const QUICK: usize = 4;

/// How long to wait before asking a journal again that could not be read or written.
const LEDGER_PAUSE: Duration = Duration::from_millis(200);

/// How far a cursor may lag when nothing but it would have to be noted: in events, and for how
/// long.
const LAG: u64 = 1_024;
const LULL: Duration = Duration::from_secs(1);

/// How long the last note, and an instance's farewell, may take when a worker ends.
pub(super) const CLOSING: Duration = Duration::from_secs(2);

/// What a worker is told to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// Tell what there is up to here, again and again if it fails, then end: there is no later.
    Drain { last: u64, grace: Duration },
    /// Tell what there is up to here, then end.
    Flush { last: u64, grace: Duration },
    /// End; what is under way may end first.
    Retire(Duration),
    /// Tell whatever comes.
    Work,
}

/// The worker's ends of what connects it with its dispatcher.
pub(super) struct Ends {
    pub(super) orders: watch::Receiver<Order>,
    pub(super) alarms: mpsc::Receiver<Event>,
    pub(super) settled: watch::Sender<bool>,
    pub(super) cursor: Cursor,
}

/// Something that was started and is done.
enum Done {
    /// An instance called the listener without an event.
    Called(Hand, Result<(), ListenerError>),
    /// It is time to look whether only the cursor is to be noted.
    Lull,
    /// Notes were written, or were not.
    Noted(Result<(), LedgerError>),
    /// The time to end in has passed.
    Overdue,
    /// It is time to look how fast the listener is.
    Paced,
    /// Events were read.
    Read(Result<Page, LedgerError>),
    /// A journal that failed may be asked again.
    Recheck,
    /// Events have rested.
    Rested(Vec<Key>),
    /// It was asked what is to be told again.
    Stood(Result<Option<Standing>, LedgerError>),
    /// An instance has made its attempts.
    Told(Hand, Vec<(Key, Fate)>),
}

/// Tells one listener.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is about something of its own that may be so at the same time"
)]
pub(super) struct Worker<J> {
    journal: Arc<J>,
    registration: Arc<Registration>,
    hooks: Hooks,
    ends: Ends,
    /// Where it begins if the journal does not know it.
    begin: u64,
    work: JoinSet<Done>,
    idle: Vec<Hand>,
    /// What instances are busy with, by task.
    busy: HashMap<Id, (AbortHandle, Vec<Key>)>,
    queue: Queue,
    /// What was tried before this worker, by number.
    opens: BTreeMap<u64, Open>,
    /// The notes that are being written, or wait for the journal.
    noting: Option<Vec<Note>>,
    is_reading: bool,
    /// What comes behind a gap that is still being told.
    held: Option<Page>,
    /// Nothing more can be read before more is committed.
    is_dry: bool,
    /// The journal fails; it is asked again after a pause.
    is_refused: bool,
    is_lulled: bool,
    /// It was never seen, and its place is to be noted when it heard what is there.
    is_new: bool,
    memo: Option<String>,
    /// When the listener wants to be called without an event.
    call_due: Option<Pin<Box<Sleep>>>,
    window: usize,
    told_lately: usize,
    told_since_note: usize,
    /// Told while each note found it with nothing to tell.
    told_starving: usize,
    /// A note found it so since it was last looked how fast it is.
    has_starved: bool,
    is_paced: bool,
    is_overdue: bool,
    has_warned: bool,
    last_volatile: u64,
}

impl<J: Source + Ledger> Worker<J> {
    pub(super) fn new(
        journal: Arc<J>,
        registration: Registration,
        hooks: Hooks,
        begin: u64,
        ends: Ends,
    ) -> Self {
        let registration = Arc::new(registration);
        let terms = &registration.terms;
        let hands = terms.concurrency.max(1);
        let mut idle: Vec<Hand> = (0..hands)
            .map(|_| Hand::new(&registration, &hooks))
            .collect();
        let is_atomic = idle.first_mut().is_none_or(|it| it.listener().is_atomic());
        let manner = Manner {
            name: registration.name.clone(),
            deliver: terms.deliver,
            retry: terms.retry,
            batch: usize::try_from(terms.batch.max(1)).unwrap_or(usize::MAX),
            is_atomic,
            is_spread: hands > 1 || !is_atomic,
            seed: registration
                .name
                .bytes()
                .fold(0, |seed, it| mix(seed ^ u64::from(it))),
        };
        Self {
            window: idle.len() * manner.batch,
            queue: Queue::new(manner, begin),
            journal,
            registration,
            hooks,
            ends,
            begin,
            work: JoinSet::new(),
            idle,
            busy: HashMap::new(),
            opens: BTreeMap::new(),
            noting: None,
            is_reading: false,
            held: None,
            is_dry: false,
            is_refused: false,
            is_lulled: false,
            is_new: false,
            memo: None,
            call_due: None,
            told_lately: 0,
            told_since_note: 0,
            told_starving: 0,
            has_starved: false,
            is_paced: false,
            is_overdue: false,
            has_warned: false,
            last_volatile: 0,
        }
    }

    /// Tells the listener until it is told to end.
    pub(super) async fn run(mut self) {
        if self.open().await.is_none() {
            return;
        }
        let mut committed = self.journal.committed();
        let mut replays = self.journal.replays();
        let mut heartbeat = self.heartbeat();
        loop {
            // Marked as seen before looking: what comes later wakes us again.
            committed.mark_unchanged();
            self.advance();
            if self.is_over() {
                break;
            }
            tokio::select! {
                Some(done) = self.work.join_next_with_id() => {
                    self.take_in(done);
                    while let Some(done) = self.work.try_join_next_with_id() {
                        self.take_in(done);
                    }
                }
                Ok(()) = committed.changed() => self.is_dry = false,
                Ok(()) = replays.changed() => self.ask_standing(),
                ordered = self.ends.orders.changed() => match ordered {
                    Ok(()) => self.obey(),
                    Err(_gone) => return,
                },
                Some(event) = self.ends.alarms.recv() => self.alarm(event),
                () = tick(&mut heartbeat) => self.beat(),
                () = rest(&mut self.call_due) => self.call(),
            }
        }
        self.close().await;
    }

    /// Starts whatever can be started.
    fn advance(&mut self) {
        if self.is_new && !self.queue.has(&Entity::Introduction) {
            self.is_new = false;
            let cursor = self.begin;
            self.queue.remember(Note::Advance { cursor });
        }
        let order = *self.ends.orders.borrow();
        let last = match order {
            Order::Drain { last, .. } | Order::Flush { last, .. } => last,
            Order::Retire(_) => 0,
            Order::Work => u64::MAX,
        };
        self.read(last);
        self.ends.cursor.advance(self.queue.cursor());
        self.ends.cursor.queue(self.queue.len());
        let is_retired = matches!(order, Order::Retire(_));
        if !self.is_overdue && !is_retired {
            self.assign();
        }
        self.note(if is_retired { 0 } else { self.window });
        if !self.is_lulled && self.noting.is_none() && self.queue.lag() > 0 {
            self.is_lulled = true;
            self.work.spawn(async {
                sleep(LULL).await;
                Done::Lull
            });
        }
    }

    /// Reads on, if there is room for more.
    fn read(&mut self, last: u64) {
        if !self.queue.has_events()
            && let Some(page) = self.held.take()
        {
            self.put(page);
        }
        let after = self.queue.read_to();
        let is_there = self.journal.last_seq().min(last) > after;
        let is_able = !self.is_reading && !self.is_dry && !self.is_refused && !self.is_new;
        if !is_able || !is_there || self.held.is_some() || self.queue.len() >= LIMIT {
            return;
        }
        self.is_reading = true;
        let journal = Arc::clone(&self.journal);
        self.work
            .spawn(async move { Done::Read(journal.read(after, PAGE).await) });
    }

    /// Puts what was read into the queue.
    fn put(&mut self, page: Page) {
        if let (Some(gap), Some(next)) = (page.gap.clone(), page.events.first()) {
            if self.queue.has_events() {
                // Nothing behind the gap is told before it, and nothing before it behind.
                self.held = Some(page);
                return;
            }
            let (first, last) = gap.into_inner();
            let listener = &self.registration.name;
            warn!(
                listener,
                first, last, "events were lost before this listener was told of them"
            );
            let told = Arc::new(lost(first, last, next));
            let open = self.opens.remove(&last);
            self.queue.push(told, open);
            self.held = Some(Page { gap: None, ..page });
            return;
        }
        self.is_dry = page.events.is_empty();
        for event in page.events {
            let seq = event.seq;
            if self.admits(&event) {
                let open = self.opens.remove(&seq);
                self.queue.push(event, open);
            } else {
                self.queue.skip_to(seq);
            }
        }
    }

    fn admits(&mut self, recorded: &Recorded) -> bool {
        let terms = &self.registration.terms;
        if !terms.admit(recorded) {
            return false;
        }
        let Some(expression) = terms.where_.as_ref() else {
            return true;
        };
        if recorded.event.kind == Kind::Gap {
            return true;
        }
        expression
            .holds(&Record::new(recorded))
            .unwrap_or_else(|error| {
                if !std::mem::replace(&mut self.has_warned, true) {
                    let (listener, id) = (&self.registration.name, recorded.id());
                    warn!(
                        listener, %id, error,
                        "the where expression makes no sense of an event, which is told; this is \
                         said once"
                    );
                }
                true
            })
    }

    /// Gives idle instances what they shall tell.
    fn assign(&mut self) {
        while !self.idle.is_empty() {
            let Some(run) = self.queue.take(self.idle.len()) else {
                return;
            };
            let Some(mut hand) = self.idle.pop() else {
                return;
            };
            let keys = run.iter().flatten().map(|it| it.key).collect();
            let task = self.work.spawn(async move {
                let fates = hand.tell(run).await;
                Done::Told(hand, fates)
            });
            self.busy.insert(task.id(), (task, keys));
        }
    }

    /// Writes down what became of events, and which are begun next.
    fn note(&mut self, window: usize) {
        if self.noting.is_some() || self.is_new {
            return;
        }
        // A quick listener is told the second half while the first is noted, and not one event
        // while all the others are.
        let is_busy = window > self.least_window() && self.queue.in_hand() > window / 2;
        if is_busy && !self.queue.is_urgent() {
            return;
        }
        let lags = self.queue.lag() > LAG;
        if !self.queue.has_news(window) && !lags {
            return;
        }
        let notes = self.queue.compose(window);
        self.write(notes);
    }

    fn write(&mut self, notes: Vec<Note>) {
        if notes.is_empty() {
            return;
        }
        self.noting = Some(notes.clone());
        let (journal, registration) = (Arc::clone(&self.journal), Arc::clone(&self.registration));
        self.work
            .spawn(async move { Done::Noted(journal.note(&registration.name, notes).await) });
    }
}

/// Returns the event that tells of a gap, in the place of the last one lost.
fn lost(first: u64, last: u64, next: &Recorded) -> Recorded {
    let text = format!("events {first} to {last} were lost");
    let event = Event {
        text: Some(text.into()),
        ..Event::new(
            next.event.time,
            next.event.domain.clone(),
            Kind::Gap,
            Subject::default(),
        )
    };
    Recorded {
        epoch: next.epoch,
        seq: last,
        event,
    }
}

/// Waits for the next heartbeat, for ever if there are none.
async fn tick(heartbeat: &mut Option<Interval>) {
    match heartbeat {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

/// Waits until it is time, for ever if there is none.
async fn rest(until: &mut Option<Pin<Box<Sleep>>>) {
    match until {
        Some(sleep) => sleep.await,
        None => std::future::pending().await,
    }
}
