//! The experiment `archive-history`: before a cold start the archives say which of them was used
//! last, and our own record counts where they do not.
//!
//! `a`, `b` and `c` may have an archive each, as the configuration tells; `d` has none. In all
//! stories the storage manager on `b` is the last one that is told as gone.

use dbwarden::supervisor::{Experiment, Settings};

use super::harness::check_with;
use super::sm::with_archives;

fn asking(peers: &[&str]) -> Settings {
    let mut settings = with_archives(peers);
    settings.experiments.insert(Experiment::ArchiveHistory);
    settings
}

/// Checks what comes of these answers, to what is asked of `a` by action 1 and of `b` by action 2:
/// what the first start is told to be for.
#[track_caller]
fn check_answers(answers: &str, first: &str) {
    let story = format!(
        "
        0    up a* b d: sm 1@a, sm 2@b, te 3@d
        100  exit te 3@d
        100  exit sm 1@a
        101  exit sm 2@b
        {answers}
        "
    );
    let expected = format!(
        "
        100.05 process_failed sm 1@a
        100.05 process_failed te 3@d
        100.05 database_degraded teas
        101.05 process_failed sm 2@b
        111.05 ask 1 a of /data/a
        111.05 ask 2 b of /data/b
        {first}
        "
    );
    check_with(asking(&["a", "b"]), &story, &expected);
}

#[test]
fn the_archive_that_was_used_last_by_what_they_say_comes_first_and_the_others_follow() {
    check_with(
        asking(&["a", "b"]),
        "
        0    up a* b d: sm 1@a, sm 2@b, te 3@d
        100  exit te 3@d
        100  exit sm 1@a
        101  exit sm 2@b
        111.5 why teas/sm/1
        112  answers 2 archive /data/b, database teas, last-used 70, in-use false
        113  answers 1 archive /data/a, database teas, last-used 71, in-use false
        113.5 why teas
        114  ready 3
        115  join sm 5@a
        115  registered 3 5
        116  ready 4
        117  join sm 6@b
        117  registered 4 6
        118  ready 5
        119  join te 7@d
        119  registered 5 7
        ",
        "
        100.05 process_failed sm 1@a
        100.05 process_failed te 3@d
        100.05 database_degraded teas
        101.05 process_failed sm 2@b
        111.05 ask 1 a of /data/a
        111.05 ask 2 b of /data/b
        111.5 teas/sm/1 vacant: nobody sits there: the archives of the database are being ...
        - wanted: a process ran there for at least min-uptime (30s)
        - exit: it ran at a: its exit was told, since 100.05
        - asking-archives: the archives of the database are being asked which of them is the ...
        - peer: a may take it
        - no-peer: not at b: no peer may take it
        - no-peer: not at d: no peer may take it
        at 100.05 vacant: 1@a its exit was told
        at 100.05 blocked by confirm: several processes of the database ended together, so ...
        at 111.05 blocked by asking-archives: the archives of the database are being asked ...
        113 action_started 3 sm/1 on a: cold start, it ran last by what the archives say; its ...
        113 prepare 3 sm on a --archive /data/a --mem 1g
        113.5 teas inactive: transaction engines: 0 running, 1 wanted; storage managers: 0 ...
        - cold-start: it is brought up from nothing since action 3, in 1 steps so far: ...
        - archive-history: the archives say that the one of sm/1 was used last
        - vacant: teas/te/1: nobody sits there: others of its database are started first
        - acting: teas/sm/1: action 3 starts a process for it, until 143
        - vacant: teas/sm/2: nobody sits there: another start of the database is under way, ...
        114 commit 3
        115 process_joined sm 5@a
        115 action_succeeded 3 sm/1 on a
        115 action_started 4 sm/2 on b: step 2 of the cold start that action 3 began; its exit ...
        115 prepare 4 sm on b --archive /data/b --mem 1g
        116 commit 4
        117 process_joined sm 6@b
        117 action_succeeded 4 sm/2 on b
        117 action_started 5 te/1 on d: step 3 of the cold start that action 3 began; its exit ...
        117 prepare 5 te on d
        118 commit 5
        119 process_joined te 7@d
        119 action_succeeded 5 te/1 on d
        119 database_restored teas
        ",
    );
}

