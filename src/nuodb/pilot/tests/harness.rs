//! A pilot among peers that live in memory, in virtual time.
//!
//! Peers speak the real protocol through the real server half; what they say is scripted. What
//! the pilot does is written down as lines of text, each with the virtual time in milliseconds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::script::{broker, observation_text, outcome_text};
use crate::exchange::{Deed, LossClass, Outcome};
use crate::model::Address;
use crate::nuodb::cipher::CipherName;
use crate::nuodb::client::{Credentials, Settings};
use crate::nuodb::message::{BrokerElement, Element, Event, ProcessElement, Request, Status};
use crate::nuodb::pilot::{Command, ConnectionId, Failure, Input, Pilot, PilotSettings};
use crate::nuodb::server::{Server, ServerEvent, ServerSettings};
use crate::nuodb::srp::{Agreement, Password};
use crate::time::Timestamp;

/// How a peer treats those who dial it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Manner {
    /// Closes each connection after the first bytes.
    Closes,
    /// Says the beginning of a frame and then one byte every five seconds.
    Drips,
    /// Says what is no frame.
    Garbage,
    /// Accepts connections and says nothing, on the open ones either, until it serves again.
    Mute,
    /// Refuses connections.
    Refuses,
    /// Does what is asked.
    Serves,
    /// Shows a certificate that nobody trusts.
    Untrusted,
}

