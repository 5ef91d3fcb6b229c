//! Stories of engines that may live on beside the one started in their place: at most one for a
//! seat, and it is told.

use super::harness::{check, check_with, settings};

use dbwarden::policy::Bounds;

#[test]
fn a_replacement_that_is_lost_as_well_is_not_replaced_while_the_first_may_live() {
    check(
        "
        0   up a* b c d: sm 1@a, te 2@b
        10  lose b
        41  not-sent 1
        42  ready 2
        43  join te 5@c
        100 lose c
        300 return c
        302 join te 5@c
        ",
        "
        10 process_unreachable te 2@b
        10 database_degraded teas
        40 ask 1 whether b answers
        41 action_started 2 te/1 on c: its peer is out of reach, of us too; try 1, elsewhere; ...
        41 prepare 2 te on c
        42 commit 2
        43 process_joined te 5@c
        43 action_succeeded 2 te/1 on c
        43 database_restored teas
        100 process_unreachable te 5@c
        100 database_degraded teas
        220 slot_blocked te/1: gate may-overlap
        302 process_returned te 5@c
        302 database_restored teas
        ",
    );
}

#[test]
fn once_the_first_is_known_to_be_gone_the_next_is_replaced() {
    check(
        "
        0   up a* b c d: sm 1@a, te 2@b
        10  lose b
        41  not-sent 1
        42  ready 2
        43  join te 5@c
        100 lose c
        150 return b
        171 not-sent 3
        ",
        "
        10 process_unreachable te 2@b
        10 database_degraded teas
        40 ask 1 whether b answers
        41 action_started 2 te/1 on c: its peer is out of reach, of us too; try 1, elsewhere; ...
        41 prepare 2 te on c
        42 commit 2
        43 process_joined te 5@c
        43 action_succeeded 2 te/1 on c
        43 database_restored teas
        100 process_unreachable te 5@c
        100 database_degraded teas
        170 process_failed te 2@b
        170 ask 3 whether c answers
        171 action_started 4 te/1 on d: its peer is out of reach, of us too; try 2, elsewhere; ...
        171 prepare 4 te on d
        ",
    );
}

#[test]
fn a_seat_that_moves_is_followed_by_whoever_is_out_of_reach() {
    let mut settings = settings();
    settings.policies[0].te = Some(Bounds { min: 1, max: None });
    check_with(
        settings,
        "
        0   up a* b c d: sm 1@a, te 2@b, te 3@c
        10  lose c
        15  leaving te 2@b
        16  exit te 2@b
        41  not-sent 1
        42  ready 2
        43  join te 5@b
        100 return c
        101 join te 3@c
        ",
        "
        10 process_unreachable te 3@c
        10 database_degraded teas
        16 process_left te 2@b
        40 ask 1 whether c answers
        41 action_started 2 te/1 on b: its peer is out of reach, of us too; try 1, elsewhere; ...
        41 prepare 2 te on b
        42 commit 2
        43 process_joined te 5@b
        43 action_succeeded 2 te/1 on b
        43 database_restored teas
        101 process_returned te 3@c
        101 process_surplus te 3@c: it was given up for te/1, another was started in its place, ...
        ",
    );
}

#[test]
fn two_engines_that_are_stopped_one_after_the_other_are_two_less() {
    let mut settings = settings();
    settings.policies[0].te = Some(Bounds { min: 1, max: None });
    check_with(
        settings,
        "
        0   up a* b c d: sm 1@a, te 2@b, te 3@c
        10  leaving te 2@b
        11  exit te 2@b
        20  leaving te 3@c
        21  exit te 3@c
        41  ready 1
        42  join te 5@c
        100 wait
        ",
        "
        11 process_left te 2@b
        21 process_left te 3@c
        41 action_started 1 te/1 on c: its exit was told; try 1, here; processes there: 0
        41 prepare 1 te on c
        41 database_degraded teas
        41 commit 1
        42 process_joined te 5@c
        42 action_succeeded 1 te/1 on c
        42 database_restored teas
        ",
    );
}

