//! What a reload is told to change: story by story, and for every key there is.

use super::*;
use crate::config::keys::{Form, Key, TOP, Table};

fn lines(old: &str, new: &str) -> String {
    diff(&good(old), &good(new)).lines.join("\n")
}

const LISTENER: &str = r#"
[[listener]]
name = "page-me"
kind = "exec"
command = ["/bin/sh"]
"#;

#[test]
fn nothing_changed_is_an_empty_difference() {
    let text = story("everything");
    assert_eq!(diff(&good(&text), &good(&text)), Diff::default());
}

#[test]
fn another_way_to_write_the_same_is_no_difference() {
    let old = format!("{DOMAIN}probe-interval = \"90s\"\nframe-limit = \"1MiB\"\n[[policy]]");
    let new = format!(
        "# a comment\n[daemon]\nmode = \"heal\"\n{DOMAIN}frame-limit = 1048576\n\
         probe-interval = \"1m 30s\"\nsettle = \"2s\"\n[[policy]]\nroles = [\"te\"]"
    );
    let diff = diff(&good(&old), &good(&new));
    assert!(diff == Diff::default(), "{diff:?}");
}

#[test]
fn a_domain_that_changes_is_told_with_its_keys() {
    let new = DOMAIN.replace("\"db1\"", "[\"db1\", \"db2\"]");
    let new = format!("{new}tls = {{}}\n[[domain.database]]\nname = \"teas\"\n[[policy]]");
    let (old, new) = (good(DOMAIN), good(&new));
    let diff = diff(&old, &new);
    assert_eq!(
        diff.lines,
        ["domain prod: brokers changed, database teas added, tls added, policies changed"]
    );
    let change = DomainChange {
        name: "prod".into(),
        driver: true,
        healing: true,
    };
    assert_eq!(diff.domains_changed, [change]);
    assert!(diff.needs_restart.is_empty());
}

#[test]
fn what_concerns_healing_only_leaves_the_session_alone() {
    let new = format!("{DOMAIN}\n[[policy]]\nconfirm-for = \"1s\"");
    let diff = diff(&good(&format!("{DOMAIN}\n[[policy]]")), &good(&new));
    assert_eq!(diff.lines, ["domain prod: policies changed"]);
    assert!(!diff.domains_changed[0].driver && diff.domains_changed[0].healing);
}

#[test]
fn an_experiment_that_begins_or_ends_is_told_and_leaves_the_session_alone() {
    let new = format!("{DOMAIN}experimental = [\"archive-history\"]");
    for (old, new) in [(DOMAIN, &*new), (&*new, DOMAIN)] {
        let diff = diff(&good(old), &good(new));
        assert_eq!(diff.lines, ["domain prod: experimental changed"]);
        assert!(!diff.domains_changed[0].driver && diff.domains_changed[0].healing);
    }
}

#[test]
fn domains_and_listeners_come_and_go() {
    let old = format!("{DOMAIN}{LISTENER}");
    let new = format!(
        "{}\n[[listener]]\nname = \"log\"\nkind = \"log\"\n",
        DOMAIN.replace("prod", "test")
    );
    let told = "domain test: added\ndomain prod: removed\n\
                listener log: added\nlistener page-me: removed";
    assert_eq!(lines(&old, &new), told);
    // Whether the log was asked for or is there by itself is the same.
    assert_eq!(
        lines(DOMAIN, &new),
        "domain test: added\ndomain prod: removed"
    );
}

#[test]
fn a_listener_that_changes_is_told_with_its_keys() {
    let new = LISTENER.replace("\"/bin/sh\"", "\"/bin/sh\", \"-x\"");
    let new = format!("{DOMAIN}{new}retry = {{ tries = 3 }}\n");
    let diff = diff(&good(&format!("{DOMAIN}{LISTENER}")), &good(&new));
    assert_eq!(
        diff.lines,
        ["listener page-me: command changed, retry.tries changed"]
    );
    assert_eq!(diff.listeners_changed, ["page-me"]);
}

#[test]
fn what_needs_a_restart_says_so() {
    let new = format!(
        "[daemon]\nstate-directory = \"/else\"\nstop-grace = \"3s\"\n\
         log = {{ filter = \"debug\" }}\n[daemon.journal]\nretain-for = \"2d\"\n{DOMAIN}"
    );
    let changed = good(&new);
    let diff = diff(&good(DOMAIN), &changed);
    assert_eq!(
        diff.lines,
        [
            "daemon.journal.retain-for: needs a restart",
            "daemon.log.filter: needs a restart",
            "daemon.state-directory: needs a restart",
            "daemon.stop-grace: changed",
        ]
    );
    let needs = ["journal.retain-for", "log.filter", "state-directory"];
    let needs: Vec<String> = needs.iter().map(|it| format!("daemon.{it}")).collect();
    assert_eq!(diff.needs_restart, needs);
    // It is told until there was one.
    let mut new = changed.clone();
    new.keep_until_restart(&good(DOMAIN));
    assert_eq!(new.daemon.state_directory, Path::new("/var/lib/dbwarden"));
    assert_eq!(new.daemon.stop_grace, Duration::from_secs(3));
    assert_eq!(super::diff(&new, &changed).needs_restart, needs);
}

