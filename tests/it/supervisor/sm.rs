//! Storage managers: only where their archives are, only with all their options, and a database
//! that is down comes up in order.
//!
//! `a` and `b` have an archive each, as the configuration tells; `c` has none.

use dbwarden::exchange::EngineOption;
use dbwarden::model::Role;
use dbwarden::policy::{Bounds, Leftover};
use dbwarden::supervisor::{Archive, Settings};

use super::harness::{check_with, settings};

pub(crate) fn archive(peer: &str) -> Archive {
    Archive {
        peer: format!("{peer}:1").as_str().into(),
        path: format!("/data/{peer}").into(),
        journal: None,
        group: None,
        options: vec![EngineOption {
            name: "--mem".to_owned(),
            value: Some("1g".to_owned()),
        }],
    }
}

/// Returns settings by which storage managers are healed, on the archives of these peers.
pub(crate) fn with_archives(peers: &[&str]) -> Settings {
    let mut settings = settings();
    settings.policies[0].roles = vec![Role::Te, Role::Sm];
    let archives = peers.iter().map(|it| archive(it)).collect();
    settings.archives.insert("teas".into(), archives);
    settings
}

#[test]
fn a_storage_manager_is_started_again_on_its_archive_with_all_its_options() {
    check_with(
        with_archives(&["a", "b"]),
        "
        0   up a* b c: sm 1@a, sm 2@b, te 3@c
        10  exit sm 2@b
        11  ready 1
        12  join sm 5@b
        12  registered 1 5
        ",
        "
        10.05 process_failed sm 2@b
        10.05 database_degraded teas
        10.05 action_started 1 sm/2 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 sm on b --archive /data/b --mem 1g
        11 commit 1
        12 process_joined sm 5@b
        12 action_succeeded 1 sm/2 on b
        12 database_restored teas
        ",
    );
}

#[test]
fn one_that_ends_while_its_policy_is_gone_is_missed_when_it_is_back() {
    check_with(
        with_archives(&["a", "b"]),
        "
        0   up a* b c: sm 1@a, sm 2@b, te 3@c
        50  reload off
        60  exit sm 2@b
        100 reload on-sm
        101 wait
        ",
        "
        60.05 process_failed sm 2@b
        100 action_started 1 sm/2 on b: declared, and missing; try 1, here; processes there: 0
        100 prepare 1 sm on b --archive /data/b --mem 1g
        100 database_degraded teas
        ",
    );
}

#[test]
fn the_archive_that_was_used_last_without_a_policy_comes_up_first_with_one() {
    check_with(
        with_archives(&["a", "b"]),
        "
        0   up a* b c: sm 1@a, sm 2@b, te 3@c
        50  reload off
        60  exit sm 2@b
        70  join sm 4@b
        100 exit te 3@c
        101 exit sm 1@a
        200 exit sm 4@b
        300 reload on-sm
        301 wait
        ",
        "
        60.05 process_failed sm 2@b
        70 process_joined sm 4@b
        100.05 process_failed te 3@c
        101.05 process_failed sm 1@a
        200.05 process_failed sm 4@b
        300 database_degraded teas
        300 action_started 1 sm/2 on b: cold start, it ran last; declared, and missing; ...
        300 prepare 1 sm on b --archive /data/b --mem 1g
        300 slot_blocked te/1: gate cold-start
        ",
    );
}

#[test]
fn one_that_comes_late_and_without_a_policy_used_its_archive_last() {
    check_with(
        with_archives(&["a", "b"]),
        "
        0   up a* b c: sm 1@a, sm 2@b
        10  exit sm 2@b
        11  ready 1
        12  started 1
        20  exit sm 1@a
        30  reload off
        150 join sm 5@b
        200 exit sm 5@b
        300 reload on-sm
        301 wait
        ",
        "
        10.05 process_failed sm 2@b
        10.05 database_degraded teas
        10.05 action_started 1 sm/2 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 sm on b --archive /data/b --mem 1g
        11 commit 1
        20.05 process_failed sm 1@a
        30 database_restored teas
        46 refresh
        106 action_failed 1 sm/2 on b: nothing was heard of the start
        150 process_joined sm 5@b
        200.05 process_failed sm 5@b
        300 action_started 2 sm/2 on b: cold start, it ran last; declared, and missing; ...
        300 prepare 2 sm on b --archive /data/b --mem 1g
        300 database_degraded teas
        ",
    );
}

