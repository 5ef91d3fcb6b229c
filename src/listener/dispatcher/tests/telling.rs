//! Who is told what, in which order, how often, and what happens when somebody fails.

use super::*;
use crate::listener::{Deliver, Filter};

#[tokio::test(start_paused = true)]
async fn a_listener_is_told_in_order_from_its_place_on() {
    let tape = Tape::new(1);
    tape.write(&about_each(&["", "", "teas"]));
    let it = Scripted::new(&[]);
    let dispatcher = start(&tape, it.registered(terms()));
    assert_eq!(it.hear(2).await, ["2 peer_joined 1", "3 peer_joined 1"]);
    tape.write(&[(Kind::ProcessLeft, "")]);
    assert_eq!(it.hear(3).await[2], "4 process_left 1");
    assert_eq!(dispatcher.flush(LONG).await, []);
    assert_eq!(tape.cursor("it"), Some(4));
    assert_eq!(tape.open("it"), []);
}

#[tokio::test(start_paused = true)]
async fn the_next_of_an_entity_waits_for_one_that_fails_and_the_others_go_on() {
    let tape = Tape::new(0);
    tape.write(&about_each(&["teas", "teas", "@db2", "teas"]));
    let it = Scripted::new(&[Act::Fail, Act::Take, Act::Hang]);
    let dispatcher = start(&tape, it.registered(terms()));
    let expected = [
        "1 peer_joined 1",
        "3 peer_joined 1",
        "1 peer_joined 2",
        "1 peer_joined 3",
        "2 peer_joined 1",
        "4 peer_joined 1",
    ];
    assert_eq!(it.hear(6).await, expected);
    until("all is noted", || tape.cursor("it") == Some(4)).await;
    drop(dispatcher);
    let notes = tape.notes().join(", ");
    assert!(notes.contains("told 3"), "out of turn: {notes}");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_on_record_before_it_is_made() {
    let tape = Tape::new(0);
    tape.write(&about_each(&["a", "b"]));
    let it = Scripted::new(&[Act::Hang]);
    let patient = Terms {
        timeout: LONG * 2,
        ..terms()
    };
    let _dispatcher = start(&tape, it.registered(patient));
    it.hear(1).await;
    assert_eq!(tape.open("it"), [(1, 1, 0, false)], "and nothing else is");
}

#[tokio::test(start_paused = true)]
async fn a_listener_is_given_up_for_an_event_and_not_for_the_next() {
    let tape = Tape::new(0);
    tape.write(&about_each(&["", "", ""]));
    let retry = Retry {
        tries: 3,
        ..Retry::default()
    };
    let it = Scripted::new(&[Act::Fail, Act::Fail, Act::Fail, Act::Refuse]);
    let _dispatcher = start(&tape, it.registered(Terms { retry, ..terms() }));
    let expected = [
        "1 peer_joined 1",
        "1 peer_joined 2",
        "1 peer_joined 3",
        "2 peer_joined 1",
        "3 peer_joined 1",
    ];
    assert_eq!(it.hear(5).await, expected);
    until("all is noted", || tape.cursor("it") == Some(3)).await;
    let letters = tape.letters();
    let letters: Vec<_> = letters
        .iter()
        .map(|it| (it.event.seq, it.attempts, it.error.as_str()))
        .collect();
    assert_eq!(letters, [(1, 3, "not now"), (2, 1, "never")]);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_told_again_when_somebody_wants_it() {
    let tape = Tape::new(0);
    tape.write(&about_each(&["", ""]));
    let it = Scripted::new(&[Act::Refuse, Act::Take, Act::Fail, Act::Take]);
    let _dispatcher = start(&tape, it.registered(terms()));
    it.hear(2).await;
    until("it is dead", || tape.letters().len() == 1).await;
    tape.replay(1);
    assert_eq!(it.hear(3).await[2], "1 peer_joined 2");
    // A temporary failure leaves tries.
    assert_eq!(it.hear(4).await[3], "1 peer_joined 3");
    until("it is told", || tape.letters().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_hangs_delays_nobody_else() {
    let tape = Tape::new(0);
    tape.account_at("stuck", 0);
    let (quick, stuck) = (Scripted::new(&[]), Scripted::new(&[Act::Hang]));
    let patient = Terms {
        timeout: LONG * 2,
        ..terms()
    };
    let listeners = vec![stuck.named("stuck", patient), quick.registered(terms())];
    let _dispatcher = Dispatcher::start(Arc::new(tape.clone()), listeners, Hooks::default());
    tape.write(&vec![(Kind::PeerJoined, ""); 6_000]);
    let heard = quick.hear(6_000).await;
    for (line, number) in heard.iter().zip(1..) {
        assert_eq!(*line, format!("{number} peer_joined 1"));
    }
    assert_eq!(stuck.heard(), ["1 peer_joined 1"]);
}

#[tokio::test(start_paused = true)]
async fn many_events_of_a_quick_listener_share_few_commits() {
    let tape = Tape::new(0);
    let names: Vec<String> = (0..50).map(|it| format!("db{it}")).collect();
    let events: Vec<(Kind, &str)> = (0..20_000)
        .map(|it| (Kind::ProcessJoined, names[it % 50].as_str()))
        .collect();
    tape.write(&events);
    let it = Scripted::new(&[]);
    let _dispatcher = start(&tape, it.registered(terms()));
    it.hear(20_000).await;
    until("all is noted", || tape.cursor("it") == Some(20_000)).await;
    let advances = tape.notes();
    let advances = advances.iter().filter(|it| it.starts_with("advance"));
    assert!(advances.count() < 10_000, "many events at a time");
}

#[tokio::test(start_paused = true)]
async fn who_comes_too_late_is_told_what_is_lost() {
    let tape = Tape::new(1);
    tape.account_at("picky", 1);
    tape.write(&about_each(&["", "", "", "", ""]));
    tape.lose(4);
    let mut filter = Filter::none();
    filter.add("process").unwrap();
    let only_processes = Terms {
        events: filter,
        ..terms()
    };
    let (it, picky) = (Scripted::new(&[Act::Fail]), Scripted::new(&[]));
    let listeners = vec![it.registered(terms()), picky.named("picky", only_processes)];
    let dispatcher = Dispatcher::start(Arc::new(tape.clone()), listeners, Hooks::default());
    assert_eq!(it.hear(3).await, ["4 gap 1", "4 gap 2", "5 peer_joined 1"]);
    assert_eq!(picky.hear(1).await, ["4 gap 1"]);
    assert_eq!(dispatcher.flush(LONG).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_gap_in_the_middle_is_told_between_what_is_before_and_behind_it() {
    let tape = Tape::new(0);
    tape.write(&about_each(&["a"]));
    let it = Scripted::new(&[Act::Slowly(500)]);
    let latest = Terms {
        deliver: Deliver::Latest,
        ..terms()
    };
    let _dispatcher = start(&tape, it.registered(latest));
    it.hear(1).await;
    tape.lose(3);
    tape.write(&about_each(&["a", "b", "a", "a"]));
    let expected = ["1 peer_joined 1", "3 gap 1", "5 peer_joined 1"];
    assert_eq!(it.hear(3).await, expected);
}

#[tokio::test(start_paused = true)]
async fn who_wants_the_latest_is_told_one_of_those_that_wait() {
    let tape = Tape::new(0);
    tape.write(&about_each(&["a", "a", "b", "a", "b", "@p"]));
    let it = Scripted::new(&[Act::Slowly(100)]);
    let latest = Terms {
        deliver: Deliver::Latest,
        ..terms()
    };
    let _dispatcher = start(&tape, it.registered(latest));
    let expected = ["4 peer_joined 1", "5 peer_joined 1", "6 peer_joined 1"];
    assert_eq!(it.hear(3).await, expected);
    until("all is noted", || tape.cursor("it") == Some(6)).await;
}

#[tokio::test(start_paused = true)]
async fn several_instances_tell_different_entities_at_once_and_one_in_order() {
    let tape = Tape::new(0);
    tape.write(&about_each(&["a", "a", "b", "c", "b", "a"]));
    let it = Scripted::new(&[Act::Slowly(100); 6]);
    let at_once = Terms {
        concurrency: 3,
        ..terms()
    };
    let _dispatcher = start(&tape, it.registered(at_once));
    let heard = it.hear(6).await;
    let mut first: Vec<_> = heard[..3].to_vec();
    first.sort();
    assert_eq!(
        first,
        ["1 peer_joined 1", "3 peer_joined 1", "4 peer_joined 1"]
    );
    let place = |seq: u64| {
        let begins = format!("{seq} ");
        heard.iter().position(|it| it.starts_with(&begins)).unwrap()
    };
    assert!(place(1) < place(2) && place(2) < place(6) && place(3) < place(5));
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_tried_again_as_a_whole_and_one_by_one_if_it_is_refused() {
    let tape = Tape::new(0);
    tape.write(&about_each(&["a", "a", "b"]));
    let it = Scripted::new(&[Act::Fail, Act::Refuse, Act::Take, Act::Refuse, Act::Take]);
    let batches = Terms {
        batch: 10,
        ..terms()
    };
    let _dispatcher = start(&tape, it.registered(batches));
    let expected = [
        "1 peer_joined 1 + 2 peer_joined 1 + 3 peer_joined 1",
        "1 peer_joined 2 + 2 peer_joined 2 + 3 peer_joined 2",
        "1 peer_joined 3",
        "2 peer_joined 3",
        "3 peer_joined 3",
    ];
    assert_eq!(it.hear(5).await, expected);
    until("all is noted", || tape.cursor("it") == Some(3)).await;
    assert_eq!(tape.letters()[0].event.seq, 2);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_taken_in_parts_has_one_event_of_each_entity() {
    let tape = Tape::new(0);
    tape.write(&about_each(&["a", "a", "b", "c", "b"]));
    let it = Scripted {
        is_atomic: false,
        ..Scripted::new(&[Act::TakeBut(1)])
    };
    let batches = Terms {
        batch: 10,
        ..terms()
    };
    let _dispatcher = start(&tape, it.registered(batches));
    let expected = [
        "1 peer_joined 1 + 3 peer_joined 1 + 4 peer_joined 1",
        "2 peer_joined 1",
        "3 peer_joined 2",
        "5 peer_joined 1",
    ];
    assert_eq!(it.hear(4).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_out_of_order_costs_few_events_their_tries() {
    let tape = Tape::new(0);
    let names: Vec<String> = (0..40).map(|it| format!("db{it}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    tape.write(&about_each(&names));
    let it = Scripted::new(&[Act::Fail; 12]);
    let _dispatcher = start(&tape, it.registered(terms()));
    let heard = it.hear(12).await;
    let tried: std::collections::BTreeSet<&str> =
        heard.iter().filter_map(|it| it.split(' ').next()).collect();
    assert!(tried.len() <= 4, "{heard:?}");
    it.hear(12 + 40).await;
    until("all is noted", || tape.cursor("it") == Some(40)).await;
    assert!(tape.letters().is_empty());
    let notes = tape.notes();
    let outages = notes
        .iter()
        .filter(|it| *it == "failing" || *it == "recovered");
    assert_eq!(outages.collect::<Vec<_>>(), ["failing", "recovered"]);
}

#[tokio::test(start_paused = true)]
async fn who_asks_to_be_left_alone_is() {
    let tape = Tape::new(0);
    tape.write(&about_each(&[""]));
    let it = Scripted::new(&[Act::Later(1_000)]);
    let _dispatcher = start(&tape, it.registered(terms()));
    it.hear(1).await;
    sleep(Duration::from_secs(990)).await;
    assert_eq!(it.heard().len(), 1);
    it.hear(2).await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_breaks_is_replaced_and_the_event_tried_again() {
    let tape = Tape::new(0);
    tape.write(&about_each(&["", ""]));
    let it = Scripted::new(&[Act::Break]);
    let _dispatcher = start(&tape, it.registered(terms()));
    let expected = ["1 peer_joined 1", "1 peer_joined 2", "2 peer_joined 1"];
    assert_eq!(it.hear(3).await, expected);
}
