//! The daemon under load while its configuration changes again and again, half of the time for
//! the worse.
//!
//! `DBWARDEN_ROUNDS` sets how often, `DBWARDEN_SEED` how. What each reload has to report is worked
//! out from the configurations as they were written, without a look at how the daemon compares.

mod churn;
mod flaws;
mod ground;
mod hook;
mod laws;
mod plan;

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;

use churn::{Churn, End};
use ground::Ground;
use laws::{Evidence, Outcome, Spans};
use plan::Plan;

use dbwarden::sandbox::world::history::Dice;

/// How often the configuration changes unless `DBWARDEN_ROUNDS` says otherwise.
const ROUNDS: u64 = 20;

/// How often it is looked whether somebody was told more, and how often in vain.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS_IN_VAIN: usize = 600;

#[test]
fn reloads_under_load_lose_nothing_and_leave_nothing_behind() {
    let (rounds, seed) = (
        number("DBWARDEN_ROUNDS", ROUNDS),
        number("DBWARDEN_SEED", 1),
    );
    println!("DBWARDEN_ROUNDS={rounds} DBWARDEN_SEED={seed}");
    let ground = Ground::start();
    for domain in ["prod", "spare"] {
        let domain = format!("domain=\"{domain}\"");
        ground.daemon.says(&["domain_thawed", &domain]);
    }
    let churn = Churn::default();
    let mut storm = Storm {
        ground: &ground,
        churn: &churn,
        dice: Dice::new(seed),
        plan: Plan::first(),
        version: 1,
        generation: 1,
        spans: Spans::new(&Plan::first()),
        outcomes: Vec::new(),
    };
    storm.rest();
    let before = storm.holdings();
    thread::scope(|scope| {
        scope.spawn(|| churn.run(&ground.sandbox, Dice::new(seed ^ 0x00C0_FFEE)));
        let _end = End(&churn);
        for _ in 0..rounds {
            storm.round();
        }
        let last = Plan::last(storm.version + 1);
        storm.go_by(last);
        // Something to tell for everybody: what is kept open for the next event is open again.
        churn.reach(churn.grant(4));
    });
    let evidence = storm.rest();
    evidence.judge(&storm.spans, &storm.outcomes);
    assert_eq!(ground.overlaps(), "", "told twice at the same time");
    storm.let_go(&before);
    println!(
        "{}; {} events, {} deliveries; {} descriptors, threads and children before and after",
        storm.summary(),
        evidence.events(),
        evidence.deliveries(),
        before.values().sum::<usize>()
    );
    let log = ground.daemon.log();
    assert!(!log.contains("bird"), "a secret in the log: {log}");
    let generation = storm.generation;
    let ground = ground.again();
    assert_eq!(ground.status().0, generation + 1, "it counts on");
    ground.end();
}

struct Storm<'a> {
    ground: &'a Ground,
    churn: &'a Churn,
    dice: Dice,
    /// What the daemon goes by.
    plan: Plan,
    /// Of the newest listener there ever was.
    version: u32,
    generation: u64,
    spans: Spans,
    outcomes: Vec<Outcome>,
}