#[test]
fn after_two_starts_that_nobody_heard_of_the_first_must_be_out_of_the_question() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  ready 1
        41  unanswered 1
        42  up a* b c: sm 1@a, te 3@c
        44  ready 2
        74  unanswered 2
        75  up a* b c: sm 1@a, te 3@c
        80  answers 3
        700 wait
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
        74 refresh
        75 action_failed 2 te/1 on b: nothing was heard of the start
        130.05 slot_blocked te/1: gate may-overlap; opens in 8 min 32 s
        642 ask 3 whether b answers
        ",
    );
}

#[test]
fn a_policy_without_overlaps_waits_for_a_start_that_nobody_heard_of() {
    let mut settings = settings();
    settings.policies[0].strict_siblings = true;
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  ready 1
        41  unanswered 1
        42  up a* b c: sm 1@a, te 3@c
        400 join te 7@b
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        41 refresh
        42 action_failed 1 te/1 on b: nothing was heard of the start
        130.05 slot_blocked te/1: gate may-overlap; opens in 8 min 32 s
        400 process_joined te 7@b
        400 database_restored teas
        ",
    );
}

#[test]
fn a_policy_without_overlaps_does_not_forget_one_out_of_reach_for_one_that_stood_in_for_it() {
    let mut settings = settings();
    settings.policies[0].strict_siblings = true;
    check_with(
        settings,
        "
        0   up a* b c d: sm 1@a, te 2@b, te 3@c
        10  lose b
        50  join te 5@d
        100 exit te 5@d
        300 why teas/te/1
        400 return b
        401 join te 2@b
        ",
        "
        10 process_unreachable te 2@b
        10 database_degraded teas
        50 process_joined te 5@d
        50 database_restored teas
        100.05 process_failed te 5@d
        100.05 database_degraded teas
        220.05 slot_blocked te/1: gate strict-siblings
        300 teas/te/1 vacant: nobody sits there: the one it replaces may be alive, and ...
        - wanted: a process ran there for at least min-uptime (30s)
        - exit: it ran at d: its exit was told, since 100.05
        - strict-siblings: the one it replaces may be alive, and strict-siblings forbids a ...
        - peer: a may take it
        - peer-unreachable: not at b: the peer is out of reach
        - peer-taken: not at c: the peer has a process of the database, and there is one at most
        - peer: d may take it
        at 10 vacant: 2@b its peer is out of reach, and it may live on there
        at 10 blocked by strict-siblings: the one it replaces may be alive, and ...
        at 50 filled: 5@d d/5 sits there
        at 100.05 vacant: 5@d its exit was told
        at 100.05 blocked by strict-siblings: the one it replaces may be alive, and ...
        at 220.05 slot_blocked: gate strict-siblings
        401 process_returned te 2@b
        401 database_restored teas
        ",
    );
}

#[test]
fn a_policy_without_overlaps_goes_on_once_the_one_out_of_reach_is_known_to_be_gone() {
    let mut settings = settings();
    settings.policies[0].strict_siblings = true;
    check_with(
        settings,
        "
        0   up a* b c d: sm 1@a, te 2@b, te 3@c
        10  lose b
        50  join te 5@d
        100 exit te 5@d
        110 return b
        130 wait
        ",
        "
        10 process_unreachable te 2@b
        10 database_degraded teas
        50 process_joined te 5@d
        50 database_restored teas
        100.05 process_failed te 5@d
        100.05 database_degraded teas
        130 process_failed te 2@b
        130 action_started 1 te/1 on d: its exit was told; try 1, here; processes there: 0
        130 prepare 1 te on d
        ",
    );
}

