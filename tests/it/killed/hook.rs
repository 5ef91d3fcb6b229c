//! A server that is told of events, and hangs for some of them while there is a storm.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// One event in so many makes it hang, whenever that is the first of a list and tried for the first
/// or third time. Every second time it has taken the list.
const HANGS: u64 = 7;

/// The server. Dropping it ends it.
pub(super) struct Hook {
    pub(super) port: u16,
    state: Arc<Heard>,
    _task: JoinSet<()>,
}

#[derive(Default)]
struct Heard {
    is_calm: AtomicBool,
    taken: Mutex<Vec<Value>>,
}

impl Hook {
    pub(super) async fn start() -> Self {
        let state = Arc::<Heard>::default();
        let router = Router::new().route("/", post(hear));
        let router = router.with_state(Arc::clone(&state));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            port,
            state,
            _task: task,
        }
    }

    /// From now on it takes everything.
    pub(super) fn calm(&self) {
        self.state.is_calm.store(true, Ordering::Relaxed);
    }

    /// Returns what it took, in order.
    pub(super) fn taken(&self) -> Vec<Value> {
        self.state.taken.lock().unwrap().clone()
    }
}

async fn hear(State(heard): State<Arc<Heard>>, body: String) {
    let events: Value = serde_json::from_str(&body).unwrap();
    // With a batch of more than one it is always a list.
    let events = events.as_array().unwrap().clone();
    let number = |key: &str| events[0][key].as_u64().unwrap_or(0);
    let (seq, attempt) = (number("seq"), number("attempt"));
    let is_calm = heard.is_calm.load(Ordering::Relaxed);
    let hangs = seq % HANGS == 1 && attempt % 2 == 1 && !is_calm;
    if !hangs || seq % 2 == 0 {
        heard.taken.lock().unwrap().extend(events);
    }
    if hangs {
        std::future::pending::<()>().await;
    }
}
