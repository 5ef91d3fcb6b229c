//! The live page: what is served of it, and what a browser may do with it.

use std::collections::BTreeMap;

use super::addresses::get;
use super::hostile::say;
use super::remote::{ADA, BOB, ask, serving};
use super::standin::StandIn;
use super::{json, prod};
use dbwarden::api::Role;

/// What the whole page may weigh.
const WEIGHT_MAX: usize = 300 * 1024;

/// The only address of elsewhere: a name by which browsers know SVG, from where nothing is loaded.
const NAMESPACE: &str = "http://www.w3.org/2000/svg";

/// One answer.
#[derive(Debug)]
struct Served {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

async fn load(standin: &StandIn, address: &str, headers: &str) -> Served {
    let request =
        format!("GET {address} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    let said = say(standin, &request).await;
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines.map(|it| it.split_once(": ").unwrap());
    Served {
        status: status.parse().unwrap(),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        body: body.to_owned(),
    }
}

/// Returns what stands between two texts, wherever it does.
fn between<'a>(text: &'a str, begin: &'a str, end: &'a str) -> impl Iterator<Item = &'a str> {
    let parts = text.split(begin).skip(1);
    parts.filter_map(move |it| Some(it.split_once(end)?.0))
}

/// Loads the page and everything that it names, as a browser does.
async fn whole(standin: &StandIn) -> BTreeMap<String, Served> {
    let mut found = BTreeMap::new();
    let mut named = vec!["/".to_owned()];
    while let Some(address) = named.pop() {
        if found.contains_key(&address) {
            continue;
        }
        let served = load(standin, &address, "").await;
        assert_eq!(served.status, 200, "{address}");
        named.extend(between(&served.body, "\"/page/", "\"").map(|it| format!("/page/{it}")));
        named.extend(between(&served.body, "from \"./", "\"").map(|it| format!("/page/{it}")));
        found.insert(address, served);
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_whole_light_and_loads_nothing_from_elsewhere() {
    let page = whole(&prod()).await;
    let files = std::fs::read_dir("src/api/page").unwrap().count();
    assert_eq!(page.len(), files, "every file is used: {:?}", page.keys());
    let weight: usize = page.values().map(|it| it.body.len()).sum();
    assert!(weight < WEIGHT_MAX, "{weight} bytes");
    for (address, served) in &page {
        let body = served.body.replace(NAMESPACE, "");
        for from_elsewhere in ["://", "url(", "@import", "src=\"//", "href=\"//"] {
            assert!(
                !body.contains(from_elsewhere),
                "{address} has {from_elsewhere}"
            );
        }
        // What the policy forbids would not work either.
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "localStorage",
            "document.cookie",
            " style=",
            " onclick=",
            "<style",
        ] {
            assert!(!body.contains(forbidden), "{address} has {forbidden}");
        }
        let lines = body.lines().count();
        assert!(lines <= 600, "{address} has {lines} lines");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_comes_as_what_it_is_and_is_kept_to_this_daemon() {
    for (address, served) in whole(&prod()).await {
        let form = match address.rsplit_once('.').map(|(_, it)| it) {
            None => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some(other) => panic!("what is {other}?"),
        };
        let headers = &served.headers;
        assert_eq!(headers["content-type"], form, "{address}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(headers["cache-control"], "no-cache");
        assert_eq!(headers["x-frame-options"], "DENY");
        let policy = &headers["content-security-policy"];
        for part in [
            "default-src 'none'",
            "script-src 'self';",
            "style-src 'self';",
            "connect-src 'self';",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(part), "{part} is not in {policy}");
        }
        assert!(
            !policy.contains("unsafe") && !policy.contains('*'),
            "{policy}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_browser_has_already_is_not_sent_again() {
    let standin = prod();
    let first = load(&standin, "/page/main.js", "").await;
    let tag = &first.headers["etag"];
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
        let again = load(
            &standin,
            "/page/main.js",
            &format!("if-none-match: {known}\r\n"),
        )
        .await;
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{known}");
        assert_eq!(&again.headers["etag"], tag);
        assert!(again.headers.contains_key("content-security-policy"));
    }
    let other = load(&standin, "/page/main.js", "if-none-match: \"other\"\r\n").await;
    assert_eq!((other.status, other.body), (200, first.body));
    let another = load(&standin, "/page/dom.js", "").await;
    assert_ne!(&another.headers["etag"], tag);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_nothing_beside_its_files_and_nothing_to_change() {
    let standin = prod();
    for address in [
        "/page/",
        "/page/other.js",
        "/page/..%2fmod.rs",
        "/page/a/b",
        "/index.html",
    ] {
        let (status, body) = get(&standin, address).await;
        assert_eq!(status, 404, "{address}: {body}");
        assert_eq!(json(&body)["status"], 404, "{address}");
    }
    let post = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let said = say(&standin, post).await;
    assert!(said.starts_with("HTTP/1.1 405 "), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_is_told_who_they_are_and_what_they_may_do() {
    let (standin, address) = serving(None, Role::Viewer);
    for (token, name, role) in [
        (Some(ADA), "ada", "operator"),
        (Some(BOB), "bob", "viewer"),
        (None, "anybody on this machine", "viewer"),
    ] {
        let headers: Vec<_> = token
            .iter()
            .map(|it| format!("authorization: Bearer {it}"))
            .collect();
        let (status, me) = ask(address, "GET /api/v1/me", &headers, "").await;
        assert_eq!(status, 200, "{me}");
        assert_eq!(
            (&json(&me)["name"], &json(&me)["role"]),
            (&name.into(), &role.into())
        );
    }
    let (_, me) = get(&standin, "/api/v1/me").await;
    assert_eq!(json(&me)["role"], "operator", "at the socket: {me}");
    assert_ne!(json(&me)["name"], "");
}
