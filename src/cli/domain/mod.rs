//! `dbwarden domain`: look at a domain and change it, straight at a broker.
//!
//! It needs no daemon and heals nothing; what it starts, nobody watches. Only before it ends
//! something does it tell a daemon that watches the domain.

mod announce;
mod change;
mod connect;
mod secret;
mod show;
mod tags;

use std::fmt;
use std::io::{self, Write as _};
use std::time::Duration;

use clap::Subcommand;
use tokio::time::sleep;

use self::connect::ConnectArgs;
pub(super) use self::secret::ask_password;
use super::Exit;
use crate::driver::nuodb::{Domain, DomainError, DriverError};
use crate::exchange::LossClass;
use crate::telemetry::chain;

pub(super) use self::show::picture;

/// Look at a domain and change it, straight at a broker, without a daemon.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The password of the account is read from --password-file, else from the environment variable \
DBWARDEN_PASSWORD, else asked for on the terminal.

Exit codes: 0 done, 1 it did not work out, 64 wrong command line, 69 the broker refused, closed \
or was silent, 76 it does not speak the protocol, 77 wrong password, unknown CA or wrong name.")]
pub(super) struct Args {
    #[command(flatten)]
    connect: ConnectArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(show::Args),
    StartTe(change::StartTeArgs),
    StartSm(change::StartSmArgs),
    Stop(change::StopArgs),
    Kill(change::KillArgs),
    Quiesce(change::QuiesceArgs),
    Unquiesce(change::UnquiesceArgs),
    Shutdown(change::ShutdownArgs),
    Tags(tags::Args),
}

/// Why a command did not work out.
#[derive(Debug)]
enum Failure {
    /// The domain, or the way to it.
    Domain(DomainError),
    /// What was said on the command line, or stands in a file it names.
    Usage(String),
    /// Nobody reads what we say, or there is no runtime.
    System(io::Error),
}

impl From<DomainError> for Failure {
    fn from(error: DomainError) -> Self {
        Self::Domain(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Exit {
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::System)
        .and_then(|runtime| {
            let done = runtime.block_on(carry_out(args));
            // Dropping it would wait for the lookup of a name as long as the resolver does.
            runtime.shutdown_background();
            done
        });
    let Err(failure) = done else {
        return Exit::Fine;
    };
    let (exit, text) = failure.tell(&args.connect);
    if let Some(text) = text {
        // Some of it may be the peer's words, which shall not play with the terminal.
        let text = text.replace(char::is_control, " ");
        // A closed terminal is no reason to end with another code.
        let _ = writeln!(io::stderr().lock(), "dbwarden: {text}");
    }
    exit
}

async fn carry_out(args: &Args) -> Result<(), Failure> {
    // Secrets first: nobody wants to be asked for one after half of the work is done.
    let prepared = change::Prepared::new(&args.command)?;
    let settings = args.connect.settings(prepared.wait())?;
    let connecting = format!("connecting to {}", args.connect.brokers());
    let mut domain = patiently(&connecting, Domain::connect(settings)).await?;
    let done = match &args.command {
        Command::Show(args) => show::run(args, &domain),
        Command::Tags(args) => tags::run(args, &mut domain).await,
        Command::Kill(_)
        | Command::Quiesce(_)
        | Command::Shutdown(_)
        | Command::StartSm(_)
        | Command::StartTe(_)
        | Command::Stop(_)
        | Command::Unquiesce(_) => change::run(&args.command, prepared, &mut domain).await,
    };
    domain.close().await;
    done
}

/// Awaits `work`, and says on stderr what is awaited if it takes longer than a second.
pub(super) async fn patiently<T>(what: &str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = sleep(Duration::from_secs(1)) => {
            // Who cannot be told has to wait without.
            let _ = writeln!(io::stderr().lock(), "{what} ...");
        }
    }
    work.await
}

/// Writes a line of the answer.
fn say(line: impl fmt::Display) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()?;
    Ok(())
}

impl Failure {
    /// Returns how to end, and what to say: what was attempted, why it failed, what to do.
    fn tell(&self, args: &ConnectArgs) -> (Exit, Option<String>) {
        match self {
            Self::Domain(DomainError::Driver(error @ DriverError::Tls(_))) => {
                (Exit::Usage, Some(chain(error)))
            }
            Self::Domain(error) => {
                let exit = match error.class() {
                    Some(LossClass::Connection) => Exit::Unavailable,
                    Some(LossClass::Denied) => Exit::Denied,
                    Some(LossClass::Protocol) => Exit::Protocol,
                    None => Exit::Failed,
                };
                // Where a request was sent, the way there is fine.
                let is_sent = matches!(error, DomainError::Unanswered { .. });
                let text = match args.advice(error.class()) {
                    Some(advice) if !is_sent => format!("{}; {advice}", chain(error)),
                    Some(_) | None => chain(error),
                };
                (exit, Some(text))
            }
            // Whoever read our answer has seen enough.
            Self::System(error) if error.kind() == io::ErrorKind::BrokenPipe => (Exit::Fine, None),
            Self::System(error) => (Exit::Failed, Some(chain(error))),
            Self::Usage(text) => (Exit::Usage, Some(text.clone())),
        }
    }
}
