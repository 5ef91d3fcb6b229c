//! The Monitor session: opened, probed, lost, opened elsewhere; and the second look at the domain.
//!
//! It asks nothing of peers; see `errands` for that.

use super::brokers::Miss;
use super::hearing::Hearing;
use super::session::{Patience, Purpose, Session};
use super::{Command, ConnectionId, Pilot, Verdict, flush, overlay, words};
use crate::exchange::{Loss, LossClass, Observation};
use crate::model::{Address, PeerSeen, Sighting, Snapshot};
use crate::nuodb::cipher::CipherName;
use crate::nuodb::message::{Element, Event, Status};
use crate::time::Timestamp;

/// How many changes are remembered while a refresh is under way. A refresh takes milliseconds;
/// one that is outrun by so many changes is begun again.
const TOLD_MAX: usize = 4_096;

/// How many oddities of one session are told of: a broker that says nothing else shall not fill
/// the log.
const WARNINGS_MAX: u32 = 10;

/// The session in which the domain tells us of itself.
#[derive(Debug)]
pub(super) enum Link {
    /// None; the brokers say when the next try is due.
    Down,
    /// Dialled, not yet telling.
    Opening,
    /// The domain was seen whole, and its changes are being told.
    Up(Standing),
}

/// A session that stands.
#[derive(Debug)]
pub(super) struct Standing {
    connection: ConnectionId,
    entry: Address,
    since: Timestamp,
    /// When the entry peer is probed unless it says something before.
    probe_due: Timestamp,
    /// The probe under way.
    probe: Option<ConnectionId>,
    /// Unanswered probes in a row.
    misses: u32,
    /// How many more oddities of this session are told of.
    warnings: u32,
    hearing: Hearing,
}

/// A second look at the whole domain, while the session goes on telling.
#[derive(Debug)]
pub(super) enum Refresh {
    /// Wanted, at that time.
    Due { at: Timestamp, tries: u32 },
    /// Not wanted.
    Idle,
    /// Under way.
    Running {
        connection: ConnectionId,
        tries: u32,
        /// Whether another is wanted, taken after this moment.
        is_wanted_again: bool,
        /// What was told since it began: the new snapshot may be older than that.
        told: Vec<Sighting>,
    },
}

impl Refresh {
    pub(super) fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Due { at, .. } => Some(*at),
            Self::Idle | Self::Running { .. } => None,
        }
    }
}

impl Pilot {
    /// Returns the entry peer, if there is a session.
    pub(super) fn entry(&self) -> Option<&Address> {
        match &self.link {
            Link::Up(standing) => Some(&standing.entry),
            Link::Down | Link::Opening => None,
        }
    }

    /// Sends a document on the session, if there is one.
    pub(super) fn send_to_entry(&mut self, document: &Element) -> bool {
        let Link::Up(standing) = &self.link else {
            return false;
        };
        let Some(session) = self.sessions.get_mut(&standing.connection) else {
            return false;
        };
        session.send(document);
        flush(standing.connection, session, &mut self.commands);
        true
    }

    pub(super) fn link_timeout(&self) -> Option<Timestamp> {
        match &self.link {
            Link::Down => self.brokers.next().map(|(at, _)| at),
            Link::Opening => None,
            Link::Up(standing) => standing.probe.is_none().then_some(standing.probe_due),
        }
    }

    pub(super) fn expire_link(&mut self, now: Timestamp) {
        match &self.link {
            Link::Down => {
                if let Some((at, address)) = self.brokers.next()
                    && at <= now
                {
                    self.note(&address, "connecting, to be told of the domain".to_owned());
                    let patience = Patience::fixed(now, self.settings.dial_timeout);
                    self.dial(address, Purpose::Monitor, patience);
                    self.link = Link::Opening;
                }
            }
            Link::Opening => (),
            Link::Up(standing) => {
                if standing.probe.is_none() && standing.probe_due <= now {
                    if standing.hearing.is_deaf() {
                        self.drop_deaf(now);
                    } else {
                        self.probe(now, standing.entry.clone());
                    }
                }
            }
        }
        if let Refresh::Due { at, tries } = self.refresh
            && at <= now
        {
            self.start_refresh(now, tries);
        }
        self.expire_descriptions(now);
    }

