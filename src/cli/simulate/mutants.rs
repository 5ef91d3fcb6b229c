//! `dbwarden simulate --mutant`: whether the laws of the simulator notice mistakes that are planted
//! in the healer on purpose.

use std::io::{self, Write as _};

use super::{Args, play};
use crate::cli::Exit;
use crate::mutation::Mutant;
use crate::sandbox::world::history::Ground;

/// Plants the mistake of that name, or one after the other, and says when each was noticed.
pub(super) fn run(name: &str, args: &Args, seed: u64, ground: &Ground) -> Exit {
    let chosen: Vec<Mutant> = match name {
        "all" => Mutant::ALL.to_vec(),
        "list" => {
            let lines = Mutant::ALL.iter();
            let lines = lines.map(|it| format!("{it:<24}{}\n", it.says()));
            return say(&lines.collect::<String>(), Exit::Fine);
        }
        _ => Mutant::named(name).into_iter().collect(),
    };
    if chosen.is_empty() {
        let text = format!("there is no mutant `{name}`; --mutant list names them");
        // Nobody reads stderr: the exit code says it as well.
        let _ = writeln!(io::stderr().lock(), "{text}");
        return Exit::Usage;
    }
    let mut exit = Exit::Fine;
    for mutant in chosen {
        let outcome = play(args, seed, &ground.clone().planting(mutant));
        let count = outcome.total.histories;
        let text = if let Some((seed, broken)) = outcome.odd.first() {
            let law = broken.law.as_str();
            format!("{mutant}: noticed by {law}, {count} histories, seed {seed}: {broken}\n")
        } else {
            exit = Exit::Failed;
            format!("{mutant}: NOT noticed in {count} histories from seed {seed}\n")
        };
        if say(&text, Exit::Fine) != Exit::Fine {
            return Exit::Failed;
        }
    }
    exit
}

fn say(text: &str, exit: Exit) -> Exit {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => exit,
        Err(_) => Exit::Failed,
    }
}
