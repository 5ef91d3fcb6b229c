//! Stories of what agents say when a start comes to nothing, and what follows from it.

use super::harness::{check, check_with, settings};

use dbwarden::policy::{Meaning, Reason};

#[test]
fn an_agent_that_is_not_ready_is_asked_again_and_that_is_no_try() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  ready 1
        12  refused 1 Timed out waiting to be ready to start: ProcessBarrier[DSMResync] not ready
        22  ready 2
        22  refused 2 Timed out waiting to be ready to start: ProcessBarrier[DSMResync] not ready
        32  ready 3
        33  join te 4@b
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        12 action_failed 1 te/1 on b: refused: Timed out waiting to be ready to start: ...
        22 action_started 2 te/1 on b: its exit was told; try 1, here; processes there: 0
        22 prepare 2 te on b
        22 commit 2
        22 action_failed 2 te/1 on b: refused: Timed out waiting to be ready to start: ...
        32 action_started 3 te/1 on b: its exit was told; try 1, here; processes there: 0
        32 prepare 3 te on b
        32 commit 3
        33 process_joined te 4@b
        33 action_succeeded 3 te/1 on b
        33 database_restored teas
        ",
    );
}

#[test]
fn a_host_without_permission_is_left_out_until_its_agent_was_away() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  ready 1
        12  failed 1 Unable to open the log: Permission denied
        15  answers 2
        16  ready 3
        17  failed 3 Unable to open the log: Permission denied
        200 restart
        201 up a* b c: sm 1@a, te 3@c
        300 lose b
        301 return b
        330 wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        12 action_failed 1 te/1 on b: Unable to open the log: Permission denied; not there again ...
        12.962 ask 2 whether b answers
        15 action_started 3 te/1 on a: its exit was told; try 2, elsewhere; processes there: 1
        15 prepare 3 te on a
        16 commit 3
        17 action_failed 3 te/1 on a: Unable to open the log: Permission denied; not there again ...
        130.05 slot_blocked te/1: gate no-peer
        200 domain_frozen: gate not-synced
        201 domain_connected
        201 domain_thawed: gate not-synced
        321 action_started 4 te/1 on b: its exit was told; try 3, here; processes there: 0
        321 prepare 4 te on b
        ",
    );
}

#[test]
fn options_that_no_engine_understands_are_for_a_person_to_mend() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  ready 1
        12  failed 1 Unrecognized option --mmem
        60  join te 4@b
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        12 action_failed 1 te/1 on b: Unrecognized option --mmem
        12 slot_held te/1: bad-option; ...
        60 process_joined te 4@b
        60 database_restored teas
        ",
    );
}

#[test]
fn the_configuration_says_what_other_words_mean() {
    let mut settings = settings();
    settings.reasons = vec![Reason {
        contains: "cannot allocate".to_owned(),
        means: Meaning::HostOut,
    }];
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  ready 1
        12  failed 1 Cannot allocate memory
        15  answers 2
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        12 action_failed 1 te/1 on b: Cannot allocate memory; not there again before its agent ...
        12.962 ask 2 whether b answers
        15 action_started 3 te/1 on a: its exit was told; try 2, elsewhere; processes there: 1
        15 prepare 3 te on a
        ",
    );
}

#[test]
fn other_options_end_the_hold_for_a_bad_one() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  ready 1
        12  failed 1 Unrecognized option --mmem
        60  restart
        61  up a* b c: sm 1@a, te 3@c
        100 reload other-options
        101 ready 2
        102 join te 4@b
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        12 action_failed 1 te/1 on b: Unrecognized option --mmem
        12 slot_held te/1: bad-option; other te-options, `dbwarden release`, or a process ...
        60 domain_frozen: gate not-synced
        61 domain_connected
        61 domain_thawed: gate not-synced
        100 slot_released te/1: its options are others now
        100 action_started 2 te/1 on b: its exit was told; try 2, here; processes there: 0
        100 prepare 2 te on b
        101 commit 2
        102 process_joined te 4@b
        102 action_succeeded 2 te/1 on b
        102 database_restored teas
        ",
    );
}
