//! What a server's answer means, and what is kept of it.
//!
//! Of a refusal its beginning is kept, for people; of anything else nothing.

use std::fmt;
use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::Secret;

/// How many characters of a refusal are kept.
const KEPT: usize = 512;

/// How much of an answer is read before its connection is given up; what is read to its end can be
/// used for the next call.
const READ: usize = 64 * 1024;

/// The longest pause a server may ask for: somebody who answers with days means somebody else.
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// A server's no.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    status: StatusCode,
    /// How long it wants not to be asked again.
    retry_after: Option<Duration>,
    /// Where it says that somebody else would take the call.
    moved: bool,
    /// What it says, from the beginning.
    text: String,
}

impl Refusal {
    /// Returns whether another try can help.
    pub(crate) fn is_temporary(&self) -> bool {
        self.status == StatusCode::REQUEST_TIMEOUT
            || self.status == StatusCode::TOO_EARLY
            || self.status == StatusCode::TOO_MANY_REQUESTS
            || self.status.is_server_error()
    }

    /// Returns how long the server wants not to be asked again, within bounds.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if self.moved {
            f.write_str(", which is not followed: write the new address as `url`")?;
        }
        match self.text.trim() {
            "" => Ok(()),
            text => write!(f, "; it says: {}", text.escape_debug()),
        }
    }
}

/// Why a call was not taken.
#[derive(Debug)]
pub(super) enum NotTaken {
    /// The server said so.
    Refused(Refusal),
    /// Its answer broke off.
    Torn(reqwest::Error),
}

/// Reads an answer, as far as it matters; none of `secrets` is kept of what it says, should it say
/// again what it was told.
pub(super) async fn judge(mut response: Response, secrets: &[Secret]) -> Result<(), NotTaken> {
    let status = response.status();
    let mut refusal = Refusal {
        status,
        retry_after: retry_after(response.headers(), now()),
        moved: status.is_redirection() && response.headers().contains_key(LOCATION),
        text: String::new(),
    };
    let mut body = Vec::new();
    while body.len() < READ {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            // The status was said; but a server that breaks off may not have done what it said.
            Err(error) if status.is_success() => return Err(NotTaken::Torn(error)),
            Ok(None) | Err(_) => break,
        }
    }
    if status.is_success() {
        return Ok(());
    }
    let mut text = String::from_utf8_lossy(&body).into_owned();
    for secret in secrets {
        text = text.replace(secret.reveal(), "***");
    }
    refusal.text = text.chars().take(KEPT).collect();
    Err(NotTaken::Refused(refusal))
}

/// Returns the pause that is asked for: as seconds, or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = if !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit()) {
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = httpdate::parse_http_date(text).ok()?;
        date.duration_since(now).unwrap_or_default()
    };
    Some(pause.min(MAX_PAUSE))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a date means a pause only to who knows the wall clock; nothing else is decided"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_by_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (text, seconds) in [
            ("7", Some(7)),
            (" 120 ", Some(120)),
            ("99999999999999999999999", Some(3600)),
            ("Sun, 06 Nov 1994 08:49:38 GMT", Some(1)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("Sat, 06 Nov 2094 08:49:37 GMT", Some(3600)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            let headers = [(RETRY_AFTER, text.parse().unwrap())].into_iter().collect();
            let pause = retry_after(&headers, now);
            assert_eq!(pause, seconds.map(Duration::from_secs), "{text}");
        }
    }
}