#[test]
fn a_start_that_was_not_asked_for_yet_gives_way_to_one_that_comes_back() {
    check(
        "
        0   up a* b c d: sm 1@a, te 2@b, te 3@c
        10  lose b
        41  not-sent 1
        42  ready 2
        43  join te 5@d
        100 exit te 3@c
        101 return b
        102 join te 2@b
        103 ready 3
        ",
        "
        10 process_unreachable te 2@b
        10 database_degraded teas
        40 ask 1 whether b answers
        41 action_started 2 te/1 on d: its peer is out of reach, of us too; try 1, elsewhere; ...
        41 prepare 2 te on d
        42 commit 2
        43 process_joined te 5@d
        43 action_succeeded 2 te/1 on d
        43 database_restored teas
        100.05 process_failed te 3@c
        100.05 database_degraded teas
        100.05 action_started 3 te/2 on c: its exit was told; try 1, here; processes there: 0
        100.05 prepare 3 te on c
        102 process_returned te 2@b
        102 abandon 3
        102 action_failed 3 te/2 on c: another process took the seat before anything was asked
        102 database_restored teas
        103 abandon 3
        ",
    );
}

#[test]
fn an_engine_that_nobody_wants_is_told_of_and_left_alone() {
    let mut settings = settings();
    settings.policies[0].te = Some(Bounds { min: 1, max: None });
    settings.policies[0].keep_observed = false;
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b
        10  join te 3@c
        ",
        "
        10 process_joined te 3@c
        10 process_surplus te 3@c: it is more than is wanted
        ",
    );
}

#[test]
fn an_engine_that_comes_late_takes_the_seat_that_it_was_started_for() {
    let mut settings = settings();
    settings.policies[0].strict_siblings = true;
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  ready 1
        41  unanswered 1
        42  up a* b c: sm 1@a, te 3@c
        50  exit te 3@c
        51  ready 2
        81  unanswered 2
        82  up a* b c: sm 1@a
        100 join te 7@c
        200 join te 8@b
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        41 refresh
        42 action_failed 1 te/1 on b: nothing was heard of the start
        50.05 process_failed te 3@c
        50.05 action_started 2 te/2 on c: its exit was told; try 1, here; processes there: 0
        50.05 prepare 2 te on c
        51 commit 2
        81 refresh
        82 action_failed 2 te/2 on c: nothing was heard of the start
        100 process_joined te 7@c
        130.05 slot_blocked te/1: gate may-overlap; opens in 8 min 32 s
        200 process_joined te 8@b
        200 database_restored teas
        ",
    );
}

#[test]
fn what_others_start_before_an_exit_is_believed_takes_its_seat() {
    check(
        "
        0      up a* b c d: sm 1@a, te 2@b, te 3@c
        100    exit te 2@b
        100.02 join te 4@d
        200    exit te 3@c
        201    ready 1
        202    join te 5@c
        ",
        "
        100.02 process_joined te 4@d
        100.05 process_failed te 2@b
        200.05 process_failed te 3@c
        200.05 database_degraded teas
        200.05 action_started 1 te/2 on c: its exit was told; try 1, here; processes there: 0
        200.05 prepare 1 te on c
        201 commit 1
        202 process_joined te 5@c
        202 action_succeeded 1 te/2 on c
        202 database_restored teas
        ",
    );
}

#[test]
fn what_does_not_say_which_start_it_came_from_leaves_the_late_one_to_come() {
    let mut settings = settings();
    settings.policies[0].strict_siblings = true;
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  ready 1
        11  started 1 s1
        41  unanswered 1
        42  up a* b c: sm 1@a, te 3@c
        50  join te 4@b
        100 exit te 4@b
        230 wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        41 refresh
        42 action_failed 1 te/1 on b: nothing was heard of the start
        50 process_joined te 4@b
        50 database_restored teas
        100.05 process_failed te 4@b
        100.05 database_degraded teas
        220.05 slot_blocked te/1: gate may-overlap; opens in 7 min 2 s
        ",
    );
}