#[test]
fn without_the_experiment_nothing_is_asked() {
    check_with(
        with_archives(&["a", "b"]),
        "
        0    up a* b d: sm 1@a, sm 2@b, te 3@d
        100  exit te 3@d
        100  exit sm 1@a
        101  exit sm 2@b
        112  wait
        ",
        "
        100.05 process_failed sm 1@a
        100.05 process_failed te 3@d
        100.05 database_degraded teas
        101.05 process_failed sm 2@b
        111.05 action_started 1 sm/2 on b: cold start, it ran last; its exit was told; try 1, ...
        111.05 prepare 1 sm on b --archive /data/b --mem 1g
        ",
    );
}

#[test]
fn an_archive_that_says_nothing_in_time_leaves_our_own_record_to_count() {
    // `a` is asked for as long as a session to it may take; what it says after that is not heard.
    check_answers(
        "
        112  answers 2 archive /data/b, database teas, last-used 70, in-use false
        126.1  answers 1 archive /data/a, database teas, last-used 71, in-use false
        127 why teas
        ",
        "
        126.05 action_started 3 sm/2 on b: cold start, it ran last by our own record, for the \
         archive on a did not answer; its ...
        126.05 prepare 3 sm on b --archive /data/b --mem 1g
        127 teas inactive: transaction engines: 0 running, 1 wanted; storage managers: 0 running
        - cold-start: it is brought up from nothing since action 3, in 1 steps so far: ...
        - archive-history: our own record of who ran last counts, for the archive on a did not ...
        - vacant: teas/te/1: nobody sits there: others of its database are started first
        - vacant: teas/sm/1: nobody sits there: another start of the database is under way, ...
        - acting: teas/sm/2: action 3 starts a process for it, until 156.05
        ",
    );
    check_answers(
        "
        112  answers 2 archive /data/b, database teas, last-used 70, in-use false
        113  unanswered 1
        ",
        "
        113 action_started 3 sm/2 on b: cold start, it ran last by our own record, for the \
         archive on a did not answer; its ...
        113 prepare 3 sm on b --archive /data/b --mem 1g
        ",
    );
}

#[test]
fn an_answer_that_is_not_understood_leaves_our_own_record_to_count() {
    for garbled in [
        "",
        "archive /data/a, database teas, in-use false",
        "archive /data/a, database teas, last-used -1, in-use false",
        "archive /data/a, database teas, last-used +71, in-use false",
        "archive /data/a, database teas, last-used 99999999999999999999, in-use false",
        "archive /data/a, database teas, last-used 71, in-use maybe",
        "archive /data/a, database teas, last-used 71, last-used 7, in-use false",
        "archive /data/z, database teas, last-used 71, in-use false",
    ] {
        check_answers(
            &format!(
                "
                112  answers 2 archive /data/b, database teas, last-used 70, in-use false
                113  answers 1 {garbled}
                "
            ),
            "
            113 action_started 3 sm/2 on b: cold start, it ran last by our own record, for the \
             archive on a said something that is not understood; its ...
            113 prepare 3 sm on b --archive /data/b --mem 1g
            ",
        );
    }
}

#[test]
fn answers_that_contradict_each_other_or_what_is_seen_leave_our_own_record_to_count() {
    for (answer, why) in [
        (
            "answers 1 archive /data/a, database teas, last-used 70, in-use false",
            "the archives on a and b both claim to be the newest",
        ),
        (
            "answers 1 archive /data/a, database teas, last-used 71, in-use true",
            "the archive on a is said to be in use",
        ),
        (
            "answers 1 archive /data/a, database coffee, last-used 71, in-use false",
            "the archive on a is said to be of another database",
        ),
        (
            "refused 1 no such archive",
            "the archive on a is not known to its agent",
        ),
    ] {
        check_answers(
            &format!(
                "
                112  answers 2 archive /data/b, database teas, last-used 70, in-use false
                113  {answer}
                "
            ),
            &format!(
                "
                113 action_started 3 sm/2 on b: cold start, it ran last by our own record, for \
                 {why}; its ...
                113 prepare 3 sm on b --archive /data/b --mem 1g
                "
            ),
        );
    }
}

