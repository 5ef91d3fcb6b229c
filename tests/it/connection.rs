//! Sessions lost in every way there is, against a real domain: only true differences are told.
//!
//! The real daemon watches a sandbox that churns; a director breaks what carries the session, and a
//! judge holds the sandbox's truth against what a listener was told and what the journal has.
//! `DBWARDEN_ROUNDS` sets how many times, `DBWARDEN_SEED` where to begin.

mod director;
mod judge;
mod watch;

use std::collections::BTreeSet;
use std::time::Duration;

use dbwarden::sandbox::serve::{DatabaseSettings, Sandbox, Settings};
use dbwarden::sandbox::world::history::Dice;
use dbwarden::sandbox::world::{Fault, Pace, PeerNumber};

use director::{Deeds, Director};
use judge::Judge;
use watch::{Setup, Watch};

use crate::storm::{ROUNDS, rounds};

/// Longer than anything here takes on a machine that has much else to do.
const LONG: Duration = Duration::from_secs(60);

/// Three brokers and an agent, two SMs and four TEs.
async fn sandbox() -> Sandbox {
    let settings = Settings {
        peers: 4,
        brokers: 3,
        pace: Pace::scaled(0),
        databases: vec![DatabaseSettings {
            name: "teas".into(),
            te: 4,
            sm: 2,
        }],
        engine_program: Some(env!("CARGO_BIN_EXE_dbwarden").into()),
        ..Settings::default()
    };
    Sandbox::start(settings).await.unwrap()
}

/// The brokers as a person would write them; the domain tells of them by number.
fn brokers(sandbox: &Sandbox) -> Vec<String> {
    let brokers = sandbox.peers().iter().filter(|it| it.is_broker);
    brokers
        .map(|it| format!("localhost:{}", it.address.port()))
        .collect()
}

const STRATEGIES: [&str; 3] = ["round-robin", "fallback", "random"];

fn setup<'a>(brokers: &'a [String], strategy: &'a str) -> Setup<'a> {
    Setup {
        brokers,
        strategy,
        password: "password",
        reconnect_max: "300ms",
        more: "",
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_breaks_the_session_only_true_differences_are_told() {
    let (rounds, first) = rounds();
    let mut all = Deeds::default();
    for (seed, strategy) in (first..first + rounds).zip(STRATEGIES.into_iter().cycle()) {
        let sandbox = sandbox().await;
        let mut dice = Dice::new(seed);
        // The daemon learns of those it is not told about.
        let mut brokers = brokers(&sandbox);
        brokers.truncate(1 + dice.below(3));
        let mut watch = Watch::start(&setup(&brokers, strategy));
        watch.note(&format!("seed {seed}, {strategy}"));
        let mut judge = Judge::new(&sandbox, &mut watch).await;
        let mut director = Director::new(&sandbox, dice);
        director.play(&mut watch).await;
        judge.come_to_rest(&sandbox, &director, &mut watch).await;
        if let Err(broken) = judge.judge(&director, &mut watch).await {
            panic!(
                "seed {seed}: {broken}\n{}\nto play it again: DBWARDEN_ROUNDS=1 \
                 DBWARDEN_SEED={seed} cargo test --test it connection",
                watch.story()
            );
        }
        all.add(&director, &judge);
        sandbox.stop().await;
    }
    println!("{rounds} rounds from seed {first}: {all:?}");
    if rounds >= ROUNDS {
        assert!(all.has_everything(), "something never happened: {all:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_once_whatever_the_brokers_do() {
    for strategy in STRATEGIES {
        let sandbox = sandbox().await;
        let brokers = brokers(&sandbox);
        let mut watch = Watch::start(&Setup {
            password: "wrong",
            reconnect_max: "1h",
            ..setup(&brokers, strategy)
        });
        let is_told = |it: &Watch| it.was_told(0, "domain_disconnected");
        watch.until("the password is refused", is_told).await;
        for peer in (1..=3).map(PeerNumber) {
            let exits_first = false;
            for fault in [
                Fault::Drop { peer },
                Fault::Lose { peer, exits_first },
                Fault::Return { peer },
            ] {
                sandbox.control(fault).await.unwrap();
                watch.pass(Duration::from_millis(50)).await;
            }
        }
        watch.end();
        let story = watch.story();
        assert_eq!(sandbox.survey().await.unwrap().logins, 1, "{story}");
        assert_eq!(watch.told.len(), 1, "{story}");
        let text = watch.told[0].event["text"].as_str().unwrap();
        assert!(text.contains("password"), "{text}");
        sandbox.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_of_an_earlier_run_are_asked_when_the_only_configured_one_is_gone() {
    let sandbox = sandbox().await;
    let brokers = brokers(&sandbox);
    let mut watch = Watch::start(&setup(&brokers[..1], "fallback"));
    let judge = Judge::new(&sandbox, &mut watch).await;
    watch.end();
    let (peer, exits_first) = (PeerNumber(1), false);
    let fault = Fault::Lose { peer, exits_first };
    sandbox.control(fault).await.unwrap();
    watch.resume();
    let knows = |it: &Watch| it.was_told(judge.before, "peer_unreachable");
    watch
        .until("a learned broker tells of the loss", knows)
        .await;
    watch.end();
    let told: BTreeSet<_> = watch.told[judge.before..]
        .iter()
        .filter(|it| !it.kind().starts_with("domain_"))
        .map(|it| (it.kind(), judge.peer(it)))
        .collect();
    let expected = ["peer_unreachable", "process_unreachable"].map(|it| (it, Some(peer)));
    assert_eq!(told, BTreeSet::from(expected), "{}", watch.story());
    sandbox.stop().await;
}
