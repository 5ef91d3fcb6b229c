//! What a reload changes: who comes, who goes, who changes, and what only a restart can change.
//!
//! Whether something changed is decided by the settings; what it is called comes from the keys
//! that were written. Nothing is done about it here.

mod written;

use super::{Config, DaemonSettings, DomainSettings};
use crate::api::TcpSettings;
use crate::listener::ListenerKind;
use crate::model::DomainName;
pub use written::Written;
pub(super) use written::elements;
use written::{Change, Changes};

/// The keys of `[daemon]` that the running daemon cannot follow, with all that is below them.
pub(super) const NEED_RESTART: [&str; 4] = ["journal", "log", "socket", "state-directory"];

/// What one configuration has that another has not.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Diff {
    /// Domains that are new.
    pub domains_added: Vec<DomainName>,
    /// Domains that are not there any more.
    pub domains_removed: Vec<DomainName>,
    /// Domains that are there still, with other settings.
    pub domains_changed: Vec<DomainChange>,
    /// Listeners that are new.
    pub listeners_added: Vec<String>,
    /// Listeners that are not there any more.
    pub listeners_removed: Vec<String>,
    /// Listeners that are there still, with other settings.
    pub listeners_changed: Vec<String>,
    /// The keys whose new values count from the next start of the daemon on.
    pub needs_restart: Vec<String>,
    /// All of it for people, a line each; none if nothing changes.
    pub lines: Vec<String>,
}

/// How a domain changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DomainChange {
    /// Which.
    pub name: DomainName,
    /// How it is reached changes: its session has to be opened anew.
    pub driver: bool,
    /// How it is understood and healed changes.
    pub healing: bool,
}

/// Returns what `new` changes about `old`.
pub fn diff(old: &Config, new: &Config) -> Diff {
    let mut diff = Diff::default();
    compare_daemons(&mut diff, old, new);
    compare_domains(&mut diff, old, new);
    compare_policies(&mut diff, old, new);
    compare_listeners(&mut diff, old, new);
    diff
}

fn compare_daemons(diff: &mut Diff, old: &Config, new: &Config) {
    for change in written::compare(&old.written.daemon, &new.written.daemon) {
        let key = if change.key.starts_with("api.") {
            change.key.clone()
        } else {
            format!("daemon.{}", change.key)
        };
        if needs_restart(&change.key) {
            diff.lines.push(format!("{key}: needs a restart"));
            diff.needs_restart.push(key);
        } else {
            diff.lines.push(format!("{key}: {}", change.how));
        }
    }
    // Another token in the same file.
    let before = old.api.iter().flat_map(|it| &it.tokens);
    for token in before {
        let mut now = new.api.iter().flat_map(|it| &it.tokens);
        let now = now.find(|it| it.name == token.name);
        let line = format!("api.token {}: changed", token.name);
        if now.is_some_and(|it| it != token) && !diff.lines.contains(&line) {
            diff.lines.push(line);
        }
    }
}

/// Returns whether a key of `[daemon]` or `[api]` counts from the start of the daemon to its end.
fn needs_restart(key: &str) -> bool {
    let first = key.split('.').next().unwrap_or_default();
    let is_token = key.starts_with("api.token");
    (first == "api" && !is_token) || NEED_RESTART.contains(&first)
}

impl Config {
    /// Tells programs of listeners the socket that the running daemon has, whichever the next one
    /// will have: nothing changes for them until then.
    pub fn keep_socket(&mut self, running: &Self) {
        for listener in &mut self.listeners {
            match &mut listener.kind {
                ListenerKind::Exec(it) | ListenerKind::Pipe(it) => {
                    it.socket = Some(running.daemon.socket.clone());
                }
                ListenerKind::Alertmanager(_) | ListenerKind::Log | ListenerKind::Webhook(_) => (),
            }
        }
    }

    /// Takes what only a restart can change from the configuration that the daemon runs by, so
    /// that the next difference names it again.
    pub fn keep_until_restart(&mut self, running: &Self) {
        self.daemon = DaemonSettings {
            stop_grace: self.daemon.stop_grace,
            ..running.daemon.clone()
        };
        let tokens = self.api.take().map(|it| it.tokens);
        self.api = running.api.clone().map(|api| TcpSettings {
            tokens: tokens.unwrap_or_default(),
            ..api
        });
        self.written.daemon.retain(|key, _| !needs_restart(key));
        let kept = &running.written.daemon;
        let kept = kept.iter().filter(|(key, _)| needs_restart(key));
        let kept = kept.map(|(key, digest)| (key.clone(), *digest));
        self.written.daemon.extend(kept);
    }
}

fn compare_domains(diff: &mut Diff, old: &Config, new: &Config) {
    for it in &new.domains {
        let Some(before) = old.domain(&it.name) else {
            diff.lines.push(format!("domain {}: added", it.name));
            diff.domains_added.push(it.name.clone());
            continue;
        };
        let driver = before.driver != it.driver;
        let healing = before.model != it.model || before.supervisor != it.supervisor;
        let mut changes =
            written::compare_named(&old.written.domains, &new.written.domains, it.name.as_str());
        let password = |it: &DomainSettings| it.driver.pilot.client.credentials.password.clone();
        if password(before) != password(it) {
            changes.name("password");
        }
        if before.supervisor.policies != it.supervisor.policies {
            changes.name("policies");
        }
        if before.supervisor.mode != it.supervisor.mode {
            changes.name("mode");
        }
        if driver || healing {
            changes.name_if_none("settings");
            diff.domains_changed.push(DomainChange {
                name: it.name.clone(),
                driver,
                healing,
            });
        }
        diff.tell(&format!("domain {}", it.name), &changes);
    }
    for it in &old.domains {
        if new.domain(&it.name).is_none() {
            diff.lines.push(format!("domain {}: removed", it.name));
            diff.domains_removed.push(it.name.clone());
        }
    }
}

/// Tells of policies that were written differently and change no domain.
fn compare_policies(diff: &mut Diff, old: &Config, new: &Config) {
    let concerns_some = new.domains.iter().any(|it| {
        old.domain(&it.name)
            .is_none_or(|before| before.supervisor.policies != it.supervisor.policies)
    });
    if old.written.policies != new.written.policies && !concerns_some {
        let line = "policies: changed, which concerns no domain";
        diff.lines.push(line.to_owned());
    }
}

fn compare_listeners(diff: &mut Diff, old: &Config, new: &Config) {
    for it in &new.listeners {
        let name = &it.name;
        let Some(before) = old.listener(name) else {
            diff.lines.push(format!("listener {name}: added"));
            diff.listeners_added.push(name.clone());
            continue;
        };
        let mut changes =
            written::compare_named(&old.written.listeners, &new.written.listeners, name);
        if before != it {
            changes.name_if_none("settings");
            diff.listeners_changed.push(name.clone());
        }
        diff.tell(&format!("listener {name}"), &changes);
    }
    for it in &old.listeners {
        if new.listener(&it.name).is_none() {
            diff.lines.push(format!("listener {}: removed", it.name));
            diff.listeners_removed.push(it.name.clone());
        }
    }
}

impl Diff {
    fn tell(&mut self, whose: &str, changes: &Changes) {
        let told: Vec<String> = changes
            .iter()
            .map(|Change { key, how }| format!("{key} {how}"))
            .collect();
        if !told.is_empty() {
            self.lines.push(format!("{whose}: {}", told.join(", ")));
        }
    }
}