    /// Notes that bytes came: on the Monitor session they show that the entry peer lives.
    pub(super) fn note_life(&mut self, now: Timestamp, session: &Session) {
        if let (Purpose::Monitor, Link::Up(standing)) = (&session.purpose, &mut self.link) {
            standing.misses = 0;
            standing.probe_due = now + self.settings.probe_interval;
            standing.hearing.heard();
        }
    }

    /// Goes on after the peer proved that it knows the password, as we did.
    pub(super) fn authorised(
        &mut self,
        now: Timestamp,
        session: &mut Session,
        cipher: CipherName,
    ) -> Verdict {
        match &session.purpose {
            Purpose::Start(_) => {
                self.ready(session);
                return Verdict::Keep;
            }
            Purpose::Monitor => {
                if cipher == CipherName::Rc4 && !self.settings.client.inside_tls {
                    self.commands.push_back(Command::Warn {
                        address: session.address.clone(),
                        text: "the session is encrypted by RC4 only, which protects from nobody; \
                               give the domain TLS"
                            .to_owned(),
                    });
                }
                let length = self.settings.answer_timeout;
                session.patience = Patience::while_bytes_arrive(now, length);
            }
            Purpose::Look | Purpose::Refresh => {
                let length = self.settings.answer_timeout;
                session.patience = Patience::while_bytes_arrive(now, length);
            }
            Purpose::Ask { .. } | Purpose::Describe(_) | Purpose::Kill { .. } | Purpose::Probe => {
                session.patience = Patience::fixed(now, self.settings.answer_timeout);
            }
        }
        Verdict::Keep
    }

    /// Takes in a change. Every event of a busy domain passes here.
    pub(super) fn follow(&mut self, session: &Session, event: Event) -> Verdict {
        let Purpose::Monitor = session.purpose else {
            return Verdict::Keep;
        };
        let Some(sighting) = words::sighting(event) else {
            return Verdict::Keep;
        };
        let ended = self.starts.notice(&sighting);
        if let Sighting::PeerJoined(peer) = &sighting
            && peer.is_broker
        {
            self.learn(peer);
        }
        if let Link::Up(standing) = &mut self.link {
            standing.hearing.told(&sighting);
        }
        if let Refresh::Running { told, .. } = &mut self.refresh
            && told.len() <= TOLD_MAX
        {
            told.push(sighting.clone());
        }
        self.observe(Observation::Sighted(sighting));
        if let Some((action, outcome)) = ended {
            self.finish(action, outcome);
        }
        Verdict::Keep
    }

    /// Takes in the whole domain.
    pub(super) fn snapped(
        &mut self,
        now: Timestamp,
        connection: ConnectionId,
        session: &mut Session,
        status: Status,
    ) -> Verdict {
        match &session.purpose {
            Purpose::Look => {
                self.answered_probe();
                if let Link::Up(standing) = &mut self.link {
                    let seen = words::snapshot(status, &session.address);
                    standing.hearing.looked(&seen);
                }
                Verdict::Done
            }
            Purpose::Monitor => {
                let snapshot = words::snapshot(status, &session.address);
                self.link = Link::Up(Standing {
                    connection,
                    entry: session.address.clone(),
                    since: now,
                    probe_due: now + self.settings.probe_interval,
                    probe: None,
                    misses: 0,
                    warnings: WARNINGS_MAX,
                    hearing: Hearing::new(&snapshot),
                });
                session.patience = Patience::endless();
                self.brokers
                    .stood(&session.address, &snapshot.entry.agent_id);
                self.see(snapshot);
                self.want_descriptions(now);
                Verdict::Keep
            }
            Purpose::Refresh => {
                self.refreshed(now, words::snapshot(status, &session.address));
                Verdict::Done
            }
            Purpose::Ask { .. }
            | Purpose::Describe(_)
            | Purpose::Kill { .. }
            | Purpose::Probe
            | Purpose::Start(_) => Verdict::Keep,
        }
    }

