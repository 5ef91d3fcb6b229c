//! Stories of maintenance: people work at something, and the healer waits until its time is over.

use super::harness::check;

#[test]
fn what_ends_in_a_maintenance_is_healed_when_its_time_is_over() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b
        5   say ada maintain teas for 600 because a new kernel
        10  exit te 2@b
        606 ready 1
        ",
        "
        5 maintenance_started teas: of teas by ada, until 1970-01-02T01:10:05.000000Z: a new kernel
        5 accepted: teas is in maintenance until 1970-01-02T01:10:05.000000Z; healing ...
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        130.05 slot_blocked te/1: gate maintenance by ada, until 1970-01-02T01:10:05.000000Z: a ...
        305 maintenance_ending teas: of teas by ada, until 1970-01-02T01:10:05.000000Z: a new kernel
        605 maintenance_ended teas: of teas: its time is over
        605 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        605 prepare 1 te on b
        606 commit 1
        ",
    );
}

#[test]
fn what_ran_on_a_peer_in_maintenance_waits_for_its_end_and_others_do_not() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        5   say ada maintain b for 3600 because memory
        10  exit te 2@b
        20  exit te 3@c
        21  ready 1
        22  join te 5@c
        22  registered 1 5
        60  say ada end-maintenance b because done
        ",
        "
        5 maintenance_started: of b by ada, until 1970-01-02T02:00:05.000000Z: memory
        5 accepted: b is in maintenance until 1970-01-02T02:00:05.000000Z; healing resumes by itself
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        20.05 process_failed te 3@c
        20.05 action_started 1 te/2 on c: its exit was told; try 1, here; processes there: 0
        20.05 prepare 1 te on c
        21 commit 1
        22 process_joined te 5@c
        22 action_succeeded 1 te/2 on c
        60 maintenance_ended: of b: ada ends it: done
        60 action_started 2 te/1 on b: its exit was told; try 1, here; processes there: 0
        60 prepare 2 te on b
        60 accepted: the maintenance of b is over
        ",
    );
}

#[test]
fn a_maintenance_outlives_the_daemon_and_ends_while_nobody_is_there() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b
        5   say ada maintain b/2 for 60 because a core dump
        6   exit te 2@b
        20  restart
        20  up a* b c: sm 1@a
        30  say ada maintain teas/te/1 for 60 because nonsense
        31  say ada end-maintenance teas
        66  ready 1
        ",
        "
        5 maintenance_started te 2@b: of b/2 by ada, until 1970-01-02T01:01:05.000000Z: a core dump
        5 accepted: b/2 is in maintenance until 1970-01-02T01:01:05.000000Z; healing ...
        6.05 process_failed te 2@b
        6.05 database_degraded teas
        20 domain_frozen: gate not-synced
        20 domain_connected
        20 domain_thawed: gate not-synced
        30 refused: `maintain` is said of the domain, a database, a peer or a process; a slot ...
        31 refused: teas is in no maintenance of its own
        65 maintenance_ended: of b/2: its time is over
        65 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        65 prepare 1 te on b
        66 commit 1
        ",
    );
}

#[test]
fn who_leaves_in_a_maintenance_is_missed_afterwards() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b
        5   say ada maintain prod for 100 because a new version
        10  leaving te 2@b
        11  exit te 2@b
        106 wait
        ",
        "
        5 maintenance_started: of the domain by ada, until 1970-01-02T01:01:45.000000Z: a new ...
        5 accepted: the domain is in maintenance until 1970-01-02T01:01:45.000000Z; healing ...
        11 process_left te 2@b
        31 database_degraded teas
        105 maintenance_ended: of the domain: its time is over
        105 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        105 prepare 1 te on b
        ",
    );
}
