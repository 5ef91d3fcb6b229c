//! The log of one agent as a past.
//!
//! A log tells what its agent saw, and nothing of the time while that agent was down.

use std::collections::BTreeMap;

use super::line::{Line, Said, read};
use super::node::{Node, PeerName};
use super::past::{Host, HostId, Past, Spoken, key, running};
use crate::model::{Address, StatusSeen};
use crate::nuodb::pilot;
use crate::time::Timestamp;

/// So many lines that are not understood are kept as they are; all of them are counted.
const SHOWN: usize = 100;

/// The host that writes, until it says where it is.
const LOCAL: &str = "(local)";

/// A line that begins like a documented form and goes on otherwise.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stranger {
    /// Its number in the log, from 1 on.
    pub line: u64,
    /// How the form begins.
    pub form: &'static str,
    /// What it says.
    pub text: String,
}

/// A log that was read, and what was made of its lines.
#[derive(Debug, Default)]
pub struct Log {
    past: Past,
    lines: u64,
    others: u64,
    known: BTreeMap<&'static str, u64>,
    strangers: u64,
    shown: Vec<Stranger>,
    failed: Vec<(Timestamp, String)>,
    /// Whether the last line said why a start failed, which may go on.
    fails: bool,
    agent_starts: u32,
    is_placed: bool,
}

impl Log {
    /// Takes in the next line.
    pub fn line(&mut self, text: &str) {
        self.lines += 1;
        for line in read(text) {
            let fails = std::mem::take(&mut self.fails);
            match line {
                Line::Form { at, form, said } => {
                    *self.known.entry(form).or_default() += 1;
                    let at = self.past.pass(at);
                    self.said(at, said);
                }
                Line::Other { at, text } => {
                    self.others += 1;
                    match (at, self.failed.last_mut()) {
                        (None, Some((_, reason))) if fails && reason.len() < 1_024 => {
                            reason.push(' ');
                            reason.push_str(text.trim());
                            self.fails = true;
                        }
                        (Some(at), _) => {
                            self.past.pass(at);
                        }
                        (None, _) => (),
                    }
                }
                Line::Unknown { at, form } => {
                    self.past.pass(at);
                    self.strangers += 1;
                    if self.shown.len() < SHOWN {
                        let (line, text) = (self.lines, text.to_owned());
                        self.shown.push(Stranger { line, form, text });
                    }
                }
            }
        }
    }

    /// Returns how many lines there were, and in how many of their parts there was no form.
    pub const fn lines(&self) -> (u64, u64) {
        (self.lines, self.others)
    }

    /// Returns how often each form occurred.
    pub const fn known(&self) -> &BTreeMap<&'static str, u64> {
        &self.known
    }

    /// Returns how many lines begin like a form and go on otherwise, and the first of them.
    pub fn strangers(&self) -> (u64, &[Stranger]) {
        (self.strangers, &self.shown)
    }

    /// Returns the starts that failed, with their reasons. Their databases are not said.
    pub fn failed_starts(&self) -> &[(Timestamp, String)] {
        &self.failed
    }

    /// Returns how often the agent was started while it wrote.
    pub const fn agent_starts(&self) -> u32 {
        self.agent_starts
    }

    /// Returns what happened.
    pub fn into_past(self) -> Past {
        self.past
    }

    fn said(&mut self, at: Timestamp, said: Said) {
        match said {
            Said::AgentStarted => {
                self.agent_starts += 1;
                self.local();
            }
            Said::Local(address, hostname) => self.place(address, &hostname),
            Said::NodeChanged(node, word) => {
                let spoken = self.spoken(node);
                let status = pilot::status(word.as_str().into());
                self.past.changed(at, spoken, status);
            }
            Said::NodeFailed(peer, reason) => {
                self.host(&peer, true);
                self.failed.push((at, reason));
                self.fails = true;
            }
            Said::NodeJoined(node) => {
                let status = first_status(&node);
                let spoken = self.spoken(node);
                self.past.joined(at, spoken, status);
            }
            Said::NodeLeft { node, observed } => {
                let spoken = self.spoken(node);
                self.past.gone(at, spoken, observed);
            }
            // Which engines run says the same, and says it of what did not come to be as well.
            Said::Nothing | Said::Serves(..) => (),
            Said::PeerJoined(peer) => {
                let host = self.host(&peer, false);
                self.past.peer_joined(at, host);
            }
            Said::PeerLeft(peer) => {
                let host = self.host(&peer, true);
                self.past.peer_lost(at, host);
            }
        }
    }

    fn spoken(&mut self, node: Node) -> Spoken {
        let host = self.host(&node.peer, true);
        Spoken {
            host,
            database: node.database,
            role: node.role,
            pid: node.pid,
        }
    }

    fn host(&mut self, peer: &PeerName, is_here: bool) -> HostId {
        match peer {
            PeerName::Local => self.local(),
            PeerName::Remote { address, is_broker } => {
                self.past.host(&key(address), is_here, || Host {
                    address: address.clone(),
                    hostname: "".into(),
                    is_broker: *is_broker,
                    was_there: is_here,
                })
            }
        }
    }

    /// Returns the host that writes. Who sees peers come and go is a broker.
    fn local(&mut self) -> HostId {
        let address = Address::new("local", 48_004);
        let host = self.past.host(LOCAL, true, || Host {
            address: address.clone(),
            hostname: "".into(),
            is_broker: true,
            was_there: true,
        });
        if !self.is_placed {
            self.past.also_called(host, &key(&address));
        }
        host
    }

    /// The agent says where it is.
    fn place(&mut self, address: Address, hostname: &str) {
        if std::mem::replace(&mut self.is_placed, true) {
            return;
        }
        let host = self.local();
        let by_name = Address::new(hostname, address.port);
        self.past.also_called(host, &key(&address));
        self.past.also_called(host, &key(&by_name));
        let known = &mut self.past.hosts[host.0];
        known.address = address;
        known.hostname = hostname.into();
    }
}

/// Returns how an engine is that is told of for the first time: one that has a number already has
/// been in its database for a while.
fn first_status(node: &Node) -> Option<StatusSeen> {
    node.id.is_some().then(running)
}

#[cfg(test)]
mod tests;