    /// Takes in a broker, where the configuration says it is dialled or where it says itself.
    fn learn(&mut self, peer: &PeerSeen) {
        let dials = &self.settings.dials;
        let by_host = || dials.get(&peer.host_alias()?);
        let dial = dials.get(&peer.address.folded()).or_else(by_host);
        let address = dial.unwrap_or(&peer.address);
        self.brokers.learn(address, Some(&peer.agent_id));
    }

    fn see(&mut self, snapshot: Snapshot) {
        for peer in snapshot.peers.iter().filter(|it| it.is_broker) {
            self.learn(peer);
        }
        let mut ended = Vec::new();
        for process in &snapshot.processes {
            ended.extend(self.starts.notice_present(process));
        }
        self.observe(Observation::Snapshot(snapshot));
        for (action, outcome) in ended {
            self.finish(action, outcome);
        }
    }

    /// Takes in a document that cannot be read. The session goes on, but an answer that cannot be
    /// read is none.
    pub(super) fn puzzled(&mut self, session: &Session, problem: &str) -> Verdict {
        if let Purpose::Monitor = session.purpose {
            self.warn(&format!(
                "a message that cannot be read was left out: {problem}"
            ));
            return Verdict::Keep;
        }
        let text = format!("the answer cannot be read: {problem}");
        Verdict::Fail(session.loss(LossClass::Protocol, &text))
    }

    /// Tells an operator of something odd on the session that watches.
    pub(super) fn warn(&mut self, text: &str) {
        if let Link::Up(standing) = &mut self.link
            && let Some(left) = standing.warnings.checked_sub(1)
        {
            standing.warnings = left;
            self.commands.push_back(Command::Warn {
                address: standing.entry.clone(),
                text: text.to_owned(),
            });
        }
    }

    /// Draws the consequences of the end of the Monitor session, or of a try at one.
    pub(super) fn unlink(&mut self, now: Timestamp, loss: Loss, miss: Miss) {
        match std::mem::replace(&mut self.link, Link::Down) {
            Link::Up(standing) => {
                if let Some(probe) = standing.probe {
                    self.drop_connection(probe);
                }
                let uptime = now.since(standing.since);
                self.brokers.lost(now, &loss.address, miss, uptime);
            }
            Link::Down | Link::Opening => self.brokers.missed(now, &loss.address, miss),
        }
        // The next session begins with a snapshot of its own.
        if let Refresh::Running { connection, .. } =
            std::mem::replace(&mut self.refresh, Refresh::Idle)
        {
            self.drop_connection(connection);
        }
        self.forget_descriptions();
        self.note_next_try(now, &loss);
        self.observe(Observation::Lost(loss));
    }

    fn note_next_try(&mut self, now: Timestamp, loss: &Loss) {
        if let Some((at, next)) = self.brokers.next() {
            let pause = at.since(now);
            let reason = &loss.reason;
            let text = format!("{reason}; the next try is at {next}, in {pause:?}");
            self.note(&loss.address, text);
        }
    }

    fn note(&mut self, address: &Address, text: String) {
        self.commands.push_back(Command::Note {
            address: address.clone(),
            text,
        });
    }

    fn probe(&mut self, now: Timestamp, entry: Address) {
        let interval = self.settings.probe_interval;
        let Link::Up(standing) = &mut self.link else {
            return;
        };
        standing.probe_due = now + interval;
        let purpose = if standing.hearing.is_look_due() {
            Purpose::Look
        } else {
            Purpose::Probe
        };
        let patience = Patience::fixed(now, interval.min(self.settings.dial_timeout));
        let connection = self.dial(entry, purpose, patience);
        if let Link::Up(standing) = &mut self.link {
            standing.probe = Some(connection);
        }
    }

