//! `dbwarden completions` and `dbwarden man`, as a packager runs them.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Output, Stdio};

fn dbwarden(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dbwarden"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Returns the commands that `--help` tells of behind `path`.
fn told(path: &[&str]) -> Vec<String> {
    let help = dbwarden(&[path, &["--help"]].concat());
    let text = String::from_utf8(help.stdout).unwrap();
    let lines = text
        .lines()
        .skip_while(|it| *it != "Commands:")
        .skip(1)
        .take_while(|it| !it.is_empty())
        .filter(|it| it.starts_with("  ") && !it.starts_with("   "));
    let names = lines.filter_map(|it| it.split_whitespace().next());
    names
        .filter(|it| *it != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_has_a_page_and_nothing_else_has() {
    let folder = tempfile::tempdir().unwrap();
    // It is made, with what leads to it.
    let out = folder.path().join("share/man1");
    let made = dbwarden(&["man", "--out", out.to_str().unwrap()]);
    assert_eq!(made.status.code(), Some(0), "{made:?}");

    let mut expected = BTreeSet::from(["dbwarden.1".to_owned()]);
    for command in told(&[]) {
        expected.insert(format!("dbwarden-{command}.1"));
        for inner in told(&[&command]) {
            expected.insert(format!("dbwarden-{command}-{inner}.1"));
            for last in told(&[&command, &inner]) {
                expected.insert(format!("dbwarden-{command}-{inner}-{last}.1"));
            }
        }
    }
    for known in ["dbwarden-run.1", "dbwarden-domain-tags-set.1"] {
        assert!(expected.contains(known), "{expected:?}");
    }
    let written: BTreeSet<String> = fs::read_dir(&out)
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(written, expected);

    let page = fs::read_to_string(out.join("dbwarden-run.1")).unwrap();
    for part in [
        ".TH dbwarden-run 1",
        "Watch the configured domains and heal them",
        "\\-\\-mode",
        "/etc/dbwarden/dbwarden.toml",
        "Exit codes: 0 stopped in order",
    ] {
        assert!(page.contains(part), "`{part}` is missing:\n{page}");
    }
}

#[test]
fn every_shell_learns_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let made = dbwarden(&["completions", shell]);
        assert_eq!(made.status.code(), Some(0), "{shell}: {made:?}");
        let script = String::from_utf8(made.stdout).unwrap();
        for command in told(&[]) {
            assert!(script.contains(&command), "{shell}: no `{command}`");
        }
        assert!(script.contains("accept-lost-memory"), "{shell}");
    }
}

#[test]
fn bash_completes_by_it() {
    let script = "source <(\"$0\" completions bash)
        COMP_WORDS=(dbwarden maint) COMP_CWORD=1
        _dbwarden dbwarden maint dbwarden
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let done = Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_dbwarden")])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&done.stdout),
        "maintenance\n",
        "{done:?}"
    );
}

#[test]
fn what_cannot_be_written_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let refused = dbwarden(&["man", "--out", file.to_str().unwrap()]);
    let complaint = String::from_utf8_lossy(&refused.stderr);
    let expected = format!("dbwarden: cannot write the manual to {}", file.display());
    assert!(complaint.starts_with(&expected), "{complaint}");
    assert_eq!(refused.status.code(), Some(1));

    for arguments in [&["man"][..], &["completions"], &["completions", "csh"]] {
        assert_eq!(dbwarden(arguments).status.code(), Some(64), "{arguments:?}");
    }

    let full = Command::new(env!("CARGO_BIN_EXE_dbwarden"))
        .args(["completions", "zsh"])
        .stdout(Stdio::from(fs::File::create("/dev/full").unwrap()))
        .output()
        .unwrap();
    assert_eq!(full.status.code(), Some(1));
    let complaint = String::from_utf8_lossy(&full.stderr);
    assert!(complaint.starts_with("dbwarden: cannot write the completions: "));
}
