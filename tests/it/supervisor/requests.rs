//! Stories of those who ask: with every policy off, and beside the healer.

use super::harness::{check, check_with, policy_of, settings};
use dbwarden::supervisor::Settings;

/// Every policy is off.
fn off() -> Settings {
    let mut settings = settings();
    settings.policies.clear();
    settings
}

#[test]
fn with_every_policy_off_nothing_is_started_and_nothing_is_missed() {
    check_with(
        off(),
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        20  lose c
        9000 wait
        ",
        "
        10.05 process_failed te 2@b
        20 process_unreachable te 3@c
        ",
    );
}

#[test]
fn who_asks_gets_an_engine_elsewhere_by_the_evidence_that_the_healer_needs() {
    check_with(
        off(),
        "
        0   up a* b c: sm 1@a, te 2@b
        10  exit te 2@b
        11  ask page-me teas elsewhere
        12  answers 1
        13  ready 2
        14  join te 5@c
        14  registered 2 5
        15  ask page-me teas elsewhere
        ",
        "
        10.05 process_failed te 2@b
        11 operator_command te/1: page-me asks for an engine elsewhere
        11 ask 1 whether b answers
        11 accepted: te/1 was asked for and waits for the gate asking-agent, at most 10 min
        12 action_started 2 te/1 on c: page-me asked for it; its exit was told; try 1, ...
        12 prepare 2 te on c
        13 commit 2
        14 process_joined te 5@c
        14 action_succeeded 2 te/1 on c
        15 refused: no transaction engine of teas is missing; `dbwarden domain start-te teas` ...
        ",
    );
}

#[test]
fn a_thousand_who_ask_at_once_start_one_engine() {
    let asked = "11 ask script teas elsewhere\n".repeat(1_000);
    let waits = "accepted: te/1 was asked for already and waits for the gate asking-agent, ...\n";
    let joined = "13 accepted: te/1 on c (action 2) is being started already\n".repeat(1_000);
    let story = format!(
        "
        0   up a* b c: sm 1@a, te 2@b
        10  exit te 2@b
        {asked}
        12  answers 1
        {}
        14  ready 2
        15  join te 5@c
        15  registered 2 5
        16  ask script teas elsewhere
        900 wait
        ",
        asked.replace("11 ask", "13 ask")
    );
    let expected = format!(
        "
        10.05 process_failed te 2@b
        11 operator_command te/1: script asks for an engine elsewhere
        11 ask 1 whether b answers
        11 accepted: te/1 was asked for and waits for the gate asking-agent, at most 10 min
        {}
        12 action_started 2 te/1 on c: script asked for it; its exit was told; try 1, ...
        12 prepare 2 te on c
        {joined}
        14 commit 2
        15 process_joined te 5@c
        15 action_succeeded 2 te/1 on c
        16 refused: no transaction engine of teas is missing; ...
        ",
        format!("11 {waits}").repeat(999)
    );
    check_with(off(), &story, &expected);
}

#[test]
fn who_asks_where_it_was_gets_it_there_and_who_differs_is_refused() {
    check_with(
        off(),
        "
        0   up a* b c: sm 1@a, te 2@b
        10  exit te 2@b
        11  ask operator teas on b
        12  ask page-me teas elsewhere
        12  ask page-me teas
        12  ask page-me teas on b
        ",
        "
        10.05 process_failed te 2@b
        11 operator_command te/1: operator asks for an engine on b
        11 action_started 1 te/1 on b: operator asked for it; its exit was told; try 1, here; ...
        11 prepare 1 te on b
        11 accepted: te/1 on b (action 1) is being started
        12 refused: te/1 on b (action 1) is being started already
        12 accepted: te/1 on b (action 1) is being started already
        12 accepted: te/1 on b (action 1) is being started already
        ",
    );
}