#[test]
fn another_socket_concerns_no_listener_before_the_restart() {
    let old = good(&format!("{DOMAIN}{LISTENER}"));
    let new = format!("[daemon]\nsocket = \"/else\"\n{DOMAIN}{LISTENER}");
    let mut new = good(&new);
    assert_eq!(diff(&old, &new).listeners_changed, ["page-me"]);
    new.keep_socket(&old);
    let diff = diff(&old, &new);
    assert!(diff.listeners_changed.is_empty());
    assert_eq!(diff.lines, ["daemon.socket: needs a restart"]);
}

#[test]
fn a_new_password_is_told_and_not_shown() {
    let old = good(DOMAIN);
    let sources = sources::text(Path::new("f.toml"), DOMAIN);
    let new = understand(sources, &|_| Some("open".to_owned()), Purpose::Run).unwrap();
    let diff = diff(&old, &new);
    assert_eq!(diff.lines, ["domain prod: password changed"]);
    assert!(diff.domains_changed[0].driver);
    let shown = format!("{diff:?}{old:?}{new:?}");
    assert!(!shown.contains("sesame") && !shown.contains("open\""));
}

#[test]
fn a_mode_from_the_command_line_holds_whatever_the_file_says() {
    let mut old = good(DOMAIN);
    let mut new = good(&format!("[daemon]\nmode = \"suggest\"\n{DOMAIN}"));
    assert_eq!(
        diff(&old, &new).lines,
        ["daemon.mode: changed", "domain prod: mode changed"]
    );
    old.override_mode(supervisor::Mode::Observe);
    new.override_mode(supervisor::Mode::Observe);
    assert_eq!(diff(&old, &new), Diff::default());
}

#[test]
fn policies_that_concern_nobody_are_told() {
    let new = format!("{DOMAIN}\n[[policy]]\ndomains = [\"prod\"]");
    let old = format!("{DOMAIN}\n[[policy]]\ndomains = [\"*\"]");
    // The patterns are settings, too.
    assert_eq!(lines(&old, &new), "domain prod: policies changed");
    let two = DOMAIN.replace("prod", "test");
    let policy = |text: &str| format!("{DOMAIN}{two}\n[[policy]]\ndomains = [\"test\"]\n{text}");
    assert_eq!(
        lines(&policy(""), &policy("confirm-for = \"1s\"")),
        "domain test: policies changed"
    );
}

/// Returns another value than a literal of the reference.
fn other(literal: &str) -> String {
    let quoted = literal
        .strip_prefix('"')
        .and_then(|it| it.strip_suffix('"'));
    match literal {
        "true" => "false".to_owned(),
        "false" => "true".to_owned(),
        "\"10s\"" => "\"11s\"".to_owned(),
        _ if literal.parse::<u64>().is_ok() => format!("{literal}1"),
        _ if literal.starts_with('\'') => "'true'".to_owned(),
        _ if literal.starts_with('[') => literal.replacen('[', "[\"another\", ", 1),
        _ if literal.starts_with('{') => "{ another = 1 }".to_owned(),
        _ => match quoted {
            Some(text) if humantime::parse_duration(text).is_ok() => format!("\"{text} 7ms\""),
            Some(text) => format!("\"another {text}\""),
            None => panic!("say in this function what else than {literal} may be written"),
        },
    }
}

/// A key that has a value.
struct Visited<'a> {
    key: &'static Key,
    /// Where it stands, from the top.
    path: &'a str,
    /// Writes the tables in which it stands around it.
    wrap: &'a dyn Fn(&str) -> String,
}

