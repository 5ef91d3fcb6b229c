//! Stories of what people say of what is wanted: scale, forget, want, and who is dead.

use super::harness::{check, check_with, settings};
use dbwarden::policy::Bounds;

#[test]
fn a_database_is_scaled_within_the_bounds_of_its_policy() {
    let mut settings = settings();
    settings.policies[0].te = Some(Bounds {
        min: 1,
        max: Some(2),
    });
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b
        5   say ada scale teas to 3
        6   say ada scale teas to 2 because the sale
        7   ready 1
        8   join te 5@c
        8   registered 1 5
        100 say ada scale teas to 1
        110 exit te 5@c
        200 restart
        201 up a* b c: sm 1@a, te 2@b
        ",
        "
        5 refused: 3 is not from 1 to 2, as the configuration has it (`te`)
        6 operator_command teas: ada wants 2 transaction engines of teas: the sale
        6 action_started 1 te/2 on c: declared, and missing; try 1, elsewhere; processes there: 0
        6 prepare 1 te on c
        6 database_degraded teas
        6 accepted: 2 transaction engines of teas are wanted, until it is scaled again or forgotten
        7 commit 1
        8 process_joined te 5@c
        8 action_succeeded 1 te/2 on c
        8 database_restored teas
        100 operator_command teas: ada wants 1 transaction engines of teas
        100 accepted: 1 transaction engines of teas are wanted, until it is scaled again or ...
        110.05 process_failed te 5@c
        200 domain_frozen: gate not-synced
        201 domain_connected
        201 domain_thawed: gate not-synced
        ",
    );
}

#[test]
fn what_is_forgotten_is_not_missed_and_what_is_wanted_again_is() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        5   say ada forget teas/te/2
        10  say ada hold teas because a test
        11  exit te 3@c
        12  say ada forget teas/te/2 because one is enough
        13  say ada release teas
        14  say ada forget teas/te/2
        60  say ada want teas/te/2
        ",
        "
        5 refused: a process fills teas/te/2; `dbwarden domain stop` ends it, and it is not ...
        10 operator_command teas: ada holds teas: a test
        10 accepted: nothing is started for teas until it is released
        11.05 process_failed te 3@c
        11.05 database_degraded teas
        12 operator_command te/2: ada has teas/te/2 forgotten: one is enough
        12 database_restored teas
        12 accepted: teas/te/2 is forgotten; 1 slots are not wanted any more
        13 operator_command teas: ada releases teas
        13 accepted: teas is released; it is healed as soon as every gate is open
        14 refused: nothing is remembered of teas/te/2 that could be forgotten
        60 operator_command te/2: ada wants teas/te/2
        60 database_degraded teas
        60 action_started 1 te/2 on a: declared, and missing; try 1, elsewhere; processes there: 1
        60 prepare 1 te on a
        60 accepted: teas/te/2 is wanted; it is healed as soon as every gate is open
        ",
    );
}

#[test]
fn what_ran_on_a_peer_that_a_person_says_is_dead_is_replaced_at_once() {
    let mut settings = settings();
    settings.policies[0].strict_siblings = true;
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b
        5   say ada confirm-dead b because nonsense
        10  lose b
        15  say ada confirm-dead b because its power supply burnt
        16  ready 1
        17  join te 5@c
        17  registered 1 5
        ",
        "
        5 refused: b is connected; only a peer that is out of reach can be dead
        10 process_unreachable te 2@b
        10 database_degraded teas
        15 operator_command: ada says that b is dead: its power supply burnt
        15 action_started 1 te/1 on c: its peer is out of reach, of us too; try 1, elsewhere; ...
        15 prepare 1 te on c
        15 accepted: b is taken for dead, and what ran there is replaced, until it is back
        16 commit 1
        17 process_joined te 5@c
        17 action_succeeded 1 te/1 on c
        17 database_restored teas
        ",
    );
}