#[test]
fn one_that_came_late_and_is_lost_with_the_one_in_its_place_counts_as_well() {
    check(
        "
        0   up a* b c d: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  ready 1
        41  unanswered 1
        42  up a* b c d: sm 1@a, te 3@c
        44  ready 2
        45  join te 5@b
        45  registered 2 5
        60  join te 4@b
        100 lose b
        131 unanswered 3
        300 return b
        301 join te 4@b
        301 join te 5@b
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
        45 process_joined te 5@b
        45 action_succeeded 2 te/1 on b
        45 database_restored teas
        60 process_joined te 4@b
        60 process_surplus te 4@b: it was given up for te/1, another was started in its ...
        100 process_unreachable te 4@b
        100 process_unreachable te 5@b
        100 database_degraded teas
        220 slot_blocked te/1: gate may-overlap
        301 process_returned te 4@b
        301 database_restored teas
        301 process_returned te 5@b
        301 process_surplus te 5@b: it was given up for te/1, another was started in its ...
        ",
    );
}

#[test]
fn an_agent_that_was_replaced_nobody_knows_when_may_be_the_one_that_was_asked() {
    let mut settings = settings();
    settings.policies[0].strict_siblings = true;
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  ready 1
        41  unanswered 1
        42  up a* b c: sm 1@a, te 3@c
        60  return b
        400 join te 7@b
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        41 refresh
        42 action_failed 1 te/1 on b: nothing was heard of the start
        130.05 slot_blocked te/1: gate may-overlap; opens in 8 min 32 s
        400 process_joined te 7@b
        400 database_restored teas
        ",
    );
}

#[test]
fn an_agent_that_was_only_out_of_reach_may_still_do_what_it_was_asked() {
    let mut settings = settings();
    settings.policies[0].strict_siblings = true;
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  ready 1
        41  unanswered 1
        42  up a* b c: sm 1@a, te 3@c
        50  lose b
        60  rejoin b
        400 join te 7@b
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        41 refresh
        42 action_failed 1 te/1 on b: nothing was heard of the start
        130.05 slot_blocked te/1: gate may-overlap; opens in 8 min 32 s
        400 process_joined te 7@b
        400 database_restored teas
        ",
    );
}

#[test]
fn an_agent_that_answers_for_one_seat_was_not_silent_for_another() {
    check(
        "
        0   up a* b c d e: sm 1@a, te 2@b, te 3@c, te 4@b
        10  lose b
        20  exit te 3@c
        21  ready 1
        51  failed 1 no more
        53.5 answers 4
        54  not-sent 2
        55  answers 3
        56  ready 5
        57  join te 6@d
        58  not-sent 6
        ",
        "
        10 process_unreachable te 2@b
        10 process_unreachable te 4@b
        10 database_degraded teas
        20.05 process_failed te 3@c
        20.05 action_started 1 te/2 on c: its exit was told; try 1, here; processes there: 0
        20.05 prepare 1 te on c
        21 commit 1
        51 action_failed 1 te/2 on c: no more
        51 ask 2 whether b answers
        51 ask 3 whether b answers
        52.046 ask 4 whether c answers
        53.5 action_started 5 te/2 on d: its exit was told; try 2, elsewhere; processes there: 0
        53.5 prepare 5 te on d
        56 commit 5
        57 process_joined te 6@d
        57 action_succeeded 5 te/2 on d
        57 ask 6 whether b answers
        58 action_started 7 te/1 on e: its peer is out of reach, of us too; try 1, elsewhere; ...
        58 prepare 7 te on e
        ",
    );
}

#[test]
fn what_was_started_may_come_though_another_took_its_seat() {
    let mut settings = settings();
    settings.policies[0].strict_siblings = true;
    check_with(
        settings,
        "
        0   up a* b c d: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  ready 1
        11  started 1 s1
        12  join te 5@b
        100 exit te 5@b
        611 wait
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
        100.05 process_failed te 5@b
        100.05 database_degraded teas
        220.05 slot_blocked te/1: gate may-overlap; opens in 6 min 32 s
        ",
    );
}
