//! What is said of a status: by hand, for each thing that can be wrong.

use super::*;

/// A domain at which nothing is wrong.
fn domain() -> Value {
    json!({
        "domain": "prod", "time": "2026-11-21T03:20:45.000000Z", "mode": "heal",
        "freshness": "synced", "since": "2026-11-21T03:04:15.000000Z", "gates": [],
        "peers": [
            {"peer": "a:1", "connected": true, "processes": 1},
            {"peer": "b:1", "connected": true, "processes": 2,
             "since": "2026-11-21T03:18:45.000000Z"},
        ],
        "databases": [{"database": "teas", "status": "active", "degraded": false,
            "te": {"running": 2, "wanted": 2}, "sm": {"running": 1}}],
        "slots": [{"database": "teas", "slot": "te/1", "phase": "filled", "wanted": true,
            "tries": 0, "peer": "a:1", "since": "2026-11-21T02:20:44.000000Z",
            "told_blocked": false, "told_suggested": false}],
        "actions": [], "orders": [],
    })
}

fn told(domains: &[Value]) -> Vec<Problem> {
    let daemon = json!({ "started": "2026-11-21T03:04:05.000000Z" });
    problems(&json!({ "daemon": daemon, "domains": domains }))
}

/// Returns the kind, level and title of each problem after a change.
fn after(change: impl FnOnce(&mut Value)) -> Vec<(Kind, Level, String)> {
    let mut domain = domain();
    change(&mut domain);
    let found = told(&[domain]);
    found
        .into_iter()
        .map(|it| (it.kind, it.level, it.title))
        .collect()
}

fn vacant(domain: &mut Value) -> &mut Value {
    let slot = &mut domain["slots"][0];
    slot["phase"] = json!("vacant");
    slot
}

#[test]
fn nothing_is_wrong_with_a_domain_at_which_nothing_is_wrong() {
    assert_eq!(after(|_| ()), []);
    assert_eq!(level_of(&[]).verdict(), "Healthy");
}

#[test]
fn a_domain_that_was_never_reached_or_is_not_any_more_needs_somebody() {
    for freshness in ["unknown", "stale"] {
        let found = after(|it| it["freshness"] = json!(freshness));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].0, found[0].1), (Kind::Session, Level::Critical));
    }
    let mut never = domain();
    never["freshness"] = json!("unknown");
    let found = told(&[never]);
    assert_eq!(found[0].age, Some(Duration::from_secs(1_000)));
}

#[test]
fn a_seat_is_as_bad_as_what_becomes_of_it() {
    for (change, kind, level) in [
        (json!({}), Kind::Missing, Level::Work),
        (json!({"phase": "acting"}), Kind::Healing, Level::Work),
        (json!({"told_blocked": true}), Kind::Blocked, Level::Warning),
        (
            json!({"told_suggested": true}),
            Kind::Suggested,
            Level::Warning,
        ),
        (json!({"phase": "held"}), Kind::Held, Level::Critical),
    ] {
        let found = after(|it| {
            let slot = vacant(it);
            for (key, value) in change.as_object().unwrap() {
                slot[key] = value.clone();
            }
        });
        assert_eq!(found.len(), 1, "{change}: {found:?}");
        assert_eq!((found[0].0, found[0].1), (kind, level), "{change}");
    }
    let found = after(|it| vacant(it)["wanted"] = json!(false));
    assert_eq!(found, []);
}

#[test]
fn what_people_work_at_is_a_note_and_what_they_hold_is_to_be_looked_at() {
    for (order, level) in [("maintenance", Level::Note), ("hold", Level::Warning)] {
        let found = after(|it| {
            vacant(it);
            it["databases"][0]["status"] = json!("inactive");
            it["orders"] = json!([{"order": order, "on": "teas", "by": "ada",
                "since": "2026-11-21T03:04:15.000000Z"}]);
        });
        assert_eq!(found[0].1, level, "{found:?}");
        assert_eq!(
            found.len(),
            3,
            "the database, the seat, the order: {found:?}"
        );
    }
}

