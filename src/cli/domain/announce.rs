//! Tells a daemon that watches the domain what is about to be ended, so that nobody is woken.
//!
//! Without a daemon, or if it does not listen, the command goes on: it is straight to a broker.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::cli::client::{Client, Failure, SOCKET, encode};
use crate::driver::nuodb::Domain;
use crate::model::ProcessSeen;

/// So long a daemon is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether a daemon is told.
#[derive(Debug, clap::Args)]
pub(super) struct TellArgs {
    /// The socket of a daemon that watches the domain, which is told first
    #[arg(
        long,
        value_name = "PATH",
        env = "DBWARDEN_SOCKET",
        default_value = SOCKET
    )]
    socket: PathBuf,
    /// Tell no daemon: what ends is a failure to it
    #[arg(long)]
    no_tell: bool,
}

/// What is about to be ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum About<'a> {
    Database(&'a str),
    Process(&'a ProcessSeen),
}

/// Tells the daemon, if there is one.
pub(super) async fn announce(args: &TellArgs, domain: &Domain, about: About<'_>) {
    if args.no_tell || !is_socket(&args.socket) {
        return;
    }
    let told = timeout(PATIENCE, tell(&args.socket, domain, about)).await;
    let problem = match told {
        Ok(Ok(())) => return,
        Ok(Err(text)) => text,
        Err(_) => "it does not answer".to_owned(),
    };
    let problem = problem.replace(char::is_control, " ");
    // Who cannot be told is not told.
    let _ = writeln!(
        io::stderr().lock(),
        "dbwarden: the daemon at {} was not told: {problem}; to it this will be a failure",
        args.socket.display()
    );
}

fn is_socket(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    std::fs::metadata(path).is_ok_and(|it| it.file_type().is_socket())
}

async fn tell(socket: &Path, domain: &Domain, about: About<'_>) -> Result<(), String> {
    let mut client = Client::connect(socket).await.map_err(Failure::says)?;
    let status = client.get_json("/api/v1/status").await;
    let status = status.map_err(Failure::says)?;
    let domains = status["domains"].as_array();
    for watched in domains.into_iter().flatten() {
        let Some(name) = watched["domain"].as_str() else {
            continue;
        };
        let Some(target) = target_in(watched, domain, about) else {
            continue;
        };
        let address = format!("/api/v1/domains/{}/requests", encode(name));
        let request = json!({ "announce": { "target": target } });
        let said = client.post(&address, &request).await;
        said.map_err(Failure::says)?;
    }
    Ok(())
}

/// Returns what a daemon calls what is about to be ended, if it watches the same domain.
fn target_in(watched: &Value, domain: &Domain, about: About<'_>) -> Option<String> {
    let agents: BTreeSet<&str> = domain.peers().map(|it| it.agent_id.as_str()).collect();
    let peers = watched["peers"].as_array()?;
    let ours = |it: &&Value| {
        it["agent_id"]
            .as_str()
            .is_some_and(|id| agents.contains(id))
    };
    match about {
        About::Database(name) => {
            peers.iter().find(ours)?;
            let databases = watched["databases"].as_array()?;
            let is_known = databases.iter().any(|it| it["database"] == *name);
            is_known.then(|| format!("database:{name}"))
        }
        About::Process(process) => {
            let agent = process.agent_id.as_str();
            let peer = peers.iter().find(|it| it["agent_id"] == *agent)?;
            let peer = peer["peer"].as_str()?;
            let processes = watched["processes"].as_array()?;
            let is_it = |it: &&Value| it["peer"] == *peer && it["pid"] == process.pid;
            processes.iter().find(is_it)?;
            Some(format!("peer:{peer}/{}", process.pid))
        }
    }
}
