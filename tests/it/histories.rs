//! Whole histories in virtual time, and the laws that hold in each; and that the laws notice when
//! a mistake is planted in the healer.
//!
//! What happens in a history and what is judged is the simulator's business
//! (`src/sandbox/world/history`). This plays many of them, and says which one broke a law.
//!
//! `DBWARDEN_HISTORIES` sets how many are played, `DBWARDEN_MUTANTS` in how many a mistake must be
//! noticed, `DBWARDEN_SEED` where to begin.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use dbwarden::journal::{fact_from_json, fact_to_json};
use dbwarden::mutation::Mutant;
use dbwarden::sandbox::world::history::{self, Broken, Ground, Total};
use dbwarden::supervisor::Fact;

/// How many histories are played unless `DBWARDEN_HISTORIES` says otherwise.
const HISTORIES: u64 = 2_000;

/// In how many histories a mistake must be noticed unless `DBWARDEN_MUTANTS` says otherwise.
const MUTANTS: u64 = 2_000;

/// From so many histories on each law must have had something to say.
const MEETS_ALL: u64 = 1_000;

/// How much of a trace a failure shows.
const TAIL: usize = 90;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |it| it.parse().expect("it is a number"))
}

/// Plays histories on all processors, until so many are played or one breaks a law and that ends
/// it. Returns what they came to, and the first that broke one.
fn play(ground: &Ground, count: u64, first: u64) -> (Total, Option<(u64, Broken)>) {
    let next = AtomicU64::new(0);
    let found: Mutex<(Total, Option<(u64, Broken)>)> = Mutex::default();
    let jobs = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let seed = first.wrapping_add(number);
                    let verdict = history::play(seed, ground);
                    let mut found = found.lock().unwrap();
                    found.0.add(seed, &verdict.figures);
                    if let Some(broken) = verdict.broken {
                        next.store(count, Ordering::Relaxed);
                        if found.1.as_ref().is_none_or(|it| seed < it.0) {
                            found.1 = Some((seed, broken));
                        }
                    }
                }
            });
        }
    });
    found.into_inner().unwrap()
}

/// Every history is decided again from its record, and facts are read as the journal reads them.
fn ground() -> Ground {
    let written_down = |fact: Fact| {
        let read = fact_from_json(fact.key().kind, &fact_to_json(&fact)).unwrap();
        assert_eq!(read.key(), fact.key());
        read
    };
    Ground::default()
        .deciding_again(1)
        .remembering(written_down)
}

#[test]
fn in_no_history_is_a_law_broken() {
    let ground = ground();
    let count = number("DBWARDEN_HISTORIES", HISTORIES);
    let (total, broken) = play(&ground, count, number("DBWARDEN_SEED", 0));
    if let Some((seed, broken)) = broken {
        let verdict = history::trace(seed, &ground);
        let mut text = verdict.trace.first().cloned().unwrap_or_default();
        let tail = verdict.trace.len().saturating_sub(TAIL).max(1);
        for line in verdict.trace.iter().skip(tail) {
            write!(text, "\n{line}").unwrap();
        }
        let again = if verdict.broken.as_ref() == Some(&broken) {
            ""
        } else {
            " (and played again it ends otherwise)"
        };
        panic!(
            "{text}\n\nseed {seed}: {broken}{again}\nto play it again: dbwarden simulate \
             --histories 1 --again 1 --trace --seed {seed}"
        );
    }
    println!(
        "{} histories, {} inputs, {} starts, {} overlaps",
        total.histories, total.sum.turns, total.sum.starts, total.sum.overlaps
    );
    if count >= MEETS_ALL {
        assert_eq!(total.unmet(), [], "laws that never had anything to say");
        assert_eq!(total.unstruck(), [""; 0], "faults that never struck");
    }
}

#[test]
fn every_mistake_that_is_planted_is_noticed() {
    let ground = ground();
    let count = number("DBWARDEN_MUTANTS", MUTANTS);
    let first = number("DBWARDEN_SEED", 0);
    let mut unnoticed = Vec::new();
    for mutant in Mutant::ALL {
        match play(&ground.clone().planting(*mutant), count, first) {
            (total, Some((_, broken))) => {
                let law = broken.law.as_str();
                println!("{mutant}: {law}, after {} histories", total.histories);
            }
            (_, None) => unnoticed.push(mutant.as_str()),
        }
    }
    assert_eq!(
        unnoticed, [""; 0],
        "not noticed in {count} histories from seed {first}"
    );
}
