//! From bytes to listeners, against the least that any program would have to do.
//!
//! Prints, from one run: (a) the floor: decrypt a stream of 100,000 monitor events, check that it
//! is UTF-8, tokenise it, unescape every attribute value; (b) the whole path from the same bytes to
//! the same events in a listener that drops them; the medians of five rounds taken in turn, and
//! their ratio; (c) the same events with the journal on the disk and a program that acknowledges
//! each, against (b). Then how long a start behind a million observations takes, against writing
//! them; and the heap that a domain of 100,000 processes takes. Names of parts as arguments
//! (`memory`, `durable`, `recovery`, `heap`) measure these only.

#[path = "../shared/brokers.rs"]
mod brokers;
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

/// What is measured when this is named as an argument; everything if nothing is.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Part {
    Memory,
    Durable,
    Recovery,
    Heap,
}

impl Part {
    const ALL: [Self; 4] = [Self::Memory, Self::Durable, Self::Recovery, Self::Heap];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Durable => "durable",
            Self::Recovery => "recovery",
            Self::Heap => "heap",
        }
    }

    /// Returns what the command line asks for; of its flags cargo adds some.
    fn asked() -> Vec<Self> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let named = |it: &Self| words.iter().any(|word| word == it.as_str());
        let asked: Vec<Self> = Self::ALL.into_iter().filter(named).collect();
        if asked.is_empty() {
            Self::ALL.to_vec()
        } else {
            asked
        }
    }
}

fn main() -> io::Result<()> {
    if std::env::args().nth(1).as_deref() == Some(durable::ACKNOWLEDGE) {
        return durable::acknowledge();
    }
    let mut out = io::stdout().lock();
    let parts = Part::asked();
    if parts.contains(&Part::Memory) || parts.contains(&Part::Durable) {
        for (cipher, limit) in [(CipherName::Aes256Ctr, 3), (CipherName::Rc4, 2)] {
            ingest(&mut out, cipher, limit, &parts)?;
        }
    }
    if parts.contains(&Part::Recovery) {
        let (writing, recovery) = durable::recover(stream::record(CipherName::Aes256Ctr));
        writeln!(
            out,
            "recovery: {recovery:?} behind a million observations, {:.4} of the {writing:?} it \
             took to write them (goal: less than 0.1)",
            recovery.as_secs_f64() / writing.as_secs_f64(),
        )?;
    }
    if parts.contains(&Part::Heap) {
        let bytes = heap::per_process(ALLOCATOR);
        writeln!(
            out,
            "heap: {bytes} bytes per process of 100,000 (goal: at most 400)"
        )?;
    }
    Ok(())
}

/// Measures the floor, the path in memory and the durable one, in turn.
fn ingest(out: &mut impl Write, cipher: CipherName, limit: u32, parts: &[Part]) -> io::Result<()> {
    let (mut floors, mut wholes, mut durables) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let recording = stream::record(cipher);
        let (took, attributes) = floor::measure(&recording);
        floors.push(took);
        write!(
            out,
            "{cipher} round {round}: floor {took:?} ({attributes} attributes)"
        )?;
        let (took, events) = whole::in_memory(recording);
        wholes.push(took);
        write!(out, ", whole path {took:?} ({events} events told)")?;
        if parts.contains(&Part::Durable) {
            let (took, acknowledged) = durable::measure(stream::record(cipher));
            durables.push(took);
            write!(out, ", durable {took:?} ({acknowledged} acknowledged)")?;
        }
        writeln!(out)?;
    }
    let (floor, whole) = (median(floors), median(wholes));
    writeln!(
        out,
        "{cipher}: floor {floor:?}, whole path {whole:?}, ratio {:.2} (goal: at most {limit}); \
         {:.0} monitor events/s",
        whole.as_secs_f64() / floor.as_secs_f64(),
        f64::from(stream::EVENTS) / whole.as_secs_f64(),
    )?;
    if parts.contains(&Part::Durable) {
        let durable = median(durables);
        writeln!(
            out,
            "{cipher}: durable {durable:?}, {:.2} of the rate in memory (goal: at least 0.25); \
             {:.0} monitor events/s",
            whole.as_secs_f64() / durable.as_secs_f64(),
            f64::from(stream::EVENTS) / durable.as_secs_f64(),
        )?;
    }
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
