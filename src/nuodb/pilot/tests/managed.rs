//! Which databases the domain manages itself: asked, told, asked again, and given up nowhere.

use super::*;

/// A pilot that asks each minute, and the log up to its first answer.
fn asking(prepare: impl FnOnce(&mut World)) -> (World, String) {
    let mut world = World::with(&["a", "b"], |settings| {
        settings.descriptions = Some(seconds(60));
        settings.probe_interval = seconds(100_000);
    });
    prepare(&mut world);
    world.run_millis(1);
    let log = world.log();
    (world, log)
}

#[test]
fn at_login_it_is_asked_which_there_are_and_how_it_stands_with_each() {
    let (world, log) = asking(|world| {
        world.manage("teas", "ACTIVE");
        world.manage("nuts", "");
    });
    check(
        &log,
        "0 dial a
         0 snapshot at a with [\"b\"] []
         0 dial a
         0 managed 2: nuts (), teas ()
         0 dial a
         0 dial a
         0 managed 2: nuts (), teas (ACTIVE)",
    );
    assert_eq!(world.open_lines(), 1);
}

#[test]
fn it_is_asked_again_and_only_news_are_told() {
    let (mut world, _) = asking(|world| world.manage("teas", "ACTIVE"));
    world.run(seconds(121));
    check(
        &world.log(),
        "60000 dial a
         60000 dial a
         120000 dial a
         120000 dial a",
    );
    world.manage("teas", "INACTIVE");
    world.run(seconds(60));
    world.unmanage("teas");
    world.run(seconds(60));
    check(
        &world.log(),
        "180000 dial a
         180000 dial a
         180000 managed 1: teas (INACTIVE)
         240000 dial a
         240000 managed 0:*",
    );
}

#[test]
fn a_fresh_picture_is_of_descriptions_too() {
    let (mut world, _) = asking(|_| ());
    world.manage("teas", "ACTIVE");
    world.order(Deed::Refresh);
    check(
        &world.log(),
        "1 dial a
         1 snapshot at a with [\"b\"] []
         1 dial a
         1 managed 1: teas ()
         1 dial a
         1 managed 1: teas (ACTIVE)",
    );
}

#[test]
fn a_broker_that_knows_none_is_left_in_peace_and_nothing_is_told() {
    let (mut world, log) = asking(World::know_no_descriptions);
    assert!(!log.contains("managed") && !log.contains("warn"), "{log}");
    world.run(seconds(61));
    check(&world.log(), "60000 dial a");
    world.manage("teas", "");
    world.run(seconds(60));
    assert!(world.log().contains("managed 1: teas ()"));
}

#[test]
fn a_broker_that_could_not_be_asked_is_asked_soon_and_then_less_often() {
    let (mut world, _) = asking(|world| world.manage("teas", ""));
    world.manner("a", Manner::Refuses);
    world.run(seconds(64));
    check(
        &world.log(),
        "60000 dial a
         60500 dial a
         61500 dial a
         63500 dial a",
    );
    // What was told still holds; it is told again in a session of its own.
    world.cut_watching();
    world.run(seconds(1));
    let log = world.log();
    assert!(
        log.contains("snapshot at b") && log.contains("managed 1: teas ()"),
        "{log}"
    );
}

#[test]
fn with_the_session_goes_the_question() {
    let (mut world, _) = asking(|_| ());
    world.manner("a", Manner::Mute);
    world.run(seconds(60));
    assert_eq!(world.open_lines(), 2);
    world.cut_watching();
    assert_eq!(world.open_lines(), 0);
}
