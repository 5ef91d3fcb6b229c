//! The daemon is killed again and again, at any moment, and nothing is lost.
//!
//! The real binary watches a sandbox whose engines are killed all the time, and tells three
//! listeners: a program that is slow, one that runs on and refuses every third event, and a server
//! that hangs for some. At seeded moments the daemon gets SIGKILL and is started again. When
//! everything has come to rest each listener was told whatever it wanted, and a twin that was never
//! killed, fed with what the journal says was seen, decides and remembers the same.
//!
//! `DBWARDEN_ROUNDS` says how often the daemon is killed, `DBWARDEN_SEED` when.

mod ears;
mod hook;
mod stage;
mod twin;

use ears::Ear;
use stage::Stage;
use twin::Twin;

use crate::storm::rounds;

/// Where the two journals are.
const DOMAIN: &str = "prod";
const DAEMON: &str = "daemon";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_whenever_the_daemon_is_killed() {
    let (rounds, seed) = rounds();
    println!("DBWARDEN_ROUNDS={rounds} DBWARDEN_SEED={seed}");
    let mut stage = Stage::set(seed).await;
    let mut twin = Twin::new(stage.house.settings());
    for round in 1..=rounds {
        stage.house.start();
        stage.churn().await;
        stage.house.kill();
        let left = stage.house.left(DOMAIN);
        twin.follow(&left, &format!("round {round} of seed {seed}"))
            .await;
    }
    stage.house.start();
    let letters = stage.rest().await;
    stage.house.end();
    let left = stage.house.left(DOMAIN);
    twin.follow(&left, "the end").await;
    let mut told = left.told().await;
    told.extend(stage.house.left(DAEMON).told().await);
    let ears = [
        Ear::of_file("slow", stage.house.path("slow.told")),
        Ear::of_file("thirds", stage.house.path("thirds.told")),
        Ear::new("hangs", stage.heard()),
    ];
    let (mut deliveries, mut duplicates) = (0, 0);
    for ear in &ears {
        let heard = ear.check(&told, &letters);
        deliveries += heard.deliveries;
        duplicates += heard.duplicates;
    }
    println!(
        "{rounds} kills, {} events, {} inputs, {deliveries} deliveries, {duplicates} of them \
         duplicates, {} dead letters told again, {} starts under way at a kill",
        told.len(),
        twin.inputs,
        letters.len(),
        twin.open_starts,
    );
}
