//! Swaps one configuration for another while everything runs: wholly, or not at all.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;
use tracing::{info, warn};

use super::clock::Clock;
use super::event_loop::Order;
use super::watched::{Opened, Watched};
use super::{Daemon, stop};
use crate::config::{self, Config, Diff, DomainSettings};
use crate::event::Kind;
use crate::listener::Unfinished;
use crate::model::DomainName;
use crate::telemetry::chain;

impl Daemon {
    /// Reads the configuration again and goes on by it, unless something is wrong with it. Returns
    /// a line that says which.
    pub(super) async fn reload(
        &mut self,
        load: &mut impl FnMut() -> Result<Config, String>,
    ) -> String {
        let mut new = match load() {
            Ok(new) => new,
            Err(problems) => return self.reject(problems),
        };
        // Programs of listeners find us where we are, not where we shall be.
        new.keep_socket(&self.config);
        let diff = config::diff(&self.config, &new);
        match self.prepare(&new, &diff).await {
            Ok(opened) => {
                self.swap(new, diff, opened).await;
                self.standing()
            }
            Err(problems) => self.reject(problems),
        }
    }

    /// Stays with the old configuration, and says why, in short to whoever asked for it.
    fn reject(&self, problems: String) -> String {
        let refusal = self.refusal(&problems);
        warn!("the configuration has problems; the old one stays: {problems}");
        self.raise(Kind::ConfigRejected, Some(&problems));
        let problems: Arc<str> = problems.into();
        self.api
            .config
            .send_modify(|it| it.rejected = Some(problems));
        refusal
    }

    /// Does all that can fail, without changing anything that runs.
    async fn prepare(
        &self,
        new: &Config,
        diff: &Diff,
    ) -> Result<Vec<(DomainSettings, Opened)>, String> {
        let (mut all, mut problems) = (Vec::new(), Vec::new());
        for settings in &new.domains {
            if !diff.domains_added.contains(&settings.name) {
                continue;
            }
            match Opened::open(&self.state, settings, &self.config.daemon.journal) {
                Ok(opened) => all.push((settings.clone(), opened)),
                Err(error) => problems.push(format!(
                    "the journal of the domain `{}` cannot be used: {}",
                    settings.name,
                    chain(&error)
                )),
            }
        }
        if problems.is_empty() {
            return Ok(all);
        }
        join_all(all.into_iter().map(|(_, it)| it.journal.close())).await;
        Err(problems.join("\n"))
    }

    async fn swap(&mut self, new: Config, diff: Diff, opened: Vec<(DomainSettings, Opened)>) {
        let mut new = new;
        // What only a restart can change stays as it is.
        new.keep_until_restart(&self.config);
        self.config = new;
        let loaded = self.clock.now().wall;
        self.api.config.send_modify(|it| {
            it.generation += 1;
            it.loaded = loaded;
            it.rejected = None;
        });
        self.forget(&diff.domains_removed).await;
        self.change_listeners(&diff).await;
        self.change_domains(&diff).await;
        let registrations = self.registrations();
        for (settings, opened) in opened {
            let name = settings.name.clone();
            if let Err(error) = self.watch(settings, opened, registrations.clone()) {
                // The journal was good when it was opened a moment ago.
                warn!(domain = name.as_str(), "cannot watch: {}", chain(&error));
                self.raise(Kind::ConfigRejected, Some(&chain(&error)));
            }
        }
        self.publish();
        self.forget_listeners().await;
        let generation = self.api.config.borrow().generation;
        let mut lines = diff.lines.clone();
        if lines.is_empty() {
            lines.push("nothing changed".to_owned());
        }
        let text = format!("generation {generation}: {}", lines.join("; "));
        info!("the configuration was read again: {text}");
        self.raise(Kind::ConfigReloaded, Some(&text));
    }

    /// Ends watching domains; their journals stay on disk.
    async fn forget(&mut self, names: &[DomainName]) {
        let grace = self.config.daemon.stop_grace;
        let mut farewells = Vec::new();
        for name in names {
            if let Some(watched) = self.watched.remove(name) {
                watched.stop();
                self.pulse.leave(name);
                farewells.push(bid_farewell(name, watched, self.clock, grace));
            }
        }
        join_all(farewells).await;
    }

    /// Lets listeners that change finish what they are at, and those that go hear the rest; starts
    /// the new ones.
    async fn change_listeners(&mut self, diff: &Diff) {
        let (changed, removed) = (&diff.listeners_changed, &diff.listeners_removed);
        let mut fresh = self.registrations();
        fresh.retain(|it| changed.contains(&it.name) || diff.listeners_added.contains(&it.name));
        let grace = self.config.daemon.stop_grace;
        let names = self.watched.iter_mut();
        let dispatchers = names
            .map(|(name, it)| (name.as_str(), &mut it.dispatcher))
            .chain([("the daemon", &mut self.dispatcher)]);
        let swaps = dispatchers.map(|(domain, dispatcher)| {
            let fresh = fresh.clone();
            async move {
                dispatcher.retire(changed, grace).await;
                for registration in fresh {
                    dispatcher.add(registration);
                }
                report(domain, dispatcher.dismiss(removed, grace).await);
            }
        });
        join_all(swaps).await;
    }

    /// Lets the journals forget where listeners stand that are not configured any more: nothing is
    /// kept for them.
    pub(super) async fn forget_listeners(&self) {
        let names: Vec<String> = self.registrations().into_iter().map(|it| it.name).collect();
        let journals = self.watched.values().map(|it| &it.journal);
        let kept = journals
            .chain([&self.journal])
            .map(|it| it.keep_listeners(&names));
        for error in join_all(kept).await.into_iter().filter_map(Result::err) {
            warn!(
                "cannot forget the listeners that are gone: {}",
                chain(&error)
            );
        }
    }

    /// Lets the event loops of the domains that stay know what changes for them, if only that
    /// there was another configuration.
    async fn change_domains(&mut self, diff: &Diff) {
        for settings in &self.config.domains {
            let Some(watched) = self.watched.get(&settings.name) else {
                continue;
            };
            let accepted = self.accepted(settings);
            // A loop that is gone ends the daemon, which is told elsewhere.
            let _ = watched.orders.send(Order::Configure(accepted)).await;
            let mut changes = diff.domains_changed.iter();
            if changes.any(|it| it.name == settings.name && it.driver) {
                let driver = Box::new(settings.driver.clone());
                let _ = watched.orders.send(Order::Drive(driver)).await;
            }
        }
    }
}

/// Ends watching a domain, within the grace period but for attempts that must be broken off.
async fn bid_farewell(name: &DomainName, watched: Watched, clock: Clock, grace: Duration) {
    let deadline = clock.timestamp() + grace;
    if timeout(grace, watched.stopped()).await.is_err() {
        warn!(domain = name.as_str(), "is still busy; it ends when it can");
    }
    // Listeners are to hear the last that was written as well.
    let rest = deadline.since(clock.timestamp());
    let _ = timeout(rest, stop::on_record(&watched.journal)).await;
    let rest = deadline.since(clock.timestamp());
    let unfinished = watched.dispatcher.dismiss_all(rest).await;
    report(name.as_str(), unfinished);
    watched.journal.close().await;
}

/// Says who was not told everything, and never will be.
fn report(domain: &str, unfinished: Vec<Unfinished>) {
    for it in unfinished {
        let (listener, told, last) = (it.name, it.told, it.last);
        warn!(
            domain,
            listener, told, last, "is gone, and will not be told the rest"
        );
    }
}
