//! A domain as people read it.

use serde_json::Value;

use super::{database_row, peer_state, process_status};
use crate::cli::answer::{array, text, time};
use crate::cli::paint::{Cell, Paint, Tone, align, clean};

/// So many peers of a domain, databases of it, processes and seats of a database are shown; those
/// in trouble come first.
const PEERS: usize = 12;
const DATABASES: usize = 12;
const PROCESSES: usize = 12;
const SLOTS: usize = 12;

/// Appends a domain as people read it.
pub(super) fn picture(domain: &Value, paint: Paint, lines: &mut Vec<String>) {
    let name = clean(text(&domain["domain"]));
    if let Some(problem) = domain["problem"].as_str() {
        lines.push(format!(
            "domain {name}: {}",
            paint.paint(Tone::Bad, problem)
        ));
        return;
    }
    let freshness = text(&domain["freshness"]);
    let tone = if freshness == "synced" {
        Tone::Good
    } else {
        Tone::Bad
    };
    let mut line = format!("domain {name} {}", paint.paint(tone, freshness));
    if domain["since"].is_string() {
        line = format!("{line} since {}", time(&domain["since"]));
    }
    if let Some(entry) = domain["entry"].as_str() {
        line = format!("{line}, entry {}", clean(entry));
    }
    lines.push(format!("{line}, mode {}", text(&domain["mode"])));
    let (shown, rest) = worst_of(&domain["peers"], PEERS, |it| it["connected"] == false);
    let peers: Vec<_> = shown.into_iter().map(peer_row).collect();
    lines.extend(align(&peers, paint));
    and_more(rest, "  ", "peers", lines);
    let is_bad = |it: &Value| it["status"] != "active" || it["degraded"] == true;
    let (shown, rest) = worst_of(&domain["databases"], DATABASES, is_bad);
    for database in shown {
        picture_database(domain, database, paint, lines);
    }
    and_more(rest, "  ", "databases", lines);
    for action in array(&domain["actions"]) {
        lines.push(clean(&format!(
            "  action {} for {} {} on {}: {}, until {}",
            action["action"],
            text(&action["database"]),
            text(&action["slot"]),
            text(&action["peer"]),
            text(&action["stage"]),
            time(&action["deadline"]),
        )));
    }
}

/// Returns the first of a list, those in trouble before others, and how many are left.
fn worst_of(list: &Value, most: usize, is_bad: impl Fn(&Value) -> bool) -> (Vec<&Value>, usize) {
    first_of(array(list).iter().collect(), most, is_bad)
}

fn first_of(
    mut list: Vec<&Value>,
    most: usize,
    is_bad: impl Fn(&Value) -> bool,
) -> (Vec<&Value>, usize) {
    if list.len() > most {
        list.sort_by_key(|it| !is_bad(it));
    }
    let rest = list.len().saturating_sub(most);
    list.truncate(most);
    (list, rest)
}

fn and_more(rest: usize, indent: &str, what: &str, lines: &mut Vec<String>) {
    if rest > 0 {
        lines.push(format!("{indent}and {rest} more: `dbwarden {what}`"));
    }
}

fn peer_row(peer: &Value) -> Vec<Cell> {
    vec![
        Cell::plain(format!("  peer {}", text(&peer["peer"]))),
        Cell::plain(text(&peer["role"])),
        peer_state(peer),
    ]
}

/// Shows a database, its processes, and its slots that miss one.
fn picture_database(domain: &Value, database: &Value, paint: Paint, lines: &mut Vec<String>) {
    let mut cells = database_row(database).into_iter();
    let head = cells.next().map(|it| it.after("  database "));
    let status = cells.next();
    let counts = cells
        .zip([" TE", " SM"])
        .map(|(cell, unit)| cell.before(unit));
    let row: Vec<Cell> = head.into_iter().chain(status).chain(counts).collect();
    lines.extend(align(&[row], paint));
    let of_it = |it: &&Value| it["database"] == database["database"];
    let processes = array(&domain["processes"]).iter().filter(of_it);
    let is_bad = |it: &Value| {
        it["status"] != "up" || it["reachable"] == false || it["unresponsive"].is_object()
    };
    let (shown, rest) = first_of(processes.collect(), PROCESSES, is_bad);
    let rows: Vec<_> = shown.into_iter().map(process_row).collect();
    lines.extend(align(&rows, paint));
    and_more(rest, "    ", "processes", lines);
    let is_shown = |it: &&Value| !matches!(text(&it["phase"]), "empty" | "filled");
    let slots = array(&domain["slots"]).iter().filter(of_it);
    let slots = slots.filter(is_shown).collect();
    let (shown, rest) = first_of(slots, SLOTS, |it| it["phase"] == "held");
    for slot in shown {
        let tone = if slot["phase"] == "held" {
            Tone::Bad
        } else {
            Tone::Fair
        };
        lines.push(paint.paint(tone, &clean(&slot_line(slot))));
    }
    and_more(
        rest,
        "    ",
        &format!("why {}", text(&database["database"])),
        lines,
    );
}

fn process_row(process: &Value) -> Vec<Cell> {
    vec![
        Cell::plain(format!("    {}", text(&process["role"]))),
        Cell::plain(text(&process["peer"])),
        Cell::plain(format!("[pid={}]", process["pid"])),
        process_status(process),
    ]
}

fn slot_line(slot: &Value) -> String {
    let mut line = format!("    slot {} {}", text(&slot["slot"]), text(&slot["phase"]));
    for (key, before) in [("evidence", ": "), ("reason", ": "), ("peer", " at ")] {
        if let Some(it) = slot[key].as_str() {
            line = format!("{line}{before}{it}");
        }
    }
    for (key, before) in [("since", "since"), ("next_try", "looked at again")] {
        if slot[key].is_string() {
            line = format!("{line}, {before} {}", time(&slot[key]));
        }
    }
    format!("{line}, {} tries", slot["tries"])
}
