//! The API over TLS: who is let in by a certificate, as what, and what is shown after a renewal.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use dbwarden::api::Role;
use dbwarden::transport::{TlsClient, TlsClientSettings, TlsServerSettings, dial};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use super::addresses::parts;
use super::remote::{ADA, HOLD, bearer, say, serving};

/// Long enough for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody who signs certificates, and the files.
struct Authority {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let folder = TempDir::new().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self {
            folder,
            issuer: Issuer::new(params, key),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a certificate and its key, which others may read or not.
    fn issue(&self, name: &str, mode: u32) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        let secret = self.path(&format!("{name}.key"));
        fs::write(&secret, key.serialize_pem()).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn server(&self, asks: bool) -> TlsServerSettings {
        self.issue("server", 0o600);
        TlsServerSettings {
            cert: self.path("server.pem"),
            key: self.path("server.key"),
            client_ca: asks.then(|| self.path("ca.pem")),
        }
    }

    /// Returns a client of `other`, with a certificate of ours if it has one.
    fn client(&self, other: &Self, name: Option<&str>) -> TlsClient {
        let file = |ending: &str| Some(self.path(&format!("{}.{ending}", name?)));
        TlsClient::load(&TlsClientSettings {
            ca: Some(other.path("ca.pem")),
            cert: file("pem"),
            key: file("key"),
            verify_name: true,
        })
        .unwrap()
    }
}

/// Asks over TLS; the answer is empty if there is none.
async fn ask_as(client: &TlsClient, address: SocketAddr, line: &str, headers: &[String]) -> String {
    match dial("localhost", address.port(), Some(client), PATIENCE).await {
        Ok(stream) => say(stream, address, line, headers, HOLD).await,
        Err(_) => String::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_a_certificate_is_let_in_and_nobody_else() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    ours.issue("client", 0o600);
    theirs.issue("client", 0o600);
    let good = ours.client(&ours, Some("client"));
    for (role, expected) in [(Role::Viewer, 403), (Role::Operator, 200)] {
        let (standin, address) = serving(Some(ours.server(true)), role);
        let status = async |client: &TlsClient, line: &str, headers: &[String]| {
            parts(&ask_as(client, address, line, headers).await).0
        };
        assert_eq!(status(&good, "GET /api/v1/status", &[]).await, 200);
        let line = "POST /api/v1/domains/prod/hold";
        assert_eq!(status(&good, line, &[]).await, expected);
        // Who shows a token is whose token it is.
        assert_eq!(status(&good, line, &bearer("wrong")).await, 401);
        assert_eq!(status(&good, line, &bearer(ADA)).await, 200);
        let asked = standin.asked.lock().unwrap();
        let by: Vec<&str> = asked.iter().map(|it| &*it.by).collect();
        if expected == 200 {
            let digest = by[0].strip_prefix("operator certificate ").unwrap();
            assert_eq!(digest.len(), 64, "{by:?}");
        }
        assert_eq!(by.last(), Some(&"operator ada"));
    }
    let (_standin, address) = serving(Some(ours.server(true)), Role::Operator);
    for client in [
        ours.client(&ours, None),
        theirs.client(&ours, Some("client")),
    ] {
        for headers in [Vec::new(), bearer(ADA)] {
            let said = ask_as(&client, address, "GET /live", &headers).await;
            assert_eq!(said, "");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_travel_inside_tls_and_in_the_clear_there_is_no_answer() {
    let ours = Authority::new();
    let (_standin, address) = serving(Some(ours.server(false)), Role::Operator);
    let client = ours.client(&ours, None);
    let said = ask_as(&client, address, "POST /api/v1/log", &[]).await;
    assert_eq!(parts(&said).0, 403, "no certificate makes an operator");
    let line = "POST /api/v1/domains/prod/hold";
    let said = ask_as(&client, address, line, &bearer(ADA)).await;
    assert_eq!(parts(&said).0, 200, "{said}");
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let said = say(stream, address, "GET /live", &[], "").await;
    assert!(!said.contains("HTTP"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_and_half_a_renewal_harms_nothing() {
    let (ours, later) = (Authority::new(), Authority::new());
    let (_standin, address) = serving(Some(ours.server(false)), Role::Viewer);
    let lives = async |authority: &Authority| {
        let client = authority.client(authority, None);
        let said = ask_as(&client, address, "GET /live", &[]).await;
        said.starts_with("HTTP/1.1 200")
    };
    assert!(lives(&ours).await && !lives(&later).await);
    // The certificate is there, its key not yet.
    later.issue("server", 0o600);
    fs::copy(later.path("server.pem"), ours.path("server.pem")).unwrap();
    assert!(lives(&ours).await && !lives(&later).await);
    fs::copy(later.path("server.key"), ours.path("server.key")).unwrap();
    assert!(!lives(&ours).await && lives(&later).await);
}

/// A client that says nothing, or no TLS, keeps nobody else out.
#[tokio::test(flavor = "multi_thread")]
async fn who_never_agrees_on_tls_is_cut_off() {
    let ours = Authority::new();
    let (_standin, address) = serving(Some(ours.server(false)), Role::Viewer);
    let mut silent = Vec::new();
    for _ in 0..70 {
        silent.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    let client = ours.client(&ours, None);
    let said = ask_as(&client, address, "GET /live", &[]).await;
    assert_eq!(parts(&said).0, 200);
    drop(silent);
}