#[test]
fn an_end_that_was_announced_is_as_asked_for() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        5   say ada announce b/2
        6   exit te 2@b
        60  say ada announce c/3
        130 exit te 3@c
        131 wait
        ",
        "
        5 operator_command te 2@b: ada is about to end b/2
        5 accepted: an end of b/2 within 1 min is as asked for
        6.05 process_left te 2@b
        60 operator_command te 3@c: ada is about to end c/3
        60 accepted: an end of c/3 within 1 min is as asked for
        130.05 process_failed te 3@c
        130.05 database_degraded teas
        130.05 action_started 1 te/2 on c: its exit was told; try 1, here; processes there: 0
        130.05 prepare 1 te on c
        ",
    );
}

#[test]
fn an_engine_that_stood_in_for_a_missed_one_makes_no_more_wanted() {
    check(
        "
        0   up a* b c d: sm 1@a, te 2@b, te 3@c
        10  join te 4@d
        15  exit te 2@b
        16  ready 1
        17  failed 1 Unknown option: --mem
        600 exit te 4@d
        700 wait
        ",
        "
        10 process_joined te 4@d
        15.05 process_failed te 2@b
        15.05 database_degraded teas
        15.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        15.05 prepare 1 te on b
        16 commit 1
        17 action_failed 1 te/1 on b: Unknown option: --mem
        17 slot_held te/1: bad-option; other te-options, `dbwarden release`, or a process ...
        600.05 process_failed te 4@d
        ",
    );
}

#[test]
fn an_engine_that_was_asked_to_stop_and_then_lost_is_one_less() {
    check(
        "
        0   up a* b c d: sm 1@a, te 2@b, te 3@c
        10  leaving te 2@b
        11  lose b
        15  return b
        200 wait
        ",
        "
        11 process_unreachable te 2@b
        11 database_degraded teas
        35 process_left te 2@b
        35 database_restored teas
        ",
    );
}

#[test]
fn an_engine_that_comes_back_takes_the_seat_that_is_missed() {
    check(
        "
        0   up a* b c d: sm 1@a, te 2@b, te 3@c
        10  join te 4@d
        15  lose d
        20  exit te 2@b
        20.1 rejoin d
        20.2 join te 4@d
        21  ready 1
        100 exit te 4@d
        101 wait
        ",
        "
        10 process_joined te 4@d
        15 process_unreachable te 4@d
        20.05 process_failed te 2@b
        20.05 database_degraded teas
        20.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        20.05 prepare 1 te on b
        20.1 process_returned te 4@d
        20.1 abandon 1
        20.1 action_failed 1 te/1 on b: another process took the seat before anything was asked
        20.1 database_restored teas
        21 abandon 1
        100.05 process_failed te 4@d
        100.05 database_degraded teas
        100.05 action_started 2 te/1 on d: its exit was told; try 2, here; processes there: 0
        100.05 prepare 2 te on d
        ",
    );
}

#[test]
fn what_is_wanted_only_now_may_live_out_of_reach_and_is_not_replaced_at_once() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b
        10  lose b
        12  say ada forget teas/te/1
        15  say ada want teas/te/1
        46  not-sent 1 no route
        47  ready 2
        48  join te 5@c
        48  registered 2 5
        ",
        "
        10 process_unreachable te 2@b
        10 database_degraded teas
        12 operator_command te/1: ada has teas/te/1 forgotten
        12 database_restored teas
        12 accepted: teas/te/1 is forgotten; 1 slots are not wanted any more
        15 operator_command te/1: ada wants teas/te/1
        15 database_degraded teas
        15 accepted: teas/te/1 is wanted; it is healed as soon as every gate is open
        45 ask 1 whether b answers
        46 action_started 2 te/1 on c: its peer is out of reach, of us too; try 1, elsewhere; ...
        46 prepare 2 te on c
        47 commit 2
        48 process_joined te 5@c
        48 action_succeeded 2 te/1 on c
        48 database_restored teas
        ",
    );
}

#[test]
fn a_wish_that_is_refused_forgets_nothing() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        50  reload off
        60  exit te 2@b
        70  say ada want teas
        100 reload on
        101 wait
        ",
        "
        60.05 process_failed te 2@b
        70 refused: no policy applies to teas, so nothing of it is kept; add one that does
        100 database_degraded teas
        100 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        100 prepare 1 te on b
        ",
    );
}
