//! The operator's port, as the daemon carries it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::info;

use super::{Daemon, DaemonError, Ended};
use crate::api::{
    self, ConfigState, DaemonPort, DomainPort, Listening, Now, Permits, Port, Socket, Token,
};
use crate::config::Config;

/// The port, bound before anything else runs and served until everything else has stopped.
pub(super) struct Api {
    socket: Option<Socket>,
    tcp: Option<Listening>,
    tokens: watch::Sender<Arc<[Token]>>,
    domains: watch::Sender<Arc<[DomainPort]>>,
    permits: watch::Sender<Arc<Permits>>,
    /// What became of the configuration.
    pub(super) config: watch::Sender<ConfigState>,
    stop: watch::Sender<bool>,
    /// Its one task.
    pub(super) tasks: JoinSet<Ended>,
}

impl Api {
    /// Takes the socket, which another daemon may have, and the port over TCP, if there is one.
    pub(super) fn bind(config: &Config) -> Result<Self, DaemonError> {
        let socket = api::bind(&config.daemon.socket).map_err(DaemonError::Api)?;
        let tcp = config.api.clone().map(api::listen).transpose();
        Ok(Self {
            socket: Some(socket),
            tcp: tcp.map_err(DaemonError::Api)?,
            tokens: watch::Sender::new(tokens(config)),
            domains: watch::Sender::new(Arc::new([])),
            permits: watch::Sender::new(Arc::new(BTreeMap::new())),
            config: watch::Sender::new(ConfigState::default()),
            stop: watch::Sender::new(false),
            tasks: JoinSet::new(),
        })
    }

    /// Lets it finish what it is answering.
    pub(super) async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Daemon {
    /// Begins to answer people; domains are shown once they are [published](Self::publish).
    pub(super) fn serve(&mut self, generation: u64) {
        self.api.config.send_replace(ConfigState {
            generation,
            loaded: self.clock.now().wall,
            rejected: None,
        });
        let clock = self.clock;
        let port = Port {
            domains: self.api.domains.subscribe(),
            daemon: DaemonPort {
                journal: self.journal.clone(),
                version: env!("CARGO_PKG_VERSION"),
                started: self.clock.now().wall,
                config: self.api.config.subscribe(),
                now: Now::new(move || clock.now()),
            },
            permits: self.api.permits.subscribe(),
            tokens: self.api.tokens.subscribe(),
            listens: self.api.tcp.as_ref().map(Listening::address),
        };
        if let Some(address) = port.listens {
            info!(%address, "the API listens");
        }
        let Some(socket) = self.api.socket.take() else {
            return;
        };
        let tcp = self.api.tcp.take();
        let (stop, watcher) = (self.api.stop.subscribe(), self.api.stop.subscribe());
        self.api.tasks.spawn(async move {
            let result = api::serve(socket, tcp, port, stop).await;
            let is_asked = *watcher.borrow();
            let label = "the operator's port".to_owned();
            (label, is_asked, result.map_err(DaemonError::Api))
        });
    }

    /// Shows the port what runs now.
    pub(super) fn publish(&self) {
        let configured = self.config.domains.iter();
        let domains = configured.filter_map(|it| Some(self.watched.get(&it.name)?.port(&it.name)));
        self.api.domains.send_replace(domains.collect());
        let registrations = self.registrations();
        let permits = registrations
            .iter()
            .map(|it| (it.name.clone(), it.terms.may_request.clone()));
        self.api.permits.send_replace(Arc::new(permits.collect()));
        let tokens = tokens(&self.config);
        // Whoever was let in by others has to come again.
        self.api.tokens.send_if_modified(|before| {
            let is_news = *before != tokens;
            *before = tokens;
            is_news
        });
    }
}

/// Returns who is let in over TCP.
fn tokens(config: &Config) -> Arc<[Token]> {
    let tokens = config.api.iter().flat_map(|it| it.tokens.clone());
    tokens.collect()
}
