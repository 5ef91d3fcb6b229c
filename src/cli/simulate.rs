//! `dbwarden simulate`: plays seeded histories of failures against the healer, in virtual time.
//!
//! What happens in a history, and what must hold in it, is the simulator's business; this spreads
//! the seeds over threads, adds up, and prints.

mod mutants;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Exit;
use crate::config;
use crate::sandbox::world::history::{self, Broken, Ground, Law, Total};
use crate::supervisor::Accepted;

/// How many broken histories are kept to be told.
const ODD: usize = 1_000;

/// How many seeds are named for each broken law.
const NAMED: usize = 5;

/// From so many histories on each law must have had something to say.
const MEETS_ALL: u64 = 1_000;

/// How many threads there may be.
const MAX_JOBS: u64 = 256;

/// Play random histories of failures against the healer, in virtual time
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each history is a function of its seed: a domain of a few peers and databases, some twenty minutes \
in which engines, peers, sessions, disks, the daemon and people misbehave, and a calm in which \
everything must come to rest. The daemon's own code runs in it, down to the bytes; the domain, the \
network, the disk and the time are simulated. Nothing is opened, started or written.

Without --config the policies are drawn from the seed as well.

Exit codes: 0 every law held, 1 one was broken (or, with drawn policies, one never had anything to \
say in 1,000 histories or more), 64 wrong command line, 78 the configuration has problems.")]
pub(super) struct Args {
    /// Play by the policies of this configuration
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// By those of this domain of it; the first unless named
    #[arg(long, value_name = "DOMAIN", requires = "config")]
    domain: Option<String>,
    /// How many histories
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    histories: u64,
    /// The seed of the first history; each further one has the next. Chosen afresh unless given
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// On so many threads; as many as there are processors unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_JOBS))]
    jobs: Option<u64>,
    /// Decide every so-many-th history again from its record
    #[arg(long, value_name = "N", default_value_t = 16)]
    again: u64,
    /// Print how the first history went, step by step
    #[arg(long)]
    trace: bool,
    /// Plant this mistake in the healer, and see in how many histories it is noticed; `list` names
    /// them all, `all` plants one after the other
    #[arg(long, value_name = "NAME", hide = true)]
    mutant: Option<String>,
}

/// What all histories came to.
#[derive(Debug, Default)]
struct Outcome {
    total: Total,
    odd: Vec<(u64, Broken)>,
    broken: u64,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Exit {
    let ground = match ground(args) {
        Ok(ground) => ground.deciding_again(args.again),
        Err((exit, text)) => {
            // Nobody reads stderr: the exit code says it as well.
            let _ = writeln!(io::stderr().lock(), "{text}");
            return exit;
        }
    };
    // Without entropy any seed will do; it is printed.
    let seed = args
        .seed
        .unwrap_or_else(|| getrandom::u64().unwrap_or(1) >> 16);
    if let Some(name) = &args.mutant {
        return mutants::run(name, args, seed, &ground);
    }
    if args.trace {
        let lines = history::trace(seed, &ground).trace;
        let _ = writeln!(io::stdout().lock(), "{}", lines.join("\n"));
    }
    #[expect(clippy::disallowed_methods, reason = "only the rate is told by it")]
    let begun = Instant::now();
    let outcome = play(args, seed, &ground);
    let text = report(seed, &outcome, begun.elapsed(), args);
    if io::stdout().lock().write_all(text.as_bytes()).is_err() {
        return Exit::Failed;
    }
    let unmet = is_judged_whole(args) && !outcome.total.unmet().is_empty();
    if outcome.broken > 0 || unmet {
        Exit::Failed
    } else {
        Exit::Fine
    }
}

/// Returns whether a law that had nothing to say is a fault of the run.
fn is_judged_whole(args: &Args) -> bool {
    args.config.is_none() && args.histories >= MEETS_ALL
}

fn ground(args: &Args) -> Result<Ground, (Exit, String)> {
    let Some(file) = &args.config else {
        return Ok(Ground::default());
    };
    let config = config::load(file).map_err(|it| (Exit::Config, it.to_string()))?;
    let wanted = |name: &str| args.domain.as_ref().is_none_or(|it| it == name);
    let mut domains = config.domains.into_iter();
    let domain = domains.find(|it| wanted(it.name.as_str())).ok_or_else(|| {
        let name = args.domain.as_deref().unwrap_or("any name");
        let text = format!("{}: there is no domain of {name}", file.display());
        (Exit::Usage, text)
    })?;
    let accepted = Accepted {
        model: domain.model,
        supervisor: domain.supervisor,
    };
    Ok(Ground::with(accepted, domain.driver.pilot))
}

/// Plays all histories, each on whatever thread has time; of a planted mistake only until it is
/// noticed.
fn play(args: &Args, first: u64, ground: &Ground) -> Outcome {
    let next = AtomicU64::new(0);
    let is_over = AtomicBool::new(false);
    let outcome = Mutex::new(Outcome::default());
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let jobs = args.jobs.unwrap_or(cores as u64);
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                let mut mine = Outcome::default();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= args.histories || is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let seed = first.wrapping_add(number);
                    let verdict = history::play(seed, ground);
                    mine.total.add(seed, &verdict.figures);
                    mine.broken += u64::from(verdict.broken.is_some());
                    if args.mutant.is_some() && verdict.broken.is_some() {
                        is_over.store(true, Ordering::Relaxed);
                    }
                    if mine.odd.len() < ODD {
                        mine.odd.extend(verdict.broken.map(|it| (seed, it)));
                    }
                }
                if let Ok(mut all) = outcome.lock() {
                    all.total.merge(&mine.total);
                    all.broken += mine.broken;
                    all.odd.extend(mine.odd);
                }
            });
        }
    });
    let mut outcome = outcome.into_inner().unwrap_or_default();
    outcome.odd.sort_by_key(|it| it.0);
    outcome
}

