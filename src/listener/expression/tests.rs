//! What expressions say of events, and what is said of bad ones.

use super::names::Blank;
use super::*;
use crate::event::{Cause, Event, Kind, ProcessFacts, Recorded, Subject};
use crate::exchange::ActionId;
use crate::model::{Role, Status};
use crate::time::{Moment, Timestamp};

fn failed() -> Recorded {
    let subject = Subject {
        database: Some("teas".into()),
        peer: Some("db1".into()),
        ..Subject::default()
    };
    let time = Moment::simulated(Timestamp::from_micros(7));
    Recorded {
        epoch: 1,
        seq: 5,
        event: Event::new(time, Some("prod".into()), Kind::ProcessFailed, subject),
    }
}

fn holds(source: &str) -> bool {
    let expression = Expression::compile(source).unwrap_or_else(|it| panic!("{source}: {it}"));
    expression.holds(&Record::new(&failed())).unwrap()
}

fn refused(source: &str) -> String {
    let error = Expression::compile(source).expect_err(source);
    let nearest = error.nearest.map(|it| format!(" ({it}?)"));
    let (line, column, problem) = (error.line, error.column, error.problem);
    format!("{line}:{column} {problem}{}", nearest.unwrap_or_default())
}

#[test]
fn an_expression_looks_at_one_event() {
    for source in [
        "true",
        r#"database == "teas""#,
        r#"database in ["a", "teas"] && !snapshot"#,
        r#"peer.startsWith("db") && event.endsWith("_failed")"#,
        r#"severity == "critical" || pid > 100"#,
        r#"["process", "peer"].exists(it, it == group)"#,
        r#"database.matches("^t.a")"#,
        "seq == 5 && epoch == 1 && action == 0 && text == ''",
        "size(domain) == 4 &&\n  id == 'prod/1/5'",
        "type(pid) == int",
        "int(text == '' ? '1' : text) == 1",
    ] {
        assert!(holds(source), "{source}");
    }
    for source in ["snapshot", r#"database == "coffees""#, "pid > 0"] {
        assert!(!holds(source), "{source}");
    }
}

#[test]
fn every_field_of_the_json_form_is_a_name() {
    let mut event = failed();
    event.event.snapshot = true;
    event.event.while_disconnected = true;
    event.event.text = Some("x".into());
    event.event.cause = Some(Cause::Exit);
    event.event.action = Some(ActionId(7));
    event.event.subject.agent_id = Some("a".into());
    event.event.subject.slot = Some("te/1".into());
    event.event.subject.process = Some(ProcessFacts {
        role: Role::Te,
        pid: 4711,
        port: Some(48_010),
        node_id: Some(2),
        start_id: Some("s-9".into()),
        status: Status::Up,
        status_word: "RUNNING".into(),
    });
    assert_eq!(Record::new(&event).to_fields().len(), NAMES.len());
    for (name, value) in Record::new(&event).to_fields() {
        let (_, blank) = NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap_or_else(|| panic!("there is no `{name}` for expressions"));
        let expected = match &value {
            serde_json::Value::Bool(_) => Blank::Flag,
            serde_json::Value::Number(_) => Blank::Number,
            serde_json::Value::String(_) => Blank::Text,
            serde_json::Value::Null
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => panic!("{name} is {value}"),
        };
        assert_eq!(*blank, expected, "{name}");
    }
}

#[test]
fn what_is_wrong_is_said_where_it_stands() {
    for (source, expected) in [
        ("", "1:1 something is missing at the end"),
        ("database == ", "1:13 something is missing at the end"),
        ("pid = 5", "1:5 token recognition error at: '= '"),
        ("databse == 'x'", "1:1 no event has a `databse` (database?)"),
        (
            "!snapshot &&\n  sverity == 'critical'",
            "2:3 no event has a `sverity` (severity?)",
        ),
        (
            "text == 'häß' && colour == 1",
            "1:18 no event has a `colour`",
        ),
        (
            "peer.name == 'x'",
            "1:1 `peer` has no parts, such as `name`",
        ),
        (
            "snapshot || peer.startWith('x')",
            "1:18 there is no function `startWith` (startsWith?)",
        ),
        (
            "snapshot && peer.matches('(')",
            "1:26 `(` is no regular expression",
        ),
        (
            "peer + 1 == 2",
            "1:1 computes with values that do not go together",
        ),
        ("pid", "1:1 says int, not true or false"),
    ] {
        assert_eq!(refused(source), expected, "{source}");
    }
    assert!(refused(&"!".repeat(5_000)).contains("longer than 4096"));
    assert!(!refused(&"(".repeat(4_000)).is_empty());
    assert!(!refused(&format!("{}true", "!(".repeat(1_000))).is_empty());
}
