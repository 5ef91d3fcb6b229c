//! A daemon with a listener of its own: it says how long databases were without an engine.
//!
//! It remembers since when across restarts, since it hands that to the journal together with its
//! place among the events. Everything else is as the configuration says:
//!
//! ```text
//! dbwarden sandbox --listen 127.0.0.1:48004 --database teas
//! cargo run --example listener -- config.toml
//! dbwarden sandbox-ctl crash PID
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use dbwarden::config::Loader;
use dbwarden::daemon::{self, Settings, Stage};
use dbwarden::event::{Kind, Recorded};
use dbwarden::listener::{
    Delivery, Filter, Listener, ListenerError, Notified, Registration, Reply, Terms,
};

/// What it is called: in logs, and in the journal, which remembers by it what was told.
const NAME: &str = "downtime";

/// Adds up for how long databases were inactive.
#[derive(Default)]
struct Downtime {
    /// When the last engine of a database went, in microseconds since 1970.
    since: BTreeMap<String, u64>,
}

impl Downtime {
    /// Takes in an event, and returns what there is to say about it.
    ///
    /// The same event may come twice, with the same id, if the daemon or this listener failed
    /// just before it could be noted. Here that changes nothing.
    fn learn(&mut self, recorded: &Recorded) -> Option<String> {
        let event = &recorded.event;
        let domain = event.domain.as_ref()?;
        let name = format!("{domain}/{}", event.subject.database.as_ref()?);
        let now = event.time.wall.as_unix_micros();
        if event.kind == Kind::DatabaseInactive {
            self.since.entry(name).or_insert(now);
            return None;
        }
        let since = self.since.remove(&name)?;
        let down = Duration::from_micros(now.saturating_sub(since));
        Some(format!("{name} was down for {down:?}"))
    }
}

impl Listener for Downtime {
    fn name(&self) -> &str {
        NAME
    }

    #[expect(clippy::print_stdout, reason = "an example shows what it does")]
    fn notify<'a>(&'a mut self, delivery: Delivery<'a>) -> Notified<'a> {
        Box::pin(async move {
            if delivery.attempt > 10 {
                // Whatever fails is tried again; this would make it a dead letter.
                return Err(ListenerError::permanent("this has gone on for too long"));
            }
            for recorded in delivery.events() {
                if let Some(text) = self.learn(recorded) {
                    println!("{text}");
                }
            }
            Ok(Reply::done())
        })
    }

    fn recall(&mut self, memo: &str) {
        self.since = serde_json::from_str(memo).unwrap_or_default();
    }

    fn memo(&self) -> Option<String> {
        serde_json::to_string(&self.since).ok()
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("say CONFIG")?;
    let mut loader = Loader::new(path.into(), None);
    let config = loader.reload()?;
    let listener = Registration {
        name: NAME.to_owned(),
        terms: Terms {
            events: Filter::from_iter([Kind::DatabaseActive, Kind::DatabaseInactive]),
            ..Terms::default()
        },
        // Each domain has one of its own.
        make: Arc::new(|| Box::new(Downtime::default())),
    };
    let settings = Settings {
        config,
        listeners: vec![listener],
        heartbeat: None,
    };
    let commands = daemon::listen()?;
    let tell = |_: Stage| ();
    let reload = || loader.reload().map_err(|problems| problems.to_string());
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(daemon::run(settings, commands, tell, reload))?;
    Ok(())
}
