//! The daemon as it is on a machine: pilot, warden and disk, with deeds that wait for the record,
//! timers that ring late, and a process that may die at any moment. It decides nothing itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::disk::{Batch, Disk};
use super::judge::Law;
use super::wire::Packet;
use super::{Broken, History, Item};
use crate::exchange::{Deed, Loss, LossClass, Observation, Outcome};
use crate::model::Address;
use crate::mutation::Mutant;
use crate::nuodb::pilot::{self, Command, Pilot, PilotSettings};
use crate::supervisor::{Accepted, Fact, FactKey, Input};
use crate::time::{Moment, Timestamp};
use crate::warden::{Parked, Waiting, Warden};

/// What runs.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) accepted: Arc<Accepted>,
    pilot: PilotSettings,
    /// Counts how often it, or its driver, began.
    pub(super) run: u32,
    pub(super) disk: Disk,
    pub(super) alive: Option<Alive>,
    /// No ticket is on record before those before it.
    last_commit: Timestamp,
}

/// A process.
#[derive(Debug)]
pub(super) struct Alive {
    pilot: Pilot,
    pub(super) warden: Warden,
    /// What the pilot has told and the warden was not fed yet.
    inbox: Vec<Input>,
    /// When it will be.
    turn: Option<Timestamp>,
    parked: Parked<u64>,
    /// How late the next timer of the warden rings.
    late: Duration,
    /// Whether the journal cannot be written.
    is_broken: bool,
    /// When the warden wants to be asked again, as it said after its last turn.
    due: Option<Timestamp>,
}

impl Daemon {
    pub(super) fn new(
        accepted: Arc<Accepted>,
        pilot: PilotSettings,
        through: Option<fn(Fact) -> Fact>,
    ) -> Self {
        Self {
            accepted,
            pilot,
            run: 0,
            disk: Disk::reading(through),
            alive: None,
            last_commit: Timestamp::ZERO,
        }
    }

    /// Returns when something is due, whoever it is for.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let it = self.alive.as_ref()?;
        let warden = it.due.map(|at| at + it.late);
        [it.pilot.next_timeout(), warden, it.turn]
            .into_iter()
            .flatten()
            .min()
    }

    /// Returns how much waits, for whatever.
    pub(super) fn waiting(&self) -> usize {
        let parked = self
            .alive
            .as_ref()
            .map_or(0, |it| it.parked.len() + it.inbox.len());
        self.disk.waiting() + parked
    }
}

impl History {
    /// A daemon begins, with what is on record.
    pub(super) fn begin_daemon(&mut self) -> Result<(), Broken> {
        if self.daemon.alive.is_some() {
            return Ok(());
        }
        let now = self.moment();
        let warden = self.restored(now)?;
        let pilot = self.new_pilot(&warden);
        self.daemon.alive = Some(Alive {
            pilot,
            warden,
            inbox: Vec::new(),
            turn: None,
            parked: Parked::default(),
            late: Duration::ZERO,
            is_broken: false,
            due: None,
        });
        self.note(|| "# the daemon begins".to_owned());
        // There is no driver yet: what it would look at, its first session shows.
        let began = Input::Began(self.daemon.accepted.clone());
        self.turn(vec![began], false)?;
        self.drain_pilot();
        Ok(())
    }

    fn restored(&mut self, now: Moment) -> Result<Warden, Broken> {
        let Accepted { model, supervisor } = (*self.daemon.accepted).clone();
        let facts = self.daemon.disk.facts();
        let is_new = facts.is_empty();
        let warden = Warden::restore(model, supervisor, now, facts)
            .map_err(|error| Law::Memory.broken(error.to_string()))?;
        let known: BTreeMap<_, _> = warden.facts().into_iter().map(keyed).collect();
        let on_disk: BTreeMap<_, _> = self.daemon.disk.facts().into_iter().map(keyed).collect();
        if !is_new && known != on_disk {
            return Err(Law::Memory.broken(format!(
                "on the disk is {on_disk:?}, what is known of it is {known:?}"
            )));
        }
        Ok(warden)
    }

    fn new_pilot(&mut self, warden: &Warden) -> Pilot {
        self.daemon.run += 1;
        let mut settings = self.daemon.pilot.clone();
        let peers = warden.model().peers().filter(|(_, it)| it.is_broker);
        let learned: Vec<Address> = peers.map(|(_, it)| it.agent_address().clone()).collect();
        settings.learned = learned;
        settings.seed = self.dice.next();
        Pilot::new(settings)
    }

    /// The process dies; of what was on its way to the disk some may have made it.
    pub(super) fn kill_daemon(&mut self) -> Result<(), Broken> {
        if self.daemon.alive.take().is_none() {
            return Ok(());
        }
        self.note(|| "# the daemon dies".to_owned());
        self.hang_up();
        let waiting = self.daemon.disk.waiting();
        let kept = self.dice.below(waiting + 1);
        let written = self.daemon.disk.crash(kept);
        self.recorded(written)?;
        self.judge.died();
        Ok(())
    }