#[test]
fn one_whose_archive_nobody_told_of_is_held_and_that_is_said_once() {
    check_with(
        with_archives(&["a"]),
        "
        0    up a* b c: sm 1@a, sm 2@b, te 3@c
        10   exit sm 2@b
        7300 wait
        ",
        "
        10.05 process_failed sm 2@b
        10.05 database_degraded teas
        10.05 slot_held sm/2 on b: archive-unknown; it is started once `archives` of its ...
        ",
    );
}

#[test]
fn a_storage_manager_waits_for_its_host_and_is_started_nowhere_else() {
    check_with(
        with_archives(&["a", "b"]),
        "
        0    up a* b c: sm 1@a, sm 2@b, te 3@c
        10   lose b
        10   exit sm 2@b
        900  return b
        925  ready 1
        926  join sm 5@b
        ",
        "
        10 process_unreachable sm 2@b
        10 database_degraded teas
        130 slot_blocked sm/2: gate peer-unreachable
        920 process_failed sm 2@b
        920 action_started 1 sm/2 on b: its exit was told; try 1, here; processes there: 0
        920 prepare 1 sm on b --archive /data/b --mem 1g
        925 commit 1
        926 process_joined sm 5@b
        926 action_succeeded 1 sm/2 on b
        926 database_restored teas
        ",
    );
}

#[test]
fn a_storage_manager_that_lives_on_behind_a_lost_host_takes_its_seat_again() {
    check_with(
        with_archives(&["a", "b"]),
        "
        0    up a* b c: sm 1@a, sm 2@b, te 3@c
        10   lose b
        300  return b
        301  join sm 2@b
        400  wait
        ",
        "
        10 process_unreachable sm 2@b
        10 database_degraded teas
        130 slot_blocked sm/2: gate peer-unreachable
        301 process_returned sm 2@b
        301 database_restored teas
        ",
    );
}

#[test]
fn of_two_archives_the_newer_one_is_opened_first() {
    check_with(
        with_archives(&["a", "b"]),
        "
        0    up a* b c: sm 1@a, sm 2@b, te 3@c
        10   exit sm 2@b
        11   ready 1
        12   failed 1 no memory
        12.5 exit sm 1@a
        30   ready 2
        31   join sm 6@a
        31   registered 2 6
        32   ready 3
        33   join sm 7@b
        33   registered 3 7
        ",
        "
        10.05 process_failed sm 2@b
        10.05 database_degraded teas
        10.05 action_started 1 sm/2 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 sm on b --archive /data/b --mem 1g
        11 commit 1
        12 action_failed 1 sm/2 on b: no memory
        12.55 process_failed sm 1@a
        22.55 action_started 2 sm/1 on a: its exit was told; try 1, here; processes there: 0
        22.55 prepare 2 sm on a --archive /data/a --mem 1g
        30 commit 2
        31 process_joined sm 6@a
        31 action_succeeded 2 sm/1 on a
        31 action_started 3 sm/2 on b: its exit was told; try 2, here; processes there: 0
        31 prepare 3 sm on b --archive /data/b --mem 1g
        32 commit 3
        33 process_joined sm 7@b
        33 action_succeeded 3 sm/2 on b
        33 database_restored teas
        ",
    );
}

#[test]
fn a_database_that_is_down_comes_up_by_the_archive_that_ran_last_and_engines_last() {
    check_with(
        with_archives(&["a", "b"]),
        "
        0    up a* b c: sm 1@a, sm 2@b, te 3@c
        10   exit te 3@c
        10   exit sm 1@a
        10.5 exit sm 2@b
        21   ready 1
        22   join sm 5@b
        22   registered 1 5
        23   ready 2
        24   join sm 6@a
        24   registered 2 6
        25   ready 3
        26   join te 7@c
        26   registered 3 7
        ",
        "
        10.05 process_failed sm 1@a
        10.05 process_failed te 3@c
        10.05 database_degraded teas
        10.55 process_failed sm 2@b
        20.55 action_started 1 sm/2 on b: cold start, it ran last; its exit was told; try 1, ...
        20.55 prepare 1 sm on b --archive /data/b --mem 1g
        21 commit 1
        22 process_joined sm 5@b
        22 action_succeeded 1 sm/2 on b
        22 action_started 2 sm/1 on a: step 2 of the cold start that action 1 began; its ...
        22 prepare 2 sm on a --archive /data/a --mem 1g
        23 commit 2
        24 process_joined sm 6@a
        24 action_succeeded 2 sm/1 on a
        24 action_started 3 te/1 on c: step 3 of the cold start that action 1 began; its ...
        24 prepare 3 te on c
        25 commit 3
        26 process_joined te 7@c
        26 action_succeeded 3 te/1 on c
        26 database_restored teas
        ",
    );
}

