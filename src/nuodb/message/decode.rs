//! Reads what a Monitor session tells, without a tree of elements in between.
//!
//! What it does not know, be it an attribute, an element or a type of event, it passes over;
//! only what a message cannot do without must be there.

use std::borrow::Cow;
use std::sync::Arc;

use thiserror::Error;

use super::{BrokerElement, Event, ProcessElement, Status, excerpt};
use crate::nuodb::interner::Interner;
use crate::nuodb::xml::{Attribute, Scanner, Token, XmlError};

/// How many peers and processes a domain may have.
pub const ENTITY_LIMIT: usize = 1_000_000;

/// How long a name may be; those of hosts, databases and agents have at most a few hundred bytes.
const NAME_LIMIT: usize = 4 * 1024;

/// What a process is in whose status nobody said.
const STATUS_UNKNOWN: &str = "UNKNOWN";

/// Why a document is not the message it should be.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum MessageError {
    /// A name with line feeds or the like in it.
    #[error("control character in `{0}`")]
    ControlCharacter(&'static str),
    /// Something that must be there is not, or is no number where it must be one.
    #[error("missing or malformed `{0}`")]
    Missing(&'static str),
    /// A name that is none.
    #[error("more than {NAME_LIMIT} bytes in `{0}`")]
    NameTooLong(&'static str),
    /// The domain is larger than we are willing to hold.
    #[error("more than {ENTITY_LIMIT} peers and processes")]
    TooManyEntities,
    /// The document is not well-formed.
    #[error("malformed document")]
    Xml(#[from] XmlError),
}

/// What a document on a Monitor session says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Monitored {
    /// One change.
    Event(Event),
    /// Neither: the document is well-formed up to its first tag, and that is all that is known.
    Other,
    /// The whole domain.
    Status(Box<Status>),
}

/// Reads the documents of one Monitor session, and shares what they have in common.
#[derive(Debug)]
pub struct Decoder {
    interner: Interner,
    /// Smaller than [`ENTITY_LIMIT`] in tests only.
    pub(super) entity_limit: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            interner: Interner::default(),
            entity_limit: ENTITY_LIMIT,
        }
    }
}

impl Decoder {
    /// Reads one document; `text` comes from [`decode`](crate::nuodb::xml::decode).
    pub fn read(&mut self, text: &str) -> Result<Monitored, MessageError> {
        let mut scanner = Scanner::new(text);
        match scanner.next_token()? {
            Token::Open("Event") => self.event(&mut scanner).map(Monitored::Event),
            Token::Open("Status") => self
                .status(&mut scanner)
                .map(|it| Monitored::Status(Box::new(it))),
            Token::Close | Token::End | Token::Open(_) | Token::Text(_) => Ok(Monitored::Other),
        }
    }

    fn event(&mut self, scanner: &mut Scanner<'_>) -> Result<Event, MessageError> {
        let mut head = EventHead::default();
        for attribute in scanner.attributes() {
            let value = &mut attribute.value;
            match attribute.name {
                "Reason" => head.reason = std::mem::take(value),
                "StartId" => head.start_id = Some(std::mem::take(value)),
                "Status" => head.status = Some(std::mem::take(value)),
                "Type" => head.kind = std::mem::take(value),
                _ => (),
            }
        }
        let (mut broker, mut process) = (None, None);
        loop {
            match scanner.next_token()? {
                Token::Open(name) if scanner.depth() == 2 => match name {
                    "Broker" if broker.is_none() => {
                        broker = Some(self.broker(scanner.attributes())?);
                    }
                    "Process" if process.is_none() => {
                        process = Some(self.process(scanner.attributes(), None)?);
                    }
                    _ => (),
                },
                Token::End => break,
                Token::Close | Token::Open(_) | Token::Text(_) => (),
            }
        }
        self.assemble(head, broker, process)
    }

    fn assemble(
        &mut self,
        head: EventHead<'_>,
        broker: Option<BrokerElement>,
        process: Option<ProcessElement>,
    ) -> Result<Event, MessageError> {
        let broker = broker.ok_or(MessageError::Missing("Broker"));
        let process = process.ok_or(MessageError::Missing("Process"));
        Ok(match &*head.kind {
            "BrokerExit" => Event::BrokerExit(broker?),
            "NewBroker" => Event::NewBroker(broker?),
            "NewProcess" => {
                let mut process = process?;
                // Where some believe it to be; agents write it on the process.
                if process.start_id.is_none() {
                    process.start_id = start_id(head.start_id)?;
                }
                Event::NewProcess(process)
            }
            "ProcessExit" => Event::ProcessExit(process?),
            "ProcessFailed" => Event::ProcessFailed {
                start_id: start_id(head.start_id)?,
                reason: Arc::from(excerpt(&head.reason)),
                broker: broker?,
            },
            "StatusChanged" => Event::StatusChanged {
                status: self.name("Status", head.status.as_deref().unwrap_or(STATUS_UNKNOWN))?,
                process: process?,
            },
            other => Event::Unknown(self.name("Type", other)?),
        })
    }

    fn status(&mut self, scanner: &mut Scanner<'_>) -> Result<Status, MessageError> {
        let domain = scanner
            .attributes()
            .iter()
            .find(|it| it.name == "Domain")
            .map_or("", |it| &it.value);
        let mut status = Status {
            domain: self.name("Domain", domain)?,
            entry: self.broker(scanner.attributes())?,
            peers: Vec::new(),
            processes: Vec::new(),
        };
        let mut database = None;
        loop {
            match scanner.next_token()? {
                Token::Open(name) => match (name, scanner.depth()) {
                    ("Broker", 2) => status.peers.push(self.broker(scanner.attributes())?),
                    ("Database", 2) => {
                        let name = scanner.attributes().iter().find(|it| it.name == "Name");
                        let name = name.ok_or(MessageError::Missing("Name"))?;
                        database = Some(self.name("Name", &name.value)?);
                    }
                    ("Process", 2 | 3) => {
                        let process = self.process(scanner.attributes(), database.as_ref())?;
                        status.processes.push(process);
                    }
                    _ => (),
                },
                Token::Close if scanner.depth() == 1 => database = None,
                Token::Close | Token::Text(_) => (),
                Token::End => return Ok(status),
            }
            if status.peers.len() + status.processes.len() > self.entity_limit {
                return Err(MessageError::TooManyEntities);
            }
        }
    }

