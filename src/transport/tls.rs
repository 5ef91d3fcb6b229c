//! TLS by rustls: what we trust, what we show, and the handshake from both sides.
//!
//! The cryptography is ring's, named at every builder: nothing is installed for the process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WantsClientCert, WebPkiServerVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{WantsServerCert, WebPkiClientVerifier};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore,
    ServerConfig, SignatureScheme, WantsVerifier,
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::error::TransportError;
use super::secret::read_secret;
use super::stream::Stream;
use super::{endpoint, set_up};

/// What a client of TLS trusts and shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsClientSettings {
    /// PEM file of the certificates to trust; `None` trusts what the system trusts.
    pub ca: Option<PathBuf>,
    /// PEM file of our own certificate and its intermediates; goes together with `key`.
    pub cert: Option<PathBuf>,
    /// PEM file of our own key, which only its owner may read.
    pub key: Option<PathBuf>,
    /// Whether the server's certificate must carry the name that was dialled. Without it any
    /// certificate of the CA will do, as where a whole domain shares one.
    pub verify_name: bool,
}

/// A client's side of TLS, ready for any number of connections.
#[derive(Clone, Debug)]
pub struct TlsClient(Arc<ClientConfig>);

impl TlsClient {
    /// Reads the files that `settings` names.
    ///
    /// # Errors
    ///
    /// Fails when a file cannot be read or used, or when others have access to the key.
    pub fn load(settings: &TlsClientSettings) -> Result<Self, TransportError> {
        let roots = match &settings.ca {
            Some(path) => read_roots(path)?,
            None => system_roots()?,
        };
        let builder = client_builder(roots, settings.verify_name);
        let config = match (&settings.cert, &settings.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(cert), Some(key)) => builder
                .with_client_auth_cert(read_certificates(cert)?, read_key(key)?)
                .map_err(|source| key_pair(cert, key, source))?,
            (Some(_), None) | (None, Some(_)) => return Err(TransportError::CertificateIncomplete),
        };
        Ok(Self(Arc::new(config)))
    }

    /// Returns a client that no server can satisfy, for where there is no TLS.
    pub fn trusting_nobody() -> Self {
        let config = begin_client().with_root_certificates(RootCertStore::empty());
        Self(Arc::new(config.with_no_client_auth()))
    }

    /// Returns the configuration, for a library that makes its connections itself.
    pub fn to_rustls(&self) -> ClientConfig {
        ClientConfig::clone(&self.0)
    }

    /// Agrees on TLS with the server of `host` at the other end of `socket`.
    pub(super) async fn handshake(
        &self,
        endpoint: &str,
        host: &str,
        socket: TcpStream,
    ) -> Result<Stream, TransportError> {
        // A scope is for us alone: no certificate carries one.
        let host = host.split('%').next().unwrap_or_default();
        let name = ServerName::try_from(host.to_owned()).map_err(|source| {
            TransportError::NoCertificateName {
                endpoint: endpoint.to_owned(),
                source,
            }
        })?;
        match TlsConnector::from(Arc::clone(&self.0))
            .connect(name, socket)
            .await
        {
            Ok(tls) => Ok(Stream::Tls(Box::new(TlsStream::Client(tls)))),
            Err(error) => Err(TransportError::from_handshake(endpoint, error)),
        }
    }
}

/// What a server of TLS shows and trusts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsServerSettings {
    /// PEM file of the certificate and its intermediates.
    pub cert: PathBuf,
    /// PEM file of the key, which only its owner may read.
    pub key: PathBuf,
    /// PEM file of the certificates that sign clients; with it, a client must show one.
    pub client_ca: Option<PathBuf>,
}

/// A server's side of TLS, ready for any number of connections.
#[derive(Clone, Debug)]
pub struct TlsServer(Arc<ServerConfig>);

impl TlsServer {
    /// Reads the files that `settings` names.
    ///
    /// # Errors
    ///
    /// Fails when a file cannot be read or used, or when others have access to the key.
    pub fn load(settings: &TlsServerSettings) -> Result<Self, TransportError> {
        let client_roots = settings.client_ca.as_deref().map(read_roots).transpose()?;
        let builder = server_builder(client_roots);
        let TlsServerSettings { cert, key, .. } = settings;
        let config = builder
            .with_single_cert(read_certificates(cert)?, read_key(key)?)
            .map_err(|source| key_pair(cert, key, source))?;
        Ok(Self(Arc::new(config)))
    }

