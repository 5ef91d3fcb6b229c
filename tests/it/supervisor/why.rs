//! Why things are as they are, in words for whoever is on call.

use super::{check, check_with, settings};
use dbwarden::policy::{AfterStages, Place, Stage};
use dbwarden::supervisor::Mode;

#[test]
fn why_of_an_engine_to_which_nothing_happened() {
    check(
        "
        0   up a* b: sm 1@a, te 2@b
        10  why b/2
        ",
        "
        10 b/2 filled: this TE is there and sits on teas/te/1; nothing is to be done
        - wanted: a process ran there for at least min-uptime (30s)
        ",
    );
}

#[test]
fn why_of_an_engine_that_was_healed_tells_the_chain() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b
        10  exit te 2@b
        11  ready 1
        12  failed 1 no memory
        13  answers 2
        14  ready 3
        15  join te 5@c
        15  registered 3 5
        20  why teas/te/1
        20  restart
        20  why b/2
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        12 action_failed 1 te/1 on b: no memory
        12.962 ask 2 whether b answers
        13 action_started 3 te/1 on c: its exit was told; try 2, elsewhere; processes there: 0
        13 prepare 3 te on c
        14 commit 3
        15 process_joined te 5@c
        15 action_succeeded 3 te/1 on c
        15 database_restored teas
        20 teas/te/1 filled: c/5 runs; nothing is to be done
        - wanted: a process ran there for at least min-uptime (30s)
        at 10.05 vacant: 2@b its exit was told
        at 10.05 action_started 1: at b: its exit was told; try 1, here; processes there: 0
        at 12 action_failed 1: at b: no memory
        at 12 blocked by pace: the pause after the last failure is not over
        at 12.962 blocked by asking-agent: its agent is being asked whether it answers
        at 13 action_started 3: at c: its exit was told; try 2, elsewhere; processes there: 0
        at 15 action_succeeded 3: at c
        at 15 filled: 5@c c/5 sits there
        20 domain_frozen: gate not-synced
        20 b/2 filled: b/2 is gone; it sat on teas/te/1: c/5 runs; nothing is to be done
        - wanted: a process ran there for at least min-uptime (30s)
        at 10.05 vacant: 2@b its exit was told
        at 10.05 action_started 1: at b: its exit was told; try 1, here; processes there: 0
        at 12 action_failed 1: at b: no memory
        at 12 blocked by pace: the pause after the last failure is not over
        at 12.962 blocked by asking-agent: its agent is being asked whether it answers
        at 13 action_started 3: at c: its exit was told; try 2, elsewhere; processes there: 0
        at 15 action_succeeded 3: at c
        at 15 filled: 5@c c/5 sits there
        ",
    );
}

#[test]
fn why_of_a_seat_that_waits_tells_until_when() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  lose b
        20  why b/2
        45  why teas/te/1
        ",
        "
        10 process_unreachable te 2@b
        10 database_degraded teas
        20 b/2 vacant: this TE is out of reach and may come back to teas/te/1: nobody sits ...
        - wanted: a process ran there for at least min-uptime (30s)
        - unreachable: it ran at b: its peer is out of reach, and it may live on there, since 10
        - unreachable-grace: out of reach it may live on, and unreachable-grace is not over ...
        - peer: a may take it
        - peer-unreachable: not at b: the peer is out of reach
        - peer-taken: not at c: the peer has a process of the database, and there is one at most
        at 10 vacant: 2@b its peer is out of reach, and it may live on there
        at 10 blocked by unreachable-grace: out of reach it may live on, and ...
        40 ask 1 whether b answers
        45 teas/te/1 vacant: nobody sits there: its agent is being asked whether it answers
        - wanted: a process ran there for at least min-uptime (30s)
        - unreachable: it ran at b: its peer is out of reach, and it may live on there, since 10
        - asking-agent: its agent is being asked whether it answers
        - peer: a may take it
        - peer-unreachable: not at b: the peer is out of reach
        - peer-taken: not at c: the peer has a process of the database, and there is one at most
        at 10 vacant: 2@b its peer is out of reach, and it may live on there
        at 10 blocked by unreachable-grace: out of reach it may live on, and ...
        at 40 blocked by asking-agent: its agent is being asked whether it answers
        ",
    );
}

#[test]
fn why_of_a_held_seat_tells_what_ends_the_hold() {
    let mut settings = settings();
    let policy = &mut settings.policies[0];
    policy.stages = vec![Stage {
        place: Place::Here,
        tries: Some(1),
    }];
    policy.after_stages = AfterStages::Hold;
    check_with(
        settings,
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  exit te 2@b
        11  ready 1
        12  failed 1 no memory
        60  why teas/te/1
        60  why teas
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        12 action_failed 1 te/1 on b: no memory
        12.962 slot_held te/1: stages-used-up; `dbwarden release` ends the hold, and so does ...
        60 teas/te/1 held: the healer gave up: every stage of the policy was tried
        - wanted: a process ran there for at least min-uptime (30s)
        - exit: it ran at b: its exit was told, since 10.05
        - stages-used-up: it is told again while the hold lasts, until 3612.962; a process ...
        at 10.05 vacant: 2@b its exit was told
        at 10.05 action_started 1: at b: its exit was told; try 1, here; processes there: 0
        at 12 action_failed 1: at b: no memory
        at 12 blocked by pace: the pause after the last failure is not over
        at 12.962 slot_held: stages-used-up; `dbwarden release` ends the hold, and so does a ...
        60 teas active: transaction engines: 1 running, 2 wanted; storage managers: 1 running
        - held: teas/te/1: the healer gave up: every stage of the policy was tried
        - filled: teas/te/2: c/3 runs; nothing is to be done
        ",
    );
}

