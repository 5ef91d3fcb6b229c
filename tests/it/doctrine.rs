//! A kind of domain that nobody has: mills. All that is added for it is data and a driver.
//!
//! A mill is one process with two services, a press and a feeder. It belongs to its host and runs
//! nowhere else, a command restarts it in place, it has no database, and nobody tells of it: the
//! driver looks every ten seconds.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use dbwarden::event::Group;
use dbwarden::exchange::{ActionId, Deed, Means, Observation, Outcome};
use dbwarden::model::{
    self, Address, PeerSeen, ProcessSeen, Role, RoleName, Snapshot, Status, StatusSeen,
};
use dbwarden::policy::{Capabilities, Doctrine, Needs, Policy, RoleRule, SeatKind};
use dbwarden::supervisor::{Accepted, Effect, Input, Settings};
use dbwarden::time::{Moment, Timestamp};
use dbwarden::warden::Warden;

const MILL: Role = match RoleName::new("press+feeder") {
    Some(name) => Role::Named(name),
    None => panic!("it is a name"),
};

static MILLS: Doctrine = Doctrine {
    kind: "mills",
    roles: &[RoleRule {
        role: MILL,
        seat: SeatKind::Pinned,
        lane: 0,
        needs: Needs::Nothing,
        means: Means::RestartInPlace,
    }],
    can: Capabilities {
        starts: false,
        restarts_in_place: true,
        kills: false,
    },
};

/// How often the driver looks.
const EVERY: Duration = Duration::from_secs(10);

fn settings() -> Settings {
    let mut settings = Settings::new("mills".into());
    settings.doctrine = &MILLS;
    settings.policies = vec![Policy {
        roles: vec![MILL],
        ..Policy::default()
    }];
    settings
}

/// The driver, the hosts that it looks at, and the warden.
struct Mills {
    warden: Warden,
    settings: Settings,
    now: Timestamp,
    /// Name, whether it is there, and the mill that runs there.
    hosts: Vec<(&'static str, bool, Option<u32>)>,
    /// What the next commands do: a mill of this pid runs then.
    comes: Option<u32>,
    looks_at: Timestamp,
    prepared: Vec<(ActionId, usize)>,
    told: String,
}

impl Mills {
    fn new() -> Self {
        let settings = settings();
        Self {
            warden: Warden::new(model::Settings::default(), settings.clone()),
            settings,
            now: Timestamp::ZERO,
            hosts: vec![
                ("m1", true, Some(11)),
                ("m2", true, Some(21)),
                ("m3", true, None),
            ],
            comes: None,
            looks_at: Timestamp::ZERO,
            prepared: Vec::new(),
            told: String::new(),
        }
    }

    /// Lets time pass, in which the driver looks when it is time to.
    fn pass(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        loop {
            let due = self.warden.next_timeout().unwrap_or(self.looks_at);
            self.now = due.min(self.looks_at).max(self.now);
            if self.now > end {
                break;
            }
            if self.now >= self.looks_at {
                self.look();
            } else {
                self.handle(Input::Timeout);
            }
        }
        self.now = end;
    }

    fn look(&mut self) {
        self.looks_at = self.now + EVERY;
        let peer = |name: &str| PeerSeen {
            agent_id: name.into(),
            address: Address::new(name, 1),
            is_broker: false,
            hostname: "".into(),
            version: "".into(),
        };
        let mill = |name: &str, pid| ProcessSeen {
            agent_id: name.into(),
            database: "".into(),
            pid,
            port: None,
            role: MILL,
            status: Some(StatusSeen {
                status: Status::Up,
                word: "MILLING".into(),
            }),
            hostname: "".into(),
            version: "".into(),
            node_id: None,
            start_id: None,
        };
        let there = self.hosts.iter().filter(|it| it.1);
        let processes = there.clone().filter_map(|it| Some(mill(it.0, it.2?)));
        let snapshot = Snapshot {
            domain: "valley".into(),
            // The driver itself is where it looks from.
            entry: peer("office"),
            peers: there.clone().map(|it| peer(it.0)).collect(),
            processes: processes.collect(),
        };
        self.handle(Input::Observed(Observation::Snapshot(snapshot)));
    }

