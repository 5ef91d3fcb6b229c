//! A cold start that a person orders: what it lifts, and what it does not.
//!
//! `a` and `b` have an archive each, as the configuration tells; `c` has none.

use std::time::Duration;

use dbwarden::supervisor::Budget;

use super::harness::{check_with, settings};
use super::sm::{archive, with_archives};

#[test]
fn a_database_that_was_stopped_comes_up_when_a_person_says_so() {
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
        100  say ada cold-start teas because the disks are in
        101  ready 1
        102  join sm 5@b
        102  registered 1 5
        103  ready 2
        104  join sm 6@a
        104  registered 2 6
        105  ready 3
        106  join te 7@c
        106  registered 3 7
        ",
        "
        10 process_left te 3@c
        11 process_left sm 1@a
        12 process_left sm 2@b
        30 database_degraded teas
        100 operator_command teas: ada has teas brought up from nothing: the disks are in
        100 action_started 1 sm/2 on b: ada asked for it (the disks are in); cold start, it ...
        100 prepare 1 sm on b --archive /data/b --mem 1g
        100 accepted: teas is brought up: sm/2 on b (action 1)
        101 commit 1
        102 process_joined sm 5@b
        102 action_succeeded 1 sm/2 on b
        102 action_started 2 sm/1 on a: step 2 of the cold start that action 1 began; ...
        102 prepare 2 sm on a --archive /data/a --mem 1g
        103 commit 2
        104 process_joined sm 6@a
        104 action_succeeded 2 sm/1 on a
        104 action_started 3 te/1 on c: step 3 of the cold start that action 1 began; ...
        104 prepare 3 te on c
        105 commit 3
        106 process_joined te 7@c
        106 action_succeeded 3 te/1 on c
        106 database_restored teas
        ",
    );
}

#[test]
fn an_archive_that_cannot_be_asked_is_given_up_by_name_or_waited_for() {
    check_with(
        with_archives(&["a", "b"]),
        "
        0    up a* b c: sm 1@a, sm 2@b, te 3@c
        10   lose b
        60   exit te 3@c
        60   exit sm 1@a
        70   say ada cold-start teas
        71   say ada confirm-dead b because its disk burnt
        72   say ada cold-start teas
        73   say ada cold-start teas losing c because of nothing
        74   say ada cold-start teas losing a b because of nothing
        75   say ada cold-start teas losing b because its disk burnt
        76   ready 1
        77   join sm 5@a
        77   registered 1 5
        78   ready 2
        79   join te 6@c
        79   registered 2 6
        ",
        "
        10 process_unreachable sm 2@b
        10 database_degraded teas
        60.05 process_failed sm 1@a
        60.05 process_failed te 3@c
        70 refused: what is in the archive on b cannot be asked, and may be newer; bring it ...
        71 operator_command: ada says that b is dead: its disk burnt
        71 accepted: b is taken for dead, and what ran there is replaced, until it is back
        72 refused: what is in the archive on b cannot be asked, and may be newer; bring it ...
        73 refused: no archive of teas is known at c
        74 refused: no archive of teas is left; `archives` of the database says where they are
        75 operator_command teas: ada has teas brought up from nothing, giving up what is on ...
        75 action_started 1 sm/1 on a: ada asked for it (its disk burnt); cold start, it ran ...
        75 prepare 1 sm on a --archive /data/a --mem 1g
        75 accepted: teas is brought up: sm/1 on a (action 1)
        76 commit 1
        77 process_joined sm 5@a
        77 action_succeeded 1 sm/1 on a
        77 action_started 2 te/1 on c: step 2 of the cold start that action 1 began; ...
        77 prepare 2 te on c
        78 commit 2
        79 process_joined te 6@c
        79 action_succeeded 2 te/1 on c
        ",
    );
}

#[test]
fn a_database_that_was_gone_when_we_looked_again_comes_up_when_a_person_says_so() {
    check_with(
        with_archives(&["a", "b"]),
        "
        0    up a* b c: sm 1@a, sm 2@b, te 3@c
        10   lost
        60   up a* b c:
        62   up a* b c:
        90   say ada cold-start teas because of the outage
        91   restart
        92   up a* b c:
        93   ready 2
        94   join sm 5@a
        94   registered 2 5
        ",
        "
        10 domain_disconnected: closed
        10 domain_frozen: gate not-synced
        60 domain_connected
        60 domain_thawed: gate not-synced
        62 refresh
        62 process_failed sm 1@a
        62 process_failed sm 2@b
        62 process_failed te 3@c
        62 database_degraded teas
        62 slot_held sm/1 on a: vanished-unwatched; `dbwarden release` ends the hold, and so ...
        62 slot_held sm/2 on b: vanished-unwatched; `dbwarden release` ends the hold, and so ...
        62 slot_held te/1: vanished-unwatched; `dbwarden release` ends the hold, and so does a ...
        90 operator_command teas: ada has teas brought up from nothing: of the outage
        90 slot_released te/1: ada has it brought up
        90 slot_released sm/1: ada has it brought up
        90 slot_released sm/2: ada has it brought up
        90 action_started 1 sm/1 on a: ada asked for it (of the outage); cold start, it ran ...
        90 prepare 1 sm on a --archive /data/a --mem 1g
        90 accepted: teas is brought up: sm/1 on a (action 1)
        91 domain_frozen: gate not-synced
        91 action_failed 1 sm/1 on a: not sent: the daemon ended before the request left
        92 domain_connected
        92 domain_thawed: gate not-synced
        92 action_started 2 sm/1 on a: step 1 of the cold start that action 1 began; its exit ...
        92 prepare 2 sm on a --archive /data/a --mem 1g
        93 commit 2
        94 process_joined sm 5@a
        94 action_succeeded 2 sm/1 on a
        94 action_started 3 sm/2 on b: step 2 of the cold start that action 1 began; ...
        94 prepare 3 sm on b --archive /data/b --mem 1g
        ",
    );
}

