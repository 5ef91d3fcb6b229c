//! The network between the daemon and the peers: real frames and ciphers on lines that are slow,
//! cut, silent, or closed at one end. What is said on them is the business of the two ends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::{Effect, Input, PeerNumber, SessionId};
use super::{History, Item};
use crate::exchange::LossClass;
use crate::model::Address;
use crate::nuodb::pilot::{self, ConnectionId, Failure};
use crate::nuodb::server::{Server, ServerEvent, ServerSettings};
use crate::time::Timestamp;

/// A connection of a run of the daemon's.
pub(super) type LineId = (u32, ConnectionId);

/// To whom something is on its way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Way {
    ToPeer,
    ToPilot,
}

/// What travels on a line, in order for each way.
#[derive(Debug)]
pub(super) enum Packet {
    Bytes(Vec<u8>),
    /// The other end closed.
    End,
}

#[derive(Debug)]
struct Line {
    peer: PeerNumber,
    session: SessionId,
    server: Server,
    /// Whether the daemon's end is open, and the peer's.
    pilot_open: bool,
    peer_open: bool,
    /// Nothing that is sent now arrives before what was sent earlier.
    to_peer: Timestamp,
    to_pilot: Timestamp,
    /// What nobody lets through.
    held: Vec<(Way, Packet)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Link {
    muted: bool,
    delay: Duration,
    refuses: bool,
    /// Nobody answers those who dial; what stands already passes.
    shut: bool,
    /// Which way nothing passes.
    lost: Option<Way>,
}

/// All lines.
#[derive(Debug)]
pub(super) struct Wire {
    settings: ServerSettings,
    /// How long a packet travels, in microseconds.
    latency: (u64, u64),
    links: BTreeMap<PeerNumber, Link>,
    dialling: BTreeSet<LineId>,
    lines: BTreeMap<LineId, Line>,
    sessions: BTreeMap<SessionId, LineId>,
    last_session: u64,
    /// Lines on which a server has something to send.
    spoken: BTreeSet<LineId>,
}

impl Wire {
    pub(super) fn new(settings: ServerSettings, latency: (u64, u64)) -> Self {
        Self {
            settings,
            latency,
            links: BTreeMap::new(),
            dialling: BTreeSet::new(),
            lines: BTreeMap::new(),
            sessions: BTreeMap::new(),
            last_session: 0,
            spoken: BTreeSet::new(),
        }
    }

    /// Lets nobody in any more who dials that peer, or everybody again.
    pub(super) fn shut(&mut self, peer: PeerNumber, is_shut: bool) {
        self.links.entry(peer).or_default().shut = is_shut;
    }

    /// Lets nothing pass that way to or from a peer.
    pub(super) fn lose(&mut self, peer: PeerNumber, way: Option<Way>) {
        self.links.entry(peer).or_default().lost = way;
    }

    /// Returns how many lines stand at the daemon's end.
    pub(super) fn open(&self) -> usize {
        self.lines.values().filter(|it| it.pilot_open).count()
    }

    fn link(&self, peer: PeerNumber) -> Link {
        self.links.get(&peer).copied().unwrap_or_default()
    }
}

impl History {
    /// The pilot wants a connection.
    pub(super) fn dial(&mut self, line: LineId, address: Address) {
        self.wire.dialling.insert(line);
        let pause = self.travel();
        self.queue
            .put(self.now + pause + pause, Item::Dialled { line, address });
    }

    fn travel(&mut self) -> Duration {
        let (from, to) = self.wire.latency;
        self.dice.micros(from, to)
    }

    pub(super) fn dialled(&mut self, line: LineId, address: &Address) {
        if line.0 != self.daemon.run || !self.wire.dialling.contains(&line) {
            return;
        }
        let peers = self.plan.peers.iter().zip(1..);
        let found = peers.filter(|(it, _)| it.address == *address);
        let peer = found.map(|(_, number)| PeerNumber(number)).next();
        let nowhere = Link {
            refuses: true,
            ..Link::default()
        };
        let road = peer.map_or(nowhere, |it| self.wire.link(it));
        if road.shut || road.lost.is_some() {
            return;
        }
        self.wire.dialling.remove(&line);
        let connection = line.1;
        let Some(peer) = peer.filter(|_| !road.refuses) else {
            let failure = Some(Failure {
                class: LossClass::Connection,
                text: format!("{address}: connection refused"),
            });
            return self.pilot(pilot::Input::Closed {
                connection,
                failure,
            });
        };
        self.wire.last_session += 1;
        self.figures.sessions += 1;
        let session = SessionId(self.wire.last_session);
        let server = Server::new(&self.wire.settings, self.dice.bytes());
        self.wire.sessions.insert(session, line);
        self.wire.lines.insert(
            line,
            Line {
                peer,
                session,
                server,
                pilot_open: true,
                peer_open: true,
                to_peer: self.now,
                to_pilot: self.now,
                held: Vec::new(),
            },
        );
        let entropy = self.dice.bytes();
        self.pilot(pilot::Input::Opened {
            connection,
            entropy,
        });
    }

