//! The API over TCP: who is let in, who may change something, and what a page from elsewhere gets.

use std::net::SocketAddr;

use dbwarden::api::{Role, TcpSettings, Token};
use dbwarden::transport::TlsServerSettings;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::addresses::parts;
use super::json;
use super::standin::{StandIn, snapshot};

pub(super) const ADA: &str = "ada-0123456789abcdef";
pub(super) const BOB: &str = "bob-fedcba9876543210";

/// One that is served on loopback; Ada is an operator, Bob a viewer.
fn served() -> (StandIn, SocketAddr) {
    serving(None, Role::Viewer)
}

/// As [`served`], over TLS if asked.
pub(super) fn serving(tls: Option<TlsServerSettings>, certificates: Role) -> (StandIn, SocketAddr) {
    let token = |name, role, secret: &str| {
        Token::new(name, role, &Zeroizing::new(secret.to_owned())).unwrap()
    };
    let standin = StandIn::serve(
        &["prod"],
        Some(TcpSettings {
            listen: "127.0.0.1:0".parse().unwrap(),
            tls,
            certificates,
            hosts: vec!["warden.example.com".to_owned()],
            tokens: vec![
                token("ada", Role::Operator, ADA),
                token("bob", Role::Viewer, BOB),
            ],
        }),
    );
    standin.domains[0].handle(10, snapshot());
    let address = standin.tcp.unwrap();
    (standin, address)
}

/// Asks, and returns the status and the body.
pub(super) async fn ask(
    address: SocketAddr,
    line: &str,
    headers: &[String],
    body: &str,
) -> (u16, String) {
    let stream = TcpStream::connect(address).await.unwrap();
    let said = say(stream, address, line, headers, body).await;
    parts(&said)
}

/// Asks over a connection that stands, and returns all that is said.
pub(super) async fn say(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    address: SocketAddr,
    line: &str,
    headers: &[String],
    body: &str,
) -> String {
    let mut lines = vec![
        format!("{line} HTTP/1.1"),
        "connection: close".to_owned(),
        format!("content-length: {}", body.len()),
    ];
    if !headers.iter().any(|it| it.starts_with("host: ")) {
        lines.push(format!("host: {address}"));
    }
    lines.extend_from_slice(headers);
    let request = format!("{}\r\n\r\n{body}", lines.join("\r\n"));
    // Whoever is not let in is told so by the end of the connection.
    let mut said = String::new();
    if stream.write_all(request.as_bytes()).await.is_ok() && stream.flush().await.is_ok() {
        let _ = stream.read_to_string(&mut said).await;
    }
    said
}

pub(super) fn bearer(token: &str) -> Vec<String> {
    vec![format!("authorization: Bearer {token}")]
}

pub(super) const HOLD: &str = r#"{"target":"teas/te/1","reason":"a new disk"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_can_change_nothing_and_an_operator_is_on_record() {
    let (standin, address) = served();
    let (status, body) = ask(address, "GET /api/v1/status", &bearer(BOB), "").await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(json(&body)["daemon"]["listens"], address.to_string());
    let (_, description) = ask(address, "GET /api/v1/openapi.json", &[], "").await;
    let description: Value = json(&description);
    let mut changing = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        if item.get("post").is_none() {
            continue;
        }
        changing += 1;
        let line = format!("POST {}", path.replace("{domain}", "prod"));
        for headers in [bearer(BOB), Vec::new()] {
            let (status, said) = ask(address, &line, &headers, HOLD).await;
            assert_eq!(status, 403, "{line}: {said}");
        }
        let (status, said) = ask(address, &line, &bearer("eve-0123456789abcdef"), HOLD).await;
        assert_eq!(status, 401, "{line}: {said}");
    }
    assert!(changing > 10, "{description}");
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let line = format!("{method} /api/v1/log");
        assert_eq!(ask(address, &line, &bearer(BOB), "").await.0, 403, "{line}");
    }
    assert!(standin.asked.lock().unwrap().is_empty());

    let line = "POST /api/v1/domains/prod/hold";
    let mut headers = bearer(ADA);
    headers.push("dbwarden-listener: page".to_owned());
    let (status, said) = ask(address, line, &headers, HOLD).await;
    assert_eq!(status, 200, "{said}");
    let owned = r#"{"target":"teas/te/2","reason":"a new disk","owner":"carol"}"#;
    assert_eq!(ask(address, line, &bearer(ADA), owned).await.0, 200);
    let asked = standin.asked.lock().unwrap();
    let by: Vec<&str> = asked.iter().map(|it| &*it.by).collect();
    assert_eq!(by, ["operator ada", "operator carol by ada"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_from_elsewhere_gets_nothing_though_its_browser_is_here() {
    let (standin, address) = served();
    let port = address.port();
    let header = |it: &str| it.replace("PORT", &port.to_string());
    for (headers, expected) in [
        (&["host: evil.example.com"][..], 403),
        (&["host: evil.example.com:PORT"], 403),
        (&["host: localhost.evil.example.com:PORT"], 403),
        (&["host: localhost:PORT"], 200),
        // A proxy speaks for others, who have to show a token.
        (&["host: warden.example.com"], 401),
        (
            &["host: 127.0.0.1:PORT", "origin: http://evil.example.com"],
            403,
        ),
        (&["host: 127.0.0.1:PORT", "origin: null"], 403),
        (&["host: 127.0.0.1:PORT", "origin: http://127.0.0.1:1"], 403),
        (
            &["host: 127.0.0.1:PORT", "origin: http://127.0.0.1:PORT"],
            200,
        ),
        (&["host: 127.0.0.1:PORT", "sec-fetch-site: cross-site"], 403),
        (
            &["host: 127.0.0.1:PORT", "sec-fetch-site: same-origin"],
            200,
        ),
    ] {
        let headers: Vec<String> = headers.iter().map(|it| header(it)).collect();
        let (status, said) = ask(address, "GET /api/v1/status", &headers, "").await;
        assert_eq!(status, expected, "{headers:?}: {said}");
        let expected = if expected == 401 { 200 } else { expected };
        let headers = [headers, bearer(ADA)].concat();
        let (status, said) = ask(address, "GET /live", &headers, "").await;
        assert_eq!(status, expected, "{headers:?}: {said}");
    }
    assert!(standin.asked.lock().unwrap().is_empty());
}
