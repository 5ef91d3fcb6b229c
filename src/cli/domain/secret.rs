//! Passwords from a file, the environment or the terminal; never from the command line.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::termios::{self, LocalModes, OptionalActions, Termios};
use zeroize::Zeroizing;

use super::Failure;
use crate::nuodb::srp::Password;
use crate::telemetry::chain;
use crate::transport::read_password;

/// The longest password anybody types.
const TYPED_MAX: usize = 1_024;

/// Where a password may come from, in this order.
pub(super) struct Source<'a> {
    /// The file that was named, if one was.
    pub(super) file: Option<&'a Path>,
    /// The flag that names it.
    pub(super) flag: &'a str,
    /// The environment variable.
    pub(super) variable: &'a str,
    /// What to ask on the terminal.
    pub(super) prompt: &'a str,
}

/// Returns the password.
pub(super) fn read(source: &Source<'_>) -> Result<Password, Failure> {
    let Source {
        file,
        flag,
        variable,
        prompt,
    } = source;
    if let Some(path) = file {
        let password = read_password(path).map_err(|it| Failure::Usage(chain(&it)))?;
        return Ok(Password::new(password));
    }
    if let Some(text) = std::env::var_os(variable) {
        return match text.into_string() {
            Ok(text) => Ok(Password::new(text)),
            Err(_) => Err(Failure::Usage(format!("{variable} holds what is no text"))),
        };
    }
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        return ask(prompt).map(Password::new);
    }
    Err(Failure::Usage(format!(
        "there is no password; give {flag} FILE or set {variable}"
    )))
}

/// Asks on the terminal for the password that `prompt` is about; says why there is none.
pub(in crate::cli) fn ask_password(prompt: &str) -> Result<Password, String> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err("there is no terminal to ask for the password on".to_owned());
    }
    let typed = match ask(prompt) {
        Ok(typed) => typed,
        Err(Failure::Usage(why)) => return Err(why),
        Err(Failure::Domain(error)) => return Err(chain(&error)),
        Err(Failure::System(error)) => {
            return Err(format!("cannot ask for the password: {error}"));
        }
    };
    if typed.is_empty() {
        return Err("no password was typed".to_owned());
    }
    Ok(Password::new(typed))
}

/// Asks on the terminal, without showing what is typed.
fn ask(prompt: &str) -> Result<String, Failure> {
    let mut stderr = io::stderr().lock();
    write!(stderr, "{prompt}")?;
    stderr.flush()?;
    let stdin = io::stdin();
    let typed = {
        let _silence = Silence::new(&stdin)?;
        type_in(stdin.lock().bytes())
    };
    writeln!(stderr)?;
    match typed? {
        Some(text) => Ok(text),
        None => Err(Failure::Usage("no password was typed".to_owned())),
    }
}

/// Reads a line key by key; nothing if the person wants no more of it.
fn type_in(keys: impl Iterator<Item = io::Result<u8>>) -> io::Result<Option<String>> {
    const BACKSPACE: u8 = 0x08;
    const DELETE: u8 = 0x7f;
    const END_OF_FILE: u8 = 0x04;
    const INTERRUPT: u8 = 0x03;
    const KILL_LINE: u8 = 0x15;
    // Reserved at once, so that growing leaves no copies behind.
    let mut typed = Zeroizing::new(Vec::with_capacity(TYPED_MAX));
    for key in keys {
        match key? {
            b'\r' | b'\n' => break,
            INTERRUPT | END_OF_FILE => return Ok(None),
            KILL_LINE => typed.clear(),
            BACKSPACE | DELETE => {
                // A character may be several bytes, of which all but the first say so.
                while typed.pop().is_some_and(|it| it & 0xc0 == 0x80) {}
            }
            _ if typed.len() == TYPED_MAX => return Ok(None),
            key => typed.push(key),
        }
    }
    let text = std::str::from_utf8(&typed).map_err(io::Error::other)?;
    Ok(Some(text.to_owned()))
}

/// A terminal that shows nothing and interprets nothing, for as long as this lives.
///
/// Keys that would end the program arrive as such, so that it ends in order: a terminal that was
/// left without an echo is of no use to anybody.
struct Silence<'a, Terminal: AsFd> {
    terminal: &'a Terminal,
    before: Termios,
}

impl<'a, Terminal: AsFd> Silence<'a, Terminal> {
    fn new(terminal: &'a Terminal) -> io::Result<Self> {
        let before = termios::tcgetattr(terminal)?;
        let mut silent = before.clone();
        silent
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        termios::tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl<Terminal: AsFd> Drop for Silence<'_, Terminal> {
    fn drop(&mut self) {
        // What fails here leaves nothing that could be done.
        let _ = termios::tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &str) -> Option<String> {
        type_in(keys.bytes().map(Ok)).unwrap()
    }

    #[test]
    fn a_line_is_typed_and_corrected() {
        assert_eq!(typed("bird\nmore").as_deref(), Some("bird"));
        assert_eq!(typed("biré\u{7f}d\r").as_deref(), Some("bird"));
        assert_eq!(typed("fish\u{15}bird\n").as_deref(), Some("bird"));
        assert_eq!(typed("\u{8}\u{8}\n").as_deref(), Some(""));
    }

    #[test]
    fn who_wants_no_more_of_it_types_no_password() {
        assert_eq!(typed("bir\u{3}"), None);
        assert_eq!(typed("bir\u{4}"), None);
        assert_eq!(typed(&"x".repeat(TYPED_MAX + 1)), None);
    }
}