    /// The pilot sends something, or closes.
    pub(super) fn say_to_peer(&mut self, line: LineId, packet: Packet) {
        self.wire.dialling.remove(&line);
        let pause = self.travel();
        let Some(it) = self.wire.lines.get_mut(&line) else {
            return;
        };
        it.pilot_open &= !matches!(packet, Packet::End);
        it.to_peer = it.to_peer.max(self.now + pause);
        let way = Way::ToPeer;
        self.queue
            .put(it.to_peer, Item::Arrived { line, way, packet });
    }

    /// A peer sends something, or closes.
    fn say_to_pilot(&mut self, line: LineId, packet: Packet) {
        let pause = self.travel();
        let Some(it) = self.wire.lines.get_mut(&line) else {
            return;
        };
        let delay = self
            .wire
            .links
            .get(&it.peer)
            .map_or(Duration::ZERO, |it| it.delay);
        if matches!(packet, Packet::End) {
            it.peer_open = false;
        }
        it.to_pilot = it.to_pilot.max(self.now + pause + delay);
        let way = Way::ToPilot;
        self.queue
            .put(it.to_pilot, Item::Arrived { line, way, packet });
    }

    /// Something has come as far as the end of a line.
    pub(super) fn arrived(&mut self, line: LineId, way: Way, packet: Packet) {
        let Some(it) = self.wire.lines.get_mut(&line) else {
            return;
        };
        let known = self.wire.links.get(&it.peer);
        let stays = known.is_some_and(|it| it.muted || it.lost == Some(way));
        if stays || it.held.iter().any(|it| it.0 == way) {
            it.held.push((way, packet));
            return;
        }
        match (way, packet) {
            (Way::ToPeer, Packet::Bytes(bytes)) if it.peer_open => self.serve(line, &bytes),
            (Way::ToPeer, Packet::Bytes(_)) => (),
            (Way::ToPeer, Packet::End) => {
                let session = it.session;
                self.wire.lines.remove(&line);
                self.wire.sessions.remove(&session);
                self.tell_world(Input::Closed { session });
            }
            (Way::ToPilot, packet) => {
                if !it.pilot_open || line.0 != self.daemon.run {
                    return;
                }
                let connection = line.1;
                match packet {
                    Packet::Bytes(bytes) => self.pilot(pilot::Input::Bytes {
                        connection,
                        bytes: &bytes,
                    }),
                    Packet::End => {
                        let session = it.session;
                        self.wire.lines.remove(&line);
                        self.wire.sessions.remove(&session);
                        self.pilot(pilot::Input::Closed {
                            connection,
                            failure: None,
                        });
                    }
                }
            }
        }
    }

    /// A peer takes in what a client sent.
    fn serve(&mut self, line: LineId, bytes: &[u8]) {
        let Some(it) = self.wire.lines.get_mut(&line) else {
            return;
        };
        let mut is_over = it.server.handle_bytes(bytes).is_err();
        self.wire.spoken.insert(line);
        let (session, peer) = (it.session, it.peer);
        while let Some(it) = self.wire.lines.get_mut(&line)
            && let Some(event) = it.server.poll_event()
        {
            match event {
                ServerEvent::Denied | ServerEvent::Probe => is_over = true,
                ServerEvent::Document(document) => {
                    self.feed_world(Input::Document { session, document });
                }
                ServerEvent::Opened {
                    request,
                    authorised,
                } => self.feed_world(Input::Opened {
                    session,
                    peer,
                    request,
                    authorised,
                }),
            }
        }
        self.speak();
        if is_over {
            self.end_session(session);
        }
    }

