//! Which peer a process is started on.

use std::cmp::Reverse;

use crate::model::{PeerId, PeerName};
use crate::time::Timestamp;

/// A peer that is allowed to take a process, and what counts for and against it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Candidate {
    /// The peer.
    pub peer: PeerId,
    /// Its name, the last thing to decide.
    pub name: PeerName,
    /// How many of the labels that are preferred it has.
    pub preferred: usize,
    /// How many processes run there.
    pub processes: usize,
    /// When such a process last failed there, if it did lately.
    pub failed: Option<Timestamp>,
}

/// Returns the peer to start on: one without a late failure, or else the one whose failure is
/// longest ago, so that tries go round; among several the one with the most labels that are
/// preferred, then the one with the fewest processes, then the first by name.
pub fn choose(candidates: &[Candidate]) -> Option<&Candidate> {
    candidates
        .iter()
        .min_by_key(|it| (it.failed, Reverse(it.preferred), it.processes, &it.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Address, Model, PeerSeen, Settings, Snapshot};

    /// The ids of three peers; only a model gives them out.
    fn ids() -> Vec<PeerId> {
        let peer = |port: u16| PeerSeen {
            agent_id: port.to_string().as_str().into(),
            address: Address::new("h", port),
            is_broker: true,
            hostname: "".into(),
            version: "".into(),
        };
        let mut model = Model::new(Settings::default());
        let snapshot = Snapshot {
            domain: "d".into(),
            entry: peer(1),
            peers: vec![peer(2), peer(3)],
            processes: Vec::new(),
        };
        model.snapshot(Timestamp::ZERO, snapshot, &mut Vec::new());
        model.peers().map(|(id, _)| id).collect()
    }

    #[test]
    fn the_emptiest_peer_without_a_late_failure_takes_it() {
        let at = Timestamp::from_micros;
        let candidate = |index: usize, processes, failed: Option<u64>| Candidate {
            peer: ids()[index],
            name: format!("db{index}").as_str().into(),
            preferred: 0,
            processes,
            failed: failed.map(at),
        };
        let pick = |candidates: &[Candidate]| choose(candidates).map(|it| it.name.to_string());
        let name = |text: &str| Some(text.to_owned());
        assert_eq!(pick(&[]), None);
        assert_eq!(
            pick(&[candidate(0, 2, None), candidate(1, 1, None)]),
            name("db1")
        );
        assert_eq!(
            pick(&[candidate(0, 1, None), candidate(1, 1, None)]),
            name("db0")
        );
        assert_eq!(
            pick(&[candidate(0, 9, None), candidate(1, 0, Some(5))]),
            name("db0")
        );
        assert_eq!(
            pick(&[candidate(0, 1, Some(7)), candidate(1, 1, Some(5))]),
            name("db1")
        );
        let preferred = Candidate {
            preferred: 1,
            ..candidate(1, 9, None)
        };
        assert_eq!(pick(&[candidate(0, 1, None), preferred]), name("db1"));
    }
}