/// Says what all histories came to, in some lines.
fn summary(total: &Total) -> String {
    let sum = &total.sum;
    let without: Duration = sum.without.iter().sum();
    let mean = without / u32::try_from(sum.without.len().max(1)).unwrap_or(u32::MAX);
    let (worst, seed) = total.worst.unwrap_or_default();
    [
        format!(
            "  starts      {} left, {} registered, {} came to nothing",
            sum.starts, sum.succeeded, sum.failed
        ),
        format!("  holds       {}", sum.holds),
        format!("  overlaps    {}", sum.overlaps),
        format!(
            "  told        {} events from {} inputs, on {} sessions",
            sum.events, sum.turns, sum.sessions
        ),
        format!(
            "  without TE  {mean:.1?} in the mean per database, at worst {worst:.1?} (seed {seed})"
        ),
    ]
    .join("\n")
}

fn report(seed: u64, outcome: &Outcome, took: Duration, args: &Args) -> String {
    let mut text = String::new();
    let total = &outcome.total;
    let sum = &total.sum;
    let count = total.histories;
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    let rate = count.saturating_mul(1_000_000) / micros;
    let last = seed.wrapping_add(count.saturating_sub(1));
    let mut line = |it: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{it}");
    };
    line(format!(
        "{count} histories, seeds {seed} to {last}, {rate} a second"
    ));
    line(summary(total));
    line("faults".to_owned());
    for (name, times) in &sum.faults {
        line(format!("  {times:>10}  {name}"));
    }
    for name in total.unstruck() {
        line(format!("  {:>10}  {name}", "never"));
    }
    line("laws, and how often each had something to say".to_owned());
    for law in Law::ALL {
        let times = sum.premises.get(law).copied().unwrap_or_default();
        let broken = outcome.odd.iter().filter(|it| it.1.law == *law).count();
        let times = if times == 0 {
            "never".to_owned()
        } else {
            times.to_string()
        };
        let verdict = if broken == 0 {
            String::new()
        } else {
            format!("  BROKEN {broken} times")
        };
        line(format!("  {times:>10}  {}{verdict}", law.as_str()));
    }
    for law in Law::ALL {
        let broken = outcome.odd.iter().filter(|it| it.1.law == *law);
        for (seed, broken) in broken.take(NAMED) {
            line(format!("seed {seed}: {broken}"));
        }
    }
    if outcome.broken > 0 {
        line(format!(
            "{} of {count} histories broke a law; --histories 1 --seed S --trace shows one of them",
            outcome.broken
        ));
    } else if is_judged_whole(args) && !total.unmet().is_empty() {
        line("no law was broken, but some never had anything to say".to_owned());
    } else {
        line("every law held".to_owned());
    }
    text
}
