//! From bytes to listeners, against the least that any program would have to do.
//!
//! Prints, from one run: (a) the floor: decrypt a stream of 100,000 monitor events, check that it
//! is UTF-8, tokenise it, unescape every attribute value; (b) the whole path from the same bytes to
//! the same events in a listener that drops them; the medians of five rounds taken in turn, and
//! their ratio; (c) the same events with the journal on the disk and a program that acknowledges
//! each, against (b). Then how long a start behind a million observations takes, against writing
//! them; and the heap that a domain of 100,000 processes takes.

mod durable;
mod floor;
mod heap;
mod stream;
mod whole;

use std::alloc::System;
use std::io::{self, Write};
use std::time::Duration;

use dbwarden::nuodb::cipher::CipherName;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROUNDS: usize = 5;

fn main() -> io::Result<()> {
    if std::env::args().nth(1).as_deref() == Some(durable::ACKNOWLEDGE) {
        return durable::acknowledge();
    }
    let mut out = io::stdout().lock();
    for (cipher, limit) in [(CipherName::Aes256Ctr, 3), (CipherName::Rc4, 2)] {
        let (mut floors, mut wholes, mut durables) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let recording = stream::record(cipher);
            let (took, attributes) = floor::measure(&recording);
            floors.push(took);
            let (took, events) = whole::in_memory(recording);
            wholes.push(took);
            let (took, acknowledged) = durable::measure(stream::record(cipher));
            durables.push(took);
            writeln!(
                out,
                "{cipher} round {}: floor {:?} ({attributes} attributes), whole path {:?} \
                 ({events} events told), durable {:?} ({acknowledged} acknowledged)",
                round + 1,
                floors[round],
                wholes[round],
                durables[round],
            )?;
        }
        let (floor, whole, durable) = (median(floors), median(wholes), median(durables));
        writeln!(
            out,
            "{cipher}: floor {floor:?}, whole path {whole:?}, ratio {:.2} (goal: at most {limit}); \
             {:.0} monitor events/s",
            whole.as_secs_f64() / floor.as_secs_f64(),
            f64::from(stream::EVENTS) / whole.as_secs_f64(),
        )?;
        writeln!(
            out,
            "{cipher}: durable {durable:?}, {:.2} of the rate in memory (goal: at least 0.25); \
             {:.0} monitor events/s",
            whole.as_secs_f64() / durable.as_secs_f64(),
            f64::from(stream::EVENTS) / durable.as_secs_f64(),
        )?;
    }
    let (writing, recovery) = durable::recover(stream::record(CipherName::Aes256Ctr));
    writeln!(
        out,
        "recovery: {recovery:?} behind a million observations, {:.4} of the {writing:?} it took to \
         write them (goal: less than 0.1)",
        recovery.as_secs_f64() / writing.as_secs_f64(),
    )?;
    let bytes = heap::per_process(ALLOCATOR);
    writeln!(
        out,
        "heap: {bytes} bytes per process of 100,000 (goal: at most 400)"
    )
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