#[test]
fn why_of_a_frozen_domain_names_every_gate() {
    check(
        "
        0   up a* b: sm 1@a, te 2@b
        10  exit te 2@b
        11  ready 1
        12  failed 1 no memory
        12.5 lost
        20  why teas/te/1
        20  why
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 commit 1
        12 action_failed 1 te/1 on b: no memory
        12.5 domain_disconnected: closed
        12.5 domain_frozen: gate not-synced
        20 teas/te/1 vacant: nobody sits there: there is no session to the domain, so nothing ...
        - wanted: a process ran there for at least min-uptime (30s)
        - exit: it ran at b: its exit was told, since 10.05
        - not-synced: there is no session to the domain, so nothing is known for sure, since 12.5
        at 10.05 vacant: 2@b its exit was told
        at 10.05 action_started 1: at b: its exit was told; try 1, here; processes there: 0
        at 12 action_failed 1: at b: no memory
        at 12 blocked by pace: the pause after the last failure is not over
        at 12.5 blocked by not-synced: there is no session to the domain, so nothing is known ...
        20 prod stale: the session is gone; what is known grows old
        - not-synced: there is no session to the domain, so nothing is known for sure, since 12.5
        - vacant: teas/te/1: nobody sits there: there is no session to the domain, so nothing ...
        ",
    );
}

#[test]
fn why_of_an_engine_that_was_stopped_says_who_lowered_what_is_wanted() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  leaving te 2@b
        11  exit te 2@b
        20  why teas/te/1
        60  why b/2
        60  why teas
        ",
        "
        11 process_left te 2@b
        20 teas/te/1 leaving: its process at b ended as somebody wished
        - wanted: a process ran there for at least min-uptime (30s)
        - return-grace: b must stay connected, until 31
        at 11 leaving: 2@b it ended as somebody wished; its peer must stay before that is believed
        60 b/2 empty: b/2 is gone; it sat on teas/te/1: nobody sits there, and nobody has to
        - unwanted: not wanted: b/2: it ended as somebody wished and its peer stayed, so one ...
        at 11 leaving: 2@b it ended as somebody wished; its peer must stay before that is believed
        at 31 unwanted: 2@b it ended as somebody wished and its peer stayed, so one less is wanted
        60 teas active: transaction engines: 1 running, 1 wanted; storage managers: 1 running
        - empty: teas/te/1: nobody sits there, and nobody has to
        - filled: teas/te/2: c/3 runs; nothing is to be done
        ",
    );
}

#[test]
fn why_of_what_may_only_be_suggested() {
    let mut settings = settings();
    settings.mode = Mode::Suggest;
    check_with(
        settings,
        "
        0   up a* b: sm 1@a, te 2@b
        10  exit te 2@b
        20  why teas/te/1
        20  why b
        20  why nothing
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_suggested te/1 on b: its exit was told; try 1, here; processes there: 0 ...
        20 teas/te/1 vacant: nobody sits there; b would start it; not done: the mode is suggest
        - wanted: a process ran there for at least min-uptime (30s)
        - exit: it ran at b: its exit was told, since 10.05
        - mode: the mode is suggest: what would be started is only told; set `mode` to \"heal\"
        - peer: a may take it
        - peer: b may take it
        at 10.05 vacant: 2@b its exit was told
        at 10.05 action_suggested: at b: its exit was told; try 1, here; processes there: 0 ...
        20 b connected: it is there
        - presence: the domain reaches it, since 0
        - failed-lately: a TE of teas failed here lately, so others go first, since 10.05 ...
        20 nobody knows nothing
        ",
    );
}

#[test]
fn why_of_what_is_in_maintenance_or_held_by_a_person_says_who_and_until_when() {
    check(
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        5   say ada maintain b for 600 because a new kernel
        6   say bob hold teas/te/2 because its disk is slow
        10  exit te 2@b
        60  why b/2
        60  why teas/te/2
        60  why b
        ",
        "
        5 maintenance_started: of b by ada, until 1970-01-02T01:10:05.000000Z: a new kernel
        5 accepted: b is in maintenance until 1970-01-02T01:10:05.000000Z; healing resumes by itself
        6 operator_command te/2: bob holds teas/te/2: its disk is slow
        6 accepted: nothing is started for teas/te/2 until it is released
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        60 b/2 vacant: b/2 is gone; it sat on teas/te/1: nobody sits there: people work at it
        - wanted: a process ran there for at least min-uptime (30s)
        - maintenance: maintenance b by ada: a new kernel, since 5, until 605; `dbwarden ...
        - exit: it ran at b: its exit was told, since 10.05
        - peer: a may take it
        - maintenance: not at b: people work at it
        - peer-taken: not at c: the peer has a process of the database, and there is one at most
        at 10.05 vacant: 2@b its exit was told
        at 10.05 blocked by maintenance: people work at it
        60 teas/te/2 filled: c/3 runs; nothing is to be done
        - wanted: a process ran there for at least min-uptime (30s)
        - hold: hold teas/te/2 by bob: its disk is slow, since 6; `dbwarden release` ends the hold
        60 b connected: it is there
        - presence: the domain reaches it, since 0
        - maintenance: maintenance b by ada: a new kernel, since 5, until 605; `dbwarden ...
        - failed-lately: a TE of teas failed here lately, so others go first, since 10.05 ...
        ",
    );
}
