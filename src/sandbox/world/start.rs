//! What a `ProcessStart` asks for, and whether it can work.

use std::sync::Arc;
use std::time::Duration;

use super::fault::NextStart;
use super::record::Asker;
use super::{PeerNumber, SessionId, Timer, World};
use crate::model::Role;
use crate::nuodb::message::{Element, Request};
use crate::time::Timestamp;

/// How many engines a world holds: more processes than a machine of any size wants to run.
pub(super) const MAX_ENGINES: usize = 2_000;

/// An engine to be started.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Start {
    /// The database it serves.
    pub database: Arc<str>,
    /// What it does there.
    pub role: Role,
    /// Where its archive is; a storage manager has one.
    pub archive: Option<Arc<str>>,
    /// Whether the archive is made now.
    pub initialize: bool,
    /// Whether it brings the database its first user.
    pub has_dba: bool,
}

/// Returns the reason of a storage manager that finds its archive taken.
pub fn archive_in_use(path: &str) -> String {
    format!("Archive is already in use: {path}")
}

/// Returns the reason of a storage manager that finds no archive and is not to make one.
pub fn archive_missing(path: &str) -> String {
    format!("{path}: Archive does not exist; a new one takes --initialize")
}

/// Returns the reason of a storage manager that is to make an archive where there is one.
pub fn archive_present(path: &str) -> String {
    format!("{path}: Archive exists already and is not initialized again")
}

/// Reads the options of a start; `Err` is the reason why it cannot work.
fn parse(options: &[Element]) -> Result<Start, &'static str> {
    let value = |name: &str| {
        let found = options
            .iter()
            .rfind(|it| it.attribute("option") == Some(name))?;
        Some(found.attribute("value").unwrap_or_default())
    };
    let given = |name| value(name).filter(|it| !it.is_empty());
    let database = given("--database").ok_or("No database was named: --database is missing")?;
    let archive = given("--archive");
    let initialize = value("--initialize").is_some();
    if archive.is_none() && value("--archive").is_some() {
        return Err("No archive was named: --archive has no value");
    }
    if archive.is_none() && initialize {
        return Err("Nothing to initialize: --archive is missing");
    }
    let has_dba = match (given("--dba-user"), given("--dba-password")) {
        (Some(_), Some(_)) => true,
        (Some(_), None) => return Err("--dba-user comes with --dba-password"),
        (None, Some(_)) => return Err("--dba-password comes with --dba-user"),
        (None, None) => false,
    };
    let role = if archive.is_some() {
        Role::Sm
    } else {
        Role::Te
    };
    Ok(Start {
        database: database.into(),
        role,
        archive: archive.map(Into::into),
        initialize,
        has_dba: has_dba && role == Role::Te,
    })
}

impl World {
    /// Answers a request to start an engine with a start id, and lets the start take its course.
    pub(super) fn process_start(
        &mut self,
        now: Timestamp,
        session: SessionId,
        number: PeerNumber,
        request: &Request,
    ) {
        match request.attribute("Process") {
            Some("server") => (),
            Some("archiveHistory") => {
                let reply = self.archive_history(number, request);
                self.reply(session, reply);
                return;
            }
            other => {
                let kind = other.unwrap_or("a process of no kind");
                self.reply(session, Element::error(format!("Unable to start: {kind}")));
                return;
            }
        }
        let Some(peer) = self.peer_mut(number) else {
            return;
        };
        let start_id = peer.next_start_id();
        let reply = Element::new("ProcessStart").with("StartId", &*start_id);
        self.reply(session, reply);
        let parsed = parse(&request.children).map_err(str::to_owned);
        self.launch(now, number, Asker::Client(session), start_id, parsed);
    }

    /// Lets a start take its course, whoever asked for it.
    pub(super) fn launch(
        &mut self,
        now: Timestamp,
        number: PeerNumber,
        asker: Asker,
        start_id: Arc<str>,
        parsed: Result<Start, String>,
    ) {
        let wanted = parsed.as_ref().ok().cloned();
        let record = self.record_start(asker, number, Some(start_id.clone()), wanted);
        let Some(peer) = self.peer_mut(number) else {
            return;
        };
        let agent_id = peer.agent_id.clone();
        let mut crashes_after = None;
        let mut is_lie = false;
        let late = match peer.next_starts.pop_front() {
            Some(NextStart::Crash { after }) => {
                crashes_after = Some(after);
                Duration::ZERO
            }
            Some(NextStart::Fail { reason }) => {
                self.fail_start(now, number, &start_id, self.pace.failed, &reason);
                return;
            }
            Some(NextStart::Invented) => {
                is_lie = true;
                Duration::ZERO
            }
            Some(NextStart::Silent) => return,
            Some(NextStart::Late { by }) => by,
            None => Duration::ZERO,
        };
        match parsed.and_then(|it| self.check_start(it)) {
            Err(reason) => {
                let after = late + self.pace.failed;
                self.fail_start(now, number, &start_id, after, &reason.into());
            }
            Ok(start) => {
                let engine = self.add_engine(number, start, record);
                if let Some(it) = self.engines.get_mut(&engine) {
                    it.start_id = Some(start_id);
                    it.crashes_after = crashes_after;
                }
                if is_lie {
                    self.invent(now, engine);
                } else if late.is_zero() {
                    self.spawn(engine);
                } else {
                    self.set_timer(now + late, Timer::Spawn { engine, agent_id });
                }
            }
        }
    }

    /// Refuses a start that cannot work in this domain as it is.
    fn check_start(&self, start: Start) -> Result<Start, String> {
        if self.engines.len() >= MAX_ENGINES {
            return Err(format!("The sandbox runs {MAX_ENGINES} processes already"));
        }
        if start.role == Role::Sm {
            return Ok(start);
        }
        let name = &start.database;
        let known = self.databases.get(name);
        let comes = |it: &super::Engine| !it.has_failed() && it.start.database == *name;
        if known.is_none() && !self.engines.values().any(comes) {
            return Err(format!(
                "Unknown database: {name} has no storage manager yet"
            ));
        }
        if start.has_dba || known.is_some_and(|it| it.has_dba) {
            return Ok(start);
        }
        Err(format!(
            "The first transaction engine of {name} takes --dba-user and --dba-password"
        ))
    }
}
