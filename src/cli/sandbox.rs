//! `dbwarden sandbox`: runs a domain until it is told to end.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::thread;
use std::time::Duration;

use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::oneshot;

use super::Exit;
use crate::nuodb::cipher::CipherName;
use crate::nuodb::srp::Password;
use crate::sandbox::serve::{
    DatabaseSettings, EngineRecord, PeerRecord, Sandbox, SandboxError, Settings, SurveyRecord,
    TlsSettings,
};
use crate::sandbox::world::Pace;
use crate::telemetry::chain;
use crate::transport::read_password;

/// Run a NuoDB-compatible domain on loopback.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Clients of NuoDB's agents (pynuodb up to 2.6) can use it as they would a real domain, except that \
no engine speaks SQL. `dbwarden sandbox-ctl` makes things go wrong in it.")]
pub(super) struct Args {
    /// Where the first peer listens; with port 0 each peer has a port of its own
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:48004", value_parser = listen)]
    listen: SocketAddrV4,
    /// How many peers there are, on consecutive ports
    #[arg(long, value_name = "N", default_value_t = 3)]
    peers: u16,
    /// How many of them are brokers: the first ones; without a number two, if there are two
    #[arg(long, value_name = "N")]
    brokers: Option<u16>,
    /// What the domain calls itself
    #[arg(long, value_name = "NAME", default_value = "sandbox")]
    domain: String,
    /// The account that may log in
    #[arg(long, value_name = "NAME", default_value = "domain")]
    user: String,
    /// A file with its password; without one the password is `bird`
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The ciphers that may be used, the preferred one first
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "AES-256-CTR,AES-128-CTR,RC4",
        value_parser = cipher
    )]
    ciphers: Vec<CipherName>,
    /// Speak TLS; the certificates are in DIR, or are written there
    #[arg(long, value_name = "DIR")]
    tls: Option<PathBuf>,
    /// Accept only clients that show a certificate of the CA in DIR
    #[arg(long, requires = "tls")]
    require_client_cert: bool,
    /// How long things take: a factor (0 is at once), or the time until ACTIVE, such as 50ms
    #[arg(long, value_name = "FACTOR|TIME", default_value = "1", value_parser = pace)]
    pace: Pace,
    /// A database that runs from the beginning
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// How many transaction engines it has
    #[arg(long, value_name = "N", default_value_t = 1, requires = "database")]
    te: u16,
    /// How many storage managers it has
    #[arg(long, value_name = "N", default_value_t = 1, requires = "database")]
    sm: u16,
    /// The domain itself starts again what is missing of it, as NuoDB up to 2.x does
    #[arg(long, requires = "database")]
    managed: bool,
    /// Keep its archives in DIR instead of removing them at the end
    #[arg(long, value_name = "DIR", requires = "database")]
    archives: Option<PathBuf>,
    /// Where `sandbox-ctl` finds it, instead of a place that is removed at the end
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// Say where everything is in one line of JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Exit {
    let settings = match settings(args) {
        Ok(it) => it,
        Err(exit) => return exit,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(play(args, settings)),
        Err(error) => fail(Exit::Failed, &error),
    }
}

async fn play(args: &Args, settings: Settings) -> Exit {
    // Before anything that would have to be cleared away.
    let told_to_end = match signals() {
        Ok(it) => it,
        Err(error) => return fail(Exit::Failed, &error),
    };
    let (domain, user) = (settings.domain.clone(), settings.user.clone());
    let sandbox = match Sandbox::start(settings).await {
        Ok(it) => it,
        Err(error @ SandboxError::Settings(_)) => return fail(Exit::Usage, &error),
        Err(error) => return fail(Exit::Failed, &error),
    };
    let exit = match announce(args, &sandbox, domain, user).await {
        Ok(()) => {
            // The sender lives as long as the thread that waits for signals: for ever.
            let _ = told_to_end.await;
            Exit::Fine
        }
        Err(error) => fail(Exit::Failed, &error),
    };
    sandbox.stop().await;
    exit
}

/// Returns what resolves at the first signal to end. The second one ends the process.
fn signals() -> io::Result<oneshot::Receiver<()>> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let (tell, told) = oneshot::channel();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let mut tell = Some(tell);
            for _ in &mut signals {
                match tell.take() {
                    // Nobody listens any more if we are about to end anyway.
                    Some(tell) => drop(tell.send(())),
                    None => std::process::exit(Exit::Failed as i32),
                }
            }
        })?;
    Ok(told)
}

fn settings(args: &Args) -> Result<Settings, Exit> {
    let mut settings = Settings {
        listen: args.listen,
        peers: args.peers,
        brokers: args.brokers.unwrap_or(args.peers.min(2)),
        domain: args.domain.clone(),
        user: args.user.clone(),
        ciphers: args.ciphers.clone(),
        tls: args.tls.as_ref().map(|dir| TlsSettings {
            dir: Some(dir.clone()),
            require_client_cert: args.require_client_cert,
        }),
        pace: args.pace,
        archives: args.archives.clone(),
        control: args.control.clone(),
        ..Settings::default()
    };
    if let Some(path) = &args.password_file {
        settings.password = password(path)?;
    }
    if let Some(name) = &args.database {
        if args.managed {
            settings.managed.push(name.clone());
        }
        settings.databases.push(DatabaseSettings {
            name: name.clone(),
            te: args.te,
            sm: args.sm,
        });
    }
    Ok(settings)
}