    /// Agrees on TLS with the client at the other end of `socket`.
    ///
    /// There is no deadline: the caller knows how long it wants to wait, and drops the future.
    ///
    /// # Errors
    ///
    /// Fails when the client speaks no TLS, goes away, or shows no certificate that is asked for.
    pub async fn accept(&self, socket: TcpStream) -> Result<Stream, TransportError> {
        let peer = socket.peer_addr().map_or_else(
            |_gone| "a client".to_owned(),
            |it| endpoint(&it.ip().to_string(), it.port()),
        );
        if let Err(error) = set_up(&socket) {
            return Err(TransportError::from_io(&peer, error));
        }
        match TlsAcceptor::from(Arc::clone(&self.0)).accept(socket).await {
            Ok(tls) => Ok(Stream::Tls(Box::new(TlsStream::Server(tls)))),
            Err(error) => Err(TransportError::from_handshake(&peer, error)),
        }
    }
}

impl From<Arc<ServerConfig>> for TlsServer {
    /// Takes a configuration made elsewhere, such as one of a single version of TLS.
    fn from(config: Arc<ServerConfig>) -> Self {
        Self(config)
    }
}

/// Begins a client's configuration, which trusts `roots`, of which there is at least one.
fn client_builder(
    roots: RootCertStore,
    verify_name: bool,
) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let provider = Arc::new(ring::default_provider());
    let strict = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .expect("there are roots and no revocation lists");
    let verifier: Arc<dyn ServerCertVerifier> = if verify_name {
        strict
    } else {
        Arc::new(AnyName(strict))
    };
    begin_client()
        .dangerous()
        .with_custom_certificate_verifier(verifier)
}

fn begin_client() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring implements both versions of TLS")
}

/// Begins a server's configuration; if there are `client_roots`, clients show a certificate.
fn server_builder(
    client_roots: Option<RootCertStore>,
) -> ConfigBuilder<ServerConfig, WantsServerCert> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring implements both versions of TLS");
    match client_roots {
        None => builder.with_no_client_auth(),
        Some(roots) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .expect("there are roots and no revocation lists"),
        ),
    }
}

/// Judges as `WebPkiServerVerifier` does, but takes a certificate for any name.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The name is judged last, when everything else has been found good.
        match self
            .0
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Returns what the system trusts.
fn system_roots() -> Result<RootCertStore, TransportError> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems carry certificates that nobody can use; one good one is enough to go on.
    let (added, _ignored) = roots.add_parsable_certificates(loaded.certs);
    if added == 0 {
        return Err(TransportError::NoSystemRoots {
            source: loaded.errors.into_iter().next(),
        });
    }
    Ok(roots)
}

/// Reads certificates to trust; here every single one must be good.
fn read_roots(path: &Path) -> Result<RootCertStore, TransportError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(path)? {
        roots
            .add(certificate)
            .map_err(|source| TransportError::Certificate {
                path: path.to_owned(),
                source,
            })?;
    }
    Ok(roots)
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    let text = std::fs::read(path).map_err(|source| TransportError::ReadFile {
        path: path.to_owned(),
        source,
    })?;
    let certificates = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| pem_error(path, "certificate", source))?;
    if certificates.is_empty() {
        return Err(pem_error(path, "certificate", pem::Error::NoItemsFound));
    }
    Ok(certificates)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TransportError> {
    let text = read_secret(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|source| pem_error(path, "private key", source))
}

fn pem_error(path: &Path, wanted: &'static str, source: pem::Error) -> TransportError {
    let path = path.to_owned();
    if let pem::Error::NoItemsFound = source {
        TransportError::NoPem { path, wanted }
    } else {
        TransportError::BadPem { path, source }
    }
}

fn key_pair(cert: &Path, key: &Path, source: rustls::Error) -> TransportError {
    TransportError::KeyPair {
        cert: cert.to_owned(),
        key: key.to_owned(),
        source,
    }
}
