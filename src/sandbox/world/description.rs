//! Managed databases: what the service `Description` says of them, and starts and stops.
//!
//! A description is made of a database that runs, as it runs: the sandbox brings up no new
//! database for one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::element::success;
use super::enforcer::Backoff;
use super::{EngineId, PeerNumber, Start, World};
use crate::model::Role;
use crate::nuodb::message::{Element, Request};
use crate::time::Timestamp;

/// What every description here says it was made from.
const TEMPLATE: &str = "Multi Host";

/// A managed database: what it consists of, whoever runs at present.
#[derive(Debug, Default)]
pub(super) struct Description {
    pub(super) is_started: bool,
    /// How many transaction engines it has.
    pub(super) engines: usize,
    /// Where its archives are.
    pub(super) archives: Vec<(PeerNumber, Arc<str>)>,
    /// What came of the enforcer's starts, by place.
    pub(super) backoffs: BTreeMap<(PeerNumber, Role), Backoff>,
}

impl World {
    /// Has a database managed by the domain, from before it begins: what it begins with is what it
    /// consists of, and an enforcer starts again what is missing of it.
    pub fn manage(&mut self, database: impl Into<Arc<str>>) {
        let description = Description {
            is_started: true,
            ..Description::default()
        };
        self.descriptions.insert(database.into(), description);
    }

    /// Notes what a managed database begins with.
    pub(super) fn note_member(&mut self, peer: PeerNumber, start: &Start) {
        let Some(description) = self.descriptions.get_mut(&start.database) else {
            return;
        };
        if let Some(archive) = &start.archive {
            description.archives.push((peer, archive.clone()));
        } else if start.role == Role::Te {
            description.engines += 1;
        }
        self.arm_enforcer();
    }

    /// Answers a request for the service.
    pub(super) fn description(&mut self, now: Timestamp, request: &Request) -> Element {
        let name = request.attribute("DatabaseName").unwrap_or_default();
        match request.attribute("Action") {
            Some("ListDescriptions") => self.list_descriptions(),
            Some("GetDescription") => self.get_description(name),
            Some("StartDescription") => self.start_description(now, name),
            Some("StopDescription") => self.stop_description(now, name),
            Some("CreateDescription") => self.create_description(name),
            Some("DeleteDescription") => self.delete_description(name),
            Some(other) => Element::error(format!("The sandbox has no description action {other}")),
            None => Element::error("No description action was named"),
        }
    }

    fn list_descriptions(&self) -> Element {
        let mut root = Element::new("Descriptions");
        let names = self.descriptions.keys();
        let described = names.map(|it| Element::new("Description").with("DatabaseName", &**it));
        root.children.extend(described);
        root
    }

    fn get_description(&self, name: &str) -> Element {
        let Some(it) = self.descriptions.get(name) else {
            return unknown(name);
        };
        let count = |role| self.serving(name, role).count();
        let is_met = count(Role::Te) >= it.engines && count(Role::Sm) >= it.archives.len();
        let status = match (it.is_started, count(Role::Te)) {
            (false, _) => "STOPPED",
            (true, 0) => "INACTIVE",
            (true, _) => "ACTIVE",
        };
        let variable = |key: &str, value: usize| {
            let element = Element::new("Variable").with("Key", key);
            with_text(element, value.to_string())
        };
        let variables = Element::new("Variables")
            .child(variable("SM_MIN", it.archives.len()))
            .child(variable("TE_MIN", it.engines));
        Element::new("Description")
            .with("DatabaseName", name)
            .child(with_text(Element::new("Template"), TEMPLATE))
            .child(variables)
            .child(with_text(Element::new("Status"), status))
            .child(with_text(
                Element::new("LiveStatus"),
                if is_met { "MET" } else { "UNMET" },
            ))
    }

    /// Has a database managed from now on: it consists of what runs of it now.
    fn create_description(&mut self, name: &str) -> Element {
        if self.descriptions.contains_key(name) {
            return Element::error(format!("Description {name} already exists"));
        }
        let managers: Vec<EngineId> = self.members(name, Role::Sm).collect();
        if managers.is_empty() {
            return Element::error(format!(
                "No storage manager of {name} runs; the sandbox describes databases that do"
            ));
        }
        let archives = managers.iter().filter_map(|it| {
            let engine = self.engines.get(it)?;
            Some((engine.peer, engine.start.archive.clone()?))
        });
        let description = Description {
            is_started: true,
            engines: self.members(name, Role::Te).count(),
            archives: archives.collect(),
            ..Description::default()
        };
        self.descriptions.insert(name.into(), description);
        self.arm_enforcer();
        success()
    }

    /// Leaves a database to others from now on; what runs of it runs on.
    fn delete_description(&mut self, name: &str) -> Element {
        match self.descriptions.remove(name) {
            None => unknown(name),
            Some(_) => success(),
        }
    }

    fn start_description(&mut self, now: Timestamp, name: &str) -> Element {
        match self.descriptions.get_mut(name) {
            None => unknown(name),
            Some(it) if it.is_started => {
                Element::error(format!("Description {name} was already started."))
            }
            Some(it) => {
                it.is_started = true;
                it.backoffs.clear();
                self.enforce(now);
                success()
            }
        }
    }

    fn stop_description(&mut self, now: Timestamp, name: &str) -> Element {
        match self.descriptions.get_mut(name) {
            None => unknown(name),
            Some(it) if !it.is_started => {
                Element::error(format!("Description {name} was already stopped."))
            }
            Some(it) => {
                it.is_started = false;
                self.wind_down(now, name);
                success()
            }
        }
    }

    /// Ends what is left of a stopped database: first the transaction engines, then the rest.
    pub(super) fn wind_down(&mut self, now: Timestamp, name: &str) {
        let tes: Vec<EngineId> = self.members(name, Role::Te).collect();
        let role = if tes.is_empty() { Role::Sm } else { Role::Te };
        let all: Vec<EngineId> = self.members(name, role).collect();
        for engine in all {
            let ends = |it: &super::Engine| it.is_registered() && !it.is_shutting_down();
            if self.engines.get(&engine).is_some_and(ends) {
                self.shut_down(now, engine);
            }
        }
    }

    /// Returns the engines of a database that run or are on their way, leftovers apart.
    pub(super) fn members(&self, name: &str, role: Role) -> impl Iterator<Item = EngineId> {
        let all = self.engines.iter().filter(move |(_, it)| {
            *it.start.database == *name
                && it.start.role == role
                && !it.has_failed()
                && !it.is_leftover()
        });
        all.map(|(id, _)| *id)
    }

    /// Returns those of them that the domain sees.
    pub(super) fn serving(&self, name: &str, role: Role) -> impl Iterator<Item = EngineId> {
        self.members(name, role).filter(|it| self.is_visible(*it))
    }
}

fn unknown(name: &str) -> Element {
    Element::error(format!("Unknown description: {name}"))
}

fn with_text(mut element: Element, text: impl Into<String>) -> Element {
    element.text = text.into();
    element
}
