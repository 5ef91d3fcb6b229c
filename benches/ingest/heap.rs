//! What a domain costs in memory.

use std::alloc::System;
use std::sync::Arc;

use dbwarden::exchange::Observation;
use dbwarden::model::{
    self, Address, AgentId, DatabaseName, PeerSeen, ProcessSeen, Role, Sighting, Snapshot, Status,
    StatusSeen,
};
use dbwarden::policy::Policy;
use dbwarden::supervisor::{Input, Settings};
use dbwarden::time::{Moment, Timestamp};
use dbwarden::warden::Warden;
use stats_alloc::{Region, StatsAlloc};

const PROCESSES: u32 = 100_000;
const PEERS: u32 = 1_000;
const DATABASES: u32 = 500;

/// Returns how many bytes of heap one process takes, in a warden with the default policy, model and
/// seats together; the shared names of peers and databases are in it.
pub(crate) fn per_process(allocator: &'static StatsAlloc<System>) -> usize {
    let mut settings = Settings::new("prod".into());
    settings.policies = vec![Policy::default()];
    let mut warden = Warden::new(model::Settings::default(), settings);
    let now = Moment::simulated(Timestamp::from_micros(1));
    let agents: Vec<AgentId> = (0..PEERS)
        .map(|it| format!("agent-{it}").as_str().into())
        .collect();
    let databases: Vec<DatabaseName> = (0..DATABASES)
        .map(|it| format!("database-{it}").as_str().into())
        .collect();
    let running = StatusSeen {
        status: Status::Up,
        word: "RUNNING".into(),
    };
    let (hostname, version): (Arc<str>, Arc<str>) = ("host".into(), "3.0.0".into());
    let peer = |index: u32| PeerSeen {
        agent_id: agents[index as usize].clone(),
        address: Address::new(format!("10.0.{}.{}", index / 250, index % 250), 48_004),
        is_broker: true,
        hostname: "".into(),
        version: version.clone(),
    };
    let mut effects = Vec::new();
    let region = Region::new(allocator);
    let snapshot = Snapshot {
        domain: "domain".into(),
        entry: peer(0),
        peers: (1..PEERS).map(peer).collect(),
        processes: Vec::new(),
    };
    warden.handle(
        now,
        Input::Observed(Observation::Snapshot(snapshot)),
        &mut effects,
    );
    for index in 0..PROCESSES {
        let process = ProcessSeen {
            agent_id: agents[(index % PEERS) as usize].clone(),
            database: databases[(index / 7 % DATABASES) as usize].clone(),
            pid: 1_000 + index,
            port: Some(48_005),
            role: Role::Te,
            status: Some(running.clone()),
            hostname: hostname.clone(),
            version: version.clone(),
            node_id: Some(index),
            start_id: Some(format!("67419876{index:08}").as_str().into()),
        };
        let input = Input::Observed(Observation::Sighted(Sighting::ProcessJoined(process)));
        warden.handle(now, input, &mut effects);
        effects.clear();
    }
    effects.shrink_to_fit();
    let change = region.change();
    let used = change.bytes_allocated - change.bytes_deallocated;
    assert_eq!(warden.model().processes().count(), PROCESSES as usize);
    used / PROCESSES as usize
}
