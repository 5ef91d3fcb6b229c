//! Stories of the healer: what it is told, line by line, and what it does.
//!
//! `check` is the only place that knows the interface. A line of a story is a number of seconds and
//! what happens then:
//!
//! - `up A* B C: sm 1@A, te 2@B` a snapshot, told by `A`: the peers, and what runs on them; the
//!   first has been so for an hour, unless it is `first-up`;
//! - `syncs te 5@B`, `runs te 5@B` a process joins and is starting, and runs;
//! - `join te 5@B`, `exit te 5@B`, `leaving te 5@B`, `lose B` what the domain tells;
//! - `return B`, `rejoin B` a lost peer is there again: with another agent, or the same;
//! - `lost` the session is gone; `managed teas ACTIVE, coffee` which databases the domain manages
//!   itself;
//! - `ready 1`, `started 1 ID`, `registered 1 5`, `failed 1 REASON`, `refused 1 TEXT`,
//!   `not-sent 1`, `unanswered 1`, `answers 1`, `stopped 1` what the driver tells of an action;
//!   `answers 1 last-used 70, in-use false` what an archive says of itself;
//! - `ask BY teas`, `ask BY teas elsewhere`, `ask BY teas on B` somebody requests an engine,
//!   perhaps `because REASON`;
//! - `say BY hold teas/te/1 because REASON` and the like: what only people say;
//!   `maintain b for 60`, `scale teas to 2`, `cold-start teas losing b`, `thaw prod storm for 60`;
//! - `restart` the daemon is killed and starts with what it remembered; `recovered-backup`,
//!   `recovered-lost`, `journal-failed`, `resume BY` what becomes of its memory;
//! - `reload off`, `on`, `suggest`, `no-options`, `other-options`, `no-archives`, `heal-managed`,
//!   `archive-history`, `no-experiments`, `per-region`, `no-probe` another configuration is read;
//!   `restart on` and so forth does so when the daemon starts;
//! - `why teas/te/1`, `why teas`, `why b`, `why b/5`, `why` somebody asks why it is so;
//! - `clock slept 60`, `clock late 6`, `clock jumped -60` what the clocks of the daemon show;
//! - `lease had`, `lease taken-over`, `lease lost` who has the lease of the domain;
//! - `knock` ports are tried: whose, is written down; `silent 5@b REASON`, `heard 5@b` what came of
//!   that, or may come long after;
//! - `slow` from here on the disk takes its time, and `disk`: it answers;
//! - `wall 30` the wall clock is put forward by so many seconds, `wall -30` back; `wait` time
//!   passes.
//!
//! Time passes between the lines as well: whatever falls due is handled at its time. What the
//! healer does is written the same way: seconds, and deeds or events; a line that ends in `...` is
//! only the beginning of one.

mod budgets;
mod cold;
mod disk;
mod gates;
mod harness;
mod histories;
mod holds;
mod lease;
mod maintenance;
mod managed;
mod orders;
mod overlaps;
mod pauses;
mod places;
mod reasons;
mod requests;
mod responsive;
mod sm;
mod wanted;
mod why;

use harness::{check, check_with, settings};

use dbwarden::policy::{AfterStages, Bounds, Place, Stage};
use dbwarden::supervisor::Mode;
use std::time::Duration;

#[test]
fn a_failed_engine_is_started_again_where_it_was() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b
        10  exit te 2@b
        11  ready 1
        12  join te 5@b
        12  registered 1 5
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        12 process_joined te 5@b
        12 action_succeeded 1 te/1 on b
        12 database_restored teas
        ",
    );
}

#[test]
fn after_two_tries_here_it_is_started_elsewhere() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  ready 1
        12  failed 1 no memory
        14  ready 2
        14  failed 2 no memory
        20  answers 3
        20  ready 4
        21  join te 9@a
        21  registered 4 9
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        12 action_failed 1 te/1 on b: no memory
        12.962 action_started 2 te/1 on b: its exit was told; try 2, here; processes there: 0
        12.962 prepare 2 te on b
        14 commit 2
        14 action_failed 2 te/1 on b: no memory
        16.09 ask 3 whether b answers
        20 action_started 4 te/1 on a: its exit was told; try 3, elsewhere; processes there: 1
        20 prepare 4 te on a
        20 commit 4
        21 process_joined te 9@a
        21 action_succeeded 4 te/1 on a
        21 database_restored teas
        ",
    );
}

