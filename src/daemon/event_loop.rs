//! The event loop of one domain: where the core meets the world.
//!
//! It reads the clock, feeds the warden, writes the journal, and carries out effects once what led
//! to them is on record. It decides nothing and waits for nobody, the disk included.

mod meter;
mod outage;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep;
use tracing::{info, warn};

use self::meter::Meter;
use self::outage::Outage;
use super::DaemonError;
use super::carrier::Carrier;
use super::clock::Clock;
use super::lease::Leasing;
use super::prober::{News, Prober};
use super::pulse::Beat;
use crate::api::Errand;
use crate::driver::nuodb::{DriverSettings, Report};
use crate::event::Event;
use crate::exchange::{
    ActionId, Answer, Deed, Loss, LossClass, Observation, Outcome, Request, RequestId,
};
use crate::journal::{Batch, Health, Journal, Progress, Ticket};
use crate::model::{Address, DomainName};
use crate::supervisor::{Accepted, Effect, Input};
use crate::time::{ClockTrouble, ClockWatch, Moment};
use crate::warden::{Parked, Waiting, Warden};

/// So many reports are handled in one turn, and their events written together: enough that a burst
/// costs few writes, few enough that the listeners hear of its beginning before its end.
const TURN_MAX: usize = 1_024;

/// The longest pause between two turns: a pause does not see that the machine was suspended, and
/// the timeline does.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// So many inputs and events may wait for the disk; behind them nothing more is taken in, and the
/// broker holds back what it has to tell.
const BACKLOG_MAX: usize = 65_536;

/// So many requests may wait for their answers.
const REQUESTS_MAX: usize = 10_000;

/// What the daemon asks of a running event loop.
#[derive(Debug)]
pub(super) enum Order {
    /// The configuration changed what is healed, and how.
    Configure(Arc<Accepted>),
    /// The configuration changed how the domain is reached.
    Drive(Box<DriverSettings>),
}

/// Who asks, and who waits for the answer.
pub(super) type Asked = (Request, oneshot::Sender<Answer>);

/// One domain's warden with all that it needs to act.
pub(super) struct EventLoop {
    clock: Clock,
    clock_watch: ClockWatch,
    name: DomainName,
    settings: Arc<Accepted>,
    warden: Warden,
    journal: Journal,
    carrier: Carrier,
    inbox: Inbox,
    /// Told what cannot be recorded.
    alarms: mpsc::Sender<(DomainName, Event)>,
    stop: watch::Receiver<bool>,
    beat: Beat,
    lease: Leasing,
    prober: Prober,
    meter: Meter,
    parked: Parked<Ticket>,
    waiting: BTreeMap<RequestId, oneshot::Sender<Answer>>,
    last_request: u64,
    /// Since when and why the journal cannot be written.
    outage: Option<Outage>,
}

/// What people, listeners and the daemon want of it.
pub(super) struct Inbox {
    pub(super) errands: mpsc::Receiver<Errand>,
    pub(super) requests: mpsc::Receiver<Asked>,
    /// New listeners want to hear what is there.
    pub(super) present: mpsc::Receiver<oneshot::Sender<Vec<Event>>>,
    pub(super) orders: mpsc::Receiver<Order>,
}

/// What a turn is about.
enum Wake {
    Asked(Request, oneshot::Sender<Answer>),
    Clock(ClockTrouble),
    DriverGone,
    Errand(Errand),
    Lease,
    Order(Order),
    Present(oneshot::Sender<Vec<Event>>),
    Prober(News),
    Progress,
    Reports(Vec<Report>),
    Stop,
    Time,
    /// A start was kept back; the warden has to hear of it.
    Withdrawn(Input),
}

/// What an event loop begins with.
pub(super) struct Beginning {
    pub(super) clock: Clock,
    pub(super) settings: Arc<Accepted>,
    pub(super) warden: Warden,
    pub(super) journal: Journal,
    pub(super) driver: DriverSettings,
    pub(super) inbox: Inbox,
    pub(super) alarms: mpsc::Sender<(DomainName, Event)>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) beat: Beat,
    /// What names this daemon to others.
    pub(super) owner: String,
}

