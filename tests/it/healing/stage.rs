//! Where a round takes place: a domain with its databases, the daemon that heals it, and somebody
//! who minds the storage managers that the daemon does not start.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dbwarden::model::Role;
use dbwarden::sandbox::serve::{DatabaseSettings, EngineInfo, Sandbox, Settings};
use dbwarden::sandbox::world::history::Dice;
use dbwarden::sandbox::world::{Fault, Pace, PeerNumber, StartRecord};
use rustix::process::{Signal, kill_process};
use serde_json::Value;
use tokio::time::sleep;

use super::hand::try_start;
use crate::daemon::pid;
use crate::storm::House;

const CONFIG: &str = include_str!("healing.toml");

/// How often it is looked at.
const STEP: Duration = Duration::from_millis(20);

/// Longer than anything here takes on a machine that has much else to do.
const LONG: Duration = Duration::from_secs(120);

/// What is blocked for longer than this stays so: longer than the slow interval, the window of
/// another healer, and what a late start may take.
const FOR_GOOD: Duration = Duration::from_secs(20);

/// What a round is made of.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is drawn by itself, and says yes or no"
)]
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) peers: u16,
    pub(super) brokers: u16,
    /// The databases, each with so many transaction engines and storage managers.
    pub(super) databases: Vec<DatabaseSettings>,
    pub(super) is_observed: bool,
    pub(super) is_strict: bool,
    is_held_at_the_end: bool,
    /// Whether the daemon heals storage managers, too; if not, somebody else minds all of them.
    pub(super) heals_managers: bool,
    kills_leftovers: bool,
}

impl Plan {
    fn draw(dice: &mut Dice) -> Self {
        let peers = dice.pick(&[3, 4, 4, 5]);
        let te = dice.pick(&[1, 2, 2, 3]).min(peers - 1);
        let teas = DatabaseSettings {
            name: "teas".to_owned(),
            te,
            sm: dice.pick(&[1, 2]),
        };
        let cups = DatabaseSettings {
            name: "cups".to_owned(),
            te,
            sm: 1,
        };
        let mut databases = vec![teas];
        if dice.percent(30) {
            databases.push(cups);
        }
        Self {
            peers,
            brokers: dice.pick(&[2, 3]),
            databases,
            is_observed: dice.percent(50),
            is_strict: dice.percent(20),
            is_held_at_the_end: dice.percent(20),
            heals_managers: dice.percent(60),
            kills_leftovers: dice.percent(50),
        }
    }

    /// Returns how many transaction engines each database has at least.
    pub(super) fn wanted(&self) -> usize {
        usize::from(self.databases[0].te)
    }

    /// Returns how many of them a database may have, where so many were once known at a time.
    pub(super) fn limit(&self, peak: usize) -> usize {
        if self.is_observed {
            self.wanted().max(peak)
        } else {
            self.wanted()
        }
    }

    fn config(&self, sandbox: &Sandbox, archives: &[Archive]) -> String {
        let brokers = sandbox.peers().iter().filter(|it| it.is_broker);
        let brokers: Vec<String> = brokers.map(|it| it.address.to_string()).collect();
        let databases = self.databases.iter().map(|it| {
            let name = &it.name;
            let own = archives.iter().filter(|it| *it.database == *name.as_str());
            let own: Vec<String> = own
                .map(|it| {
                    let peer = sandbox.peers()[it.peer.index()].address;
                    format!("{{ peer = \"{peer}\", path = \"{}\" }}", it.path)
                })
                .collect();
            let own = if self.heals_managers {
                own.join(", ")
            } else {
                String::new()
            };
            format!("[[domain.database]]\nname = \"{name}\"\nte-options = []\narchives = [{own}]\n")
        });
        let databases: String = databases.collect();
        let stages = "[{ where = \"here\", tries = 2 }, { where = \"elsewhere\", tries = 4 }]";
        let after = if self.is_held_at_the_end {
            "after-stages = \"hold\""
        } else {
            "after-stages = \"slow\"\nslow-interval = \"6s\""
        };
        CONFIG
            .replace("BROKERS", &format!("{brokers:?}"))
            .replace("DATABASES", &databases)
            .replace(
                "KEEP",
                if self.is_observed {
                    "observed"
                } else {
                    "declared"
                },
            )
            .replace("WANTED", &self.wanted().to_string())
            .replace("STAGES", stages)
            .replace("AFTER", after)
            .replace(
                "ROLES",
                if self.heals_managers {
                    "[\"te\", \"sm\"]"
                } else {
                    "[\"te\"]"
                },
            )
            .replace(
                "LEFTOVER",
                if self.kills_leftovers { "kill" } else { "hold" },
            )
            .replace("STRICT", &self.is_strict.to_string())
    }
}

