//! The second look at a domain.

use super::*;

#[test]
fn a_refresh_is_a_second_look_that_leaves_the_session_alone() {
    let mut world = watched();
    world.run_process(engine("c", 7, None));
    world.order(Deed::Refresh);
    check(
        &world.log(),
        "1 dial a
         1 snapshot at a with [\"b\", \"c\"] [7]",
    );
    assert_eq!(world.open_lines(), 1);
    world.tell("a", &Event::ProcessExit(engine("c", 7, None)));
    check(&world.log(), "1 process gone 7");
}

#[test]
fn a_change_told_while_it_was_taken_is_not_undone_by_it() {
    let mut world = watched();
    world.run_process(engine("c", 7, None));
    world.run_process(engine("c", 9, None));
    world.hold_snapshots();
    world.order(Deed::Refresh);
    world.tell("a", &Event::NewProcess(engine("c", 8, None)));
    world.tell("a", &Event::ProcessExit(engine("c", 9, None)));
    world.release_snapshots();
    check(
        &world.log(),
        "1 dial a
         1 process joined 8
         1 process gone 9
         1 snapshot at a with [\"b\", \"c\"] [7, 8]",
    );
}

#[test]
fn what_is_told_late_does_not_put_two_at_one_address() {
    let mut world = watched();
    world.run_process(engine("c", 7, None));
    world.hold_snapshots();
    world.order(Deed::Refresh);
    // The picture shows who came after that one.
    let before = BrokerElement {
        agent_id: "agent-before".into(),
        ..broker("c")
    };
    world.tell("a", &Event::NewBroker(before));
    world.release_snapshots();
    check(
        &world.log(),
        "1 dial a
         1 peer joined c
         1 snapshot at a with [\"b\", \"c\"] []",
    );
}

#[test]
fn who_asks_again_meanwhile_gets_a_picture_taken_after_that() {
    let mut world = watched();
    world.hold_snapshots();
    world.order(Deed::Refresh);
    world.run_process(engine("c", 7, None));
    world.order(Deed::Refresh);
    world.release_snapshots();
    check(
        &world.log(),
        "1 dial a
         1 snapshot at a with [\"b\", \"c\"] []
         1 dial a
         1 snapshot at a with [\"b\", \"c\"] [7]",
    );
}

#[test]
fn a_refresh_that_fails_is_tried_again() {
    let mut world = watched();
    world.manner("a", Manner::Refuses);
    world.order(Deed::Refresh);
    world.manner("a", Manner::Serves);
    world.run(seconds(1));
    check(
        &world.log(),
        "1 dial a
         501 dial a
         501 snapshot at a with [\"b\", \"c\"] []",
    );
}