#[test]
fn what_is_held_is_released_as_it_was_held() {
    for (on, release) in [
        ("teas", "`dbwarden release teas`"),
        ("the domain", "`dbwarden release prod`"),
    ] {
        let mut held = domain();
        vacant(&mut held);
        held["databases"][0]["status"] = json!("inactive");
        held["orders"] = json!([{"order": "hold", "on": on, "by": "ada"}]);
        let found = told(&[held]);
        for it in &found[..2] {
            assert!(it.next.contains(release), "{on}: {found:?}");
        }
    }
}

#[test]
fn the_worst_comes_first_and_gates_are_as_bad_as_who_opens_them() {
    let found = after(|it| {
        it["peers"][1]["connected"] = json!(false);
        it["gates"] = json!([
            {"gate": "not-synced", "text": "settling"},
            {"gate": "storm", "text": "many"},
            {"gate": "memory", "text": "lost"},
        ]);
        it["databases"][0]["status"] = json!("inactive");
    });
    let levels: Vec<Level> = found.iter().map(|it| it.1).collect();
    assert!(levels.is_sorted(), "{found:?}");
    let kinds: Vec<Kind> = found.iter().map(|it| it.0).collect();
    let expected = [
        Kind::Database,
        Kind::Journal,
        Kind::Peer,
        Kind::Gate,
        Kind::Note,
    ];
    assert_eq!(kinds, expected, "{found:?}");
}

#[test]
fn who_does_not_answer_at_its_port_is_said_together() {
    let silent = |pid: u64| {
        let since = "2026-11-21T03:18:45.000000Z";
        json!({"database": "teas", "role": "TE", "peer": "a:1", "pid": pid, "status": "up",
            "unresponsive": {"since": since, "reason": "refused"}})
    };
    let mut one = domain();
    one["processes"] = json!([silent(7), {"database": "teas", "pid": 8, "status": "up"}]);
    let found = told(std::slice::from_ref(&one));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].level, found[0].kind),
        (Level::Warning, Kind::Unresponsive)
    );
    assert_eq!(
        found[0].title,
        "teas: TE a:1/7 runs and does not answer at its port"
    );
    assert_eq!(
        (&*found[0].about, &*found[0].text),
        ("a:1/7", "for 2m; refused")
    );
    one["orders"] = json!([{"order": "maintenance", "on": "a:1", "by": "ada"}]);
    let found = told(&[one]);
    assert!(found.iter().all(|it| it.level == Level::Note), "{found:?}");
    for (count, title) in [
        (2, "a:1/0, a:1/1 do not answer at their ports"),
        (
            5,
            "5 processes do not answer at their ports (a:1/0, a:1/1, a:1/2 ...)",
        ),
    ] {
        let all: Vec<Value> = (0..count).map(silent).collect();
        let found = after(|it| it["processes"] = json!(all));
        assert_eq!(found[0].2, title);
    }
}

#[test]
fn commands_name_the_domain_only_where_there_are_several() {
    let mut lost = domain();
    vacant(&mut lost)["phase"] = json!("held");
    let one = told(std::slice::from_ref(&lost));
    assert!(one[0].next.contains("`dbwarden release teas/te/1`"));
    assert_eq!(one[0].title, "teas: te/1 given up by the healer");
    let two = told(&[lost, domain()]);
    assert!(two[0].next.contains("release teas/te/1 --domain prod`"));
    assert!(two[0].title.starts_with("prod: teas"), "{two:?}");
}

#[test]
fn times_are_said_by_their_two_largest_units() {
    for (seconds, said) in [
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (3_661, "1h 1m"),
        (90_000, "1d 1h"),
    ] {
        assert_eq!(ago(Duration::from_secs(seconds)), said);
    }
}