#[test]
fn a_database_without_a_te_is_tried_everywhere_in_turn_and_never_held() {
    let mut settings = settings();
    settings.policies[0].after_stages = AfterStages::Hold;
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b
        10  exit te 2@b
        11  ready 1
        12  failed 1 no
        14  answers 2
        14  ready 3
        15  failed 3 no
        20  ready 4
        20  failed 4 no
        30  ready 5
        30  failed 5 no
        45  wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        12 action_failed 1 te/1 on b: no
        12.962 ask 2 whether b answers
        14 action_started 3 te/1 on c: its exit was told; try 2, elsewhere; processes there: 0
        14 prepare 3 te on c
        14 commit 3
        15 action_failed 3 te/1 on c: no
        17.09 action_started 4 te/1 on a: its exit was told; try 3, elsewhere; processes there: ...
        17.09 prepare 4 te on a
        20 commit 4
        20 action_failed 4 te/1 on a: no
        24.336 action_started 5 te/1 on b: its exit was told; try 4, here; processes there: 0
        24.336 prepare 5 te on b
        30 commit 5
        30 action_failed 5 te/1 on b: no
        38.024 action_started 6 te/1 on c: its exit was told; try 5, elsewhere; processes ...
        38.024 prepare 6 te on c
        ",
    );
}

#[test]
fn when_the_stages_are_used_up_the_slot_is_held_and_said_so_every_hour() {
    let mut settings = settings();
    settings.policies[0].after_stages = AfterStages::Hold;
    settings.policies[0].stages = vec![Stage {
        place: Place::Here,
        tries: Some(1),
    }];
    check_with(
        settings,
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  exit te 2@b
        11  refused 1 bad option
        3700 wait
        3800 join te 7@b
        3900 wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 action_failed 1 te/1 on b: refused: bad option
        11.962 slot_held te/1: stages-used-up; `dbwarden release` ends the hold, and so does ...
        3611.962 slot_held te/1: stages-used-up; ...
        3800 process_joined te 7@b
        3800 database_restored teas
        3830 slot_released te/1: a process has run there for a while
        ",
    );
}

#[test]
fn nothing_is_started_while_there_is_no_session() {
    check(
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  lost
        20  up a* b: sm 1@a, te 3@a
        22  up a* b: sm 1@a, te 3@a
        23  ready 1
        24  join te 5@b
        ",
        "
        10 domain_disconnected: closed
        10 domain_frozen: gate not-synced
        20 domain_connected
        20 domain_thawed: gate not-synced
        22 refresh
        22 process_failed te 2@b
        22 database_degraded teas
        22 action_started 1 te/1 on b: it was gone when we looked again; try 1, here; processes ...
        22 prepare 1 te on b
        23 commit 1
        24 process_joined te 5@b
        24 action_succeeded 1 te/1 on b
        24 database_restored teas
        ",
    );
}

#[test]
fn a_start_is_void_when_the_session_is_lost_before_it_is_sent() {
    check(
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  exit te 2@b
        11  lost
        12  ready 1
        20  up a* b: sm 1@a, te 3@a
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 domain_disconnected: closed
        11 domain_frozen: gate not-synced
        12 abandon 1
        12 action_failed 1 te/1 on b: gate not-synced closed
        20 domain_connected
        20 domain_thawed: gate not-synced
        20 action_started 2 te/1 on b: its exit was told; try 1, here; processes there: 0
        20 prepare 2 te on b
        ",
    );
}

#[test]
fn two_engines_lost_one_after_the_other_come_back_as_two_actions() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        20  exit te 3@c
        21  ready 1
        22  join te 5@b
        22  registered 1 5
        23  ready 2
        24  join te 6@c
        24  registered 2 6
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        20.05 process_failed te 3@c
        21 commit 1
        22 process_joined te 5@b
        22 action_succeeded 1 te/1 on b
        22 action_started 2 te/2 on c: its exit was told; try 1, here; processes there: 0
        22 prepare 2 te on c
        23 commit 2
        24 process_joined te 6@c
        24 action_succeeded 2 te/2 on c
        24 database_restored teas
        ",
    );
}

