//! The server of webhooks: writes down what it is told, and refuses some of it once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// What one listener was told of one domain: by which version, and what.
pub(super) type Told = (String, u32, Value);

#[derive(Debug, Default)]
struct Book {
    told: Mutex<Vec<Told>>,
    /// Whose call is being answered.
    busy: Mutex<BTreeSet<String>>,
    overlaps: Mutex<Vec<String>>,
}

/// A server that runs until it is dropped.
pub(super) struct Hook {
    book: Arc<Book>,
    address: SocketAddr,
    _runtime: Runtime,
}

impl Hook {
    pub(super) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let book = Arc::new(Book::default());
        let router = Router::new()
            .route("/{listener}/{version}", post(take))
            .with_state(Arc::clone(&book));
        let socket = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = socket.local_addr().unwrap();
        drop(runtime.spawn(async move { axum::serve(socket, router).await.unwrap() }));
        Self {
            book,
            address,
            _runtime: runtime,
        }
    }

    pub(super) fn address(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the numbers of sockets that are connected to it.
    pub(super) fn connections(&self) -> BTreeSet<String> {
        let port = format!(":{:04X}", self.address.port());
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let lines = table
            .lines()
            .map(|it| it.split_whitespace().collect::<Vec<_>>());
        let ours = lines.filter(|it| it.len() > 9 && it[2].ends_with(&port));
        ours.map(|it| it[9].to_owned()).collect()
    }

    pub(super) fn told(&self) -> Vec<Told> {
        self.book.told.lock().unwrap().clone()
    }

    pub(super) fn overlaps(&self) -> Vec<String> {
        self.book.overlaps.lock().unwrap().clone()
    }
}

async fn take(
    State(book): State<Arc<Book>>,
    Path((listener, version)): Path<(String, u32)>,
    body: String,
) -> StatusCode {
    let event: Value = serde_json::from_str(&body).unwrap();
    let of = format!("{listener}@{}", event["domain"].as_str().unwrap_or("-"));
    if !book.busy.lock().unwrap().insert(of.clone()) {
        book.overlaps
            .lock()
            .unwrap()
            .push(format!("{of} {}", event["id"]));
    }
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    book.busy.lock().unwrap().remove(&of);
    let seq = event["seq"].as_u64().unwrap_or(1);
    if event["attempt"] == 1 && seq.is_multiple_of(5) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    book.told.lock().unwrap().push((of, version, event));
    StatusCode::OK
}
