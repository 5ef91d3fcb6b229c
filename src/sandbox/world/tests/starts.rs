//! Stories of starts and ends.

use super::*;

#[test]
fn a_start_is_answered_then_joins_then_runs() {
    check(
        "
        0    begin 1 SM teas /a
        0    up 1 100
        500  s1 1 Monitor
        600  s2 3 ProcessStart Process=server StartBarrierTimeout=-1 --mem=1g --database=teas
        620  up 2 200
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
            620   s1 NewProcess TE teas 200 at 3-1 start=1003001000001
            770   s1 StatusChanged ACTIVE TE teas 200 at 3-1 ACTIVE node=2
            780   s1 StatusChanged RUNNING TE teas 200 at 3-1 RUNNING node=2
        "]],
    );
}

#[test]
fn a_further_storage_manager_takes_over_before_it_runs() {
    check(
        "
        0    begin 1 SM teas /a
        0    up 1 100
        500  s1 1 Monitor
        600  s2 2 ProcessStart Process=server --archive=/b --initialize --database=teas
        600  up 2 200
        ",
        expect![[r"
            0     spawn e1 at 1 SM teas /a
            500   s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  SM teas 100 at 1-1 RUNNING node=1
            600   s2 ProcessStart StartId=1002001000001
            600   done s2
            600   spawn e2 at 2 SM teas /b new
            600   s1 NewProcess SM teas 200 at 2-1 start=1002001000001
            750   s1 StatusChanged ACTIVE SM teas 200 at 2-1 ACTIVE node=2
            760   s1 StatusChanged SYNCING SM teas 200 at 2-1 SYNCING node=2
            810   s1 StatusChanged RUNNING SM teas 200 at 2-1 RUNNING node=2
        "]],
    );
}

#[test]
fn a_failed_start_is_told_twice_with_its_own_reason_first() {
    check(
        "
        0    s1 1 Monitor
        100  s2 3 ProcessStart Process=server --archive=/a --database=teas
        120  failed 1 /a: Archive does not exist
        121  exited 1 5
        300  s3 3 ProcessStart Process=server --archive=/a --database=teas
        320  exited 2 134
        ",
        expect![[r"
            0     s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
            100   s2 ProcessStart StartId=1003001000001
            100   done s2
            100   spawn e1 at 3 SM teas /a
            120   kill e1
            120   s1 ProcessFailed 1003001000001 at 3-1
                  /a: Archive does not exist
            220   s1 ProcessFailed 1003001000001 at 3-1
                  Unknown startup failure
            300   s3 ProcessStart StartId=1003001000002
            300   done s3
            300   spawn e2 at 3 SM teas /a
            320   s1 ProcessFailed 1003001000002 at 3-1
                  Process exited with code 134 before it registered
            420   s1 ProcessFailed 1003001000002 at 3-1
                  Unknown startup failure
        "]],
    );
}

#[test]
fn a_start_that_makes_no_sense_fails_and_says_why() {
    check(
        "
        0    s1 1 Monitor
        1000  s2 1 ProcessStart Process=server --archive=/a
        2000  s2 1 ProcessStart Process=server --initialize --database=teas
        3000  s2 1 ProcessStart Process=server --archive --database=teas
        4000  s2 1 ProcessStart Process=server --database=teas --dba-user=dba --dba-password=dba
        5000  s2 1 ProcessStart Process=archiveHistory --archive=/a
        ",
        expect![[r"
            0     s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
            1000  s2 ProcessStart StartId=1001001000001
            1000  done s2
            1020  s1 ProcessFailed 1001001000001 at 1-1
                  No database was named: --database is missing
            1120  s1 ProcessFailed 1001001000001 at 1-1
                  Unknown startup failure
            2000  s2 ProcessStart StartId=1001001000002
            2000  done s2
            2020  s1 ProcessFailed 1001001000002 at 1-1
                  Nothing to initialize: --archive is missing
            2120  s1 ProcessFailed 1001001000002 at 1-1
                  Unknown startup failure
            3000  s2 ProcessStart StartId=1001001000003
            3000  done s2
            3020  s1 ProcessFailed 1001001000003 at 1-1
                  No archive was named: --archive has no value
            3120  s1 ProcessFailed 1001001000003 at 1-1
                  Unknown startup failure
            4000  s2 ProcessStart StartId=1001001000004
            4000  done s2
            4020  s1 ProcessFailed 1001001000004 at 1-1
                  Unknown database: teas has no storage manager yet
            4120  s1 ProcessFailed 1001001000004 at 1-1
                  Unknown startup failure
            5000  s2 Error text=/a: Archive does not exist
            5000  done s2
        "]],
    );
}

#[test]
fn the_first_transaction_engine_brings_a_dba_and_no_other_needs_one() {
    check(
        "
        0     s1 1 Monitor
        0     s2 1 ProcessStart Process=server --archive=/a --initialize --database=teas
        0     up 1 100
        1000  s2 1 ProcessStart Process=server --database=teas
        2000  s2 1 ProcessStart Process=server --dba-user=dba --database=teas
        3000  s2 1 ProcessStart Process=server --dba-user=dba --dba-password=x --database=teas
        3000  up 2 200
        4000  exited 2 137
        4000  exited 1 137
        5000  s2 1 ProcessStart Process=server --database=teas
        ",
        expect![[r"
            0     s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
            0     s2 ProcessStart StartId=1001001000001
            0     done s2
            0     spawn e1 at 1 SM teas /a new
            0     s1 NewProcess SM teas 100 at 1-1 start=1001001000001
            150   s1 StatusChanged ACTIVE SM teas 100 at 1-1 ACTIVE node=1
            160   s1 StatusChanged RUNNING SM teas 100 at 1-1 RUNNING node=1
            1000  s2 ProcessStart StartId=1001001000002
            1000  done s2
            1020  s1 ProcessFailed 1001001000002 at 1-1
                  The first transaction engine of teas takes --dba-user and --dba-password
            1120  s1 ProcessFailed 1001001000002 at 1-1
                  Unknown startup failure
            2000  s2 ProcessStart StartId=1001001000003
            2000  done s2
            2020  s1 ProcessFailed 1001001000003 at 1-1
                  --dba-user comes with --dba-password
            2120  s1 ProcessFailed 1001001000003 at 1-1
                  Unknown startup failure
            3000  s2 ProcessStart StartId=1001001000004
            3000  done s2
            3000  spawn e2 at 1 TE teas -
            3000  s1 NewProcess TE teas 200 at 1-1 start=1001001000004
            3150  s1 StatusChanged ACTIVE TE teas 200 at 1-1 ACTIVE node=2
            3160  s1 StatusChanged RUNNING TE teas 200 at 1-1 RUNNING node=2
            4000  s1 ProcessExit TE teas 200 at 1-1 RUNNING node=2
            4000  s1 ProcessExit SM teas 100 at 1-1 RUNNING node=1
            5000  s2 ProcessStart StartId=1001001000005
            5000  done s2
            5000  spawn e3 at 1 TE teas -
        "]],
    );
}

#[test]
fn a_killed_engine_exits_once_and_its_killer_learns_the_code() {
    check(
        "
        0    begin 3 TE teas
        0    up 1 100
        100  s1 1 Monitor
        100  s2 3 ProcessStop PID=100
        101  exited 1 137
        200  s3 3 ProcessStop PID=100
        201  s4 3 ProcessStop PID=x
        ",
        expect![[r"
            0     spawn e1 at 3 TE teas -
            100   s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  TE teas 100 at 3-1
            100   kill e1
            101   s2 ProcessStop ExitCode=137
            101   done s2
            101   s1 ProcessExit TE teas 100 at 3-1
            200   s3 Error text=Unknown process: no pid 100 at this peer
            200   done s3
            201   s4 Error text=Unknown process: no pid x at this peer
            201   done s4
        "]],
    );
}

#[test]
fn a_stop_is_asked_at_the_peer_that_runs_the_engine() {
    check(
        "
        0    begin 3 TE teas
        0    up 1 100
        500  s1 1 ProcessStop PID=100
        ",
        expect![[r"
            0     spawn e1 at 3 TE teas -
            500   s1 Error text=Unknown process: no pid 100 at this peer
            500   done s1
        "]],
    );
}

#[test]
fn a_graceful_end_passes_through_shutting_down() {
    check(
        "
        0    begin 3 TE teas
        0    up 1 100
        500  s1 1 Monitor
        600  shutdown 1 00000000-3-1 100
        650  shutdown 1 00000000-3-1 100
        710  exited 1 0
        ",
        expect![[r"
            0     spawn e1 at 3 TE teas -
            500   s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  TE teas 100 at 3-1 RUNNING node=1
            600   s1 StatusChanged SHUTTING_DOWN TE teas 100 at 3-1 SHUTTING_DOWN node=1
            700   stop e1
            710   s1 ProcessExit TE teas 100 at 3-1 SHUTTING_DOWN node=1
        "]],
    );
}

#[test]
fn an_engine_that_does_not_end_when_asked_is_killed() {
    check(
        "
        0     begin 3 TE teas
        0     up 1 100
        500   s1 1 Monitor
        600   shutdown 1 00000000-3-1 100
        5800  exited 1 137
        ",
        expect![[r"
            0     spawn e1 at 3 TE teas -
            500   s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  TE teas 100 at 3-1 RUNNING node=1
            600   s1 StatusChanged SHUTTING_DOWN TE teas 100 at 3-1 SHUTTING_DOWN node=1
            700   stop e1
            5700  kill e1
            5800  s1 ProcessExit TE teas 100 at 3-1 SHUTTING_DOWN node=1
        "]],
    );
}

#[test]
fn an_engine_that_ends_on_its_way_up_is_never_told_of_again() {
    check(
        "
        0    begin 3 TE teas
        10   s1 1 Monitor
        20   up 1 100
        175  exited 1 134
        ",
        expect![[r"
            0     spawn e1 at 3 TE teas -
            10    s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
            20    s1 NewProcess TE teas 100 at 3-1
            170   s1 StatusChanged ACTIVE TE teas 100 at 3-1 ACTIVE node=1
            175   s1 ProcessExit TE teas 100 at 3-1 ACTIVE node=1
        "]],
    );
}

#[test]
fn a_shutdown_for_a_process_that_is_not_there_is_ignored() {
    check(
        "
        0  s1 1 Monitor
        1  shutdown 1 00000000-3-1 100
        1  shutdown 9 00000000-3-1 100
        ",
        expect![[r"
            0     s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
        "]],
    );
}

#[test]
fn with_no_pace_everything_happens_at_once_and_in_its_order() {
    let script = "
        0  begin 1 SM teas /a
        0  up 1 100
        1  s1 1 Monitor
        2  s2 3 ProcessStart Process=server --database=teas
        3  up 2 200
        4  s3 3 ProcessStart Process=server --database=other
        5  shutdown 1 00000000-3-1 200
        ";
    expect![[r"
        0     spawn e1 at 1 SM teas /a
        1     s1 Status 1-1
              broker 2-1:4002
              agent 3-1:4003
              SM teas 100 at 1-1 RUNNING node=1
        2     s2 ProcessStart StartId=1003001000001
        2     done s2
        2     spawn e2 at 3 TE teas -
        3     s1 NewProcess TE teas 200 at 3-1 start=1003001000001
        3     s1 StatusChanged ACTIVE TE teas 200 at 3-1 ACTIVE node=2
        3     s1 StatusChanged RUNNING TE teas 200 at 3-1 RUNNING node=2
        4     s3 ProcessStart StartId=1003001000002
        4     done s3
        4     s1 ProcessFailed 1003001000002 at 3-1
              Unknown database: other has no storage manager yet
        4     s1 ProcessFailed 1003001000002 at 3-1
              Unknown startup failure
        5     s1 StatusChanged SHUTTING_DOWN TE teas 200 at 3-1 SHUTTING_DOWN node=2
        5     stop e2
        5005  kill e2
    "]]
    .assert_eq(&tell(script, Pace::scaled(0)));
}
