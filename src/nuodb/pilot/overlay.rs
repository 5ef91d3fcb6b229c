//! A snapshot kept current by the changes that follow it.
//!
//! It is a picture, not a model: what a sighting does not name is dropped, and nothing is
//! remembered of what is gone.

use crate::model::{AgentId, PeerSeen, ProcessSeen, Sighting, Snapshot};

/// Applies one change to `snapshot`.
///
/// Applying a change that the snapshot contains already makes no difference, so a change may be
/// replayed when it is not known whether the snapshot was taken before or after it.
pub fn apply(snapshot: &mut Snapshot, sighting: &Sighting) {
    match sighting {
        Sighting::PeerJoined(peer) => join_peer(snapshot, peer),
        Sighting::PeerLost(peer) => snapshot.peers.retain(|it| it.agent_id != peer.agent_id),
        Sighting::ProcessGone(process) => {
            snapshot.processes.retain(|it| !is_same(it, process));
        }
        Sighting::ProcessJoined(process) => join_process(snapshot, process),
        Sighting::StartFailed { .. } => (),
        Sighting::StatusChanged(process) => update(snapshot, process),
    }
}

fn join_peer(snapshot: &mut Snapshot, peer: &PeerSeen) {
    if peer.agent_id == snapshot.entry.agent_id {
        return;
    }
    let mut peers = snapshot.peers.iter_mut();
    if let Some(known) = peers.find(|it| it.agent_id == peer.agent_id) {
        known.clone_from(peer);
        return;
    }
    drop_others(snapshot, peer);
    snapshot.peers.push(peer.clone());
}

/// Drops whoever else has the address of a peer that joined. If that one came later, its coming is
/// told yet.
fn drop_others(snapshot: &mut Snapshot, joined: &PeerSeen) {
    let is_other = |it: &PeerSeen| it.address.folded() == joined.address.folded();
    let others = snapshot.peers.extract_if(.., |it| is_other(it));
    let others: Vec<AgentId> = others.map(|it| it.agent_id).collect();
    let is_there = |it: &ProcessSeen| others.contains(&it.agent_id);
    snapshot.processes.retain(|it| !is_there(it));
}

fn join_process(snapshot: &mut Snapshot, process: &ProcessSeen) {
    match snapshot
        .processes
        .iter_mut()
        .find(|it| is_same(it, process))
    {
        // The snapshot may be the newer of the two; a process joins without status and node id.
        Some(known) if known.database == process.database && known.role == process.role => {
            known.start_id = known.start_id.take().or_else(|| process.start_id.clone());
            if known.status.is_none() {
                known.status.clone_from(&process.status);
            }
        }
        Some(known) => known.clone_from(process),
        None => snapshot.processes.push(process.clone()),
    }
}

/// Takes over a status; a process the snapshot does not have is gone, and its exit will be told.
fn update(snapshot: &mut Snapshot, process: &ProcessSeen) {
    if let Some(known) = snapshot
        .processes
        .iter_mut()
        .find(|it| is_same(it, process))
    {
        known.status.clone_from(&process.status);
        known.node_id = process.node_id.or(known.node_id);
    }
}

/// Returns whether the two have the same place: peer and pid.
fn is_same(left: &ProcessSeen, right: &ProcessSeen) -> bool {
    left.pid == right.pid && left.agent_id == right.agent_id
}