fn password(path: &Path) -> Result<Password, Exit> {
    let password = read_password(path).map_err(|error| fail(Exit::Usage, &error))?;
    Ok(Password::new(password))
}

/// What `--json` prints when everything listens.
#[derive(Serialize)]
struct Ready<'a> {
    domain: &'a str,
    user: &'a str,
    peers: &'a [PeerRecord],
    engines: &'a [EngineRecord],
    control: &'a Path,
    tls: Option<TlsRecord<'a>>,
}

#[derive(Serialize)]
struct TlsRecord<'a> {
    ca: &'a Path,
    server_cert: &'a Path,
    server_key: &'a Path,
    client_cert: &'a Path,
    client_key: &'a Path,
}

/// Says where everything is.
async fn announce(
    args: &Args,
    sandbox: &Sandbox,
    domain: String,
    user: String,
) -> Result<(), SandboxError> {
    let survey = SurveyRecord::from(sandbox.survey().await?);
    let ready = Ready {
        domain: &domain,
        user: &user,
        peers: &survey.peers,
        engines: &survey.engines,
        control: sandbox.control_path(),
        tls: sandbox.tls_files().map(|it| TlsRecord {
            ca: &it.ca,
            server_cert: &it.server_cert,
            server_key: &it.server_key,
            client_cert: &it.client_cert,
            client_key: &it.client_key,
        }),
    };
    let text = if args.json {
        serde_json::to_string(&ready).map_err(|it| SandboxError::System(it.into()))? + "\n"
    } else {
        describe(&ready)
    };
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    let written = written.and_then(|()| stdout.flush());
    written.map_err(SandboxError::System)
}

fn describe(ready: &Ready<'_>) -> String {
    let mut lines = Vec::new();
    lines.push(format!("domain {}, user {}", ready.domain, ready.user));
    for it in ready.peers {
        let (number, address, role) = (it.number, &it.address, &it.role);
        lines.push(format!("peer {number}: {address} [role={role}]"));
    }
    for it in ready.engines {
        let (database, role, peer) = (&it.database, &it.role, it.peer);
        let (port, pid) = (it.port.unwrap_or_default(), it.pid.unwrap_or_default());
        lines.push(format!(
            "{database}: 127.0.0.1:{port} [pid={pid}] ({role}) at peer {peer}"
        ));
    }
    if let Some(tls) = &ready.tls {
        lines.push(format!("TLS with the CA in {}", tls.ca.display()));
    }
    lines.push(format!("control: {}", ready.control.display()));
    lines.join("\n") + "\n"
}

/// Says what is wrong, down to the cause, and returns `exit`.
fn fail(exit: Exit, error: &dyn std::error::Error) -> Exit {
    // A closed terminal is no reason to end with another code.
    let _ = writeln!(io::stderr().lock(), "dbwarden sandbox: {}", chain(error));
    exit
}

fn listen(text: &str) -> Result<SocketAddrV4, String> {
    let text = if text.contains(':') {
        text.to_owned()
    } else {
        format!("{text}:48004")
    };
    let mut addresses = text.to_socket_addrs().map_err(|error| error.to_string())?;
    let v4 = addresses.find_map(|it| match it {
        std::net::SocketAddr::V4(it) => Some(it),
        std::net::SocketAddr::V6(_) => None,
    });
    let address = v4.ok_or("it has no IPv4 address, and clients know no other")?;
    if *address.ip() != Ipv4Addr::LOCALHOST && !address.ip().is_loopback() {
        return Err("a sandbox listens on loopback only".to_owned());
    }
    Ok(address)
}

fn cipher(text: &str) -> Result<CipherName, String> {
    CipherName::from_str(text.trim()).map_err(|error| error.to_string())
}

/// Reads `0`, `0.5`, `2` as factors of the real pace, `50ms`, `1s` as the time until ACTIVE.
fn pace(text: &str) -> Result<Pace, String> {
    let wrong = || "write a factor such as 0, 0.5 or 2, or a time such as 50ms".to_owned();
    let permille = if text.ends_with(|it: char| it.is_ascii_digit()) {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        if part.len() > 3 {
            return Err(wrong());
        }
        let digits = format!("{whole}{part:0<3}");
        digits.parse::<u32>().map_err(|_| wrong())?
    } else {
        let time: Duration = humantime::parse_duration(text).map_err(|_| wrong())?;
        let permille = time.as_micros() * 1_000 / Pace::REAL.active.as_micros();
        u32::try_from(permille).map_err(|_| wrong())?
    };
    Ok(Pace::scaled(permille))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_is_a_factor_or_a_time() {
        for (text, active) in [
            ("0", 0),
            ("1", 150),
            ("0.5", 75),
            ("2", 300),
            ("0.01", 1),
            ("30ms", 30),
            ("3s", 3_000),
        ] {
            let pace = pace(text).unwrap();
            assert_eq!(pace.active.as_millis(), active, "{text}");
        }
        for text in [
            "",
            ".",
            "fast",
            "-1",
            "1.",
            "0.0001",
            "9999999999",
            "1 year",
        ] {
            assert!(pace(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_sandbox_listens_on_loopback_only() {
        assert!(listen("0.0.0.0:0").is_err());
        assert!(listen("192.0.2.1:48004").is_err());
        let address = listen("127.0.0.1").unwrap();
        assert_eq!(address.to_string(), "127.0.0.1:48004");
    }
}
