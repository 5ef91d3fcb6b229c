//! `dbwarden demo`: a sandbox, the daemon and a crash, on loopback.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Exit;
use super::domain::picture;
use crate::config::{Config, DaemonSettings, DomainSettings, Written};
use crate::daemon::{self, Command, Settings};
use crate::driver::nuodb::{Domain, DriverSettings};
use crate::event::{Event, Kind, Recorded};
use crate::listener::{Delivery, Listener, Notified, Registration, Reply, Terms};
use crate::model::{self, Address, Role};
use crate::nuodb::client::{Credentials, Settings as ClientSettings};
use crate::nuodb::frame;
use crate::nuodb::pilot::PilotSettings;
use crate::nuodb::srp::{Agreement, Password};
use crate::policy::{Place, Policy, Stage};
use crate::sandbox::serve::{DatabaseSettings, EngineInfo, Sandbox, TlsSettings};
use crate::supervisor;
use crate::telemetry::chain;
use crate::transport::TlsClientSettings;

/// Show it at work: a sandbox, the daemon and a crash, on loopback.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It starts a NuoDB-compatible sandbox of three peers with one database on ports of its own, watches \
it over TLS and SRP, kills one transaction engine with SIGKILL, and shows how it is started again \
on another peer. It ends with 0 when the database is whole again.")]
pub(super) struct Args {
    /// Go on watching afterwards, until the process is interrupted
    #[arg(long)]
    stay: bool,
}

/// The database of the demonstration.
const DATABASE: &str = "teas";

/// How many transaction engines it begins with.
const TES: u16 = 2;

/// How many storage managers it begins with.
const SMS: u16 = 1;

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many events may wait to be printed.
const QUEUE: usize = 256;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the command.
pub(super) fn run(args: &Args) -> Exit {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(show(args)),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => Exit::Fine,
        Err(error) => {
            // Nobody reads stderr: the exit code says it as well.
            let _ = writeln!(io::stderr().lock(), "dbwarden demo: {}", chain(&*error));
            Exit::Failed
        }
    }
}

async fn show(args: &Args) -> Result<(), Failure> {
    let mut told_to_stop = daemon::listen()?;
    say("A sandbox of three peers with the database `teas`, over TLS with client certificates:")?;
    let sandbox = Sandbox::start(sandbox_settings()).await?;
    let domain = Domain::connect(driver_settings(&sandbox)?).await?;
    say(&picture(&domain).join("\n"))?;
    domain.close().await;

    let (events_sender, mut events) = mpsc::channel(QUEUE);
    let (commands_sender, commands) = mpsc::channel(1);
    let settings = daemon_settings(&sandbox, events_sender)?;
    let mut tasks = JoinSet::new();
    let unchanging = || Err("the demonstration has no configuration file".to_owned());
    tasks.spawn(daemon::run(settings, commands, |_| (), unchanging));
    say("\nThe daemon watches, and tells its listeners:")?;
    let healed = tokio::select! {
        healed = heal(&sandbox, &mut events) => healed,
        _ = told_to_stop.recv() => Err("interrupted".into()),
        ended = tasks.join_next() => Err(match ended {
            Some(Ok(Err(error))) => error.into(),
            Some(Ok(Ok(()))) | None => "the daemon ended by itself".into(),
            Some(Err(error)) => error.into(),
        }),
    };
    if healed.is_ok() && args.stay {
        say("\nIt goes on watching. Kill more of them; interrupt with Ctrl-C.")?;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => say(&line(&event))?,
                    None => break,
                },
                _ = told_to_stop.recv() => break,
            }
        }
    }
    // It fails if the daemon has ended by itself, which was told above.
    let _ = commands_sender.send(Command::Stop).await;
    drop(events);
    while tasks.join_next().await.is_some() {}
    sandbox.stop().await;
    healed
}

