//! The listener that posts events to an HTTP server.
//!
//! It takes an answer for what it is and never follows one elsewhere; when to try again is the
//! dispatcher's business.

mod signature;

use super::http::{Caller, HttpSettings};
use super::record::Record;
use super::secret::Secret;
use super::{Delivery, Listener, Notified, Reply};

/// Whom the listener calls.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WebhookSettings {
    /// The server.
    pub http: HttpSettings,
    /// What the body is signed with.
    pub secret: Option<Secret>,
}

/// Posts events to an HTTP server.
///
/// An answer of 2xx means done; 408, 425, 429 and 5xx, and no answer at all, mean try again;
/// everything else means never.
#[derive(Debug)]
pub struct Webhook {
    name: String,
    caller: Caller,
    secret: Option<Secret>,
    /// Whether the body is a list, however many events there are.
    is_list: bool,
}

impl Webhook {
    /// Returns the listener of that name, which posts one event, or a list of them.
    pub fn new(name: impl Into<String>, settings: WebhookSettings, is_list: bool) -> Self {
        Self {
            name: name.into(),
            caller: Caller::new(settings.http),
            secret: settings.secret,
            is_list,
        }
    }

    fn body(&self, delivery: Delivery<'_>) -> Vec<u8> {
        let mut records = delivery
            .events()
            .map(|it| Record::new(it).with_attempt(delivery.attempt));
        let body = if self.is_list {
            serde_json::to_vec(&records.collect::<Vec<_>>())
        } else {
            serde_json::to_vec(&records.next())
        };
        body.expect("names, numbers and text have a form in JSON")
    }
}

impl Listener for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn notify<'a>(&'a mut self, delivery: Delivery<'a>) -> Notified<'a> {
        Box::pin(async move {
            let body = self.body(delivery);
            let headers = match &self.secret {
                Some(secret) => signature::headers(secret, &body),
                None => Vec::new(),
            };
            match self.caller.post(body, &headers).await {
                Ok(()) => Ok(Reply::done()),
                Err(error) => Err(error.into_listener_error()),
            }
        })
    }
}

#[cfg(test)]
mod tests;