    /// Ends a session that does not tell what happens, though its broker lives.
    fn drop_deaf(&mut self, now: Timestamp) {
        let Link::Up(standing) = &self.link else {
            return;
        };
        let (connection, address) = (standing.connection, standing.entry.clone());
        let loss = Loss {
            class: LossClass::Connection,
            reason: format!(
                "{address}: the session is silent though the domain is not as it told: something \
                 holds it open and lets nothing pass"
            )
            .into(),
            address,
        };
        self.drop_connection(connection);
        self.unlink(now, loss, Miss::Passing);
    }

    /// Notes an answer to a probe; any answer will do.
    pub(super) fn answered_probe(&mut self) {
        if let Link::Up(standing) = &mut self.link {
            standing.probe = None;
            standing.misses = 0;
        }
    }

    pub(super) fn missed_probe(&mut self, now: Timestamp, probe: ConnectionId, loss: &Loss) {
        let Link::Up(standing) = &mut self.link else {
            return;
        };
        if standing.probe != Some(probe) {
            return;
        }
        standing.probe = None;
        standing.misses += 1;
        if standing.misses < self.settings.probe_misses {
            return;
        }
        let (connection, misses) = (standing.connection, standing.misses);
        let address = standing.entry.clone();
        self.drop_connection(connection);
        let reason = format!(
            "{address}: the session is silent and {misses} probes in a row failed, the last one \
             because: {}",
            loss.reason
        );
        let loss = Loss {
            address,
            class: LossClass::Connection,
            reason: reason.into(),
        };
        self.unlink(now, loss, Miss::Passing);
    }

    /// Wants a snapshot taken from now on. Without a session there is nothing to do: the next one
    /// begins with a snapshot.
    pub(super) fn want_refresh(&mut self, now: Timestamp) {
        match &mut self.refresh {
            Refresh::Due { .. } => (),
            Refresh::Idle => self.start_refresh(now, 0),
            Refresh::Running {
                is_wanted_again, ..
            } => *is_wanted_again = true,
        }
    }

    fn start_refresh(&mut self, now: Timestamp, tries: u32) {
        self.refresh = Refresh::Idle;
        let Some(entry) = self.entry().cloned() else {
            return;
        };
        let patience = Patience::fixed(now, self.settings.dial_timeout);
        let connection = self.dial(entry, Purpose::Refresh, patience);
        self.refresh = Refresh::Running {
            connection,
            tries,
            is_wanted_again: false,
            told: Vec::new(),
        };
    }

    /// Takes in the second look. It was taken at some moment since the refresh began, so what was
    /// told since then may be missing in it and is applied again.
    fn refreshed(&mut self, now: Timestamp, mut snapshot: Snapshot) {
        let Refresh::Running {
            is_wanted_again,
            told,
            ..
        } = std::mem::replace(&mut self.refresh, Refresh::Idle)
        else {
            return;
        };
        if told.len() > TOLD_MAX {
            return self.start_refresh(now, 0);
        }
        for sighting in &told {
            overlay::apply(&mut snapshot, sighting);
        }
        self.see(snapshot);
        self.want_descriptions(now);
        if is_wanted_again {
            self.start_refresh(now, 0);
        }
    }

    /// Tries again later: whoever asked waits for a snapshot.
    pub(super) fn missed_refresh(&mut self, now: Timestamp) {
        if let Refresh::Running { tries, .. } = self.refresh {
            let doublings = tries.min(31);
            let pause = self
                .settings
                .reconnect_first
                .saturating_mul(1 << doublings)
                .min(self.settings.reconnect_max);
            self.refresh = Refresh::Due {
                at: now + pause,
                tries: tries.saturating_add(1),
            };
        }
    }
}
