//! The status as one screen: how it is, what is wrong, and what there is.
//!
//! Where there is too much to show, what is in trouble is shown and the rest is counted.

use std::io;

use serde_json::Value;

use super::picture::picture;
use crate::cli::answer::{array, text, time};
use crate::cli::health::{Level, Problem, level_of};
use crate::cli::paint::{Paint, Tone, clean};

/// So many things that are wrong are shown.
const LISTED: usize = 12;

/// How many lines there are for all of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Room {
    /// What does not fit is cut off below.
    Lines(usize),
    /// It may scroll.
    Plenty,
}

impl Room {
    /// Returns how much a terminal has; one that does not say has plenty.
    pub(super) fn of_stdout() -> Self {
        rustix::termios::tcgetwinsize(io::stdout())
            .ok()
            .filter(|it| it.ws_row > 2)
            .map_or(Self::Plenty, |it| Self::Lines(usize::from(it.ws_row) - 1))
    }
}

/// Returns the status as people read it.
pub(super) fn screen(status: &Value, found: &[Problem], room: Room, paint: Paint) -> Vec<String> {
    let mut lines = vec![headline(found, status, paint)];
    let daemon = &status["daemon"];
    lines.push(clean(&format!(
        "dbwarden {} since {}, configuration {} of {}",
        text(&daemon["version"]),
        time(&daemon["started"]),
        daemon["generation"],
        time(&daemon["loaded"]),
    )));
    if !found.is_empty() {
        lines.push(String::new());
    }
    for problem in found.iter().take(LISTED) {
        add_problem(problem, paint, &mut lines);
    }
    if found.len() > LISTED {
        lines.push(format!("and {} more", found.len() - LISTED));
    }
    for domain in array(&status["domains"]) {
        lines.push(String::new());
        picture(domain, paint, &mut lines);
    }
    if let Room::Lines(most) = room
        && lines.len() > most
    {
        let cut = lines.len() - most + 1;
        lines.truncate(most - 1);
        lines.push(format!("and {cut} more lines: `dbwarden status`"));
    }
    lines
}

const fn tone(level: Level) -> Tone {
    match level {
        Level::Critical => Tone::Bad,
        Level::Warning | Level::Work => Tone::Fair,
        Level::Note => Tone::Good,
    }
}

/// Returns how it is as a whole, in a word and in numbers.
fn headline(found: &[Problem], status: &Value, paint: Paint) -> String {
    let level = level_of(found);
    let mut parts = Vec::new();
    for (of, words) in [
        (Level::Critical, "for somebody now"),
        (Level::Warning, "to look at"),
        (Level::Work, "being healed"),
    ] {
        let count = found.iter().filter(|it| it.level == of).count();
        if count > 0 {
            parts.push(format!("{count} {words}"));
        }
    }
    let domains = array(&status["domains"]);
    let count = |key: &str| -> usize { domains.iter().map(|it| array(&it[key]).len()).sum() };
    for (number, one, many) in [
        (domains.len(), "domain", "domains"),
        (count("peers"), "peer", "peers"),
        (count("databases"), "database", "databases"),
        (count("processes"), "process", "processes"),
    ] {
        parts.push(format!("{number} {}", if number == 1 { one } else { many }));
    }
    let verdict = paint.paint(tone(level), level.verdict());
    format!("{verdict}: {}", parts.join(", "))
}

/// Shows what is wrong, what is known of it, and what to do.
fn add_problem(problem: &Problem, paint: Paint, lines: &mut Vec<String>) {
    let word = match problem.level {
        Level::Critical => "now    ",
        Level::Warning => "look   ",
        Level::Work => "healing",
        Level::Note => "note   ",
    };
    let word = if problem.level == Level::Note {
        word.to_owned()
    } else {
        paint.paint(tone(problem.level), word)
    };
    lines.push(format!("{word}  {}", clean(&problem.title)));
    if !problem.text.is_empty() {
        lines.push(format!("         {}", clean(&problem.text)));
    }
    if !problem.next.is_empty() {
        lines.push(format!("         next: {}", clean(&problem.next)));
    }
}