/// Calls `see` with every key that has a value.
fn visit(
    table: &'static Table,
    path: &str,
    wrap: &dyn Fn(&str) -> String,
    see: &mut dyn FnMut(&Visited<'_>),
) {
    for key in table.keys {
        let path = format!("{path}.{}", key.name);
        match &key.form {
            Form::Default(_) | Form::Example(_) | Form::Required(_) => {
                see(&Visited {
                    key,
                    path: &path,
                    wrap,
                });
            }
            Form::DefaultTable(inner, _)
            | Form::ExampleTable(inner, _)
            | Form::RequiredTable(inner, _) => {
                let within = |it: &str| wrap(&format!("{} = {{ {it} }}", key.name));
                visit(inner, &path, &within, see);
            }
            Form::Section(inner) => {
                let within = |it: &str| format!("[{}]\n{it}", inner.path);
                visit(inner, &path, &within, see);
            }
            Form::Sections(inner) => {
                let name = if inner.key("name").is_some() {
                    "name = \"n\"\n"
                } else {
                    ""
                };
                let within = |it: &str| wrap("") + &format!("\n[[{}]]\n{name}{it}", inner.path);
                visit(inner, &path, &within, see);
            }
        }
    }
}

/// A key that is added to the reference is found here by itself; that is what this test is for.
#[test]
fn every_key_of_the_reference_shows_in_the_difference() {
    let written = |text: &str| {
        let sources = sources::text(Path::new("f.toml"), text);
        assert!(sources.torn.is_empty(), "{text}: {:?}", sources.torn);
        Written::new(&sources.root)
    };
    let mut seen = Vec::new();
    visit(&TOP, "", &|_| String::new(), &mut |visited| {
        let Visited { key, path, wrap } = *visited;
        seen.push(path.to_owned());
        if key.name == "name" {
            // Another name is another thing.
            return;
        }
        let value = |it: &str| written(&wrap(&format!("{} = {it}", key.name)));
        let (old, new) = (value(key.literal()), value(&other(key.literal())));
        let mut config = good(DOMAIN);
        let mut changed = config.clone();
        for (config, written) in [(&mut config, old), (&mut changed, new)] {
            config.domains[0].name = "n".into();
            config.listeners[0].name = "n".to_owned();
            config.written = written;
        }
        let diff = diff(&config, &changed);
        let told = diff.lines.join("\n");
        let named = match path.split('.').collect::<Vec<_>>()[1..] {
            ["policy", ..] => "policies",
            ["api", "token", ..] => "api.token n",
            ["domain", table @ ("database" | "peer" | "reason"), _]
            | [_, table @ ("password" | "secret"), _] => table,
            _ => key.name,
        };
        assert!(told.contains(named), "{path}: told was {told:?}");
        assert_eq!(diff.lines.len(), 1, "{path}: {told}");
    });
    for path in [
        ".daemon.journal.quota",
        ".domain.tls.ca",
        ".domain.peer.dial",
    ] {
        assert!(seen.iter().any(|it| it == path), "{path}");
    }
    assert!(seen.len() > 60, "{seen:?}");
}

/// The other half: what is told changes settings as well, so that somebody does something.
#[test]
fn every_key_of_a_domain_and_a_policy_changes_settings() {
    let mut tried = 0;
    visit(&TOP, "", &|_| String::new(), &mut |visited| {
        let Visited { key, path, .. } = *visited;
        let head = match path.split('.').nth(1) {
            Some("domain") if path.matches('.').count() == 2 => format!("{DOMAIN}HERE\n[[policy]]"),
            Some("policy") if path.matches('.').count() == 2 => format!("{DOMAIN}[[policy]]\nHERE"),
            _ => return,
        };
        let literal = match path {
            ".domain.experimental" => "[\"archive-history\"]".to_owned(),
            ".domain.strategy" => "\"random\"".to_owned(),
            ".policy.keep" => "\"declared\"\nte = { min = 1 }".to_owned(),
            ".policy.prefer" | ".policy.require" => "{ region = \"us\" }".to_owned(),
            ".policy.after-stages" => "\"hold\"".to_owned(),
            ".policy.stages" => "[{ where = \"elsewhere\" }]".to_owned(),
            ".policy.databases" => "[\"teas\"]".to_owned(),
            ".policy.domains" => "[\"prod\"]".to_owned(),
            ".domain.reconnect-max" | ".policy.delay-max" => "\"1h\"".to_owned(),
            ".domain.frame-limit" => "\"1MiB\"".to_owned(),
            ".policy.roles" => "[\"te\", \"sm\"]".to_owned(),
            ".policy.leftover" => "\"kill\"".to_owned(),
            // There is one kind; the others stand in DOMAIN.
            ".domain.kind" => return,
            _ => other(key.literal()),
        };
        let line = format!("\n{} = {literal}\n", key.name);
        let text = head.replace("HERE", &line);
        let Ok(new) = try_read(&text) else {
            assert!(DOMAIN.contains(key.name), "{path}: {text}");
            return;
        };
        let diff = diff(&good(&head.replace("HERE", "")), &new);
        assert_eq!(diff.domains_changed.len(), 1, "{path}: {diff:?}");
        tried += 1;
    });
    assert!(tried > 25, "{tried}");
}
