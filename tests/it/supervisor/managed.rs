//! Stories of databases that the domain manages itself: their descriptions come and go.

use super::harness::check;

#[test]
fn a_database_that_the_domain_manages_is_left_alone_from_the_first_exit_on() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, sm 4@a of coffee, te 5@b of coffee
        1   managed coffee ACTIVE, tonic
        10  exit te 2@b
        10  exit te 5@b of coffee
        11  ready 1
        12  join te 6@b
        130 why coffee/te/1
        140 managed coffee INACTIVE
        ",
        "
        1 domain_frozen coffee: gate another-healer
        10.05 process_failed te 2@b
        10.05 process_failed te 5@b
        10.05 database_degraded teas
        10.05 database_degraded coffee
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        12 process_joined te 6@b
        12 action_succeeded 1 te/1 on b
        12 database_restored teas
        130 coffee/te/1 vacant: nobody sits there: somebody else heals
        - wanted: a process ran there for at least min-uptime (30s)
        - exit: it ran at b: its exit was told, since 10.05
        - another-healer: the domain manages it by a description of its own (ACTIVE): what it la ...
        at 10.05 vacant: 5@b its exit was told
        at 10.05 blocked by another-healer: somebody else heals
        130.05 slot_blocked te/1: gate another-healer
        ",
    );
}

#[test]
fn a_description_that_comes_while_a_start_is_prepared_keeps_it_from_leaving() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b
        10  exit te 2@b
        11  managed teas ACTIVE
        12  ready 1
        200 managed
        201 ready 2
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 domain_frozen teas: gate another-healer
        12 abandon 1
        12 action_failed 1 te/1 on b: somebody else heals the database
        130.05 slot_blocked te/1: gate another-healer
        200 domain_thawed teas: gate another-healer
        200 action_started 2 te/1 on b: its exit was told; try 1, here; processes there: 0
        200 prepare 2 te on b
        201 commit 2
        ",
    );
}

#[test]
fn what_a_description_said_is_remembered_until_the_domain_says_otherwise() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b
        1   managed teas ACTIVE
        10  exit te 2@b
        20  lost
        30  restart
        31  up a* b c: sm 1@a
        60  managed
        ",
        "
        1 domain_frozen teas: gate another-healer
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        20 domain_disconnected: closed
        20 domain_frozen: gate not-synced
        31 domain_connected
        31 domain_thawed: gate not-synced
        60 domain_thawed teas: gate another-healer
        60 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        60 prepare 1 te on b
        ",
    );
}

#[test]
fn a_person_or_the_configuration_can_have_it_healed_all_the_same() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b
        1   managed teas ACTIVE
        10  exit te 2@b
        20  say ada thaw prod another-healer for 60 because the enforcer is off
        21  ready 1
        22  join te 5@b
        22  registered 1 5
        100 exit te 5@b
        110 reload heal-managed
        111 managed teas INACTIVE
        112 answers 2
        ",
        "
        1 domain_frozen teas: gate another-healer
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        20 operator_command: ada overrides the gate another-healer, until ...
        20 domain_thawed teas: gate another-healer
        20 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        20 prepare 1 te on b
        20 accepted: the gate another-healer does not count until ...
        21 commit 1
        22 process_joined te 5@b
        22 action_succeeded 1 te/1 on b
        22 database_restored teas
        80 domain_frozen teas: gate another-healer
        100.05 process_failed te 5@b
        100.05 database_degraded teas
        110 domain_thawed teas: gate another-healer
        110 ask 2 whether b answers
        112 action_started 3 te/1 on c: its exit was told; try 2, elsewhere; processes there: 0
        112 prepare 3 te on c
        ",
    );
}
