//! What one listener is still to be told, in which order, and what is to be remembered of it.
//!
//! A machine without a clock or a runtime: it is told what is there and what became of an attempt,
//! and says what to note, what to tell, and who rests for how long.

mod plan;
mod settle;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::entity::Entity;
use super::hand::{Job, Run};
use crate::event::{Kind, Recorded};
use crate::listener::ListenerError;
use crate::listener::ledger::{Note, Open};
use crate::listener::settings::{Deliver, Retry};
use plan::Plan;

/// So many events that fail in a row mean that the listener fails, and not the events: nothing
/// new is begun until one of those that failed is told, or given up.
pub(super) const OUTAGE: usize = 3;

/// So many daemons that ended while an event was told mean that it may be the event that ends them.
const CRASHES: u32 = 2;

/// How long a listener may ask to be left alone at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);

/// How many jobs a run has at most, so that what became of them is noted now and then.
const RUN: usize = 256;

/// So many first attempts in a row are one note, if the last is no further from the cursor than
/// that: whatever lies between counts as begun.
const ROW_MIN: usize = 32;
const ROW_MAX: u64 = 16_384;

/// Names something to be told, in the order of telling.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Key {
    /// An event in no journal, by its place in the row of those.
    Volatile(u64),
    /// A dead letter, by its number.
    Replay(u64),
    /// An event of the journal, by its number.
    Event(u64),
}

/// What became of one event in a run.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    /// A batch with it was refused as a whole; it may not have been its fault.
    Doubted(Arc<ListenerError>),
    /// The listener did not take it.
    Failed(Arc<ListenerError>),
    /// The listener took it.
    Told,
    /// It was not its turn.
    Untold,
}

/// Where an event is on its way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Its attempt is being noted.
    Beginning,
    /// Its attempt is noted and may be made.
    Ready,
    /// It failed, and its next attempt is not due.
    Resting,
    /// Its attempt is being made.
    UnderWay,
    /// Nothing was done about it yet.
    Waiting,
}

#[derive(Debug)]
struct Item {
    event: Arc<Recorded>,
    entity: Entity,
    /// How many attempts were begun.
    attempts: u32,
    /// Whether nothing else may be under way with it, so that what it does is its own doing.
    is_alone: bool,
    /// Whether an attempt failed.
    has_failed: bool,
    state: State,
}

/// The events of one entity, in order.
#[derive(Debug, Default)]
struct Lane {
    keys: VecDeque<Key>,
    /// How many of the first are under way.
    taken: usize,
    /// Whether some of them failed and rest.
    resting: usize,
}

/// How a listener is told.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    pub(super) name: String,
    pub(super) deliver: Deliver,
    pub(super) retry: Retry,
    /// How many events an attempt may tell.
    pub(super) batch: usize,
    /// Whether a batch is taken or refused as a whole.
    pub(super) is_atomic: bool,
    /// Whether several entities are told at once.
    pub(super) is_spread: bool,
    /// What makes its pauses differ from those of others.
    pub(super) seed: u64,
}

/// What one listener is still to be told.
#[derive(Debug)]
pub(super) struct Queue {
    manner: Manner,
    items: BTreeMap<Key, Item>,
    lanes: HashMap<Entity, Lane>,
    waiting: BTreeSet<Key>,
    ready: BTreeSet<Key>,
    /// Whose attempts are being noted.
    beginning: Vec<Key>,
    /// How many attempts are being made.
    under_way: usize,
    /// How many failed and are neither told nor given up.
    tried: usize,
    /// The one that is being told alone.
    alone: Option<Key>,
    /// How many attempts failed since the last that did not.
    failures: usize,
    is_failing: bool,
    /// Everything up to here was put into the queue, or is not wanted.
    read_to: u64,
    /// The cursor as it was last noted.
    noted: u64,
    /// Told since then.
    told: Vec<u64>,
    notes: Vec<Note>,
    volatile: u64,
}

impl Queue {
    /// Returns an empty queue behind `cursor`.
    pub(super) fn new(manner: Manner, cursor: u64) -> Self {
        Self {
            manner,
            items: BTreeMap::new(),
            lanes: HashMap::new(),
            waiting: BTreeSet::new(),
            ready: BTreeSet::new(),
            beginning: Vec::new(),
            under_way: 0,
            tried: 0,
            alone: None,
            failures: 0,
            is_failing: false,
            read_to: cursor,
            noted: cursor,
            told: Vec::new(),
            notes: Vec::new(),
            volatile: 0,
        }
    }

    /// Returns how the listener is told.
    pub(super) fn manner(&self) -> &Manner {
        &self.manner
    }