/// A seat that is empty at the end, and for which somebody was told why.
#[derive(Debug)]
pub(super) struct Excuse {
    pub(super) database: String,
    pub(super) slot: String,
    pub(super) is_held: bool,
}

/// An archive, and where it is.
#[derive(Clone, Debug)]
struct Archive {
    peer: PeerNumber,
    database: Arc<str>,
    path: Arc<str>,
}

/// All that there is.
pub(super) struct Stage {
    pub(super) plan: Plan,
    pub(super) dice: Dice,
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) house: House,
    archives: Vec<Archive>,
    /// The starts that others than the daemon asked for.
    pub(super) foreign: Arc<Mutex<BTreeSet<String>>>,
    /// Starts of storage managers that found their archive in use.
    pub(super) in_use: usize,
    began: Instant,
    story: Vec<String>,
}

impl Stage {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test is what reads the clock here"
    )]
    pub(super) async fn set(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(&mut dice);
        let sandbox = Sandbox::start(Settings {
            peers: plan.peers,
            brokers: plan.brokers,
            pace: Pace::scaled(10),
            databases: plan.databases.clone(),
            engine_program: Some(env!("CARGO_BIN_EXE_dbwarden").into()),
            ..Settings::default()
        });
        let sandbox = sandbox.await.unwrap();
        let archives = sandbox.survey().await.unwrap().engines.into_iter();
        let archives = archives.filter_map(|it| {
            Some(Archive {
                peer: it.peer,
                database: it.start.database,
                path: it.start.archive?,
            })
        });
        let archives: Vec<Archive> = archives.collect();
        let mut house = House::build(&plan.config(&sandbox, &archives));
        house.start();
        let mut stage = Self {
            plan,
            dice,
            sandbox: Arc::new(sandbox),
            house,
            archives,
            foreign: Arc::default(),
            in_use: 0,
            began: Instant::now(),
            story: Vec::new(),
        };
        let plan = format!("{:?}", stage.plan);
        stage.note(&plan);
        stage
    }

    pub(super) fn note(&mut self, text: &str) {
        let millis = self.began.elapsed().as_millis();
        self.story.push(format!("{millis} {text}"));
    }

    /// Returns what happened, for whoever looks for the reason of a failure.
    pub(super) async fn tell(&self) -> String {
        let starts = self.sandbox.starts().await.unwrap();
        let starts: Vec<String> = starts.iter().map(|it| format!("{it:?}")).collect();
        let engines = self.sandbox.engines().await.unwrap();
        let status = self.house.domain().await.unwrap_or_default();
        format!(
            "{}\nstarts:\n{}\nengines: {engines:?}\nslots: {}\nactions: {}\ngates: {}\nlog:\n{}",
            self.story.join("\n"),
            starts.join("\n"),
            status["slots"],
            status["actions"],
            status["gates"],
            self.house.log()
        )
    }

    pub(super) async fn engines(&self) -> Vec<EngineInfo> {
        self.sandbox.engines().await.unwrap()
    }

    /// Returns how many engines of a database serve, as its domain sees it.
    pub(super) async fn running(&self, database: &str) -> usize {
        let engines = self.engines().await.into_iter();
        let runs = |it: &EngineInfo| {
            *it.database == *database && it.role == Role::Te && it.status == Some("RUNNING")
        };
        engines.filter(runs).count()
    }

    pub(super) async fn starts(&self) -> Vec<StartRecord> {
        self.sandbox.starts().await.unwrap()
    }

    pub(super) async fn fault(&mut self, fault: Fault) {
        let text = format!("{fault:?}");
        let result = self.sandbox.control(fault).await;
        self.note(&format!("{text}: {result:?}"));
    }

    pub(super) async fn pause(&mut self, from: u64, to: u64) {
        sleep(self.dice.whole_millis(from, to)).await;
    }

    /// Kills an engine as nobody does who means well.
    pub(super) fn slay(&mut self, engine: &EngineInfo) {
        // It may have gone by itself.
        let killed = kill_process(pid(engine.pid), Signal::KILL);
        let EngineInfo {
            pid, peer, role, ..
        } = engine;
        self.note(&format!("kill {role:?} {pid} at {peer}: {killed:?}"));
    }

    /// Starts a storage manager by hand for each archive that has none, as an operator would: those
    /// that the daemon heals only once it said that it does not.
    pub(super) async fn mind_archives(&mut self) {
        let given_up = self.given_up().await;
        let known = self.sandbox.survey().await.unwrap();
        for archive in self.archives.clone() {
            let is_lost = |it: &dbwarden::sandbox::world::PeerView| it.is_lost;
            if self.plan.heals_managers && !given_up.contains(&*archive.database) {
                continue;
            }
            let is_kept = known
                .engines
                .iter()
                .any(|it| it.start.archive.as_ref() == Some(&archive.path) && !it.is_leftover);
            if is_kept || known.peers.get(archive.peer.index()).is_none_or(is_lost) {
                continue;
            }
            let address = self.sandbox.peers()[archive.peer.index()].address;
            let options = [
                ("--database", &*archive.database),
                ("--archive", &*archive.path),
            ];
            if let Some(start_id) = try_start(address, &options).await {
                self.note(&format!(
                    "by hand: SM at {}, start {start_id}",
                    archive.peer
                ));
                self.foreign.lock().unwrap().insert(start_id);
            }
        }
        let starts = self.starts().await;
        let leftover = |path: &Arc<str>| {
            let engines = known.engines.iter();
            engines
                .filter(|it| it.is_leftover)
                .any(|it| it.start.archive.as_ref() == Some(path))
        };
        let refused = starts.iter().filter(|it| {
            let archive = it.start.as_ref().and_then(|it| it.archive.as_ref());
            archive.is_some_and(leftover) && it.registered.is_none() && it.ended.is_some()
        });
        self.in_use = self.in_use.max(refused.count());
    }

    /// Returns the databases of which a storage manager is held, blocked for long, or not wanted.
    async fn given_up(&self) -> BTreeSet<String> {
        let status = self.house.domain().await.unwrap_or_default();
        let slots = status["slots"].as_array().cloned().unwrap_or_default();
        let is_manager = |it: &Value| it["slot"].as_str().is_some_and(|it| it.starts_with("sm"));
        let is_told = |it: &Value| {
            it["phase"] == "held" || it["told_blocked"] == true || it["wanted"] == false
        };
        let told = slots.iter().filter(|it| is_manager(it) && is_told(it));
        told.filter_map(|it| it["database"].as_str().map(str::to_owned))
            .collect()
    }

    /// Returns where the archive of a database at a peer is.
    pub(super) fn archive_at(&self, database: &str, peer: PeerNumber) -> Option<&str> {
        let mut all = self.archives.iter();
        let found = all.find(|it| *it.database == *database && it.peer == peer);
        found.map(|it| &*it.path)
    }

    /// Ends all trouble: from now on everything goes as it should.
    pub(super) async fn calm(&mut self) {
        self.note("calm");
        if !self.house.is_alive() {
            self.house.start();
        }
        for number in (1..=self.plan.peers).map(PeerNumber) {
            let peer = number;
            self.fault(Fault::Forgive { peer }).await;
            let by = Duration::ZERO;
            self.fault(Fault::Delay { peer, by }).await;
            let survey = self.sandbox.survey().await.unwrap();
            if survey.peers[number.index()].is_lost {
                self.fault(Fault::Return { peer }).await;
            }
        }
        for engine in self.engines().await.iter().filter(|it| it.is_leftover) {
            self.slay(engine);
        }
    }

    /// Waits until everything that is wanted runs, or is held or blocked and was told of; returns
    /// what is.
    pub(super) async fn rest(&mut self) -> Result<Vec<Excuse>, String> {
        let mut left = LONG;
        let mut round = 0;
        loop {
            if round % 10 == 0 {
                self.mind_archives().await;
            }
            round += 1;
            let missing = match self.missing().await {
                Ok(excused) if excused.iter().all(|it| it.is_held) => return Ok(excused),
                Ok(excused) if left + FOR_GOOD <= LONG => return Ok(excused),
                Ok(excused) => format!("{excused:?} may yet be healed"),
                Err(it) => it,
            };
            let Some(rest) = left.checked_sub(STEP) else {
                return Err(format!("it never comes to rest: {missing}"));
            };
            left = rest;
            sleep(STEP).await;
            if !self.house.is_alive() {
                return Err("the daemon ended by itself".to_owned());
            }
        }
    }

    /// Returns which seats are held or blocked, or what is not at rest.
    async fn missing(&self) -> Result<Vec<Excuse>, String> {
        let Some(status) = self.house.domain().await else {
            return Err("the daemon does not answer".to_owned());
        };
        let list = |key: &str| status[key].as_array().cloned().unwrap_or_default();
        let is_known = status["freshness"] == "synced" && list("gates").is_empty();
        if !is_known || list("peers").iter().any(|it| it["connected"] != true) {
            return Err(format!("not all is known: {}", status["gates"]));
        }
        if !list("actions").is_empty() {
            return Err(format!("a start is under way: {}", status["actions"]));
        }
        if list("processes").iter().any(|it| it["reachable"] != true) {
            return Err(format!("not all is seen: {}", status["processes"]));
        }
        let engines = self.engines().await;
        let known: BTreeSet<u64> = list("processes")
            .iter()
            .filter(|it| it["reachable"] == true && it["status"] == "up")
            .filter_map(|it| it["pid"].as_u64())
            .collect();
        let real: BTreeSet<u64> = engines.iter().map(|it| u64::from(it.pid)).collect();
        if known != real || engines.iter().any(|it| it.status != Some("RUNNING")) {
            return Err(format!("{known:?} are known, there are {engines:?}"));
        }
        let managers = engines.iter().filter(|it| it.role == Role::Sm).count();
        if managers != self.archives.len() {
            return Err("a storage manager is missing".to_owned());
        }
        let mut excused = Vec::new();
        for database in &self.plan.databases {
            excused.extend(self.missing_of(&database.name, &list("slots")).await?);
        }
        Ok(excused)
    }

    async fn missing_of(&self, database: &str, slots: &[Value]) -> Result<Vec<Excuse>, String> {
        let of = |it: &&Value| it["database"] == *database && it["wanted"] == true;
        let mut excused = Vec::new();
        for slot in slots.iter().filter(of) {
            let is_held = match slot["phase"].as_str() {
                Some("filled") => continue,
                Some("held") => true,
                Some("vacant") if slot["told_blocked"] == true => false,
                _ => return Err(format!("of {database} there is {slot}")),
            };
            excused.push(Excuse {
                database: database.to_owned(),
                slot: slot["slot"].as_str().unwrap().to_owned(),
                is_held,
            });
        }
        let running = self.running(database).await;
        if running + excused.len() < self.plan.wanted() {
            return Err(format!(
                "{running} of {database} run, {excused:?} are excused"
            ));
        }
        Ok(excused)
    }
}
