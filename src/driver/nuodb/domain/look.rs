//! Looking at a domain: its peers and processes, and how people name them.

use super::{Domain, DomainError};
use crate::model::{Address, AgentId, DatabaseName, PeerSeen, ProcessSeen, Snapshot};

impl Domain {
    /// Returns the domain as it was last seen.
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Returns every peer, the one we are connected to first.
    pub fn peers(&self) -> impl Iterator<Item = &PeerSeen> {
        std::iter::once(&self.snapshot.entry).chain(&self.snapshot.peers)
    }

    /// Returns where a process listens: the host of its peer, and its own port.
    pub fn place(&self, process: &ProcessSeen) -> Address {
        let peer = self.peers().find(|it| it.agent_id == process.agent_id);
        let host = peer.map_or(&process.hostname, |it| &it.address.host);
        Address::new(host.clone(), process.port.unwrap_or_default())
    }

    /// Returns a process as people write it: `localhost:50450 [pid=48802] (TE)`.
    pub fn label(&self, process: &ProcessSeen) -> String {
        let (place, pid, role) = (self.place(process), process.pid, process.role.as_str());
        format!("{place} [pid={pid}] ({role})")
    }

    /// Finds a peer by `HOST:PORT`, by the name of its host if only one has it, or by the id of its
    /// agent.
    ///
    /// # Errors
    ///
    /// Fails if there is none, or more than one.
    pub fn peer(&self, name: &str) -> Result<&PeerSeen, DomainError> {
        let exact = |it: &&PeerSeen| {
            it.address.to_string() == name
                || it.agent_id.as_str() == name
                || format!("{}:{}", it.hostname, it.address.port) == name
        };
        let loose = |it: &&PeerSeen| &*it.address.host == name || &*it.hostname == name;
        let mut found: Vec<_> = self.peers().filter(exact).collect();
        if found.is_empty() {
            found = self.peers().filter(loose).collect();
        }
        let labels = |all: &mut dyn Iterator<Item = &PeerSeen>| {
            all.map(|it| it.address.to_string()).collect()
        };
        match found.as_slice() {
            [peer] => Ok(peer),
            [] => Err(DomainError::NoSuch {
                what: "peer",
                name: name.to_owned(),
                known: labels(&mut self.peers()),
            }),
            [..] => Err(DomainError::Ambiguous {
                name: name.to_owned(),
                candidates: labels(&mut found.into_iter()),
            }),
        }
    }

    /// Finds a process by its pid, if only one has it, or by `HOST:PORT`.
    ///
    /// # Errors
    ///
    /// Fails if there is none, or more than one.
    pub fn process(&self, name: &str) -> Result<&ProcessSeen, DomainError> {
        let is_meant = |it: &&ProcessSeen| match name.parse::<u32>() {
            Ok(pid) => it.pid == pid,
            Err(_) => {
                self.place(it).to_string() == name
                    || it
                        .port
                        .is_some_and(|port| format!("{}:{port}", it.hostname) == name)
            }
        };
        let found: Vec<_> = self.snapshot.processes.iter().filter(is_meant).collect();
        match found.as_slice() {
            [process] => Ok(process),
            [] => Err(DomainError::NoSuch {
                what: "process",
                name: name.to_owned(),
                known: self.labels(&self.snapshot.processes),
            }),
            [..] => Err(DomainError::Ambiguous {
                name: name.to_owned(),
                candidates: self.labels(found),
            }),
        }
    }

    fn labels<'a>(&self, processes: impl IntoIterator<Item = &'a ProcessSeen>) -> Vec<String> {
        processes.into_iter().map(|it| self.label(it)).collect()
    }

    /// Returns the peer with the fewest processes, the first by address among equals.
    pub fn emptiest(&self) -> Option<&PeerSeen> {
        let processes = &self.snapshot().processes;
        let load = |peer: &PeerSeen| {
            let own = processes.iter().filter(|it| it.agent_id == peer.agent_id);
            (own.count(), peer.address.to_string())
        };
        self.peers().min_by_key(|it| load(it))
    }

    /// Finds a database.
    pub(super) fn database(&self, name: &str) -> Result<DatabaseName, DomainError> {
        let mut known: Vec<_> = self
            .snapshot()
            .processes
            .iter()
            .map(|it| it.database.clone())
            .collect();
        if let Some(database) = known.iter().find(|it| it.as_str() == name) {
            return Ok(database.clone());
        }
        known.sort();
        known.dedup();
        Err(DomainError::NoSuch {
            what: "database",
            name: name.to_owned(),
            known: known.iter().map(ToString::to_string).collect(),
        })
    }

    /// Returns the process at this place, if it is still there.
    pub(super) fn find(&self, agent_id: &AgentId, pid: u32) -> Option<&ProcessSeen> {
        let mut processes = self.snapshot().processes.iter();
        processes.find(|it| it.pid == pid && it.agent_id == *agent_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Role;

    fn peer(host: &str, port: u16) -> PeerSeen {
        PeerSeen {
            agent_id: format!("agent-{host}-{port}").as_str().into(),
            address: Address::new(host, port),
            is_broker: true,
            hostname: format!("{host}.example").as_str().into(),
            version: "1".into(),
        }
    }

    fn process(peer: &PeerSeen, pid: u32, port: u16) -> ProcessSeen {
        ProcessSeen {
            agent_id: peer.agent_id.clone(),
            database: "teas".into(),
            pid,
            port: Some(port),
            role: Role::Te,
            status: None,
            hostname: peer.hostname.clone(),
            version: "1".into(),
            node_id: None,
            start_id: None,
        }
    }

    /// Two hosts, the first with two peers; pid 7 on both hosts.
    fn domain() -> Domain {
        let (entry, second, other) = (
            peer("db1", 48_004),
            peer("db1", 48_014),
            peer("db2", 48_004),
        );
        let processes = vec![
            process(&entry, 7, 48_005),
            process(&entry, 8, 48_006),
            process(&other, 7, 48_005),
        ];
        Domain::still(Snapshot {
            domain: "test".into(),
            entry,
            peers: vec![other, second],
            processes,
        })
    }

    #[test]
    fn a_process_is_found_by_pid_or_place_and_written_as_people_do() {
        let domain = domain();
        let label = |name: &str| domain.process(name).map(|it| domain.label(it));
        assert_eq!(label("8").unwrap(), "db1:48006 [pid=8] (TE)");
        assert_eq!(label("db2:48005").unwrap(), "db2:48005 [pid=7] (TE)");
        assert_eq!(
            label("db2.example:48005").unwrap(),
            "db2:48005 [pid=7] (TE)"
        );
        let ambiguous = label("7").unwrap_err().to_string();
        assert!(ambiguous.contains("db1:48005 [pid=7]") && ambiguous.contains("db2:48005 [pid=7]"));
        assert!(
            label("9")
                .unwrap_err()
                .to_string()
                .contains("db1:48006 [pid=8]")
        );
    }

    #[test]
    fn a_peer_is_found_by_place_host_or_agent() {
        let domain = domain();
        let found = |name: &str| domain.peer(name).map(|it| it.address.to_string());
        assert_eq!(found("db1:48004").unwrap(), "db1:48004");
        assert_eq!(found("agent-db1-48014").unwrap(), "db1:48014");
        assert_eq!(found("db2.example").unwrap(), "db2:48004");
        assert!(found("db1").unwrap_err().to_string().contains("db1:48014"));
        assert!(found("db3").is_err());
    }

    #[test]
    fn the_emptiest_peer_is_the_one_without_processes() {
        assert_eq!(
            domain().emptiest().unwrap().address.to_string(),
            "db1:48014"
        );
    }
}