impl Storm<'_> {
    /// Changes the configuration in the middle of something.
    fn round(&mut self) {
        let steps = self.churn.grant(2 + self.dice.below(5));
        self.churn.reach(steps - self.dice.below(4).min(steps));
        self.version += 1;
        let plan = self.plan.mutate(&mut self.dice, self.version);
        match self.dice.below(20) {
            0..=8 => self.refuse(&plan),
            9 => self.refuse_journals(&plan),
            _ => self.go_by(plan),
        }
    }

    fn go_by(&mut self, plan: Plan) {
        let difference = plan.difference(&self.plan);
        let (main, apart) = self.ground.files(&plan);
        self.ground.write(&main, &apart);
        let (_, before) = self.ground.status();
        self.ground.reload();
        let (generation, after) = self.ground.status();
        self.generation += 1;
        assert_eq!(generation, self.generation, "{}", self.ground.daemon.log());
        self.spans.turn(&before, &plan, &after);
        self.plan = plan;
        self.outcomes.push(Outcome::Taken {
            generation,
            difference,
        });
    }

    /// Offers a configuration with mistakes.
    fn refuse(&mut self, plan: &Plan) {
        let (mut main, mut apart) = self.ground.files(plan);
        let dir = self.ground.daemon.dir().path();
        let planted = flaws::plant(&mut self.dice, &mut main, &mut apart, dir);
        self.ground.write(&main, &apart);
        self.offer(planted);
    }

    /// Offers a configuration without mistakes, but for that the journals of two of its new domains
    /// cannot be opened.
    fn refuse_journals(&mut self, plan: &Plan) {
        let (main, mut apart) = self.ground.files(plan);
        let mut planted = Vec::new();
        for name in ["blocked-1", "fresh", "blocked-2"] {
            let domain = self.ground.domain(name);
            apart.insert(format!("80-{name}.toml"), domain);
            if name != "fresh" {
                let place = self.ground.path("state").join(name);
                fs::write(place, "This is no directory.").unwrap();
                planted.push(vec![format!("the journal of the domain `{name}`")]);
            }
        }
        self.ground.write(&main, &apart);
        self.offer(planted);
    }

    fn offer(&mut self, planted: flaws::Planted) {
        self.ground.reload();
        let (generation, _) = self.ground.status();
        assert_eq!(generation, self.generation, "{}", self.ground.daemon.log());
        self.outcomes.push(Outcome::Refused(planted));
    }

    /// Returns how often what was reported.
    fn summary(&self) -> String {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let mut refused = 0;
        for outcome in &self.outcomes {
            match outcome {
                Outcome::Refused(_) => refused += 1,
                Outcome::Taken { difference, .. } => {
                    for (whose, changes) in difference {
                        let kind = whose.split(' ').next().unwrap();
                        for change in changes {
                            *counts.entry(format!("{kind} {change}")).or_default() += 1;
                        }
                    }
                }
            }
        }
        let reloads = self.outcomes.len();
        format!("{reloads} reloads, {refused} of them refused, {counts:?}")
    }

    /// Returns what the daemon holds on to when nobody asks it anything.
    fn holdings(&self) -> BTreeMap<String, usize> {
        let mut looks = 0;
        loop {
            if let Some(now) = self.ground.holdings() {
                return now;
            }
            looks += 1;
            assert!(looks < LOOKS_IN_VAIN, "who asked is let go");
            thread::sleep(LOOK);
        }
    }

    /// Waits until the daemon holds on to what it held on to before, and nothing else.
    fn let_go(&self, before: &BTreeMap<String, usize>) {
        let mut looks = 0;
        loop {
            let now = self.holdings();
            if now == *before {
                return;
            }
            looks += 1;
            assert!(looks < LOOKS_IN_VAIN, "before: {before:#?}\nnow: {now:#?}");
            thread::sleep(LOOK);
        }
    }

    /// Waits until nothing happens any more and everybody was told, as long as anybody is.
    fn rest(&self) -> Evidence {
        let mut last = (0, 0);
        let mut in_vain = 0;
        loop {
            let evidence = Evidence::of(self.ground);
            let missing = evidence.missing(&self.spans);
            let now = (evidence.events(), evidence.deliveries());
            let is_copied = |it: &str| {
                self.ground
                    .path("state")
                    .join(it)
                    .join("facts.bak")
                    .exists()
            };
            if missing.is_empty() && now == last && ["prod", "spare"].into_iter().all(is_copied) {
                return evidence;
            }
            in_vain = if now == last { in_vain + 1 } else { 0 };
            last = now;
            let log = || self.ground.daemon.log();
            assert!(
                in_vain < LOOKS_IN_VAIN,
                "never told: {missing:?}\n{}",
                log()
            );
            thread::sleep(LOOK);
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |it| it.parse().unwrap())
}
