//! Stories of faults.

use super::*;

#[test]
fn a_lost_peer_goes_before_its_engines_and_returns_with_those_that_lived_on() {
    check(
        "
        0     begin 3 SM teas /a
        0     begin 3 TE teas
        0     up 1 100
        0     up 2 200
        500   s1 1 Monitor
        600   lose 3
        700   exited 2 137
        800   s2 2 Monitor
        900   return 3
        1000  s3 2 Monitor
        ",
        expect![[r"
            0     spawn e1 at 3 SM teas /a
            0     spawn e2 at 3 TE teas -
            500   s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  SM teas 100 at 3-1 RUNNING node=1
                  TE teas 200 at 3-1 RUNNING node=2
            600   listen 3 false
            600   cut all at 3
            600   s1 BrokerExit 3-1:4003
            600   s1 ProcessExit SM teas 100 at 3-1 RUNNING node=1
            600   s1 ProcessExit TE teas 200 at 3-1 RUNNING node=2
            600   answer: done
            800   s2 Status 2-1
                  broker 1-1:4001
            900   listen 3 true
            900   s1 NewBroker 3-2:4003
            900   s2 NewBroker 3-2:4003
            900   s1 NewProcess SM teas 100 at 3-2 RUNNING node=1
            900   s2 NewProcess SM teas 100 at 3-2 RUNNING node=1
            900   answer: done
            1000  s3 Status 2-1
                  broker 1-1:4001
                  agent 3-2:4003
                  SM teas 100 at 3-2 RUNNING node=1
        "]],
    );
}

#[test]
fn the_engines_of_a_lost_peer_can_go_before_it() {
    check(
        "
        0    begin 3 TE teas
        0    up 1 100
        500  s1 1 Monitor
        600  lose 3 exits-first
        700  exited 1 137
        ",
        expect![[r"
            0     spawn e1 at 3 TE teas -
            500   s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  TE teas 100 at 3-1 RUNNING node=1
            600   listen 3 false
            600   cut all at 3
            600   s1 ProcessExit TE teas 100 at 3-1 RUNNING node=1
            600   s1 BrokerExit 3-1:4003
            600   answer: done
        "]],
    );
}

#[test]
fn a_lost_broker_takes_its_sessions_with_it() {
    check(
        "
        0    s1 1 Monitor
        0    s2 2 Monitor
        10   lose 1
        20   lose 1
        30   lose 9
        40   s3 1 Monitor
        50   return 1
        60   return 1
        70   s4 1 Monitor
        ",
        expect![[r"
            0     s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
            0     s2 Status 2-1
                  broker 1-1:4001
                  agent 3-1:4003
            10    listen 1 false
            10    cut all at 1
            10    s2 BrokerExit 1-1:4001
            10    answer: done
            20    answer: peer 1 is lost
            30    answer: there is no peer 9
            40    cut s3
            50    listen 1 true
            50    s2 NewBroker 1-2:4001
            50    answer: done
            60    answer: peer 1 is not lost
            70    s4 Status 1-2
                  broker 2-1:4002
                  agent 3-1:4003
        "]],
    );
}

#[test]
fn what_a_lost_agent_was_asked_for_is_nothing_to_the_next_one() {
    check(
        "
        0     begin 1 SM teas /a
        0     up 1 100
        500   s1 1 Monitor
        600   s2 3 ProcessStart Process=server --database=teas
        601   s3 3 ProcessStart Process=server --archive=/b --database=teas
        602   fail-next 3 late 100
        603   s4 3 ProcessStart Process=server --database=teas
        610   lose 3
        620   up 2 200
        630   failed 3 no archive
        631   exited 3 5
        650   return 3
        ",
        expect![[r"
            0     spawn e1 at 1 SM teas /a
            500   s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  SM teas 100 at 1-1 RUNNING node=1
            600   s2 ProcessStart StartId=1003001000001
            600   done s2
            600   spawn e2 at 3 TE teas -
            601   s3 ProcessStart StartId=1003001000002
            601   done s3
            601   spawn e3 at 3 SM teas /b
            602   answer: done
            603   s4 ProcessStart StartId=1003001000003
            603   done s4
            610   listen 3 false
            610   cut all at 3
            610   s1 BrokerExit 3-1:4003
            610   answer: done
            630   kill e3
            650   listen 3 true
            650   s1 NewBroker 3-2:4003
            650   s1 NewProcess TE teas 200 at 3-2
            650   answer: done
            770   s1 StatusChanged ACTIVE TE teas 200 at 3-2 ACTIVE node=2
            780   s1 StatusChanged RUNNING TE teas 200 at 3-2 RUNNING node=2
        "]],
    );
}

#[test]
fn the_next_starts_of_a_peer_fail_as_told_and_in_order() {
    check(
        "
        0     begin 1 SM teas /a
        0     up 1 100
        500   s1 1 Monitor
        500   fail-next 3 Bad weather
        500   fail-next 3 silent
        500   fail-next 3 late 300
        1000  s2 3 ProcessStart Process=server --database=teas
        2000  s3 3 ProcessStart Process=server --database=teas
        3000  s4 3 ProcessStart Process=server --database=teas
        3400  up 2 200
        4000  s5 3 ProcessStart Process=server --database=teas
        ",
        expect![[r"
            0     spawn e1 at 1 SM teas /a
            500   s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  SM teas 100 at 1-1 RUNNING node=1
            500   answer: done
            500   answer: done
            500   answer: done
            1000  s2 ProcessStart StartId=1003001000001
            1000  done s2
            1020  s1 ProcessFailed 1003001000001 at 3-1
                  Bad weather
            1120  s1 ProcessFailed 1003001000001 at 3-1
                  Unknown startup failure
            2000  s3 ProcessStart StartId=1003001000002
            2000  done s3
            3000  s4 ProcessStart StartId=1003001000003
            3000  done s4
            3300  spawn e2 at 3 TE teas -
            3400  s1 NewProcess TE teas 200 at 3-1 start=1003001000003
            3550  s1 StatusChanged ACTIVE TE teas 200 at 3-1 ACTIVE node=2
            3560  s1 StatusChanged RUNNING TE teas 200 at 3-1 RUNNING node=2
            4000  s5 ProcessStart StartId=1003001000004
            4000  done s5
            4000  spawn e3 at 3 TE teas -
        "]],
    );
}

#[test]
fn links_break_hold_back_and_slow_down() {
    check(
        "
        0  s1 1 Monitor
        0  s2 1 Monitor
        0  s3 2 Monitor
        1  drop-session 1
        2  drop-session 1
        3  drop 1
        4  mute 2
        5  delay 2 250
        6  unmute 2
        7  mute 9
        ",
        expect![[r"
            0     s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
            0     s2 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
            0     s3 Status 2-1
                  broker 1-1:4001
                  agent 3-1:4003
            1     cut s1
            1     answer: done
            2     answer: there is no session 1
            3     cut all at 1
            3     answer: done
            4     link 2 muted=true delay=0
            4     answer: done
            5     link 2 muted=true delay=250
            5     answer: done
            6     link 2 muted=false delay=250
            6     answer: done
            7     answer: there is no peer 9
        "]],
    );
}

#[test]
fn an_isolated_peer_and_the_others_see_each_other_no_more() {
    check(
        "
        0     begin 3 TE teas
        0     up 1 100
        1000  s1 1 Monitor
        1000  s2 2 Monitor
        1100  isolate 2
        1200  isolate 2
        1300  s4 2 Monitor
        1400  lose 3
        1500  return 3
        3000  rejoin 2
        3100  rejoin 2
        4000  mute-session 1
        4100  lose 3
        ",
        expect![[r"
            0     spawn e1 at 3 TE teas -
            1000  s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  TE teas 100 at 3-1 RUNNING node=1
            1000  s2 Status 2-1
                  broker 1-1:4001
                  agent 3-1:4003
                  TE teas 100 at 3-1 RUNNING node=1
            1100  s1 BrokerExit 2-1:4002
            1100  s2 BrokerExit 1-1:4001
            1100  s2 BrokerExit 3-1:4003
            1100  s2 ProcessExit TE teas 100 at 3-1 RUNNING node=1
            1100  answer: done
            1200  answer: peer 2 is isolated
            1300  s4 Status 2-1
            1400  listen 3 false
            1400  cut all at 3
            1400  s1 BrokerExit 3-1:4003
            1400  s1 ProcessExit TE teas 100 at 3-1 RUNNING node=1
            1400  answer: done
            1500  listen 3 true
            1500  s1 NewBroker 3-2:4003
            1500  s1 NewProcess TE teas 100 at 3-2 RUNNING node=1
            1500  answer: done
            3000  s1 NewBroker 2-1:4002
            3000  s2 NewBroker 1-1:4001
            3000  s2 NewBroker 3-2:4003
            3000  s2 NewProcess TE teas 100 at 3-2 RUNNING node=1
            3000  s4 NewBroker 1-1:4001
            3000  s4 NewBroker 3-2:4003
            3000  s4 NewProcess TE teas 100 at 3-2 RUNNING node=1
            3000  answer: done
            3100  answer: peer 2 is not isolated
            4000  answer: done
            4100  listen 3 false
            4100  cut all at 3
            4100  s2 BrokerExit 3-2:4003
            4100  s4 BrokerExit 3-2:4003
            4100  s2 ProcessExit TE teas 100 at 3-2 RUNNING node=1
            4100  s4 ProcessExit TE teas 100 at 3-2 RUNNING node=1
            4100  answer: done
        "]],
    );
}

#[test]
fn a_crash_is_an_end_without_a_word() {
    check(
        "
        0    begin 3 TE teas
        0    up 1 100
        500  s1 1 Monitor
        600  crash 100
        601  exited 1 137
        602  crash 100
        ",
        expect![[r"
            0     spawn e1 at 3 TE teas -
            500   s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  TE teas 100 at 3-1 RUNNING node=1
            600   kill e1
            600   answer: done
            601   s1 ProcessExit TE teas 100 at 3-1 RUNNING node=1
            602   answer: there is no engine with pid 100
        "]],
    );
}

#[test]
fn a_leftover_was_told_to_be_gone_and_goes_without_a_word() {
    check(
        "
        0    begin 1 SM teas /a
        0    begin 3 TE teas
        0    up 1 100
        500  s1 1 Monitor
        600  orphan 100
        650  orphan 200
        700  s2 2 Monitor
        800  lose 1
        900  return 1
        1000 s3 1 ProcessStop PID=100
        1100 exited 1 137
        ",
        expect![[r"
            0     spawn e1 at 1 SM teas /a
            0     spawn e2 at 3 TE teas -
            500   s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  SM teas 100 at 1-1 RUNNING node=1
            600   s1 ProcessExit SM teas 100 at 1-1 RUNNING node=1
            600   answer: done
            650   answer: there is no engine with pid 200
            700   s2 Status 2-1
                  broker 1-1:4001
                  agent 3-1:4003
            800   listen 1 false
            800   cut all at 1
            800   s2 BrokerExit 1-1:4001
            800   answer: done
            900   listen 1 true
            900   s2 NewBroker 1-2:4001
            900   answer: done
            1000  kill e1
            1100  s3 ProcessStop ExitCode=137
            1100  done s3
        "]],
    );
}

#[test]
fn an_engine_of_a_crash_loop_ends_soon_after_it_registered() {
    check(
        "
        0    begin 1 SM teas /a
        0    up 1 100
        500  s1 1 Monitor
        600  fail-next 3 crash 40
        600  fail-next 3 silent
        600  s2 3 ProcessStart Process=server --database=teas
        620  up 2 200
        662  exited 2 137
        700  forgive 3
        700  s3 3 ProcessStart Process=server --database=teas
        ",
        expect![[r"
            0     spawn e1 at 1 SM teas /a
            500   s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  SM teas 100 at 1-1 RUNNING node=1
            600   answer: done
            600   answer: done
            600   s2 ProcessStart StartId=1003001000001
            600   done s2
            600   spawn e2 at 3 TE teas -
            620   s1 NewProcess TE teas 200 at 3-1 start=1003001000001
            660   kill e2
            662   s1 ProcessExit TE teas 200 at 3-1
            700   answer: done
            700   s3 ProcessStart StartId=1003001000002
            700   done s3
            700   spawn e3 at 3 TE teas -
        "]],
    );
}

#[test]
fn one_that_hangs_is_shown_as_before() {
    check(
        "
        0    begin 3 TE teas
        0    up 1 100
        500  hang 100
        500  hang 7
        600  s1 1 Monitor
        ",
        expect![[r"
            0     spawn e1 at 3 TE teas -
            500   hang e1
            500   answer: done
            500   answer: there is no engine with pid 7
            600   s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  TE teas 100 at 3-1 RUNNING node=1
        "]],
    );
}

#[test]
fn every_start_is_on_record_with_what_lived_of_it() {
    let script = "
        0    begin 1 SM teas /a
        0    up 1 100
        600  fail-next 3 silent
        600  s1 3 ProcessStart Process=server --database=teas
        700  s2 2 ProcessStart Process=server --database=teas
        720  up 2 200
        800  orphan 100
        900  exited 2 137
        ";
    let mut world = three_peers(Pace::REAL);
    play(&mut world, script, 900);
    let starts = world.starts();
    let asked: Vec<Asker> = starts.iter().map(|it| it.asker).collect();
    let client = |it| Asker::Client(SessionId(it));
    assert_eq!(asked, [Asker::Nobody, client(1), client(2)]);
    let at = |index: usize, at| starts[index].lived_at(millis(at));
    assert!(at(0, 850), "a leftover lives, whatever was told");
    assert_eq!(starts[0].held_at(millis(850)).map(|it| &**it), Some("/a"));
    assert_eq!(starts[0].disowned, Some(millis(800)));
    assert_eq!((starts[1].engine, starts[1].pid), (None, None));
    assert_eq!(starts[2].registered, Some(millis(720)));
    assert!(at(2, 899) && !at(2, 900) && !at(2, 719));
}
