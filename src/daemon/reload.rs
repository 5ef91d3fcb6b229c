//! Swaps one configuration for another while everything runs: wholly, or not at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::time::timeout;
use tracing::{info, warn};

use super::event_loop::Order;
use super::watched::Opened;
use super::{Daemon, stop};
use crate::config::{self, Config, Diff, DomainSettings};
use crate::event::Kind;
use crate::listener::Registration;
use crate::model::DomainName;
use crate::telemetry::chain;

impl Daemon {
    /// Reads the configuration again and goes on by it, unless something is wrong with it.
    pub(super) async fn reload(&mut self, load: &mut impl FnMut() -> Result<Config, String>) {
        let prepared = load().and_then(|new| {
            let diff = config::diff(&self.config, &new);
            let opened = self.prepare(&new, &diff)?;
            Ok((new, diff, opened))
        });
        match prepared {
            Err(problems) => {
                warn!("the configuration has problems; the old one stays: {problems}");
                self.raise(Kind::ConfigRejected, Some(&problems));
                let problems: Arc<str> = problems.into();
                self.api
                    .config
                    .send_modify(|it| it.rejected = Some(problems));
            }
            Ok((new, diff, opened)) => self.swap(new, diff, opened).await,
        }
    }

    /// Does all that can fail, without changing anything that runs.
    fn prepare(&self, new: &Config, diff: &Diff) -> Result<Vec<(DomainSettings, Opened)>, String> {
        let added = new
            .domains
            .iter()
            .filter(|it| diff.domains_added.contains(&it.name));
        added
            .map(|settings| {
                let opened = Opened::open(&self.state, settings, &self.config.daemon.journal);
                let opened = opened.map_err(|error| {
                    format!(
                        "the journal of the domain `{}` cannot be used: {}",
                        settings.name,
                        chain(&error)
                    )
                })?;
                Ok((settings.clone(), opened))
            })
            .collect()
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
        for name in &diff.domains_removed {
            self.forget(name).await;
        }
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
        let generation = self.api.config.borrow().generation;
        let mut lines = diff.lines.clone();
        if lines.is_empty() {
            lines.push("nothing changed".to_owned());
        }
        let text = format!("generation {generation}: {}", lines.join("; "));
        info!("the configuration was read again: {text}");
        self.raise(Kind::ConfigReloaded, Some(&text));
    }

    /// Ends watching a domain; its journal stays on disk.
    async fn forget(&mut self, name: &DomainName) {
        let Some(watched) = self.watched.remove(name) else {
            return;
        };
        watched.stop();
        self.pulse.leave(name);
        let grace = self.config.daemon.stop_grace;
        if timeout(grace, watched.stopped()).await.is_err() {
            warn!(domain = name.as_str(), "is still busy; it ends when it can");
        }
        stop::report(name.as_str(), watched.dispatcher.flush(grace).await);
        watched.journal.close().await;
    }

    /// Lets listeners that go or change finish what they are at, and starts the new ones.
    async fn change_listeners(&mut self, diff: &Diff) {
        let gone: BTreeSet<&String> = diff
            .listeners_removed
            .iter()
            .chain(&diff.listeners_changed)
            .collect();
        let gone: Vec<String> = gone.into_iter().cloned().collect();
        let is_new = |it: &Registration| {
            let mut names = diff.listeners_added.iter().chain(&diff.listeners_changed);
            names.any(|name| *name == it.name)
        };
        let fresh: Vec<Registration> = self.registrations().into_iter().filter(is_new).collect();
        if gone.is_empty() && fresh.is_empty() {
            return;
        }
        let grace = self.config.daemon.stop_grace;
        let names: Vec<String> = self.registrations().into_iter().map(|it| it.name).collect();
        let dispatchers = self
            .watched
            .values_mut()
            .map(|it| (&mut it.dispatcher, &it.journal))
            .chain([(&mut self.dispatcher, &self.journal)]);
        let mut changes = Vec::new();
        for (dispatcher, journal) in dispatchers {
            let (gone, fresh, names) = (&gone, fresh.clone(), &names);
            changes.push(async move {
                dispatcher.retire(gone, grace).await;
                if let Err(error) = journal.keep_listeners(names).await {
                    warn!(
                        "cannot forget the listeners that are gone: {}",
                        chain(&error)
                    );
                }
                for registration in fresh {
                    dispatcher.add(registration);
                }
            });
        }
        join_all(changes).await;
    }

    async fn change_domains(&mut self, diff: &Diff) {
        for change in &diff.domains_changed {
            let settings = self.config.domains.iter().find(|it| it.name == change.name);
            let (Some(settings), Some(watched)) = (settings, self.watched.get(&change.name)) else {
                continue;
            };
            if change.healing {
                let both = Box::new(self.healing(settings));
                // A loop that is gone ends the daemon, which is told elsewhere.
                let _ = watched.orders.send(Order::Configure(both)).await;
            }
            if change.driver {
                let driver = Box::new(settings.driver.clone());
                let _ = watched.orders.send(Order::Drive(driver)).await;
            }
        }
    }
}
