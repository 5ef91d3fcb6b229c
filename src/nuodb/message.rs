//! The messages of the NuoDB management protocol as types, in both directions.
//!
//! Only what driver and sandbox say is typed; everything else travels as a [`Request`] with free
//! attributes and children. Text that recurs (agent ids, hosts, databases, statuses) is shared:
//! the decoder interns it, so that an event costs a reference count and no allocation.
//! What a message means is decided elsewhere.

mod decode;
mod encode;

use std::fmt;
use std::sync::Arc;

pub use decode::{Decoder, ENTITY_LIMIT, MessageError, Monitored};

/// The service that tells the state of the domain and then each change.
pub const MONITOR: &str = "Monitor";

/// The service that says who a peer is, the only one to be had without authorisation.
pub const IDENTITY: &str = "Identity";

/// How much of a reason is taken in: a screenful.
pub const REASON_LIMIT: usize = 8 * 1024;

/// A peer as the protocol describes it, in a snapshot or in an event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BrokerElement {
    /// `AgentId`: opaque, and a new one after each start of the agent.
    pub agent_id: Arc<str>,
    /// `Address` as the domain advertises it; absent for the entry peer in its own `Status`.
    pub address: Option<Arc<str>>,
    /// `Port` of the agent; absent for the entry peer in its own `Status`.
    pub port: Option<u16>,
    /// Whether `Role` says `Broker`.
    pub is_broker: bool,
    /// `Hostname`, empty if the domain does not say.
    pub hostname: Arc<str>,
    /// `Version` of the agent, empty if the domain does not say.
    pub version: Arc<str>,
}

/// An engine as the protocol describes it, in a snapshot or in an event.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProcessElement {
    /// `AgentId` of the peer the engine runs at.
    pub agent_id: Arc<str>,
    /// `Database`, on the element itself in events and on its parent in snapshots.
    pub database: Arc<str>,
    /// `ProcessId` as the operating system of that peer counts.
    pub pid: u32,
    /// `Port` the engine listens on, if said and not 0.
    pub port: Option<u16>,
    /// Whether `NodeType` is 1; everything else is a storage manager.
    pub is_transaction_engine: bool,
    /// `State` as written; `None` when the attribute is absent.
    pub state: Option<Arc<str>>,
    /// `Hostname`, empty if the domain does not say.
    pub hostname: Arc<str>,
    /// `Version` of the engine, empty if the domain does not say.
    pub version: Arc<str>,
    /// `NodeId`; `None` when absent, empty or negative: not assigned yet.
    pub node_id: Option<u32>,
    /// `StartId`, on the `Process` of a `NewProcess`.
    pub start_id: Option<Arc<str>>,
}

/// The first document of a Monitor session: the whole domain as one broker sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Status {
    /// `Domain`: the name of the domain.
    pub domain: Arc<str>,
    /// The entry peer itself: no address, no port.
    pub entry: BrokerElement,
    /// Every other peer, brokers and agents.
    pub peers: Vec<BrokerElement>,
    /// Every registered engine.
    pub processes: Vec<ProcessElement>,
}

/// One change of the domain, told on a Monitor session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A peer left, or the broker that tells lost its connection to it.
    BrokerExit(BrokerElement),
    /// A peer joined.
    NewBroker(BrokerElement),
    /// An engine registered with its peer.
    NewProcess(ProcessElement),
    /// A registered engine is gone.
    ProcessExit(ProcessElement),
    /// A start came to nothing: the engine never registered.
    ProcessFailed {
        /// `StartId` of the failed start, if said.
        start_id: Option<Arc<str>>,
        /// The beginning of `Reason`, trimmed.
        reason: Arc<str>,
        /// The peer it was tried on.
        broker: BrokerElement,
    },
    /// An engine changed its status.
    StatusChanged {
        /// `Status` on the event: the new one.
        status: Arc<str>,
        /// The engine.
        process: ProcessElement,
    },
    /// An event this program has no use for; its `Type`.
    Unknown(Arc<str>),
}

/// Which of the two session styles opens a service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    /// A stream: either side may go on and either may close.
    Connect,
    /// One request, one response, and the client closes.
    Request,
}

