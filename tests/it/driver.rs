//! The driver with real sockets: failover, back-pressure, many deeds at once, its end.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use dbwarden::driver::nuodb::{Domain, DriverSettings, Order, Report, run};
use dbwarden::exchange::{
    ActionId, Deed, Loss, LossClass, Means, Observation, Outcome, Question, Start, Stop, Target,
};
use dbwarden::model::{Address, PeerSeen, Role, Snapshot};
use dbwarden::nuodb::client::{Credentials, Settings as ClientSettings};
use dbwarden::nuodb::pilot::PilotSettings;
use dbwarden::nuodb::srp::{Agreement, Password};
use dbwarden::sandbox::serve::{DatabaseSettings, Sandbox, Settings, TlsSettings};
use dbwarden::sandbox::world::{Fault, NextStart, Pace, PeerNumber};
use dbwarden::time::Timestamp;
use dbwarden::transport::TlsClientSettings;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longer than anything here takes on a machine that has much else to do.
const LONG: Duration = Duration::from_secs(60);

async fn sandbox() -> Sandbox {
    sandbox_with(None).await
}

async fn sandbox_with(tls: Option<TlsSettings>) -> Sandbox {
    let settings = Settings {
        tls,
        pace: Pace::scaled(0),
        databases: vec![DatabaseSettings {
            name: "teas".into(),
            te: 1,
            sm: 1,
        }],
        engine_program: Some(env!("CARGO_BIN_EXE_dbwarden").into()),
        ..Settings::default()
    };
    Sandbox::start(settings).await.unwrap()
}

fn address(sandbox: &Sandbox, number: usize) -> Address {
    let address = sandbox.peers()[number - 1].address;
    Address::new(address.ip().to_string(), address.port())
}

/// Settings that know the first peer only, and try again soon.
fn settings(sandbox: &Sandbox) -> DriverSettings {
    let client = ClientSettings {
        credentials: Credentials {
            user: "domain".into(),
            password: Password::new("bird".into()),
        },
        inside_tls: false,
        allow_legacy_ciphers: false,
        frame_limit: 1 << 24,
        agreement: Agreement::default(),
    };
    let pilot = PilotSettings::new(vec![address(sandbox, 1)], client);
    DriverSettings {
        pilot: PilotSettings {
            reconnect_first: Duration::from_millis(50),
            ..pilot
        },
        tls: None,
    }
}

/// A driver that runs, and what it said and was not looked at yet.
struct Carried {
    deeds: Option<mpsc::Sender<Deed>>,
    reports: mpsc::Receiver<Vec<Report>>,
    tasks: JoinSet<()>,
    told: Vec<Report>,
}

impl Carried {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test is what reads the clock here"
    )]
    fn new(settings: DriverSettings, batches: usize) -> Self {
        let (deeds, ordered) = mpsc::channel(8);
        let (tell, reports) = mpsc::channel(batches);
        let began = Instant::now();
        let clock = move || Timestamp::ZERO + began.elapsed();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { run(settings, clock, ordered, tell).await.unwrap() });
        Self {
            deeds: Some(deeds),
            reports,
            tasks,
            told: Vec::new(),
        }
    }

    async fn order(&self, deed: Deed) {
        self.deeds.as_ref().unwrap().send(deed).await.unwrap();
    }

    /// Waits until a report is what `look` looks for; drops those before it.
    async fn find<T>(&mut self, look: impl Fn(&Report) -> Option<T>) -> T {
        let found = async {
            loop {
                for index in 0..self.told.len() {
                    if let Some(found) = look(&self.told[index]) {
                        self.told.drain(..=index);
                        return found;
                    }
                }
                self.told = self.reports.recv().await.unwrap();
            }
        };
        timeout(LONG, found).await.unwrap()
    }

    async fn snapshot(&mut self) -> Snapshot {
        self.find(|it| {
            if let Report::Observed(Observation::Snapshot(snapshot)) = it {
                Some(snapshot.clone())
            } else {
                None
            }
        })
        .await
    }

    async fn loss(&mut self) -> Loss {
        self.find(|it| {
            if let Report::Observed(Observation::Lost(loss)) = it {
                Some(loss.clone())
            } else {
                None
            }
        })
        .await
    }

    async fn outcome(&mut self, action: u64) -> Outcome {
        let look = |it: &Report| match it {
            Report::Finished {
                action: it,
                outcome,
            } if it.0 == action => Some(outcome.clone()),
            Report::Finished { .. } | Report::Observed(_) => None,
        };
        self.find(look).await
    }

    /// Takes leave, and checks that the driver does too.
    async fn end(mut self) {
        self.deeds = None;
        let ended = async { while self.tasks.join_next().await.transpose().unwrap().is_some() {} };
        timeout(LONG, ended).await.unwrap();
    }
}

fn finished(report: &Report) -> Option<(ActionId, Outcome)> {
    match report {
        Report::Finished { action, outcome } => Some((*action, outcome.clone())),
        Report::Observed(_) => None,
    }
}

fn peer(snapshot: &Snapshot, address: &Address) -> PeerSeen {
    let mut peers = std::iter::once(&snapshot.entry).chain(&snapshot.peers);
    peers.find(|it| it.address == *address).unwrap().clone()
}

fn target(peer: &PeerSeen) -> Target {
    Target {
        peer: peer.address.to_string().as_str().into(),
        agent_id: peer.agent_id.clone(),
        address: peer.address.clone(),
    }
}

