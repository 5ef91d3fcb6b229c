//! Probes: half-open sessions are noticed, living ones left alone.

use super::*;

#[test]
fn three_missed_probes_end_a_session_that_is_only_half_open() {
    let mut world = watched();
    world.manner("a", Manner::Mute);
    world.run(seconds(60));
    let log = world.log();
    let probes: Vec<_> = log.lines().filter(|it| it.ends_with("dial a")).collect();
    assert_eq!(probes, ["10000 dial a", "20000 dial a", "30000 dial a"]);
    assert!(log.contains("40000 lost Connection a:48004: the session is silent and 3 probes"));
    assert!(log.contains("snapshot at b"), "{log}");
}

#[test]
fn an_answered_probe_forgives_the_missed_ones() {
    let mut world = watched();
    for _ in 0..5 {
        world.manner("a", Manner::Mute);
        world.run(seconds(20));
        world.manner("a", Manner::Serves);
        world.run(seconds(20));
    }
    assert!(!world.log().contains("lost"));
}

#[test]
fn with_the_session_goes_what_was_asked_on_its_behalf() {
    for wanted in [None, Some(Deed::Refresh)] {
        let mut world = watched();
        world.manner("a", Manner::Mute);
        world.run(seconds(10));
        if let Some(deed) = wanted {
            world.order(deed);
        }
        assert!(world.open_lines() > 1);
        world.cut_watching();
        assert_eq!(world.open_lines(), 0);
    }
}

#[test]
fn a_session_that_tells_of_changes_needs_no_probe() {
    let mut world = watched();
    for pid in 0..20 {
        world.tell("a", &Event::NewProcess(engine("c", pid, None)));
        world.run(seconds(9));
    }
    assert!(!world.log().contains("dial"));
    assert_eq!(world.open_lines(), 1);
}

#[test]
fn a_session_that_does_not_tell_what_happens_is_ended_though_its_broker_answers() {
    let mut world = watched();
    world.deafen();
    world.run(seconds(21));
    world.run_process(engine("c", 7, None));
    world.run(seconds(40));
    check(
        &world.log(),
        "10000 dial a
         20000 dial a
         30000 dial a
         40000 dial a
         50000 lost Connection a:48004: the session is silent though the domain is not as it told*
         50352 dial b
         50352 snapshot at b with [\"a\", \"c\"] [7]
         60352 dial b",
    );
}

#[test]
fn a_quiet_domain_is_looked_at_and_left_alone() {
    let mut world = watched();
    world.run(seconds(3_600));
    let log = world.log();
    assert!(log.lines().all(|it| it.ends_with("dial a")), "{log}");
    // What the session has told is no news, whenever it is looked at.
    world.run_process(engine("c", 7, None));
    world.tell("a", &Event::NewProcess(engine("c", 7, None)));
    world.run(seconds(60));
    assert!(!world.log().contains("lost"));
    assert_eq!(world.open_lines(), 1);
}

#[test]
fn what_a_session_told_before_it_fell_silent_is_what_it_is_held_against() {
    let mut world = watched();
    world.run(seconds(5));
    world.run_process(engine("c", 7, None));
    world.tell("a", &Event::NewProcess(engine("c", 7, None)));
    world.deafen();
    world.run_process(engine("c", 8, None));
    world.run(seconds(31));
    let log = world.log();
    assert!(log.contains("lost Connection a:48004"), "{log}");
    assert!(
        log.contains("snapshot at b with [\"a\", \"c\"] [7, 8]"),
        "{log}"
    );
}
