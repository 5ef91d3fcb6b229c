//! The services of a peer: what each request is answered with.

use std::time::Duration;

use super::element::{self, success};
use super::engine::EngineState;
use super::{Effect, EngineId, PeerNumber, Purpose, Session, SessionId, World};
use crate::nuodb::message::{Element, Request};
use crate::time::Timestamp;

/// How many tags a host bears.
const MAX_TAGS: usize = 1_000;

impl World {
    /// Answers the first document of a session.
    pub(super) fn opened(
        &mut self,
        now: Timestamp,
        session: SessionId,
        number: PeerNumber,
        request: &Request,
        authorised: bool,
    ) {
        let Some(peer) = self.peer(number).filter(|it| !it.is_lost) else {
            self.effects.push_back(Effect::Cut { session });
            return;
        };
        let service = request.service.as_str();
        if service == "SQL2" {
            self.refuse(session, "This is a sandbox: no engine here speaks SQL");
            return;
        }
        if service == "Identity" {
            let reply = element::identity(&self.domain, &peer.element());
            self.reply(session, reply);
            return;
        }
        if !authorised {
            self.refuse(session, format!("Not authorised for service {service}"));
            return;
        }
        let is_broker = peer.is_broker();
        match service {
            "ProcessStart" => self.process_start(now, session, number, request),
            "ProcessStop" => self.process_stop(session, number, request),
            "State" => {
                if let Some(status) = self.status(number) {
                    self.reply(session, element::state(&status));
                }
            }
            "ChorusManagement" | "Description" | "HostStats" | "License" | "Manager"
            | "Monitor" | "Tag"
                if !is_broker =>
            {
                let text = format!("{service} is a service of brokers; this peer is an agent");
                self.refuse(session, text);
            }
            "ChorusManagement" => {
                let reply = self.chorus(now, request);
                self.reply(session, reply);
            }
            "Monitor" => self.subscribe(session, number),
            "Tag" => {
                let reply = self.tag(request);
                self.reply(session, reply.unwrap_or_else(Element::error));
            }
            "Description" => {
                let reply = self.description(now, request);
                self.reply(session, reply);
            }
            "HostStats" | "License" | "Manager" => {
                self.refuse(session, format!("The sandbox has no service {service}"));
            }
            _ => self.refuse(session, format!("Unknown service: {service}")),
        }
    }

    /// Takes in a further document of a session: on Monitor, what is relayed to an engine.
    pub(super) fn document(&mut self, now: Timestamp, session: SessionId, document: &Element) {
        let is_monitor = self
            .sessions
            .get(&session)
            .is_some_and(|it| it.purpose == Purpose::Monitor);
        if !is_monitor || document.name != "ManagementRequest" {
            return;
        }
        let asks_to_end = |it: &Element| {
            it.name == "Request"
                && it.attribute("Service") == Some("Admin")
                && it.attribute("Type") == Some("Shutdown")
        };
        let pid = document
            .attribute("ProcessId")
            .and_then(|it| it.parse().ok());
        let agent_id = document.attribute("AgentId");
        // Nothing is answered, whatever was wrong: clients read none.
        let (true, Some(pid), Some(agent_id)) =
            (document.children.iter().any(asks_to_end), pid, agent_id)
        else {
            return;
        };
        let found = self.engines.iter().find(|(id, it)| {
            it.pid == Some(pid)
                && self.is_visible(**id)
                && self.agent_at(it.peer).is_some_and(|it| **it == *agent_id)
        });
        if let Some((engine, it)) = found
            && !it.is_shutting_down()
        {
            let engine = *engine;
            self.shut_down(now, engine);
        }
    }

    /// Answers, and leaves it to the client to close.
    pub(super) fn reply(&mut self, session: SessionId, document: Element) {
        self.effects.push_back(Effect::Reply { session, document });
        self.effects.push_back(Effect::Done { session });
    }

    /// Answers that there is nothing to be had here, and closes.
    fn refuse(&mut self, session: SessionId, text: impl Into<String>) {
        let document = Element::error(text);
        self.effects.push_back(Effect::Reply { session, document });
        self.effects.push_back(Effect::Close { session });
    }

    fn process_stop(&mut self, session: SessionId, number: PeerNumber, request: &Request) {
        let text = request.attribute("PID").unwrap_or_default();
        let pid: Option<u32> = text.trim().parse().ok();
        let found = self
            .engines
            .iter()
            .find(|(_, it)| it.peer == number && it.pid.is_some() && it.pid == pid)
            .map(|(id, _)| *id);
        let Some(engine) = found else {
            let document = Element::error(format!("Unknown process: no pid {text} at this peer"));
            self.reply(session, document);
            return;
        };
        let (peer, purpose) = (number, Purpose::Stop(engine));
        self.sessions.insert(session, Session { peer, purpose });
        self.kill(engine);
    }

    fn chorus(&mut self, now: Timestamp, request: &Request) -> Element {
        let database = request.attribute("Database").unwrap_or_default();
        let (first, second) = match request.attribute("Action") {
            Some("Quiesce") => (EngineState::Quiescing, EngineState::Quiesced),
            Some("Unquiesce") => (EngineState::Unquiescing, EngineState::Running),
            Some(other) => {
                return Element::error(format!("The sandbox has no database action {other}"));
            }
            None => return Element::error("No database action was named"),
        };
        let engines: Vec<EngineId> = self
            .engines
            .iter()
            .filter(|(id, it)| *it.start.database == *database && self.is_visible(**id))
            .filter(|(_, it)| !it.is_shutting_down())
            .map(|(id, _)| *id)
            .collect();
        if engines.is_empty() {
            return Element::error(format!("Unknown database: {database}"));
        }
        let steps = [(Duration::ZERO, first), (self.pace.quiesce, second)];
        for engine in engines {
            self.set_course(now, engine, &steps);
        }
        success()
    }

    fn tag(&mut self, request: &Request) -> Result<Element, String> {
        let agent_id = request.attribute("AgentId").unwrap_or_default();
        let peer = self
            .peers
            .iter_mut()
            .find(|it| !it.is_lost && *it.agent_id == *agent_id)
            .ok_or_else(|| format!("Unknown peer: {agent_id}"))?;
        let tags = request.children.iter().filter(|it| it.name == "Tag");
        let key = |it: &Element| {
            let key = it.attribute("Key").filter(|it| !it.is_empty());
            key.map(str::to_owned)
                .ok_or_else(|| "A tag has no key".to_owned())
        };
        match request.attribute("Action") {
            Some("GetHostTags") => {
                let mut root = Element::new("Tags");
                root.children.extend(
                    peer.tags.iter().map(|(key, value)| {
                        Element::new("Tag").with("Key", key).with("Value", value)
                    }),
                );
                Ok(root)
            }
            Some("SetHostTags") => {
                for it in tags {
                    let value = it.attribute("Value").unwrap_or_default();
                    peer.tags.insert(key(it)?, value.to_owned());
                }
                if peer.tags.len() > MAX_TAGS {
                    peer.tags.clear();
                    return Err(format!("More than {MAX_TAGS} tags; all are dropped"));
                }
                Ok(success())
            }
            Some("DeleteHostTags") => {
                for it in tags {
                    peer.tags.remove(&key(it)?);
                }
                Ok(success())
            }
            Some(other) => Err(format!("Unknown tag action: {other}")),
            None => Err("No tag action was named".to_owned()),
        }
    }
}
