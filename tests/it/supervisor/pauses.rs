//! Stories of pauses that end because what caused them is over.

use std::time::Duration;

use super::harness::{check, check_with, settings};

use dbwarden::supervisor::Settings;

/// The default policy, with five minutes after the first failure.
fn slow() -> Settings {
    let mut settings = settings();
    settings.policies[0].backoff.first = Duration::from_secs(300);
    settings
}

#[test]
fn a_returned_peer_ends_the_pause_of_what_failed_there() {
    check_with(
        slow(),
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  refused 1 no
        20  lose b
        30  return b
        50  wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 action_failed 1 te/1 on b: refused: no
        50 action_started 2 te/1 on b: its exit was told; try 2, here; processes there: 0
        50 prepare 2 te on b
        ",
    );
}

#[test]
fn a_storage_manager_that_runs_again_ends_the_pauses_of_its_database() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit sm 1@a
        20  exit te 2@b
        21  ready 1
        22  failed 1 no storage manager
        24  ready 2
        24  failed 2 no storage manager
        25  join sm 7@a
        ",
        "
        10.05 process_failed sm 1@a
        20.05 process_failed te 2@b
        20.05 database_degraded teas
        20.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        20.05 prepare 1 te on b
        21 commit 1
        22 action_failed 1 te/1 on b: no storage manager
        22.962 action_started 2 te/1 on b: its exit was told; try 2, here; processes there: 0
        22.962 prepare 2 te on b
        24 commit 2
        24 action_failed 2 te/1 on b: no storage manager
        25 process_joined sm 7@a
        25 ask 3 whether b answers
        ",
    );
}

#[test]
fn a_storm_that_is_over_ends_the_pauses_that_began_in_it() {
    check_with(
        slow(),
        "
        0   up a* b c d e: sm 1@a, te 2@b, te 3@c, te 4@d, te 5@e
        9   exit te 4@d
        9.5 ready 1
        10  lose b
        10.1 lose c
        11  failed 1 no
        70.1 wait
        ",
        "
        9.05 process_failed te 4@d
        9.05 database_degraded teas
        9.05 action_started 1 te/3 on d: its exit was told; try 1, here; processes there: 0
        9.05 prepare 1 te on d
        9.5 commit 1
        10 process_unreachable te 2@b
        10.1 process_unreachable te 3@c
        10.1 domain_frozen: gate storm
        11 action_failed 1 te/3 on d: no
        70.1 domain_thawed: gate storm
        70.1 ask 2 whether b answers
        70.1 ask 3 whether c answers
        70.1 action_started 4 te/3 on d: its exit was told; try 2, here; processes there: 0
        70.1 prepare 4 te on d
        ",
    );
}

#[test]
fn an_agent_that_starts_something_is_ready_for_the_next() {
    let mut settings = settings();
    settings.policies[0].barrier_pause = Duration::from_secs(300);
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  ready 1
        12  refused 1 ProcessBarrier[DSMResync] is not ready
        40  join sm 8@b of coffee
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        12 action_failed 1 te/1 on b: refused: ProcessBarrier[DSMResync] is not ready; it is ...
        40 process_joined sm 8@b
        40 action_started 2 te/1 on b: its exit was told; try 1, here; processes there: 1
        40 prepare 2 te on b
        ",
    );
}
