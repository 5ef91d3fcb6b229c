//! What is there now, told as if it were seen for the first time: for a listener that is new.

use super::{Light, Warden};
use crate::event::Event;
use crate::model::{Change, Freshness, Presence, Role};
use crate::supervisor::Effect;
use crate::time::Moment;

impl Warden {
    /// Returns all that is there as events marked `snapshot`, peers first; nothing before the first
    /// snapshot of the domain, which will tell it.
    pub fn present(&self, now: Moment) -> Vec<Event> {
        if self.model.freshness() == Freshness::Unknown {
            return Vec::new();
        }
        let mut changes = Vec::new();
        for (id, peer) in self.model.peers() {
            changes.push(if peer.is_connected() {
                Change::PeerJoined(id)
            } else {
                Change::PeerUnreachable(id)
            });
        }
        for (id, database) in self.model.databases() {
            if database.is_known() {
                changes.push(Change::DatabaseJoined(id));
            }
            if database.running(Role::Te) > 0 {
                changes.push(Change::DatabaseActive(id));
            }
        }
        for (id, process) in self.model.processes() {
            changes.push(match process.presence {
                Presence::Ending { .. } | Presence::Live => Change::ProcessJoined(id),
                Presence::Unreachable { .. } => Change::ProcessUnreachable {
                    id,
                    with_peer: !(self.model.is_minority()
                        && self.model.peer(process.peer).is_connected()),
                },
            });
        }
        let light = Light {
            snapshot: true,
            while_disconnected: false,
        };
        let mut effects = Vec::new();
        for change in &changes {
            self.tell(now, light, change, &mut effects);
        }
        let raised = effects.into_iter().filter_map(|it| match it {
            Effect::Raise(event) => Some(event),
            Effect::Answer { .. } | Effect::Do(_) => None,
        });
        raised.collect()
    }
}
