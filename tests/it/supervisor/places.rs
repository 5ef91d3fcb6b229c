//! Stories of where engines are started, by the labels of peers.

use dbwarden::policy::{Bounds, Share};
use dbwarden::supervisor::Settings;

use super::harness::{check_labelled, settings};

#[test]
fn only_peers_with_the_labels_that_are_required_are_asked_and_preferred_ones_first() {
    let mut settings = settings();
    let policy = &mut settings.policies[0];
    policy.require = [("region".to_owned(), "eu".to_owned())].into();
    policy.prefer = [("zone".to_owned(), "b".to_owned())].into();
    check_labelled(
        settings,
        &[
            ("a", "region eu, zone a"),
            ("b", "region eu, zone b"),
            ("c", "region us, zone b"),
        ],
        "
        0   up a* b c: sm 1@a, te 2@c, te 3@b of coffee, te 4@b of coffee
        10  exit te 2@c
        15  answers 1
        ",
        "
        10.05 process_failed te 2@c
        10.05 database_degraded teas
        10.05 ask 1 whether c answers
        15 action_started 2 te/1 on b: its exit was told; try 1, elsewhere; processes there: 2
        15 prepare 2 te on b
        ",
    );
}

/// Two hosts in one region, one in another.
const REGIONS: [(&str, &str); 3] = [("a", "region eu"), ("b", "region eu"), ("c", "region us")];

/// So many engines, and so many of them in these regions.
fn per_region(min: u32, shares: &[(&str, u32)]) -> Settings {
    let mut settings = settings();
    let policy = &mut settings.policies[0];
    policy.te = Some(Bounds { min, max: None });
    let share = |(region, min): &(&str, u32)| Share {
        labels: [("region".to_owned(), (*region).to_owned())].into(),
        min: *min,
    };
    policy.te_per = shares.iter().map(share).collect();
    settings
}

#[test]
fn each_region_has_as_many_engines_as_it_is_to_have() {
    check_labelled(
        per_region(2, &[("eu", 1), ("us", 1)]),
        &REGIONS,
        "
        0   first-up a* b c: sm 1@a, te 2@a, te 3@b
        1   why teas/te/2
        21  ready 1
        22  join te 4@c
        22  registered 1 4
        100 exit te 2@a
        101 ready 2
        102 failed 2 no memory
        103 why teas/te/1
        ",
        "
        0 domain_connected
        0 process_joined sm 1@a
        0 process_joined te 2@a
        0 process_joined te 3@b
        0 domain_thawed: gate not-synced
        0 database_degraded teas
        1 teas/te/2 vacant: nobody sits there: no peer may take it
        - wanted: the policy declares a minimum of 1 at peers with region = us
        - declared: declared, and nobody sits there, since 0
        - no-peer: no peer may take it, until 20; bring a peer back, or add one
        - return-grace: not at a: the peer has not been there for return-grace yet, until 20
        - return-grace: not at b: the peer has not been there for return-grace yet, until 20
        - return-grace: not at c: the peer has not been there for return-grace yet, until 20
        at 0 vacant: declared, and nobody sits there
        at 0 blocked by no-peer: no peer may take it
        20 action_started 1 te/2 on c: declared, and missing; try 1, elsewhere; processes there: 0
        20 prepare 1 te on c
        21 commit 1
        22 process_joined te 4@c
        22 action_succeeded 1 te/2 on c
        22 database_restored teas
        100.05 process_failed te 2@a
        100.05 database_degraded teas
        100.05 action_started 2 te/1 on a: its exit was told; try 1, here; processes there: 1
        100.05 prepare 2 te on a
        101 commit 2
        102 action_failed 2 te/1 on a: no memory
        102.962 action_started 3 te/1 on a: its exit was told; try 2, here; processes there: 1
        102.962 prepare 3 te on a
        103 teas/te/1 acting: action 3 starts a process for it
        - wanted: the policy declares a minimum of 1 at peers with region = eu
        - exit: it ran at a: its exit was told, since 100.05
        - action: action 3 at a is being prepared: a session to the agent is opened, until 132.962
        at 100.05 vacant: 2@a its exit was told
        at 100.05 action_started 2: at a: its exit was told; try 1, here; processes there: 1
        at 102 action_failed 2: at a: no memory
        at 102 blocked by pace: the pause after the last failure is not over
        at 102.962 action_started 3: at a: its exit was told; try 2, here; processes there: 1
        ",
    );
}

#[test]
fn a_region_without_a_host_waits_and_that_is_said() {
    check_labelled(
        per_region(1, &[("eu", 1)]),
        &[("a", "region us"), ("b", "region eu"), ("c", "region us")],
        "
        0   up a* b c: sm 1@c, te 2@b, te 3@c
        10  lose b
        41  not-sent 1
        300 why teas/te/1
        ",
        "
        10 process_unreachable te 2@b
        10 database_degraded teas
        130 slot_blocked te/1: gate no-peer
        300 teas/te/1 vacant: nobody sits there: no peer may take it
        - wanted: the policy declares a minimum of 1 at peers with region = eu
        - unreachable: it ran at b: its peer is out of reach, and it may live on there, since 10
        - no-peer: no peer may take it; bring a peer back, or add one
        - labels: not at a: the peer has not the labels that the policy asks for
        - peer-unreachable: not at b: the peer is out of reach
        - labels: not at c: the peer has not the labels that the policy asks for
        at 10 vacant: 2@b its peer is out of reach, and it may live on there
        at 10 blocked by no-peer: no peer may take it
        at 130 slot_blocked: gate no-peer
        ",
    );
}

#[test]
fn who_asks_for_a_place_gets_a_seat_of_that_place() {
    check_labelled(
        per_region(2, &[("eu", 1), ("us", 1)]),
        &REGIONS,
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        100 exit te 2@b
        100 exit te 3@c
        101 ask ada teas on c
        112 ready 1
        ",
        "
        100.05 process_failed te 2@b
        100.05 process_failed te 3@c
        100.05 database_degraded teas
        101 operator_command te/2: ada asks for an engine on c
        101 accepted: te/2 was asked for and waits for the gate confirm, at most 10 min
        110.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        110.05 prepare 1 te on b
        112 commit 1
        ",
    );
}

#[test]
fn a_reload_that_wants_engines_per_region_moves_whoever_sits_wrong() {
    let mut settings = settings();
    settings.policies[0].te = Some(Bounds { min: 2, max: None });
    check_labelled(
        settings,
        &REGIONS,
        "
        0   up a* b c: sm 1@a, te 2@c, te 3@b
        50  reload per-region
        51  why teas
        ",
        "
        51 teas active: transaction engines: 2 running, 2 wanted; storage managers: 1 running
        - filled: teas/te/1: b/3 runs; nothing is to be done
        - filled: teas/te/2: c/2 runs; nothing is to be done
        ",
    );
}
