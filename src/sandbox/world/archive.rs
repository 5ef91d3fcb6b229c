//! What is known of archives: the answer to `archiveHistory`.
//!
//! The form of a real answer is not known; this one is ours, and says so in the documentation.

use super::{PeerNumber, World};
use crate::nuodb::message::{Element, Request};

impl World {
    /// Answers what is known of an archive at a peer.
    pub(super) fn archive_history(&self, number: PeerNumber, request: &Request) -> Element {
        let named = |it: &&Element| it.attribute("option") == Some("--archive");
        let path = request.children.iter().rfind(named);
        let path = path
            .and_then(|it| it.attribute("value"))
            .unwrap_or_default();
        let records = self.starts().into_iter().filter(|it| {
            let archive = it.start.as_ref().and_then(|it| it.archive.as_deref());
            it.peer == number && archive == Some(path) && it.registered.is_some()
        });
        let records: Vec<_> = records.collect();
        let Some(last) = records.last() else {
            return Element::error(format!("{path}: Archive does not exist"));
        };
        let database = last.start.as_ref().map(|it| it.database.to_string());
        let in_use = records.iter().any(|it| it.held_at(self.now).is_some());
        let used = if in_use {
            self.now
        } else {
            records
                .iter()
                .filter_map(|it| it.ended)
                .max()
                .unwrap_or(self.now)
        };
        let lie = self.peer(number).and_then(|it| it.last_used.clone());
        let used = lie.unwrap_or_else(|| used.as_micros().to_string().into());
        Element::new("ArchiveHistory")
            .with("Archive", path)
            .with("Database", database.unwrap_or_default())
            .with("Runs", records.len().to_string())
            .with("LastUsed", &*used)
            .with("InUse", in_use.to_string())
    }
}
