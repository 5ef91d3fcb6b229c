//! How long it takes from the end of an engine to the request that starts another.
//!
//! Prints, from one run: (a) parse, model and decision: from the bytes of a `ProcessExit`, and of
//! `Ready`, to the deeds that follow, in a domain of 10,000 processes; (b) the commit of what leads
//! to such a deed in the journal, beside a bare loop that writes as much to a file and has it
//! synced, in turn; (c) the handshake with an agent over a socket; (d) the whole: the real daemon
//! heals a sandbox on real sockets with real processes, from the exit as the sandbox tells it to
//! the request as it arrives. Names of parts as arguments (`decide`, `commit`, `handshake`,
//! `whole`) measure these only.

#[path = "../shared/brokers.rs"]
mod brokers;
mod commit;
mod decide;
mod handshake;
mod whole;

use std::io::{self, Write};
use std::time::Duration;

/// How often each is measured.
const ROUNDS: u32 = 1_000;

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let parts = ["decide", "commit", "handshake", "whole"];
    let is_named = |part: &str| words.iter().any(|it| it == part);
    let is_any = parts.iter().any(|it| is_named(it));
    let is_asked = |part: &str| !is_any || is_named(part);
    let mut out = io::stdout().lock();
    if is_asked("decide") || is_asked("commit") {
        let decided = decide::measure();
        let exit = Times::of(decided.exit);
        let ready = Times::of(decided.ready);
        let both = Times::of(decided.both);
        writeln!(
            out,
            "parse, model, decide, {} processes: {both} (goal: p99 below 1ms); exit to Prepare \
             {exit}, Ready to Commit {ready}",
            decide::PROCESSES
        )?;
        if is_asked("commit") {
            let (commits, syncs) = commit::measure(decided.batches);
            let (commit, sync) = (Times::of(commits), Times::of(syncs));
            writeln!(
                out,
                "commit: {commit}; a bare write and fdatasync of as much: {sync}; ratio of the \
                 medians {:.2} (goal: at most 3)",
                commit.median.as_secs_f64() / sync.median.as_secs_f64()
            )?;
        }
    }
    if is_asked("handshake") {
        let times = Times::of(handshake::measure());
        writeln!(out, "handshake, both sides on this machine: {times}")?;
    }
    if is_asked("whole") {
        let times = Times::of(whole::measure());
        writeln!(
            out,
            "reaction, ProcessExit to ProcessStart: {times}, {:?} of it exit-settle",
            whole::EXIT_SETTLE
        )?;
    }
    Ok(())
}

/// Returns what the parts with sockets run on.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be had")
}

/// What many measurements come to.
struct Times {
    median: Duration,
    p99: Duration,
    worst: Duration,
    count: usize,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let count = times.len();
        Self {
            median: times[count / 2],
            p99: times[(count * 99).div_ceil(100) - 1],
            worst: times[count - 1],
            count,
        }
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            median,
            p99,
            worst,
            count,
        } = self;
        write!(
            f,
            "median {median:.1?}, p99 {p99:.1?}, worst {worst:.1?} of {count}"
        )
    }
}