impl EventLoop {
    /// Returns a loop whose driver runs already.
    pub(super) fn new(it: Beginning) -> Self {
        let carrier = Carrier::start(it.driver, brokers(&it.warden), it.clock);
        let prober = Prober::new(it.settings.supervisor.domain.clone());
        Self {
            clock: it.clock,
            clock_watch: ClockWatch::default(),
            name: it.settings.supervisor.domain.clone(),
            settings: it.settings,
            warden: it.warden,
            journal: it.journal,
            carrier,
            inbox: it.inbox,
            alarms: it.alarms,
            stop: it.stop,
            meter: Meter::new(it.beat.figures().clone()),
            beat: it.beat,
            lease: Leasing::new(it.owner, it.clock),
            prober,
            parked: Parked::default(),
            waiting: BTreeMap::new(),
            last_request: 0,
            outage: None,
        }
    }

    /// Turns until it is told to stop, which lets the driver say goodbye.
    ///
    /// # Errors
    ///
    /// Fails when the driver is gone, or the journal cannot be read any more.
    pub(super) async fn run(mut self) -> Result<(), DaemonError> {
        let mut progress = self.journal.progress();
        self.turn(Vec::new());
        self.lease.follow(self.settings.supervisor.lease.as_ref());
        self.prober.follow(self.settings.supervisor.probe);
        loop {
            self.look_at_lease();
            let now = progress.borrow_and_update().clone();
            let turned = self.clock.timestamp();
            self.beat.turned(turned);
            self.meter.on_record(now.ticket, turned);
            self.mind(&now).await?;
            let wake = self.wake(&mut progress, now.ticket).await;
            self.look_at_clocks();
            match wake {
                Wake::Asked(request, answer) => self.asked(request, answer),
                Wake::Clock(trouble) => self.clock_trouble(trouble),
                Wake::DriverGone => return Err(self.driver_gone().await),
                Wake::Errand(errand) => self.run_errand(errand),
                Wake::Order(order) => self.obey(order).await,
                Wake::Present(reader) => {
                    let _ = reader.send(self.warden.present(self.clock.now()));
                }
                Wake::Prober(News::Due) => self.prober.begin(self.warden.probes()),
                Wake::Prober(News::Found(it)) => self.take_in(Input::Probed(it)),
                Wake::Lease | Wake::Progress => (),
                Wake::Reports(reports) => self.turn(reports),
                Wake::Stop => break,
                Wake::Time => self.turn(Vec::new()),
                Wake::Withdrawn(report) => self.take_in(report),
            }
        }
        self.carrier.end().await;
        Ok(())
    }

    /// Waits for the next thing to do, and carries out effects that are on record meanwhile.
    async fn wake(&mut self, progress: &mut watch::Receiver<Progress>, on_record: Ticket) -> Wake {
        // A turn that is late shows only beside the time at which it was due.
        let longest = PAUSE_MAX.min(self.settings.supervisor.clock_jump);
        let mut is_fresh = false;
        loop {
            self.answer(on_record);
            let due = self.parked.due(on_record);
            let is_due = due.is_some();
            if !is_fresh && matches!(due, Some(Waiting::Deed(Deed::Commit { .. }))) {
                // It leaves by what is known now, and not by what was when the disk was asked.
                self.turn(Vec::new());
                is_fresh = true;
            }
            let pause = self
                .warden
                .next_timeout()
                .map_or(longest, |at| at.since(self.clock.timestamp()))
                .min(longest);
            self.clock_watch.rest(pause);
            let has_room = self.journal.backlog() < BACKLOG_MAX;
            return tokio::select! {
                biased;
                _ = self.stop.wait_for(|stop| *stop) => Wake::Stop,
                room = self.carrier.deeds.reserve(), if is_due => {
                    let Ok(room) = room else {
                        return Wake::DriverGone;
                    };
                    if self.lease.has_news() {
                        return Wake::Lease;
                    }
                    let limit = self.settings.supervisor.clock_jump;
                    if let Some(trouble) = self.clock_watch.turn(self.clock.reading(), limit) {
                        return Wake::Clock(trouble);
                    }
                    let now = self.clock.now();
                    let Some(leaving) = self.parked.leave(on_record, now, &self.warden) else {
                        continue;
                    };
                    if let Waiting::Deed(deed) = leaving.what {
                        let action = committed(&deed);
                        room.send(deed);
                        if let Some(action) = action {
                            reacted(&self.meter, &self.warden, now, action);
                        }
                    }
                    match leaving.report {
                        Some(report) => Wake::Withdrawn(report),
                        None => continue,
                    }
                }
                Ok(()) = progress.changed() => Wake::Progress,
                () = self.lease.wait() => Wake::Lease,
                Some(order) = self.inbox.orders.recv() => Wake::Order(order),
                Some(errand) = self.inbox.errands.recv() => Wake::Errand(errand),
                Some(reader) = self.inbox.present.recv() => Wake::Present(reader),
                Some((request, answer)) = self.inbox.requests.recv(), if has_room => {
                    Wake::Asked(request, answer)
                }
                reports = self.carrier.reports.recv(), if has_room => match reports {
                    Some(reports) => Wake::Reports(reports),
                    None => Wake::DriverGone,
                },
                news = self.prober.news(), if has_room => Wake::Prober(news),
                () = sleep(pause) => Wake::Time,
            };
        }
    }

