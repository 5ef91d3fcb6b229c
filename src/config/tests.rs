//! Stories: this file, these problems; this file, these settings.

mod api;
mod diffs;
mod drop_ins;
mod secrets;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use expect_test::expect_file;

use super::*;
use crate::listener::{Header, ListenerKind, Terms};
use crate::nuodb::frame::DEFAULT_LIMIT;
use crate::policy::Policy;
use crate::supervisor::Experiment;

/// Where files, and what is told of them, lie beside each other.
const STORIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config/stories");

/// A good domain, for stories about something else.
const DOMAIN: &str = r#"
[[domain]]
name = "prod"
brokers = "db1"
user = "domain"
password = { env = "SECRET" }
"#;

fn variable(name: &str) -> Option<String> {
    match name {
        "DBWARDEN_PASSWORD" | "SECRET" => Some("sesame".to_owned()),
        "DBWARDEN_TOKEN" => Some("sesame-0123456789".to_owned()),
        "HOOK" => Some("https://hooks.example.com/sesame".to_owned()),
        _ => None,
    }
}

fn try_read(text: &str) -> Result<Config, Problems> {
    understand(
        sources::text(Path::new("f.toml"), text),
        &variable,
        Purpose::Run,
    )
}

fn good(text: &str) -> Config {
    try_read(text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Compares what is told with `stories/NAME.txt`; `UPDATE_EXPECT=1` writes it anew.
#[track_caller]
fn assert_told(name: &str, told: &str) {
    let path = format!("{STORIES}/{name}.txt");
    expect_file![path].assert_eq(&format!("{}\n", told.trim_end()));
}

fn story(name: &str) -> String {
    fs::read_to_string(format!("{STORIES}/{name}.toml")).unwrap()
}

#[test]
fn a_small_file_means_the_defaults_of_the_modules() {
    let mut config = good(DOMAIN);
    assert_eq!(config.daemon, DaemonSettings::default());
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(config.listeners[0].terms, Terms::default());
    assert_eq!(config.listeners[0].kind, ListenerKind::Log);

    let domain = config.domains.remove(0);
    assert_eq!(domain.name.as_str(), "prod");
    let pilot = domain.driver.pilot;
    assert!(domain.driver.tls.is_none());
    assert_eq!(pilot.brokers[0].to_string(), "db1:48004");
    assert_eq!(pilot.client.credentials.user, "domain");
    assert_eq!(pilot.client.credentials.password.reveal(), "sesame");
    assert_eq!(pilot.client.frame_limit, DEFAULT_LIMIT);
    assert!(!pilot.client.inside_tls && !pilot.client.allow_legacy_ciphers);
    let defaults = supervisor::Settings::new("prod".into());
    assert_eq!(format!("{:?}", domain.supervisor), format!("{defaults:?}"));
    let defaults = model::Settings::default();
    assert_eq!(format!("{:?}", domain.model), format!("{defaults:?}"));
}

#[test]
fn a_plain_policy_is_the_default_one() {
    let config = good(&format!("{DOMAIN}[[policy]]"));
    assert_eq!(config.domains[0].supervisor.policies, [Policy::default()]);
}

#[test]
fn everything_that_can_be_said_is_heard() {
    let config = good(&story("everything"));
    let told = format!("{config:#?}");
    assert!(!told.contains("sesame"), "{told}");
    assert_told("everything", &told);
}

#[test]
fn problems_are_told_all_at_once_with_their_places() {
    for name in [
        "engine-options",
        "many-problems",
        "peers",
        "torn",
        "unknown-keys",
    ] {
        let problems = try_read(&story(name)).expect_err(name);
        assert_told(name, &problems.to_string());
    }
}

#[test]
fn an_empty_file_watches_nothing() {
    let problems = try_read("").unwrap_err();
    assert_eq!(
        problems.to_string(),
        "f.toml: domain: there is no domain to watch; write a [[domain]]"
    );
}

#[test]
fn passwords_come_from_where_they_are_safe() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str, mode| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    write("good", "sesame\n", 0o600);
    write("windows", "sesame\r\n", 0o400);
    write("exposed", "sesame", 0o644);
    write("empty", "\n", 0o600);
    let file = directory.path().join("f.toml");
    let credentials = directory.path().to_str().unwrap().to_owned();
    let variable = |name: &str| (name == "CREDENTIALS_DIRECTORY").then(|| credentials.clone());
    let read = |password: &str| {
        let text = DOMAIN.replace("{ env = \"SECRET\" }", password);
        understand(sources::text(&file, &text), &variable, Purpose::Run)
    };
    for password in [
        "{ file = \"good\" }",
        "{ file = \"windows\" }",
        "{ credential = \"good\" }",
    ] {
        let config = read(password).unwrap();
        let credentials = &config.domains[0].driver.pilot.client.credentials;
        assert_eq!(credentials.password.reveal(), "sesame");
    }
    let mut told = String::new();
    for password in [
        "{}",
        "{ file = \"exposed\" }",
        "{ file = \"empty\" }",
        "{ file = \"missing\" }",
        "{ file = \".\" }",
        "{ credential = \"../good\" }",
        "{ env = \"NOT_SET\" }",
    ] {
        let problems = read(password).err().unwrap().to_string();
        told.push_str(&problems.replace(&credentials, "DIR"));
        told.push('\n');
    }
    assert!(!told.contains("sesame"));
    assert_told("passwords", &told);
}

#[test]
fn files_of_tls_are_tried() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f.toml");
    let key = rcgen::generate_simple_self_signed(["ca".to_owned()]).unwrap();
    fs::write(directory.path().join("ca.pem"), key.cert.pem()).unwrap();
    let read = |tls: &str| {
        let text = format!("{DOMAIN}tls = {tls}");
        understand(sources::text(&file, &text), &variable, Purpose::Run)
    };
    let mut config = read("{ ca = \"ca.pem\", verify-name = false }").unwrap();
    let driver = config.domains.remove(0).driver;
    assert!(driver.pilot.client.inside_tls);
    let tls = driver.tls.unwrap();
    assert_eq!(tls.ca.unwrap(), directory.path().join("ca.pem"));
    assert!(!tls.verify_name);

    let mut told = String::new();
    for tls in [
        "{ ca = \"missing.pem\" }",
        "{ ca = \"ca.pem\", cert = \"ca.pem\" }",
        "{ ca = 3, verify-names = true }",
    ] {
        let problems = read(tls).err().unwrap().to_string();
        let path = directory.path().to_str().unwrap();
        told.push_str(&problems.replace(path, "DIR"));
        told.push('\n');
    }
    assert_told("tls", &told);
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let missing = load(&directory.path().join("missing.toml")).unwrap_err();
    assert!(missing.to_string().contains("No such file"), "{missing}");
    load(directory.path()).unwrap_err();
    let latin = directory.path().join("latin.toml");
    fs::write(&latin, b"[daemon]\n# caf\xe9\n").unwrap();
    let problems = load(&latin).unwrap_err();
    assert!(problems.to_string().contains("latin.toml:2:6: is no UTF-8"));
}

