//! Says which processes do not answer at their ports, if those are tried.

use serde_json::Value;

use super::told::{Domain, ago, of_each};
use super::{Kind, Level, Problem};
use crate::cli::answer::{array, text};

/// Says which processes of a domain are silent: together, for often there is one reason.
pub(super) fn add(domain: &Domain<'_>, found: &mut Vec<Problem>) {
    let is_silent = |it: &&Value| it["unresponsive"].is_object();
    let silent = array(&domain.told["processes"]).iter().filter(is_silent);
    let silent: Vec<&Value> = silent.collect();
    let Some(first) = silent.first() else { return };
    let names: Vec<String> = silent.iter().map(|it| entity(it)).collect();
    let title = match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [one] => format!(
            "{}: {} {one} runs and does not answer at its port",
            text(&first["database"]),
            text(&first["role"])
        ),
        ref names => of_each(names, "processes", "do not answer at their ports"),
    };
    let worked_at = |it: &Value| {
        let names = [text(&it["database"]), text(&it["peer"]), &entity(it)];
        domain.order("maintenance", &names).is_some()
    };
    let is_worked_at = silent.iter().all(|it| worked_at(it));
    let (level, next) = if is_worked_at {
        (Level::Note, "in maintenance")
    } else {
        let next = "nothing is done about it: look at its host, the network to it and its log; \
                    `dbwarden domain kill PID --no-tell` ends one that hangs, and the healer \
                    starts another";
        (Level::Warning, next)
    };
    let reason = text(&first["unresponsive"]["reason"]);
    let age = domain.age(&first["unresponsive"]["since"]);
    let words = age.map_or_else(
        || reason.to_owned(),
        |it| format!("for {}; {reason}", ago(it)),
    );
    let mut problem = Problem::new(level, Kind::Unresponsive, domain.name, domain.named(&title))
        .about(&names[0])
        .text(words)
        .next(next);
    problem.age = age;
    found.push(problem);
}

/// Returns what `why` knows a process by.
fn entity(process: &Value) -> String {
    format!("{}/{}", text(&process["peer"]), process["pid"])
}
