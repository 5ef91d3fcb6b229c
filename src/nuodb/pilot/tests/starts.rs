//! Starts, from the preparation to the one outcome each has.

use super::*;

#[test]
fn a_start_is_prepared_committed_accepted_and_registered() {
    let mut world = watched();
    world.order(prepare(1, "c", far()));
    check(&world.log(), "1 dial c\n1 action 1: ready");
    assert_eq!(world.heard.len(), 0, "nothing is asked before the commit");
    world.order(commit(1));
    check(&world.log(), "1 action 1: started s1");
    assert_eq!(
        world.open_lines(),
        1,
        "the session to `c` has done its work"
    );
    world.tell("a", &Event::NewProcess(engine("c", 7, Some("s1"))));
    check(&world.log(), "1 process joined 7\n1 action 1: registered 7");
    assert_eq!(
        world.heard,
        ["c <Request Service=\"ProcessStart\" Process=\"server\">\
             <Option option=\"--mem\" value=\"2g\"></Option>\
             <Option option=\"--force\"></Option>\
             <Option option=\"--database\" value=\"teas\"></Option></Request>"]
    );
}

#[test]
fn what_a_peer_says_before_the_commit_is_no_answer() {
    let mut world = watched();
    world.order(prepare(1, "c", far()));
    world.say_unasked("c", &Element::new("ProcessStart").with("StartId", "s1"));
    check(
        &world.log(),
        "1 dial c
         1 action 1: ready
         1 action 1: not sent, c:48004: peer sent `ProcessStart` and was not asked anything",
    );
    world.order(commit(1));
    assert_eq!(world.log(), "");
    assert_eq!(world.heard.len(), 0, "nothing was asked");
}

#[test]
fn the_broker_may_be_faster_than_the_reply() {
    let mut world = watched();
    world.order(prepare(1, "c", far()));
    world.manner("c", Manner::Mute);
    world.order(commit(1));
    world.tell("a", &Event::NewProcess(engine("c", 6, Some("s0"))));
    world.tell("a", &Event::NewProcess(engine("c", 7, Some("s1"))));
    world.log();
    world.manner("c", Manner::Serves);
    world.tell("a", &Event::NewProcess(engine("c", 8, Some("s2"))));
    check(
        &world.log(),
        "1 process joined 8
         1 action 1: started s1
         1 action 1: registered 7",
    );
}

#[test]
fn the_first_of_two_failures_says_why() {
    let mut world = watched();
    world.order(prepare(1, "c", far()));
    world.order(commit(1));
    world.log();
    world.tell("a", &failed("c", "s1", "Archive is already in use: /a"));
    world.tell("a", &failed("c", "s1", "Unknown startup failure"));
    check(
        &world.log(),
        "1 failure seen, Archive is already in use: /a
         1 action 1: start failed, Archive is already in use: /a
         1 failure seen, Unknown startup failure",
    );
}

#[test]
fn what_another_agent_calls_by_the_same_id_is_not_meant() {
    let mut world = watched();
    world.order(prepare(1, "c", far()));
    world.order(commit(1));
    world.log();
    world.tell("a", &Event::NewProcess(engine("b", 5, Some("s1"))));
    world.tell("a", &Event::NewProcess(engine("c", 7, Some("s1"))));
    check(
        &world.log(),
        "1 process joined 5
         1 process joined 7
         1 action 1: registered 7",
    );
}

#[test]
fn without_a_start_id_the_first_process_that_fits_is_it() {
    let mut world = watched();
    world.reply("c", Reply::WithoutId);
    world.order(prepare(1, "c", far()));
    world.order(commit(1));
    world.tell("a", &Event::NewProcess(engine("b", 5, None)));
    world.tell("a", &Event::NewProcess(engine("c", 7, None)));
    check(
        &world.log(),
        "1 dial c
         1 action 1: ready
         1 action 1: started
         1 process joined 5
         1 process joined 7
         1 action 1: registered 7",
    );
}

#[test]
fn a_refusal_is_final() {
    let mut world = watched();
    world.reply("c", Reply::Refuse("ProcessBarrier not ready"));
    world.order(prepare(1, "c", far()));
    world.order(commit(1));
    world.order(commit(1));
    world.run(seconds(60));
    assert_eq!(
        world.outcomes(),
        [
            "action 1: ready",
            "action 1: refused, ProcessBarrier not ready"
        ]
    );
}

#[test]
fn a_start_of_which_nothing_is_heard_is_unanswered() {
    for reply in [Reply::Accept("s1"), Reply::Nothing, Reply::Close] {
        let mut world = watched();
        world.reply("c", reply);
        world.order(prepare(1, "c", far()));
        world.order(commit(1));
        world.run(seconds(31));
        let outcomes = world.outcomes();
        let last = outcomes.last().unwrap();
        assert!(
            last.starts_with("action 1: unanswered, c:48004: "),
            "{last}"
        );
        world.tell("a", &Event::NewProcess(engine("c", 7, Some("s1"))));
        assert_eq!(world.outcomes(), ["process joined 7"], "{reply:?}");
    }
}