/// What a peer answers to the next start.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reply {
    Accept(&'static str),
    Close,
    Nothing,
    Refuse(&'static str),
    WithoutId,
}

pub(super) struct World {
    pub(super) now: Timestamp,
    pilot: Pilot,
    peers: BTreeMap<&'static str, Peer>,
    lines: BTreeMap<ConnectionId, Line>,
    processes: Vec<ProcessElement>,
    holds_snapshots: bool,
    /// Which databases the domain manages, and how it stands with them; `None` if it knows of no
    /// descriptions.
    managed: Option<BTreeMap<&'static str, &'static str>>,
    log: String,
    /// What was written down of the search for a session.
    pub(super) notes: Vec<String>,
    /// Every document that reached a peer after the login.
    pub(super) heard: Vec<String>,
    /// How many final outcomes each action has.
    pub(super) finals: BTreeMap<u64, usize>,
}

struct Peer {
    manner: Manner,
    password: &'static str,
    ciphers: Vec<CipherName>,
    is_broker: bool,
    reply: Reply,
    /// Whether it is in the snapshots of the others.
    is_present: bool,
}

struct Line {
    host: Arc<str>,
    server: Server,
    is_watching: bool,
    /// Whether what the peer says on it does not arrive for now.
    is_held: bool,
    next_drip: Option<Timestamp>,
    /// What the peer has said and the pilot has not been given yet.
    to_pilot: Vec<u8>,
}

impl World {
    /// A pilot that is configured with these brokers, all of which serve.
    pub(super) fn new(brokers: &[&'static str]) -> Self {
        Self::with(brokers, |_| ())
    }

    pub(super) fn with(brokers: &[&'static str], adjust: impl FnOnce(&mut PilotSettings)) -> Self {
        let client = Settings {
            credentials: Credentials {
                user: "domain".into(),
                password: Password::new("bird".into()),
            },
            inside_tls: false,
            allow_legacy_ciphers: false,
            frame_limit: 1 << 20,
            agreement: Agreement::default(),
        };
        let addresses = brokers.iter().map(|it| Address::new(*it, 48_004)).collect();
        let mut settings = PilotSettings::new(addresses, client);
        adjust(&mut settings);
        let mut world = Self {
            now: Timestamp::ZERO,
            pilot: Pilot::new(settings),
            peers: BTreeMap::new(),
            lines: BTreeMap::new(),
            processes: Vec::new(),
            holds_snapshots: false,
            managed: Some(BTreeMap::new()),
            log: String::new(),
            notes: Vec::new(),
            heard: Vec::new(),
            finals: BTreeMap::new(),
        };
        for broker in brokers {
            world.add(broker, true);
        }
        world
    }

    pub(super) fn add(&mut self, host: &'static str, is_broker: bool) {
        let peer = Peer {
            manner: Manner::Serves,
            password: "bird",
            ciphers: vec![CipherName::Aes256Ctr],
            is_broker,
            reply: Reply::Accept("s1"),
            is_present: true,
        };
        self.peers.insert(host, peer);
    }

    fn peer(&mut self, host: &str) -> &mut Peer {
        self.peers.get_mut(host).unwrap()
    }

    pub(super) fn manner(&mut self, host: &str, manner: Manner) {
        self.peer(host).manner = manner;
    }

    pub(super) fn password(&mut self, host: &str, password: &'static str) {
        self.peer(host).password = password;
    }

    pub(super) fn ciphers(&mut self, host: &str, ciphers: &[CipherName]) {
        self.peer(host).ciphers = ciphers.to_vec();
    }

    pub(super) fn reply(&mut self, host: &str, reply: Reply) {
        self.peer(host).reply = reply;
    }

    /// Makes a process part of every snapshot from now on.
    pub(super) fn run_process(&mut self, process: ProcessElement) {
        self.processes.push(process);
    }

    /// Has the domain manage a database from now on, and say so of its state.
    pub(super) fn manage(&mut self, database: &'static str, status: &'static str) {
        let managed = self.managed.get_or_insert_default();
        managed.insert(database, status);
    }

    /// Has it manage none of that name any more.
    pub(super) fn unmanage(&mut self, database: &str) {
        self.managed.get_or_insert_default().remove(database);
    }

    /// Lets it know of no descriptions at all.
    pub(super) fn know_no_descriptions(&mut self) {
        self.managed = None;
    }

    fn describe(&self, request: &Request) -> Element {
        let Some(managed) = &self.managed else {
            return Element::error("Unknown service: Description");
        };
        let Some(name) = request.attribute("DatabaseName") else {
            let all = managed.keys();
            let all = all.map(|it| Element::new("Description").with("DatabaseName", *it));
            return all.fold(Element::new("Descriptions"), Element::child);
        };
        let Some(status) = managed.get(name) else {
            return Element::error(format!("Unknown description: {name}"));
        };
        let mut word = Element::new("Status");
        (*status).clone_into(&mut word.text);
        Element::new("Description")
            .with("DatabaseName", name)
            .child(word)
    }

    /// Lets new snapshots be taken from now on, but not arrive.
    pub(super) fn hold_snapshots(&mut self) {
        self.holds_snapshots = true;
    }

    /// Lets what was held back arrive.
    pub(super) fn release_snapshots(&mut self) {
        self.holds_snapshots = false;
        self.lines.values_mut().for_each(|it| it.is_held = false);
        self.settle();
    }

    /// Lets nothing pass any more on the connections on which somebody is told of changes.
    pub(super) fn deafen(&mut self) {
        let watching = self.lines.values_mut().filter(|it| it.is_watching);
        watching.for_each(|it| it.is_held = true);
    }

    /// Ends all connections to a peer, and refuses new ones.
    pub(super) fn kill_peer(&mut self, host: &str) {
        self.manner(host, Manner::Refuses);
        self.cut(host);
    }

    /// Ends all connections to a peer.
    pub(super) fn cut(&mut self, host: &str) {
        self.cut_lines(|it| &*it.host == host);
    }

    /// Ends the connections on which somebody is told of changes, and no other.
    pub(super) fn cut_watching(&mut self) {
        self.cut_lines(|it| it.is_watching);
    }

    fn cut_lines(&mut self, is_meant: impl Fn(&Line) -> bool) {
        let lines: Vec<_> = self
            .lines
            .iter()
            .filter(|(_, line)| is_meant(line))
            .map(|(connection, _)| *connection)
            .collect();
        for connection in lines {
            self.lines.remove(&connection);
            self.handle(Input::Closed {
                connection,
                failure: None,
            });
        }
        self.settle();
    }

    /// Has a peer tell all who watch it.
    pub(super) fn tell(&mut self, host: &str, event: &Event) {
        for line in self.lines.values_mut() {
            if line.is_watching && &*line.host == host {
                line.server.send_event(event);
            }
        }
        self.settle();
    }

    /// Has a peer say whatever to all who watch it.
    pub(super) fn say(&mut self, host: &str, document: &Element) {
        for line in self.lines.values_mut() {
            if line.is_watching && &*line.host == host {
                line.server.send(document);
            }
        }
        self.settle();
    }

    /// Has a peer say whatever to all who have not asked it anything yet.
    pub(super) fn say_unasked(&mut self, host: &str, document: &Element) {
        for line in self.lines.values_mut() {
            if !line.is_watching && &*line.host == host {
                line.server.send(document);
            }
        }
        self.settle();
    }

    pub(super) fn order(&mut self, deed: Deed) {
        self.handle(Input::Deed(deed));
        self.settle();
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, length: Duration) {
        let end = self.now + length;
        loop {
            self.settle();
            let due = self.pilot.next_timeout();
            let drip = self.lines.values().filter_map(|it| it.next_drip).min();
            let Some(next) = [due, drip]
                .into_iter()
                .flatten()
                .min()
                .filter(|it| *it <= end)
            else {
                self.now = end;
                return;
            };
            self.now = next.max(self.now);
            self.drip();
            if due.is_some_and(|it| it <= self.now) {
                self.handle(Input::Timeout);
                let next = self.pilot.next_timeout();
                assert!(
                    !self.log.is_empty() || next != due,
                    "nothing came of a timeout"
                );
            }
        }
    }

    pub(super) fn run_millis(&mut self, millis: u64) {
        self.run(Duration::from_millis(millis));
    }

    /// Takes what was written down since the last time.
    pub(super) fn log(&mut self) -> String {
        std::mem::take(&mut self.log)
    }

    /// Takes what was written down, the times and the dialling left out.
    pub(super) fn outcomes(&mut self) -> Vec<String> {
        self.log()
            .lines()
            .filter_map(|it| it.split_once(' '))
            .map(|(_, what)| what.to_owned())
            .filter(|it| !it.starts_with("dial"))
            .collect()
    }

    /// Returns how many connections are open.
    pub(super) fn open_lines(&self) -> usize {
        self.lines.len()
    }

    fn handle(&mut self, input: Input<'_>) {
        self.pilot.handle(self.now, input);
    }

    fn note(&mut self, text: &str) {
        let millis = self.now.as_micros() / 1_000;
        writeln!(self.log, "{millis} {text}").unwrap();
    }

    /// Carries everything out until nobody has anything to say.
    fn settle(&mut self) {
        loop {
            while let Some(command) = self.pilot.poll() {
                self.carry_out(command);
            }
            if !self.deliver() {
                return;
            }
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Close { connection } => drop(self.lines.remove(&connection)),
            Command::Dial {
                connection,
                address,
                deadline,
            } => {
                assert!(deadline >= self.now);
                self.note(&format!("dial {}", address.host));
                self.dialled(connection, &address.host);
            }
            Command::Finish { action, outcome } => {
                if !matches!(outcome, Outcome::Ready | Outcome::Started(_)) {
                    *self.finals.entry(action.0).or_default() += 1;
                }
                let text = format!("action {action}: {}", outcome_text(&outcome));
                self.note(&text);
            }
            Command::Note { address, text } => {
                self.notes.push(format!("{}: {text}", address.host));
            }
            Command::Observe(observation) => self.note(&observation_text(&observation)),
            Command::Transmit { connection, bytes } => {
                if let Some(line) = self.lines.get_mut(&connection) {
                    // A server that objects says nothing more; the pilot will notice.
                    let _ = line.server.handle_bytes(&bytes);
                    self.serve(connection);
                }
            }
            Command::Warn { address, text } => self.note(&format!("warn {}: {text}", address.host)),
        }
    }

    fn dialled(&mut self, connection: ConnectionId, host: &Arc<str>) {
        let Some(peer) = self.peers.get(&**host) else {
            return self.fail(connection, LossClass::Connection, "no such host");
        };
        match peer.manner {
            Manner::Refuses => {
                return self.fail(connection, LossClass::Connection, "connection refused");
            }
            Manner::Untrusted => return self.fail(connection, LossClass::Denied, "unknown issuer"),
            Manner::Closes | Manner::Drips | Manner::Garbage | Manner::Mute | Manner::Serves => (),
        }
        let settings = ServerSettings {
            user: "domain".into(),
            password: Password::new(peer.password.into()),
            ciphers: peer.ciphers.clone(),
            frame_limit: 1 << 20,
            agreement: Agreement::default(),
        };
        let mut entropy = [7; 80];
        entropy[0] = u8::try_from(connection.0 % 251).unwrap();
        let line = Line {
            host: Arc::clone(host),
            server: Server::new(&settings, entropy),
            is_watching: false,
            is_held: false,
            next_drip: (peer.manner == Manner::Drips).then_some(self.now),
            to_pilot: Vec::new(),
        };
        self.lines.insert(connection, line);
        self.handle(Input::Opened {
            connection,
            entropy: [u8::try_from(connection.0 % 250).unwrap() + 1; 32],
        });
    }

    fn fail(&mut self, connection: ConnectionId, class: LossClass, text: &str) {
        let failure = Failure {
            class,
            text: text.to_owned(),
        };
        self.handle(Input::Closed {
            connection,
            failure: Some(failure),
        });
    }

    /// Gives the pilot what peers have said; returns whether there was anything.
    fn deliver(&mut self) -> bool {
        let mut was_any = false;
        let connections: Vec<_> = self.lines.keys().copied().collect();
        for connection in connections {
            let Some(line) = self.lines.get_mut(&connection) else {
                continue;
            };
            if let Some(bytes) = line.server.poll_transmit() {
                line.to_pilot.extend(bytes);
            }
            let host = Arc::clone(&line.host);
            let manner = self.peers[&*host].manner;
            match manner {
                Manner::Serves if line.is_held => continue,
                Manner::Serves => (),
                Manner::Garbage => {
                    line.to_pilot = b"HTTP/1.1 400 Bad Request\r\n".to_vec();
                }
                Manner::Closes => {
                    self.lines.remove(&connection);
                    self.handle(Input::Closed {
                        connection,
                        failure: None,
                    });
                    was_any = true;
                    continue;
                }
                Manner::Drips | Manner::Refuses | Manner::Untrusted => line.to_pilot.clear(),
                Manner::Mute => continue,
            }
            let bytes = std::mem::take(&mut line.to_pilot);
            if !bytes.is_empty() {
                was_any = true;
                let bytes = bytes.as_slice();
                self.handle(Input::Bytes { connection, bytes });
            }
        }
        was_any
    }

    fn drip(&mut self) {
        let due: Vec<_> = self
            .lines
            .iter()
            .filter(|(_, line)| line.next_drip.is_some_and(|it| it <= self.now))
            .map(|(connection, _)| *connection)
            .collect();
        for connection in due {
            self.lines.get_mut(&connection).unwrap().next_drip =
                Some(self.now + Duration::from_secs(5));
            let bytes = &[0];
            self.handle(Input::Bytes { connection, bytes });
        }
    }

    fn serve(&mut self, connection: ConnectionId) {
        loop {
            let line = self.lines.get_mut(&connection).unwrap();
            let host = Arc::clone(&line.host);
            match line.server.poll_event() {
                None => return,
                Some(ServerEvent::Opened { request, .. }) => {
                    if !self.answer(connection, &host, &request) {
                        return;
                    }
                }
                Some(ServerEvent::Document(document)) => {
                    self.heard.push(format!("{host} {document:?}"));
                }
                Some(ServerEvent::Denied | ServerEvent::Probe) => (),
            }
        }
    }

    /// Answers a request; returns whether the connection still stands.
    fn answer(&mut self, connection: ConnectionId, host: &str, request: &Request) -> bool {
        if request.service != "Monitor" && request.service != "Identity" {
            self.heard.push(format!("{host} {request:?}"));
        }
        let status = self.status(host);
        let described = self.describe(request);
        let reply = self.peers[host].reply;
        let server = &mut self.lines.get_mut(&connection).unwrap().server;
        match request.service.as_str() {
            "Monitor" => {
                server.send_status(&status);
                let line = self.lines.get_mut(&connection).unwrap();
                line.is_watching = true;
                line.is_held = self.holds_snapshots;
            }
            "ProcessStart" if request.attribute("Process") == Some("archiveHistory") => {
                let history = ["Archive", "Database", "LastUsed", "InUse", "Runs"];
                let names = history.into_iter().zip(["/a", "teas", "70", "false", "3"]);
                let known = Element::new(if host == "c" {
                    "ArchiveHistory"
                } else {
                    "History"
                });
                server.send(&names.fold(known, |it, (name, value)| it.with(name, value)));
            }
            "ProcessStart" => match reply {
                Reply::Accept(id) => server.send(&Element::new("Process").with("StartId", id)),
                Reply::Close => {
                    self.lines.remove(&connection);
                    self.handle(Input::Closed {
                        connection,
                        failure: None,
                    });
                    return false;
                }
                Reply::Nothing => (),
                Reply::Refuse(text) => server.send(&Element::error(text)),
                Reply::WithoutId => server.send(&Element::new("Process")),
            },
            "Description" => server.send(&described),
            "ProcessStop" if request.attribute("PID") == Some("0") => {
                server.send(&Element::error("No process has that id"));
            }
            "ProcessStop" => server.send(&Element::new("Process").with("ExitCode", "9")),
            "Tag" => {
                let tag = Element::new("Tag").with("Key", "zone").with("Value", "b");
                server.send(&Element::new("Tags").child(tag));
            }
            _ => server.send(&Element::new("Success")),
        }
        true
    }

    fn status(&self, host: &str) -> Status {
        let others = self
            .peers
            .iter()
            .filter(|it| *it.0 != host && it.1.is_present);
        Status {
            domain: "test".into(),
            entry: BrokerElement {
                address: None,
                port: None,
                ..broker(host)
            },
            peers: others
                .map(|(host, peer)| BrokerElement {
                    is_broker: peer.is_broker,
                    ..broker(host)
                })
                .collect(),
            processes: self.processes.clone(),
        }
    }
}