fn prepare(action: u64, peer: &PeerSeen) -> Deed {
    Deed::Prepare {
        action: ActionId(action),
        start: Start {
            target: target(peer),
            database: "teas".into(),
            role: Role::Te,
            means: Means::Start,
            options: Vec::new(),
        },
        valid_until: Timestamp::ZERO + Duration::from_secs(3_600),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_broker_is_replaced_by_one_the_domain_announced() {
    let sandbox = sandbox().await;
    let mut driver = Carried::new(settings(&sandbox), 16);
    let snapshot = driver.snapshot().await;
    assert_eq!(snapshot.entry.address, address(&sandbox, 1));
    let fault = Fault::Lose {
        peer: PeerNumber(1),
        exits_first: false,
    };
    sandbox.control(fault).await.unwrap();
    assert_eq!(driver.loss().await.address, address(&sandbox, 1));
    let snapshot = driver.snapshot().await;
    assert_eq!(snapshot.entry.address, address(&sandbox, 2));
    driver.end().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_muted_broker_is_noticed_by_probes() {
    let sandbox = sandbox().await;
    let mut settings = settings(&sandbox);
    settings.pilot.probe_interval = Duration::from_millis(500);
    let mut driver = Carried::new(settings, 16);
    driver.snapshot().await;
    let mute = Fault::Mute {
        peer: PeerNumber(1),
    };
    sandbox.control(mute).await.unwrap();
    let loss = driver.loss().await;
    assert!(loss.reason.contains("3 probes in a row failed"), "{loss:?}");
    assert_eq!(driver.snapshot().await.entry.address, address(&sandbox, 2));
    driver.end().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_renewed_are_read_again() {
    let sandbox = sandbox_with(Some(TlsSettings::default())).await;
    let dir = TempDir::new().unwrap();
    let ca = dir.path().join("ca.pem");
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs::write(&ca, other.cert.pem()).unwrap();
    let mut settings = settings(&sandbox);
    settings.pilot.reconnect_max = Duration::from_millis(100);
    settings.tls = Some(TlsClientSettings {
        ca: Some(ca.clone()),
        cert: None,
        key: None,
        verify_name: true,
    });
    let mut driver = Carried::new(settings, 16);
    assert_eq!(driver.loss().await.class, LossClass::Denied);
    // Half of a file is none, and harms nothing.
    fs::write(&ca, "-----BEGIN CERTIFICATE-----").unwrap();
    assert_eq!(driver.loss().await.class, LossClass::Denied);
    fs::copy(&sandbox.tls_files().unwrap().ca, &ca).unwrap();
    assert_eq!(driver.snapshot().await.peers.len(), 2);
    driver.end().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_goes_its_way_from_prepare_to_its_outcome() {
    let sandbox = sandbox().await;
    let mut driver = Carried::new(settings(&sandbox), 16);
    let snapshot = driver.snapshot().await;
    let third = peer(&snapshot, &address(&sandbox, 3));

    driver.order(prepare(1, &third)).await;
    assert_eq!(driver.outcome(1).await, Outcome::Ready);
    driver
        .order(Deed::Commit {
            action: ActionId(1),
        })
        .await;
    assert!(matches!(driver.outcome(1).await, Outcome::Started(Some(_))));
    let Outcome::Registered { pid } = driver.outcome(1).await else {
        panic!("it should have registered")
    };
    driver
        .order(Deed::Stop {
            action: ActionId(2),
            target: target(&third),
            pid,
            how: Stop::Kill,
        })
        .await;
    let killed = Outcome::Stopped {
        exit_code: Some(137),
    };
    assert_eq!(driver.outcome(2).await, killed);

    let reason = "Archive is already in use: /a";
    let fail = Fault::FailNext {
        peer: PeerNumber(3),
        how: NextStart::Fail {
            reason: reason.into(),
        },
    };
    sandbox.control(fail).await.unwrap();
    driver.order(prepare(3, &third)).await;
    assert_eq!(driver.outcome(3).await, Outcome::Ready);
    driver
        .order(Deed::Commit {
            action: ActionId(3),
        })
        .await;
    assert!(matches!(driver.outcome(3).await, Outcome::Started(Some(_))));
    assert_eq!(driver.outcome(3).await, Outcome::StartFailed(reason.into()));

    driver.order(Deed::Refresh).await;
    assert_eq!(driver.snapshot().await.processes.len(), 2);
    driver.end().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deeds_go_on_while_nobody_takes_the_reports() {
    let sandbox = sandbox().await;
    let mut driver = Carried::new(settings(&sandbox), 1);
    let snapshot = driver.snapshot().await;
    // More than fits into all queues together: each is taken in though no report is taken out.
    for action in 0..100 {
        let question = Question::Identity(target(&snapshot.entry));
        let action = ActionId(action);
        let ordered = driver.order(Deed::Ask { action, question });
        timeout(LONG, ordered).await.unwrap();
    }
    let mut answers = BTreeSet::new();
    while answers.len() < 100 {
        let (action, outcome) = driver.find(finished).await;
        assert_eq!(outcome, Outcome::Answered(Vec::new()));
        assert!(answers.insert(action), "{action} has two outcomes");
    }
    driver.end().await;
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_session_from_the_library() {
    let sandbox = sandbox().await;
    let mut domain = Domain::connect(settings(&sandbox)).await.unwrap();
    assert_eq!(domain.peers().count(), 3);
    let order = Order::te("teas").on(&domain.peers().last().unwrap().clone());
    let process = domain.start(order, LONG).await.unwrap().unwrap();
    let named = domain.place(&process).to_string();
    assert_eq!(domain.process(&named).unwrap().pid, process.pid);
    assert_eq!(
        domain.process(&process.pid.to_string()).unwrap().pid,
        process.pid
    );
    domain.stop(&process, LONG).await.unwrap();
    assert_eq!(domain.snapshot().processes.len(), 2);
    domain.shutdown("teas", LONG).await.unwrap();
    assert_eq!(domain.snapshot().processes.len(), 0);
    domain.close().await;
    sandbox.stop().await;
}
