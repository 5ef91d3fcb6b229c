//! Other hands on the same domain: somebody who starts things, and a second healer.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dbwarden::model::Role;
use dbwarden::nuodb::client::ClientEvent;
use dbwarden::nuodb::message::{Element, Request, Style};
use dbwarden::sandbox::serve::{EngineInfo, Sandbox};
use dbwarden::sandbox::world::history::Dice;
use dbwarden::transport::dial;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::sandbox::caller::{Caller, PATIENCE};

/// Asks a peer for a start, which may be gone, and returns what the start is called.
pub(super) async fn try_start(address: SocketAddrV4, options: &[(&str, &str)]) -> Option<String> {
    let request = Request::new("ProcessStart", Style::Request).with("Process", "server");
    let request = options.iter().fold(request, |request, (name, value)| {
        let option = Element::new("Option").with("option", *name);
        request.child(option.with("value", *value))
    });
    let stream = dial("127.0.0.1", address.port(), None, PATIENCE)
        .await
        .ok()?;
    let reply = Caller::open_on(stream, "bird", request).next().await.ok()?;
    let ClientEvent::Response(reply) = reply else {
        return None;
    };
    reply.attribute("StartId").map(str::to_owned)
}

/// A second healer, which knows nothing of ours: it fills what it misses.
pub(super) struct Rival {
    ends: Arc<AtomicBool>,
    task: JoinSet<()>,
}

impl Rival {
    /// Lets one loose on a database.
    pub(super) fn start(
        sandbox: Arc<Sandbox>,
        database: Arc<str>,
        wanted: usize,
        asked: Arc<Mutex<BTreeSet<String>>>,
        mut dice: Dice,
    ) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&ends);
        let mut task = JoinSet::new();
        task.spawn(async move {
            while !is_over.load(Ordering::Relaxed) {
                sleep(dice.whole_millis(20, 150)).await;
                let engines = sandbox.engines().await.unwrap();
                let of = |it: &&EngineInfo| {
                    it.database == database && it.role == Role::Te && !it.is_leftover
                };
                if engines.iter().filter(of).count() >= wanted {
                    continue;
                }
                let peer = &sandbox.peers()[dice.below(sandbox.peers().len())];
                let options = [("--database", &*database)];
                if let Some(start_id) = try_start(peer.address, &options).await {
                    asked.lock().unwrap().insert(start_id);
                    // It gives its own start some time.
                    sleep(Duration::from_millis(150)).await;
                }
            }
        });
        Self { ends, task }
    }

    /// Has it end, and waits until it has.
    pub(super) async fn end(mut self) {
        self.ends.store(true, Ordering::Relaxed);
        while let Some(ended) = self.task.join_next().await {
            ended.unwrap();
        }
    }
}
