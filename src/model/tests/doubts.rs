//! What a snapshot does not show is doubted until a second one agrees.

use super::*;

/// The brokers `a`, `b` and `c`, two processes at `b` and one at `c`, told of at `a`.
fn watched() -> Story {
    let mut story = Story::new();
    story.see(Sighting::PeerJoined(peer("c", 3)));
    for (agent, pid) in [("b", 7), ("b", 8), ("c", 9)] {
        story.see(Sighting::ProcessJoined(running(agent, pid)));
    }
    story.told();
    story
}

/// The domain as the broker `entry` shows it.
fn view(entry: PeerSeen, peers: Vec<PeerSeen>, processes: Vec<ProcessSeen>) -> Snapshot {
    Snapshot {
        domain: "domain".into(),
        entry,
        peers,
        processes,
    }
}

fn both_at_b() -> Vec<ProcessSeen> {
    vec![running("b", 7), running("b", 8)]
}

/// Lets time pass until another look is wanted, and says after how long.
fn look(story: &mut Story) -> Option<Duration> {
    let due = story.model.next_timeout()?;
    let pause = due.since(story.now);
    story.pass(pause);
    story.model.take_second_look().then_some(pause)
}

#[test]
fn a_loss_that_only_comparing_shows_needs_a_second_look() {
    let mut story = watched();
    story.lose().pass(Duration::from_secs(1));
    story.snapshot(vec![peer("b", 2)], vec![running("b", 8)]);
    assert_eq!(story.told(), "");
    assert!(story.model.has_doubts() && !story.model.is_minority());
    let counted = story.model.processes().filter(|(_, it)| it.is_live());
    assert_eq!(counted.count(), 3, "nothing is started in their place");

    assert_eq!(look(&mut story), Some(Duration::from_secs(2)));
    story.snapshot(vec![peer("b", 2)], vec![running("b", 8)]);
    assert_eq!(
        story.told(),
        "10.0.0.1:3 unreachable; 9 unreachable; 7 ended: Unknown"
    );
    assert!(!story.model.has_doubts());
    assert_eq!(story.model.next_timeout(), None);
}

#[test]
fn what_shows_again_was_never_gone() {
    let mut story = watched();
    story.lose();
    story.snapshot(vec![peer("b", 2)], vec![running("b", 8)]);
    look(&mut story);
    let all = [both_at_b(), vec![running("c", 9)]].concat();
    story.snapshot(vec![peer("b", 2), peer("c", 3)], all);
    assert_eq!(story.told(), "");
    assert!(!story.model.has_doubts());
}

#[test]
fn a_look_by_the_same_broker_too_soon_confirms_nothing_another_broker_does() {
    let mut story = watched();
    story.lose();
    story.snapshot(vec![peer("b", 2)], both_at_b());
    story.pass(Duration::from_secs(1));
    story.snapshot(vec![peer("b", 2)], both_at_b());
    assert_eq!(story.told(), "");
    story.lose();
    story.snapshot_of(view(peer("b", 2), vec![peer("a", 1)], both_at_b()));
    assert_eq!(story.told(), "10.0.0.1:3 unreachable; 9 unreachable");
}

#[test]
fn additions_and_statuses_are_believed_at_once() {
    let mut story = watched();
    story.lose();
    let busy = with_status(process("b", 7), Status::Stopping, "QUIESCED");
    let processes = vec![busy, running("b", 8), running("c", 9), running("d", 1)];
    let peers = vec![peer("b", 2), peer("c", 3), peer("d", 4)];
    story.snapshot(peers, processes);
    assert_eq!(story.told(), "10.0.0.1:4 joined; 7 was Up; 1 joined");
}

#[test]
fn a_minority_view_confirms_nothing_however_often_it_is_seen() {
    let mut story = watched();
    story.lose();
    for _ in 0..5 {
        story.snapshot(Vec::new(), Vec::new());
        assert!(story.model.is_minority());
        assert_eq!(look(&mut story), Some(Duration::from_secs(30)));
    }
    assert_eq!(story.told(), "");
    // As soon as half of them are in view again it is taken at its word, with a second look.
    story.snapshot(vec![peer("b", 2)], both_at_b());
    assert!(!story.model.is_minority());
    look(&mut story);
    story.snapshot(vec![peer("b", 2)], both_at_b());
    assert_eq!(story.told(), "10.0.0.1:3 unreachable; 9 unreachable");
}

#[test]
fn a_view_that_widens_while_it_is_told_is_looked_at_again() {
    let mut story = watched();
    story.lose();
    story.snapshot(Vec::new(), Vec::new());
    story.see(Sighting::PeerJoined(peer("b", 2)));
    story.see(Sighting::ProcessJoined(running("b", 7)));
    assert!(!story.model.is_minority());
    story.see(Sighting::PeerJoined(peer("c", 3)));
    story.see(Sighting::ProcessJoined(running("c", 9)));
    assert_eq!(story.told(), "", "they were never told to be gone");
    // One of them went meanwhile.
    let found = [running("b", 7), running("c", 9)];
    let peers = vec![peer("b", 2), peer("c", 3)];
    assert!(look(&mut story).is_some());
    story.snapshot(peers.clone(), found.to_vec());
    assert_eq!(story.told(), "");
    assert!(look(&mut story).is_some());
    story.snapshot(peers, found.to_vec());
    assert_eq!(story.told(), "8 ended: Unknown");
}

