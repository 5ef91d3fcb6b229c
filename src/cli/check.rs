//! `dbwarden check`: says what is wrong with a configuration, or that nothing is.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Exit;
use crate::config;

/// Check a configuration file and report every problem in it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file to check.
    #[arg(required_unless_present = "reference")]
    file: Option<PathBuf>,

    /// Write a file with every key, what it means, and its default.
    #[arg(long, conflicts_with = "file")]
    reference: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Exit {
    let written = match &args.file {
        None => write!(io::stdout().lock(), "{}", config::reference()).map(|()| Exit::Fine),
        Some(file) => match config::load(file) {
            Ok(config) => tell_fine(file, &config).map(|()| Exit::Fine),
            Err(problems) => writeln!(io::stderr().lock(), "{problems}").map(|()| Exit::Config),
        },
    };
    written.unwrap_or(Exit::Failed)
}

/// Says what there is, and what is doubtful about it.
fn tell_fine(file: &Path, config: &config::Config) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    for warning in &config.warnings {
        writeln!(stderr, "warning: {warning}")?;
    }
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}: fine: {}", file.display(), Summary(config))
}

/// A configuration as one line.
struct Summary<'a>(&'a config::Config);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config::Config {
            domains,
            listeners,
            policies,
            daemon: _,
            files,
            ..
        } = self.0;
        count(f, domains.len(), "domain", "domains")?;
        f.write_str(", ")?;
        count(f, *policies, "policy", "policies")?;
        f.write_str(", ")?;
        count(f, listeners.len(), "listener", "listeners")?;
        if files.len() > 1 {
            f.write_str(", in ")?;
            count(f, files.len(), "file", "files")?;
        }
        Ok(())
    }
}

/// Writes so many of something.
fn count(f: &mut fmt::Formatter<'_>, number: usize, one: &str, many: &str) -> fmt::Result {
    write!(f, "{number} {}", if number == 1 { one } else { many })
}
