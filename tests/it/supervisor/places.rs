//! Stories of where engines are started, by the labels of peers.

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
