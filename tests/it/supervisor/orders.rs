//! Stories of gates that a person overrides, and of what a person has forgotten.

use super::harness::{check, check_with, settings};

#[test]
fn a_gate_that_is_thawed_does_not_count_for_a_while_and_then_does_again() {
    check(
        "
        0   up a* b c d e: sm 1@a, te 2@b, te 3@c
        10  lose d
        10  lose e
        12  exit te 2@b
        15  say ada thaw prod storm for 20 because the rack is being moved
        16  ready 1
        17  join te 5@b
        17  registered 1 5
        40  exit te 3@c
        41  wait
        ",
        "
        10 domain_frozen: gate storm
        12.05 process_failed te 2@b
        12.05 database_degraded teas
        15 operator_command: ada overrides the gate storm, until ...
        15 domain_thawed: gate storm
        15 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        15 prepare 1 te on b
        15 accepted: the gate storm does not count until ...
        16 commit 1
        17 process_joined te 5@b
        17 action_succeeded 1 te/1 on b
        17 database_restored teas
        35 domain_frozen: gate storm
        40.05 process_failed te 3@c
        40.05 database_degraded teas
        ",
    );
}

#[test]
fn an_override_outlives_a_restart_of_the_daemon_and_a_refusal_says_what_else_there_is() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b
        1   say ada thaw prod storm for 60
        2   say ada thaw prod journal for 60
        3   say ada thaw prod memory for 60
        4   say ada thaw prod not-synced for 60
        5   say ada thaw prod views-differ for 60
        6   say ada thaw prod clock for 60
        7   say ada thaw prod door for 60
        8   say ada thaw teas storm for 60
        10  recovered-backup
        11  say ada thaw prod recovered for 60 because nothing was under way
        12  restart
        13  up a* b c: sm 1@a, te 2@b
        15  exit te 2@b
        16  ready 1
        ",
        "
        1 refused: the gate storm is open
        2 refused: nothing that is done could be remembered; make room for the journal instead
        3 refused: `dbwarden resume --accept-lost-memory` opens the gate memory
        4 refused: without a session nothing can be known, or started; the gate not-synced has n ...
        5 refused: who is out of reach and answers us lives; `dbwarden confirm-dead` says otherwise
        6 refused: what is known may be old; the gate clock opens with a fresh picture
        7 refused: there is no gate `door`; there are another-healer, clock, journal, lease, ...
        8 refused: `thaw` is said of a domain, and not of teas
        10 domain_frozen: gate recovered
        11 operator_command: ada overrides the gate recovered, until ...
        11 domain_thawed: gate recovered
        11 accepted: the gate recovered does not count until ...
        12 domain_frozen: gate not-synced
        13 domain_connected
        13 domain_thawed: gate not-synced
        15.05 process_failed te 2@b
        15.05 database_degraded teas
        15.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        15.05 prepare 1 te on b
        16 commit 1
        ",
    );
}

#[test]
fn a_database_that_is_forgotten_is_not_missed() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  failed 1 no
        11.5 say ada forget teas because it moves
        20  exit te 3@c
        30  restart
        31  up a* b c: sm 1@a
        200 say ada forget teas
        300 wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 action_failed 1 te/1 on b: no
        11.5 operator_command teas: ada has teas forgotten: it moves
        11.5 database_restored teas
        11.5 accepted: teas is forgotten; 1 slots are not wanted any more
        20.05 process_failed te 3@c
        20.05 database_degraded teas
        20.05 action_started 2 te/2 on c: its exit was told; try 1, here; processes there: 0
        20.05 prepare 2 te on c
        30 domain_frozen: gate not-synced
        30 action_failed 2 te/2 on c: not sent: the daemon ended before the request left
        31 domain_connected
        31 domain_thawed: gate not-synced
        31.046 ask 3 whether c answers
        200 operator_command teas: ada has teas forgotten
        200 database_restored teas
        200 accepted: teas is forgotten; 1 slots are not wanted any more
        ",
    );
}

#[test]
fn what_is_declared_of_a_forgotten_database_is_wanted_still() {
    let mut settings = settings();
    settings.policies[0].te = Some(super::Bounds { min: 1, max: None });
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        5   say ada scale teas to 3
        10  exit te 2@b
        12  say ada forget teas
        13  ready 1
        14  exit te 3@c
        15  wait
        ",
        "
        5 operator_command teas: ada wants 3 transaction engines of teas
        5 action_started 1 te/3 on a: declared, and missing; try 1, elsewhere; processes there: 1
        5 prepare 1 te on a
        5 database_degraded teas
        5 accepted: 3 transaction engines of teas are wanted, until it is scaled again or forgotten
        10.05 process_failed te 2@b
        12 operator_command teas: ada has teas forgotten
        12 accepted: teas is forgotten; 1 slots are not wanted any more
        13 abandon 1
        13 action_failed 1 te/3 on a: nobody wants it any more
        13 action_started 2 te/1 on b: its exit was told; try 1, here; processes there: 0
        13 prepare 2 te on b
        14.05 process_failed te 3@c
        ",
    );
}

#[test]
fn what_ran_at_a_forgotten_peer_is_not_missed_and_a_peer_that_is_there_is_kept() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        5   say ada forget b
        10  lose b
        15  say ada forget b because its host is scrapped
        16  say ada forget b
        300 wait
        310 exit te 3@c
        311 ready 1
        ",
        "
        5 refused: b is connected; only a peer that is gone can be forgotten
        10 process_unreachable te 2@b
        10 database_degraded teas
        15 operator_command: ada has b forgotten: its host is scrapped
        15 database_restored teas
        15 accepted: b is forgotten; 1 slots are not wanted any more
        16 operator_command: ada has b forgotten
        16 accepted: b is forgotten; 0 slots are not wanted any more
        310.05 process_failed te 3@c
        310.05 database_degraded teas
        310.05 action_started 1 te/2 on c: its exit was told; try 1, here; processes there: 0
        310.05 prepare 1 te on c
        311 commit 1
        ",
    );
}
