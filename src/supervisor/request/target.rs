//! What a person means by a name: the domain, a database, one of its seats, a peer or a process.

use crate::model::{DatabaseName, Model, PeerName};
use crate::supervisor::facts::Extent;
use crate::supervisor::state::Supervisor;

impl Supervisor {
    /// Returns what is meant by a name, or why that is not known.
    ///
    /// `domain:`, `database:` and `peer:` before it say which of several is meant.
    pub(super) fn find_target(&self, model: &Model, name: &str) -> Result<Extent, String> {
        let (sort, plain) = match name.split_once(':') {
            Some((sort @ ("domain" | "database" | "peer"), plain)) => (Some(sort), plain),
            _ => (None, name),
        };
        let is_asked = |it: &str| sort.is_none_or(|sort| sort == it);
        let mut meanings = Vec::new();
        if is_asked("domain") && plain == self.settings.domain.as_str() {
            meanings.push(("domain", Extent::Domain));
        }
        if is_asked("database") {
            let found = self.find_database(model, plain);
            meanings.extend(found.map(|it| ("database", it)));
        }
        if is_asked("peer") {
            let found = self.find_peer(model, plain);
            meanings.extend(found.map(|it| ("peer", it)));
        }
        if meanings.len() > 1 {
            let sorts: Vec<String> = meanings
                .iter()
                .map(|(sort, _)| format!("`{sort}:{plain}`"))
                .collect();
            return Err(format!(
                "`{plain}` may mean several things; write {}",
                sorts.join(" or ")
            ));
        }
        match meanings.pop() {
            Some((_, extent)) => Ok(extent),
            None => Err(self.why_not_found(model, plain)),
        }
    }

    /// Reads `teas` or `teas/te/1`.
    fn find_database(&self, model: &Model, name: &str) -> Option<Extent> {
        let known = |name: &str| {
            let name = DatabaseName::from(name);
            let id = model.database_named(&name)?;
            Some((name, self.watches.get(id.index())?))
        };
        if let Some((name, _)) = known(name) {
            return Some(Extent::Database(name));
        }
        let (rest, number) = name.rsplit_once('/')?;
        let (database, role) = rest.rsplit_once('/')?;
        let (name, watch) = known(database)?;
        let row = watch.rows.iter().find(|it| it.rule.role.word() == role)?;
        let ordinal = number.parse::<u32>().ok()?.checked_sub(1)?;
        let is_there = (ordinal as usize) < row.seats.len();
        is_there.then_some(Extent::Slot(name, row.rule.role, ordinal))
    }

    /// Reads `db1:48004` or `db1:48004/1234`.
    fn find_peer(&self, model: &Model, name: &str) -> Option<Extent> {
        let whole = PeerName::from(name);
        if model.peer_named(&whole).is_some() {
            return Some(Extent::Peer(whole));
        }
        let (peer, pid) = name.rsplit_once('/')?;
        let peer = PeerName::from(peer);
        let pid = pid.parse().ok()?;
        let process = model.process_with(model.peer_named(&peer)?, pid)?;
        let seat = self.place_of(model, process).map(|it| {
            let slot = self.slot(it);
            let database = model.database(slot.database).name.clone();
            (database, slot.rule.role, slot.ordinal)
        });
        Some(Extent::Process { peer, pid, seat })
    }

    fn why_not_found(&self, model: &Model, name: &str) -> String {
        if let Some((database, _)) = name.rsplit_once("/te/")
            && let Some(id) = model.database_named(&DatabaseName::from(database))
        {
            let watch = self.watches.get(id.index());
            let seats = watch.map_or(0, |it| it.seats().count());
            return format!(
                "there is no slot {name}: {database} has {seats}; `dbwarden status` shows them"
            );
        }
        format!(
            "nothing called `{name}` was ever seen in the domain {}; `dbwarden status` shows what \
             was",
            self.settings.domain
        )
    }
}