#[test]
fn engines_that_end_together_may_be_a_persons_doing() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        10.2 ready 1
        10.5 join te 5@b
        10.5 registered 1 5
        11  exit te 3@c
        30  wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        10.2 commit 1
        10.5 process_joined te 5@b
        10.5 action_succeeded 1 te/1 on b
        10.5 database_restored teas
        11.05 process_failed te 3@c
        11.05 database_degraded teas
        21.05 action_started 2 te/2 on c: its exit was told; try 1, here; processes there: 0
        21.05 prepare 2 te on c
        ",
    );
}

#[test]
fn a_prepared_start_is_void_when_a_second_engine_ends() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c, te 4@a
        10  exit te 2@b
        11  exit te 3@c
        12  ready 1
        30  wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11.05 process_failed te 3@c
        12 abandon 1
        12 action_failed 1 te/1 on b: others of the database ended as well, maybe by a person
        21.05 action_started 2 te/1 on b: its exit was told; try 1, here; processes there: 0
        21.05 prepare 2 te on b
        ",
    );
}

#[test]
fn a_graceful_exit_is_nobodys_failure() {
    check(
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  leaving te 2@b
        11  exit te 2@b
        60  wait
        ",
        "
        11 process_left te 2@b
        ",
    );
}

#[test]
fn what_is_declared_is_kept_even_after_a_graceful_exit() {
    let mut settings = settings();
    settings.policies[0].te = Some(Bounds { min: 2, max: None });
    check_with(
        settings,
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  leaving te 2@b
        11  exit te 2@b
        60  wait
        ",
        "
        11 process_left te 2@b
        31 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        31 prepare 1 te on b
        31 database_degraded teas
        ",
    );
}

#[test]
fn a_declared_engine_that_never_ran_is_started_where_there_is_room() {
    let mut settings = settings();
    settings.policies[0].te = Some(Bounds { min: 2, max: None });
    check_with(
        settings,
        "
        0   first-up a* b c: sm 1@a, te 2@b
        21  ready 1
        22  join te 5@c
        ",
        "
        0 domain_connected
        0 process_joined sm 1@a
        0 process_joined te 2@b
        0 domain_thawed: gate not-synced
        0 database_degraded teas
        20 action_started 1 te/2 on c: declared, and missing; try 1, elsewhere; processes ...
        20 prepare 1 te on c
        21 commit 1
        22 process_joined te 5@c
        22 action_succeeded 1 te/2 on c
        22 database_restored teas
        ",
    );
}

#[test]
fn an_unreachable_engine_is_replaced_when_we_cannot_reach_its_peer_either() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@a
        10  lose b
        10  exit te 2@b
        40  not-sent 1
        41  ready 2
        42  join te 5@c
        42  registered 2 5
        100 return b
        101 join te 2@b
        ",
        "
        10 process_unreachable te 2@b
        10 database_degraded teas
        40 ask 1 whether b answers
        40 action_started 2 te/1 on c: its peer is out of reach, of us too; try 1, elsewhere; ...
        40 prepare 2 te on c
        41 commit 2
        42 process_joined te 5@c
        42 action_succeeded 2 te/1 on c
        42 database_restored teas
        101 process_returned te 2@b
        101 process_surplus te 2@b: it was given up for te/1, another was started in its ...
        ",
    );
}

#[test]
fn an_unreachable_engine_whose_agent_answers_us_is_left_alone() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@a
        10  lose b
        40  answers 1
        50  answers 2
        55  return b
        56  join te 2@b
        90  wait
        ",
        "
        10 process_unreachable te 2@b
        10 database_degraded teas
        40 ask 1 whether b answers
        40 domain_frozen: gate views-differ
        50 ask 2 whether b answers
        55 domain_thawed: gate views-differ
        56 process_returned te 2@b
        56 database_restored teas
        ",
    );
}

