//! Where an HTTP server is, and what it wants to be shown.

use std::fmt;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use thiserror::Error;

use super::Secret;
use crate::transport::TlsClientSettings;

/// Where and how a listener calls an HTTP server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpSettings {
    /// Where it is.
    pub url: Address,
    /// What is sent along beyond what belongs to the call itself.
    pub headers: Vec<Header>,
    /// What is trusted and shown where the address begins with `https`.
    pub tls: TlsClientSettings,
}

impl HttpSettings {
    /// Returns the settings of a server that needs nothing but to be called.
    pub fn new(url: Address) -> Self {
        Self {
            url,
            headers: Vec::new(),
            tls: TlsClientSettings {
                ca: None,
                cert: None,
                key: None,
                verify_name: true,
            },
        }
    }
}

impl HttpSettings {
    /// Returns what must not be shown of what is sent, the longest first.
    pub(super) fn secrets(&self) -> Vec<Secret> {
        let url = self.url.to_url();
        let mut texts = vec![url.as_str(), url.path(), url.query().unwrap_or_default()];
        texts.extend([url.username(), url.password().unwrap_or_default()]);
        for header in &self.headers {
            texts.push(header.value.reveal());
            // Such as what stands behind `Bearer`.
            texts.extend(header.value.reveal().split_whitespace());
        }
        // What is shorter says nothing, and stands everywhere.
        texts.retain(|it| it.len() >= 4);
        texts.sort_by_key(|it| std::cmp::Reverse(it.len()));
        texts.into_iter().map(Secret::new).collect()
    }
}

/// The address of an HTTP server.
///
/// What stands behind host and port may be a secret, as may be a user in front of them: neither is
/// ever shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Address {
    text: Secret,
    shown: String,
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// Fails when it is no URL of HTTP.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let url = Url::parse(text).map_err(|_| AddressError::NoUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(AddressError::NoHttp);
        }
        if url.fragment().is_some() {
            return Err(AddressError::Fragment);
        }
        Ok(Self {
            // An HTTP URL has an origin: scheme, host and port, and nothing else.
            shown: url.origin().ascii_serialization(),
            text: Secret::new(url.as_str()),
        })
    }

    /// Returns the address with `path` behind what it has for one.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        let mut url = self.to_url();
        let joined = format!("{}{path}", url.path().trim_end_matches('/'));
        url.set_path(&joined);
        Self {
            text: Secret::new(url.as_str()),
            shown: self.shown.clone(),
        }
    }

    /// Returns whether a user or a password stands in it.
    pub fn has_credentials(&self) -> bool {
        let url = self.to_url();
        !url.username().is_empty() || url.password().is_some()
    }

    /// Returns whether it is called over TLS.
    pub fn is_secure(&self) -> bool {
        self.shown.starts_with("https:")
    }

    /// Returns the address itself.
    pub(super) fn to_url(&self) -> Url {
        Url::parse(self.text.reveal()).expect("it was parsed when it was made")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Address {
    /// Shows scheme, host and port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Why a text is no address. It is not repeated: there may be a secret in it.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum AddressError {
    /// There is something behind `#`.
    #[error("has a `#`, and what stands behind one is never sent")]
    Fragment,
    /// It is the address of something else.
    #[error("begins with neither http:// nor https://")]
    NoHttp,
    /// It is no URL at all.
    #[error("is no URL")]
    NoUrl,
}

/// A header that is sent along. Its value is never shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Header {
    name: String,
    value: Secret,
}

impl Header {
    /// Returns the header of that name.
    ///
    /// # Errors
    ///
    /// Fails when HTTP does not allow the name or the value, or when the header is not the
    /// caller's to set.
    pub fn new(name: &str, value: Secret) -> Result<Self, HeaderError> {
        let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderError::Name)?;
        let is_ours = OURS.contains(&parsed.as_str()) || parsed.as_str().starts_with("dbwarden-");
        if is_ours {
            return Err(HeaderError::Ours);
        }
        HeaderValue::from_str(value.reveal()).map_err(|_| HeaderError::Value)?;
        Ok(Self {
            name: parsed.as_str().to_owned(),
            value,
        })
    }

    /// Returns the name, in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether headers of this name carry secrets.
    pub fn is_secret(name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let words = ["auth", "cookie", "key", "password", "secret", "token"];
        words.iter().any(|it| name.contains(it))
    }

    pub(super) fn to_pair(&self) -> (HeaderName, HeaderValue) {
        let name = HeaderName::from_bytes(self.name.as_bytes());
        let value = HeaderValue::from_str(self.value.reveal());
        let mut value = value.expect("it was tried when the header was made");
        value.set_sensitive(true);
        (name.expect("it was parsed when the header was made"), value)
    }
}

/// Headers that follow from the call, in lower case.
const OURS: [&str; 6] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "transfer-encoding",
];

/// Why a header cannot be sent.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum HeaderError {
    /// The name is none.
    #[error("is no name of a header")]
    Name,
    /// It follows from the call itself.
    #[error("is set by the call itself")]
    Ours,
    /// The value cannot be sent.
    #[error("has a value with characters that no header may have")]
    Value,
}
