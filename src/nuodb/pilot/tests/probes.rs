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
