//! Signals as commands.
//!
//! signal-hook waits for them in a thread of its own; what they mean is decided here, what is done
//! about them elsewhere.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::sync::mpsc;

/// What a daemon can be asked from outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command {
    /// Read the configuration again and go on by it.
    Reload,
    /// Stop in order.
    Stop,
}

/// So many signals may wait; further ones to read the configuration say nothing new.
const SIGNALS_MAX: usize = 16;

/// Returns what the signals TERM and INT (stop) and HUP (read the configuration again) ask for.
///
/// # Errors
///
/// Fails if the operating system does not let them be handled.
pub fn listen() -> io::Result<mpsc::Receiver<Command>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let (sender, receiver) = mpsc::channel(SIGNALS_MAX);
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in signals.forever() {
                let is_heard = if signal == SIGHUP {
                    let sent = sender.try_send(Command::Reload);
                    !matches!(sent, Err(mpsc::error::TrySendError::Closed(_)))
                } else {
                    // Never lost, however many others wait.
                    sender.blocking_send(Command::Stop).is_ok()
                };
                if !is_heard {
                    return;
                }
            }
        })?;
    Ok(receiver)
}