    /// Returns how many events are here.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns up to where the queue has seen everything.
    pub(super) fn read_to(&self) -> u64 {
        self.read_to
    }

    /// Says that everything up to `seq` was put in, or is not wanted.
    pub(super) fn skip_to(&mut self, seq: u64) {
        self.read_to = self.read_to.max(seq);
    }

    /// Returns up to where everything is done with.
    pub(super) fn cursor(&self) -> u64 {
        match self.items.range(Key::Event(0)..).next() {
            Some((Key::Event(seq), _)) => seq - 1,
            Some(_) | None => self.read_to,
        }
    }

    /// Returns whether nothing is noted or told right now.
    pub(super) fn is_quiet(&self) -> bool {
        self.beginning.is_empty() && self.under_way == 0
    }

    /// Returns whether nothing can be told before what is being noted is.
    pub(super) fn is_starved(&self) -> bool {
        !self.beginning.is_empty() && self.ready.is_empty() && self.under_way == 0
    }

    /// Returns how many are told or can be without a note.
    pub(super) fn in_hand(&self) -> usize {
        self.ready.len() + self.under_way
    }

    /// Returns whether there is more to note than what was told.
    pub(super) fn is_urgent(&self) -> bool {
        !self.notes.is_empty()
    }

    /// Returns whether there is nothing that could be told now.
    pub(super) fn is_exhausted(&self) -> bool {
        self.is_quiet()
            && self.ready.is_empty()
            && !self.waiting.iter().any(|it| self.may_begin(*it))
    }

    /// Puts in an event of the journal, with what was tried of it before.
    pub(super) fn push(&mut self, event: Arc<Recorded>, open: Option<Open>) {
        let key = Key::Event(event.seq);
        self.skip_to(event.seq);
        let entity = Entity::of(&event);
        if self.manner.deliver == Deliver::Latest && event.event.kind != Kind::Gap {
            self.supersede(&entity);
        }
        let open = open.filter(|it| it.attempts > 0 || it.is_told);
        if open.is_some_and(|it| it.is_told) {
            return;
        }
        let (attempts, crashes) = open.map_or((0, 0), |it| (it.attempts, it.crashes));
        if crashes >= CRASHES {
            self.notes.push(Note::DeadLetter {
                event,
                attempts,
                error: format!("the daemon ended {crashes} times while this was told"),
            });
            return;
        }
        let is_alone = crashes > 0 || event.event.kind == Kind::Gap;
        self.insert(key, entity, event, attempts, is_alone);
    }

    /// Puts in a dead letter that is to be told again.
    pub(super) fn push_replay(&mut self, event: Arc<Recorded>, attempts: u32) {
        let key = Key::Replay(event.seq);
        if !self.items.contains_key(&key) {
            let entity = Entity::of(&event);
            self.insert(key, entity, event, attempts, true);
        }
    }

    /// Puts in an event that is in no journal.
    pub(super) fn push_volatile(&mut self, entity: Entity, event: Arc<Recorded>) {
        self.volatile += 1;
        self.insert(Key::Volatile(self.volatile), entity, event, 0, false);
    }

    /// Returns whether something of the entity is here.
    pub(super) fn has(&self, entity: &Entity) -> bool {
        self.lanes.contains_key(entity)
    }

    /// Returns whether events of the journal are here.
    pub(super) fn has_events(&self) -> bool {
        self.items.range(Key::Event(0)..).next().is_some()
    }

    fn insert(
        &mut self,
        key: Key,
        entity: Entity,
        event: Arc<Recorded>,
        attempts: u32,
        is_alone: bool,
    ) {
        let lane = self.lanes.entry(entity.clone()).or_default();
        let place = match key {
            // A dead letter is older than whatever nothing was done about yet.
            Key::Replay(_) => lane.keys.iter().position(|it| {
                let is_new = |it: &Item| it.state == State::Waiting && !it.has_failed;
                *it > key && self.items.get(it).is_some_and(is_new)
            }),
            Key::Event(_) | Key::Volatile(_) => None,
        };
        lane.keys.insert(place.unwrap_or(lane.keys.len()), key);
        let mut item = Item {
            event,
            entity,
            attempts,
            is_alone,
            has_failed: false,
            state: State::Waiting,
        };
        match key {
            // There is nothing to note before it is told.
            Key::Volatile(_) => {
                item.state = State::Ready;
                self.ready.insert(key);
            }
            Key::Event(_) | Key::Replay(_) => {
                self.waiting.insert(key);
            }
        }
        self.items.insert(key, item);
    }