    fn handle(&mut self, input: Input) {
        let mut effects = Vec::new();
        let now = Moment::simulated(self.now);
        self.warden.handle(now, input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Raise(event) => {
                    let subject = &event.subject;
                    assert_eq!(subject.database, None, "a mill has none: {event:?}");
                    assert_ne!(event.kind.group(), Group::Database, "{event:?}");
                    if !matches!(event.kind.group(), Group::Healing | Group::Process) {
                        continue;
                    }
                    let about = match (&subject.process, &subject.slot) {
                        (Some(it), _) => format!("{} {}", it.role.as_str(), it.pid),
                        (None, slot) => slot.as_deref().unwrap_or_default().to_owned(),
                    };
                    let peer = subject.peer.as_ref().map_or("", |it| it.as_str());
                    let seconds = self.now.as_micros() / 1_000_000;
                    let kind = event.kind.as_str();
                    writeln!(self.told, "{seconds} {kind} {about} on {peer}").unwrap();
                }
                Effect::Do(deed) => self.act(deed),
                Effect::Answer { .. } => (),
            }
        }
    }

    fn act(&mut self, deed: Deed) {
        match deed {
            Deed::Prepare { action, start, .. } => {
                assert_eq!(start.means, Means::RestartInPlace);
                assert_eq!((start.role, start.database.as_str()), (MILL, ""));
                let is_it = |it: &(&str, bool, Option<u32>)| *it.0 == *start.target.address.host;
                let host = self.hosts.iter().position(is_it).unwrap();
                self.prepared.push((action, host));
                let outcome = Outcome::Ready;
                self.handle(Input::Reported { action, outcome });
            }
            Deed::Commit { action } => {
                let (_, host) = *self.prepared.iter().find(|it| it.0 == action).unwrap();
                let outcome = match self.comes.take() {
                    Some(pid) => {
                        self.hosts[host].2 = Some(pid);
                        // The next look shows it.
                        Outcome::Started(None)
                    }
                    None => Outcome::StartFailed("the wheel is stuck".into()),
                };
                self.handle(Input::Reported { action, outcome });
            }
            Deed::Refresh => self.looks_at = self.now,
            Deed::Abandon { .. } => (),
            Deed::Ask { .. } | Deed::Stop { .. } => panic!("no mill can do that: {deed:?}"),
        }
    }

    /// Kills the daemon and starts it again with what it remembered.
    fn restart(&mut self) {
        let facts = self.warden.facts();
        let settings = self.settings.clone();
        let now = Moment::simulated(self.now);
        let model = model::Settings::default();
        self.warden = Warden::restore(model.clone(), settings.clone(), now, facts).unwrap();
        self.handle(Input::Began(Arc::new(Accepted {
            model,
            supervisor: settings,
        })));
        self.looks_at = self.now;
    }

    fn check(&mut self, expected: &str) {
        let expected: Vec<&str> = expected.lines().map(str::trim).collect();
        let expected = expected.join("\n");
        assert_eq!(self.told.trim(), expected.trim());
        self.told.clear();
    }
}

#[test]
fn a_mill_that_stops_is_restarted_where_it_is() {
    let mut mills = Mills::new();
    mills.pass(100);
    mills.told.clear();
    mills.hosts[0].2 = None;
    mills.comes = Some(12);
    mills.pass(60);
    mills.check(
        "112 process_failed press+feeder 11 on m1:1
        112 action_started press+feeder/1 on m1:1
        122 process_joined press+feeder 12 on m1:1
        122 action_succeeded press+feeder/1 on m1:1",
    );
    let database = mills.warden.model().databases().next().unwrap().1;
    let services = ["press", "feeder", "press+feeder"].map(|it| Role::named(it).unwrap());
    assert_eq!(services.map(|it| database.running(it)), [2; 3]);
}

#[test]
fn a_mill_that_does_not_start_is_started_nowhere_else() {
    let mut mills = Mills::new();
    mills.pass(100);
    mills.told.clear();
    mills.hosts[0].2 = None;
    mills.pass(300);
    assert!(mills.prepared.len() > 3, "{:?}", mills.prepared);
    assert!(
        mills.prepared.iter().all(|it| it.1 == 0),
        "{:?}",
        mills.prepared
    );
    assert_eq!(mills.hosts[2].2, None);
}

#[test]
fn a_mill_on_a_lost_host_waits_for_it_across_a_restart_of_the_daemon() {
    let mut mills = Mills::new();
    mills.pass(100);
    mills.told.clear();
    mills.hosts[1].1 = false;
    mills.pass(100);
    mills.restart();
    mills.pass(500);
    assert_eq!(mills.prepared, []);
    mills.told.clear();
    mills.hosts[1] = ("m2", true, None);
    mills.comes = Some(22);
    mills.pass(60);
    mills.check(
        "730 process_failed press+feeder 21 on m2:1
        730 action_started press+feeder/2 on m2:1
        740 process_joined press+feeder 22 on m2:1
        740 action_succeeded press+feeder/2 on m2:1",
    );
}
