//! Every address there is: what the description says of them, what the documentation says, and what
//! they do.

use std::collections::BTreeSet;
use std::time::Duration;

use dbwarden::exchange::Wish;
use dbwarden::model::{Role, Sighting};
use serde_json::Value;

use super::hostile::{post, say};
use super::standin::{StandIn, at, process};
use super::{json, prod};

/// Asks, and returns the status and the body.
pub(super) async fn get(standin: &StandIn, address: &str) -> (u16, String) {
    let request = format!("GET {address} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    parts(&say(standin, &request).await)
}

pub(super) fn parts(said: &str) -> (u16, String) {
    let status = said.split(' ').nth(1).unwrap_or_else(|| panic!("{said}"));
    let (_, body) = said.split_once("\r\n\r\n").unwrap();
    (status.parse().unwrap(), body.to_owned())
}

async fn described(standin: &StandIn) -> Value {
    let (status, body) = get(standin, "/api/v1/openapi.json").await;
    assert_eq!(status, 200, "{body}");
    json(&body)
}

/// Returns every method and address of the description.
fn routes(description: &Value) -> BTreeSet<(String, String)> {
    let paths = description["paths"].as_object().unwrap();
    let routes = paths.iter().flat_map(|(address, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(|it| (it.to_uppercase(), address.clone()))
    });
    routes.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_is_described_and_documented_and_every_described_one_answers() {
    let standin = prod();
    let description = described(&standin).await;
    assert_eq!(description["openapi"], "3.1.0");
    let routes = routes(&description);
    assert!(routes.len() > 30, "{routes:?}");
    for (method, address) in &routes {
        let address = address.replace("{domain}", "prod");
        let request = format!(
            "{method} {address} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\
             \r\n\r\n"
        );
        // What streams never ends: its head is enough.
        let said = tokio::time::timeout(Duration::from_millis(500), say(&standin, &request)).await;
        let (status, body) = said.map_or((200, String::new()), |it| parts(&it));
        assert!(
            ![404, 405, 500].contains(&status),
            "{method} {address}: {body}"
        );
    }
    // The routes are one list of which the description is made; what is beside it would be neither.
    let source = include_str!("../../../src/api/routes.rs");
    let beside = source.matches(".route(").count();
    assert_eq!(beside, 1, "only the description itself is beside the list");

    let page = include_str!("../../../docs/api.md");
    let documented: BTreeSet<(String, String)> = page
        .lines()
        .filter_map(|it| it.strip_prefix("| `")?.split('`').next())
        .filter_map(|it| it.split_once(' '))
        .filter(|(method, _)| ["GET", "POST"].contains(method))
        .map(|(method, address)| {
            let address = address.split('?').next().unwrap_or_default();
            (method.to_owned(), address.replace("DOMAIN", "{domain}"))
        })
        .collect();
    let silent: Vec<_> = routes.difference(&documented).collect();
    assert!(silent.is_empty(), "docs/api.md is silent on {silent:?}");
    let gone: Vec<_> = documented.difference(&routes).collect();
    assert!(gone.is_empty(), "docs/api.md tells of {gone:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_that_is_an_object_has_only_fields_that_are_described() {
    let standin = prod();
    let domain = &standin.domains[0];
    domain.sight(60, Sighting::ProcessGone(process(Role::Te, 3, "c")));
    domain.handle(70, dbwarden::supervisor::Input::Timeout);
    let description = described(&standin).await;
    let schemas = description["components"]["schemas"].as_object().unwrap();
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for schema in schemas.values() {
        fields(schema, &mut known);
    }
    for address in [
        "status",
        "domains/prod/slots",
        "domains/prod/why",
        "events?limit=9",
        "config",
    ] {
        let (status, body) = get(&standin, &format!("/api/v1/{address}")).await;
        assert_eq!(status, 200, "{body}");
        let answer = json(&body);
        let mut found = BTreeSet::new();
        super::keys(&answer, &mut found);
        let silent: Vec<_> = found.difference(&known).collect();
        assert!(silent.is_empty(), "{address}: {silent:?} is not described");
    }
}

/// Appends the name of every field of a schema.
fn fields<'a>(schema: &'a Value, found: &mut BTreeSet<&'a str>) {
    if let Some(properties) = schema["properties"].as_object() {
        found.extend(properties.keys().map(String::as_str));
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        fields(part, found);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_get_changes_anything() {
    let standin = prod();
    let before = get(&standin, "/api/v1/status").await;
    for (method, address) in routes(&described(&standin).await) {
        let address = address.replace("{domain}", "prod");
        if method == "GET" && !address.ends_with("/stream") {
            let (status, body) = get(&standin, &address).await;
            assert!([200, 409].contains(&status), "{address}: {body}");
        }
    }
    assert_eq!(get(&standin, "/api/v1/status").await, before);
    assert!(standin.asked.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_word_has_an_address_and_what_holds_is_shown() {
    let standin = prod();
    for (address, body, word) in [
        (
            "hold",
            r#"{"target":"teas/te/1","reason":"a new disk","owner":"ada"}"#,
            "hold",
        ),
        (
            "maintenance",
            r#"{"target":"b:48004","seconds":60,"reason":"memory"}"#,
            "maintenance",
        ),
        ("scale", r#"{"target":"teas","te":3}"#, "scale"),
    ] {
        let address = format!("/api/v1/domains/prod/{address}");
        let (status, said) = parts(&say(&standin, &post(&address, body)).await);
        assert_eq!(status, 200, "{said}");
        assert!(json(&said)["text"].is_string(), "{said}");
        let (_, orders) = get(&standin, "/api/v1/domains/prod/orders").await;
        let orders = json(&orders);
        let order = orders
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["order"] == word);
        assert!(order.is_some(), "{word}: {orders}");
    }
    let (_, maintenance) = get(&standin, "/api/v1/domains/prod/maintenance").await;
    let maintenance = json(&maintenance);
    assert_eq!(maintenance.as_array().unwrap().len(), 1, "{maintenance}");
    assert_eq!(maintenance[0]["reason"], "memory");
    for (address, body) in [
        ("maintenance/end", r#"{"target":"b:48004"}"#),
        ("release", r#"{"target":"teas/te/1"}"#),
    ] {
        let address = format!("/api/v1/domains/prod/{address}");
        let (status, said) = parts(&say(&standin, &post(&address, body)).await);
        assert_eq!(status, 200, "{said}");
    }
    let (_, maintenance) = get(&standin, "/api/v1/domains/prod/maintenance").await;
    assert_eq!(json(&maintenance), json("[]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_warden_refuses_and_what_does_not_read_is_told_apart() {
    let standin = prod();
    for (address, body, expected) in [
        ("release", r#"{"target":"milk"}"#, 409),
        ("retry", r#"{"target":"teas/te/7"}"#, 409),
        ("forget", r#"{"target":"teas/te/1"}"#, 409),
        ("want", r#"{"target":"milk"}"#, 409),
        ("announce", r#"{"target":"milk"}"#, 409),
        ("confirm-dead", r#"{"target":"teas","reason":"x"}"#, 409),
        (
            "thaw",
            r#"{"target":"prod","gate":"storm","seconds":1,"reason":"x"}"#,
            409,
        ),
        (
            "thaw",
            r#"{"target":"prod","gate":"storm","seconds":0,"reason":"x"}"#,
            400,
        ),
        ("hold", r#"{"target":"teas"}"#, 400),
        ("hold", r#"{"target":"teas","reason":"x","seconds":1}"#, 400),
        ("scale", r#"{"target":"teas"}"#, 400),
        ("start-te", r#"{"database":"nothing"}"#, 409),
        (
            "start-te",
            r#"{"database":"teas","on":"a","elsewhere":true}"#,
            400,
        ),
    ] {
        let path = format!("/api/v1/domains/prod/{address}");
        let (status, said) = parts(&say(&standin, &post(&path, body)).await);
        assert_eq!(status, expected, "{address} {body}: {said}");
    }
    let start = post(
        "/api/v1/domains/prod/start-te",
        r#"{"database":"teas","reason":"x"}"#,
    );
    assert_eq!(parts(&say(&standin, &start).await).0, 200);
    let asked = standin.asked.lock().unwrap();
    let last = asked.last().unwrap();
    assert!(matches!(last.wish, Wish::StartTe { .. }), "{last:?}");
    assert_eq!(last.reason.as_deref(), Some("x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_lives_while_its_loops_turn_and_is_ready_while_they_answer() {
    let mut standin = prod();
    assert_eq!(get(&standin, "/live").await.0, 200);
    let (status, ready) = get(&standin, "/ready").await;
    assert_eq!(status, 200, "{ready}");
    assert_eq!(json(&ready)["domains"][0]["freshness"], "synced");
    let (_, config) = get(&standin, "/api/v1/config").await;
    assert_eq!(json(&config)["generation"], 1);

    standin.domains[0].figures.turn(at(900).at.as_micros());
    let (status, stuck) = get(&standin, "/live").await;
    assert_eq!(status, 503, "{stuck}");
    assert!(stuck.contains("did not turn"), "{stuck}");
    assert!(
        !stuck.contains("prod"),
        "who may not know is not told: {stuck}"
    );
    standin.break_off();
    let (status, silent) = get(&standin, "/ready").await;
    assert_eq!(status, 503, "{silent}");
    assert!(silent.contains("does not answer"), "{silent}");
}