#[test]
fn who_asks_for_what_cannot_be_is_told_why() {
    check_with(
        off(),
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c, te 9@c of coffee
        5   ask operator teas
        10  exit te 2@b
        11  ask operator tea
        11  ask operator coffee
        11  ask operator teas on d
        11  ask operator teas on c
        12  leaving te 3@c
        12  exit te 3@c
        13  reload no-options
        14  ask operator teas
        15  reload suggest
        16  ask operator teas
        ",
        "
        5 refused: no transaction engine of teas is missing; `dbwarden domain start-te teas` ...
        10.05 process_failed te 2@b
        11 refused: no process of a database `tea` was ever seen in the domain prod; `dbwarden ...
        11 refused: te-options of coffee are not configured ([] would do)
        11 refused: no peer `d` was ever seen; `dbwarden status` shows those that were
        11 refused: c has a transaction engine of teas; ask for another peer
        12 process_left te 3@c
        14 refused: te-options of teas are not configured ([] would do)
        16 refused: the daemon does not run in the mode `heal`; `dbwarden domain start-te` ...
        ",
    );
}

#[test]
fn an_engine_out_of_reach_is_replaced_for_those_who_ask_as_for_the_healer() {
    check_with(
        off(),
        "
        0   up a* b c: sm 1@a, te 2@b
        10  lose b
        11  ask page-me teas elsewhere
        60  not-sent 1
        61  ready 2
        62  failed 2 no memory
        100 ask page-me teas
        ",
        "
        10 process_unreachable te 2@b
        11 operator_command te/1: page-me asks for an engine elsewhere
        11 accepted: te/1 was asked for and waits for the gate unreachable-grace, at most 10 min
        40 ask 1 whether b answers
        60 action_started 2 te/1 on c: page-me asked for it; its peer is out of reach, of us ...
        60 prepare 2 te on c
        61 commit 2
        62 action_failed 2 te/1 on c: no memory
        100 operator_command te/1: page-me asks for an engine
        100 action_started 3 te/1 on a: page-me asked for it; its peer is out of reach, of us ...
        100 prepare 3 te on a
        100 accepted: te/1 on a (action 3) is being started
        ",
    );
}

#[test]
fn what_was_asked_for_waits_ten_minutes_and_says_when_it_is_given_up() {
    check_with(
        off(),
        "
        0   up a* b: sm 1@a, te 2@b
        10  exit te 2@b
        11  exit sm 1@a
        30  ask page-me teas
        700 wait
        ",
        "
        10.05 process_failed te 2@b
        11.05 process_failed sm 1@a
        30 operator_command te/1: page-me asks for an engine
        30 accepted: te/1 was asked for and waits for the gate database-down, at most 10 min
        150 slot_blocked te/1: gate database-down
        630 slot_blocked te/1: gate database-down; what page-me asked for is given up
        ",
    );
}

#[test]
fn what_was_asked_for_too_long_ago_does_not_leave_though_its_session_stands() {
    check_with(
        off(),
        "
        0     up a* b: sm 1@a, te 2@b
        10    exit te 2@b
        11    exit sm 1@a
        30    ask page-me teas
        629.9 join sm 3@a
        630.1 ready 1
        700   wait
        ",
        "
        10.05 process_failed te 2@b
        11.05 process_failed sm 1@a
        30 operator_command te/1: page-me asks for an engine
        30 accepted: te/1 was asked for and waits for the gate database-down, at most 10 min
        150 slot_blocked te/1: gate database-down
        629.9 process_joined sm 3@a
        629.9 action_started 1 te/1 on b: page-me asked for it; its exit was told; try 1, here; ...
        629.9 prepare 1 te on b
        630.1 abandon 1
        630.1 action_failed 1 te/1 on b: nobody wants it any more
        630.1 slot_blocked te/1: gate pace; what page-me asked for is given up
        ",
    );
}

#[test]
fn a_start_that_was_asked_for_and_never_left_is_tried_again_after_a_restart() {
    check_with(
        off(),
        "
        0   up a* b: sm 1@a, te 2@b
        10  exit te 2@b
        30  ask page-me teas
        31  restart
        32  up a* b: sm 1@a
        50  ready 2
        51  restart
        52  up a* b: sm 1@a
        60  join te 5@b
        ",
        "
        10.05 process_failed te 2@b
        30 operator_command te/1: page-me asks for an engine
        30 action_started 1 te/1 on b: page-me asked for it; its exit was told; try 1, here; ...
        30 prepare 1 te on b
        30 accepted: te/1 on b (action 1) is being started
        31 domain_frozen: gate not-synced
        31 action_failed 1 te/1 on b: not sent: the daemon ended before the request left
        32 domain_connected
        32 domain_thawed: gate not-synced
        32 ask 2 whether b answers
        50 action_started 3 te/1 on a: page-me asked for it; its exit was told; try 2, ...
        50 prepare 3 te on a
        51 domain_frozen: gate not-synced
        51 action_failed 3 te/1 on a: not sent: the daemon ended before the request left
        52 domain_connected
        52 domain_thawed: gate not-synced
        53.09 action_started 4 te/1 on b: page-me asked for it; its exit was told; try 3, here; ...
        53.09 prepare 4 te on b
        60 process_joined te 5@b
        60 abandon 4
        60 action_failed 4 te/1 on b: another process took the seat before anything was asked
        ",
    );
}

#[test]
fn a_policy_that_comes_with_a_restart_keeps_what_runs() {
    let mut settings = settings();
    settings.policies[0].keep_observed = false;
    check_with(
        settings,
        "
        0   up a* b: sm 1@a, te 2@b
        20  restart on
        21  up a* b: sm 1@a, te 2@b
        60  exit te 2@b
        61  ready 1
        ",
        "
        20 domain_frozen: gate not-synced
        21 domain_connected
        21 domain_thawed: gate not-synced
        60.05 process_failed te 2@b
        60.05 database_degraded teas
        60.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        60.05 prepare 1 te on b
        61 commit 1
        ",
    );
}

#[test]
fn a_policy_that_comes_keeps_nothing_that_is_out_of_reach() {
    let mut settings = settings();
    settings.policies[0].keep_observed = false;
    check_with(
        settings,
        "
        0   up a* b: sm 1@a, te 2@b
        10  lose b
        20  reload on
        30  return b
        31  join te 2@b
        60  exit te 2@b
        61  restart
        62  up a* b: sm 1@a
        90  wait
        ",
        "
        10 process_unreachable te 2@b
        31 process_returned te 2@b
        60.05 process_failed te 2@b
        61 domain_frozen: gate not-synced
        62 domain_connected
        62 domain_thawed: gate not-synced
        ",
    );
}

#[test]
fn a_policy_that_comes_takes_over_and_one_that_goes_misses_nothing() {
    check_with(
        off(),
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        20  reload on
        21  ready 1
        22  join te 5@b
        22  registered 1 5
        30  reload off
        40  exit te 5@b
        50  exit te 3@c
        70  reload on
        71  reload off
        72  ready 3
        ",
        "
        10.05 process_failed te 2@b
        20 database_degraded teas
        20 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        20 prepare 1 te on b
        21 commit 1
        22 process_joined te 5@b
        22 action_succeeded 1 te/1 on b
        22 database_restored teas
        40.05 process_failed te 5@b
        50.05 process_failed te 3@c
        70 database_degraded teas
        70 ask 2 whether b answers
        70 action_started 3 te/2 on c: its exit was told; try 1, here; processes there: 0
        70 prepare 3 te on c
        71 database_restored teas
        72 abandon 3
        72 action_failed 3 te/2 on c: nobody wants it any more
        ",
    );
}

#[test]
fn what_is_blocked_is_told_again_when_it_is_wanted_again() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        5   say ada hold teas
        10  exit te 2@b
        200 reload off
        300 reload on
        301 wait
        ",
        "
        5 operator_command teas: ada holds teas
        5 accepted: nothing is started for teas until it is released
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        130.05 slot_blocked te/1: gate held by ada
        200 database_restored teas
        300 database_degraded teas
        300 slot_blocked te/1: gate held by ada
        ",
    );
}

#[test]
fn who_asks_beside_the_healer_says_where() {
    check_with(
        settings(),
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        10.5  exit te 3@c
        11  ask page-me teas elsewhere
        11  ask page-me teas on a
        30  wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        10.55 process_failed te 3@c
        11 operator_command te/2: page-me asks for an engine elsewhere
        11 accepted: te/2 was asked for and waits for the gate lane, at most 10 min
        11 refused: te/1 on b (action 1) is being started already
        ",
    );
}

#[test]
fn why_somebody_asks_is_told_with_the_request_and_with_the_start() {
    check_with(
        off(),
        "
        0   up a* b c: sm 1@a, te 2@b
        10  exit te 2@b
        11  ask ada teas on b because the patch is in
        ",
        "
        10.05 process_failed te 2@b
        11 operator_command te/1: ada asks for an engine on b: the patch is in
        11 action_started 1 te/1 on b: ada asked for it (the patch is in); its exit was told; ...
        11 prepare 1 te on b
        11 accepted: te/1 on b (action 1) is being started
        ",
    );
}

#[test]
fn policies_that_move_up_in_the_list_stay_with_their_databases() {
    let mut settings = settings();
    settings.te_options.insert("coffee".into(), Vec::new());
    settings.policies = ["water", "teas", "coffee"].map(policy_of).into();
    settings.policies[1].keep_observed = false;
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b, sm 4@a of coffee, te 5@c of coffee
        10  exit te 5@c of coffee
        11  ready 1
        12  started 1 s1
        200 wait
        210 reload teas-only
        220 exit te 2@b
        221 wait
        ",
        "
        10.05 process_failed te 5@c
        10.05 database_degraded coffee
        10.05 action_started 1 te/1 on c: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te of coffee on c
        11 commit 1
        46 refresh
        106 action_failed 1 te/1 on c: nothing was heard of the start
        106.962 ask 2 whether c answers
        210 database_restored coffee
        220.05 process_failed te 2@b
        220.05 database_degraded teas
        220.05 action_started 3 te/1 on b: its exit was told; try 1, here; processes there: 0
        220.05 prepare 3 te on b
        ",
    );
}