    /// Lets go of what waits or rests of an entity: something newer comes.
    fn supersede(&mut self, entity: &Entity) {
        let Some(lane) = self.lanes.get(entity) else {
            return;
        };
        let idle = lane.keys.iter().copied().filter(|key| {
            let item = self.items.get(key);
            let is_idle = |it: &Item| matches!(it.state, State::Waiting | State::Resting);
            matches!(key, Key::Event(_)) && item.is_some_and(is_idle)
        });
        for key in idle.collect::<Vec<_>>() {
            self.remove(key);
        }
    }

    /// Takes a thing that is not under way out of everywhere.
    fn remove(&mut self, key: Key) -> Option<Item> {
        let item = self.items.remove(&key)?;
        self.waiting.remove(&key);
        self.ready.remove(&key);
        self.tried -= usize::from(item.has_failed);
        if self.alone == Some(key) {
            self.alone = None;
        }
        if let Some(lane) = self.lanes.get_mut(&item.entity) {
            lane.resting -= usize::from(item.state == State::Resting);
            if lane.keys.front() == Some(&key) {
                lane.keys.pop_front();
            } else {
                lane.keys.retain(|it| *it != key);
            }
            if lane.keys.is_empty() {
                self.lanes.remove(&item.entity);
            }
        }
        Some(item)
    }

    /// Returns whether a thing that waits could be begun by and by.
    fn may_begin(&self, key: Key) -> bool {
        let Some(item) = self.items.get(&key) else {
            return false;
        };
        let lane = self.lanes.get(&item.entity);
        let is_free = lane.is_some_and(|it| it.resting == 0);
        let is_outage = self.failures >= OUTAGE && self.tried >= OUTAGE;
        is_free && (item.has_failed || !is_outage)
    }

    /// Returns whether there is something to note before anything else can be told.
    pub(super) fn has_news(&self, window: usize) -> bool {
        !self.notes.is_empty() || !self.told.is_empty() || !self.choose(window, 1).is_empty()
    }

    /// Returns how far the cursor is from where it was last noted.
    pub(super) fn lag(&self) -> u64 {
        self.cursor().saturating_sub(self.noted)
    }

