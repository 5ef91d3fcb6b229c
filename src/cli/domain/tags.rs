//! `dbwarden domain tags`: the tags of a peer, which placement rules go by.

use clap::Subcommand;

use super::{Failure, patiently, say};
use crate::driver::nuodb::Domain;

/// Read, set and delete the tags of a peer.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the tags of a peer, one KEY=VALUE a line
    Get {
        /// The peer: HOST:PORT or its host
        peer: String,
    },
    /// Set tags of a peer; its other tags stay
    Set {
        /// The peer: HOST:PORT or its host
        peer: String,
        /// What to set
        #[arg(required = true, value_name = "KEY=VALUE", value_parser = pair)]
        tags: Vec<(String, String)>,
    },
    /// Delete tags of a peer
    Delete {
        /// The peer: HOST:PORT or its host
        peer: String,
        /// What to delete
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
    },
}

/// Runs the command.
pub(super) async fn run(args: &Args, domain: &mut Domain) -> Result<(), Failure> {
    match &args.command {
        Command::Get { peer } => {
            let peer = domain.peer(peer)?.clone();
            let mut tags = patiently("reading the tags", domain.tags(&peer)).await?;
            tags.sort();
            tags.iter()
                .try_for_each(|(key, value)| say(format_args!("{key}={value}")))
        }
        Command::Set { peer, tags } => {
            let peer = domain.peer(peer)?.clone();
            let set = domain.set_tags(&peer, tags.clone());
            Ok(patiently("setting the tags", set).await?)
        }
        Command::Delete { peer, keys } => {
            let peer = domain.peer(peer)?.clone();
            let deleted = domain.delete_tags(&peer, keys.clone());
            Ok(patiently("deleting the tags", deleted).await?)
        }
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err("write KEY=VALUE".to_owned()),
    }
}
