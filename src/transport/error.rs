//! Why bytes cannot be moved, and which sort of failure that is.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use rustls::AlertDescription;
use thiserror::Error;

use super::secret::SecretError;

/// Sorts of failure that call for different answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TransportClass {
    /// Refused, reset, closed, unreachable, unknown or silent: another try may succeed.
    Connection,
    /// A certificate is not accepted, by us or by the other side: a person must act.
    Denied,
    /// The other side does not speak TLS, or not as it should.
    Protocol,
}

/// What a connection was doing when its deadline passed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// The TCP connection was being opened.
    Connect,
    /// TLS was being agreed on.
    Handshake,
    /// The name was being looked up.
    Resolve,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "TCP connection",
            Self::Handshake => "TLS handshake",
            Self::Resolve => "name lookup",
        })
    }
}

/// Why a connection could not be had, or broke.
///
/// Each message says what was attempted with whom; the source, where there is one, says why.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// A file is not in PEM form.
    #[error("cannot read {} as PEM", path.display())]
    BadPem {
        /// The file.
        path: PathBuf,
        /// What the reader objected to.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// An established connection failed.
    #[error("the connection to {endpoint} broke")]
    Broken {
        /// Host and port.
        endpoint: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A certificate in a file cannot be used.
    #[error("cannot use the certificate in {}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls::Error,
    },
    /// A client certificate without its key, or a key without its certificate.
    #[error("a client certificate and its key go together: only one of them is given")]
    CertificateIncomplete,
    /// The other side closed the connection in the middle of the handshake.
    #[error(
        "{endpoint} closed the connection during the TLS handshake; \
         it may speak no TLS, or ask for a client certificate"
    )]
    ClosedInHandshake {
        /// Host and port.
        endpoint: String,
    },
    /// No address accepted.
    #[error("cannot connect to {endpoint}")]
    Connect {
        /// Host and port.
        endpoint: String,
        /// What happened at each address.
        #[source]
        source: ConnectFailures,
    },
    /// The handshake failed in a way of its own.
    #[error("the TLS handshake with {endpoint} failed")]
    Handshake {
        /// Host and port.
        endpoint: String,
        /// What went wrong.
        #[source]
        source: rustls::Error,
    },
    /// A certificate and a key that do not belong together, or an unusable one.
    #[error("cannot use the certificate in {} with the key in {}", cert.display(), key.display())]
    KeyPair {
        /// The file of the certificate.
        cert: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
    /// The name resolved to nothing.
    #[error("{endpoint} has no address")]
    NoAddress {
        /// Host and port.
        endpoint: String,
    },
    /// The host is neither an address nor a name a certificate can carry.
    #[error("no certificate can be valid for the host of {endpoint}")]
    NoCertificateName {
        /// Host and port.
        endpoint: String,
        /// What is wrong with the name.
        #[source]
        source: rustls::pki_types::InvalidDnsNameError,
    },
    /// A file has nothing of what it should hold.
    #[error("{} holds no {wanted} in PEM form", path.display())]
    NoPem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// The system has no trusted certificates.
    #[error("the system has no trusted certificates; name a CA file")]
    NoSystemRoots {
        /// Why, if that is known.
        #[source]
        source: Option<rustls_native_certs::Error>,
    },
    /// What answered speaks no TLS.
    #[error("{endpoint} does not speak TLS")]
    NotTls {
        /// Host and port.
        endpoint: String,
        /// What its answer looked like.
        #[source]
        source: rustls::Error,
    },
    /// The other side does not accept our certificate, or misses one.
    #[error("{endpoint} does not accept our certificate")]
    OurCertificate {
        /// Host and port.
        endpoint: String,
        /// What it said.
        #[source]
        source: rustls::Error,
    },
    /// We do not accept the certificate of the other side.
    #[error("the certificate of {endpoint} is not to be trusted")]
    PeerCertificate {
        /// Host and port.
        endpoint: String,
        /// What is wrong with it: unknown CA, another name, expired.
        #[source]
        source: rustls::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    ReadFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The name could not be looked up.
    #[error("cannot find {endpoint}")]
    Resolve {
        /// Host and port.
        endpoint: String,
        /// What the resolver says.
        #[source]
        source: io::Error,
    },
    /// The file of a key cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The deadline passed.
    #[error("{endpoint} did not answer within {deadline:?}: the {stage} is not done")]
    TimedOut {
        /// Host and port.
        endpoint: String,
        /// What was waited for.
        stage: Stage,
        /// How long everything together was allowed to take.
        deadline: Duration,
    },
}

impl TransportError {
    /// Returns which sort of failure it is.
    pub fn class(&self) -> TransportClass {
        match self {
            Self::Broken { .. }
            | Self::ClosedInHandshake { .. }
            | Self::Connect { .. }
            | Self::NoAddress { .. }
            | Self::Resolve { .. }
            | Self::TimedOut { .. } => TransportClass::Connection,
            Self::BadPem { .. }
            | Self::Certificate { .. }
            | Self::CertificateIncomplete
            | Self::KeyPair { .. }
            | Self::NoCertificateName { .. }
            | Self::NoPem { .. }
            | Self::NoSystemRoots { .. }
            | Self::OurCertificate { .. }
            | Self::PeerCertificate { .. }
            | Self::ReadFile { .. }
            | Self::Secret(_) => TransportClass::Denied,
            Self::Handshake { .. } | Self::NotTls { .. } => TransportClass::Protocol,
        }
    }

    /// Returns what an error of reading from or writing to a [`Stream`](super::Stream) means.
    ///
    /// An error of TLS travels inside of one of IO; here it gets its own name again. `endpoint` is
    /// what the connection is called in the message.
    pub fn from_io(endpoint: &str, error: io::Error) -> Self {
        let endpoint = endpoint.to_owned();
        match error.downcast::<rustls::Error>() {
            Ok(source) => Self::from_tls(endpoint, source),
            Err(source) => Self::Broken { endpoint, source },
        }
    }

    /// Returns what an error during a handshake means.
    pub(super) fn from_handshake(endpoint: &str, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            let endpoint = endpoint.to_owned();
            return Self::ClosedInHandshake { endpoint };
        }
        Self::from_io(endpoint, error)
    }

    fn from_tls(endpoint: String, source: rustls::Error) -> Self {
        if let rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented =
            source
        {
            return Self::PeerCertificate { endpoint, source };
        }
        if let rustls::Error::InvalidMessage(_) = source {
            return Self::NotTls { endpoint, source };
        }
        if let rustls::Error::AlertReceived(alert) = source
            && is_about_our_certificate(alert)
        {
            return Self::OurCertificate { endpoint, source };
        }
        Self::Handshake { endpoint, source }
    }
}

/// Returns whether an alert says that our certificate is missing or not accepted.
///
/// `HandshakeFailure` is among them since OpenSSL says so in TLS 1.2 when we have none to show.
fn is_about_our_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::AccessDenied
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRequired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError
            | AlertDescription::HandshakeFailure
            | AlertDescription::NoCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::UnsupportedCertificate
    )
}

/// Why one address could not be connected to.
#[derive(Debug)]
pub struct AddressFailure {
    /// The address.
    pub address: SocketAddr,
    /// What the system says.
    pub source: io::Error,
}

/// Why none of the addresses of a name could be connected to, in the order they were tried.
#[derive(Debug)]
pub struct ConnectFailures(pub Vec<AddressFailure>);

impl fmt::Display for ConnectFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, AddressFailure { address, source }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{address}: {source}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConnectFailures {}
