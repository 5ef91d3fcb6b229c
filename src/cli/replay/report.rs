//! What a replay says, for people and as JSON.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::{LogRead, Read};
use crate::cli::paint::{Cell, Paint, Tone, align, clean};
use crate::event::{Event, Recorded, Severity};
use crate::listener::Record;
use crate::model::{Address, DatabaseName};
use crate::replay::{Figures, Rethought, Retold};
use crate::supervisor::{Mode, Settings};
use crate::time::{Timestamp, WallTime};

/// All there is to say.
pub(super) struct Report<'a> {
    pub(super) name: &'a Path,
    pub(super) read: &'a Read,
    pub(super) added: &'a [Address],
    pub(super) settings: &'a Settings,
    pub(super) then: &'a Retold,
    pub(super) kind: &'a Retold,
    pub(super) harsh: &'a Retold,
}

impl Report<'_> {
    /// Returns it as lines.
    pub(super) fn lines(&self) -> Vec<String> {
        let paint = Paint::for_stdout();
        let mut lines = self.about();
        lines.push(String::new());
        let heads = ["WITHOUT A TE", "THEN", "KIND", "HARSH"];
        let mut rows = vec![heads.map(Cell::plain).to_vec()];
        for name in self.read.past.databases() {
            let [then, kind, harsh] = self.figures(&name);
            let mut row = vec![Cell::plain(&name), Cell::plain(times(then))];
            for it in [kind, harsh] {
                let tone = if it.without <= then.without {
                    Tone::Good
                } else {
                    Tone::Fair
                };
                row.push(Cell::new(
                    tone,
                    format!("{}, {} starts", times(it), it.starts),
                ));
            }
            rows.push(row);
        }
        lines.extend(align(&rows, paint));
        for (head, retold) in [
            (
                "KIND: engines live on where the record shows none of their database",
                self.kind,
            ),
            (
                "HARSH: engines crash everywhere as they did on record",
                self.harsh,
            ),
        ] {
            lines.extend([String::new(), head.to_owned()]);
            lines.extend(retold.timeline.iter().map(|it| picture(it, paint)));
        }
        lines
    }

    /// Returns how it was read, as lines.
    fn about(&self) -> Vec<String> {
        let past = &self.read.past;
        let (from, until) = past.span();
        let (peers, engines) = past.counts();
        let name = self.name.display();
        let span = format!("{} to {}", shown(from), shown(until));
        let mut lines = vec![format!(
            "{name}: {span}, {peers} peers, {engines} lives of engines"
        )];
        if let Some(log) = &self.read.log {
            lines.extend(about_log(log));
        }
        match &self.read.rethought {
            Some(Ok(it)) => lines.extend(about_rethought(it)),
            Some(Err(why)) => lines.push(format!("not decided once more as it was: {why}")),
            None => (),
        }
        if !self.added.is_empty() {
            let added: Vec<String> = self.added.iter().map(Address::to_string).collect();
            lines.push(format!(
                "there as well, and not on record: {}",
                added.join(", ")
            ));
        }
        for name in past.databases() {
            if let Some(why) = self.only_watched(&name) {
                lines.push(format!("{name} is only watched: {why}"));
            }
        }
        lines
    }

    /// Returns why nothing is started for a database, if so.
    fn only_watched(&self, name: &DatabaseName) -> Option<&'static str> {
        let domain = self.settings.domain.as_str();
        let mut policies = self.settings.policies.iter();
        if self.settings.mode != Mode::Heal {
            Some("the mode is not heal")
        } else if !policies.any(|it| it.applies(domain, name.as_str())) {
            Some("no policy applies to it")
        } else if self.settings.te_options.contains_key(name) {
            None
        } else {
            Some("te-options are not configured ([] would do)")
        }
    }

    fn figures(&self, name: &DatabaseName) -> [Figures; 3] {
        let of = |it: &Retold| it.figures.get(name).copied().unwrap_or_default();
        [of(self.then), of(self.kind), of(self.harsh)]
    }

    /// Returns it as one object.
    pub(super) fn json(&self) -> Value {
        let past = &self.read.past;
        let (from, until) = past.span();
        let (peers, engines) = past.counts();
        let databases: Vec<Value> = past
            .databases()
            .iter()
            .map(|name| {
                let [then, kind, harsh] = self.figures(name).map(figures);
                let watched = self.only_watched(name);
                json!({
                    "database": name.as_str(), "then": then, "kind": kind, "harsh": harsh,
                    "only_watched": watched,
                })
            })
            .collect();
        let added: Vec<String> = self.added.iter().map(Address::to_string).collect();
        json!({
            "from": wall(from).to_string(),
            "until": wall(until).to_string(),
            "peers": peers,
            "lives": engines,
            "added": added,
            "log": self.read.log.as_ref().map(log),
            "again": self.read.rethought.as_ref().map(again),
            "databases": databases,
            "kind": events(self.kind),
            "harsh": events(self.harsh),
        })
    }
}

