//! Stories of a domain that several daemons watch: one of them has its lease, and heals.

use std::time::Duration;

use dbwarden::supervisor::{LeaseTerms, Settings};

use super::harness::{check_with, settings};

fn with_lease() -> Settings {
    let mut settings = settings();
    settings.lease = Some(LeaseTerms {
        path: "/shared/prod.lease".into(),
        ttl: Duration::from_secs(30),
    });
    settings
}

#[test]
fn who_has_not_the_lease_watches_and_who_takes_it_over_waits_for_what_was_asked_before() {
    check_with(
        with_lease(),
        "
        0   up a* b: sm 1@a, te 2@b
        10  exit te 2@b
        15  why teas/te/1
        20  lease taken-over
        54  wait
        56  ready 1
        57  lease lost
        58  join te 3@b
        58  registered 1 3
        100 exit te 3@b
        110 join te 4@a
        120 exit te 4@a
        130 join te 5@a
        140 lease had
        170 exit te 5@a
        171 wait
        ",
        "
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        15 teas/te/1 vacant: nobody sits there: another daemon has the lease of the domain, or ...
        - wanted: a process ran there for at least min-uptime (30s)
        - exit: it ran at b: its exit was told, since 10.05
        - lease: another daemon has the lease of the domain, or had it a moment ago: what it ...
        at 10.05 vacant: 2@b its exit was told
        at 10.05 blocked by lease: another daemon has the lease of the domain, or had it a ...
        55 domain_thawed: gate lease
        55 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        55 prepare 1 te on b
        56 commit 1
        57 domain_frozen: gate lease
        58 process_joined te 3@b
        58 action_succeeded 1 te/1 on b
        58 database_restored teas
        100.05 process_failed te 3@b
        100.05 database_degraded teas
        110 process_joined te 4@a
        110 database_restored teas
        120.05 process_failed te 4@a
        120.05 database_degraded teas
        130 process_joined te 5@a
        130 database_restored teas
        140 domain_thawed: gate lease
        170.05 process_failed te 5@a
        170.05 database_degraded teas
        170.05 ask 2 whether a answers
        ",
    );
}

#[test]
fn a_prepared_start_does_not_leave_without_the_lease_and_a_person_may_override_it() {
    check_with(
        with_lease(),
        "
        0   up a* b: sm 1@a, te 2@b
        1   lease had
        10  exit te 2@b
        11  lease lost
        12  ready 1
        20  say ada thaw prod lease for 60 because the other daemon is off
        21  ready 2
        22  join te 3@b
        22  registered 2 3
        ",
        "
        1 domain_thawed: gate lease
        10.05 process_failed te 2@b
        10.05 database_degraded teas
        10.05 action_started 1 te/1 on b: its exit was told; try 1, here; processes there: 0
        10.05 prepare 1 te on b
        11 domain_frozen: gate lease
        12 abandon 1
        12 action_failed 1 te/1 on b: gate lease closed
        20 operator_command: ada overrides the gate lease, until 1970-01-02T01:01:20.000000Z: ...
        20 domain_thawed: gate lease
        20 action_started 2 te/1 on b: its exit was told; try 1, here; processes there: 0
        20 prepare 2 te on b
        20 accepted: the gate lease does not count until 1970-01-02T01:01:20.000000Z
        21 commit 2
        22 process_joined te 3@b
        22 action_succeeded 2 te/1 on b
        22 database_restored teas
        ",
    );
}
