//! What a good configuration says, how it changes from one to the next, and what a reload must
//! then report.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use dbwarden::sandbox::world::history::Dice;

/// What a reload reports: about whom, and what of it.
pub(super) type Difference = BTreeMap<String, BTreeSet<String>>;

/// What a listener does with an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Manner {
    Flaky,
    Hanging,
    Hook,
    Pipe,
    Quick,
    Slow,
}

/// Everything about a listener that no reload changes.
#[derive(Debug)]
pub(super) struct Role {
    pub(super) name: &'static str,
    pub(super) manner: Manner,
    /// What it always wants to hear.
    pub(super) events: &'static [&'static str],
    pub(super) hears_snapshots: bool,
}

pub(super) const ROLES: [Role; 7] = [
    Role {
        name: "quick",
        manner: Manner::Quick,
        events: &["*"],
        hears_snapshots: true,
    },
    Role {
        name: "slow",
        manner: Manner::Slow,
        events: &["process", "domain"],
        hears_snapshots: true,
    },
    Role {
        name: "flaky",
        manner: Manner::Flaky,
        events: &["process", "database", "daemon"],
        hears_snapshots: true,
    },
    Role {
        name: "hanging",
        manner: Manner::Hanging,
        events: &["process"],
        hears_snapshots: false,
    },
    Role {
        name: "hook",
        manner: Manner::Hook,
        events: &["*"],
        hears_snapshots: true,
    },
    Role {
        name: "robot",
        manner: Manner::Pipe,
        events: &["*"],
        hears_snapshots: true,
    },
    Role {
        name: "night",
        manner: Manner::Quick,
        events: &["healing", "domain", "daemon"],
        hears_snapshots: true,
    },
];

/// What it may want to hear besides.
pub(super) const EXTRA: &str = "peer";

pub(super) fn role(name: &str) -> &'static Role {
    let found = ROLES.iter().find(|it| it.name == name);
    found.unwrap_or_else(|| panic!("there is no listener {name}"))
}

/// What a reload can change about a listener.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Teller {
    /// It never goes back, over all that were ever configured.
    pub(super) version: u32,
    pub(super) hears_extra: bool,
    pub(super) tries: u32,
    /// It stands in a file of its own, which changes nothing.
    pub(super) is_apart: bool,
}

/// What a good configuration says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Plan {
    pub(super) tellers: BTreeMap<&'static str, Teller>,
    /// A second domain, to come and go.
    pub(super) has_spare: bool,
    is_spare_locked_out: bool,
    password: u32,
    strategy: &'static str,
    settle: &'static str,
    policy: Option<u32>,
    filter: &'static str,
    stop_grace: &'static str,
}

/// Where everything is that configurations name.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// Of the daemon.
    pub(super) dir: String,
    /// The script of `exec` listeners.
    pub(super) script: String,
    /// The server of webhooks.
    pub(super) hook: String,
    pub(super) brokers: [String; 2],
}

const FILTER: &str = "info";

impl Plan {
    /// Everything is there, and stands in one file.
    pub(super) fn first() -> Self {
        let teller = Teller {
            version: 1,
            hears_extra: false,
            tries: 1000,
            is_apart: false,
        };
        Self {
            tellers: ROLES.iter().map(|it| (it.name, teller.clone())).collect(),
            has_spare: true,
            is_spare_locked_out: false,
            password: 1,
            strategy: "fallback",
            settle: "100ms",
            policy: Some(1),
            filter: FILTER,
            stop_grace: "10m",
        }
    }

    /// Returns the first one again, with listeners that are `version`.
    pub(super) fn last(version: u32) -> Self {
        let mut plan = Self::first();
        for teller in plan.tellers.values_mut() {
            teller.version = version;
        }
        plan
    }

    /// Returns another one, in which a few things are different.
    pub(super) fn mutate(&self, dice: &mut Dice, version: u32) -> Self {
        let mut plan = self.clone();
        for _ in 0..=dice.below(4) {
            plan.mutate_once(dice, version);
        }
        plan
    }

    fn mutate_once(&mut self, dice: &mut Dice, version: u32) {
        let role = &ROLES[dice.below(ROLES.len())];
        match dice.below(16) {
            0..=2 => drop(self.tellers.remove(role.name)),
            3..=6 => {
                let teller = Teller {
                    version,
                    hears_extra: dice.percent(50),
                    tries: 1000,
                    is_apart: dice.percent(50),
                };
                self.tellers.insert(role.name, teller);
            }
            7 => {
                if let Some(it) = self.tellers.get_mut(role.name) {
                    it.is_apart = !it.is_apart;
                }
            }
            8 => {
                if let Some(it) = self.tellers.get_mut(role.name) {
                    it.tries = if it.tries == 1000 { 999 } else { 1000 };
                }
            }
            9 => self.has_spare = !self.has_spare,
            10 => self.is_spare_locked_out = !self.is_spare_locked_out,
            11 => self.password = 3 - self.password,
            12 => self.strategy = dice.pick(&["fallback", "round-robin", "random"]),
            13 => self.settle = dice.pick(&["50ms", "100ms"]),
            14 => self.policy = dice.pick(&[None, Some(1), Some(2), Some(3)]),
            _ => {
                self.filter = dice.pick(&[FILTER, "debug"]);
                self.stop_grace = dice.pick(&["10m", "601s"]);
            }
        }
    }