#[test]
fn nothing_comes_up_while_an_archive_cannot_be_asked() {
    check_with(
        with_archives(&["a", "b"]),
        "
        0    up a* b c: sm 1@a, sm 2@b, te 3@c
        10   lose b
        60   exit te 3@c
        60   exit sm 1@a
        300  return b
        321  ready 1
        322  join sm 5@a
        322  registered 1 5
        ",
        "
        10 process_unreachable sm 2@b
        10 database_degraded teas
        60.05 process_failed sm 1@a
        60.05 process_failed te 3@c
        130 slot_blocked sm/2: gate archive-unasked
        180.05 slot_blocked sm/1: gate archive-unasked
        180.05 slot_blocked te/1: gate database-down
        320 process_failed sm 2@b
        320 action_started 1 sm/1 on a: cold start, it ran last; its exit was told; try 1, ...
        320 prepare 1 sm on a --archive /data/a --mem 1g
        321 commit 1
        322 process_joined sm 5@a
        322 action_succeeded 1 sm/1 on a
        322 action_started 2 sm/2 on b: step 2 of the cold start that action 1 began; its ...
        322 prepare 2 sm on b --archive /data/b --mem 1g
        ",
    );
}

#[test]
fn a_database_that_somebody_stopped_stays_down() {
    check_with(
        with_archives(&["a", "b"]),
        "
        0    up a* b c: sm 1@a, sm 2@b, te 3@c
        10   leaving te 3@c
        10   exit te 3@c
        11   leaving sm 1@a
        11   exit sm 1@a
        12   leaving sm 2@b
        12   exit sm 2@b
        600  wait
        ",
        "
        10 process_left te 3@c
        11 process_left sm 1@a
        12 process_left sm 2@b
        30 database_degraded teas
        150 slot_blocked te/1: gate database-down
        151 slot_blocked sm/1: gate database-down
        152 slot_blocked sm/2: gate database-down
        ",
    );
}

#[test]
fn an_archive_in_use_is_for_a_person_to_look_at() {
    check_with(
        with_archives(&["a", "b"]),
        "
        0    up a* b c: sm 1@a, sm 2@b, te 3@c
        10   exit sm 2@b
        11   ready 1
        12   failed 1 Archive is already in use
        60   wait
        ",
        "
        10.05 process_failed sm 2@b
        10.05 database_degraded teas
        10.05 action_started 1 sm/2 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 sm on b --archive /data/b --mem 1g
        11 commit 1
        12 action_failed 1 sm/2 on b: Archive is already in use
        12 slot_held sm/2 on b: archive-in-use; `dbwarden release` ends the hold ...
        ",
    );
}

#[test]
fn an_archive_has_one_seat_though_the_next_comes_before_the_end_of_the_last_is_believed() {
    check_with(
        with_archives(&["a", "b"]),
        "
        0     up a* b c: sm 1@a, sm 2@b, te 3@c
        10    exit sm 2@b
        10.02 join sm 5@b
        50    exit sm 5@b
        51    ready 1
        52    join sm 6@b
        52    registered 1 6
        ",
        "
        10.02 process_joined sm 5@b
        10.05 process_failed sm 2@b
        50.05 process_failed sm 5@b
        50.05 database_degraded teas
        50.05 action_started 1 sm/2 on b: its exit was told; try 1, here; processes there: 0
        50.05 prepare 1 sm on b --archive /data/b --mem 1g
        51 commit 1
        52 process_joined sm 6@b
        52 action_succeeded 1 sm/2 on b
        52 database_restored teas
        ",
    );
}

#[test]
fn a_leftover_is_ended_where_the_policy_says_so_and_then_the_archive_is_free() {
    let mut settings = with_archives(&["a", "b"]);
    settings.policies[0].leftover = Leftover::Kill;
    check_with(
        settings,
        "
        0    up a* b c: sm 1@a, sm 2@b, te 3@c
        10   exit sm 2@b
        11   ready 1
        12   failed 1 Archive is already in use
        13   stopped 2
        14   ready 3
        15   join sm 5@b
        15   registered 3 5
        ",
        "
        10.05 process_failed sm 2@b
        10.05 database_degraded teas
        10.05 action_started 1 sm/2 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 sm on b --archive /data/b --mem 1g
        11 commit 1
        12 action_failed 1 sm/2 on b: Archive is already in use
        12 action_started 2 sm/2 on b: the process 2, which ran there last, holds its archive: ...
        12 kill 2
        13 action_succeeded 2 sm/2 on b: the leftover is gone
        13 action_started 3 sm/2 on b: its exit was told; try 1, here; processes there: 0
        13 prepare 3 sm on b --archive /data/b --mem 1g
        14 commit 3
        15 process_joined sm 5@b
        15 action_succeeded 3 sm/2 on b
        15 database_restored teas
        ",
    );
}

