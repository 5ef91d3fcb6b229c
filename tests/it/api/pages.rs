//! Events page by page and as a stream: whoever comes back gets what came meanwhile, and nothing
//! twice.

use dbwarden::event::Kind;
use dbwarden::model::{Role, Sighting};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use super::addresses::get;
use super::standin::{StandIn, process, snapshot};
use super::{all, json, prod};

/// One that watches two domains, and has events of both and of its own.
fn busy() -> StandIn {
    let standin = StandIn::start(&["prod", "test"]);
    standin.raise(1, Kind::DaemonStarted);
    standin.domains[1].handle(5, snapshot());
    standin.domains[0].handle(10, snapshot());
    standin.raise(20, Kind::ConfigReloaded);
    standin
}

fn ids(events: &[Value]) -> Vec<String> {
    let ids = events
        .iter()
        .map(|it| it["id"].as_str().unwrap().to_owned());
    ids.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn page_by_page_it_is_what_it_is_at_once() {
    let standin = busy();
    let (_, whole) = get(&standin, "/api/v1/events").await;
    let whole = ids(&all(&whole
        .replace('\r', "")
        .lines()
        .filter(|it| it.starts_with('{'))
        .collect::<Vec<_>>()
        .join("\n")));
    for limit in [1, 3, 1_000] {
        let (mut found, mut from) = (Vec::new(), String::new());
        loop {
            let address = format!("/api/v1/events?limit={limit}{from}");
            let (status, page) = get(&standin, &address).await;
            assert_eq!(status, 200, "{page}");
            let page = json(&page);
            let events = page["events"].as_array().unwrap();
            assert!(events.len() <= limit, "{page}");
            found.extend(ids(events));
            from = format!("&position={}", page["position"].as_str().unwrap());
            if page["more"] == false {
                break;
            }
        }
        assert_eq!(found, whole, "{limit} at once");
        // Nothing new, and then something.
        let (_, none) = get(&standin, &format!("/api/v1/events?limit=9{from}")).await;
        assert_eq!(json(&none)["events"], json("[]"));
    }
    let (_, last) = get(&standin, "/api/v1/events?limit=9&last=1&domain=prod").await;
    let last = json(&last);
    let of_prod: Vec<_> = whole.iter().filter(|it| it.starts_with("prod/")).collect();
    assert_eq!(last["events"][0]["id"], *of_prod.last().unwrap().as_str());
    let only = "/api/v1/events?limit=9&where=event+%3D%3D+%22config_reloaded%22";
    let (_, only) = get(&standin, only).await;
    let only = json(&only);
    assert_eq!(only["events"].as_array().unwrap().len(), 1, "{only}");
    assert_eq!(only["more"], false);
}

/// A stream of events, as a browser reads it.
struct Stream {
    lines: tokio::io::Lines<BufReader<UnixStream>>,
    last_id: String,
}

impl Stream {
    async fn open(standin: &StandIn, query: &str, last_id: Option<&str>) -> Self {
        let mut stream = UnixStream::connect(standin.socket()).await.unwrap();
        let header = last_id.map_or_else(String::new, |it| format!("last-event-id: {it}\r\n"));
        // Without chunks it is read line by line.
        let request =
            format!("GET /api/v1/events/stream{query} HTTP/1.0\r\nhost: x\r\n{header}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next_line().await.unwrap().unwrap();
        assert!(first.contains(" 200 "), "{first}");
        let mut is_stream = false;
        loop {
            let line = lines.next_line().await.unwrap().unwrap();
            is_stream |= line.to_lowercase() == "content-type: text/event-stream";
            if line.is_empty() {
                break;
            }
        }
        assert!(is_stream);
        Self {
            lines,
            last_id: String::new(),
        }
    }

    async fn next(&mut self) -> Value {
        loop {
            let line = self.lines.next_line().await.unwrap().expect("it goes on");
            if let Some(id) = line.strip_prefix("id: ") {
                id.clone_into(&mut self.last_id);
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return json(data);
            }
        }
    }

    /// Waits until it says where it stands.
    async fn stands(&mut self) -> String {
        while self.last_id.is_empty() {
            let line = self.lines.next_line().await.unwrap().expect("it goes on");
            if let Some(id) = line.strip_prefix("id: ") {
                id.clone_into(&mut self.last_id);
            }
        }
        self.last_id.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_off_is_taken_up_where_it_was() {
    let standin = busy();
    let (_, page) = get(&standin, "/api/v1/events?limit=1000").await;
    let whole = ids(json(&page)["events"].as_array().unwrap());
    // Broken off after each event, and taken up again by its id.
    let mut last_id = "-/7/0".to_owned();
    for expected in &whole {
        let mut stream = Stream::open(&standin, "", Some(&last_id)).await;
        assert_eq!(stream.next().await["id"], *expected);
        last_id = stream.last_id;
    }
    // What comes while nobody listens is told first, and what comes then as it comes.
    standin.domains[0].sight(60, Sighting::ProcessGone(process(Role::Te, 3, "c")));
    standin.domains[0].handle(61, dbwarden::supervisor::Input::Timeout);
    let mut stream = Stream::open(&standin, "", Some(&last_id)).await;
    loop {
        let event = stream.next().await;
        let id = event["id"].as_str().unwrap().to_owned();
        assert!(!whole.contains(&id), "{id} was told before");
        if event["event"] == "process_failed" {
            break;
        }
    }
    standin.raise(70, Kind::ConfigRejected);
    loop {
        if stream.next().await["event"] == "config_rejected" {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_begins_a_stream_knows_at_once_where_it_stands() {
    let standin = busy();
    let mut stream = Stream::open(&standin, "?domain=test", None).await;
    let position = stream.stands().await;
    let seq = standin.domains[1].journal.last_seq();
    assert_eq!(position, format!("test/7/{seq}"));
    drop(stream);
    // A journal that was lost meanwhile begins anew, and is told from its beginning.
    let lost = format!("test/6/{seq}");
    let mut stream = Stream::open(&standin, "?domain=test", Some(&lost)).await;
    assert_eq!(stream.next().await["seq"], 1);
    let prod = prod();
    let severe = "?where=severity+%3D%3D+%22critical%22&last=100";
    let mut stream = Stream::open(&prod, severe, None).await;
    prod.domains[0].sight(60, Sighting::ProcessGone(process(Role::Te, 3, "c")));
    prod.domains[0].handle(61, dbwarden::supervisor::Input::Timeout);
    assert_eq!(stream.next().await["severity"], "critical");
}
