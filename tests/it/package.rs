//! What the package is made of: files that are there, a configuration that is fine, a unit that
//! says what it must.
//!
//! That it installs and works is told by `tests/live/systemd.py`, under a real systemd.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use toml::{Table, Value};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_file_of_the_package_is_there() {
    let manifest: Table = read("Cargo.toml").parse().unwrap();
    let deb = &manifest["package"]["metadata"]["deb"];
    let assets = deb["assets"].as_array().unwrap();
    assert!(assets.len() > 10, "{assets:?}");
    for asset in assets {
        let source = asset[0].as_str().unwrap();
        // Of `docs/*.md` and its like the folder must be there; what is below target is built.
        let path = source.split_once('*').map_or(source, |it| it.0);
        assert!(
            path.starts_with("target/") || root().join(path).exists(),
            "there is no {path}"
        );
        // Nothing but the program may be run, and nothing but root may write.
        let mode = asset[2].as_str().unwrap();
        let expected = if source.ends_with("/dbwarden") {
            "755"
        } else {
            "644"
        };
        assert_eq!(mode, expected, "{source}");
    }
    let units = &deb["systemd-units"];
    for key in ["enable", "start"] {
        assert_eq!(units[key], Value::Boolean(false), "{key}");
    }
    assert!(root().join("systemd/dbwarden.service").exists());
}

#[test]
fn the_packaged_configuration_lacks_nothing_but_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let check = || {
        Command::new(env!("CARGO_BIN_EXE_dbwarden"))
            .args(["check", "config/packaged.toml"])
            .current_dir(root())
            .env("CREDENTIALS_DIRECTORY", folder.path())
            .output()
            .unwrap()
    };
    let lacks = check();
    let complaint = String::from_utf8(lacks.stderr).unwrap();
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    assert!(complaint.contains("password"), "{complaint}");
    assert_eq!(lacks.status.code(), Some(78));

    let secret = folder.path().join("prod");
    fs::write(&secret, "bird\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let fine = check();
    let said = String::from_utf8(fine.stdout).unwrap();
    assert_eq!(
        said,
        "config/packaged.toml: fine: 1 domain, 1 policy, 1 listener\n"
    );
    assert!(fine.stderr.is_empty(), "{:?}", fine.stderr);
}

#[test]
fn the_unit_gives_a_reason_for_what_it_says() {
    let unit = read("systemd/dbwarden.service");
    for line in [
        "Type=notify",
        "ExecStart=/usr/bin/dbwarden run --config /etc/dbwarden/dbwarden.toml",
        "RestartPreventExitStatus=64 78",
        "StartLimitIntervalSec=0",
        "StateDirectory=dbwarden",
        "RuntimeDirectory=dbwarden",
        "DynamicUser=yes",
    ] {
        assert!(unit.lines().any(|it| it == line), "no {line}");
    }
    let value = |key: &str| unit.lines().find_map(|it| it.strip_prefix(key));
    // A loop is stuck after 30 s; a daemon is silent for no other reason before that.
    let watchdog: u32 = value("WatchdogSec=").unwrap().parse().unwrap();
    assert!(watchdog > 30, "{watchdog}");
    assert!(value("ExecReload=").is_some());
}