    /// The pilot takes something in.
    pub(super) fn pilot(&mut self, input: pilot::Input<'_>) {
        let now = self.now;
        if let Some(it) = &mut self.daemon.alive {
            it.pilot.handle(now, input);
            self.drain_pilot();
        }
    }

    fn drain_pilot(&mut self) {
        let run = self.daemon.run;
        while let Some(it) = &mut self.daemon.alive
            && let Some(command) = it.pilot.poll()
        {
            match command {
                Command::Close { connection } => self.say_to_peer((run, connection), Packet::End),
                Command::Dial {
                    connection,
                    address,
                    ..
                } => self.dial((run, connection), address),
                Command::Finish { action, outcome } => {
                    it.inbox.push(Input::Reported { action, outcome });
                }
                Command::Note { .. } | Command::Warn { .. } => (),
                Command::Observe(observation) => it.inbox.push(Input::Observed(observation)),
                Command::Transmit { connection, bytes } => {
                    self.say_to_peer((run, connection), Packet::Bytes(bytes));
                }
            }
        }
        let late = self.lateness();
        if let Some(it) = &mut self.daemon.alive
            && !it.inbox.is_empty()
            && it.turn.is_none()
        {
            it.turn = Some(self.now + late);
        }
    }

    fn lateness(&mut self) -> Duration {
        match self.plan.lateness {
            0 => Duration::ZERO,
            most => self.dice.millis(0, most),
        }
    }

    /// Whatever is due in the daemon happens.
    pub(super) fn run_daemon(&mut self) -> Result<(), Broken> {
        let now = self.now;
        let Some(it) = &mut self.daemon.alive else {
            return Ok(());
        };
        if it.pilot.next_timeout().is_some_and(|at| at <= now) {
            it.pilot.handle(now, pilot::Input::Timeout);
            self.drain_pilot();
        }
        let late = self.lateness();
        let Some(it) = &mut self.daemon.alive else {
            return Ok(());
        };
        if it.turn.is_some_and(|at| at <= now) {
            it.turn = None;
            let inputs = std::mem::take(&mut it.inbox);
            return self.turn(inputs, true);
        }
        let due = it.due.map(|at| at + it.late);
        if due.is_some_and(|at| at <= now) {
            it.late = late;
            return self.turn(vec![Input::Timeout], true);
        }
        Ok(())
    }

    /// Feeds the warden, writes down what it says, and parks its deeds until that is on record.
    pub(super) fn turn(&mut self, inputs: Vec<Input>, has_driver: bool) -> Result<(), Broken> {
        let now = self.moment();
        let mut batch = Batch::default();
        for input in inputs {
            let Some(it) = &mut self.daemon.alive else {
                return Ok(());
            };
            let (facts, effects) = (batch.facts.len(), batch.effects.len());
            // What is due changes what is remembered, whoever asks meanwhile.
            let is_due = it.warden.next_timeout().is_some_and(|at| at <= now.at);
            let asks = !is_due && matches!(input, Input::Requested(_));
            let before = asks.then(|| it.warden.facts());
            it.warden.handle(now, input.clone(), &mut batch.effects);
            if let Some(before) = before {
                let (after, effects) = (it.warden.facts(), &batch.effects[effects..]);
                self.judge.judge_refused(&before, &after, effects)?;
            }
            it.due = it.warden.next_timeout();
            batch.due = it.due;
            batch.facts.extend(it.warden.drain_facts());
            self.figures.turns += 1;
            self.judge_truth(&input)?;
            self.note_turn(&input, &batch.effects[effects..]);
            let (facts, effects) = (&batch.facts[facts..], &batch.effects[effects..]);
            self.judge.judge(now, &input, facts, effects)?;
            batch.inputs.push((now, input));
            batch.turns.push((batch.facts.len(), batch.effects.len()));
        }
        let Some(it) = &mut self.daemon.alive else {
            return Ok(());
        };
        let is_only_time = batch.inputs.iter().all(|(_, it)| *it == Input::Timeout);
        if is_only_time && batch.effects.is_empty() && batch.facts.is_empty() {
            return Ok(());
        }
        let is_broken = it.is_broken;
        let waiting = Waiting::among(&batch.effects);
        if is_broken {
            self.leave_undone(waiting);
            return Ok(());
        }
        let ticket = self.daemon.disk.write(batch);
        let planted = self.daemon.accepted.model.planted;
        if has_driver && planted.has(Mutant::DeedBeforeRecord) {
            for it in waiting {
                if let Waiting::Deed(deed) = it {
                    self.judge.left(self.now, &deed)?;
                    self.pilot(pilot::Input::Deed(deed));
                }
            }
        } else if has_driver && let Some(it) = &mut self.daemon.alive {
            it.parked.park(ticket, waiting);
        }
        let (from, to) = self.plan.disk;
        let slow = self.slow_disk_until > self.now;
        let pause = if slow {
            self.dice.millis(500, 8_000)
        } else {
            self.dice.micros(from, to)
        };
        let at = self.daemon.last_commit.max(self.now + pause);
        self.daemon.last_commit = at;
        self.queue.put(at, Item::Committed(ticket));
        Ok(())
    }

