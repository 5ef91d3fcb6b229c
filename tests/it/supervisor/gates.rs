//! Stories of the gates of a domain: what closes them, what is told, and what opens them.

use std::time::Duration;

use super::harness::{check, check_with, settings};

#[test]
fn a_view_of_the_minority_is_looked_at_and_not_acted_on() {
    check(
        "
        0   up a* b c d: sm 1@a, sm 4@c, te 2@b, te 3@d
        10  lost
        11  up a* : sm 1@a
        120 up a* b c d: sm 1@a, sm 4@c, te 2@b
        125 up a* b c d: sm 1@a, sm 4@c, te 2@b
        ",
        "
        10 domain_disconnected: closed
        10 domain_frozen: gate not-synced
        11 domain_connected
        11 domain_frozen: gate minority-view
        11 domain_thawed: gate not-synced
        41 refresh
        120 domain_thawed: gate minority-view
        122 refresh
        125 process_failed te 3@d
        125 database_degraded teas
        125 action_started 1 te/2 on d: it was gone when we looked again; try 1, here; ...
        125 prepare 1 te on d
        ",
    );
}

#[test]
fn nothing_is_done_that_would_not_be_remembered() {
    check(
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  journal-failed
        11  exit te 2@b
        12  ask operator teas
        20  restart
        21  up a* b: sm 1@a, te 3@a
        ",
        "
        10 domain_frozen: gate journal
        11.05 process_failed te 2@b
        11.05 database_degraded teas
        12 refused: the journal cannot be written, so nothing that is done would be remembered
        20 domain_frozen: gate not-synced
        21 domain_connected
        21 domain_thawed: gate not-synced
        21 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        21 prepare 1 te on b
        ",
    );
}

#[test]
fn a_prepared_start_does_not_leave_when_the_journal_fails_meanwhile() {
    check(
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  exit te 2@b
        11  journal-failed
        12  ready 1
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 domain_frozen: gate journal
        12 abandon 1
        12 action_failed 1 te/1 on b: gate journal closed
        ",
    );
}

#[test]
fn a_prepared_start_does_not_leave_when_its_pause_counts_again() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  refused 1 no
        12  refused 2 no
        15  answers 3
        16  refused 4 no
        21  refused 5 no
        60  lose c
        70  return c
        71  join te 3@c
        72  ready 6
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 action_failed 1 te/1 on b: refused: no
        11.962 action_started 2 te/1 on b: its exit was told; try 2, here; processes there: 0
        11.962 prepare 2 te on b
        12 action_failed 2 te/1 on b: refused: no
        14.09 ask 3 whether b answers
        15 action_started 4 te/1 on a: its exit was told; try 3, elsewhere; processes there: 1
        15 prepare 4 te on a
        16 action_failed 4 te/1 on a: refused: no
        20.336 action_started 5 te/1 on b: its exit was told; try 4, here; processes there: 0
        20.336 prepare 5 te on b
        21 action_failed 5 te/1 on b: refused: no
        60 process_unreachable te 3@c
        60 action_started 6 te/1 on a: its exit was told; try 5, elsewhere; processes there: 1
        60 prepare 6 te on a
        71 process_returned te 3@c
        72 abandon 6
        72 action_failed 6 te/1 on a: the database is served by now, so there is time
        ",
    );
}

#[test]
fn after_lost_memory_a_person_says_when_to_act() {
    check(
        "
        0   recovered-lost
        1   first-up a* b: sm 1@a, te 2@b, te 3@a
        100 exit te 2@b
        101 ask page-me teas
        110 restart
        111 up a* b: sm 1@a, te 3@a
        200 resume operator
        ",
        "
        0 domain_frozen: gate memory
        1 domain_connected
        1 process_joined sm 1@a
        1 process_joined te 2@b
        1 process_joined te 3@a
        1 domain_thawed: gate not-synced
        100.05 process_failed te 2@b
        100.05 database_degraded teas
        101 refused: memory was lost; `dbwarden resume --accept-lost-memory` accepts that
        110 domain_frozen: gate not-synced
        111 domain_connected
        111 domain_thawed: gate not-synced
        200 operator_command: operator accepts that memory was lost
        200 domain_thawed: gate memory
        200 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        200 prepare 1 te on b
        ",
    );
}

#[test]
fn after_a_backup_was_read_what_was_under_way_has_time_to_show() {
    check(
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  restart
        10  recovered-backup
        11  up a* b: sm 1@a, te 2@b, te 3@a
        20  exit te 2@b
        25  restart
        26  up a* b: sm 1@a, te 3@a
        60  wait
        ",
        "
        10 domain_frozen: gate not-synced
        10 domain_frozen: gate recovered
        11 domain_connected
        11 domain_thawed: gate not-synced
        20.05 process_failed te 2@b
        20.05 database_degraded teas
        25 domain_frozen: gate not-synced
        26 domain_connected
        26 domain_thawed: gate not-synced
        40 domain_thawed: gate recovered
        40 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        40 prepare 1 te on b
        ",
    );
}

