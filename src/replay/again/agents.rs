//! The agents of a past, and the driver between them and the warden: deeds in, outcomes out.
//!
//! Agents that are there answer at once and start what they are asked for. What the record shows
//! nothing of goes well: sessions stand, requests are not lost.

use std::time::Duration;

use super::{
    ActionId, AgentId, Asked, Engine, Fate, HostId, Item, Outcome, PIDS, PeerSeen, ProcessSeen,
    Replay, Role, Snapshot, StartId, key,
};
use crate::exchange::{Deed, Loss, LossClass, Question, Target};
use crate::model::Address;
use crate::supervisor::Input;

/// How long a session to an agent takes to stand, or an answer to come.
const SESSION: Duration = Duration::from_millis(50);

/// How long an engine takes from the request to registering.
const LAUNCH: Duration = Duration::from_millis(200);

impl Replay<'_> {
    pub(super) fn deed(&mut self, deed: Deed) {
        match deed {
            Deed::Abandon { action } => {
                self.asked.remove(&action);
            }
            Deed::Ask { action, question } => self.ask(action, &question),
            Deed::Commit { action } => self.commit(action),
            Deed::Prepare {
                action,
                start,
                valid_until,
            } => {
                let Some(host) = self.host_of(&start.target) else {
                    return self.not_sent(action, &start.target);
                };
                let asked = Asked {
                    host,
                    database: start.database,
                    valid_until,
                    has_left: false,
                };
                self.asked.insert(action, asked);
                self.soon(SESSION, Item::Report(action, Outcome::Ready));
            }
            Deed::Refresh => self.soon(SESSION, Item::Refresh),
            Deed::Stop { .. } => (),
        }
    }

    fn soon(&mut self, pause: Duration, item: Item) {
        self.at(self.now + pause, item);
    }

    fn ask(&mut self, action: ActionId, question: &Question) {
        match question {
            Question::History { target, .. } | Question::Identity(target)
                if self.host_of(target).is_none() =>
            {
                self.not_sent(action, target);
            }
            Question::DeleteTags(..)
            | Question::History { .. }
            | Question::Identity(_)
            | Question::Quiesce(_)
            | Question::SetTags(..)
            | Question::Tags(_)
            | Question::Unquiesce(_) => {
                let answer = Outcome::Answered(Vec::new());
                self.soon(SESSION, Item::Report(action, answer));
            }
        }
    }

    fn not_sent(&mut self, action: ActionId, target: &Target) {
        let loss = Loss {
            address: target.address.clone(),
            class: LossClass::Connection,
            reason: "the record shows it out of reach".into(),
        };
        self.soon(SESSION, Item::Report(action, Outcome::NotSent(loss)));
    }

    fn commit(&mut self, action: ActionId) {
        let now = self.now;
        let Some(asked) = self
            .asked
            .get_mut(&action)
            .filter(|it| now <= it.valid_until)
        else {
            return;
        };
        asked.has_left = true;
        let database = asked.database.clone();
        self.service.started(&database);
        let start_id = Some(start_id(action));
        self.soon(SESSION, Item::Report(action, Outcome::Started(start_id)));
        self.soon(LAUNCH, Item::Registers(action));
    }

    /// An engine that was asked for registers, and its fate is drawn.
    pub(super) fn register(&mut self, action: ActionId) {
        let Some(Asked { host, database, .. }) =
            self.asked.remove(&action).filter(|it| it.has_left)
        else {
            return;
        };
        let Fate {
            serves_after,
            lasts,
        } = self.fates.draw(self.bound, &database, host);
        let engine = self.add(Engine {
            host,
            database,
            role: Role::Te,
            pid: PIDS,
            status: None,
            start_id: Some(start_id(action)),
        });
        let pid = PIDS + engine;
        if let Some(it) = self.engines.get_mut(&engine) {
            it.pid = pid;
        }
        if self.here[host.0] {
            self.told_of(engine);
            let outcome = Outcome::Registered { pid };
            self.handle(Input::Reported { action, outcome });
        }
        if let Some(after) = serves_after {
            self.soon(after, Item::Serves(engine));
        }
        if let Some(lasts) = lasts {
            self.soon(lasts, Item::Ends(engine));
        }
    }

    /// Returns which host is meant, if it is there.
    fn host_of(&self, target: &Target) -> Option<HostId> {
        let host = self.past.called(target.agent_id.as_str());
        host.filter(|it| self.here[it.0])
    }

    /// Returns the domain as it is now, seen from the first broker that is there.
    pub(super) fn snapshot(&self) -> Snapshot {
        let here = (0..self.here.len())
            .map(HostId)
            .filter(|it| self.here[it.0]);
        let mut here: Vec<HostId> = here.collect();
        here.sort_by_key(|it| (!self.past.hosts[it.0].is_broker, *it));
        let mut peers = here.iter().map(|it| self.peer_seen(*it));
        let nobody = || PeerSeen {
            agent_id: "nobody".into(),
            address: Address::new("nobody", 0),
            is_broker: true,
            hostname: "".into(),
            version: "".into(),
        };
        let entry = peers.next().unwrap_or_else(nobody);
        let engines = self.engines.values().filter(|it| self.here[it.host.0]);
        Snapshot {
            domain: "replayed".into(),
            entry,
            peers: peers.collect(),
            processes: engines.map(|it| self.process_seen(it)).collect(),
        }
    }

    pub(super) fn peer_seen(&self, host: HostId) -> PeerSeen {
        let it = &self.past.hosts[host.0];
        PeerSeen {
            agent_id: self.agent(host),
            address: it.address.clone(),
            is_broker: it.is_broker,
            hostname: it.hostname.clone(),
            version: "".into(),
        }
    }

    pub(super) fn process_seen(&self, it: &Engine) -> ProcessSeen {
        ProcessSeen {
            agent_id: self.agent(it.host),
            database: it.database.clone(),
            pid: it.pid,
            port: None,
            role: it.role,
            status: it.status.clone(),
            hostname: "".into(),
            version: "".into(),
            node_id: None,
            start_id: it.start_id.clone(),
        }
    }

    /// Returns what the agent of a host is taken to call itself: where it is.
    fn agent(&self, host: HostId) -> AgentId {
        key(&self.past.hosts[host.0].address).as_str().into()
    }
}

fn start_id(action: ActionId) -> StartId {
    format!("replay-{action}").as_str().into()
}