impl Style {
    /// Returns the name of the element that opens a service in this style.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "Connect",
            Self::Request => "Request",
        }
    }
}

/// An element with attributes, children and text: the generic form of a document.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Element {
    /// The tag name.
    pub name: String,
    /// Attribute names and unescaped values, in order.
    pub attributes: Vec<(String, String)>,
    /// Child elements, in order.
    pub children: Vec<Element>,
    /// All text directly inside, concatenated and unescaped.
    pub text: String,
}

impl Element {
    /// Returns an element without attributes, children or text.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Adds a child.
    #[must_use]
    pub fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// Returns the value of the first attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(it, _)| it == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns the element by which a peer says what went wrong.
    pub fn error(text: impl Into<String>) -> Self {
        Self::new("Error").with("text", text)
    }

    /// Returns what went wrong, trimmed and not too long, if this is the element that says so.
    pub fn error_text(&self) -> Option<&str> {
        (self.name == "Error").then(|| excerpt(self.attribute("text").unwrap_or(&self.text)))
    }
}

/// Returns the beginning of what a peer gives as a reason, without blanks around it. It is told on
/// to logs, listeners and their environments, none of which has room for a frame.
fn excerpt(text: &str) -> &str {
    let text = text.trim();
    let mut end = text.len().min(REASON_LIMIT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl fmt::Debug for Element {
    /// Shows the element as it is written, but for the values that may be passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_secret = |it: &str| it.to_ascii_lowercase().contains("password");
        // `<Option option="--dba-password" value="..."/>`, `<Password>...</Password>`
        let holds_secret =
            is_secret(&self.name) || self.attributes.iter().any(|(_, value)| is_secret(value));
        write!(f, "<{}", self.name)?;
        for (name, value) in &self.attributes {
            let hidden = is_secret(name) || holds_secret && !is_secret(value);
            let value = if hidden { "***" } else { value };
            write!(f, " {name}={value:?}")?;
        }
        f.write_str(">")?;
        if !self.text.is_empty() {
            let text = if holds_secret { "***" } else { &self.text };
            write!(f, "{text:?}")?;
        }
        for child in &self.children {
            child.fmt(f)?;
        }
        write!(f, "</{}>", self.name)
    }
}

/// What a client asks of a peer: the first document after authorisation.
#[derive(Clone, Eq, PartialEq)]
pub struct Request {
    /// `Service`: who is asked.
    pub service: String,
    /// Whether a stream or one answer is expected.
    pub style: Style,
    /// Further attributes, `Service` not among them.
    pub attributes: Vec<(String, String)>,
    /// Child elements.
    pub children: Vec<Element>,
    /// Text inside.
    pub text: String,
}

impl Request {
    /// Returns a request without further attributes, children or text.
    pub fn new(service: impl Into<String>, style: Style) -> Self {
        Self {
            service: service.into(),
            style,
            attributes: Vec::new(),
            children: Vec::new(),
            text: String::new(),
        }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// Adds a child.
    #[must_use]
    pub fn child(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }

    /// Returns the value of the first attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(it, _)| it == name)
            .map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Request {
    /// Shows the request as it is written, but for the values that may be passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Element::from(self.clone()).fmt(f)
    }
}

impl From<Request> for Element {
    fn from(request: Request) -> Self {
        let mut element = Self::new(request.style.as_str()).with("Service", request.service);
        element.attributes.extend(request.attributes);
        element.children = request.children;
        element.text = request.text;
        element
    }
}

impl TryFrom<Element> for Request {
    type Error = Element;

    /// Takes the element apart, or gives it back if it opens no service.
    fn try_from(mut element: Element) -> Result<Self, Element> {
        let style = match element.name.as_str() {
            "Connect" => Style::Connect,
            "Request" => Style::Request,
            _ => return Err(element),
        };
        let Some(service) = element.attributes.iter().position(|it| it.0 == "Service") else {
            return Err(element);
        };
        Ok(Self {
            service: element.attributes.remove(service).1,
            style,
            attributes: element.attributes,
            children: element.children,
            text: element.text,
        })
    }
}

#[cfg(test)]
mod tests;
