//! Stories of starts that wait for a slow disk, while the world moves on.

use super::harness::{check, check_with, settings};

#[test]
fn a_start_leaves_when_the_disk_answers_and_nothing_speaks_against_it() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b
        10  exit te 2@b
        11  slow
        11  ready 1
        13  disk
        14  join te 5@b
        14  registered 1 5
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        13 commit 1
        14 process_joined te 5@b
        14 action_succeeded 1 te/1 on b
        14 database_restored teas
        ",
    );
}

#[test]
fn a_start_is_kept_back_if_a_gate_closed_while_it_waited_and_that_counts_no_try() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b
        10  exit te 2@b
        11  slow
        11  ready 1
        12  lost
        13  disk
        20  up a* b c: sm 1@a
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        12 domain_disconnected: closed
        12 domain_frozen: gate not-synced
        13 abandon 1
        13 action_failed 1 te/1 on b: gate not-synced closed
        20 domain_connected
        20 domain_thawed: gate not-synced
        20 action_started 2 te/1 on b: its exit was told; try 1, here; processes there: 0
        20 prepare 2 te on b
        ",
    );
}

#[test]
fn a_start_is_kept_back_if_another_process_took_its_seat_while_it_waited() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b
        10  exit te 2@b
        11  slow
        11  ready 1
        12  join te 7@c
        13  disk
        900 wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        12 process_joined te 7@c
        12 database_restored teas
        13 abandon 1
        13 action_failed 1 te/1 on b: another process took the seat before anything was asked
        ",
    );
}

#[test]
fn a_start_is_kept_back_if_the_seat_was_filled_and_lost_again_while_it_waited() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b
        10  exit te 2@b
        11  slow
        11  ready 1
        12  join te 7@c
        20  exit te 7@c
        21  disk
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        12 process_joined te 7@c
        12 database_restored teas
        20.05 process_failed te 7@c
        20.05 database_degraded teas
        21 abandon 1
        21 action_failed 1 te/1 on b: another process had the seat meanwhile
        ",
    );
}

#[test]
fn a_start_is_kept_back_if_a_second_engine_ended_while_it_waited() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  slow
        11  ready 1
        12  exit te 3@c
        13  disk
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        12.05 process_failed te 3@c
        13 abandon 1
        13 action_failed 1 te/1 on b: others of the database ended as well, maybe by a person
        ",
    );
}

#[test]
fn what_somebody_asked_for_leaves_after_a_slow_disk_too() {
    let mut settings = settings();
    settings.policies.clear();
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b
        10  exit te 2@b
        11  ask operator teas on b
        12  slow
        12  ready 1
        13  disk
        14  failed 1 no memory
        900 wait
        ",
        "
        10.05 process_failed te 2@b
        11 operator_command te/1: operator asks for an engine on b
        11 action_started 1 te/1 on b: operator asked for it; its exit was told; try 1, here; ...
        11 prepare 1 te on b
        11 accepted: te/1 on b (action 1) is being started
        13 commit 1
        14 action_failed 1 te/1 on b: no memory
        ",
    );
}

#[test]
fn what_somebody_asked_for_and_was_kept_back_is_tried_again() {
    let mut settings = settings();
    settings.policies.clear();
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b
        10  exit te 2@b
        11  ask operator teas on b
        12  slow
        12  ready 1
        13  lost
        14  disk
        20  up a* b c: sm 1@a
        ",
        "
        10.05 process_failed te 2@b
        11 operator_command te/1: operator asks for an engine on b
        11 action_started 1 te/1 on b: operator asked for it; its exit was told; try 1, here; ...
        11 prepare 1 te on b
        11 accepted: te/1 on b (action 1) is being started
        13 domain_disconnected: closed
        13 domain_frozen: gate not-synced
        14 abandon 1
        14 action_failed 1 te/1 on b: gate not-synced closed
        20 domain_connected
        20 domain_thawed: gate not-synced
        20 action_started 2 te/1 on b: operator asked for it; its exit was told; try 1, here; ...
        20 prepare 2 te on b
        ",
    );
}