#[test]
fn a_cold_start_that_cannot_begin_is_given_up() {
    check_with(
        with_archives(&["a"]),
        "
        0    up a* c: sm 1@a, te 3@c
        10   leaving te 3@c
        10   exit te 3@c
        11   leaving sm 1@a
        11   exit sm 1@a
        20   say bob maintain a for 3600 because of the disks
        100  say ada cold-start teas
        101  why teas/sm/1
        710  wait
        5000 wait
        ",
        "
        10 process_left te 3@c
        11 process_left sm 1@a
        20 maintenance_started: of a by bob, until 1970-01-02T02:00:20.000000Z: of the disks
        20 accepted: a is in maintenance until 1970-01-02T02:00:20.000000Z; healing resumes by ...
        30 database_degraded teas
        100 operator_command teas: ada has teas brought up from nothing
        100 accepted: teas is brought up, beginning with sm/1, which waits for the gate ...
        101 teas/sm/1 vacant: nobody sits there: people work at it
        - wanted: ada has the database brought up
        - cold-start: cold-start teas by ada, since 100, until 700
        - maintenance: maintenance a by bob: of the disks, since 20, until 3620; `dbwarden ...
        - exit: it ran at a: its exit was told, since 31
        - maintenance: not at a: people work at it
        - no-peer: not at c: no peer may take it
        at 11 leaving: 1@a it ended as somebody wished; its peer must stay before that is believed
        at 31 vacant: 1@a its exit was told
        at 31 blocked by maintenance: people work at it
        150 slot_blocked te/1: gate database-down
        151 slot_blocked sm/1: gate maintenance by bob, until 1970-01-02T02:00:20.000000Z: of ...
        700 slot_blocked sm/1: gate maintenance; the cold start that ada asked for is given up
        3320 maintenance_ending: of a by bob, until 1970-01-02T02:00:20.000000Z: of the disks
        3620 maintenance_ended: of a: its time is over
        3620 slot_blocked sm/1: gate database-down
        ",
    );
}

#[test]
fn who_stops_what_is_being_brought_up_takes_it_back() {
    check_with(
        with_archives(&["a"]),
        "
        0    up a* c: sm 1@a, te 3@c
        10   leaving te 3@c
        10   exit te 3@c
        11   leaving sm 1@a
        11   exit sm 1@a
        100  say ada cold-start teas
        101  ready 1
        102  join sm 5@a
        102  registered 1 5
        103  leaving sm 5@a
        103  exit sm 5@a
        700  wait
        ",
        "
        10 process_left te 3@c
        11 process_left sm 1@a
        30 database_degraded teas
        100 operator_command teas: ada has teas brought up from nothing
        100 action_started 1 sm/1 on a: ada asked for it; cold start, it ran last; its exit ...
        100 prepare 1 sm on a --archive /data/a --mem 1g
        100 accepted: teas is brought up: sm/1 on a (action 1)
        101 commit 1
        102 process_joined sm 5@a
        102 action_succeeded 1 sm/1 on a
        102 action_started 2 te/1 on c: step 2 of the cold start that action 1 began; ...
        102 prepare 2 te on c
        103 process_left sm 5@a
        132 abandon 2
        132 action_failed 2 te/1 on c: no session to the agent in time
        150 slot_blocked te/1: gate database-down
        243 slot_blocked sm/1: gate database-down
        ",
    );
}

#[test]
fn an_archive_on_a_host_that_was_never_seen_is_given_up_by_its_configured_name() {
    check_with(
        with_archives(&["a", "z"]),
        "
        0    up a* c: sm 1@a, te 3@c
        10   exit te 3@c
        10   exit sm 1@a
        70   say ada cold-start teas
        75   say ada cold-start teas losing z because it never was there
        76   ready 1
        ",
        "
        10.05 process_failed sm 1@a
        10.05 process_failed te 3@c
        10.05 database_degraded teas
        70 refused: what is in the archive on z cannot be asked, and may be newer; bring it ...
        75 operator_command teas: ada has teas brought up from nothing, giving up what is on ...
        75 action_started 1 sm/1 on a: ada asked for it (it never was there); cold start, it ...
        75 prepare 1 sm on a --archive /data/a --mem 1g
        75 accepted: teas is brought up: sm/1 on a (action 1)
        76 commit 1
        ",
    );
}

#[test]
fn what_is_not_wholly_down_or_not_healed_is_not_brought_up() {
    check_with(
        with_archives(&["a"]),
        "
        0    up a* c: sm 1@a, te 3@c
        70   say ada cold-start teas
        71   say ada cold-start coffee
        72   say ada cold-start a
        ",
        "
        70 refused: processes of teas run; only what is wholly down is brought up from nothing
        71 refused: nothing called `coffee` was ever seen in the domain prod; `dbwarden ...
        72 refused: `cold-start` is said of a database, and not of a
        ",
    );
    let mut settings = settings();
    settings.archives.insert("teas".into(), vec![archive("a")]);
    check_with(
        settings,
        "
        0    up a* c: sm 1@a, te 3@c
        10   exit te 3@c
        10   exit sm 1@a
        70   say ada cold-start teas
        ",
        "
        10.05 process_failed sm 1@a
        10.05 process_failed te 3@c
        10.05 database_degraded teas
        70 refused: no policy heals storage managers of teas; `roles` says which are healed
        ",
    );
}

