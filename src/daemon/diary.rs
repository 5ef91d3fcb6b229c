//! The daemon's own journal: what is told in it, and what becomes of it when it cannot be written.
//!
//! Those of the domains are their event loops' to mind.

use std::sync::Arc;

use tracing::{error, info, warn};

use super::Daemon;
use crate::event::{Event, Kind, Subject};
use crate::journal::{Batch, Condition, Health};
use crate::telemetry::chain;

impl Daemon {
    /// Tells something about the daemon itself.
    pub(super) fn raise(&self, kind: Kind, text: Option<&str>) {
        let event = self.event(kind, text);
        self.journal.write(Batch {
            events: vec![event],
            ..Batch::default()
        });
    }

    /// Tells if the journal is not what it was.
    pub(super) fn say_condition(&self, condition: &Condition) {
        let (Condition::FromBackup { aside, why } | Condition::Lost { aside, why }) = condition
        else {
            return;
        };
        let text = format!(
            "the daemon's own journal is damaged ({why}) and was moved to {}; events before this \
             one are lost",
            aside.display()
        );
        error!("{text}");
        self.raise(Kind::Gap, Some(&text));
    }

    /// Notices that the journal broke or works again, and returns what there is to say of it.
    pub(super) async fn mind(&mut self, health: Health) -> Option<String> {
        match health {
            Health::Failed { why } if self.outage.is_none() => Some(self.break_off(why)),
            Health::Failed { .. } | Health::Working => None,
            Health::Writable => self.take_up().await,
        }
    }

    /// What the daemon tells of itself is lost from here on; domains have journals of their own.
    fn break_off(&mut self, why: Arc<str>) -> String {
        let text = format!("the daemon's own journal cannot be written: {why}");
        error!("{text}");
        self.dispatcher.alarm(&self.event(Kind::Gap, Some(&text)));
        self.outage = Some(why);
        text
    }

    async fn take_up(&mut self) -> Option<String> {
        let recovered = match self.journal.reopen().await {
            Ok(recovered) => recovered,
            Err(error) => {
                // The journal says when it is worth another try.
                let error = chain(&error);
                warn!("the daemon's own journal still cannot be used: {error}");
                return None;
            }
        };
        let text = "the daemon's own journal can be written again";
        info!("{text}");
        self.say_condition(&recovered.condition);
        let why = self.outage.take();
        let why = why.as_deref().unwrap_or("nobody had looked yet");
        let lost = format!(
            "what the daemon told of itself was not recorded for a while, as its journal could not \
             be written ({why})"
        );
        self.raise(Kind::Gap, Some(&lost));
        Some(text.to_owned())
    }

    fn event(&self, kind: Kind, text: Option<&str>) -> Event {
        let mut event = Event::new(self.clock.now(), None, kind, Subject::default());
        event.text = text.map(Into::into);
        event
    }
}
