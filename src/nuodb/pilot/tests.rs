//! Stories of a pilot among peers that live in memory, in virtual time.

mod harness;

use std::time::Duration;

use harness::{Manner, Reply, World, ask, broker, commit, engine, failed, prepare, stop, target};

use crate::exchange::{ActionId, Deed, Question, Stop};
use crate::nuodb::cipher::CipherName;
use crate::nuodb::message::{Element, Event};
use crate::time::Timestamp;

/// Compares what was written down with lines of text; `*` at the end of a line stands for any
/// rest of it.
#[track_caller]
fn check(log: &str, expected: &str) {
    let lines: Vec<&str> = log.lines().collect();
    let wanted: Vec<&str> = expected
        .lines()
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .collect();
    let matches = |(line, want): (&&str, &&str)| match want.strip_suffix('*') {
        Some(beginning) => line.starts_with(beginning),
        None => line == want,
    };
    let fits = lines.len() == wanted.len() && lines.iter().zip(&wanted).all(matches);
    assert!(fits, "expected\n{}\nfound\n{log}", wanted.join("\n"));
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn far() -> Timestamp {
    Timestamp::ZERO + seconds(1_000)
}

/// A domain of brokers `a` and `b` and agent `c`, watched at `a`.
fn watched() -> World {
    let mut world = World::new(&["a", "b"]);
    world.add("c", false);
    world.run_millis(1);
    check(
        &world.log(),
        "0 dial a\n0 snapshot at a with [\"b\", \"c\"] []",
    );
    world
}

mod watching {
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
}

mod hostile_peers {
    use super::*;

    /// A world whose first broker has bad manners; the log of its first twenty seconds.
    fn met(manner: Manner) -> String {
        let mut world = World::new(&["a", "b"]);
        world.manner("a", manner);
        world.run(seconds(5));
        world.run(seconds(15));
        assert_eq!(world.open_lines(), 1, "only the session at `b` is left");
        world.log()
    }

    #[test]
    fn silence_is_ended_at_the_deadline() {
        check(
            &met(Manner::Mute),
            "0 dial a
             10000 lost Connection a:48004: peer was silent during the handshake, for 10s
             10000 dial b
             10000 snapshot at b with [\"a\"] []
             20000 dial b",
        );
    }

    #[test]
    fn dripping_bytes_do_not_put_off_the_deadline() {
        check(
            &met(Manner::Drips),
            "0 dial a
             10000 lost Connection a:48004: peer did not finish the handshake within 10s
             10000 dial b
             10000 snapshot at b with [\"a\"] []
             20000 dial b",
        );
    }

    #[test]
    fn garbage_is_a_broken_protocol() {
        check(
            &met(Manner::Garbage),
            "0 dial a
             0 lost Protocol a:48004: peer does not keep to the protocol: *
             0 dial b
             0 snapshot at b with [\"a\"] []
             10000 dial b
             20000 dial b",
        );
    }

    #[test]
    fn closing_in_the_handshake_is_told_with_the_stage() {
        check(
            &met(Manner::Closes),
            "0 dial a
             0 lost Connection a:48004: peer closed the session before it answered the login
             0 dial b
             0 snapshot at b with [\"a\"] []
             10000 dial b
             20000 dial b",
        );
    }
}

mod probes {
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
    fn a_session_that_tells_of_changes_needs_no_probe() {
        let mut world = watched();
        for pid in 0..20 {
            world.tell("a", &Event::NewProcess(engine("c", pid, None)));
            world.run(seconds(9));
        }
        assert!(!world.log().contains("dial"));
        assert_eq!(world.open_lines(), 1);
    }
}

mod starts {
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
}

mod other_deeds {
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
}

mod refreshing {
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
}