    /// Returns what a reload reports that comes from `old`.
    pub(super) fn difference(&self, old: &Self) -> Difference {
        let mut lines: Vec<(String, &str)> = Vec::new();
        let daemon = |key: &str| format!("daemon.{key}");
        if self.filter != FILTER {
            // The running daemon keeps what it began with.
            lines.push((daemon("log.filter"), "needs a restart"));
        }
        if self.stop_grace != old.stop_grace {
            lines.push((daemon("stop-grace"), "changed"));
        }
        let prod = || "domain prod".to_owned();
        if self.password != old.password {
            lines.push((prod(), "password changed"));
        }
        if self.strategy != old.strategy {
            lines.push((prod(), "strategy changed"));
        }
        if self.settle != old.settle {
            lines.push((prod(), "settle changed"));
        }
        if self.policy != old.policy {
            lines.push((prod(), "policies changed"));
        }
        let spare = || "domain spare".to_owned();
        match (old.has_spare, self.has_spare) {
            (false, true) => lines.push((spare(), "added")),
            (true, false) => lines.push((spare(), "removed")),
            (true, true) if self.is_spare_locked_out != old.is_spare_locked_out => {
                lines.push((spare(), "password changed"));
            }
            (true, true) | (false, false) => (),
        }
        let names: BTreeSet<_> = old.tellers.keys().chain(self.tellers.keys()).collect();
        for name in names {
            let whose = || format!("listener {name}");
            match (old.tellers.get(name), self.tellers.get(name)) {
                (None, _) => lines.push((whose(), "added")),
                (_, None) => lines.push((whose(), "removed")),
                (Some(old), Some(new)) => {
                    let changes = new.changes(old, role(name).manner);
                    lines.extend(changes.map(|it| (whose(), it)));
                }
            }
        }
        let mut difference = Difference::new();
        for (whose, what) in lines {
            difference.entry(whose).or_default().insert(what.to_owned());
        }
        difference
    }

    /// Returns the main file and those of `conf.d`.
    pub(super) fn files(&self, places: &Places) -> (String, BTreeMap<String, String>) {
        let mut main = String::new();
        let mut apart = BTreeMap::new();
        let password = if self.password == 1 {
            "password"
        } else {
            "same"
        };
        main.push_str(&self.domain(places, "prod", password));
        if let Some(number) = self.policy {
            let _ = write!(
                main,
                "[[policy]]
                domains = [\"prod\"]
                te = {{ min = 2 }}
                min-uptime = \"0s\"
                return-grace = \"50ms\"
                confirm-for = \"10ms\"
                delay-first = \"{number}ms\"
                delay-max = \"20ms\"
                ",
            );
        }
        if self.has_spare {
            let password = if self.is_spare_locked_out {
                "wrong"
            } else {
                "password"
            };
            apart.insert(
                "50-spare.toml".to_owned(),
                self.domain(places, "spare", password),
            );
        }
        let daemon = format!(
            "[daemon]\nstop-grace = \"{}\"\nlog = {{ filter = \"{}\" }}
            [daemon.journal]\nbackup-every = \"20ms\"\n",
            self.stop_grace, self.filter
        );
        apart.insert("60-daemon.toml".to_owned(), daemon);
        main.push_str("[[listener]]\nname = \"log\"\nkind = \"log\"\n");
        for (name, teller) in &self.tellers {
            let text = teller.text(role(name), places);
            if teller.is_apart {
                apart.insert(format!("10-{name}.toml"), text);
            } else {
                main.push_str(&text);
            }
        }
        (main, apart)
    }

    /// Returns the table of a domain with a password from that file.
    pub(super) fn domain(&self, places: &Places, name: &str, password: &str) -> String {
        let [first, second] = &places.brokers;
        let (strategy, settle) = if name == "prod" {
            (self.strategy, self.settle)
        } else {
            ("fallback", "100ms")
        };
        format!(
            "[[domain]]
            name = \"{name}\"
            brokers = [\"{first}\", \"{second}\"]
            user = \"domain\"
            password = {{ file = \"{}/{password}\" }}
            strategy = \"{strategy}\"
            settle = \"{settle}\"
            max-actions = 1000
            reconnect-first = \"50ms\"
            reconnect-max = \"200ms\"
            [[domain.database]]
            name = \"teas\"
            te-options = []
            ",
            places.dir
        )
    }
}

impl Teller {
    fn changes(&self, old: &Self, manner: Manner) -> impl Iterator<Item = &'static str> {
        let program = if manner == Manner::Hook {
            "url changed"
        } else {
            "command changed"
        };
        [
            (self.version != old.version, program),
            (self.hears_extra != old.hears_extra, "events changed"),
            (self.tries != old.tries, "retry.tries changed"),
        ]
        .into_iter()
        .filter_map(|(is_so, what)| is_so.then_some(what))
    }

    fn text(&self, role: &Role, places: &Places) -> String {
        let extra = self.hears_extra.then_some(EXTRA);
        let events: Vec<_> = role.events.iter().copied().chain(extra).collect();
        let version = self.version;
        let what = if role.manner == Manner::Hook {
            let hook = &places.hook;
            format!(
                "kind = \"webhook\"\nurl = \"{hook}/{}/{version}\"",
                role.name
            )
        } else {
            let script = &places.script;
            let manner = format!("{:?}", role.manner).to_lowercase();
            let kind = if role.manner == Manner::Pipe {
                "pipe"
            } else {
                "exec"
            };
            format!("kind = \"{kind}\"\ncommand = [\"{script}\", \"{version}\", \"{manner}\"]")
        };
        let timeout = if role.manner == Manner::Hanging {
            "300ms"
        } else {
            "5m"
        };
        let on_connect = if role.hears_snapshots {
            "snapshot"
        } else {
            "changes"
        };
        format!(
            "[[listener]]
            name = \"{}\"
            {what}
            events = {events:?}
            on-connect = \"{on_connect}\"
            timeout = \"{timeout}\"
            concurrency = {}
            retry = {{ tries = {}, first = \"1ms\", max = \"5ms\" }}
            ",
            role.name,
            if role.manner == Manner::Quick { 2 } else { 1 },
            self.tries
        )
    }
}
