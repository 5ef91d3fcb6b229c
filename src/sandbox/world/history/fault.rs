//! What goes wrong, when, and how it is mended: some of it by time, all of it when calm begins.
//! What people do is in `people`, what they say in `commands`.

use std::time::Duration;

use super::super::{EngineId, Fault as Strike, Input, NextStart, PeerNumber, Ticket};
use super::hosts::{Step, Trouble};
use super::judge::Broken;
use super::swarm::STORM;
use super::wire::Way;
use super::{History, Item, numbered};
use crate::exchange::{Probed, Word};
use crate::model::Role;
use crate::time::Timestamp;

/// Defines [`Fault`] from one table: groups, and for each fault variant and name.
macro_rules! faults {
    ($($(#[$says:meta])* $group:ident { $($variant:ident $name:literal,)* })*) => {
        /// Something that goes wrong, or that people do.
        #[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
        pub(super) enum Fault { $($($variant,)*)* }

        impl Fault {
            pub(super) const ALL: &'static [Self] = &[$($(Self::$variant,)*)*];

            $($(#[$says])* pub(super) const $group: &'static [Self] = &[$(Self::$variant,)*];)*

            pub(super) const fn as_str(self) -> &'static str {
                match self { $($(Self::$variant => $name,)*)* }
            }
        }
    };
}

faults! {
    /// What happens in any history.
    USUAL {
        AgentRestarts "agent-restarts",
        Crash "crash",
        CrashLoop "crash-loop",
        CrashTogether "crash-together",
        DaemonCrash "daemon-crash",
        EntryLost "entry-lost",
        FullDisk "full-disk",
        HostDies "host-dies",
        Isolated "isolated",
        ManagerCrash "manager-crash",
        OperatorKills "operator-kills",
        OperatorRestarts "operator-restarts",
        OperatorShutsDown "operator-shuts-down",
        OperatorStarts "operator-starts",
        OperatorStops "operator-stops",
        PeerLost "peer-lost",
        PeerMuted "peer-muted",
        PeerShut "peer-shut",
        PeerSlow "peer-slow",
        SecondHealer "second-healer",
        SessionCut "session-cut",
        SessionMuted "session-muted",
        SessionsDropped "sessions-dropped",
        SlowDisk "slow-disk",
        StartFails "start-fails",
        StartLate "start-late",
        StartSilent "start-silent",
        StillBirth "still-birth",
        SlowBirth "slow-birth",
    }
    /// What people tell us, in some histories.
    SAID {
        PersonAsks "person-asks",
        PersonConfirmsDeath "person-confirms-death",
        PersonForgets "person-forgets",
        PersonHolds "person-holds",
        PersonMaintains "person-maintains",
        PersonReleases "person-releases",
        PersonRetries "person-retries",
        PersonScales "person-scales",
        PersonStops "person-stops",
        PersonThaws "person-thaws",
        PersonWants "person-wants",
    }
    /// What happens to the machine the daemon runs on, and to its clock.
    CLOCKS {
        ClockJumps "clock-jumps",
        DaemonStalls "daemon-stalls",
        MachineSleeps "machine-sleeps",
    }
    /// Nothing passes one way.
    ONE_WAY {
        FromPeerLost "from-peer-lost",
        ToPeerLost "to-peer-lost",
    }
    /// Engines that begin and get no further.
    HANGS {
        Hang "hang",
    }
    /// What befalls storage managers where they are healed.
    MANAGERS {
        Leftover "leftover",
        ManagerEnds "manager-ends",
        ManagersEnd "managers-end",
    }
    /// Agents say of their archives what is not so, where these are asked.
    LIES {
        ArchiveLies "archive-lies",
    }
    /// Engines that do not answer at their ports, where these are tried.
    PORTS {
        PortSilent "port-silent",
    }
    /// Another configuration is accepted.
    RELOADS {
        Reload "reload",
    }
}

/// What follows from a fault later.
#[derive(Clone, Debug)]
pub(super) enum Later {
    DaemonBegins,
    Delay(PeerNumber, Duration),
    DiskMended,
    Healer {
        until: Timestamp,
    },
    /// Both ways to a peer are open again.
    Hears(PeerNumber),
    /// Trying a port has shown this.
    Probed(Probed),
    Rejoin(PeerNumber),
    Return(PeerNumber),
    /// A person says that of that.
    Said(Word, String),
    Shut(PeerNumber, bool),
    StartByHand(PeerNumber, usize, Role),
    /// An agent tells the truth again.
    Truth(PeerNumber),
    Unmute(PeerNumber),
}

/// Nothing goes wrong before everything that runs is wanted.
const QUIET: Duration = Duration::from_secs(60);

impl History {
    pub(super) fn schedule_faults(&mut self) {
        let length = u64::try_from(STORM.saturating_sub(QUIET).as_millis()).unwrap_or_default();
        let storm = Timestamp::ZERO + STORM;
        let mut at = Timestamp::ZERO + QUIET;
        for _ in 0..self.plan.faults {
            let which = self.dice.weigh(&self.plan.weights);
            // Faults like company.
            at = if self.dice.percent(35) {
                at + self.dice.millis(0, 20_000)
            } else {
                Timestamp::ZERO + QUIET + self.dice.millis(0, length)
            };
            at = at.min(storm);
            let fault = which.map_or(Fault::Crash, |it| Fault::USUAL[it]);
            self.queue.put(at, Item::Fault(fault));
        }
        for (group, times) in self.plan.more.faults.clone() {
            for _ in 0..times {
                let fault = self.dice.pick(group);
                let at = Timestamp::ZERO + QUIET + self.dice.millis(0, length);
                self.queue.put(at.min(storm), Item::Fault(fault));
            }
        }
    }

    /// Something goes wrong now, if it can.
    pub(super) fn strike(&mut self, fault: Fault) -> Result<(), Broken> {
        *self.figures.faults.entry(fault.as_str()).or_default() += 1;
        self.note(|| format!("# {}", fault.as_str()));
        let peer = self.some_peer();
        let outage = self.outage();
        match fault {
            Fault::AgentRestarts => {
                let pause = self.dice.millis(200, 15_000);
                self.lose(peer, pause);
            }
            Fault::Crash => self.crash_some(Role::Te),
            Fault::CrashTogether => self.crash_together(),
            Fault::DaemonCrash | Fault::FullDisk => self.break_down(fault)?,
            Fault::EntryLost => {
                let entry = self.world.monitors().first().map(|it| it.1);
                self.lose(entry.unwrap_or(peer), outage);
            }
            Fault::HostDies => {
                self.lose(peer, outage);
                for engine in self.engines_at(peer) {
                    self.end_engine(engine, 137);
                }
            }
            Fault::Isolated => {
                self.world_fault(Strike::Isolate { peer });
                self.later(outage, Later::Rejoin(peer));
            }
            Fault::ManagerCrash => self.crash_manager(),
            Fault::PeerLost => self.lose(peer, outage),
            Fault::PeerMuted
            | Fault::PeerShut
            | Fault::PeerSlow
            | Fault::FromPeerLost
            | Fault::ToPeerLost
            | Fault::SessionCut
            | Fault::SessionMuted
            | Fault::SessionsDropped => self.disturb(fault, peer, outage),
            Fault::SlowDisk => self.slow_disk_until = self.now + outage,
            Fault::StartFails | Fault::StartLate | Fault::StartSilent => self.spoil_starts(fault),
            Fault::CrashLoop => self.trouble(Trouble::CrashLoop),
            Fault::StillBirth => self.trouble(Trouble::StillBirth),
            Fault::SlowBirth => self.trouble(Trouble::Slow),
            Fault::OperatorKills
            | Fault::OperatorRestarts
            | Fault::OperatorShutsDown
            | Fault::OperatorStarts
            | Fault::OperatorStops
            | Fault::SecondHealer => self.meddle(fault),
            Fault::PersonAsks
            | Fault::PersonConfirmsDeath
            | Fault::PersonForgets
            | Fault::PersonHolds
            | Fault::PersonMaintains
            | Fault::PersonReleases
            | Fault::PersonRetries
            | Fault::PersonScales
            | Fault::PersonStops
            | Fault::PersonThaws
            | Fault::PersonWants => self.speak_up(fault)?,
            Fault::ClockJumps => self.jump()?,
            Fault::DaemonStalls | Fault::MachineSleeps => self.fall_asleep(fault),
            Fault::Hang => self.trouble(Trouble::Hang),
            Fault::Leftover | Fault::ManagerEnds | Fault::ManagersEnd => {
                self.trouble_managers(fault);
            }
            Fault::ArchiveLies => self.lie_about_archives(),
            Fault::PortSilent => self.silence(),
            Fault::Reload => self.reload()?,
        }
        Ok(())
    }

    /// The daemon dies, or cannot write what it knows.
    fn break_down(&mut self, fault: Fault) -> Result<(), Broken> {
        if fault == Fault::DaemonCrash {
            self.kill_daemon()?;
            let pause = self.dice.millis(100, 90_000);
            self.later(pause, Later::DaemonBegins);
        } else {
            self.break_journal()?;
            let pause = self.dice.millis(1_000, 120_000);
            self.later(pause, Later::DiskMended);
        }
        Ok(())
    }

    /// Something is the matter with the lines to a peer.
    fn disturb(&mut self, fault: Fault, peer: PeerNumber, outage: Duration) {
        if fault == Fault::PeerMuted {
            self.world_fault(Strike::Mute { peer });
            self.later(outage, Later::Unmute(peer));
        } else if matches!(fault, Fault::FromPeerLost | Fault::ToPeerLost) {
            let is_outward = fault == Fault::ToPeerLost;
            let way = if is_outward {
                Way::ToPeer
            } else {
                Way::ToPilot
            };
            self.wire.lose(peer, Some(way));
            self.later(outage, Later::Hears(peer));
        } else if fault == Fault::PeerShut {
            self.wire.shut(peer, true);
            self.later(outage, Later::Shut(peer, false));
        } else if fault == Fault::PeerSlow {
            let by = self.dice.millis(100, 12_000);
            self.world_fault(Strike::Delay { peer, by });
            self.later(outage, Later::Delay(peer, Duration::ZERO));
        } else if fault == Fault::SessionsDropped {
            self.world_fault(Strike::Drop { peer });
        } else if let Some((session, _)) = self.world.monitors().first().copied() {
            self.world_fault(if fault == Fault::SessionCut {
                Strike::DropSession { session }
            } else {
                Strike::MuteSession { session }
            });
        }
    }

    /// What followed from a fault happens.
    pub(super) fn catch_up(&mut self, later: Later) -> Result<(), Broken> {
        self.note(|| format!("# later: {later:?}"));
        match later {
            Later::DaemonBegins => {
                if self.plan.more.reloads && self.dice.percent(50) {
                    self.reload()?;
                }
                self.begin_daemon()?;
            }
            Later::Delay(peer, by) => self.world_fault(Strike::Delay { peer, by }),
            Later::DiskMended => self.mend_journal()?,
            Later::Healer { until } => self.heal_foreign(until),
            Later::Hears(peer) => self.hear_again(peer),
            Later::Probed(probed) => self.probed(probed)?,
            Later::Rejoin(peer) => self.world_fault(Strike::Rejoin { peer }),
            Later::Return(peer) => self.world_fault(Strike::Return { peer }),
            Later::Said(word, target) => self.say_of(word, target)?,
            Later::Shut(peer, is_shut) => self.wire.shut(peer, is_shut),
            Later::StartByHand(peer, database, role) => self.start_by_hand(peer, database, role),
            Later::Truth(peer) => self.tell_truth(peer),
            Later::Unmute(peer) => self.world_fault(Strike::Unmute { peer }),
        }
        Ok(())
    }

    /// From now on all is well.
    pub(super) fn calm(&mut self) -> Result<(), Broken> {
        self.note(|| "# calm".to_owned());
        self.is_calm = true;
        self.slow_disk_until = self.now;
        for index in 0..self.plan.peers.len() {
            let peer = numbered(index);
            self.wire.shut(peer, false);
            self.hear_again(peer);
            self.tell_truth(peer);
            self.hosts.trouble(peer, None);
            self.world_fault(Strike::Unmute { peer });
            self.world_fault(Strike::Delay {
                peer,
                by: Duration::ZERO,
            });
            self.world_fault(Strike::Return { peer });
            self.world_fault(Strike::Rejoin { peer });
            // Sessions that were muted for good are found out one day; this is the day.
            self.world_fault(Strike::Drop { peer });
            if let Some(it) = self.world.peer_mut(peer) {
                it.next_starts.clear();
            }
        }
        self.mend_managers();
        self.mend_journal()?;
        self.begin_daemon()?;
        self.judge.calm();
        Ok(())
    }

    pub(super) fn later(&mut self, pause: Duration, later: Later) {
        // What follows after the storm is over is not waited for: the calm mends everything.
        if self.now + pause < Timestamp::ZERO + STORM {
            self.queue.put(self.now + pause, Item::Later(later));
        }
    }

    pub(super) fn outage(&mut self) -> Duration {
        match self.dice.below(4) {
            0 => self.dice.millis(50, 3_000),
            1 => self.dice.millis(1_000, 30_000),
            2 => self.dice.millis(15_000, 90_000),
            _ => self.dice.millis(60_000, 400_000),
        }
    }

    pub(super) fn world_fault(&mut self, fault: Strike) {
        let ticket = Ticket(0);
        self.tell_world(Input::Fault { ticket, fault });
    }

    pub(super) fn lose(&mut self, peer: PeerNumber, pause: Duration) {
        let exits_first = self.dice.percent(50);
        self.world_fault(Strike::Lose { peer, exits_first });
        self.later(pause, Later::Return(peer));
    }

    pub(super) fn some_peer(&mut self) -> PeerNumber {
        numbered(self.dice.below(self.plan.peers.len()))
    }

    pub(super) fn engines_at(&self, peer: PeerNumber) -> Vec<EngineId> {
        let all = self.world.engines.iter();
        let here = all.filter(|(_, it)| it.peer == peer);
        here.map(|(id, _)| *id).collect()
    }

    /// Returns some registered engine of that role.
    pub(super) fn some_engine(&mut self, role: Role) -> Option<EngineId> {
        let all = self.world.engines.iter();
        let fit = all.filter(|(_, it)| it.is_registered() && it.start.role == role);
        let fit: Vec<EngineId> = fit.map(|(id, _)| *id).collect();
        (!fit.is_empty()).then(|| self.dice.pick(&fit))
    }

    fn crash_some(&mut self, role: Role) {
        if let Some(engine) = self.some_engine(role) {
            self.end_engine(engine, 139);
        }
    }

    fn crash_together(&mut self) {
        let Some(one) = self.some_engine(Role::Te) else {
            return;
        };
        for engine in self.siblings(one, Role::Te) {
            let pause = self.dice.millis(0, 6_000);
            if self.hosts.doom(engine) {
                let item = Item::Engine(engine, Step::Exit(134));
                self.queue.put(self.now + pause, item);
            }
        }
    }

    /// Returns all engines of that role of the database of one of them.
    pub(super) fn siblings(&self, one: EngineId, role: Role) -> Vec<EngineId> {
        let database = self.world.engines.get(&one).map(|it| &it.start.database);
        let all = self.world.engines.iter();
        let same =
            all.filter(|(_, it)| it.start.role == role && Some(&it.start.database) == database);
        same.map(|(id, _)| *id).collect()
    }

    fn crash_manager(&mut self) {
        let Some(engine) = self.some_engine(Role::Sm) else {
            return;
        };
        let Some(it) = self.world.engines.get(&engine) else {
            return;
        };
        let (peer, name) = (it.peer, it.start.database.clone());
        let database = self.plan.databases.iter().position(|it| it.name == name);
        self.end_engine(engine, 139);
        let pause = self.dice.millis(1_000, 180_000);
        if let Some(database) = database
            && (!self.plan.databases[database].is_managed() || self.dice.percent(30))
        {
            self.later(pause, Later::StartByHand(peer, database, Role::Sm));
        }
    }

    fn trouble(&mut self, trouble: Trouble) {
        let until = self.now + self.outage() + self.outage();
        let everywhere = self.dice.percent(30);
        let one = self.some_peer();
        for index in 0..self.plan.peers.len() {
            let peer = numbered(index);
            if everywhere || peer == one {
                self.hosts.trouble(peer, Some((trouble, until)));
            }
        }
    }

    fn spoil_starts(&mut self, fault: Fault) {
        let everywhere = self.dice.percent(50);
        let one = self.some_peer();
        for index in 0..self.plan.peers.len() {
            let peer = numbered(index);
            if !everywhere && peer != one {
                continue;
            }
            for _ in 0..=self.dice.below(3) {
                let how = if fault == Fault::StartFails {
                    NextStart::Fail {
                        reason: self.dice.pick(&REASONS).into(),
                    }
                } else if fault == Fault::StartLate {
                    NextStart::Late {
                        by: self.dice.millis(500, 120_000),
                    }
                } else {
                    NextStart::Silent
                };
                self.world_fault(Strike::FailNext { peer, how });
            }
        }
    }
}

/// Why starts fail.
const REASONS: [&str; 4] = [
    "Permission denied",
    "ProcessBarrier is waiting to be ready to start",
    "Unknown option: --mem",
    "Something nobody has heard of",
];
