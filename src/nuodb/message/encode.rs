//! Writes what a Monitor session tells.
//!
//! What is empty or unknown is left out, as agents do.

use super::{BrokerElement, Event, ProcessElement, Status};
use crate::nuodb::xml::Writer;

impl Status {
    /// Appends the snapshot as a document; processes that follow each other share the element of
    /// their database.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.open("Status");
        writer.attribute("Domain", &self.domain);
        self.entry.write_attributes(&mut writer);
        for peer in &self.peers {
            peer.write(&mut writer);
        }
        for processes in self.processes.chunk_by(|a, b| a.database == b.database) {
            writer.open("Database");
            writer.attribute("Name", &processes[0].database);
            for process in processes {
                process.write(&mut writer, false);
            }
            writer.close("Database");
        }
        writer.close("Status");
    }
}

impl Event {
    /// Returns the `Type` of the event.
    pub fn kind(&self) -> &str {
        match self {
            Self::BrokerExit(_) => "BrokerExit",
            Self::NewBroker(_) => "NewBroker",
            Self::NewProcess(_) => "NewProcess",
            Self::ProcessExit(_) => "ProcessExit",
            Self::ProcessFailed { .. } => "ProcessFailed",
            Self::StatusChanged { .. } => "StatusChanged",
            Self::Unknown(kind) => kind,
        }
    }

    /// Appends the event as a document.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.open("Event");
        writer.attribute("Type", self.kind());
        match self {
            Self::BrokerExit(broker) | Self::NewBroker(broker) => broker.write(&mut writer),
            Self::NewProcess(process) | Self::ProcessExit(process) => {
                process.write(&mut writer, true);
            }
            Self::ProcessFailed {
                start_id,
                reason,
                broker,
            } => {
                optional(&mut writer, "StartId", start_id.as_deref());
                writer.attribute("Reason", reason);
                broker.write(&mut writer);
            }
            Self::StatusChanged { status, process } => {
                writer.attribute("Status", status);
                process.write(&mut writer, true);
            }
            Self::Unknown(_) => (),
        }
        writer.close("Event");
    }
}

impl BrokerElement {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.open("Broker");
        self.write_attributes(writer);
        writer.close("Broker");
    }

    fn write_attributes(&self, writer: &mut Writer<'_>) {
        writer.attribute("AgentId", &self.agent_id);
        writer.attribute("Role", if self.is_broker { "Broker" } else { "Agent" });
        optional(writer, "Address", self.address.as_deref());
        number(writer, "Port", self.port);
        optional(writer, "Hostname", Some(&self.hostname));
        optional(writer, "Version", Some(&self.version));
    }
}

impl ProcessElement {
    fn write(&self, writer: &mut Writer<'_>, names_database: bool) {
        writer.open("Process");
        writer.attribute("AgentId", &self.agent_id);
        if names_database {
            writer.attribute("Database", &self.database);
        }
        number(writer, "ProcessId", Some(self.pid));
        number(writer, "Port", self.port);
        let node_type = if self.is_transaction_engine { "1" } else { "2" };
        writer.attribute("NodeType", node_type);
        optional(writer, "State", self.state.as_deref());
        optional(writer, "Hostname", Some(&self.hostname));
        optional(writer, "Version", Some(&self.version));
        number(writer, "NodeId", self.node_id);
        optional(writer, "StartId", self.start_id.as_deref());
        writer.close("Process");
    }
}

fn optional(writer: &mut Writer<'_>, name: &str, value: Option<&str>) {
    if let Some(value) = value.filter(|it| !it.is_empty()) {
        writer.attribute(name, value);
    }
}

fn number(writer: &mut Writer<'_>, name: &str, value: Option<impl ToString>) {
    if let Some(value) = value {
        writer.attribute(name, &value.to_string());
    }
}
