//! Stories of managed databases, and of the enforcer that keeps them.

use super::*;

fn managed() -> World {
    let mut world = three_peers(Pace::REAL);
    world.manage("teas");
    world
}

/// A managed database with a storage manager and two transaction engines.
const TEAS: &str = "
    0    begin 1 SM teas /a
    0    begin 2 TE teas
    0    begin 3 TE teas
    0    up 1 100
    0    up 2 200
    0    up 3 300
    ";

#[expect(
    clippy::needless_pass_by_value,
    reason = "`expect![]` is meant to be handed over"
)]
fn check(script: &str, until: u64, expected: Expect) {
    let told = play(&mut managed(), &(TEAS.to_owned() + script), until);
    expected.assert_eq(&told);
}

#[test]
fn the_enforcer_starts_again_what_is_missing_one_at_a_time_and_managers_at_home() {
    check(
        "
        500   s1 1 Monitor
        40000 exited 1 137
        40000 exited 2 137
        40100 up 4 110
        52000 up 5 210
        ",
        53_000,
        expect![[r"
            0     spawn e1 at 1 SM teas /a
            0     spawn e2 at 2 TE teas -
            0     spawn e3 at 3 TE teas -
            500   s1 Status 1-1
                  broker 2-1:4002
                  agent 3-1:4003
                  SM teas 100 at 1-1 RUNNING node=1
                  TE teas 200 at 2-1 RUNNING node=2
                  TE teas 300 at 3-1 RUNNING node=3
            40000 s1 ProcessExit SM teas 100 at 1-1 RUNNING node=1
            40000 spawn e4 at 1 SM teas /a
            40000 s1 ProcessExit TE teas 200 at 2-1 RUNNING node=2
            40100 s1 NewProcess SM teas 110 at 1-1 start=1001001000001
            40250 s1 StatusChanged ACTIVE SM teas 110 at 1-1 ACTIVE node=4
            40260 s1 StatusChanged RUNNING SM teas 110 at 1-1 RUNNING node=4
            50000 spawn e5 at 1 TE teas -
            52000 s1 NewProcess TE teas 210 at 1-1 start=1001001000002
            52150 s1 StatusChanged ACTIVE TE teas 210 at 1-1 ACTIVE node=5
            52160 s1 StatusChanged RUNNING TE teas 210 at 1-1 RUNNING node=5
        "]],
    );
}

#[test]
fn a_place_where_engines_do_not_last_has_to_wait_longer_each_time() {
    check(
        "
        40000 exited 3 137
        40100 up 4 310
        50000 exited 4 137
        50100 exited 5 134
        ",
        115_000,
        expect![[r"
            0     spawn e1 at 1 SM teas /a
            0     spawn e2 at 2 TE teas -
            0     spawn e3 at 3 TE teas -
            40000 spawn e4 at 1 TE teas -
            50000 spawn e5 at 3 TE teas -
            110000 spawn e6 at 1 TE teas -
        "]],
    );
}

#[test]
fn a_silent_start_keeps_the_enforcer_from_everything_for_a_while() {
    check(
        "
        40000 fail-next 1 silent
        40000 exited 3 137
        40100 exited 1 137
        ",
        85_000,
        expect![[r"
            0     spawn e1 at 1 SM teas /a
            0     spawn e2 at 2 TE teas -
            0     spawn e3 at 3 TE teas -
            40000 answer: done
            70000 spawn e4 at 1 SM teas /a
        "]],
    );
}

#[test]
fn a_description_is_listed_shown_stopped_and_started() {
    check(
        "
        500   s1 1 Description Action=ListDescriptions
        500   s2 1 Description Action=GetDescription DatabaseName=teas
        500   s3 1 Description Action=GetDescription DatabaseName=nuts
        500   s4 1 Description Action=StartDescription DatabaseName=teas
        600   s5 1 Description Action=StopDescription DatabaseName=teas
        650   s6 1 Description Action=StopDescription DatabaseName=teas
        710   exited 2 0
        720   exited 3 0
        830   exited 1 0
        900   s7 1 Description Action=GetDescription DatabaseName=teas
        950   s8 1 Description Action=StartDescription DatabaseName=teas
        960   s9 3 Description Action=ListDescriptions
        970   s10 1 Description Action=UpdateDescription DatabaseName=nuts
        ",
        1_000,
        expect![[r"
            0     spawn e1 at 1 SM teas /a
            0     spawn e2 at 2 TE teas -
            0     spawn e3 at 3 TE teas -
            500   s1 Descriptions
                  Description DatabaseName=teas
            500   done s1
            500   s2 Description DatabaseName=teas
                  Template: Multi Host
                  Variables
                  Variable Key=SM_MIN: 1
                  Variable Key=TE_MIN: 2
                  Status: ACTIVE
                  LiveStatus: MET
            500   done s2
            500   s3 Error text=Unknown description: nuts
            500   done s3
            500   s4 Error text=Description teas was already started.
            500   done s4
            600   s5 Success
            600   done s5
            650   s6 Error text=Description teas was already stopped.
            650   done s6
            700   stop e2
            700   stop e3
            820   stop e1
            900   s7 Description DatabaseName=teas
                  Template: Multi Host
                  Variables
                  Variable Key=SM_MIN: 1
                  Variable Key=TE_MIN: 2
                  Status: STOPPED
                  LiveStatus: UNMET
            900   done s7
            950   spawn e4 at 1 SM teas /a
            950   s8 Success
            950   done s8
            960   s9 Error text=Description is a service of brokers; this peer is an agent
            960   close s9
            970   s10 Error text=The sandbox has no description action UpdateDescription
            970   done s10
        "]],
    );
}

#[test]
fn a_database_that_runs_can_be_described_and_left_to_others_again() {
    let script = "
        500   s1 1 Description Action=CreateDescription DatabaseName=nuts
        500   s2 1 Description Action=CreateDescription DatabaseName=teas
        500   s3 1 Description Action=CreateDescription DatabaseName=teas
        500   s4 1 Description Action=GetDescription DatabaseName=teas
        40000 exited 2 137
        40100 up 4 110
        60000 s5 1 Description Action=DeleteDescription DatabaseName=teas
        60000 s6 1 Description Action=DeleteDescription DatabaseName=teas
        70000 exited 4 137
        ";
    let told = play(
        &mut three_peers(Pace::REAL),
        &(TEAS.to_owned() + script),
        120_000,
    );
    expect![[r"
        0     spawn e1 at 1 SM teas /a
        0     spawn e2 at 2 TE teas -
        0     spawn e3 at 3 TE teas -
        500   s1 Error text=No storage manager of nuts runs; the sandbox describes databases that do
        500   done s1
        500   s2 Success
        500   done s2
        500   s3 Error text=Description teas already exists
        500   done s3
        500   s4 Description DatabaseName=teas
              Template: Multi Host
              Variables
              Variable Key=SM_MIN: 1
              Variable Key=TE_MIN: 2
              Status: ACTIVE
              LiveStatus: MET
        500   done s4
        40000 spawn e4 at 1 TE teas -
        60000 s5 Success
        60000 done s5
        60000 s6 Error text=Unknown description: teas
        60000 done s6
    "]]
    .assert_eq(&told);
}

#[test]
fn what_is_known_of_an_archive_is_told_where_it_is() {
    check(
        "
        500   s1 1 ProcessStart Process=archiveHistory --archive=/a
        500   s2 2 ProcessStart Process=archiveHistory --archive=/a
        600   orphan 100
        700   s3 1 ProcessStart Process=archiveHistory --archive=/a
        ",
        700,
        expect![[r"
            0     spawn e1 at 1 SM teas /a
            0     spawn e2 at 2 TE teas -
            0     spawn e3 at 3 TE teas -
            500   s1 ArchiveHistory Archive=/a Database=teas Runs=1 LastUsed=500000 InUse=true
            500   done s1
            500   s2 Error text=/a: Archive does not exist
            500   done s2
            600   answer: done
            700   s3 ArchiveHistory Archive=/a Database=teas Runs=1 LastUsed=700000 InUse=true
            700   done s3
        "]],
    );
}

#[test]
fn an_agent_may_say_of_its_archives_what_is_not_so() {
    check(
        "
        500   lie 1 last-used 7
        510   s1 1 ProcessStart Process=archiveHistory --archive=/a
        520   lie 1 last-used yesterday
        530   s2 1 ProcessStart Process=archiveHistory --archive=/a
        540   lie 1 no-more
        550   s3 1 ProcessStart Process=archiveHistory --archive=/a
        ",
        700,
        expect![[r"
            0     spawn e1 at 1 SM teas /a
            0     spawn e2 at 2 TE teas -
            0     spawn e3 at 3 TE teas -
            500   answer: done
            510   s1 ArchiveHistory Archive=/a Database=teas Runs=1 LastUsed=7 InUse=true
            510   done s1
            520   answer: done
            530   s2 ArchiveHistory Archive=/a Database=teas Runs=1 LastUsed=yesterday InUse=true
            530   done s2
            540   answer: done
            550   s3 ArchiveHistory Archive=/a Database=teas Runs=1 LastUsed=550000 InUse=true
            550   done s3
        "]],
    );
}