    /// Sends what the servers have to say.
    pub(super) fn speak(&mut self) {
        while let Some(line) = self.wire.spoken.pop_first() {
            while let Some(it) = self.wire.lines.get_mut(&line)
                && let Some(bytes) = it.server.poll_transmit()
            {
                let cut = self.plan.cuts && bytes.len() > 2 && self.dice.percent(20);
                if cut {
                    let (first, second) = bytes.split_at(1 + self.dice.below(bytes.len() - 1));
                    self.say_to_pilot(line, Packet::Bytes(first.to_vec()));
                    self.say_to_pilot(line, Packet::Bytes(second.to_vec()));
                } else {
                    self.say_to_pilot(line, Packet::Bytes(bytes));
                }
            }
        }
    }

    /// The peer ends a session once all is sent.
    fn end_session(&mut self, session: SessionId) {
        self.speak();
        if let Some(line) = self.wire.sessions.get(&session).copied() {
            self.say_to_pilot(line, Packet::End);
        }
    }

    /// A line breaks: nothing that was on its way arrives.
    fn cut(&mut self, line: LineId) {
        let pause = self.travel();
        let Some(it) = self.wire.lines.remove(&line) else {
            return;
        };
        self.wire.spoken.remove(&line);
        self.wire.sessions.remove(&it.session);
        if it.pilot_open {
            self.queue.put(self.now + pause, Item::Broken { line });
        }
    }

    /// The daemon learns that a line broke.
    pub(super) fn broken(&mut self, line: LineId) {
        if line.0 == self.daemon.run {
            let connection = line.1;
            self.pilot(pilot::Input::Closed {
                connection,
                failure: None,
            });
        }
    }

    /// Every line of the daemon's closes, as it does when a program dies.
    pub(super) fn hang_up(&mut self) {
        self.wire.dialling.clear();
        let open = self.wire.lines.iter().filter(|(_, it)| it.pilot_open);
        let lines: Vec<LineId> = open.map(|(line, _)| *line).collect();
        for line in lines {
            self.say_to_peer(line, Packet::End);
        }
    }

    /// Does what the world wants of the network.
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            // Of one that hangs nobody is told.
            Effect::Answer { .. } | Effect::Done { .. } | Effect::Hang { .. } => (),
            Effect::Close { session } => self.end_session(session),
            Effect::Cut { session } => {
                if let Some(line) = self.wire.sessions.get(&session).copied() {
                    self.cut(line);
                }
            }
            Effect::CutPeer { peer } => {
                let at = self.wire.lines.iter().filter(|(_, it)| it.peer == peer);
                let lines: Vec<LineId> = at.map(|(line, _)| *line).collect();
                for line in lines {
                    self.cut(line);
                }
            }
            Effect::Event { session, event } => {
                self.say(session, |server| server.send_event(&event));
            }
            Effect::Reply { session, document } => {
                self.say(session, |server| server.send(&document));
            }
            Effect::Status { session, status } => {
                self.say(session, |server| server.send_status(&status));
            }
            Effect::Link { peer, muted, delay } => {
                let link = self.wire.links.entry(peer).or_default();
                (link.muted, link.delay) = (muted, delay);
                if !muted {
                    self.release(peer);
                }
            }
            Effect::Listen { peer, listening } => {
                self.wire.links.entry(peer).or_default().refuses = !listening;
            }
            Effect::Kill { engine } => self.end_engine(engine, 137),
            Effect::Stop { engine } => self.end_engine(engine, 0),
            Effect::Spawn {
                engine,
                peer,
                start,
            } => self.spawn_engine(engine, peer, &start),
        }
    }

    fn say(&mut self, session: SessionId, say: impl FnOnce(&mut Server)) {
        if let Some(line) = self.wire.sessions.get(&session).copied()
            && let Some(it) = self.wire.lines.get_mut(&line)
        {
            say(&mut it.server);
            self.wire.spoken.insert(line);
        }
    }

    /// Both ways to a peer are open again.
    pub(super) fn hear_again(&mut self, peer: PeerNumber) {
        self.wire.lose(peer, None);
        if !self.wire.link(peer).muted {
            self.release(peer);
        }
    }

    /// Lets pass what was held back at a peer.
    fn release(&mut self, peer: PeerNumber) {
        let at = self.wire.lines.iter_mut().filter(|(_, it)| it.peer == peer);
        let held: Vec<(LineId, Vec<(Way, Packet)>)> = at
            .map(|(line, it)| (*line, std::mem::take(&mut it.held)))
            .collect();
        for (line, packets) in held {
            for (way, packet) in packets {
                self.queue
                    .put(self.now, Item::Arrived { line, way, packet });
            }
        }
    }
}
