//! Brokers as a large domain tells of them, the same for every benchmark.

use std::sync::Arc;

use dbwarden::nuodb::message::BrokerElement;

/// Returns what the agent of a peer calls itself.
pub(crate) fn agent(index: u32) -> Arc<str> {
    format!("uuid:00000000-0000-4000-8000-{index:012}").into()
}

/// Returns a broker; the one we talk to does not say where it is.
pub(crate) fn broker(index: u32, is_entry: bool) -> BrokerElement {
    BrokerElement {
        agent_id: agent(index),
        address: (!is_entry).then(|| format!("10.0.0.{index}").into()),
        port: (!is_entry).then_some(48_004),
        is_broker: true,
        hostname: format!("db{index}.example.com").into(),
        version: "3.0.0".into(),
    }
}