    /// Before anything else is done: whether what was known a moment ago still counts.
    fn look_at_clocks(&mut self) {
        let limit = self.settings.supervisor.clock_jump;
        if let Some(trouble) = self.clock_watch.turn(self.clock.reading(), limit) {
            self.clock_trouble(trouble);
        }
    }

    /// Tells the warden who has the lease of the domain, if that is news.
    fn look_at_lease(&mut self) {
        if let Some(lease) = self.lease.news() {
            self.take_in(Input::Lease(lease));
        }
    }

    fn clock_trouble(&mut self, trouble: ClockTrouble) {
        let domain = self.name.as_str();
        warn!(domain, "{trouble}; the healer waits for a fresh picture");
        self.take_in(Input::Clock(trouble));
    }

    /// Gives the answers that are on record and stand first in line.
    fn answer(&mut self, on_record: Ticket) {
        let now = self.clock.now();
        while let Some(Waiting::Answer { .. }) = self.parked.due(on_record)
            && let Some(leaving) = self.parked.leave(on_record, now, &self.warden)
        {
            if let Waiting::Answer { request, answer } = leaving.what
                && let Some(asker) = self.waiting.remove(&request)
            {
                // Who asked may have gone.
                let _ = asker.send(answer);
            }
        }
    }

    /// Handles some reports and whatever more is there already; without any, time has passed.
    fn turn(&mut self, reports: Vec<Report>) {
        let began = self.clock.timestamp();
        let mut turn = Turn::default();
        if reports.is_empty() {
            self.feed(&mut turn, Input::Timeout);
        }
        let mut next = Some(reports);
        while let Some(reports) = next {
            // One reading for what was read at once.
            let now = self.clock.now();
            for report in reports {
                turn.feed(&mut self.warden, now, input_of(report));
            }
            next = (turn.inputs.len() < TURN_MAX)
                .then(|| self.carrier.reports.try_recv().ok())
                .flatten();
        }
        self.meter.decided(self.clock.timestamp().since(began));
        self.record(turn);
    }

    fn feed(&mut self, turn: &mut Turn, input: Input) {
        turn.feed(&mut self.warden, self.clock.now(), input);
    }

    /// Writes what a turn brought, and parks its effects until that is on record.
    fn record(&mut self, turn: Turn) {
        let facts = self.warden.drain_facts();
        let is_quiet = turn.effects.is_empty() && facts.is_empty() && turn.is_only_time();
        if is_quiet {
            return;
        }
        let (events, waiting) = Waiting::part(turn.effects);
        if self.outage.is_some() {
            self.go_without(events, waiting);
            return;
        }
        let batch = Batch {
            inputs: turn.inputs,
            events,
            facts,
        };
        let ticket = self.journal.write(batch);
        self.meter.wrote(ticket, self.clock.timestamp());
        self.parked.park(ticket, waiting);
    }

    /// Takes in one input by itself.
    fn take_in(&mut self, input: Input) {
        let mut turn = Turn::default();
        self.feed(&mut turn, input);
        self.record(turn);
    }

    fn asked(&mut self, mut request: Request, answer: oneshot::Sender<Answer>) {
        let refusal = match &self.outage {
            Some(outage) => Some(outage.refusal()),
            None if self.waiting.len() >= REQUESTS_MAX => Some(Answer::Refused {
                reason: format!("{REQUESTS_MAX} requests wait for an answer already; ask later")
                    .into(),
            }),
            None => None,
        };
        if let Some(refusal) = refusal {
            let _ = answer.send(refusal);
            return;
        }
        request.id = self.promise(answer);
        self.take_in(Input::Requested(request));
    }

