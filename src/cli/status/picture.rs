//! The status as people read it.

use serde_json::Value;

use super::{array, database_row, peer_state, process_status, text, time};
use crate::cli::paint::{Cell, Paint, Tone, align, clean};

/// Returns the status as people read it.
pub(super) fn picture(status: &Value, paint: Paint) -> Vec<String> {
    let daemon = &status["daemon"];
    let mut lines = vec![clean(&format!(
        "dbwarden {} since {}, configuration {} of {}",
        text(&daemon["version"]),
        time(&daemon["started"]),
        daemon["generation"],
        time(&daemon["loaded"]),
    ))];
    if let Some(problem) = daemon["rejected"].as_str() {
        let line = clean(&format!("a changed configuration was refused: {problem}"));
        lines.push(paint.paint(Tone::Bad, &line));
    }
    for domain in array(&status["domains"]) {
        lines.push(String::new());
        picture_domain(domain, paint, &mut lines);
    }
    lines
}

fn picture_domain(domain: &Value, paint: Paint, lines: &mut Vec<String>) {
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
    for gate in array(&domain["gates"]) {
        let name = text(&gate["gate"]);
        let whose = gate["database"].as_str().map(|it| format!(" of {it}"));
        let whose = whose.unwrap_or_default();
        let line = format!("  gate {name}{whose} is closed: {}", text(&gate["text"]));
        let line = clean(&line);
        lines.push(paint.paint(Tone::Fair, &line));
    }
    for order in array(&domain["orders"]) {
        lines.push(paint.paint(Tone::Fair, &clean(&order_line(order))));
    }
    let peers: Vec<_> = array(&domain["peers"]).iter().map(peer_row).collect();
    lines.extend(align(&peers, paint));
    for database in array(&domain["databases"]) {
        picture_database(domain, database, paint, lines);
    }
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

/// Shows what a person said that holds for a while.
fn order_line(order: &Value) -> String {
    let (what, on) = (text(&order["order"]), text(&order["on"]));
    let what = match (order["te"].as_u64(), order["gate"].as_str()) {
        (Some(count), _) => format!("{what} of {on} to {count} TE"),
        (None, Some(gate)) => format!("{what} of the gate {gate}"),
        (None, None) => format!("{what} of {on}"),
    };
    let mut line = format!(
        "  {what} by {} since {}",
        text(&order["by"]),
        time(&order["since"])
    );
    if order["until"].is_string() {
        line = format!("{line}, until {}", time(&order["until"]));
    }
    match order["reason"].as_str() {
        Some(reason) => format!("{line}: {reason}"),
        None => line,
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
    let rows: Vec<_> = processes.map(process_row).collect();
    lines.extend(align(&rows, paint));
    for slot in array(&domain["slots"]).iter().filter(of_it) {
        let phase = text(&slot["phase"]);
        if !matches!(phase, "empty" | "filled") {
            let tone = if phase == "held" {
                Tone::Bad
            } else {
                Tone::Fair
            };
            lines.push(paint.paint(tone, &clean(&slot_line(slot))));
        }
    }
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
