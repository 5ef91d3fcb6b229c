//! Stops and questions.

use super::*;

#[test]
fn a_kill_is_asked_of_the_owner_and_answered_with_the_exit_code() {
    let mut world = watched();
    world.order(stop(1, "c", 7, Stop::Kill));
    assert_eq!(world.outcomes(), ["action 1: stopped Some(9)"]);
    assert_eq!(
        world.heard,
        ["c <Request Service=\"ProcessStop\" PID=\"7\"></Request>"]
    );
    assert_eq!(world.open_lines(), 1);
}

#[test]
fn a_kill_that_is_refused_is_told_as_such() {
    let mut world = watched();
    world.order(stop(1, "c", 0, Stop::Kill));
    assert_eq!(
        world.outcomes(),
        ["action 1: refused, No process has that id"]
    );
}

#[test]
fn a_graceful_stop_is_asked_on_the_session_that_watches() {
    let mut world = watched();
    world.order(stop(1, "c", 7, Stop::Graceful));
    check(&world.log(), "1 action 1: stopped None");
    assert_eq!(
        world.heard,
        [
            "a <ManagementRequest AgentId=\"agent-c\" ProcessId=\"7\"><Request \
             Service=\"Admin\" Type=\"Shutdown\" WaitTime=\"0\"></Request></ManagementRequest>"
        ]
    );
}

#[test]
fn questions_go_to_those_who_can_answer_them() {
    let mut world = watched();
    let agent = target("c").agent_id;
    let tags = vec![("zone".to_owned(), "b".to_owned())];
    for (action, question) in [
        Question::Tags(agent.clone()),
        Question::SetTags(agent.clone(), tags),
        Question::DeleteTags(agent, vec!["zone".to_owned()]),
        Question::Quiesce("teas".into()),
        Question::Unquiesce("teas".into()),
        Question::Identity(target("c")),
    ]
    .into_iter()
    .enumerate()
    {
        world.order(ask(action as u64, question));
    }
    check(
        &world.log(),
        "1 dial a
         1 action 0: answered [(\"zone\", \"b\")]
         1 dial a
         1 action 1: answered []
         1 dial a
         1 action 2: answered []
         1 dial a
         1 action 3: answered []
         1 dial a
         1 action 4: answered []
         1 dial c
         1 action 5: answered []",
    );
    assert_eq!(
        world.heard[1],
        "a <Request Service=\"Tag\" Action=\"SetHostTags\" AgentId=\"agent-c\">\
         <Tag Key=\"zone\" Value=\"b\"></Tag></Request>"
    );
    assert_eq!(
        world.heard[3],
        "a <Connect Service=\"ChorusManagement\" Action=\"Quiesce\" \
         Database=\"teas\"></Connect>"
    );
}

#[test]
fn what_is_known_of_an_archive_is_asked_of_its_own_agent_and_nothing_is_made_of_another_form() {
    let mut world = watched();
    for (action, host) in [(1, "c"), (2, "b")] {
        let question = Question::History {
            target: target(host),
            archive: "/a".into(),
        };
        world.order(ask(action, question));
    }
    assert_eq!(
        world.outcomes(),
        [
            "action 1: answered [(\"archive\", \"/a\"), (\"database\", \"teas\"), \
             (\"last-used\", \"70\"), (\"in-use\", \"false\")]",
            "action 2: answered []"
        ]
    );
    assert_eq!(
        world.heard[0],
        "c <Request Service=\"ProcessStart\" Process=\"archiveHistory\"><Option \
         option=\"--archive\" value=\"/a\"></Option></Request>"
    );
}

#[test]
fn without_a_session_nothing_is_asked_of_the_domain() {
    let mut world = World::new(&["a"]);
    world.manner("a", Manner::Refuses);
    world.run_millis(1);
    world.log();
    world.order(stop(1, "c", 7, Stop::Graceful));
    world.order(ask(2, Question::Quiesce("teas".into())));
    assert_eq!(
        world.outcomes(),
        [
            "action 1: not sent, c:48004: there is no session to the domain",
            "action 2: not sent, a:48004: there is no session to the domain"
        ]
    );
}

#[test]
fn an_answer_that_never_comes_is_waited_for_no_longer_than_agreed() {
    let mut world = watched();
    world.reply("c", Reply::Nothing);
    world.order(prepare(1, "c", far()));
    world.log();
    world.manner("b", Manner::Mute);
    world.order(ask(2, Question::Identity(target("b"))));
    world.run(seconds(11));
    assert_eq!(
        world.outcomes(),
        ["action 2: unanswered, b:48004: peer was silent during the handshake, for 10s"]
    );
}
