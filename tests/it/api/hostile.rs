//! Clients with bad manners, and sockets that are not what they seem.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;

use dbwarden::api::{self, ApiError};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use super::standin::StandIn;
use super::{all, prod};

/// The user without rights.
const NOBODY: u32 = 65_534;

/// Says something to the socket, and returns all it says until it closes.
pub(super) async fn say(standin: &StandIn, text: &str) -> String {
    let mut stream = UnixStream::connect(standin.socket()).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    // Some of it is not read to its end there, which resets the connection behind the answer.
    let _ = stream.read_to_end(&mut said).await;
    String::from_utf8(said).unwrap()
}

pub(super) fn post(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn the_socket_is_its_owners_and_replaces_only_a_dead_one() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("run/socket");
    let socket = api::bind(&path).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert!(matches!(api::bind(&path), Err(ApiError::Occupied { .. })));
    drop(socket);
    assert!(!path.exists());

    // One whose owner was killed.
    drop(UnixListener::bind(&path).unwrap());
    let stale = fs::metadata(&path).unwrap().ino();
    let socket = api::bind(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    // Another one in its place is not removed.
    fs::rename(&path, dir.path().join("aside")).unwrap();
    fs::write(&path, "mine").unwrap();
    drop(socket);
    assert!(path.exists());
    assert!(matches!(api::bind(&path), Err(ApiError::Strange { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine", "{stale}");
    let nowhere = dir.path().join("no/such/socket");
    let error = api::bind(&nowhere).unwrap_err().to_string();
    assert!(error.contains("set `socket` in [daemon]"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_in_json_and_a_get_changes_nothing() {
    let standin = prod();
    for (request, status) in [
        ("GET /api/v1/domains/prod/requests HTTP/1.1", 405),
        ("GET /api/v1/domains/prod/resume HTTP/1.1", 405),
        ("DELETE /api/v1/status HTTP/1.1", 405),
        ("GET /v1/status HTTP/1.1", 404),
        ("GET /api/v2/status HTTP/1.1", 404),
        ("GET /api/v1/domains/%FF/peers HTTP/1.1", 400),
        ("GET /api/v1/domains/x/peers HTTP/1.1", 404),
        ("GET /api/v1/status?folow=true HTTP/1.1", 400),
        ("GET /api/v1/events?after=-1 HTTP/1.1", 400),
        (
            "GET /api/v1/events?after=1&since=2026-11-21T03:04:05Z HTTP/1.1",
            400,
        ),
        ("GET /api/v1/events?where=pid+%3D%3D HTTP/1.1", 400),
        ("GET /api/v1/events?limit=0 HTTP/1.1", 400),
        ("GET /api/v1/events?limit=1001 HTTP/1.1", 400),
        ("GET /api/v1/events?limit=1&follow=true HTTP/1.1", 400),
        ("GET /api/v1/events?position=prod HTTP/1.1", 400),
        ("GET /api/v1/events?position=prod/7/1&last=1 HTTP/1.1", 400),
        ("GET /api/v1/events/stream?follow=true HTTP/1.1", 400),
    ] {
        let said = say(
            &standin,
            &format!("{request}\r\nhost: x\r\nconnection: close\r\n\r\n"),
        )
        .await;
        let begin = format!("HTTP/1.1 {status} ");
        assert!(said.starts_with(&begin), "{request}: {said}");
        let (_, body) = said.split_once("\r\n\r\n").unwrap();
        let error = all(body).remove(0);
        assert!(said.contains("application/problem+json"), "{said}");
        assert_eq!(error["status"], status, "{said}");
        for member in ["title", "detail", "attempted", "problem"] {
            assert!(error[member].is_string(), "{member}: {said}");
        }
    }
    let requests = "/api/v1/domains/prod/requests";
    for (body, status) in [
        ("", 400),
        ("{}", 400),
        (r#"{"stop-te":{"database":"teas"}}"#, 400),
        (r#"{"start-te":{"database":"teas","command":"rm"}}"#, 400),
        (r#"{"start-te":{"database":"te\nas"}}"#, 400),
        (r#"{"reason":"none"}"#, 400),
        (r#"{"start-te":{"database":"teas"},"reason":""}"#, 400),
        (
            r#"{"start-te":{"database":"teas"},"reason":"a\u001bb"}"#,
            400,
        ),
        (r#"{"start-te":{"database":"teas"},"owner":" "}"#, 400),
        (r#"{"hold":{"target":"teas"}}"#, 400),
        (r#"{"hold":{"target":""},"reason":"x"}"#, 400),
        (
            r#"{"hold":{"target":"teas"},"release":{"target":"teas"},"reason":"x"}"#,
            400,
        ),
        (r#"{"maintain":{"target":"teas"},"reason":"x"}"#, 400),
        (
            r#"{"maintain":{"target":"teas","seconds":0},"reason":"x"}"#,
            400,
        ),
        (r#"{"scale":{"target":"teas","te":-1}}"#, 400),
        (&" ".repeat(100_000), 413),
    ] {
        let said = say(&standin, &post(requests, body)).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{said}");
    }
    assert!(standin.asked.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_is_not_waited_for_for_ever() {
    let standin = prod();
    let mut clients = JoinSet::new();
    for half in [
        String::new(),
        "GET /api/v1/sta".to_owned(),
        "GET /api/v1/status HTTP/1.1\r\nhost: ".to_owned(),
        post("/api/v1/domains/prod/requests", "{").replace("length: 1", "length: 9"),
        format!("GET /api/v1/status HTTP/1.1\r\nx: {}", "x".repeat(100_000)),
    ] {
        let socket = standin.socket();
        clients.spawn(async move {
            let mut stream = UnixStream::connect(socket).await.unwrap();
            // Too much of it is refused before it is read.
            let _ = stream.write_all(half.as_bytes()).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        });
    }
    // Each of them is let go, or this never ends.
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    assert_eq!(standin.run(&["status"]).code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_who_say_nothing_or_read_nothing_do_not_lock_others_out() {
    let standin = prod();
    let mut held = Vec::new();
    for number in 0..100 {
        let mut stream = UnixStream::connect(standin.socket()).await.unwrap();
        if number % 2 == 0 {
            let follow = "GET /api/v1/status?follow=true HTTP/1.1\r\nhost: x\r\n\r\n";
            stream.write_all(follow.as_bytes()).await.unwrap();
        }
        held.push(stream);
    }
    let ran = standin.run(&["status", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_at_once_than_are_served_at_once_are_all_answered() {
    let standin = prod();
    let mut clients = JoinSet::new();
    let request = post(
        "/api/v1/domains/prod/requests",
        r#"{"start-te":{"database":"teas"}}"#,
    );
    for _ in 0..300 {
        let (socket, request) = (standin.socket(), request.clone());
        clients.spawn(async move {
            let mut stream = UnixStream::connect(socket).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut said = String::new();
            stream.read_to_string(&mut said).await.unwrap();
            said
        });
    }
    while let Some(said) = clients.join_next().await {
        assert!(said.unwrap().starts_with("HTTP/1.1 200 "));
    }
    assert_eq!(standin.asked.lock().unwrap().len(), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_is_kept_out_even_where_the_mode_lets_him_in() {
    let standin = prod();
    if !rustix::process::geteuid().is_root() {
        // Nobody else can be impersonated; the mode of the socket is tested above.
        return;
    }
    let run = || {
        let command = standin.command(&["status"]);
        // The binary may lie where only root can read.
        let copy = TempDir::new_in("/tmp").unwrap();
        let program = copy.path().join("dbwarden");
        fs::copy(command.get_program(), &program).unwrap();
        for path in [copy.path(), &program] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut other = std::process::Command::new(&program);
        other.arg("status").arg("--socket").arg(standin.socket());
        let output = other.uid(NOBODY).gid(NOBODY).output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, said) = tokio::task::block_in_place(run);
    assert_eq!(code, Some(77), "{said}");
    let socket = standin.socket();
    let directory = socket.parent().unwrap();
    for path in [directory.parent().unwrap(), directory, &socket] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let (code, said) = tokio::task::block_in_place(run);
    assert_eq!(code, Some(77), "{said}");
    assert!(said.contains("for the user it runs as"), "{said}");
}
