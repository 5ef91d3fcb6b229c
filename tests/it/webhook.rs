//! The real daemon with a `webhook` listener, and a real HTTP server that has a bad night.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use rustix::process::{Signal, kill_process};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::daemon::{Daemon, pid, running_te, teas};
use crate::sandbox::outside::{Running, eventually};

/// What the server does with a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mood {
    /// Breaks off in the middle of its answer.
    Closes,
    /// Never answers.
    Delays,
    Fails,
    /// Has had enough for a second.
    Refuses,
    Takes,
}

const NIGHT: [Mood; 11] = [
    Mood::Fails,
    Mood::Takes,
    Mood::Refuses,
    Mood::Closes,
    Mood::Delays,
    Mood::Takes,
    Mood::Closes,
    Mood::Takes,
    Mood::Delays,
    Mood::Refuses,
    Mood::Fails,
];

/// What `Retry-After` asks for.
const PAUSE: Duration = Duration::from_secs(1);

/// One call, as the server had it.
#[derive(Clone, Debug)]
struct Call {
    at: Instant,
    mood: Mood,
    event: Value,
}

type Calls = Arc<Mutex<Vec<Call>>>;

async fn hear(State(calls): State<Calls>, body: Bytes) -> Response {
    let event = serde_json::from_slice(&body).unwrap();
    let mood = {
        let mut calls = calls.lock().unwrap();
        let mood = NIGHT.get(calls.len()).copied().unwrap_or(Mood::Takes);
        #[expect(
            clippy::disallowed_methods,
            reason = "what a client was asked to wait is held to a clock"
        )]
        let at = Instant::now();
        calls.push(Call { at, mood, event });
        mood
    };
    match mood {
        Mood::Closes => {
            let torn = Err::<Bytes, _>(io::Error::other("the server went away"));
            Body::from_stream(futures_util::stream::iter([torn])).into_response()
        }
        Mood::Delays => std::future::pending().await,
        Mood::Fails => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Mood::Refuses => {
            let pause = [("retry-after", PAUSE.as_secs().to_string())];
            (StatusCode::TOO_MANY_REQUESTS, pause).into_response()
        }
        Mood::Takes => StatusCode::NO_CONTENT.into_response(),
    }
}

fn id(event: &Value) -> String {
    event["id"].as_str().unwrap().to_owned()
}

/// The ids of what the server took, in order.
fn taken(calls: &[Call]) -> Vec<String> {
    let taken = calls.iter().filter(|it| it.mood == Mood::Takes);
    taken.map(|it| id(&it.event)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_bad_night_is_told_everything_in_order() {
    let calls = Calls::default();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let app = Router::new().route("/hook", post(hear));
    let app = app.with_state(Arc::clone(&calls));
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(socket, app).await });
    tokio::task::block_in_place(|| {
        let sandbox = Running::start(&["--database", "teas", "--te", "2", "--sm", "1"]);
        let hook = format!(
            "
            [[listener]]
            name = \"hook\"
            kind = \"webhook\"
            url = \"http://{address}/hook\"
            timeout = \"1s\"
            retry = {{ tries = 10, first = \"20ms\", max = \"100ms\" }}

            [[listener]]
            name = \"log\"
            kind = \"log\"
            "
        );
        let daemon = Daemon::start(&format!("{}{hook}", teas(&sandbox)));
        daemon.says(&["domain_thawed"]);
        kill_process(pid(running_te(&sandbox)[0]), Signal::KILL).unwrap();
        daemon.says(&["process_failed"]);
        let events = daemon.events(&[]);
        eventually("the server took everything", || {
            let taken = taken(&calls.lock().unwrap());
            events.iter().all(|it| taken.contains(&id(it)))
        });
        judge(&calls.lock().unwrap(), &events);
        assert!(
            daemon
                .events(&["--where", "event == 'event_dead_lettered'"])
                .is_empty()
        );
        daemon.end();
    });
}

/// Holds what the server heard to what happened.
fn judge(calls: &[Call], events: &[Value]) {
    let taken = taken(calls);
    for event in events {
        let times = taken.iter().filter(|it| **it == id(event)).count();
        assert_eq!(times, 1, "taken once: {event}");
    }
    let mut order: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for call in calls.iter().filter(|it| it.mood == Mood::Takes) {
        let about = ["database", "peer"].map(|it| call.event[it].as_str());
        let about = about[0].or(about[1]).unwrap_or_default();
        let domain = call.event["domain"].as_str().unwrap_or("-");
        let number = call.event["seq"].as_u64().unwrap();
        let entity = order.entry(format!("{domain} {about}")).or_default();
        entity.push(number);
    }
    for (entity, numbers) in order {
        assert!(
            numbers.is_sorted(),
            "in order about `{entity}`: {numbers:?}"
        );
    }
    for (place, call) in calls.iter().enumerate() {
        let again = |it: &&Call| it.event["id"] == call.event["id"];
        let next = calls[place + 1..].iter().find(again);
        if let (Mood::Refuses, Some(next)) = (call.mood, next) {
            let waited = next.at.duration_since(call.at);
            assert!(waited >= PAUSE, "it was asked again after {waited:?}");
        }
    }
    let missed = NIGHT.iter().filter(|it| **it != Mood::Takes).count();
    assert!(calls.len() >= NIGHT.len(), "the whole night: {calls:?}");
    let again = calls
        .iter()
        .filter(|it| it.event["attempt"].as_u64() > Some(1));
    assert_eq!(again.count(), missed, "each failure is one more attempt");
}
