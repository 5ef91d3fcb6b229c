//! The sandbox with its churn, the daemon that dies, and its listeners.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use dbwarden::model::Role;
use dbwarden::sandbox::serve::{DatabaseSettings, Sandbox, Settings};
use dbwarden::sandbox::world::history::Dice;
use dbwarden::sandbox::world::{Fault, NextStart, Pace, PeerNumber};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::sleep;

use super::ears::{Ear, Letters};
use super::hook::Hook;
use crate::storm::{House, lines};

/// Where the daemon watches the sandbox at `BROKER`, and tells the three at `DIR` and `PORT`.
const CONFIG: &str = include_str!("killed.toml");

/// Takes its time for each event. A daemon may die before it has said which.
const SLOW: &str = r#"
    read -r line || exit 1
    sleep 0.005
    printf '%s\n' "$line" >> "$1/slow.told"
"#;

/// Runs on, and refuses every third event while there is a storm.
const THIRDS: &str = r#"
    n=0
    while read -r line; do
        n=$((n + 1))
        id=${line#*\"id\":\"}
        id=${id%%\"*}
        if [ -e "$1/storm" ] && [ $((n % 3)) = 0 ]; then
            printf '{"id":"%s","error":"it is a third one"}\n' "$id"
        else
            printf '%s\n' "$line" >> "$1/thirds.told"
            echo "$id"
        fi
    done
"#;

/// So many looks, ten in a second, may show the same thing missing.
const PATIENCE: u32 = 600;

/// How many engines there are, and shall be.
const ENGINES: u16 = 2;

/// All that there is.
pub(super) struct Stage {
    pub(super) house: House,
    sandbox: Sandbox,
    hook: Hook,
    dice: Dice,
}

impl Stage {
    pub(super) async fn set(seed: u64) -> Self {
        let sandbox = Sandbox::start(Settings {
            peers: 4,
            pace: Pace::scaled(0),
            databases: vec![DatabaseSettings {
                name: "teas".to_owned(),
                te: ENGINES,
                sm: 1,
            }],
            engine_program: Some(env!("CARGO_BIN_EXE_dbwarden").into()),
            ..Settings::default()
        })
        .await
        .unwrap();
        let hook = Hook::start().await;
        let config = CONFIG
            .replace("BROKER", &sandbox.peers()[0].address.to_string())
            .replace("PORT", &hook.port.to_string());
        let house = House::build(&config);
        house.write("slow.sh", SLOW);
        house.write("thirds.sh", THIRDS);
        house.write("slow.told", "");
        house.write("thirds.told", "");
        house.write("storm", "");
        Self {
            house,
            sandbox,
            hook,
            dice: Dice::new(seed),
        }
    }

    /// Returns what the server took.
    pub(super) fn heard(&self) -> Vec<Value> {
        self.hook.taken()
    }

    /// Kills engines and has starts fail for a while.
    pub(super) async fn churn(&mut self) {
        // Often before it has even begun, often in the middle of something.
        let longest = self.dice.pick(&[60, 600, 2_000]);
        let mut left = self.dice.whole_millis(1, longest);
        while !left.is_zero() {
            let pause = self.dice.whole_millis(1, 60).min(left);
            sleep(pause).await;
            left -= pause;
            let is_alive = self.house.is_alive();
            assert!(is_alive, "the daemon ended by itself: {}", self.house.log());
            if self.dice.below(4) > 0 {
                self.kill_engine().await;
            } else {
                let peer = self.dice.pick(&[1, 2, 3, 4].map(PeerNumber));
                let how = NextStart::Fail {
                    reason: "bad weather".into(),
                };
                self.sandbox
                    .control(Fault::FailNext { peer, how })
                    .await
                    .unwrap();
            }
        }
    }

    async fn kill_engine(&mut self) {
        let engines = self.sandbox.engines().await.unwrap();
        let engines: Vec<_> = engines.iter().filter(|it| it.role == Role::Te).collect();
        if engines.is_empty() {
            return;
        }
        let engine = self.dice.pick(&engines);
        // It may have gone by itself.
        let _ = kill_process(pid(engine.pid), Signal::KILL);
    }

    /// Ends the storm, and waits until everything is as it should be and everybody was told; who
    /// was not is told again. Returns what was given up before.
    pub(super) async fn rest(&mut self) -> Letters {
        fs::remove_file(self.house.path("storm")).unwrap();
        self.hook.calm();
        let mut letters = Letters::new();
        let mut missing = String::new();
        let mut looks = 0;
        while let Err(it) = self.missing(&mut letters).await {
            looks = if it == missing { looks + 1 } else { 0 };
            missing = it;
            let is_stuck = looks > PATIENCE;
            assert!(!is_stuck, "it never rests: {missing}\n{}", self.house.log());
            sleep(Duration::from_millis(100)).await;
        }
        letters
    }

    /// Returns what is not as it should be yet.
    async fn missing(&self, letters: &mut Letters) -> Result<(), String> {
        let Some(dead) = self.house.ask(&["deadletters", "list", "--json"]) else {
            return Err("it does not answer".to_owned());
        };
        let dead = dead[0].as_array().unwrap();
        if !dead.is_empty() {
            letters.extend(dead.iter().map(|it| {
                let text = |it: &Value| it.as_str().unwrap().to_owned();
                (text(&it["listener"]), text(&it["event"]["id"]))
            }));
            if dead.iter().any(|it| it["replayed"] == false) {
                self.house
                    .ask(&["deadletters", "replay", "--all", "--json"]);
            }
            return Err(format!("dead letters: {}", Value::from(dead.clone())));
        }
        let engines = self.sandbox.engines().await.unwrap();
        let running = engines.iter().filter(|it| it.status == Some("RUNNING"));
        if running.count() != usize::from(ENGINES) + 1 {
            return Err(format!("{engines:?}"));
        }
        let events = self.house.ask(&["events", "--json"]);
        let events = events.unwrap_or_default();
        let told = |name: &str| fs::read_to_string(self.house.path(name)).unwrap();
        let ears = [
            ("slow", Ear::new("slow", lines(&told("slow.told")))),
            ("thirds", Ear::new("thirds", lines(&told("thirds.told")))),
            ("hangs", Ear::new("hangs", self.heard())),
        ];
        for (name, ear) in ears {
            let heard: BTreeSet<String> = ear.ids();
            let missing = events
                .iter()
                .filter(|it| Ear::wants(name, it))
                .find(|it| !heard.contains(it["id"].as_str().unwrap()));
            if let Some(event) = missing {
                return Err(format!("{name} has not heard of {event}"));
            }
        }
        Ok(())
    }
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().unwrap()).unwrap()
}
