//! From bytes to listeners, against the least that any program would have to do.
//!
//! Prints, from one run: (a) the floor: decrypt a stream of 100,000 monitor events, check that it
//! is UTF-8, tokenise it, unescape every attribute value; (b) the whole path from the same bytes to
//! the same events in a listener that drops them; the medians of five rounds taken in turn, and
//! their ratio. Then the heap that a domain of 100,000 processes takes.

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
    let mut out = io::stdout().lock();
    for (cipher, limit) in [(CipherName::Aes256Ctr, 3), (CipherName::Rc4, 2)] {
        let (mut floors, mut wholes) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let recording = stream::record(cipher);
            let (took, attributes) = floor::measure(&recording);
            floors.push(took);
            let (took, events) = whole::measure(recording);
            wholes.push(took);
            writeln!(
                out,
                "{cipher} round {}: floor {:?} ({attributes} attributes), whole path {:?} \
                 ({events} events told)",
                round + 1,
                floors[round],
                wholes[round],
            )?;
        }
        let (floor, whole) = (median(floors), median(wholes));
        writeln!(
            out,
            "{cipher}: floor {floor:?}, whole path {whole:?}, ratio {:.2} (goal: at most {limit}); \
             {:.0} monitor events/s",
            whole.as_secs_f64() / floor.as_secs_f64(),
            f64::from(stream::EVENTS) / whole.as_secs_f64(),
        )?;
    }
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
