//! `dbwarden domain start-te | start-sm | stop | kill | quiesce | unquiesce | shutdown`.
//!
//! Each does one thing and waits for what becomes of it.

use std::path::PathBuf;
use std::time::Duration;

use super::announce::{About, TellArgs, announce};
use super::connect::wait;
use super::secret::{self, Source};
use super::{Command, Failure, patiently, say};
use crate::driver::nuodb::{Domain, Order};
use crate::model::ProcessSeen;
use crate::nuodb::srp::Password;

/// Where the password of the database's administrator is, unless a file is named.
const DBA_VARIABLE: &str = "DBWARDEN_DBA_PASSWORD";

/// How long to wait.
#[derive(Debug, clap::Args)]
pub(super) struct WaitArgs {
    /// How long to wait until it is done; 0 does not wait
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = wait)]
    wait: Duration,
}

/// Where to start a process, and how.
#[derive(Debug, clap::Args)]
pub(super) struct PlaceArgs {
    /// The peer to start it at: HOST:PORT or its host; default: the one with the fewest processes
    #[arg(long, value_name = "PEER")]
    on: Option<String>,
    /// An option of the engine's, such as mem=2g; a flag has no value
    #[arg(
        long,
        value_name = "NAME[=VALUE]",
        allow_hyphen_values = true,
        value_parser = option
    )]
    option: Vec<(String, Option<String>)>,
    #[command(flatten)]
    wait: WaitArgs,
}

/// Start a transaction engine, and wait until it runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The first transaction engine of a new database needs --dba-user. The administrator's password is \
read from --dba-password-file, else from the environment variable DBWARDEN_DBA_PASSWORD, else \
asked for on the terminal.")]
pub(super) struct StartTeArgs {
    /// The database it serves
    #[arg(value_name = "DB")]
    database: String,
    /// The administrator to create in a new database
    #[arg(long, value_name = "NAME")]
    dba_user: Option<String>,
    /// A file with the administrator's password, that nobody else can read
    #[arg(long, value_name = "FILE", requires = "dba_user")]
    dba_password_file: Option<PathBuf>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Start a storage manager on an archive, and wait until it runs.
#[derive(Debug, clap::Args)]
pub(super) struct StartSmArgs {
    /// The database it serves
    #[arg(value_name = "DB")]
    database: String,
    /// The archive, as a path at the peer
    #[arg(long, value_name = "PATH")]
    archive: String,
    /// Make the archive anew
    #[arg(long)]
    initialize: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Ask a process to finish and leave, and wait until it is gone.
#[derive(Debug, clap::Args)]
pub(super) struct StopArgs {
    /// The process: its pid, or HOST:PORT
    process: String,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    tell: TellArgs,
}

/// Have the peer of a process end it at once.
#[derive(Debug, clap::Args)]
pub(super) struct KillArgs {
    /// The process: its pid, or HOST:PORT
    process: String,
    #[command(flatten)]
    wait: WaitArgs,
    #[command(flatten)]
    tell: TellArgs,
}

/// Set a database aside, and wait until it is quiet.
#[derive(Debug, clap::Args)]
pub(super) struct QuiesceArgs {
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Let a quiesced database serve again.
#[derive(Debug, clap::Args)]
pub(super) struct UnquiesceArgs {
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Stop a database: its TEs, then its SMs, the last one too.
#[derive(Debug, clap::Args)]
pub(super) struct ShutdownArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    tell: TellArgs,
}

#[derive(Debug, clap::Args)]
struct DatabaseArgs {
    /// The database
    #[arg(value_name = "DB")]
    database: String,
    #[command(flatten)]
    wait: WaitArgs,
}

/// What a command needs to know before there is a connection.
pub(super) struct Prepared {
    wait: Option<Duration>,
    dba_password: Option<Password>,
}

impl Prepared {
    pub(super) fn new(command: &Command) -> Result<Self, Failure> {
        let (wait, dba_password) = match command {
            Command::Show(_) | Command::Tags(_) => (None, None),
            Command::Kill(args) => (Some(&args.wait), None),
            Command::Stop(args) => (Some(&args.wait), None),
            Command::Quiesce(args) => (Some(&args.database.wait), None),
            Command::Unquiesce(args) => (Some(&args.database.wait), None),
            Command::Shutdown(args) => (Some(&args.database.wait), None),
            Command::StartSm(args) => (Some(&args.place.wait), None),
            Command::StartTe(args) => (Some(&args.place.wait), args.dba_password()?),
        };
        Ok(Self {
            wait: wait.map(|it| it.wait),
            dba_password,
        })
    }