#[test]
fn of_archives_that_never_ran_a_person_names_all_but_one() {
    check_with(
        with_archives(&["a", "b"]),
        "
        0    up a* b c: te 3@c
        10   exit te 3@c
        70   say ada cold-start teas
        71   say ada cold-start teas losing b because it is the older one
        72   ready 1
        73   join sm 5@a
        73   registered 1 5
        74   ready 2
        75   join te 7@c
        75   registered 2 7
        ",
        "
        10.05 process_failed te 3@c
        10.05 database_degraded teas
        70 refused: which storage manager of teas ran last is not known; give up all archives ...
        71 operator_command teas: ada has teas brought up from nothing, giving up what is on ...
        71 action_started 1 sm/1 on a: ada asked for it (it is the older one); cold start, its ...
        71 prepare 1 sm on a --archive /data/a --mem 1g
        71 accepted: teas is brought up: sm/1 on a (action 1)
        72 commit 1
        73 process_joined sm 5@a
        73 action_succeeded 1 sm/1 on a
        73 action_started 2 sm/2 on b: step 2 of the cold start that action 1 began; ...
        73 prepare 2 sm on b --archive /data/b --mem 1g
        74 commit 2
        75 process_joined te 7@c
        ",
    );
}

#[test]
fn a_cold_start_is_one_action_with_steps_and_its_budget_does_not_end_half_way() {
    let mut settings = with_archives(&["a", "b"]);
    settings.budget = Budget {
        max_actions: 1,
        window: Duration::from_secs(600),
    };
    check_with(
        settings,
        "
        0    up a* b c: sm 1@a, sm 2@b, te 3@c
        100  exit te 3@c
        100  exit sm 1@a
        101  exit sm 2@b
        112  ready 1
        113  join sm 5@b
        113  registered 1 5
        114  why teas
        115  restart
        116  up a* b c: sm 5@b
        117.5 ready 3
        118  join sm 6@a
        118  registered 3 6
        119  ready 4
        120  join te 7@c
        120  registered 4 7
        160  exit te 7@c
        712  wait
        ",
        "
        100.05 process_failed sm 1@a
        100.05 process_failed te 3@c
        100.05 database_degraded teas
        101.05 process_failed sm 2@b
        111.05 action_started 1 sm/2 on b: cold start, it ran last; its exit was told; try 1, ...
        111.05 prepare 1 sm on b --archive /data/b --mem 1g
        112 commit 1
        113 process_joined sm 5@b
        113 action_succeeded 1 sm/2 on b
        113 action_started 2 sm/1 on a: step 2 of the cold start that action 1 began; its exit ...
        113 prepare 2 sm on a --archive /data/a --mem 1g
        114 teas inactive: transaction engines: 0 running, 1 wanted; storage managers: 1 running
        - cold-start: it is brought up from nothing since action 1, in 2 steps so far: storage ...
        - vacant: teas/te/1: nobody sits there: others of its database are started first
        - acting: teas/sm/1: action 2 starts a process for it, until 143
        - filled: teas/sm/2: b/5 runs; nothing is to be done
        115 domain_frozen: gate not-synced
        115 action_failed 2 sm/1 on a: not sent: the daemon ended before the request left
        116 domain_connected
        116 domain_thawed: gate not-synced
        116 action_started 3 sm/1 on a: step 2 of the cold start that action 1 began; its exit ...
        116 prepare 3 sm on a --archive /data/a --mem 1g
        117.5 commit 3
        118 process_joined sm 6@a
        118 action_succeeded 3 sm/1 on a
        118 action_started 4 te/1 on c: step 3 of the cold start that action 1 began; its exit ...
        118 prepare 4 te on c
        119 commit 4
        120 process_joined te 7@c
        120 action_succeeded 4 te/1 on c
        120 database_restored teas
        160.05 process_failed te 7@c
        160.05 database_degraded teas
        280.05 slot_blocked te/1: gate budget; opens in 7 min 11 s
        711.05 ask 5 whether c answers
        ",
    );
}