#[test]
fn a_commit_that_comes_too_late_sends_nothing() {
    let mut world = watched();
    world.order(prepare(1, "c", Timestamp::ZERO + seconds(3)));
    world.run(seconds(5));
    world.order(commit(1));
    assert_eq!(
        world.outcomes(),
        [
            "action 1: ready",
            "action 1: not sent, c:48004: the start expired before its request could leave"
        ]
    );
    assert_eq!(world.heard.len(), 0);
    assert_eq!(world.open_lines(), 1);
}

#[test]
fn a_commit_that_overtakes_the_timer_sends_nothing_either() {
    let mut world = watched();
    world.order(prepare(1, "c", Timestamp::ZERO + seconds(3)));
    // The daemon slept, and the deed is what wakes it.
    world.now = Timestamp::ZERO + seconds(3) + Duration::from_micros(1);
    world.order(commit(1));
    let outcomes = world.outcomes();
    assert!(
        outcomes[1].starts_with("action 1: not sent"),
        "{outcomes:?}"
    );
    assert_eq!((world.heard.len(), world.open_lines()), (0, 1));
}

#[test]
fn at_the_very_end_of_its_validity_a_start_still_leaves() {
    let mut world = watched();
    world.order(prepare(1, "c", Timestamp::ZERO + seconds(3)));
    world.now = Timestamp::ZERO + seconds(3);
    world.order(commit(1));
    assert_eq!(
        world.outcomes(),
        ["action 1: ready", "action 1: started s1"]
    );
}

#[test]
fn an_action_that_is_under_way_is_not_begun_again() {
    let mut world = watched();
    world.order(prepare(1, "c", far()));
    world.order(prepare(1, "b", far()));
    world.order(stop(1, "b", 7, Stop::Kill));
    world.order(commit(1));
    world.order(prepare(1, "b", far()));
    world.tell("a", &Event::NewProcess(engine("c", 7, Some("s1"))));
    assert_eq!(
        world.outcomes(),
        [
            "action 1: ready",
            "action 1: started s1",
            "process joined 7",
            "action 1: registered 7"
        ]
    );
    assert_eq!(world.heard.len(), 1);
}

#[test]
fn validity_ends_the_preparation_too() {
    let mut world = watched();
    world.manner("c", Manner::Mute);
    world.order(prepare(1, "c", Timestamp::ZERO + seconds(3)));
    world.order(prepare(2, "c", Timestamp::ZERO));
    world.run(seconds(5));
    let outcomes = world.outcomes();
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes[0].starts_with("action 2: not sent"));
    assert!(outcomes[1].starts_with("action 1: not sent, c:48004: peer was silent"));
}

#[test]
fn a_session_that_breaks_before_the_commit_has_sent_nothing() {
    let mut world = watched();
    world.order(prepare(1, "c", far()));
    world.cut("c");
    world.order(commit(1));
    let outcomes = world.outcomes();
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes[1].starts_with("action 1: not sent, c:48004: peer closed"));
}

#[test]
fn an_agent_that_cannot_be_had_is_not_asked() {
    let mut world = watched();
    world.manner("c", Manner::Refuses);
    world.order(prepare(1, "c", far()));
    world.password("b", "fish");
    world.order(prepare(2, "b", far()));
    assert_eq!(
        world.outcomes(),
        [
            "action 1: not sent, connection refused",
            "action 2: not sent, b:48004: wrong user or password"
        ]
    );
}

#[test]
fn an_abandoned_start_is_heard_of_no_more() {
    let mut world = watched();
    world.order(prepare(1, "c", far()));
    world.order(Deed::Abandon {
        action: ActionId(1),
    });
    world.order(commit(1));
    assert_eq!(world.outcomes(), ["action 1: ready"]);
    assert_eq!(world.open_lines(), 1);
}

#[test]
fn what_left_cannot_be_abandoned() {
    let mut world = watched();
    world.reply("c", Reply::Nothing);
    world.order(prepare(1, "c", far()));
    world.order(commit(1));
    world.order(Deed::Abandon {
        action: ActionId(1),
    });
    world.run(seconds(31));
    assert_eq!(
        world.outcomes(),
        [
            "action 1: ready",
            "action 1: unanswered, c:48004: peer did not answer within 30s"
        ]
    );
}

#[test]
fn a_fate_that_was_told_while_nobody_listened_is_read_from_the_snapshot() {
    let mut world = watched();
    world.order(prepare(1, "c", far()));
    world.order(commit(1));
    world.kill_peer("a");
    world.run_process(engine("c", 6, None));
    world.run_process(engine("c", 7, Some("s1")));
    world.log();
    world.run(seconds(1));
    let outcomes = world.outcomes();
    assert_eq!(
        outcomes,
        [
            "snapshot at b with [\"a\", \"c\"] [6, 7]",
            "action 1: registered 7"
        ]
    );
}