#[test]
fn what_became_of_a_leftover_while_no_daemon_ran_is_told_as_unknown_and_not_asked_twice() {
    let mut settings = with_archives(&["a", "b"]);
    settings.policies[0].leftover = Leftover::Kill;
    check_with(
        settings,
        "
        0    up a* b c: sm 1@a, sm 2@b, te 3@c
        10   exit sm 2@b
        11   ready 1
        12   failed 1 Archive is already in use
        13   restart
        14   up a* b c: sm 1@a, te 3@c
        17   ready 3
        18   failed 3 Archive is already in use
        ",
        "
        10.05 process_failed sm 2@b
        10.05 database_degraded teas
        10.05 action_started 1 sm/2 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 sm on b --archive /data/b --mem 1g
        11 commit 1
        12 action_failed 1 sm/2 on b: Archive is already in use
        12 action_started 2 sm/2 on b: the process 2, which ran there last, holds its archive: ...
        12 kill 2
        13 action_failed 2 sm/2 on b: the daemon ended before it was told that the leftover is gone
        13 domain_frozen: gate not-synced
        14 domain_connected
        14 domain_thawed: gate not-synced
        14 action_started 3 sm/2 on b: its exit was told; try 2, here; processes there: 0
        14 prepare 3 sm on b --archive /data/b --mem 1g
        17 commit 3
        18 action_failed 3 sm/2 on b: Archive is already in use
        18 slot_held sm/2 on b: archive-in-use; `dbwarden release` ends the hold ...
        ",
    );
}

#[test]
fn a_leftover_is_left_alone_while_no_other_storage_manager_runs() {
    let mut settings = with_archives(&["b"]);
    settings.policies[0].leftover = Leftover::Kill;
    check_with(
        settings,
        "
        0    up a* b c: sm 2@b, te 3@c
        10   exit sm 2@b
        11   ready 1
        12   failed 1 Archive is already in use
        60   wait
        ",
        "
        10.05 process_failed sm 2@b
        10.05 database_degraded teas
        10.05 action_started 1 sm/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 sm on b --archive /data/b --mem 1g
        11 commit 1
        12 action_failed 1 sm/1 on b: Archive is already in use
        12 slot_held sm/1 on b: archive-in-use; `dbwarden release` ends the hold ...
        ",
    );
}

#[test]
fn how_we_started_one_is_remembered_when_the_configuration_says_nothing_any_more() {
    check_with(
        with_archives(&["a", "b"]),
        "
        0    up a* b c: sm 1@a, sm 2@b, te 3@c
        10   exit sm 2@b
        11   ready 1
        12   join sm 5@b
        12   registered 1 5
        700  restart no-archives
        701  up a* b c: sm 1@a, sm 5@b, te 3@c
        800  exit sm 5@b
        801  ready 2
        ",
        "
        10.05 process_failed sm 2@b
        10.05 database_degraded teas
        10.05 action_started 1 sm/2 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 sm on b --archive /data/b --mem 1g
        11 commit 1
        12 process_joined sm 5@b
        12 action_succeeded 1 sm/2 on b
        12 database_restored teas
        700 domain_frozen: gate not-synced
        701 domain_connected
        701 domain_thawed: gate not-synced
        800.05 process_failed sm 5@b
        800.05 database_degraded teas
        800.05 action_started 2 sm/2 on b: its exit was told; try 1, here; processes there: 0
        800.05 prepare 2 sm on b --archive /data/b --mem 1g
        801 commit 2
        ",
    );
}

#[test]
fn an_archive_that_never_was_open_is_not_opened_first() {
    let mut settings = with_archives(&["a"]);
    settings.policies[0].sm = Some(Bounds { min: 1, max: None });
    check_with(
        settings,
        "
        0    first-up a* c: te 3@c
        300  wait
        ",
        "
        0 domain_connected
        0 process_joined te 3@c
        0 domain_thawed: gate not-synced
        0 database_degraded teas
        120 slot_blocked sm/1: gate not-newest
        ",
    );
}
