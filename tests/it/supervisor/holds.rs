//! Stories of holds: those of people, and those of the healer itself.

use super::harness::{check, check_with, settings};
use dbwarden::policy::{AfterStages, Place, Stage};
use dbwarden::supervisor::Settings;

/// After one try here the healer gives up.
fn one_try() -> Settings {
    let mut settings = settings();
    settings.policies[0].after_stages = AfterStages::Hold;
    settings.policies[0].stages = vec![Stage {
        place: Place::Here,
        tries: Some(1),
    }];
    settings
}

#[test]
fn what_a_person_holds_is_not_started_until_it_is_released() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b
        5   say ada hold teas/te/1 because a new disk
        10  exit te 2@b
        300 say ada release teas/te/1 because it is in
        301 ready 1
        ",
        "
        5 operator_command te/1: ada holds teas/te/1: a new disk
        5 accepted: nothing is started for teas/te/1 until it is released
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        130.05 slot_blocked te/1: gate held by ada: a new disk
        300 operator_command te/1: ada releases teas/te/1: it is in
        300 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        300 prepare 1 te on b
        300 accepted: teas/te/1 is released; it is healed as soon as every gate is open
        301 commit 1
        ",
    );
}

#[test]
fn a_persons_hold_outlives_whoever_takes_the_slot_and_the_daemon() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b
        5   say ada hold teas because a migration
        10  exit te 2@b
        20  join te 7@c
        900 restart
        901 up a* b c: sm 1@a, te 7@c
        950 exit te 7@c
        960 ask bob teas
        970 say bob hold teas/te/9
        980 say bob release teas/te/1
        ",
        "
        5 operator_command teas: ada holds teas: a migration
        5 accepted: nothing is started for teas until it is released
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        20 process_joined te 7@c
        20 database_restored teas
        900 domain_frozen: gate not-synced
        901 domain_connected
        901 domain_thawed: gate not-synced
        950.05 process_failed te 7@c
        950.05 database_degraded teas
        960 refused: te/1 is held by ada: a migration; `dbwarden release teas` ends that
        970 refused: there is no slot teas/te/9: teas has 1; `dbwarden status` shows them
        980 refused: teas/te/1 is held with all of teas; release teas
        ",
    );
}

#[test]
fn a_start_that_is_prepared_is_given_up_when_a_person_holds_its_slot() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b
        10  exit te 2@b
        11  say ada hold teas because wait
        12  ready 1
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 operator_command teas: ada holds teas: wait
        11 accepted: nothing is started for teas until it is released
        12 abandon 1
        12 action_failed 1 te/1 on b: a person holds it now
        ",
    );
}

#[test]
fn a_hold_of_the_healers_ends_once_a_process_has_stayed_for_a_while() {
    check_with(
        one_try(),
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  exit te 2@b
        11  refused 1 no
        20  join te 7@b
        25  exit te 7@b
        40  join te 8@b
        75  wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 action_failed 1 te/1 on b: refused: no
        11.962 slot_held te/1: stages-used-up; ...
        20 process_joined te 7@b
        20 database_restored teas
        25.05 process_failed te 7@b
        25.05 database_degraded teas
        25.05 slot_held te/1: stages-used-up; ...
        40 process_joined te 8@b
        40 database_restored teas
        70 slot_released te/1: a process has run there for a while
        ",
    );
}

#[test]
fn who_releases_what_the_healer_gave_up_on_has_it_tried_as_if_for_the_first_time() {
    check_with(
        one_try(),
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  exit te 2@b
        11  refused 1 no
        60  say ada retry teas
        100 restart
        101 up a* b: sm 1@a, te 3@a
        130 say ada release teas/te/1 because it has memory now
        131 ready 2
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 action_failed 1 te/1 on b: refused: no
        11.962 slot_held te/1: stages-used-up; ...
        60 refused: there is nothing to retry for teas: the healer gave up on it; release it
        100 domain_frozen: gate not-synced
        101 domain_connected
        101 domain_thawed: gate not-synced
        130 operator_command te/1: ada releases teas/te/1: it has memory now
        130 slot_released te/1: ada releases it: it has memory now
        130 action_started 2 te/1 on b: its exit was told; try 1, here; processes there: 0
        130 prepare 2 te on b
        130 accepted: teas/te/1 is released; it is healed as soon as every gate is open
        131 commit 2
        ",
    );
}

#[test]
fn retry_cuts_the_pause() {
    check(
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  exit te 2@b
        11  ready 1
        12  failed 1 no
        12.1 say ada retry teas/te/1
        12.2 say ada retry teas/te/1
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        12 action_failed 1 te/1 on b: no
        12.1 operator_command te/1: ada has teas/te/1 tried now
        12.1 action_started 2 te/1 on b: its exit was told; try 1, here; processes there: 0
        12.1 prepare 2 te on b
        12.1 accepted: teas/te/1 is tried as soon as every gate is open
        12.2 refused: there is nothing to retry for teas/te/1: nothing is missing there, or a ...
        ",
    );
}
