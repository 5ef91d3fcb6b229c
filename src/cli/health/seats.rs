//! Says which seats miss a process, by database and by what becomes of them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::told::{Domain, ago, of_each};
use super::{Kind, Level, Problem};
use crate::cli::answer::{array, text, time};

/// What becomes of a seat that misses its process, the worst first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum State {
    Held,
    Blocked,
    Suggested,
    ByPerson,
    Missing,
    Healing,
    Maintenance,
}

impl State {
    /// Returns the state of a seat, or nothing if it misses nobody.
    fn of(domain: &Domain<'_>, slot: &Value) -> Option<Self> {
        let phase = text(&slot["phase"]);
        if matches!(phase, "empty" | "filled" | "leaving") {
            return None;
        }
        if phase == "held" {
            return Some(Self::Held);
        }
        if phase == "acting" {
            return Some(Self::Healing);
        }
        if slot["wanted"] == false {
            return None;
        }
        let (database, entity) = (text(&slot["database"]), entity(slot));
        let names = [database, &entity, text(&slot["peer"])];
        let state = if domain.order("hold", &names[..2]).is_some() {
            Self::ByPerson
        } else if domain.order("maintenance", &names).is_some() {
            Self::Maintenance
        } else if slot["told_suggested"] == true || domain.told["mode"] != "heal" {
            Self::Suggested
        } else if slot["told_blocked"] == true {
            Self::Blocked
        } else {
            Self::Missing
        };
        Some(state)
    }

    const fn level(self) -> (Level, Kind) {
        match self {
            Self::Held => (Level::Critical, Kind::Held),
            Self::Blocked => (Level::Warning, Kind::Blocked),
            Self::Suggested => (Level::Warning, Kind::Suggested),
            Self::ByPerson => (Level::Warning, Kind::Hold),
            Self::Missing => (Level::Work, Kind::Missing),
            Self::Healing => (Level::Work, Kind::Healing),
            Self::Maintenance => (Level::Note, Kind::Note),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Held => "given up by the healer",
            Self::Blocked => "missing and blocked",
            Self::Suggested => "missing, and the healer may not start it",
            Self::ByPerson => "missing, and held by a person",
            Self::Missing => "missing",
            Self::Healing => "being started",
            Self::Maintenance => "missing, in maintenance",
        }
    }

    /// Returns what to do about such a seat.
    fn next(self, domain: &Domain<'_>, slot: &Value) -> String {
        let entity = &entity(slot);
        // Who holds all of a database has to let go of all of it.
        let hold = domain.order("hold", &[text(&slot["database"]), entity]);
        let release = hold.map_or_else(
            || domain.command(&format!("release {entity}")),
            |it| domain.release(it),
        );
        let why = domain.command(&format!("why {entity}"));
        match self {
            Self::Held => {
                format!("{why} says why the starts failed; mend that, then {release}")
            }
            Self::Blocked => format!("{why} says what is waited for, and what to do"),
            Self::Suggested => "start it if you agree (`dbwarden domain start-te DB --on PEER`), \
                                or let the healer: mode and te-options of the configuration"
                .to_owned(),
            Self::ByPerson => format!("{release} when the work is done"),
            Self::Missing => format!(
                "nothing yet: the healer tries as soon as it may; {} makes it try now",
                domain.command(&format!("retry {entity}"))
            ),
            Self::Healing => "nothing yet".to_owned(),
            Self::Maintenance => "it is healed when the maintenance ends".to_owned(),
        }
    }
}

fn entity(slot: &Value) -> String {
    format!("{}/{}", text(&slot["database"]), text(&slot["slot"]))
}

/// Appends what is wrong with the seats of a domain.
pub(super) fn add(domain: &Domain<'_>, found: &mut Vec<Problem>) {
    let mut groups: BTreeMap<(State, &str), Vec<&Value>> = BTreeMap::new();
    for slot in array(&domain.told["slots"]) {
        if let Some(state) = State::of(domain, slot) {
            let group = groups.entry((state, text(&slot["database"])));
            group.or_default().push(slot);
        }
    }
    for ((state, database), slots) in groups {
        found.push(group(domain, state, database, &slots));
    }
}

fn group(domain: &Domain<'_>, state: State, database: &str, slots: &[&Value]) -> Problem {
    let names: Vec<&str> = slots.iter().map(|it| text(&it["slot"])).collect();
    let title = format!("{database}: {}", of_each(&names, "seats", state.words()));
    let first = slots[0];
    let entity = entity(first);
    let (level, kind) = state.level();
    let mut problem = Problem::new(level, kind, domain.name, domain.named(&title))
        .about(&entity)
        .text(told(domain, state, first))
        .next(state.next(domain, first));
    problem.age = domain.age(&first["since"]);
    problem.explains = matches!(state, State::Held | State::Blocked | State::Missing);
    problem
}

/// Returns what is known of the first of them.
fn told(domain: &Domain<'_>, state: State, slot: &Value) -> String {
    let mut parts = Vec::new();
    if let Some(reason) = slot["reason"].as_str() {
        parts.push(format!("reason {reason}"));
    }
    if state == State::ByPerson
        && let Some(hold) = domain.order("hold", &[text(&slot["database"]), &entity(slot)])
    {
        let mut by = format!("by {}", text(&hold["by"]));
        if let Some(reason) = hold["reason"].as_str() {
            by = format!("{by}: {reason}");
        }
        parts.push(by);
    }
    let actions = array(&domain.told["actions"]);
    if let Some(action) = actions
        .iter()
        .find(|it| !slot["action"].is_null() && it["action"] == slot["action"])
    {
        parts.push(format!(
            "at {}, {}",
            text(&action["peer"]),
            text(&action["stage"])
        ));
    }
    if let Some(evidence) = slot["evidence"].as_str() {
        let place = slot["peer"].as_str().map(|it| format!(" at {it}"));
        parts.push(format!("{evidence}{}", place.unwrap_or_default()));
    }
    if let Some(age) = domain.age(&slot["since"]) {
        parts.push(format!("gone for {}", ago(age)));
    }
    match slot["tries"].as_u64() {
        Some(1) => parts.push("1 try so far".to_owned()),
        Some(tries) if tries > 1 => parts.push(format!("{tries} tries so far")),
        Some(_) | None => (),
    }
    if state == State::Missing && slot["next_try"].is_string() {
        parts.push(format!("looked at again {}", time(&slot["next_try"])));
    }
    parts.join("; ")
}