    fn broker(&mut self, attributes: &[Attribute<'_>]) -> Result<BrokerElement, MessageError> {
        let mut fields = BrokerFields::default();
        for attribute in attributes {
            let value = Some(&*attribute.value);
            match attribute.name {
                "Address" => fields.address = value,
                "AgentId" => fields.agent_id = value,
                "Hostname" => fields.hostname = value,
                "Port" => fields.port = value,
                "Role" => fields.role = value,
                "Version" => fields.version = value,
                _ => (),
            }
        }
        Ok(BrokerElement {
            agent_id: self.required("AgentId", fields.agent_id)?,
            address: match fields.address {
                None | Some("") => None,
                Some(address) => Some(self.name("Address", address)?),
            },
            port: port(fields.port),
            is_broker: fields.role == Some("Broker"),
            hostname: self.name("Hostname", fields.hostname.unwrap_or_default())?,
            version: self.name("Version", fields.version.unwrap_or_default())?,
        })
    }

    /// Reads a process; `parent` is the database whose child it is.
    fn process(
        &mut self,
        attributes: &[Attribute<'_>],
        parent: Option<&Arc<str>>,
    ) -> Result<ProcessElement, MessageError> {
        let mut fields = ProcessFields::default();
        for attribute in attributes {
            let value = Some(&*attribute.value);
            match attribute.name {
                "AgentId" => fields.agent_id = value,
                "Database" => fields.database = value,
                "Hostname" => fields.hostname = value,
                "NodeId" => fields.node_id = value,
                "NodeType" => fields.node_type = value,
                "Port" => fields.port = value,
                "ProcessId" => fields.pid = value,
                "StartId" => fields.start_id = value,
                "State" => fields.state = value,
                "Version" => fields.version = value,
                _ => (),
            }
        }
        let database = match (fields.database, parent) {
            (None, Some(parent)) => Arc::clone(parent),
            (own, _) => self.name("Database", own.unwrap_or_default())?,
        };
        let state = fields.state.map(|it| self.name("State", it)).transpose()?;
        Ok(ProcessElement {
            agent_id: self.required("AgentId", fields.agent_id)?,
            database,
            pid: number(fields.pid).ok_or(MessageError::Missing("ProcessId"))?,
            port: port(fields.port),
            is_transaction_engine: number(fields.node_type) == Some(1),
            state,
            hostname: self.name("Hostname", fields.hostname.unwrap_or_default())?,
            version: self.name("Version", fields.version.unwrap_or_default())?,
            node_id: number(fields.node_id),
            start_id: start_id(fields.start_id.map(Cow::Borrowed))?,
        })
    }

    /// Shares a name that must be there and not be empty.
    fn required(
        &mut self,
        what: &'static str,
        name: Option<&str>,
    ) -> Result<Arc<str>, MessageError> {
        match name {
            None | Some("") => Err(MessageError::Missing(what)),
            Some(name) => self.name(what, name),
        }
    }

    /// Shares a name, and looks at its characters when it is new.
    fn name(&mut self, what: &'static str, name: &str) -> Result<Arc<str>, MessageError> {
        self.interner.intern(name, |name| check_name(what, name))
    }
}

/// The attributes of an event itself.
#[derive(Default)]
struct EventHead<'a> {
    kind: Cow<'a, str>,
    reason: Cow<'a, str>,
    start_id: Option<Cow<'a, str>>,
    status: Option<Cow<'a, str>>,
}

/// The attributes of a `Broker` as they are written.
#[derive(Default)]
struct BrokerFields<'a> {
    address: Option<&'a str>,
    agent_id: Option<&'a str>,
    hostname: Option<&'a str>,
    port: Option<&'a str>,
    role: Option<&'a str>,
    version: Option<&'a str>,
}

/// The attributes of a `Process` as they are written.
#[derive(Default)]
struct ProcessFields<'a> {
    agent_id: Option<&'a str>,
    database: Option<&'a str>,
    hostname: Option<&'a str>,
    node_id: Option<&'a str>,
    node_type: Option<&'a str>,
    pid: Option<&'a str>,
    port: Option<&'a str>,
    start_id: Option<&'a str>,
    state: Option<&'a str>,
    version: Option<&'a str>,
}

/// Takes over a start id; each is used a few times at most, so that sharing it gains nothing.
fn start_id(id: Option<Cow<'_, str>>) -> Result<Option<Arc<str>>, MessageError> {
    let Some(id) = id.filter(|it| !it.is_empty()) else {
        return Ok(None);
    };
    check_name("StartId", &id)?;
    Ok(Some(Arc::from(id)))
}

fn check_name(what: &'static str, name: &str) -> Result<(), MessageError> {
    if name.len() > NAME_LIMIT {
        return Err(MessageError::NameTooLong(what));
    }
    if name.contains(char::is_control) {
        return Err(MessageError::ControlCharacter(what));
    }
    Ok(())
}

/// Returns a number that is neither absent nor negative nor something else.
fn number(text: Option<&str>) -> Option<u32> {
    text?.parse().ok()
}

fn port(text: Option<&str>) -> Option<u16> {
    text?.parse().ok().filter(|it| *it != 0)
}
