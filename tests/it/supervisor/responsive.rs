//! Stories of processes that run and do not answer at their ports: told, and nothing is done.

use dbwarden::supervisor::{ProbeTerms, Settings};

use super::harness::{check, check_with, settings};

fn with_probes() -> Settings {
    let mut settings = settings();
    settings.probe = Some(ProbeTerms::default());
    settings
}

#[test]
fn a_silent_port_is_told_of_once_and_so_is_its_answer_and_nothing_is_started() {
    check_with(
        with_probes(),
        "
        0    up a* b: sm 1@a, te 2@b
        10   knock
        20   silent 2@b refused
        25   why b/2
        30   silent 2@b refused
        40   knock
        50   restart
        51   up a* b: sm 1@a, te 2@b
        60   knock
        70   silent 2@b refused
        80   heard 2@b
        90   heard 2@b
        100  silent 2@b no route
        9000 knock
        ",
        "
        10 knocks: 1@a 2@b
        20 process_unresponsive te 2@b: no answer at its port, 3 times in a row: refused; look ...
        25 b/2 filled: this TE is there, does not answer at its port, and sits on teas/te/1; ...
        - unresponsive: no answer at its port: refused, since 20
        - wanted: a process ran there for at least min-uptime (30s)
        40 knocks: 1@a 2@b, silent
        50 domain_frozen: gate not-synced
        51 domain_connected
        51 domain_thawed: gate not-synced
        60 knocks: 1@a 2@b, silent
        80 process_status_changed te 2@b: answers at its port again, after 1 min
        100 process_unresponsive te 2@b: no answer at its port, 3 times in a row: no route; look ...
        9000 knocks: 1@a 2@b, silent
        ",
    );
}

#[test]
fn what_a_port_showed_counts_for_one_life_and_ends_with_it() {
    check_with(
        with_probes(),
        "
        0   up a* b: sm 1@a, te 2@b
        10  knock
        20  silent 2@b refused
        30  exit te 2@b
        31  ready 1
        32  join te 2@b
        32  registered 1 2
        33  silent 2@b refused
        34  heard 2@b
        40  knock
        50  silent 2@b refused
        60  lose b
        61  knock
        70  silent 2@b refused
        80  rejoin b
        90  knock
        ",
        "
        10 knocks: 1@a 2@b
        20 process_unresponsive te 2@b: no answer at its port, 3 times in a row: refused; look ...
        30.05 process_failed te 2@b
        30.05 database_degraded teas
        30.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        30.05 prepare 1 te on b
        31 commit 1
        32 process_joined te 2@b
        32 action_succeeded 1 te/1 on b
        32 database_restored teas
        40 knocks: 1@a 2@b
        50 process_unresponsive te 2@b: no answer at its port, 3 times in a row: refused; look ...
        60 process_unreachable te 2@b
        60 database_degraded teas
        61 knocks: 1@a
        80 process_returned te 2@b
        80 database_restored teas
        90 knocks: 1@a 2@b
        ",
    );
}

#[test]
fn only_who_should_answer_is_tried_and_only_on_fresh_knowledge() {
    check_with(
        with_probes(),
        "
        0   up a* b c: sm 1@a, te 2@b, te 3@c
        10  syncs te 4@a
        10  knock
        11  leaving te 3@c
        11  silent 3@c refused
        12  knock
        20  lost
        20  knock
        21  silent 2@b refused
        30  up a* b c: sm 1@a, te 2@b, te 3@c, te 4@a
        30  knock
        ",
        "
        10 process_joined te 4@a
        10 knocks: 1@a 2@b 3@c
        12 knocks: 1@a 2@b
        20 domain_disconnected: closed
        20 domain_frozen: gate not-synced
        20 knocks:
        30 domain_connected
        30 domain_thawed: gate not-synced
        30 knocks: 1@a 4@a 2@b 3@c
        ",
    );
}

#[test]
fn nobody_is_tried_unless_that_is_asked_for() {
    check(
        "
        0   up a* b: sm 1@a, te 2@b
        10  knock
        ",
        "
        10 knocks:
        ",
    );
}

#[test]
fn who_is_not_tried_any_more_is_not_silent_any_more() {
    check_with(
        with_probes(),
        "
        0   up a* b: sm 1@a, te 2@b
        10  knock
        20  silent 2@b refused
        30  reload no-probe
        31  knock
        40  restart no-probe
        ",
        "
        10 knocks: 1@a 2@b
        20 process_unresponsive te 2@b: no answer at its port, 3 times in a row: refused; look ...
        30 process_status_changed te 2@b: its port is not tried any more
        31 knocks:
        40 domain_frozen: gate not-synced
        ",
    );
    check_with(
        with_probes(),
        "
        0   up a* b: sm 1@a, te 2@b
        10  knock
        20  silent 2@b refused
        40  restart no-probe
        ",
        "
        10 knocks: 1@a 2@b
        20 process_unresponsive te 2@b: no answer at its port, 3 times in a row: refused; look ...
        40 process_status_changed te 2@b: its port is not tried any more
        40 domain_frozen: gate not-synced
        ",
    );
}
