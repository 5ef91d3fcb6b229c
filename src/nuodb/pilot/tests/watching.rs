//! The session that watches: seen whole, lost, had again elsewhere.

use super::*;

#[test]
fn a_domain_is_seen_whole_and_then_in_its_changes() {
    let mut world = watched();
    world.tell("a", &Event::NewProcess(engine("c", 7, None)));
    world.tell(
        "a",
        &Event::StatusChanged {
            status: "RUNNING".into(),
            process: engine("c", 7, None),
        },
    );
    world.tell("a", &Event::Unknown("Weather".into()));
    world.tell("a", &Event::ProcessExit(engine("c", 7, None)));
    world.tell("a", &Event::BrokerExit(broker("b")));
    check(
        &world.log(),
        "1 process joined 7
         1 status 7 RUNNING
         1 process gone 7
         1 peer lost b",
    );
}

#[test]
fn what_cannot_be_read_is_left_out_and_told_of_a_few_times() {
    let mut world = watched();
    let objection = Element::error("no such process");
    world.say("a", &objection);
    let mystery = Element::new("Event").with("Type", "NewProcess");
    for _ in 0..20 {
        world.say("a", &mystery);
    }
    world.tell("a", &Event::NewProcess(engine("c", 7, None)));
    let log = world.log();
    assert!(
        log.starts_with("1 warn a: the broker objects: no such process\n"),
        "{log}"
    );
    assert!(log.ends_with("1 process joined 7\n"), "{log}");
    let warnings = log
        .lines()
        .filter(|it| it.contains("cannot be read"))
        .count();
    assert_eq!(warnings, 9);
}

#[test]
fn when_the_entry_peer_dies_the_next_broker_is_asked() {
    let mut world = watched();
    world.kill_peer("a");
    world.run_millis(600);
    let log = world.log();
    let lost = "1 lost Connection a:48004: peer closed the session while it told of changes";
    assert!(log.starts_with(lost), "{log}");
    let found = log.split_once("dial b").unwrap().1;
    assert!(
        found.ends_with(" snapshot at b with [\"a\", \"c\"] []\n"),
        "{log}"
    );
}

#[test]
fn a_broker_that_the_domain_announced_is_asked_when_the_configured_ones_are_gone() {
    let mut world = World::new(&["a"]);
    world.add("d", true);
    world.run_millis(1);
    world.kill_peer("a");
    world.run(seconds(2));
    assert!(world.log().contains("snapshot at d"));
}

#[test]
fn a_broker_that_joined_later_is_asked_too() {
    let mut world = World::new(&["a"]);
    world.run_millis(1);
    world.add("d", true);
    world.tell("a", &Event::NewBroker(broker("d")));
    world.kill_peer("a");
    world.run(seconds(2));
    assert!(world.log().contains("snapshot at d"));
}

#[test]
fn it_never_gives_up_and_never_hammers() {
    let mut world = World::new(&["a", "b"]);
    world.manner("a", Manner::Refuses);
    world.manner("b", Manner::Refuses);
    world.run(seconds(3_600));
    let log = world.log();
    let dials = log.lines().filter(|it| it.contains("dial")).count();
    let losses = log
        .lines()
        .filter(|it| it.contains("lost Connection"))
        .count();
    // At pauses between 15 and 30 s but for the first ones.
    assert!((120..=260).contains(&dials), "{dials}");
    assert_eq!(losses, dials);
    check(
        &log.lines().take(4).collect::<Vec<_>>().join("\n"),
        "0 dial a
         0 lost Connection connection refused
         0 dial b
         0 lost Connection connection refused",
    );
    world.manner("b", Manner::Serves);
    world.run(seconds(61));
    assert!(world.log().contains("snapshot at b"));
}

#[test]
fn a_wrong_password_is_told_as_such_and_hardly_tried_again() {
    let mut world = World::new(&["a", "b"]);
    world.password("a", "fish");
    world.password("b", "fish");
    world.run(seconds(600));
    let log = world.log();
    check(
        &log.lines().take(2).collect::<Vec<_>>().join("\n"),
        "0 dial a
         0 lost Denied a:48004: wrong user or password",
    );
    let dials = log.lines().filter(|it| it.contains("dial")).count();
    assert!(dials <= 1 + 600 / 30, "{dials}");
    world.password("b", "bird");
    world.run(seconds(61));
    assert!(world.log().contains("snapshot at b"));
}

#[test]
fn each_try_is_written_down_with_what_came_of_it_and_what_is_next() {
    let mut world = World::new(&["a", "b"]);
    world.manner("a", Manner::Refuses);
    world.password("b", "fish");
    world.run_millis(1);
    check(
        &world.notes.join("\n"),
        "a: connecting, to be told of the domain
         a: connection refused; the next try is at b:48004, in 0ns
         b: connecting, to be told of the domain
         b: b:48004: wrong user or password; the next try is at a:48004, in 30s",
    );
}

#[test]
fn brokers_of_an_earlier_run_are_asked_when_the_configured_ones_are_gone() {
    let mut world = World::with(&["a"], |it| {
        it.learned = vec![crate::model::Address::new("d", 48_004)];
    });
    world.add("d", true);
    world.manner("a", Manner::Refuses);
    world.run_millis(1);
    assert!(world.log().contains("snapshot at d"));
}

#[test]
fn a_broker_that_is_dialled_elsewhere_than_it_says_is_asked_there() {
    let mut world = World::with(&["a"], |it| {
        let [says, dial] = ["b", "gate"].map(|it| crate::model::Address::new(it, 48_004));
        it.dials.insert(says, dial);
    });
    world.add("b", true);
    world.run(seconds(1));
    world.kill_peer("a");
    world.run(seconds(5));
    let log = world.log();
    assert!(log.contains("dial gate"), "{log}");
    assert!(!log.contains("dial b"), "{log}");
}

#[test]
fn a_certificate_that_is_not_trusted_sends_it_to_the_next_broker_only() {
    let mut world = World::new(&["a", "b"]);
    world.manner("a", Manner::Untrusted);
    world.run(seconds(1));
    check(
        &world.log(),
        "0 dial a
         0 lost Denied unknown issuer
         0 dial b
         0 snapshot at b with [\"a\"] []",
    );
}

#[test]
fn rc4_is_refused_unless_allowed_and_then_warned_of() {
    let mut world = World::new(&["a"]);
    world.ciphers("a", &[CipherName::Rc4]);
    world.run_millis(1);
    check(
        &world.log(),
        "0 dial a\n0 lost Denied a:48004: peer denied the login: *",
    );

    let mut world = World::with(&["a"], |it| it.client.allow_legacy_ciphers = true);
    world.ciphers("a", &[CipherName::Rc4]);
    world.run_millis(1);
    check(
        &world.log(),
        "0 dial a
         0 warn a: the session is encrypted by RC4 only*
         0 snapshot at a with [] []",
    );
}
