//! Whatever befalls a real domain, it is healed, and nothing is started twice.
//!
//! The real daemon heals a sandbox whose engines are real processes. Nine sorts of trouble befall
//! it, drawn from a seed: engines killed in turn and at once, peers lost with living engines,
//! for long or not, leftovers that hold an archive, crash loops, starts that are silent or late,
//! the daemon itself killed between intent and outcome, and a second healer. Then all trouble
//! ends, and everything that is wanted must run, or be held or blocked and told. What was started,
//! and what lived beside it, is judged by the sandbox's own records.
//!
//! `DBWARDEN_ROUNDS` sets how many rounds are played, `DBWARDEN_SEED` which is the first.

mod hand;
mod judge;
mod stage;
mod trouble;

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use judge::Verdict;
use stage::Stage;
use trouble::{Done, Trouble};

use crate::storm::{ROUNDS, rounds};

/// So many rounds are played at a time: mostly they wait.
const LANES: usize = 3;

/// What was done and seen in all rounds.
#[derive(Debug, Default)]
struct Tally {
    troubles: BTreeMap<Trouble, usize>,
    daemon_kills: usize,
    kills_in_between: usize,
    leftovers: usize,
    archives_in_use: usize,
    verdict: Verdict,
}

impl Tally {
    fn add(&mut self, other: Self) {
        for (trouble, count) in other.troubles {
            *self.troubles.entry(trouble).or_default() += count;
        }
        let (all, one) = (&mut self.verdict, other.verdict);
        for (all, one) in [
            (&mut self.daemon_kills, other.daemon_kills),
            (&mut self.kills_in_between, other.kills_in_between),
            (&mut self.leftovers, other.leftovers),
            (&mut self.archives_in_use, other.archives_in_use),
            (&mut all.starts, one.starts),
            (&mut all.managers, one.managers),
            (&mut all.succeeded, one.succeeded),
            (&mut all.failed, one.failed),
            (&mut all.overlaps, one.overlaps),
            (&mut all.surplus, one.surplus),
            (&mut all.foreign, one.foreign),
            (&mut all.held, one.held),
            (&mut all.blocked, one.blocked),
        ] {
            *all += one;
        }
    }

    /// Returns whether everything that is to be shown came up.
    fn has_everything(&self) -> bool {
        let counts = [
            self.kills_in_between,
            self.archives_in_use,
            self.verdict.managers,
            self.verdict.succeeded,
            self.verdict.failed,
            self.verdict.foreign,
        ];
        self.troubles.len() == Trouble::ALL.len() && counts.iter().all(|it| *it > 0)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_befalls_a_domain_it_is_healed_and_nothing_is_started_twice() {
    let (rounds, first) = rounds();
    let mut all = Tally::default();
    let mut playing = JoinSet::new();
    for seed in first..first + rounds {
        if playing.len() == LANES {
            all.add(next(&mut playing).await);
        }
        playing.spawn(play(seed));
    }
    while !playing.is_empty() {
        all.add(next(&mut playing).await);
    }
    println!("{rounds} rounds from seed {first}: {all:?}");
    if rounds >= ROUNDS {
        assert!(all.has_everything(), "something never happened: {all:?}");
    }
}

/// Waits for the next round to end.
async fn next(playing: &mut JoinSet<Result<Tally, String>>) -> Tally {
    let played = playing.join_next().await.expect("a round is played");
    played.unwrap().unwrap_or_else(|broken| panic!("{broken}"))
}

/// Plays one round.
async fn play(seed: u64) -> Result<Tally, String> {
    let mut stage = Stage::set(seed).await;
    let mut tally = Tally::default();
    tally.verdict = match befall(&mut stage, seed, &mut tally).await {
        Ok(verdict) => verdict,
        Err(broken) => {
            let story = stage.tell().await;
            return Err(format!(
                "seed {seed}: {broken}\n{story}\nto play it again: DBWARDEN_ROUNDS=1 \
                 DBWARDEN_SEED={seed} cargo test --test it healing"
            ));
        }
    };
    tally.archives_in_use = stage.in_use;
    Ok(tally)
}

async fn befall(stage: &mut Stage, seed: u64, tally: &mut Tally) -> Result<Verdict, String> {
    stage.rest().await?;
    let mut rivals = Vec::new();
    let turn = usize::try_from(seed % Trouble::ALL.len() as u64).unwrap();
    let mut troubles = vec![Trouble::ALL[turn]];
    for _ in 0..=stage.dice.below(3) {
        troubles.push(stage.dice.pick(&Trouble::ALL));
    }
    let first = stage.dice.below(troubles.len());
    troubles.swap(0, first);
    for trouble in troubles {
        let Done {
            daemon_kills,
            kills_in_between,
            leftovers,
        } = stage.befall(trouble, &mut rivals).await;
        *tally.troubles.entry(trouble).or_default() += 1;
        tally.daemon_kills += daemon_kills;
        tally.kills_in_between += kills_in_between;
        tally.leftovers += leftovers;
        stage.pause(0, 400).await;
    }
    for rival in rivals {
        rival.end().await;
    }
    stage.calm().await;
    let excused = stage.rest().await?;
    let status = stage.house.domain().await.unwrap_or_default();
    stage.house.end();
    judge::judge(stage, &excused, &status).await
}