/// Kills an engine once the daemon is ready to act, and waits until another serves in its place.
async fn heal(sandbox: &Sandbox, events: &mut mpsc::Receiver<Recorded>) -> Result<(), Failure> {
    let settled = until(events, |event| event.kind == Kind::DomainThawed);
    if settled.await?.is_none() {
        let attempt =
            format!("watched the sandbox and waited {PATIENCE:?} in vain for it to settle");
        return Err(in_vain(sandbox, &attempt).await);
    }
    let engines = sandbox.engines().await?;
    let Some(victim) = victim(&engines) else {
        let attempt = format!("wanted to kill a transaction engine of `{DATABASE}`, and none runs");
        return Err(in_vain(sandbox, &attempt).await);
    };
    let told = format!(
        "the transaction engine with pid {} at peer {}",
        victim.pid, victim.peer
    );
    say(&format!("\nSIGKILL to {told}:"))?;
    if let Err(error) = kill(victim.pid) {
        let attempt = format!("could not kill {told} ({})", chain(&*error));
        return Err(in_vain(sandbox, &attempt).await);
    }
    let vain = |what: &str| format!("killed {told} and waited {PATIENCE:?} in vain for {what}");
    let failed = until(events, |event| {
        let process = event.subject.process.as_ref();
        event.kind == Kind::ProcessFailed && process.is_some_and(|it| it.pid == victim.pid)
    });
    if failed.await?.is_none() {
        return Err(in_vain(sandbox, &vain("its end to be told")).await);
    }
    let Some(started) = until(events, |event| event.kind == Kind::ActionStarted).await? else {
        return Err(in_vain(sandbox, &vain("the healer to start another")).await);
    };
    let target = started.subject.peer;
    let running = until(events, |event| {
        let process = event.subject.process.as_ref();
        event.kind == Kind::ProcessStatusChanged
            && event.subject.peer == target
            && process.is_some_and(|it| &*it.status_word == "RUNNING")
    });
    let Some(running) = running.await? else {
        return Err(in_vain(sandbox, &vain("another to run")).await);
    };
    let process = running.subject.process.as_ref().map_or(0, |it| it.pid);
    show_healed(sandbox, victim.pid, process).await
}

async fn show_healed(sandbox: &Sandbox, victim: u32, process: u32) -> Result<(), Failure> {
    let domain = Domain::connect(driver_settings(sandbox)?).await?;
    let census = Census::of(&sandbox.engines().await?);
    say(if census.is_whole() {
        "\nWhole again:"
    } else {
        "\nHealed, and not whole, since more of it ended than the demonstration did:"
    })?;
    say(&picture(&domain).join("\n"))?;
    domain.close().await;
    say(&format!(
        "\nHealed: pid {victim} is gone, pid {process} serves in its place."
    ))
}

/// How many engines of the database run.
struct Census {
    te: usize,
    sm: usize,
}

impl Census {
    fn of(engines: &[EngineInfo]) -> Self {
        let count = |role| engines.iter().filter(|it| it.role == role).count();
        Self {
            te: count(Role::Te),
            sm: count(Role::Sm),
        }
    }

    fn is_whole(&self) -> bool {
        self.te >= usize::from(TES) && self.sm >= usize::from(SMS)
    }
}

/// Returns what was attempted and did not come about, what is missing by now, and what to do.
async fn in_vain(sandbox: &Sandbox, attempt: &str) -> Failure {
    let state = match sandbox.engines().await {
        Ok(engines) => {
            let Census { te, sm } = Census::of(&engines);
            format!(
                "of the {TES} transaction engines and {SMS} storage manager that `{DATABASE}` \
                 begins with {te} and {sm} run"
            )
        }
        Err(error) => format!("the sandbox does not say what runs: {}", chain(&error)),
    };
    format!(
        "{attempt}; {state}; run `dbwarden demo` again, and end none of its processes before it \
         says `Healed`"
    )
    .into()
}

fn victim(engines: &[EngineInfo]) -> Option<&EngineInfo> {
    engines.iter().find(|it| it.role == Role::Te)
}

fn kill(pid: u32) -> Result<(), Failure> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or("the sandbox told a pid that cannot be")?;
    Ok(kill_process(pid, Signal::KILL)?)
}

/// Prints events until one is what is waited for, and returns that one; `None` if it does not come
/// in time.
async fn until(
    events: &mut mpsc::Receiver<Recorded>,
    is_it: impl Fn(&Event) -> bool,
) -> Result<Option<Event>, Failure> {
    let waiting = async {
        while let Some(event) = events.recv().await {
            say(&line(&event))?;
            if is_it(&event.event) {
                return Ok(event.event);
            }
        }
        Err("the daemon tells nothing any more".into())
    };
    timeout(PATIENCE, waiting).await.ok().transpose()
}

