//! The hosts of the domain: engines as processes, with pids that are used again, ports, archives
//! that only one of them can hold, slow births and sudden ends. What an end means is the world's
//! business.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::{EngineId, Input, PeerNumber, Start, archive_in_use};
use super::dice::Dice;
use crate::time::Timestamp;

/// How many pids a host has before it begins again: few, so that they are used again.
const PIDS: u32 = 8;

/// A step in the life of a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// It is up as far as it can tell, and stays as it is then.
    Hang,
    /// It is up as far as it can tell.
    Ready,
    /// It ends.
    Exit(i32),
}

/// What befalls the processes of a host for a while.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trouble {
    /// They end soon after they began.
    CrashLoop,
    /// They register, and get no further.
    Hang,
    /// They end before they have registered.
    StillBirth,
    /// They take long to begin.
    Slow,
}

#[derive(Debug, Default)]
struct Host {
    last_pid: u32,
    trouble: Option<(Trouble, Timestamp)>,
}

#[derive(Debug)]
struct Process {
    peer: PeerNumber,
    pid: u32,
    archive: Option<Arc<str>>,
    ends: bool,
}

/// All hosts and what runs on them.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    each: BTreeMap<PeerNumber, Host>,
    processes: BTreeMap<EngineId, Process>,
    held: BTreeSet<(PeerNumber, Arc<str>)>,
    /// How many pids were given out that no host has.
    overflow: u32,
}

/// What comes of a start on a host: what is to be told at once, and what comes later.
#[derive(Debug, Default)]
pub(super) struct Birth {
    pub(super) now: Vec<Input>,
    pub(super) later: Vec<(Duration, Step)>,
}

impl Hosts {
    pub(super) fn trouble(&mut self, peer: PeerNumber, trouble: Option<(Trouble, Timestamp)>) {
        self.each.entry(peer).or_default().trouble = trouble;
    }

    /// Starts a process; it may live without end.
    pub(super) fn spawn(
        &mut self,
        now: Timestamp,
        dice: &mut Dice,
        (engine, peer): (EngineId, PeerNumber),
        start: &Start,
    ) -> Birth {
        let pid = self.free_pid(peer);
        let host = self.each.entry(peer).or_default();
        let trouble = host.trouble.filter(|(_, until)| *until > now);
        let mut birth = Birth::default();
        birth.now.push(Input::EngineSpawned { engine, pid });
        let mut archive = start.archive.clone();
        let mut quick = dice.millis(50, 2_000);
        if let Some(path) = &archive
            && !self.held.insert((peer, path.clone()))
        {
            let reason = archive_in_use(path).into();
            birth.now.push(Input::EngineFailed { engine, reason });
            birth.later.push((dice.millis(1, 50), Step::Exit(1)));
            archive = None;
        } else {
            match trouble.map(|it| it.0) {
                Some(Trouble::StillBirth) => birth.later.push((quick, Step::Exit(134))),
                Some(Trouble::Hang) => birth.later.push((quick, Step::Hang)),
                Some(Trouble::CrashLoop) => {
                    birth.later.push((quick, Step::Ready));
                    birth
                        .later
                        .push((quick + dice.millis(0, 9_000), Step::Exit(139)));
                }
                Some(Trouble::Slow) => {
                    quick += dice.millis(5_000, 90_000);
                    birth.later.push((quick, Step::Ready));
                }
                None => birth.later.push((quick, Step::Ready)),
            }
        }
        let process = Process {
            peer,
            pid,
            archive,
            ends: false,
        };
        self.processes.insert(engine, process);
        birth
    }

    fn free_pid(&mut self, peer: PeerNumber) -> u32 {
        for _ in 0..PIDS {
            let host = self.each.entry(peer).or_default();
            host.last_pid = host.last_pid % PIDS + 1;
            let pid = 100 + host.last_pid;
            let taken = |it: &Process| it.peer == peer && it.pid == pid;
            if !self.processes.values().any(taken) {
                return pid;
            }
        }
        self.overflow += 1;
        1_000 + self.overflow
    }

    /// Notes that a process is about to end; returns whether it was not before.
    pub(super) fn doom(&mut self, engine: EngineId) -> bool {
        let process = self.processes.get_mut(&engine);
        process.is_some_and(|it| !std::mem::replace(&mut it.ends, true))
    }

    pub(super) fn runs(&self, engine: EngineId) -> bool {
        self.processes.contains_key(&engine)
    }

    /// Ends a process; returns whether there was one.
    pub(super) fn exit(&mut self, engine: EngineId) -> bool {
        let Some(process) = self.processes.remove(&engine) else {
            return false;
        };
        if let Some(path) = process.archive {
            self.held.remove(&(process.peer, path));
        }
        true
    }
}
