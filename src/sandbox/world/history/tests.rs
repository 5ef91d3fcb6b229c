//! Histories are a function of their seed, they do something, and in none a law is broken.

use super::*;

#[test]
fn the_same_seed_gives_the_same_history() {
    let ground = Ground::default();
    for seed in 0..5 {
        let (one, other) = (trace(seed, &ground), trace(seed, &ground));
        assert!(one.trace.len() > 100, "seed {seed}");
        assert_eq!(one.trace, other.trace, "seed {seed}");
        let played = play(seed, &ground);
        assert_eq!(played.broken, one.broken, "seed {seed}");
        assert_eq!(played.figures.turns, one.figures.turns, "seed {seed}");
    }
}

#[test]
fn engines_crash_and_are_started_again() {
    let ground = Ground::default();
    let mut total = Total::default();
    for seed in 0..20 {
        total.add(seed, &play(seed, &ground).figures);
    }
    assert_eq!(total.histories, 20);
    assert!(total.sum.succeeded > 20, "{:?}", total.sum);
    assert!(total.sum.without.iter().any(|it| !it.is_zero()));
}
