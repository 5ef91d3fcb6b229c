//! Stories of how many starts a domain has in a while, and who has them first.

use super::harness::{check_with, settings};

use std::time::Duration;

use dbwarden::supervisor::{Budget, Settings};

/// A domain with so many starts in a minute.
fn starts_in_a_minute(max_actions: u32) -> Settings {
    let mut settings = settings();
    settings.te_options.insert("coffee".into(), Vec::new());
    settings.budget = Budget {
        max_actions,
        window: Duration::from_secs(60),
    };
    settings
}

#[test]
fn a_domain_has_so_many_starts_in_a_while_and_a_restart_forgets_none() {
    check_with(
        starts_in_a_minute(2),
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  refused 1 no
        12  refused 2 no
        30  restart
        31  up a* b c: sm 1@a, te 3@c
        70.05 answers 3
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
        30 domain_frozen: gate not-synced
        31 domain_connected
        31 domain_thawed: gate not-synced
        70.05 ask 3 whether b answers
        70.05 action_started 4 te/1 on a: its exit was told; try 3, elsewhere; processes there: 1
        70.05 prepare 4 te on a
        ",
    );
}

#[test]
fn a_wall_clock_that_is_put_forward_wins_no_start_and_one_put_back_loses_none() {
    check_with(
        starts_in_a_minute(1),
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  exit te 2@b
        11  refused 1 no
        12  wall 3600
        20  wall -7200
        100 wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 action_failed 1 te/1 on b: refused: no
        80 action_started 2 te/1 on b: its exit was told; try 2, here; processes there: 0
        80 prepare 2 te on b
        ",
    );
}

#[test]
fn the_last_start_goes_to_the_database_that_serves_nobody() {
    check_with(
        starts_in_a_minute(1),
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c, sm 4@a of coffee, te 5@c of coffee
        10  exit te 2@b
        10  exit te 5@c of coffee
        11  ready 1
        12  join te 6@c of coffee
        70.05 wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 process_failed te 5@c
        10.05 database_degraded teas
        10.05 database_degraded coffee
        10.05 action_started 1 te/1 on c: its exit was told; try 1, here; processes there: 1
        10.05 prepare 1 te of coffee on c
        11 commit 1
        12 process_joined te 6@c
        12 action_succeeded 1 te/1 on c
        12 database_restored coffee
        70.05 action_started 2 te/1 on b: its exit was told; try 1, here; processes there: 0
        70.05 prepare 2 te on b
        ",
    );
}