fn about_log(log: &LogRead) -> Vec<String> {
    let known: u64 = log.known.iter().map(|(_, count)| count).sum();
    let mut lines = vec![format!(
        "lines: {}; parts with a documented form: {known}, without: {}, unknown: {}",
        log.lines, log.others, log.unknown
    )];
    lines.extend(log.strangers.iter().map(|it| {
        let text = clean(&it.text);
        format!(
            "line {} begins like `{}` and goes on otherwise: {text}",
            it.line, it.form
        )
    }));
    if log.failed_starts > 0 {
        let count = log.failed_starts;
        lines.push(format!(
            "{count} starts failed then; the log does not say of which database, so nobody's \
             start fails now"
        ));
    }
    if log.agent_starts > 1 {
        let count = log.agent_starts;
        lines.push(format!(
            "the agent was started {count} times; what happened while it was down is not in it"
        ));
    }
    lines
}

fn about_rethought(it: &Rethought) -> Vec<String> {
    let Rethought { inputs, same, .. } = it;
    let Some((decided, recorded)) = &it.first_difference else {
        return vec![format!(
            "decided once more as it was: {inputs} inputs, {same} events, none other"
        )];
    };
    let told = |it: &Option<Event>| {
        let none = || "nothing more".to_owned();
        it.as_ref().map_or_else(none, |it| as_json(it).to_string())
    };
    vec![
        format!("decided otherwise than on record, after {inputs} inputs and {same} events:"),
        format!("  now: {}", told(decided)),
        format!("  on record: {}", told(recorded)),
    ]
}

fn log(log: &LogRead) -> Value {
    let known: serde_json::Map<String, Value> = log
        .known
        .iter()
        .map(|(form, count)| ((*form).to_owned(), json!(count)))
        .collect();
    let strangers: Vec<Value> = log
        .strangers
        .iter()
        .map(|it| json!({ "line": it.line, "form": it.form, "text": it.text }))
        .collect();
    json!({
        "lines": log.lines,
        "other": log.others,
        "forms": known,
        "unknown": log.unknown,
        "unknown_lines": strangers,
        "failed_starts": log.failed_starts,
        "agent_starts": log.agent_starts,
    })
}

fn again(it: &Result<Rethought, &'static str>) -> Value {
    match it {
        Ok(it) => {
            let difference = it.first_difference.as_ref().map(|(decided, recorded)| {
                let [now, recorded] =
                    [decided, recorded].map(|it| it.as_ref().map_or(Value::Null, as_json));
                json!({ "now": now, "recorded": recorded })
            });
            json!({ "inputs": it.inputs, "same_events": it.same, "difference": difference })
        }
        Err(why) => json!({ "not_done": why }),
    }
}

fn figures(it: Figures) -> Value {
    json!({
        "seconds_without_te": it.without.as_secs_f64(),
        "longest_seconds": it.longest.as_secs_f64(),
        "times": it.times,
        "starts": it.starts,
    })
}

fn events(retold: &Retold) -> Vec<Value> {
    retold.timeline.iter().map(as_json).collect()
}

fn as_json(event: &Event) -> Value {
    let recorded = Recorded {
        epoch: 0,
        seq: 0,
        event: event.clone(),
    };
    serde_json::to_value(Record::new(&recorded)).unwrap_or_default()
}

/// Returns times without an engine as people read them.
fn times(it: Figures) -> String {
    if it.times == 0 {
        return "never".to_owned();
    }
    let (all, longest) = (lasting(it.without), lasting(it.longest));
    match it.times {
        1 => format!("{all}, once"),
        times => format!("{all}, {times} times, longest {longest}"),
    }
}

/// Returns a duration with tenths of a second.
fn lasting(it: Duration) -> String {
    let tenths = it.as_millis().div_ceil(100);
    let (minutes, tenths) = (tenths / 600, tenths % 600);
    let seconds = format!("{}.{}s", tenths / 10, tenths % 10);
    if minutes == 0 {
        seconds
    } else {
        format!("{minutes}m {seconds}")
    }
}

fn wall(at: Timestamp) -> WallTime {
    WallTime::from_unix_micros(at.as_micros())
}

fn shown(at: Timestamp) -> String {
    let text = wall(at).to_string();
    format!("{}Z", &text[..19])
}

/// Returns an event of a timeline as a line.
fn picture(event: &Event, paint: Paint) -> String {
    let tone = match event.kind.severity() {
        Severity::Critical => Tone::Bad,
        Severity::Warning => Tone::Fair,
        Severity::Info => Tone::Plain,
    };
    let time = event.time.wall.to_string();
    let kind = paint.paint(tone, &format!("{:17}", event.kind.as_str()));
    let subject = &event.subject;
    let mut parts = vec![format!("{}Z  {kind}", time.get(..23).unwrap_or_default())];
    parts.extend(subject.database.as_ref().map(|it| clean(it.as_str())));
    parts.extend(subject.slot.as_ref().map(|it| clean(it)));
    parts.extend(subject.peer.as_ref().map(|it| clean(it.as_str())));
    parts.extend(event.text.as_ref().map(|it| format!("- {}", clean(it))));
    parts.join(" ")
}