    /// Returns how long the command waits for its outcome, if it does.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.wait
    }
}

impl StartTeArgs {
    fn dba_password(&self) -> Result<Option<Password>, Failure> {
        let Some(user) = &self.dba_user else {
            return Ok(None);
        };
        let password = secret::read(&Source {
            file: self.dba_password_file.as_deref(),
            flag: "--dba-password-file",
            variable: DBA_VARIABLE,
            prompt: &format!("Password of the database's {user}: "),
        })?;
        Ok(Some(password))
    }
}

/// Runs a command that changes something.
pub(super) async fn run(
    command: &Command,
    prepared: Prepared,
    domain: &mut Domain,
) -> Result<(), Failure> {
    match command {
        Command::Show(_) | Command::Tags(_) => Ok(()),
        Command::Kill(args) => kill(args, domain).await,
        Command::Stop(args) => {
            let process = domain.process(&args.process)?.clone();
            let label = domain.label(&process);
            announce(&args.tell, domain, About::Process(&process)).await;
            let stopped = domain.stop(&process, args.wait.wait);
            patiently(&format!("waiting until {label} is gone"), stopped).await?;
            done(&args.wait, &format!("{label} is gone"))
        }
        Command::Quiesce(QuiesceArgs { database: args }) => {
            let name = &args.database;
            let quiesced = domain.quiesce(name, args.wait.wait);
            patiently(&format!("waiting until {name} is quiet"), quiesced).await?;
            done(&args.wait, &format!("{name} is quiesced"))
        }
        Command::Unquiesce(UnquiesceArgs { database: args }) => {
            let name = &args.database;
            let unquiesced = domain.unquiesce(name, args.wait.wait);
            patiently(&format!("waiting until {name} serves"), unquiesced).await?;
            done(&args.wait, &format!("{name} serves again"))
        }
        Command::Shutdown(ShutdownArgs {
            database: args,
            tell,
        }) => {
            let name = &args.database;
            announce(tell, domain, About::Database(name)).await;
            let shut_down = domain.shutdown(name, args.wait.wait);
            patiently(&format!("waiting until {name} is gone"), shut_down).await?;
            done(&args.wait, &format!("{name} is shut down"))
        }
        Command::StartSm(args) => {
            let order = Order::sm(&args.database, &args.archive);
            let order = if args.initialize {
                order.initialize()
            } else {
                order
            };
            start(order, &args.place, domain).await
        }
        Command::StartTe(args) => {
            let order = Order::te(&args.database);
            let order = match (&args.dba_user, &prepared.dba_password) {
                (Some(user), Some(password)) => order.dba(user, password),
                (Some(_) | None, _) => order,
            };
            start(order, &args.place, domain).await
        }
    }
}

async fn start(order: Order, place: &PlaceArgs, domain: &mut Domain) -> Result<(), Failure> {
    let mut order = order;
    for (name, value) in &place.option {
        order = order.option(name, value.as_deref());
    }
    if let Some(name) = &place.on {
        order = order.on(domain.peer(name)?);
    }
    let started = domain.start(order, place.wait.wait);
    match patiently("waiting until the process runs", started).await? {
        Some(process) => say(line(&process, domain)),
        None => say("asked for"),
    }
}

async fn kill(args: &KillArgs, domain: &mut Domain) -> Result<(), Failure> {
    let process = domain.process(&args.process)?.clone();
    let label = domain.label(&process);
    announce(&args.tell, domain, About::Process(&process)).await;
    let killed = domain.kill(&process, args.wait.wait);
    match patiently(&format!("waiting until {label} is gone"), killed).await? {
        Some(code) => say(format_args!("{label} is killed, exit code {code}")),
        None => say(format_args!("{label} is killed")),
    }
}

fn done(args: &WaitArgs, text: &str) -> Result<(), Failure> {
    if args.wait.is_zero() {
        say("asked for")
    } else {
        say(text)
    }
}

/// Returns a process as a line of the answer.
fn line(process: &ProcessSeen, domain: &Domain) -> String {
    let word = process.status.as_ref().map_or("UNKNOWN", |it| &*it.word);
    format!("{} {word}", domain.label(process))
}

/// Reads `mem=2g`, `--mem=2g` or, for a flag, `verbose`.
fn option(text: &str) -> Result<(String, Option<String>), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let bare = name.trim_start_matches('-');
    if bare.is_empty() || bare.contains(char::is_whitespace) {
        return Err("write NAME=VALUE, or NAME for a flag".to_owned());
    }
    if bare.contains("password") {
        return Err("a password does not belong on a command line, where everybody sees it".into());
    }
    if bare == "database" {
        return Err("the database is an argument of its own".to_owned());
    }
    Ok((format!("--{bare}"), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_options_are_read_with_and_without_hyphens() {
        let mem = ("--mem".to_owned(), Some("2g".to_owned()));
        assert_eq!(option("mem=2g"), Ok(mem.clone()));
        assert_eq!(option("--mem=2g"), Ok(mem));
        assert_eq!(option("verbose"), Ok(("--verbose".to_owned(), None)));
        let empty = ("--x".to_owned(), Some(String::new()));
        assert_eq!(option("x="), Ok(empty));
    }

    #[test]
    fn what_must_not_be_an_option_is_refused() {
        for text in ["", "--", "=x", "a b", "--dba-password=x", "database=x"] {
            assert!(option(text).is_err(), "{text}");
        }
    }
}
