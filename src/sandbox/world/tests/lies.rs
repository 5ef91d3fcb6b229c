//! Stories of agents that lie.

use super::*;

#[test]
fn a_start_is_said_to_go_well_and_nothing_is_started_until_the_agent_confesses() {
    check(
        "
        0     begin 1 SM teas /a
        0     up 1 100
        500   s1 1 Monitor
        600   fail-next 3 invented
        700   s2 3 ProcessStart Process=server --database=teas
        1000  s3 1 Monitor
        1100  lie 3 no-more
        1200  s4 3 ProcessStart Process=server --database=teas
        ",
        expect![[r"
            0     spawn e1 at 1 SM teas /a
            500   s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  SM teas 100 at 1-1 RUNNING node=1
            600   answer: done
            700   s2 ProcessStart StartId=1003001000001
            700   done s2
            700   s1 NewProcess TE teas 4194305 at 3-1 start=1003001000001
            850   s1 StatusChanged ACTIVE TE teas 4194305 at 3-1 ACTIVE node=2
            860   s1 StatusChanged RUNNING TE teas 4194305 at 3-1 RUNNING node=2
            1000  s3 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  SM teas 100 at 1-1 RUNNING node=1
                  TE teas 4194305 at 3-1 RUNNING node=2
            1100  s1 ProcessExit TE teas 4194305 at 3-1 RUNNING node=2
            1100  s3 ProcessExit TE teas 4194305 at 3-1 RUNNING node=2
            1100  answer: done
            1200  s4 ProcessStart StartId=1003001000002
            1200  done s4
            1200  spawn e3 at 3 TE teas -
        "]],
    );
}

#[test]
fn an_engine_that_nobody_started_is_told_of_and_ends_when_it_is_killed_or_asked_to() {
    check(
        "
        0     s1 1 Monitor
        100   lie 3 invent teas
        100   lie 2 invent teas
        100   lie 9 invent teas
        600   s2 3 ProcessStop PID=4194305
        700   shutdown 1 00000000-2-1 4194306
        900   s3 1 Monitor
        ",
        expect![[r"
            0     s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
            100   s1 NewProcess TE teas 4194305 at 3-1
            100   answer: done
            100   s1 NewProcess TE teas 4194306 at 2-1
            100   answer: done
            100   answer: there is no peer 9
            250   s1 StatusChanged ACTIVE TE teas 4194305 at 3-1 ACTIVE node=1
            250   s1 StatusChanged ACTIVE TE teas 4194306 at 2-1 ACTIVE node=2
            260   s1 StatusChanged RUNNING TE teas 4194305 at 3-1 RUNNING node=1
            260   s1 StatusChanged RUNNING TE teas 4194306 at 2-1 RUNNING node=2
            600   s2 ProcessStop ExitCode=0
            600   done s2
            600   s1 ProcessExit TE teas 4194305 at 3-1 RUNNING node=1
            700   s1 StatusChanged SHUTTING_DOWN TE teas 4194306 at 2-1 SHUTTING_DOWN node=2
            800   s1 ProcessExit TE teas 4194306 at 2-1 SHUTTING_DOWN node=2
            900   s3 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
        "]],
    );
}

#[test]
fn an_engine_that_lives_is_not_told_of_until_the_agent_confesses() {
    check(
        "
        0     begin 3 TE teas
        0     begin 3 TE coffee
        0     up 1 100
        0     up 2 200
        500   s1 1 Monitor
        600   lie 2 omit 100
        600   lie 3 omit 100
        600   lie 3 omit 200
        700   s2 1 Monitor
        800   exited 2 137
        900   lie 3 no-more
        1000  s3 1 Monitor
        ",
        expect![[r"
            0     spawn e1 at 3 TE teas -
            0     spawn e2 at 3 TE coffee -
            500   s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  TE coffee 200 at 3-1 RUNNING node=1
                  TE teas 100 at 3-1 RUNNING node=1
            600   answer: the engine with pid 100 does not run at peer 2
            600   answer: done
            600   answer: done
            700   s2 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
            900   s1 NewProcess TE teas 100 at 3-1 RUNNING node=1
            900   s2 NewProcess TE teas 100 at 3-1 RUNNING node=1
            900   answer: done
            1000  s3 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  TE teas 100 at 3-1 RUNNING node=1
        "]],
    );
}
