//! Ports of our own: one that answers, one that is closed, one behind which nobody lives.

use std::collections::BTreeSet;

use tokio::net::TcpListener;
use tokio::time::timeout;

use super::*;
use crate::exchange::Finding;
use crate::model::Life;

/// Long enough for a loaded machine; no test waits for it to pass.
const LONG: Duration = Duration::from_secs(60);

fn terms(answer: SignOfLife) -> ProbeTerms {
    ProbeTerms {
        every: Duration::from_millis(20),
        timeout: LONG,
        misses: 2,
        answer,
    }
}

fn probe_of(life: u64, port: u16, is_unresponsive: bool) -> Probe {
    Probe {
        peer: "a".into(),
        pid: 7,
        life: Life::of(life),
        address: Address::new("127.0.0.1", port),
        is_unresponsive,
    }
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Returns a port that nobody listens on.
async fn closed() -> u16 {
    listener().await.1
}

fn silent(probed: &Probed) -> (u64, u32) {
    match &probed.finding {
        Finding::Silent { misses, .. } => (probed.life.number(), *misses),
        Finding::Answers => (probed.life.number(), 0),
    }
}

#[test]
fn a_tally_tells_what_the_warden_does_not_know() {
    let mut tally = Tally::new(3);
    let missed = |tally: &mut Tally, life, is_known| {
        let news = tally.missed(probe_of(life, 1, is_known), "refused".into());
        news.map(|it| silent(&it))
    };
    assert_eq!(missed(&mut tally, 1, false), None);
    assert_eq!(missed(&mut tally, 1, false), None);
    assert_eq!(missed(&mut tally, 2, false), None, "another life");
    assert_eq!(missed(&mut tally, 1, false), Some((1, 3)));
    assert_eq!(
        missed(&mut tally, 1, false),
        Some((1, 4)),
        "it did not count"
    );
    assert_eq!(missed(&mut tally, 1, true), None);
    assert_eq!(tally.answered(probe_of(2, 1, false)), None);
    let news = tally.answered(probe_of(1, 1, true)).unwrap();
    assert_eq!(silent(&news), (1, 0));
    for _ in 0..2 {
        assert_eq!(missed(&mut tally, 1, false), None, "counted from none");
    }
    tally.begin(&[probe_of(2, 1, false)]);
    assert_eq!(missed(&mut tally, 1, false), None, "it was not tried");
}

#[tokio::test]
async fn a_port_that_takes_a_connection_answers() {
    let (_listener, port) = listener().await;
    let address = Address::new("127.0.0.1", port);
    let tried = knock(&address, terms(SignOfLife::Accept)).await;
    assert!(matches!(tried, Tried::Answered), "{tried:?}");
    let address = Address::new("127.0.0.1", closed().await);
    let tried = knock(&address, terms(SignOfLife::Accept)).await;
    let Tried::Silent(reason) = tried else {
        panic!("{tried:?}");
    };
    assert!(reason.contains("refused"), "{reason}");
}

#[tokio::test]
async fn only_who_lives_closes_a_connection_and_nothing_is_sent() {
    let (listener, port) = listener().await;
    let address = Address::new("127.0.0.1", port);
    let short = ProbeTerms {
        timeout: Duration::from_millis(50),
        ..terms(SignOfLife::Close)
    };
    // The kernel takes it; nobody looks at it.
    let tried = knock(&address, short).await;
    let Tried::Silent(reason) = tried else {
        panic!("{tried:?}");
    };
    assert_eq!(
        *reason,
        *format!("127.0.0.1:{port} took a connection and did not end it within 50ms")
    );
    let lives = async {
        // The one from before waits there still.
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await.unwrap();
            assert!(heard.is_empty(), "{heard:?}");
        }
    };
    let (tried, ()) = tokio::join!(knock(&address, terms(SignOfLife::Close)), lives);
    assert!(matches!(tried, Tried::Answered), "{tried:?}");
}

#[test]
fn what_we_lack_ourselves_is_no_miss() {
    let failed = |errno: Errno| {
        let source = io::Error::from_raw_os_error(errno.raw_os_error());
        TransportError::Resolve {
            endpoint: "db1:48005".to_owned(),
            source,
        }
    };
    assert!(is_ours(&failed(Errno::MFILE)));
    assert!(!is_ours(&failed(Errno::CONNREFUSED)));
}

#[tokio::test]
async fn rounds_go_on_over_more_ports_than_are_tried_at_once() {
    let (listener, port) = listener().await;
    let closed = closed().await;
    // A queue that nobody empties is full one day.
    let mut accepting = JoinSet::new();
    accepting.spawn(async move { while listener.accept().await.is_ok() {} });
    let mut prober = Prober::new("prod".into());
    assert!(prober.running.is_none(), "nobody asked for it");
    prober.follow(Some(terms(SignOfLife::Accept)));
    let many = 2 * AT_ONCE_MAX as u64;
    let mut found = BTreeSet::new();
    let mut rounds = 0;
    while found.len() < 2 {
        match timeout(LONG, prober.news()).await.unwrap() {
            News::Due => {
                rounds += 1;
                let lives = (1..many).map(|life| probe_of(life, port, life == 5));
                prober.begin(lives.chain([probe_of(many, closed, false)]).collect());
            }
            News::Found(it) => {
                found.insert(silent(&it));
            }
        }
    }
    assert_eq!(found, BTreeSet::from([(5, 0), (many, 2)]));
    assert!(rounds >= 2, "{rounds}");
    prober.follow(None);
    assert!(prober.running.is_none(), "nobody asks for it any more");
}
