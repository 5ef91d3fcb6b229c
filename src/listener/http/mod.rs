//! What listeners that call an HTTP server have in common: one POST, and what became of it.
//!
//! It knows nothing of events, and never tries again by itself. What it tells of a failure names
//! the server and never what may be secret: not the rest of the address, not a header, not the
//! body.

mod answer;
mod settings;

use std::time::Duration;

use reqwest::Client;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use thiserror::Error;

use super::ListenerError;
use super::secret::Secret;
use crate::transport::{TlsClient, TransportError};

use answer::Refusal;
pub use settings::{Address, AddressError, Header, HeaderError, HttpSettings};

/// How long an idle connection is kept: shorter than servers and what stands before them do.
const KEEP_IDLE: Duration = Duration::from_secs(30);

/// Who calls.
const USER_AGENT: &str = concat!("dbwarden/", env!("CARGO_PKG_VERSION"));

/// Why a call came to nothing.
#[derive(Debug, Error)]
pub(super) enum HttpError {
    /// The call itself failed: no connection, no answer, or a torn one.
    #[error("cannot call {address}")]
    Call {
        /// The server.
        address: Address,
        /// What went wrong, without the address.
        #[source]
        source: reqwest::Error,
    },
    /// The server said no.
    #[error("{address} answered {refusal}")]
    Refused {
        /// The server.
        address: Address,
        /// What it said.
        refusal: Refusal,
    },
    /// The files of TLS cannot be used.
    #[error("cannot set up TLS for {address}")]
    Tls {
        /// The server.
        address: Address,
        /// What is wrong with them.
        #[source]
        source: Box<TransportError>,
    },
}

impl HttpError {
    /// Returns what it means for the event that was to be told: whether another try can help, and
    /// when.
    pub(super) fn into_listener_error(self) -> ListenerError {
        match &self {
            Self::Call { .. } | Self::Tls { .. } => ListenerError::temporary(self),
            Self::Refused { refusal, .. } if !refusal.is_temporary() => {
                ListenerError::permanent(self)
            }
            Self::Refused { refusal, .. } => match refusal.retry_after() {
                Some(pause) => ListenerError::temporary(self).after(pause),
                None => ListenerError::temporary(self),
            },
        }
    }
}

/// Calls one HTTP server.
#[derive(Debug)]
pub(super) struct Caller {
    settings: HttpSettings,
    /// Made at the first call, and again when the files of TLS have changed.
    client: Option<(Client, Versions)>,
}

/// Which versions of the files of TLS a client was made of.
type Versions = [Option<(u64, u64, i64, i64)>; 3];

impl Caller {
    pub(super) fn new(settings: HttpSettings) -> Self {
        Self {
            settings,
            client: None,
        }
    }

    /// Posts a body of JSON with further headers, and waits until it is taken.
    ///
    /// There is no deadline: the caller drops the future.
    pub(super) async fn post(
        &mut self,
        body: Vec<u8>,
        headers: &[(&'static str, String)],
    ) -> Result<(), HttpError> {
        let client = self.client()?;
        let mut request = client
            .post(self.settings.url.to_url())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body);
        for (name, value) in headers {
            request = request.header(HeaderName::from_static(name), value);
        }
        let response = request.send().await.map_err(|it| self.failed(it))?;
        match answer::judge(response, &self.settings.secrets()).await {
            Ok(()) => Ok(()),
            Err(answer::NotTaken::Refused(refusal)) => Err(HttpError::Refused {
                address: self.settings.url.clone(),
                refusal,
            }),
            Err(answer::NotTaken::Torn(source)) => Err(self.failed(source)),
        }
    }

    fn failed(&self, source: reqwest::Error) -> HttpError {
        HttpError::Call {
            address: self.settings.url.clone(),
            source: source.without_url(),
        }
    }

    fn client(&mut self) -> Result<Client, HttpError> {
        let versions = versions(&self.settings);
        if let Some((client, made_of)) = &self.client
            && *made_of == versions
        {
            return Ok(client.clone());
        }
        let client = build(&self.settings)?;
        self.client = Some((client.clone(), versions));
        Ok(client)
    }
}

fn build(settings: &HttpSettings) -> Result<Client, HttpError> {
    let tls = if settings.url.is_secure() {
        TlsClient::load(&settings.tls)
    } else {
        Ok(TlsClient::trusting_nobody())
    };
    let tls = tls.map_err(|source| HttpError::Tls {
        address: settings.url.clone(),
        source: Box::new(source),
    })?;
    let headers: HeaderMap = settings.headers.iter().map(Header::to_pair).collect();
    Client::builder()
        .user_agent(USER_AGENT)
        .default_headers(headers)
        // Whoever is sent on may be sent to somebody else, with the body and its signature.
        .redirect(Policy::none())
        // What is tried again when is the dispatcher's business, which counts.
        .retry(reqwest::retry::never())
        // The daemon does what its configuration says, not what its environment does.
        .no_proxy()
        .pool_idle_timeout(KEEP_IDLE)
        .pool_max_idle_per_host(1)
        .tls_backend_preconfigured(tls.to_rustls())
        .build()
        .map_err(|source| HttpError::Call {
            address: settings.url.clone(),
            source,
        })
}

fn versions(settings: &HttpSettings) -> Versions {
    use std::os::unix::fs::MetadataExt as _;

    let tls = &settings.tls;
    [&tls.ca, &tls.cert, &tls.key].map(|path| {
        let file = std::fs::metadata(path.as_ref()?).ok()?;
        Some((file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
    })
}