    /// The disk has written something.
    pub(super) fn committed(&mut self, ticket: u64) -> Result<(), Broken> {
        if self.daemon.alive.as_ref().is_none_or(|it| it.is_broken) {
            return Ok(());
        }
        let written = self.daemon.disk.commit(ticket);
        self.recorded(written)?;
        self.leave()
    }

    /// Lets go what is on record; a start is looked at once more before it leaves.
    fn leave(&mut self) -> Result<(), Broken> {
        let (now, on_record) = (self.moment(), self.daemon.disk.on_record());
        let mut is_fresh = false;
        while let Some(it) = &mut self.daemon.alive
            && let Some(due) = it.parked.due(on_record)
        {
            if !is_fresh && matches!(due, Waiting::Deed(Deed::Commit { .. })) {
                // It leaves by what is known now, and not by what was when the disk was asked.
                self.turn(vec![Input::Timeout], true)?;
                is_fresh = true;
                continue;
            }
            let Some(leaving) = it.parked.leave(on_record, now, &it.warden) else {
                break;
            };
            if let Waiting::Deed(deed) = leaving.what {
                self.judge.left(self.now, &deed)?;
                self.pilot(pilot::Input::Deed(deed));
            }
            if let Some(report) = leaving.report {
                self.figures.withdrawn += 1;
                self.turn(vec![report], true)?;
            }
        }
        Ok(())
    }

    /// Leaves undone what waited for the disk; only what ends a preparation still leaves.
    fn leave_undone(&mut self, waiting: Vec<Waiting>) {
        for it in waiting {
            if let Waiting::Deed(deed @ Deed::Abandon { .. }) = it {
                self.pilot(pilot::Input::Deed(deed));
            }
        }
    }

    /// What is on record is told, and decided again by one who has only the record.
    fn recorded(&mut self, written: Vec<Arc<Batch>>) -> Result<(), Broken> {
        for batch in written {
            self.figures.events += batch.events().count() as u64;
            if let Some(again) = &mut self.again {
                again.decide(&batch)?;
            }
            self.judge.on_record(batch)?;
        }
        Ok(())
    }

    /// The journal cannot be written any more: watch on, do nothing.
    pub(super) fn break_journal(&mut self) -> Result<(), Broken> {
        let Some(it) = &mut self.daemon.alive else {
            return Ok(());
        };
        if std::mem::replace(&mut it.is_broken, true) {
            return Ok(());
        }
        let parked = it.parked.take();
        self.note(|| "# the journal cannot be written".to_owned());
        self.daemon.disk.crash(0);
        self.leave_undone(parked);
        self.turn(vec![Input::JournalFailed], true)
    }

    /// The journal can be written again: go on from what is on record, and look afresh.
    pub(super) fn mend_journal(&mut self) -> Result<(), Broken> {
        if self.daemon.alive.as_ref().is_none_or(|it| !it.is_broken) {
            return Ok(());
        }
        self.note(|| "# the journal can be written again".to_owned());
        let warden = self.restored(self.moment())?;
        self.judge.died();
        if let Some(it) = &mut self.daemon.alive {
            it.warden = warden;
            it.is_broken = false;
            it.inbox.clear();
            it.turn = None;
        }
        let began = Input::Began(self.daemon.accepted.clone());
        self.turn(vec![began], true)?;
        self.replace_driver()
    }

    /// Another driver takes over, and the warden is told that its session is gone.
    pub(super) fn replace_driver(&mut self) -> Result<(), Broken> {
        self.hang_up();
        let Some(mut alive) = self.daemon.alive.take() else {
            return Ok(());
        };
        alive.pilot = self.new_pilot(&alive.warden);
        let unsent = alive.parked.forget_deeds();
        alive.inbox.clear();
        alive.turn = None;
        let loss = Loss {
            address: self.plan.peers[0].address.clone(),
            class: LossClass::Connection,
            reason: "the driver is replaced".into(),
        };
        self.daemon.alive = Some(alive);
        let mut inputs = vec![Input::Observed(Observation::Lost(loss.clone()))];
        inputs.extend(unsent);
        self.turn(inputs, true)?;
        let alive = self.daemon.alive.as_ref();
        let deeds = alive.map_or_else(Vec::new, |it| it.warden.open_deeds());
        for (action, may_have_left) in deeds {
            let outcome = if may_have_left {
                Outcome::Unanswered(loss.clone())
            } else {
                Outcome::NotSent(loss.clone())
            };
            self.turn(vec![Input::Reported { action, outcome }], true)?;
        }
        self.drain_pilot();
        Ok(())
    }
}

fn keyed(fact: Fact) -> (FactKey, Fact) {
    (fact.key(), fact)
}