    /// Remembers that somebody waits for this answer.
    fn promise(&mut self, answer: oneshot::Sender<Answer>) -> RequestId {
        self.last_request += 1;
        let id = RequestId(self.last_request);
        self.waiting.insert(id, answer);
        id
    }

    fn run_errand(&mut self, errand: Errand) {
        match errand {
            Errand::Request { request, answer } => self.asked(request, answer),
            Errand::Resume { by, answer } => {
                let request = self.promise(answer);
                let mut turn = Turn::default();
                self.feed(&mut turn, Input::Resumed { by });
                let text = "the healer acts again as soon as every other gate is open".into();
                let answer = Answer::Accepted { action: None, text };
                turn.effects.push(Effect::Answer { request, answer });
                self.record(turn);
            }
            Errand::View(reader) => {
                let _ = reader.send(self.warden.view(self.clock.now()));
            }
            Errand::Why { entity, answer } => {
                let now = self.clock.now();
                let _ = answer.send((now, self.warden.explain(now, &entity)));
            }
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Configure(settings) => {
                self.settings = settings.clone();
                self.lease.follow(settings.supervisor.lease.as_ref());
                self.prober.follow(settings.supervisor.probe);
                self.take_in(Input::Configured(settings));
            }
            Order::Drive(settings) => {
                info!(
                    domain = self.name.as_str(),
                    "reaching the domain in the new way"
                );
                self.drive(*settings, "the configuration of the domain changed")
                    .await;
            }
        }
    }

    /// Replaces the driver; the warden is told that its session is gone.
    async fn drive(&mut self, settings: DriverSettings, reason: &str) {
        let address = settings.pilot.brokers.first().cloned();
        let learned = brokers(&self.warden);
        let fresh = Carrier::start(settings, learned, self.clock);
        std::mem::replace(&mut self.carrier, fresh).end().await;
        // What waited for the old one would come too late for the new one.
        let unsent = self.parked.forget_deeds();
        if let Some(address) = address {
            let loss = Loss {
                address,
                class: LossClass::Connection,
                reason: reason.into(),
            };
            let mut turn = Turn::default();
            self.feed(&mut turn, Input::Observed(Observation::Lost(loss.clone())));
            for report in unsent {
                self.feed(&mut turn, report);
            }
            for (action, may_have_left) in self.warden.open_deeds() {
                let outcome = if may_have_left {
                    Outcome::Unanswered(loss.clone())
                } else {
                    Outcome::NotSent(loss.clone())
                };
                self.feed(&mut turn, Input::Reported { action, outcome });
            }
            self.record(turn);
        }
    }

    async fn driver_gone(&mut self) -> DaemonError {
        let domain = self.name.clone();
        match self.carrier.why().await {
            Some(source) => DaemonError::Driver {
                domain,
                source: Box::new(source),
            },
            None => DaemonError::Ended(format!("the driver of the domain `{domain}`")),
        }
    }
}

/// What one turn feeds and what comes of it.
#[derive(Default)]
struct Turn {
    inputs: Vec<(Moment, Input)>,
    effects: Vec<Effect>,
}

impl Turn {
    fn feed(&mut self, warden: &mut Warden, now: Moment, input: Input) {
        self.inputs.push((now, input.clone()));
        warden.handle(now, input, &mut self.effects);
    }

    fn is_only_time(&self) -> bool {
        self.inputs.iter().all(|(_, it)| *it == Input::Timeout)
    }
}

/// Measures how long the process was missing for which a request has left.
fn reacted(meter: &Meter, warden: &Warden, now: Moment, action: ActionId) {
    let slots = warden.view(now).slots;
    let slot = slots.into_iter().find(|it| it.action == Some(action));
    if let Some(since) = slot.and_then(|it| it.since) {
        meter.reacted(now.at.since(since));
    }
}

/// Returns the action whose request this is.
fn committed(deed: &Deed) -> Option<ActionId> {
    if let Deed::Commit { action } = deed {
        Some(*action)
    } else {
        None
    }
}

/// Returns where the brokers are that the domain has shown.
fn brokers(warden: &Warden) -> Vec<Address> {
    let peers = warden.model().peers();
    peers
        .filter(|(_, it)| it.is_broker)
        .map(|(_, it)| it.agent_address().clone())
        .collect()
}

fn input_of(report: Report) -> Input {
    match report {
        Report::Finished { action, outcome } => Input::Reported { action, outcome },
        Report::Observed(observation) => Input::Observed(observation),
    }
}
