//! The documents of the world that are not events: answers, errors, states.

use crate::nuodb::message::{BrokerElement, Element, ProcessElement, Status};

/// Returns the answer to a request that was met and has nothing to tell.
pub(super) fn success() -> Element {
    Element::new("Success")
}

/// Returns the answer to `ProcessStop`.
pub(super) fn exit_code(code: i32) -> Element {
    Element::new("ProcessStop").with("ExitCode", code.to_string())
}

/// Returns who a peer is: the answer to `Identity`.
pub(super) fn identity(domain: &str, peer: &BrokerElement) -> Element {
    broker_attributes(Element::new("Identity").with("Domain", domain), peer)
}

/// Returns what a peer sees: the answer to `State`.
pub(super) fn state(status: &Status) -> Element {
    let mut root = broker_attributes(
        Element::new("State").with("Domain", &*status.domain),
        &status.entry,
    );
    let peers = status.peers.iter();
    root.children
        .extend(peers.map(|it| broker_attributes(Element::new("Broker"), it)));
    root.children.extend(status.processes.iter().map(process));
    root
}

fn broker_attributes(element: Element, peer: &BrokerElement) -> Element {
    let role = if peer.is_broker { "Broker" } else { "Agent" };
    let mut element = element
        .with("AgentId", &*peer.agent_id)
        .with("Role", role)
        .with("Hostname", &*peer.hostname)
        .with("Version", &*peer.version);
    if let (Some(address), Some(port)) = (&peer.address, peer.port) {
        element = element
            .with("Address", &**address)
            .with("Port", port.to_string());
    }
    element
}

fn process(it: &ProcessElement) -> Element {
    let node_type = if it.is_transaction_engine { "1" } else { "2" };
    let mut element = Element::new("Process")
        .with("AgentId", &*it.agent_id)
        .with("Database", &*it.database)
        .with("ProcessId", it.pid.to_string())
        .with("NodeType", node_type)
        .with("Hostname", &*it.hostname)
        .with("Version", &*it.version);
    if let Some(port) = it.port {
        element = element.with("Port", port.to_string());
    }
    if let Some(state) = &it.state {
        element = element.with("State", &**state);
    }
    if let Some(node_id) = it.node_id {
        element = element.with("NodeId", node_id.to_string());
    }
    element
}