#[test]
fn an_engine_that_does_not_come_back_with_its_peer_is_started_there_again() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@a
        10  lose b
        20  return b
        39  wait
        41  ready 1
        42  join te 5@b
        ",
        "
        10 process_unreachable te 2@b
        10 database_degraded teas
        40 process_failed te 2@b
        40 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        40 prepare 1 te on b
        41 commit 1
        42 process_joined te 5@b
        42 action_succeeded 1 te/1 on b
        42 database_restored teas
        ",
    );
}

#[test]
fn strict_siblings_forbid_to_replace_what_may_live() {
    let mut settings = settings();
    settings.policies[0].strict_siblings = true;
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@a
        10  lose b
        10  exit te 2@b
        200 wait
        ",
        "
        10 process_unreachable te 2@b
        10 database_degraded teas
        130 slot_blocked te/1: gate strict-siblings
        ",
    );
}

#[test]
fn while_nothing_of_its_database_runs_an_engine_is_not_started_and_that_is_told() {
    check(
        "
        0   up a* b c: sm 1@c, te 2@b
        10  lose c
        11  exit te 2@b
        200 wait
        210 return c
        211 join sm 1@c
        212 ready 1
        ",
        "
        10 process_unreachable sm 1@c
        11.05 process_failed te 2@b
        11.05 database_degraded teas
        131.05 slot_blocked te/1: gate database-down
        211 process_returned sm 1@c
        211 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        211 prepare 1 te on b
        212 commit 1
        ",
    );
}

#[test]
fn a_start_nobody_hears_of_has_failed_when_a_fresh_snapshot_does_not_show_it() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@a
        10  exit te 2@b
        11  ready 1
        41  unanswered 1
        42  up a* b c: sm 1@a, te 3@a
        44  ready 2
        45  join te 6@b
        60  join te 5@b
        100 exit te 5@b
        200 wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        41 refresh
        42 action_failed 1 te/1 on b: nothing was heard of the start
        42.962 action_started 2 te/1 on b: its exit was told; try 2, here; processes there: 0
        42.962 prepare 2 te on b
        44 commit 2
        45 process_joined te 6@b
        45 action_succeeded 2 te/1 on b
        45 database_restored teas
        60 process_joined te 5@b
        60 process_surplus te 5@b: it was given up for te/1, another was started in its ...
        100.05 process_failed te 5@b
        ",
    );
}

#[test]
fn a_start_nobody_hears_of_has_succeeded_when_a_fresh_snapshot_shows_it() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@a
        10  exit te 2@b
        11  ready 1
        41  unanswered 1
        42  up a* b c: sm 1@a, te 3@a, te 5@b
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        41 refresh
        42 process_joined te 5@b
        42 action_succeeded 1 te/1 on b
        42 database_restored teas
        ",
    );
}

#[test]
fn an_engine_somebody_else_started_meanwhile_takes_the_seat() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@a
        10  exit te 2@b
        11  join te 5@c
        12  ready 1
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 process_joined te 5@c
        11 abandon 1
        11 action_failed 1 te/1 on b: another process took the seat before anything was asked
        11 database_restored teas
        12 abandon 1
        ",
    );
}

#[test]
fn a_short_lived_engine_is_started_after_a_pause_that_grows() {
    let mut settings = settings();
    settings.policies[0].te = Some(Bounds { min: 2, max: None });
    check_with(
        settings,
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  exit te 2@b
        10.1 ready 1
        10.2 join te 5@b
        11  exit te 5@b
        13  ready 2
        13.2 join te 6@b
        14  exit te 6@b
        30  wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        10.1 commit 1
        10.2 process_joined te 5@b
        10.2 action_succeeded 1 te/1 on b
        10.2 database_restored teas
        11.05 process_failed te 5@b
        11.05 database_degraded teas
        12.012 action_started 2 te/1 on b: its exit was told; try 2, here; processes there: 0
        12.012 prepare 2 te on b
        13 commit 2
        13.2 process_joined te 6@b
        13.2 action_succeeded 2 te/1 on b
        13.2 database_restored teas
        14.05 process_failed te 6@b
        14.05 database_degraded teas
        16.14 action_started 3 te/1 on b: its exit was told; try 3, here; processes there: 0
        16.14 prepare 3 te on b
        ",
    );
}