/// Returns an event as a line for people.
fn line(recorded: &Recorded) -> String {
    let event = &recorded.event;
    let subject = &event.subject;
    let time = event.time.wall.to_string();
    let clock = time.get(11..23).unwrap_or(&time);
    let mut words = vec![format!("{clock}  {:<22}", event.kind.as_str())];
    words.extend(subject.database.as_ref().map(ToString::to_string));
    words.extend(
        subject
            .process
            .as_ref()
            .map(|it| format!("{} pid {}", it.role.as_str(), it.pid)),
    );
    if event.kind == Kind::ProcessStatusChanged {
        words.extend(
            subject
                .process
                .as_ref()
                .map(|it| it.status_word.to_string()),
        );
    }
    words.extend(subject.slot.as_ref().map(ToString::to_string));
    words.extend(subject.peer.as_ref().map(|it| format!("on {it}")));
    words.extend(event.text.as_ref().map(|it| format!("({it})")));
    words.join(" ")
}

fn sandbox_settings() -> crate::sandbox::serve::Settings {
    crate::sandbox::serve::Settings {
        listen: std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0),
        peers: 3,
        brokers: 2,
        tls: Some(TlsSettings {
            dir: None,
            require_client_cert: true,
        }),
        databases: vec![DatabaseSettings {
            name: DATABASE.to_owned(),
            te: TES,
            sm: SMS,
        }],
        ..crate::sandbox::serve::Settings::default()
    }
}

fn driver_settings(sandbox: &Sandbox) -> Result<DriverSettings, Failure> {
    let brokers = sandbox.peers().iter().filter(|it| it.is_broker);
    let brokers = brokers
        .map(|it| Address::new(it.address.ip().to_string(), it.address.port()))
        .collect();
    let client = ClientSettings {
        credentials: Credentials {
            user: "domain".to_owned(),
            password: Password::new("bird".to_owned()),
        },
        inside_tls: true,
        allow_legacy_ciphers: false,
        frame_limit: frame::DEFAULT_LIMIT,
        agreement: Agreement::default(),
    };
    let files = sandbox.tls_files().ok_or("the sandbox speaks no TLS")?;
    Ok(DriverSettings {
        pilot: PilotSettings::new(brokers, client),
        tls: Some(TlsClientSettings {
            ca: Some(files.ca.clone()),
            cert: Some(files.client_cert.clone()),
            key: Some(files.client_key.clone()),
            verify_name: true,
        }),
    })
}

/// The daemon as it is configured in earnest, but less patient, and elsewhere first.
fn daemon_settings(sandbox: &Sandbox, events: mpsc::Sender<Recorded>) -> Result<Settings, Failure> {
    let mut supervisor = supervisor::Settings::new("demo".into());
    supervisor.settle = Duration::from_millis(500);
    supervisor.te_options.insert(DATABASE.into(), Vec::new());
    supervisor.policies = vec![Policy {
        stages: vec![Stage {
            place: Place::Elsewhere,
            tries: None,
        }],
        min_uptime: Duration::from_millis(200),
        return_grace: Duration::from_millis(200),
        // Whoever kills more of them sees those healed, too.
        confirm_for: Duration::from_secs(1),
        ..Policy::default()
    }];
    let config = Config {
        api: None,
        daemon: DaemonSettings {
            // Goes with the sandbox.
            state_directory: sandbox.directory().join("state"),
            socket: sandbox.directory().join("dbwarden.sock"),
            stop_grace: Duration::from_secs(2),
            ..DaemonSettings::default()
        },
        domains: vec![DomainSettings {
            name: "demo".into(),
            model: model::Settings::default(),
            supervisor,
            driver: driver_settings(sandbox)?,
        }],
        policies: 1,
        listeners: Vec::new(),
        files: Vec::new(),
        warnings: Vec::new(),
        written: Written::default(),
    };
    Ok(Settings {
        config,
        listeners: vec![Registration {
            name: "demo".to_owned(),
            terms: Terms::default(),
            make: Arc::new(move || Box::new(Tell(events.clone()))),
        }],
        heartbeat: None,
    })
}

/// A listener that passes on what it is told.
struct Tell(mpsc::Sender<Recorded>);

impl Listener for Tell {
    fn name(&self) -> &'static str {
        "demo"
    }

    fn notify<'a>(&'a mut self, delivery: Delivery<'a>) -> Notified<'a> {
        Box::pin(async {
            // Nobody listens any more when the demonstration is over.
            let _ = self.0.send(delivery.event.clone()).await;
            Ok(Reply::done())
        })
    }
}

fn say(text: &str) -> Result<(), Failure> {
    Ok(writeln!(io::stdout().lock(), "{text}")?)
}
