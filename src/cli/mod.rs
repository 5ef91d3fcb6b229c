//! The command line: one file per subcommand.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod answer;
mod check;
mod client;
mod deadletters;
mod demo;
mod domain;
mod engine;
mod events;
mod health;
mod manual;
mod paint;
mod people;
mod probe;
mod replay;
mod request;
mod resume;
mod run;
mod sandbox;
mod sandbox_ctl;
mod simulate;
mod status;
mod why;

use self::status::List;

/// How a command ended, after the numbers of `sysexits.h` where they fit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// All is well.
    Fine = 0,
    /// It did not work out.
    Failed = 1,
    /// A condition that was asked about does not hold.
    NotMet = 2,
    /// The command line is wrong.
    Usage = 64,
    /// The daemon or the broker refused the connection, closed it or was silent.
    Unavailable = 69,
    /// The other side does not speak the protocol.
    Protocol = 76,
    /// Not allowed: wrong password, unknown CA, wrong host name.
    Denied = 77,
    /// The configuration has problems.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Watches database domains, tells listeners what happens, and starts failed processes again.
#[derive(Debug, Parser)]
#[command(name = "dbwarden", version, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Args),
    Completions(manual::CompletionsArgs),
    ConfirmDead(people::ConfirmDeadArgs),
    /// Show the databases the daemon knows
    Databases(status::ListArgs),
    Deadletters(deadletters::Args),
    Demo(demo::Args),
    Domain(Box<domain::Args>),
    #[command(hide = true)]
    Engine(engine::Args),
    Events(events::Args),
    /// Have a slot, a database or a peer not wanted and not remembered any more
    Forget(people::OfArgs),
    Hold(people::HoldArgs),
    Maintenance(people::MaintenanceArgs),
    Man(manual::ManArgs),
    /// Show the peers the daemon knows
    Peers(status::ListArgs),
    Probe(probe::Args),
    /// Show the processes the daemon knows
    Processes(status::ListArgs),
    /// Let go of a slot or a database, whoever holds it
    Release(people::OfArgs),
    Replay(replay::Args),
    Request(request::Args),
    Resume(resume::Args),
    /// Have what is missing of a slot or a database tried now, as if for the first time
    Retry(people::OfArgs),
    Run(run::Args),
    Sandbox(Box<sandbox::Args>),
    SandboxCtl(sandbox_ctl::Args),
    Scale(people::ScaleArgs),
    Simulate(simulate::Args),
    Status(status::Args),
    Thaw(people::ThawArgs),
    /// Want a slot or a database although it left
    Want(people::OfArgs),
    Why(why::Args),
}

/// Parses the command line of this process, runs it, and returns its exit code.
pub fn main() -> ExitCode {
    let command_line = match CommandLine::try_parse() {
        Ok(it) => it,
        Err(error) => {
            let is_wrong = error.use_stderr();
            // A closed terminal is no reason to end with another code.
            let _ = error.print();
            if is_wrong && std::env::args_os().nth(1).is_some_and(|it| it == "probe") {
                return probe::misused();
            }
            return if is_wrong { Exit::Usage } else { Exit::Fine }.into();
        }
    };
    let exit = match command_line.command {
        Command::Check(args) => check::run(&args),
        Command::Completions(args) => manual::completions(&args),
        Command::ConfirmDead(args) => people::confirm_dead(&args),
        Command::Databases(args) => status::run_list(&args, List::Databases),
        Command::Deadletters(args) => deadletters::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Domain(args) => domain::run(&args),
        Command::Engine(args) => engine::run(&args),
        Command::Events(args) => events::run(&args),
        Command::Forget(args) => people::of("forget", &args),
        Command::Hold(args) => people::hold(&args),
        Command::Maintenance(args) => people::maintenance(&args),
        Command::Man(args) => manual::man(&args),
        Command::Peers(args) => status::run_list(&args, List::Peers),
        Command::Probe(args) => return probe::run(&args),
        Command::Processes(args) => status::run_list(&args, List::Processes),
        Command::Release(args) => people::of("release", &args),
        Command::Replay(args) => replay::run(&args),
        Command::Request(args) => request::run(&args),
        Command::Resume(args) => resume::run(&args),
        Command::Retry(args) => people::of("retry", &args),
        Command::Run(args) => run::run(&args),
        Command::Sandbox(args) => sandbox::run(&args),
        Command::SandboxCtl(args) => sandbox_ctl::run(&args),
        Command::Scale(args) => people::scale(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Thaw(args) => people::thaw(&args),
        Command::Want(args) => people::of("want", &args),
        Command::Why(args) => why::run(&args),
    };
    exit.into()
}