#[test]
fn without_known_options_a_start_is_only_suggested() {
    let mut settings = settings();
    settings.te_options.clear();
    check_with(
        settings,
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  exit te 2@b
        300 wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_suggested te/1 on b: its exit was told; try 1, here; processes there: 0; ...
        ",
    );
}

#[test]
fn in_suggest_mode_nothing_is_started() {
    let mut settings = settings();
    settings.mode = Mode::Suggest;
    check_with(
        settings,
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  exit te 2@b
        300 wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_suggested te/1 on b: its exit was told; try 1, here; processes there: 0; ...
        ",
    );
}

#[test]
fn in_observe_mode_nothing_is_even_suggested() {
    let mut settings = settings();
    settings.mode = Mode::Observe;
    check_with(
        settings,
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  exit te 2@b
        300 wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        ",
    );
}

#[test]
fn a_young_engine_was_never_wanted() {
    check(
        "
        0   up a* b c: sm 1@a, te 3@a
        10  join te 2@b
        20  exit te 2@b
        100 wait
        ",
        "
        10 process_joined te 2@b
        20.05 process_failed te 2@b
        ",
    );
}

#[test]
fn a_whole_database_that_vanished_unwatched_is_a_persons_business() {
    check(
        "
        0   up a* b: sm 1@a, te 2@b
        10  lost
        20  up a* b
        22  up a* b
        100 wait
        ",
        "
        10 domain_disconnected: closed
        10 domain_frozen: gate not-synced
        20 domain_connected
        20 domain_thawed: gate not-synced
        22 refresh
        22 process_failed sm 1@a
        22 process_failed te 2@b
        22 database_degraded teas
        22 slot_held te/1: vanished-unwatched; ...
        ",
    );
}

#[test]
fn after_a_connect_the_healer_waits_until_membership_is_quiet() {
    let mut settings = settings();
    settings.settle = Duration::from_secs(2);
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@a
        10  lost
        20  up a* c: sm 1@a, te 3@a
        21  return b
        22  join te 7@c
        24  wait
        60  wait
        ",
        "
        10 domain_disconnected: closed
        10 domain_frozen: gate not-synced
        20 domain_connected
        21 process_unreachable te 2@b
        21 database_degraded teas
        22 process_joined te 7@c
        22 database_restored teas
        24 domain_thawed: gate not-synced
        41 process_failed te 2@b
        ",
    );
}

#[test]
fn a_start_on_a_peer_that_went_away_meanwhile_is_not_sent() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@a
        10  exit te 2@b
        11  lose b
        12  ready 1
        13  not-sent 2
        100 wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        12 abandon 1
        12 action_failed 1 te/1 on b: the peer is out of reach now
        12 ask 2 whether b answers
        40.05 action_started 3 te/1 on c: its exit was told; try 1, elsewhere; processes there: ...
        40.05 prepare 3 te on c
        70.05 abandon 3
        70.05 action_failed 3 te/1 on c: no session to the agent in time
        71.012 action_started 4 te/1 on c: its exit was told; try 2, elsewhere; processes ...
        71.012 prepare 4 te on c
        ",
    );
}

#[test]
fn an_engine_that_registers_and_gets_no_further_is_told_of_once() {
    check(
        "
        0   up a* b: sm 1@a, te 2@b, te 3@a
        10  exit te 2@b
        11  ready 1
        12  syncs te 5@b
        12  registered 1 5
        300 lost
        700 restart
        701 up a* b: sm 1@a, te 3@a, te 5@b SYNCING
        900 restart
        901 up a* b: sm 1@a, te 3@a, te 5@b SYNCING
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        12 process_joined te 5@b
        12 action_succeeded 1 te/1 on b
        12 database_restored teas
        300 domain_disconnected: closed
        300 domain_frozen: gate not-synced
        701 domain_connected
        701 domain_thawed: gate not-synced
        701 process_stuck te 5@b: SYNCING for 11 min; look at its log
        900 domain_frozen: gate not-synced
        901 domain_connected
        901 domain_thawed: gate not-synced
        ",
    );
}
