//! The daemon ends without goodbye, or the journal cannot be written.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_was_under_way_in_a_crash_is_told_again_alone() {
    let mut tape = Tape::new(0);
    tape.write(&about_each(&["a", "b", "c", "d"]));
    let at_once = Terms {
        concurrency: 4,
        timeout: LONG * 2,
        ..terms()
    };
    let it = Scripted::new(&[Act::Hang; 4]);
    let dispatcher = start(&tape, it.registered(at_once.clone()));
    it.hear(4).await;
    tape = tape.crash();
    drop(dispatcher);

    let it = Scripted::new(&[Act::Slowly(5), Act::Hang]);
    let dispatcher = start(&tape, it.registered(at_once.clone()));
    it.hear(2).await;
    sleep(Duration::from_secs(60)).await;
    let expected = ["1 peer_joined 2", "2 peer_joined 2"];
    assert_eq!(it.heard(), expected, "the others wait for the second");
    tape = tape.crash();
    drop(dispatcher);

    let it = Scripted::new(&[]);
    let _dispatcher = start(&tape, it.registered(at_once));
    let expected = ["3 peer_joined 2", "4 peer_joined 2"];
    assert_eq!(it.hear(2).await, expected);
    until("all is noted", || tape.cursor("it") == Some(4)).await;
    let letters = tape.letters();
    assert_eq!((letters.len(), letters[0].event.seq), (1, 2));
    assert!(letters[0].error.contains("2 times"), "{}", letters[0].error);
}

#[tokio::test(start_paused = true)]
async fn what_was_told_out_of_turn_is_not_told_again_after_a_crash() {
    let mut tape = Tape::new(0);
    tape.write(&about_each(&["a", "a", "b", "b"]));
    let it = Scripted::new(&[Act::Later(3_000)]);
    let dispatcher = start(&tape, it.registered(terms()));
    it.hear(3).await;
    until("they are noted", || {
        tape.open("it").iter().filter(|it| it.3).count() == 2
    })
    .await;
    tape = tape.crash();
    drop(dispatcher);

    let it = Scripted::new(&[]);
    let _dispatcher = start(&tape, it.registered(terms()));
    assert_eq!(it.hear(2).await, ["1 peer_joined 2", "2 peer_joined 1"]);
    until("all is noted", || tape.cursor("it") == Some(4)).await;
    assert_eq!(it.heard().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_new_is_told_while_the_journal_cannot_be_written() {
    let tape = Tape::new(0);
    let it = Scripted::new(&[]);
    let _dispatcher = start(&tape, it.registered(terms()));
    tape.write(&about_each(&[""]));
    it.hear(1).await;
    tape.set_broken(true);
    tape.write(&about_each(&["", ""]));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(it.heard().len(), 1);
    tape.set_broken(false);
    let heard = it.hear(3).await;
    assert_eq!(heard[1..], ["2 peer_joined 1", "3 peer_joined 1"]);
}

#[tokio::test(start_paused = true)]
async fn who_asked_for_it_is_told_without_a_number_meanwhile() {
    let tape = Tape::new(0);
    tape.account_at("other", 0);
    let (it, other) = (Scripted::new(&[Act::Fail]), Scripted::new(&[]));
    let best_effort = Terms {
        best_effort: true,
        ..terms()
    };
    let listeners = vec![it.registered(best_effort), other.named("other", terms())];
    let dispatcher = Dispatcher::start(Arc::new(tape.clone()), listeners, Hooks::default());
    tape.set_broken(true);
    dispatcher.alarm(&event(Kind::DomainFrozen, about("")));
    dispatcher.alarm(&event(Kind::ProcessFailed, about("teas")));
    let expected = [
        "0 domain_frozen 1",
        "0 domain_frozen 2",
        "0 process_failed 1",
    ];
    assert_eq!(it.hear(3).await, expected);
    assert!(other.heard().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_new_listener_that_wants_it_is_told_what_is_there_and_then_what_comes() {
    let mut tape = Tape::unknown();
    tape.write(&about_each(&["", ""]));
    let (present, mut asked) = mpsc::channel::<tokio::sync::oneshot::Sender<Vec<Event>>>(1);
    let hooks = Hooks {
        present: Some(present),
        ..Hooks::default()
    };
    let answer = async move {
        while let Some(answer) = asked.recv().await {
            let there = ["@db1", "@db2"].map(|it| event(Kind::PeerJoined, about(it)));
            let _ = answer.send(there.to_vec());
        }
    };
    let mut answering = JoinSet::new();
    answering.spawn(answer);
    let it = Scripted::new(&[Act::Take, Act::Hang]);
    let journal = Arc::new(tape.clone());
    let dispatcher = Dispatcher::start(journal, vec![it.registered(terms())], hooks.clone());
    tape.write(&about_each(&[""]));
    assert_eq!(it.hear(2).await, ["0 peer_joined 1", "0 peer_joined 1"]);
    assert_eq!(
        tape.cursor("it"),
        None,
        "not before it has heard everything"
    );
    tape = tape.crash();
    drop(dispatcher);

    let it = Scripted::new(&[]);
    let journal = Arc::new(tape.clone());
    let dispatcher = Dispatcher::start(journal, vec![it.registered(terms())], hooks);
    it.hear(2).await;
    tape.write(&about_each(&[""]));
    let expected = ["0 peer_joined 1", "0 peer_joined 1", "4 peer_joined 1"];
    assert_eq!(it.hear(3).await, expected);
    dispatcher.flush(LONG).await;
    assert_eq!(tape.cursor("it"), Some(4));
}
