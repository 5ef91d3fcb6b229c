//! Whatever happens, in whatever order: what holds in every history.

use std::collections::BTreeSet;

use super::*;

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        // Knuth's constants; the upper bits are the good ones.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % sides
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.throw(all.len() as u64)).unwrap()]
    }
}

const HOSTS: [&str; 3] = ["a", "b", "c"];

/// Lets something happen; returns the action it begins, and the one it gives up.
fn happen(world: &mut World, dice: &mut Dice, action: u64) -> (Option<u64>, Option<u64>) {
    let host = dice.pick(&HOSTS);
    let earlier = dice.throw(action.max(1));
    match dice.throw(14) {
        0 => world.manner(
            host,
            dice.pick(&[
                Manner::Closes,
                Manner::Drips,
                Manner::Garbage,
                Manner::Mute,
                Manner::Refuses,
                Manner::Serves,
                Manner::Untrusted,
            ]),
        ),
        1 => world.manner(host, Manner::Serves),
        2 => world.cut(host),
        3 => world.reply(
            host,
            dice.pick(&[
                Reply::Accept("s1"),
                Reply::Accept("s2"),
                Reply::Close,
                Reply::Nothing,
                Reply::Refuse("no"),
                Reply::WithoutId,
            ]),
        ),
        4 => {
            let start_id = dice.pick(&[None, Some("s1"), Some("s2")]);
            let pid = u32::try_from(dice.throw(4)).unwrap();
            world.tell("a", &Event::NewProcess(engine(host, pid, start_id)));
        }
        5 => world.tell("b", &failed(host, dice.pick(&["s1", "s2"]), "why")),
        6 => world.order(Deed::Refresh),
        7 => {
            let valid_until = world.now + seconds(dice.throw(40));
            world.order(prepare(action, host, valid_until));
            return (Some(action), None);
        }
        8 => world.order(commit(earlier)),
        9 => {
            world.order(Deed::Abandon {
                action: ActionId(earlier),
            });
            return (None, Some(earlier));
        }
        10 => {
            let how = dice.pick(&[Stop::Graceful, Stop::Kill]);
            world.order(stop(action, host, 7, how));
            return (Some(action), None);
        }
        11 => {
            let question = Question::Identity(target(host));
            let question = dice
                .pick(&[&question, &Question::Quiesce("teas".into())])
                .clone();
            world.order(ask(action, question));
            return (Some(action), None);
        }
        12 => world.password(host, dice.pick(&["bird", "fish"])),
        _ => world.run_millis(dice.throw(8_000)),
    }
    (None, None)
}

#[test]
fn every_action_has_one_outcome_and_in_the_end_one_session_stands() {
    for seed in 0..100 {
        let mut dice = Dice(seed);
        let mut world = World::new(&["a", "b"]);
        world.add("c", false);
        let (mut begun, mut given_up) = (BTreeSet::new(), BTreeSet::new());
        for action in 0..80 {
            let (new, old) = happen(&mut world, &mut dice, action);
            begun.extend(new);
            given_up.extend(old);
        }
        for host in HOSTS {
            world.manner(host, Manner::Serves);
            world.password(host, "bird");
            world.cut(host);
        }
        // Longer than any patience, and between two probes.
        world.run(seconds(185));
        world.run_millis(5);
        for action in begun {
            let finals = world.finals.get(&action).copied().unwrap_or_default();
            let least = usize::from(!given_up.contains(&action));
            assert!(
                (least..=1).contains(&finals),
                "seed {seed}: action {action} has {finals} outcomes\n{}",
                world.log()
            );
        }
        let log = world.log();
        let (_, last) = log.rsplit_once(" snapshot at ").unwrap();
        assert!(!last.contains("lost"), "seed {seed}: {log}");
        assert_eq!(world.open_lines(), 1, "seed {seed}: {log}");
    }
}
