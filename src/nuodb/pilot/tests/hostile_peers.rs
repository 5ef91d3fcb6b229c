//! Peers that close, drip, keep silent or say garbage.

use super::*;

/// A world whose first broker has bad manners; the log of its first twenty seconds.
fn met(manner: Manner) -> String {
    let mut world = World::new(&["a", "b"]);
    world.manner("a", manner);
    world.run(seconds(5));
    world.run(seconds(15));
    assert_eq!(world.open_lines(), 1, "only the session at `b` is left");
    world.log()
}

#[test]
fn silence_is_ended_at_the_deadline() {
    check(
        &met(Manner::Mute),
        "0 dial a
         10000 lost Connection a:48004: peer was silent during the handshake, for 10s
         10000 dial b
         10000 snapshot at b with [\"a\"] []
         20000 dial b",
    );
}

#[test]
fn dripping_bytes_do_not_put_off_the_deadline() {
    check(
        &met(Manner::Drips),
        "0 dial a
         10000 lost Connection a:48004: peer did not finish the handshake within 10s
         10000 dial b
         10000 snapshot at b with [\"a\"] []
         20000 dial b",
    );
}

#[test]
fn garbage_is_a_broken_protocol() {
    check(
        &met(Manner::Garbage),
        "0 dial a
         0 lost Protocol a:48004: peer does not keep to the protocol: *
         0 dial b
         0 snapshot at b with [\"a\"] []
         10000 dial b
         20000 dial b",
    );
}

#[test]
fn closing_in_the_handshake_is_told_with_the_stage() {
    check(
        &met(Manner::Closes),
        "0 dial a
         0 lost Connection a:48004: peer closed the session before it answered the login
         0 dial b
         0 snapshot at b with [\"a\"] []
         10000 dial b
         20000 dial b",
    );
}