/// A view of `a` alone with an agent `d` that is no broker, and a process at each of them.
fn minority() -> Story {
    let mut story = watched();
    story.see(Sighting::PeerJoined(PeerSeen {
        is_broker: false,
        ..peer("d", 4)
    }));
    story.see(Sighting::PeerLost(peer("b", 2)));
    story.see(Sighting::ProcessJoined(running("a", 4)));
    story.see(Sighting::ProcessJoined(running("d", 5)));
    story.see(Sighting::PeerLost(peer("c", 3)));
    story.told();
    assert!(story.model.is_minority());
    story
}

#[test]
fn a_minority_view_knows_of_no_exits() {
    let mut story = minority();
    story.see(Sighting::ProcessGone(process("d", 5)));
    story.pass(Duration::from_secs(60));
    assert_eq!(story.told(), "5 out of view");
    assert_eq!(story.model.next_timeout(), None);
    // With a majority it has its time to show itself.
    story.see(Sighting::PeerJoined(peer("b", 2)));
    story.see(Sighting::ProcessJoined(running("b", 7)));
    story.see(Sighting::ProcessJoined(running("b", 8)));
    story.told();
    story.pass(Duration::from_secs(20));
    assert_eq!(story.told(), "5 ended: Unknown");
}

#[test]
fn a_broker_that_sees_nobody_knows_what_becomes_of_its_own_processes() {
    let mut story = minority();
    story.see(Sighting::ProcessGone(process("a", 4)));
    assert_eq!(story.told(), "");
    story.pass(Duration::from_millis(50));
    assert_eq!(story.told(), "4 ended: Exit");
}

#[test]
fn an_exit_told_just_before_the_session_broke_waits_for_what_comes_after() {
    // Whether its peer went as well would have been told next.
    for is_lost in [true, false] {
        let mut story = watched();
        story.see(Sighting::ProcessGone(process("c", 9)));
        story.lose().pass(Duration::from_secs(10));
        assert_eq!(story.told(), "");
        let mut peers = vec![peer("b", 2)];
        if !is_lost {
            peers.push(peer("c", 3));
        }
        story.snapshot(peers.clone(), both_at_b());
        if is_lost {
            assert_eq!(story.told(), "");
            look(&mut story);
            story.snapshot(peers, both_at_b());
            assert_eq!(story.told(), "10.0.0.1:3 unreachable; 9 unreachable");
        } else {
            assert_eq!(story.told(), "9 ended: Exit");
        }
    }
}

#[test]
fn a_process_that_went_with_its_peer_and_is_back_before_we_are_was_never_gone() {
    let mut story = watched();
    story.see(Sighting::ProcessGone(process("c", 9)));
    story.lose();
    let all = [both_at_b(), vec![running("c", 9)]].concat();
    story.snapshot(vec![peer("b", 2), peer("c", 3)], all);
    story.pass(Duration::from_secs(60));
    assert_eq!(story.told(), "");
    assert!(!story.model.has_doubts());
}

#[test]
fn a_process_that_was_not_shown_is_not_back_with_its_peer() {
    let mut story = watched();
    story.lose();
    let shown = vec![running("b", 8), running("c", 9)];
    story.snapshot(vec![peer("b", 2), peer("c", 3)], shown);
    story.see(Sighting::PeerLost(peer("b", 2)));
    story.see(Sighting::PeerJoined(peer("b", 2)));
    assert_eq!(
        story.told(),
        "10.0.0.1:2 unreachable; 7 unreachable; 8 unreachable; 10.0.0.1:2 returned; 8 returned"
    );
    story.pass(Duration::from_secs(20));
    assert_eq!(story.told(), "7 ended: Unknown");
}

#[test]
fn what_is_told_of_the_doubted_counts_at_once() {
    let mut story = watched();
    story.lose();
    story.snapshot(vec![peer("b", 2)], vec![running("b", 8)]);
    story.see(Sighting::PeerLost(peer("c", 3)));
    assert_eq!(story.told(), "10.0.0.1:3 unreachable; 9 unreachable");
    story.see(Sighting::ProcessGone(process("b", 7)));
    story.pass(Duration::from_millis(50));
    assert_eq!(story.told(), "7 ended: Exit");
    assert!(!story.model.has_doubts());
}

#[test]
fn brokers_that_were_replaced_long_ago_make_no_minority() {
    let mut story = watched();
    story.see(Sighting::PeerLost(peer("c", 3)));
    story.pass(Duration::from_secs(48 * 3_600));
    story.see(Sighting::PeerLost(peer("b", 2)));
    assert!(!story.model.is_minority());
    story.see(Sighting::PeerJoined(peer("c", 3)));
    assert!(!story.model.is_minority());
    story.see(Sighting::PeerLost(peer("c", 3)));
    assert!(story.model.is_minority());
}
