//! The real daemon with the API over TCP: what it is reached by, and what a reload does to those
//! who were let in.

use std::fs;
use std::net::SocketAddr;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::json;
use super::remote::{ADA, BOB, ask, bearer};
use crate::daemon::{Daemon, domain};
use crate::domain::secret;

const API: &str = "
    [api]
    listen = \"127.0.0.1:0\"
    [[api.token]]
    name = \"ada\"
    role = \"operator\"
    secret = { file = \"DIR/password\" }
";

/// Returns what stays open until it is cut, or ends.
async fn follow(address: SocketAddr, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /api/v1/events/stream HTTP/1.1\r\nhost: {address}\r\n\
         authorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut begun = [0; 12];
    stream.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_shuts_out_whose_token_is_gone_and_lets_in_the_next_one() {
    // Bound and never listened to.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = nobody.local_addr().unwrap();
    let files = tempfile::tempdir().unwrap();
    let ada = secret(&files, "ada", ADA);
    let api = API.replace("DIR/password", ada.to_str().unwrap());
    let own = domain("prod", &nobody.to_string(), "password", "");
    let daemon = Daemon::start(&format!("{api}{own}"));
    tokio::task::block_in_place(|| daemon.says(&["the API listens"]));
    let address = daemon.status()["daemon"]["listens"].clone();
    let address: SocketAddr = address.as_str().unwrap().parse().unwrap();
    assert!(address.ip().is_loopback());

    let change = async |token: &str| {
        let filter = r#"{"filter":"info"}"#;
        ask(address, "POST /api/v1/log", &bearer(token), filter).await
    };
    let (status, said) = change(ADA).await;
    assert_eq!(status, 200, "{said}");
    let (status, said) = change(BOB).await;
    assert_eq!((status, &json(&said)["status"]), (401, &401.into()));
    let mut followed = follow(address, ADA).await;

    // Another token for Ada, in the same file, and a place that needs a restart.
    fs::write(&ada, format!("{BOB}\n")).unwrap();
    let config = fs::read_to_string(daemon.path("config.toml")).unwrap();
    let config = config.replace("\"127.0.0.1:0\"", "\"127.0.0.1:1\"");
    fs::write(daemon.path("config.toml"), config).unwrap();
    daemon.signal(Signal::HUP);
    let told = ["api.listen: needs a restart", "api.token ada: changed"];
    tokio::task::block_in_place(|| daemon.says(&told));
    let mut rest = Vec::new();
    // It ends, in whatever way: the connection was let in by what does not count any more.
    let _ = followed.read_to_end(&mut rest).await;
    assert_eq!(change(ADA).await.0, 401);
    assert_eq!(change(BOB).await.0, 200);

    // Without the table nobody is let in; whoever is on this machine may look until it ends.
    let config = fs::read_to_string(daemon.path("config.toml")).unwrap();
    let without = config.split_once("[[domain]]").unwrap().1;
    fs::write(daemon.path("config.toml"), format!("[[domain]]{without}")).unwrap();
    daemon.signal(Signal::HUP);
    tokio::task::block_in_place(|| daemon.says(&["api.token ada: removed"]));
    assert_eq!(change(BOB).await.0, 401);
    assert_eq!(ask(address, "GET /api/v1/status", &[], "").await.0, 200);
    let log = tokio::task::block_in_place(|| daemon.end());
    for token in [ADA, BOB] {
        assert!(!log.contains(token), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_ends_the_start_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let own = domain("prod", &address.to_string(), "password", "");
    let api = format!("[api]\nlisten = \"{address}\"\n");
    let daemon = Daemon::start(&format!("{api}{own}"));
    let advice = format!("cannot listen at {address}; set another `listen` in [api]");
    tokio::task::block_in_place(|| daemon.says(&[&advice]));
}
