//! Stories of secrets: where they come from, whose they are, and what a reload does with them.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::nuodb::srp::Password;

/// Somebody who is neither us nor the administrator.
const STRANGER: u32 = 54_321;

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Writes a configuration with this password, and returns where it lies.
fn configuration(directory: &TempDir, password: &str, more: &str) -> PathBuf {
    let path = directory.path().join("dbwarden.toml");
    let text = DOMAIN.replace("{ env = \"SECRET\" }", password);
    write(&path, &format!("{text}{more}"), 0o644);
    path
}

fn password(config: &Config) -> &str {
    let credentials = &config.domains[0].driver.pilot.client.credentials;
    credentials.password.reveal()
}

fn nobody(prompt: &str) -> Result<Password, String> {
    panic!("nobody was to be asked: {prompt}")
}

#[test]
fn a_password_is_asked_for_once_and_kept() {
    let directory = TempDir::new().unwrap();
    let path = configuration(&directory, "{ prompt = true }", "");
    let mut loader = Loader::new(path.clone(), None);
    let mut asked = Vec::new();
    let config = loader.start(&mut |prompt: &str| {
        asked.push(prompt.to_owned());
        Ok(Password::new("sesame".to_owned()))
    });
    assert_eq!(password(&config.unwrap()), "sesame");
    assert_eq!(asked, ["Password of domain in the domain prod: "]);
    let again = loader.reload().unwrap();
    assert_eq!(password(&again), "sesame");
    assert!(!format!("{loader:?}").contains("sesame"));

    // It belongs to that user of that domain.
    let text = fs::read_to_string(&path).unwrap();
    write(&path, &text.replace("\"domain\"", "\"other\""), 0o644);
    assert_eq!(
        loader.reload().unwrap_err().to_string(),
        format!(
            "{}:6:23: domain.password.prompt: no password was typed for this user when the daemon \
             started; restart the daemon on a terminal, or use `file`",
            path.display()
        )
    );
}

#[test]
fn nobody_is_asked_while_something_is_wrong_or_to_check_only() {
    let directory = TempDir::new().unwrap();
    let path = configuration(&directory, "{ prompt = true }", "");
    load(&path).unwrap();
    let path = configuration(&directory, "{ prompt = true }", "colour = 1");
    Loader::new(path, None).start(&mut nobody).unwrap_err();
    let path = configuration(&directory, "{ prompt = false }", "");
    let problems = Loader::new(path, None).start(&mut nobody).unwrap_err();
    let problems = problems.to_string();
    assert!(problems.contains("is false; write true"), "{problems}");
    let path = configuration(&directory, "{ prompt = true, env = \"SECRET\" }", "");
    let problems = Loader::new(path, None).start(&mut nobody).unwrap_err();
    let problems = problems.to_string();
    assert!(
        problems.ends_with("write exactly one of `file`, `credential`, `env`, `prompt`"),
        "{problems}"
    );
}

#[test]
fn who_types_nothing_is_told_where_it_was_wanted() {
    let directory = TempDir::new().unwrap();
    let path = configuration(&directory, "{ prompt = true }", "");
    let mut loader = Loader::new(path.clone(), None);
    let problems = loader.start(&mut |_: &str| Err("there is no terminal".to_owned()));
    assert_eq!(
        problems.unwrap_err().to_string(),
        format!(
            "{}:6:23: domain.password.prompt: there is no terminal; use `file` where nobody is",
            path.display()
        )
    );
}

#[test]
fn secrets_are_read_again_and_a_mode_goes_before_the_file() {
    let directory = TempDir::new().unwrap();
    let secret = directory.path().join("secret");
    write(&secret, "one", 0o600);
    let path = configuration(&directory, "{ file = \"secret\" }", "");
    let mut loader = Loader::new(path, Some(supervisor::Mode::Observe));
    let old = loader.start(&mut nobody).unwrap();
    assert_eq!(old.domains[0].supervisor.mode, supervisor::Mode::Observe);
    write(&secret, "two", 0o600);
    let new = loader.reload().unwrap();
    assert_eq!(password(&new), "two");
    assert_eq!(diff(&old, &new).lines, ["domain prod: password changed"]);
    fs::remove_file(&secret).unwrap();
    loader.reload().unwrap_err();
}

/// Only the administrator can give files away, and is the only one whom this concerns: who is
/// nobody else's cannot read what only its owner may.
#[test]
fn what_a_stranger_owns_is_refused_to_run_by_and_doubted_in_a_check() {
    let directory = TempDir::new().unwrap();
    let secret = directory.path().join("secret");
    let program = directory.path().join("program");
    write(&secret, "sesame", 0o600);
    write(&program, "#!/bin/sh\n", 0o755);
    for path in [&secret, &program] {
        match chown(path, Some(STRANGER), None) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return,
            given => given.unwrap(),
        }
    }
    let listener = format!(
        "\n[[listener]]\nname = \"page\"\nkind = \"exec\"\ncommand = [\"{}\"]\n",
        program.display()
    );
    let path = configuration(&directory, "{ file = \"secret\" }", &listener);
    let told = |text: String| text.replace(directory.path().to_str().unwrap(), "DIR");
    let refused = Loader::new(path.clone(), None).start(&mut nobody);
    let expected = "\
        DIR/dbwarden.toml:6:21: domain.password.file: DIR/secret holds a secret and belongs to the \
        user 54321; run chown on it, or run this as that user\n\
        DIR/dbwarden.toml:11:12: listener.command: DIR/program belongs to the user 54321, who can \
        change it; run chown on it, or run this as that user";
    assert_eq!(told(refused.unwrap_err().to_string()), expected);
    let doubted = load(&path).unwrap().warnings;
    let doubted: Vec<String> = doubted.iter().map(ToString::to_string).collect();
    assert_eq!(told(doubted.join("\n")), expected);
}