#[test]
fn a_tie_among_older_archives_is_none() {
    check_with(
        asking(&["a", "b", "c"]),
        "
        0    up a* b c d: sm 1@a, sm 2@b, sm 3@c, te 4@d
        100  exit te 4@d
        100  exit sm 1@a
        100  exit sm 3@c
        101  exit sm 2@b
        112  answers 1 archive /data/a, database teas, last-used 5, in-use false
        112  answers 2 archive /data/b, database teas, last-used 5, in-use false
        112  answers 3 archive /data/c, database teas, last-used 6, in-use false
        ",
        "
        100.05 process_failed sm 1@a
        100.05 process_failed sm 3@c
        100.05 process_failed te 4@d
        100.05 database_degraded teas
        101.05 process_failed sm 2@b
        111.05 ask 1 a of /data/a
        111.05 ask 2 b of /data/b
        111.05 ask 3 c of /data/c
        112 action_started 4 sm/3 on c: cold start, it ran last by what the archives say; its ...
        112 prepare 4 sm on c --archive /data/c --mem 1g
        ",
    );
}

#[test]
fn archives_are_asked_again_after_a_restart_and_what_was_asked_before_is_not_heard() {
    check_answers(
        "
        112  answers 2 archive /data/b, database teas, last-used 70, in-use false
        113  restart
        114  up a* b d:
        115  answers 1 archive /data/a, database teas, last-used 71, in-use false
        116  answers 3 archive /data/a, database teas, last-used 72, in-use false
        117  answers 4 archive /data/b, database teas, last-used 73, in-use false
        ",
        "
        113 domain_frozen: gate not-synced
        114 domain_connected
        114 domain_thawed: gate not-synced
        114 ask 3 a of /data/a
        114 ask 4 b of /data/b
        117 action_started 5 sm/2 on b: cold start, it ran last by what the archives say; its ...
        117 prepare 5 sm on b --archive /data/b --mem 1g
        ",
    );
}

#[test]
fn archives_are_asked_again_when_the_session_was_lost_before_the_start_left() {
    check_answers(
        "
        112  answers 1 archive /data/a, database teas, last-used 71, in-use false
        112  answers 2 archive /data/b, database teas, last-used 70, in-use false
        113  lost
        114  up a* b d:
        114.5  ready 3
        115  answers 4 archive /data/a, database teas, last-used 71, in-use false
        116  answers 5 archive /data/b, database teas, last-used 72, in-use false
        ",
        "
        112 action_started 3 sm/1 on a: cold start, it ran last by what the archives say; its ...
        112 prepare 3 sm on a --archive /data/a --mem 1g
        113 domain_disconnected: closed
        113 domain_frozen: gate not-synced
        114 domain_connected
        114 domain_thawed: gate not-synced
        114.5 abandon 3
        114.5 action_failed 3 sm/1 on a: the archives have to be asked again
        114.5 ask 4 a of /data/a
        114.5 ask 5 b of /data/b
        116 action_started 6 sm/2 on b: step 1 of the cold start that action 3 began; it ran \
         last by what the archives say; its ...
        116 prepare 6 sm on b --archive /data/b --mem 1g
        ",
    );
}

#[test]
fn archives_are_asked_again_when_a_host_was_away_since() {
    check_answers(
        "
        112  answers 1 archive /data/a, database teas, last-used 71, in-use false
        113  lose b
        114  not-sent 2
        120  return b
        141  answers 3 archive /data/a, database teas, last-used 71, in-use false
        142  answers 4 archive /data/b, database teas, last-used 72, in-use false
        ",
        "
        140 ask 3 a of /data/a
        140 ask 4 b of /data/b
        142 action_started 5 sm/2 on b: cold start, it ran last by what the archives say; its ...
        142 prepare 5 sm on b --archive /data/b --mem 1g
        ",
    );
}

#[test]
fn an_archive_whose_host_is_away_is_not_asked_and_keeps_the_cold_start_from_beginning() {
    check_with(
        asking(&["a", "b"]),
        "
        0    up a* b d: sm 1@a, sm 2@b, te 3@d
        100  lose a
        100  exit te 3@d
        101  exit sm 2@b
        130  say ada cold-start teas losing a because its disk burnt
        ",
        "
        100 process_unreachable sm 1@a
        100 database_degraded teas
        100.05 process_failed te 3@d
        100.05 action_started 1 te/1 on d: its exit was told; try 1, here; processes there: 0
        100.05 prepare 1 te on d
        101.05 process_failed sm 2@b
        130 operator_command teas: ada has teas brought up from nothing, giving up what is on ...
        130 action_started 2 sm/2 on b: ada asked for it (its disk burnt); cold start, it ran ...
        130 prepare 2 sm on b --archive /data/b --mem 1g
        130 accepted: teas is brought up: sm/2 on b (action 2)
        ",
    );
}