#[test]
fn programs_do_not_get_the_variables_that_hold_passwords() {
    let text = r#"
[[listener]]
name = "page"
kind = "exec"
command = ["/bin/sh"]
"#;
    let config = good(&format!("{DOMAIN}{text}"));
    let ListenerKind::Exec(settings) = &config.listeners[0].kind else {
        panic!("it is no program")
    };
    assert_eq!(settings.withhold, ["SECRET"]);
}

#[test]
fn nothing_that_a_listener_shows_stands_where_others_read() {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    fs::write(&token, "Bearer sesame\n").unwrap();
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    let text = r#"
[[listener]]
name = "hook"
kind = "webhook"
url = "https://hooks.example.com/sesame"
headers = { authorization = { file = "token" }, X-Team = "db" }
secret = { env = "SECRET" }

[[listener]]
name = "page"
kind = "exec"
command = ["/bin/sh"]
"#;
    let file = directory.path().join("f.toml");
    let text = format!("{DOMAIN}{text}");
    let config = understand(sources::text(&file, &text), &variable, Purpose::Run).unwrap();
    let told = format!("{config:#?}");
    assert!(!told.contains("sesame"), "{told}");
    let ListenerKind::Webhook(hook) = &config.listeners[0].kind else {
        panic!("it calls nobody")
    };
    assert_eq!(hook.http.url.to_string(), "https://hooks.example.com");
    let names: Vec<_> = hook.http.headers.iter().map(Header::name).collect();
    assert_eq!(names, ["authorization", "x-team"]);
    assert_eq!(hook.secret.as_ref().unwrap().reveal(), "sesame");
    let ListenerKind::Exec(settings) = &config.listeners[1].kind else {
        panic!("it is no program")
    };
    assert_eq!(settings.withhold, ["SECRET", "SECRET"]);

    let problems = try_read(&story("listeners")).unwrap_err().to_string();
    assert!(!problems.contains("sesame"), "{problems}");
    assert_told("listeners", &problems);
}

