//! Stories of a pilot among peers that live in memory, in virtual time.

mod harness;
mod histories;
mod hostile_peers;
mod managed;
mod other_deeds;
mod probes;
mod refreshing;
mod script;
mod starts;
mod watching;

use std::time::Duration;

use harness::{Manner, Reply, World};
use script::{ask, broker, commit, engine, failed, prepare, stop, target};

use crate::exchange::{ActionId, Deed, Question, Stop};
use crate::nuodb::cipher::CipherName;
use crate::nuodb::message::{BrokerElement, Element, Event};
use crate::time::Timestamp;

/// Compares what was written down with lines of text; `*` at the end of a line stands for any
/// rest of it.
#[track_caller]
fn check(log: &str, expected: &str) {
    let lines: Vec<&str> = log.lines().collect();
    let wanted: Vec<&str> = expected
        .lines()
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .collect();
    let matches = |(line, want): (&&str, &&str)| match want.strip_suffix('*') {
        Some(beginning) => line.starts_with(beginning),
        None => line == want,
    };
    let fits = lines.len() == wanted.len() && lines.iter().zip(&wanted).all(matches);
    assert!(fits, "expected\n{}\nfound\n{log}", wanted.join("\n"));
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn far() -> Timestamp {
    Timestamp::ZERO + seconds(1_000)
}

/// A domain of brokers `a` and `b` and agent `c`, watched at `a`.
fn watched() -> World {
    let mut world = World::new(&["a", "b"]);
    world.add("c", false);
    world.run_millis(1);
    check(
        &world.log(),
        "0 dial a\n0 snapshot at a with [\"b\", \"c\"] []",
    );
    world
}
