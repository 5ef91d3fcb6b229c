//! Signs a body, so that its receiver can tell that it comes from us, and when it was sent.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::listener::secret::Secret;

/// Seconds since 1970 at which the body was sent. It is signed as well: an old call cannot be
/// passed off as a new one.
const TIMESTAMP: &str = "dbwarden-timestamp";

/// `sha256=` and the HMAC-SHA256 of the timestamp, a full stop and the body, in hexadecimal.
const SIGNATURE: &str = "dbwarden-signature";

/// Returns the headers that sign `body`.
pub(super) fn headers(secret: &Secret, body: &[u8]) -> Vec<(&'static str, String)> {
    signed(secret, body, now())
}

fn signed(secret: &Secret, body: &[u8], since_epoch: Duration) -> Vec<(&'static str, String)> {
    let timestamp = since_epoch.as_secs().to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes())
        .expect("a key of any length will do");
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    let digest = mac.finalize().into_bytes();
    let mut signature = "sha256=".to_owned();
    for byte in digest {
        write!(signature, "{byte:02x}").expect("a text takes whatever is written");
    }
    vec![(TIMESTAMP, timestamp), (SIGNATURE, signature)]
}

#[expect(
    clippy::disallowed_methods,
    reason = "the receiver compares the wall clock; nothing is decided by it here"
)]
fn now() -> Duration {
    let now = SystemTime::now();
    now.duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_other_tools_compute() {
        let secret = Secret::new("It's a Secret to Everybody");
        let since_epoch = Duration::from_millis(1_732_147_445_678);
        let headers = signed(&secret, b"{\"id\":\"prod/3/18\"}", since_epoch);
        // printf '%s' '1732147445.{"id":"prod/3/18"}' \
        //   | openssl dgst -sha256 -hmac "It's a Secret to Everybody"
        assert_eq!(headers[0], (TIMESTAMP, "1732147445".to_owned()));
        assert_eq!(
            headers[1],
            (
                SIGNATURE,
                "sha256=e5d061511f48c80698c4da35fcc2bb81da5ce7865856807f25869b9035759742"
                    .to_owned()
            )
        );
    }
}