    /// Adds something to be noted.
    pub(super) fn remember(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// Returns what is to be noted now, attempts for up to `window` events included. They may be
    /// made once it is [committed](Self::committed).
    pub(super) fn compose(&mut self, window: usize) -> Vec<Note> {
        let cursor = self.cursor();
        let mut notes = std::mem::take(&mut self.notes);
        let out_of_turn = self.told.drain(..).filter(|it| *it > cursor);
        notes.extend(out_of_turn.map(|seq| Note::Told { seq }));
        if cursor > self.noted {
            notes.push(Note::Advance { cursor });
            self.noted = cursor;
        }
        let chosen = self.choose(window, usize::MAX);
        for key in &chosen {
            self.waiting.remove(key);
            self.beginning.push(*key);
            let Some(item) = self.items.get_mut(key) else {
                continue;
            };
            item.state = State::Beginning;
            item.attempts += 1;
            if item.is_alone {
                self.alone = Some(*key);
            }
        }
        self.note_beginnings(&chosen, &mut notes);
        notes
    }

    /// Notes that these are begun: many first attempts in a row as one.
    fn note_beginnings(&self, chosen: &[Key], notes: &mut Vec<Note>) {
        let through = self.last_in_a_row(chosen);
        notes.extend(through.map(|seq| Note::BeginThrough { seq }));
        for key in chosen {
            let attempt = self.items[key].attempts;
            let (Key::Event(seq) | Key::Replay(seq)) = *key else {
                continue;
            };
            let is_first = attempt == 1 && matches!(key, Key::Event(_));
            if !(is_first && through.is_some_and(|it| seq <= it)) {
                notes.push(Note::Begin { seq, attempt });
            }
        }
    }

    /// Returns the last of those chosen that has nothing before it that was never begun, if they
    /// are many and near the cursor.
    fn last_in_a_row(&self, chosen: &[Key]) -> Option<u64> {
        let is_untouched = |key: &&Key| {
            matches!(key, Key::Event(_)) && self.items.get(key).is_some_and(|it| it.attempts == 0)
        };
        let untouched = self.waiting.iter().find(is_untouched);
        let row = chosen.iter().filter_map(|key| match key {
            Key::Event(seq) if untouched.is_none_or(|it| key < it) => Some(*seq),
            Key::Event(_) | Key::Replay(_) | Key::Volatile(_) => None,
        });
        let last = row.clone().max()?;
        (row.count() >= ROW_MIN && last - self.cursor() <= ROW_MAX).then_some(last)
    }

    /// Returns what is to be begun next, up to `limit`, if no more than `window` may be under way.
    fn choose(&self, window: usize, limit: usize) -> Vec<Key> {
        let mut chosen = Vec::new();
        let busy = self.beginning.len() + self.ready.len() + self.under_way;
        // What is ready and not under way when nothing is waits behind something that failed.
        let least = usize::from(window > 0 && self.is_quiet());
        let room = window.saturating_sub(busy).max(least).min(limit);
        if self.alone.is_some() || room == 0 {
            return chosen;
        }
        let front_of = |item: &Item| self.lanes.get(&item.entity)?.keys.front();
        let is_front = |key: &Key| front_of(&self.items[key]) == Some(key);
        // Of what is ready, only that counts which does not wait for a thing that waits itself.
        let is_next = |key: &Key| is_front(key) && self.may_begin(*key);
        let fronts = self.fronts();
        let rest = self.waiting.iter();
        let rest = rest.filter(|it| fronts.binary_search(it).is_err());
        let mut behind = BTreeSet::new();
        for key in fronts.iter().chain(rest) {
            if !self.may_begin(*key) {
                continue;
            }
            let item = &self.items[key];
            let is_outage = self.failures >= OUTAGE && self.tried + chosen.len() >= OUTAGE;
            if chosen.len() >= room || (is_outage && !item.has_failed) {
                break;
            }
            if behind.contains(&item.entity) && !is_front(key) {
                continue;
            }
            if item.is_alone {
                let waits = front_of(item).is_some_and(|it| it != key && self.waiting.contains(it));
                if waits && chosen.is_empty() {
                    // A dead letter that came when what stands before it was tried already.
                    behind.insert(&item.entity);
                    continue;
                }
                if chosen.is_empty() && self.is_quiet() && !self.ready.iter().any(is_next) {
                    chosen.push(*key);
                }
                break;
            }
            chosen.push(*key);
        }
        chosen
    }

    /// Returns the first of each entity, as far as they wait, in order: whoever tells several
    /// entities at once begins with one of each.
    fn fronts(&self) -> Vec<Key> {
        if !self.manner.is_spread {
            return Vec::new();
        }
        #[expect(clippy::disallowed_methods, reason = "they are put in order")]
        let lanes = self.lanes.values();
        let fronts = lanes.filter_map(|it| it.keys.front());
        let mut fronts: Vec<Key> = fronts
            .filter(|it| self.waiting.contains(it))
            .copied()
            .collect();
        fronts.sort_unstable();
        fronts
    }

    /// Says that what was composed is remembered.
    pub(super) fn committed(&mut self) {
        for key in std::mem::take(&mut self.beginning) {
            if let Some(item) = self.items.get_mut(&key) {
                item.state = State::Ready;
                self.ready.insert(key);
            }
        }
    }

    /// Takes out what one of `hands` idle instances shall tell now, if there is anything.
    pub(super) fn take(&mut self, hands: usize) -> Option<Run> {
        let share = self.ready.len().div_ceil(hands.max(1)).min(RUN);
        let share = share.max(self.manner.batch);
        let mut plan = Plan::new(&self.manner);
        let mut taken = Vec::new();
        for key in &self.ready {
            if taken.len() >= share {
                break;
            }
            if self.alone.is_some_and(|it| it != *key) {
                continue;
            }
            let Some(item) = self.items.get_mut(key) else {
                continue;
            };
            let Some(lane) = self.lanes.get_mut(&item.entity) else {
                continue;
            };
            let is_next = lane.keys.get(lane.taken) == Some(key) && lane.resting == 0;
            if !is_next || (lane.taken > 0 && !plan.has(&item.entity)) {
                continue;
            }
            lane.taken += 1;
            item.state = State::UnderWay;
            if matches!(key, Key::Volatile(_)) {
                item.attempts += 1;
            }
            taken.push(*key);
            plan.add(Job {
                key: *key,
                entity: item.entity.clone(),
                event: Arc::clone(&item.event),
                attempt: item.attempts,
            });
        }
        for key in &taken {
            self.ready.remove(key);
        }
        self.under_way += taken.len();
        (!taken.is_empty()).then_some(plan.run)
    }

    /// Ends what was begun: whatever is still under way does not count as ended by a crash.
    pub(super) fn stand_down(&mut self) {
        for (key, item) in &self.items {
            let is_begun = match item.state {
                State::Beginning | State::Ready | State::UnderWay => true,
                State::Resting | State::Waiting => false,
            };
            if let (Key::Event(seq), true) = (key, is_begun) {
                self.notes.push(Note::Failed { seq: *seq });
            }
        }
    }
}

#[cfg(test)]
mod tests;