#[test]
fn when_many_peers_are_lost_at_once_nothing_is_done_and_then_one_thing_after_the_other() {
    check(
        "
        0   up a* b c d e: sm 1@a, te 2@b, te 3@c, te 5@d
        10  lose b
        20  lose c
        30  exit te 5@d
        80  not-sent 1
        80  not-sent 2
        81  ready 3
        82  join te 6@d
        91  ready 4
        92  join te 7@e
        ",
        "
        10 process_unreachable te 2@b
        10 database_degraded teas
        20 process_unreachable te 3@c
        20 domain_frozen: gate storm
        30.05 process_failed te 5@d
        80 domain_thawed: gate storm
        80 ask 1 whether b answers
        80 ask 2 whether c answers
        80 action_started 3 te/3 on d: its exit was told; try 1, here; processes there: 0
        80 prepare 3 te on d
        81 commit 3
        82 process_joined te 6@d
        82 action_succeeded 3 te/3 on d
        90 action_started 4 te/1 on e: its peer is out of reach, of us too; try 1, elsewhere; ...
        90 prepare 4 te on e
        91 commit 4
        92 process_joined te 7@e
        92 action_succeeded 4 te/1 on e
        ",
    );
}

#[test]
fn two_peers_of_many_are_no_storm() {
    check(
        "
        0   up a* b c d e f g: sm 1@a, te 2@b, te 3@c
        10  lose b
        20  lose c
        45  wait
        ",
        "
        10 process_unreachable te 2@b
        10 database_degraded teas
        20 process_unreachable te 3@c
        40 ask 1 whether b answers
        ",
    );
}

#[test]
fn a_machine_that_slept_looks_again_before_it_does_anything() {
    let mut settings = settings();
    settings.settle = Duration::from_secs(2);
    check_with(
        settings,
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  exit te 2@b
        11  clock slept 3600
        12  ready 1
        13  up a* b: sm 1@a, te 3@a
        14  lose b
        20  wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 refresh
        11 domain_frozen: gate clock
        12 abandon 1
        12 action_failed 1 te/1 on b: gate clock closed
        16 domain_thawed: gate clock
        ",
    );
}

#[test]
fn what_nobody_answers_is_asked_again_after_a_clock_has_jumped() {
    check(
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  clock jumped -7200
        11  exit te 2@b
        70  wait
        75  up a* b: sm 1@a, te 3@a
        76  ready 1
        77  clock late 6
        77  join te 4@b
        78  up a* b: sm 1@a, te 3@a, te 4@b
        ",
        "
        10 refresh
        10 domain_frozen: gate clock
        11.05 process_failed te 2@b
        11.05 database_degraded teas
        70 refresh
        75 domain_thawed: gate clock
        75 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        75 prepare 1 te on b
        76 commit 1
        77 refresh
        77 domain_frozen: gate clock
        77 process_joined te 4@b
        77 action_succeeded 1 te/1 on b
        77 database_restored teas
        78 domain_thawed: gate clock
        ",
    );
}

#[test]
fn a_database_that_somebody_else_heals_is_left_alone_until_they_stop() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        10.5 join te 4@b
        20  exit te 3@c
        20.5 join te 5@c
        40  exit te 4@b
        50  restart
        51  up a* b c: sm 1@a, te 5@c
        620.5 wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        10.5 process_joined te 4@b
        10.5 abandon 1
        10.5 action_failed 1 te/1 on b: another process took the seat before anything was asked
        10.5 database_restored teas
        20.05 process_failed te 3@c
        20.05 database_degraded teas
        20.05 action_started 2 te/2 on c: its exit was told; try 1, here; processes there: 0
        20.05 prepare 2 te on c
        20.5 process_joined te 5@c
        20.5 abandon 2
        20.5 action_failed 2 te/2 on c: another process took the seat before anything was asked
        20.5 domain_frozen teas: gate another-healer
        20.5 database_restored teas
        40.05 process_failed te 4@b
        40.05 database_degraded teas
        50 domain_frozen: gate not-synced
        51 domain_connected
        51 domain_thawed: gate not-synced
        160.05 slot_blocked te/1: gate another-healer; opens in 7 min 41 s
        620.5 domain_thawed teas: gate another-healer
        620.5 action_started 3 te/1 on b: its exit was told; try 2, here; processes there: 0
        620.5 prepare 3 te on b
        ",
    );
}

#[test]
fn a_database_that_is_only_observed_is_left_alone_and_the_others_are_healed() {
    let mut settings = settings();
    settings.te_options.insert("coffee".into(), Vec::new());
    settings.observe = vec!["cof*".into()];
    check_with(
        settings,
        "
        0   up a* b: sm 1@a, te 2@b, sm 4@a of coffee, te 5@b of coffee
        10  exit te 2@b
        10  exit te 5@b of coffee
        11  ready 1
        12  join te 6@b
        200 wait
        ",
        "
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
        130.05 slot_blocked te/1: gate another-healer
        ",
    );
}

#[test]
fn when_every_lost_peer_answers_us_that_is_said_of_the_domain() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  lose b
        40  answers 1
        50  answers 2
        60  not-sent 3
        ",
        "
        10 process_unreachable te 2@b
        10 database_degraded teas
        40 ask 1 whether b answers
        40 domain_frozen: gate views-differ
        50 ask 2 whether b answers
        60 ask 3 whether b answers
        60 domain_thawed: gate views-differ
        60 action_started 4 te/1 on a: its peer is out of reach, of us too; try 1, elsewhere; ...
        60 prepare 4 te on a
        ",
    );
}