#[test]
fn an_archive_of_which_nobody_said_where_it_is_is_not_asked_and_neither_are_the_others() {
    check_with(
        asking(&["b"]),
        "
        0    up a* b d: sm 1@a, sm 2@b, te 3@d
        100  exit te 3@d
        100  exit sm 1@a
        101  exit sm 2@b
        112  wait
        ",
        "
        100.05 process_failed sm 1@a
        100.05 process_failed te 3@d
        100.05 database_degraded teas
        101.05 process_failed sm 2@b
        111.05 action_started 1 sm/1 on b: cold start, it ran last by our own record, for \
         nobody said where the archive on a is; its ...
        111.05 prepare 1 sm on b --archive /data/b --mem 1g
        ",
    );
}

#[test]
fn what_was_heard_is_good_for_a_second_try_and_not_once_something_ran() {
    check_answers(
        "
        112  answers 1 archive /data/a, database teas, last-used 71, in-use false
        112  answers 2 archive /data/b, database teas, last-used 70, in-use false
        113  ready 3
        114  failed 3 out of memory
        120  ready 4
        121  join sm 5@a
        121  registered 4 5
        122  exit sm 5@a
        123  ready 5
        124  answers 6 archive /data/a, database teas, last-used 90, in-use false
        124  answers 7 archive /data/b, database teas, last-used 70, in-use false
        140  wait
        ",
        "
        112 action_started 3 sm/1 on a: cold start, it ran last by what the archives say; its ...
        112 prepare 3 sm on a --archive /data/a --mem 1g
        113 commit 3
        114 action_failed 3 sm/1 on a: out of memory
        114.962 action_started 4 sm/1 on a: cold start, it ran last by what the archives say; ...
        114.962 prepare 4 sm on a --archive /data/a --mem 1g
        120 commit 4
        121 process_joined sm 5@a
        121 action_succeeded 4 sm/1 on a
        121 action_started 5 sm/2 on b: step 2 of the cold start that action 3 began; its exit ...
        121 prepare 5 sm on b --archive /data/b --mem 1g
        122.05 process_failed sm 5@a
        123 abandon 5
        123 action_failed 5 sm/2 on b: the archives have to be asked again
        123 ask 6 a of /data/a
        123 ask 7 b of /data/b
        124.14 action_started 8 sm/1 on a: cold start, it ran last by what the archives say; ...
        124.14 prepare 8 sm on a --archive /data/a --mem 1g
        ",
    );
}

#[test]
fn who_asks_for_a_cold_start_is_told_that_the_archives_are_asked() {
    check_with(
        asking(&["a", "b"]),
        "
        0    up a* b d: sm 1@a, sm 2@b, te 3@d
        10   leaving te 3@d
        10   exit te 3@d
        11   leaving sm 1@a
        11   exit sm 1@a
        12   leaving sm 2@b
        12   exit sm 2@b
        100  say ada cold-start teas
        101  answers 1 archive /data/a, database teas, last-used 71, in-use false
        102  answers 2 archive /data/b, database teas, last-used 70, in-use false
        ",
        "
        10 process_left te 3@d
        11 process_left sm 1@a
        12 process_left sm 2@b
        30 database_degraded teas
        100 operator_command teas: ada has teas brought up from nothing
        100 ask 1 a of /data/a
        100 ask 2 b of /data/b
        100 accepted: teas is brought up as soon as its archives have said which of them is ...
        102 action_started 3 sm/1 on a: ada asked for it; cold start, it ran last by what the ...
        102 prepare 3 sm on a --archive /data/a --mem 1g
        ",
    );
}

#[test]
fn a_reload_that_ends_the_experiment_ends_the_waiting() {
    check_answers(
        "
        112  answers 1 archive /data/a, database teas, last-used 71, in-use false
        113  reload no-experiments
        ",
        "
        113 action_started 3 sm/2 on b: cold start, it ran last; its exit was told; try 1, ...
        113 prepare 3 sm on b --archive /data/b --mem 1g
        ",
    );
}