/// To renew the file: `UPDATE_EXPECT=1 cargo test --lib config`, or
/// `dbwarden check --reference > config/reference.toml`.
#[test]
fn the_reference_is_up_to_date() {
    expect_file!["../../config/reference.toml"].assert_eq(&reference());
}

#[test]
fn the_reference_says_the_defaults() {
    let short = r#"
        [api]
        listen = "127.0.0.1:8674"
        [[api.token]]
        name = "ada"
        role = "operator"
        secret = { env = "DBWARDEN_TOKEN" }
        [[domain]]
        name = "prod"
        brokers = ["db1:48004", "db2:48004"]
        user = "domain"
        password = { env = "DBWARDEN_PASSWORD" }
        [[domain.reason]]
        contains = "cannot allocate memory"
        means = "host-out"
        [[domain.database]]
        name = "teas"
        [[domain.peer]]
        name = "db1"
        [[policy]]
    "#;
    let expected = format!("{:#?}", good(short));
    assert_eq!(format!("{:#?}", good(&reference())), expected);
}

#[test]
fn the_examples_of_the_reference_are_good() {
    // Files that are not there on this machine are the only problem with them, and keys that the
    // kind of listener does not have.
    let uncomment = |line: &str| {
        let example = line.strip_prefix("# ").and_then(|it| it.split_once(" = "));
        let is_key = example.is_some_and(|(key, _)| !key.contains(' '));
        line[if is_key { 2 } else { 0 }..].to_owned()
    };
    let text: Vec<String> = reference().lines().map(uncomment).collect();
    let text = text.join("\n");
    let text = text.replace("kind = \"log\"", "kind = \"exec\"");
    let problems = try_read(&text).unwrap_err();
    for problem in &problems {
        let told = &problem.problem;
        let is_known = told.contains("No such file") || told.contains("only for a listener of");
        assert!(is_known, "{problem}");
    }
}

#[test]
fn the_sample_is_good() {
    let text = include_str!("../../config/sample.toml");
    let problems = try_read(text).err().map(|it| it.to_string());
    let text = problems.unwrap_or_default();
    for line in text.lines() {
        assert!(line.contains("No such file"), "{line}");
    }
}

#[test]
fn a_doubt_is_told_and_does_not_stop_anything() {
    let config = good(&format!("{DOMAIN}[daemon]\nstop-grace = \"2m\""));
    let told: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "f.toml:8:14: daemon.stop-grace: is longer than the 1m 30s that the service unit gives \
             the daemon to stop; write a shorter one, or raise TimeoutStopSec= with systemctl edit"
        ]
    );
    let unit = include_str!("../../systemd/dbwarden.service");
    assert!(unit.contains("\nTimeoutStopSec=90\n"));
}

#[test]
fn what_rests_on_unconfirmed_protocol_is_off_unless_it_is_named_and_then_warned_of() {
    let domain = |experimental: &str| format!("{DOMAIN}experimental = {experimental}");
    for off in [DOMAIN, &*domain("[]")] {
        let config = good(off);
        assert!(config.domains[0].supervisor.experiments.is_empty());
        assert!(config.warnings.is_empty());
    }
    let config = good(&domain("[\"archive-history\"]"));
    let on: Vec<_> = config.domains[0].supervisor.experiments.iter().collect();
    assert_eq!(on, [&Experiment::ArchiveHistory]);
    let told: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    let [told] = &told[..] else {
        panic!("{told:?}");
    };
    assert!(
        told.ends_with(
            "domain.experimental: has \"archive-history\", which rests on unconfirmed protocol; \
             try it on a domain that nobody needs, or leave it out"
        ),
        "{told}"
    );
    for (wrong, problem) in [
        (
            "[\"archive-histroy\"]",
            "`archive-histroy` is unknown; did you mean",
        ),
        (
            "[\"engine-options\"]",
            "`engine-options` is unknown; write \"archive-history\"",
        ),
        ("\"archive-history\"", "is text; write a list such as []"),
    ] {
        let told = try_read(&domain(wrong)).unwrap_err().to_string();
        assert!(told.contains(problem), "{told}");
    }
}
