//! Clients and servers on loopback, with certificates made on the spot.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::SupportedProtocolVersion;
use rustls::crypto::ring;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// Long enough for a loaded machine; no test waits for it to pass.
const LONG: Duration = Duration::from_secs(60);
/// For tests that do wait for it.
const SHORT: Duration = Duration::from_millis(50);

/// A directory with the files of one CA.
struct Authority {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let directory = tempfile::tempdir().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        Self {
            directory,
            issuer: Issuer::new(params, key),
        }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    /// Writes `NAME.pem` and `NAME.key`.
    fn issue(&self, name: &str, params: &CertificateParams) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (cert, secret) = (
            self.path(&format!("{name}.pem")),
            self.path(&format!("{name}.key")),
        );
        fs::write(&cert, certificate.pem()).unwrap();
        write_private(&secret, &key.serialize_pem());
        (cert, secret)
    }

    fn server(&self, names: &[&str]) -> TlsServerSettings {
        let (cert, key) = self.issue("server", &params(names));
        TlsServerSettings {
            cert,
            key,
            client_ca: None,
        }
    }

    fn client(&self) -> TlsClientSettings {
        TlsClientSettings {
            ca: Some(self.path("ca.pem")),
            cert: None,
            key: None,
            verify_name: true,
        }
    }

    fn client_with_certificate(&self) -> TlsClientSettings {
        let (cert, key) = self.issue("client", &params(&["client"]));
        TlsClientSettings {
            cert: Some(cert),
            key: Some(key),
            ..self.client()
        }
    }
}

fn params(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
}

fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Serves one client that is echoed what it says; returns the port.
async fn serve(server: TlsServer) -> (u16, JoinHandle<Result<(), TransportError>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    #[expect(clippy::disallowed_methods, reason = "the task ends with its client")]
    let task = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut stream = server.accept(socket).await?;
        let mut buffer = [0; 64];
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            stream.write_all(&buffer[..length]).await.unwrap();
            stream.flush().await.unwrap();
        }
        Ok(())
    });
    (port, task)
}

/// Dials a server, and has something echoed.
async fn greet(
    host: &str,
    server: &TlsServerSettings,
    client: &TlsClientSettings,
) -> Result<(), TransportError> {
    let (port, _task) = serve(TlsServer::load(server).unwrap()).await;
    let client = TlsClient::load(client)?;
    let stream = dial(host, port, Some(&client), LONG).await?;
    assert!(stream.is_tls());
    echo(stream).await
}

async fn echo(mut stream: Stream) -> Result<(), TransportError> {
    let broken = |error| TransportError::from_io("peer", error);
    stream.write_all(b"hello").await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut buffer = [0; 5];
    stream.read_exact(&mut buffer).await.map_err(broken)?;
    assert_eq!(&buffer, b"hello");
    Ok(())
}

fn chain(error: &TransportError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[track_caller]
fn assert_fails<T>(result: Result<T, TransportError>, class: TransportClass, words: &[&str]) {
    let error = result.err().expect("must fail");
    let text = chain(&error);
    assert_eq!(error.class(), class, "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
}

#[tokio::test]
async fn a_server_is_reached_by_name_and_by_address() {
    let authority = Authority::new("one");
    let server = authority.server(&["localhost", "127.0.0.1"]);
    greet("localhost", &server, &authority.client())
        .await
        .unwrap();
    greet("127.0.0.1", &server, &authority.client())
        .await
        .unwrap();
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken() {
    async fn check(version: &'static SupportedProtocolVersion) {
        let authority = Authority::new("one");
        let settings = authority.server(&["localhost"]);
        let cert = CertificateDer::from_pem_file(&settings.cert).unwrap();
        let key = PrivateKeyDer::from_pem_file(&settings.key).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(ring::default_provider().into())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert], key)
            .unwrap();
        let (port, _task) = serve(TlsServer::from(Arc::new(config))).await;
        let client = TlsClient::load(&authority.client()).unwrap();
        let stream = dial("localhost", port, Some(&client), LONG).await.unwrap();
        let Stream::Tls(tls) = &stream else {
            panic!("not over TLS")
        };
        assert_eq!(tls.get_ref().1.protocol_version(), Some(version.version),);
        echo(stream).await.unwrap();
    }
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    check(&rustls::version::TLS12).await;
    check(&rustls::version::TLS13).await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_ca_is_not_trusted() {
    let (ours, theirs) = (Authority::new("one"), Authority::new("other"));
    let result = greet("localhost", &theirs.server(&["localhost"]), &ours.client()).await;
    assert_fails(
        result,
        TransportClass::Denied,
        &["localhost:", "not to be trusted", "UnknownIssuer"],
    );
}

#[tokio::test]
async fn a_certificate_for_another_name_is_trusted_only_if_names_do_not_matter() {
    let authority = Authority::new("one");
    let server = authority.server(&["db1.example"]);
    let result = greet("localhost", &server, &authority.client()).await;
    assert_fails(
        result,
        TransportClass::Denied,
        &["not to be trusted", "not valid for name", "db1.example"],
    );
    let client = TlsClientSettings {
        verify_name: false,
        ..authority.client()
    };
    greet("localhost", &server, &client).await.unwrap();
    greet("127.0.0.1", &server, &client).await.unwrap();
}

#[tokio::test]
async fn an_unknown_ca_matters_even_if_names_do_not() {
    let (ours, theirs) = (Authority::new("one"), Authority::new("other"));
    let client = TlsClientSettings {
        verify_name: false,
        ..ours.client()
    };
    let result = greet("localhost", &theirs.server(&["db1.example"]), &client).await;
    assert_fails(result, TransportClass::Denied, &["UnknownIssuer"]);
}

#[tokio::test]
async fn an_expired_certificate_is_not_trusted() {
    let authority = Authority::new("one");
    let mut params = params(&["localhost"]);
    params.not_before = date_time_ymd(2001, 1, 1);
    params.not_after = date_time_ymd(2002, 1, 1);
    let (cert, key) = authority.issue("server", &params);
    let server = TlsServerSettings {
        cert,
        key,
        client_ca: None,
    };
    for verify_name in [true, false] {
        let client = TlsClientSettings {
            verify_name,
            ..authority.client()
        };
        let result = greet("localhost", &server, &client).await;
        assert_fails(result, TransportClass::Denied, &["expired"]);
    }
}

#[tokio::test]
async fn a_client_with_the_right_certificate_is_let_in_and_others_are_not() {
    let (authority, stranger) = (Authority::new("one"), Authority::new("other"));
    let server = TlsServerSettings {
        client_ca: Some(authority.path("ca.pem")),
        ..authority.server(&["localhost"])
    };
    greet("localhost", &server, &authority.client_with_certificate())
        .await
        .unwrap();

    let without = greet("localhost", &server, &authority.client()).await;
    assert_fails(
        without,
        TransportClass::Denied,
        &["does not accept our certificate", "CertificateRequired"],
    );

    let foreign = TlsClientSettings {
        ca: Some(authority.path("ca.pem")),
        ..stranger.client_with_certificate()
    };
    let refused = greet("localhost", &server, &foreign).await;
    assert_fails(
        refused,
        TransportClass::Denied,
        &["does not accept our certificate"],
    );
}

#[tokio::test]
async fn a_peer_that_speaks_no_tls_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let authority = Authority::new("one");
    let client = TlsClient::load(&authority.client()).unwrap();
    let peer = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket
            .write_all(b"220 welcome to something else\r\n")
            .await
            .unwrap();
        // Held until the client has made up its mind.
        let _ = socket.read_to_end(&mut Vec::new()).await;
    };
    let (result, ()) = tokio::join!(dial("127.0.0.1", port, Some(&client), LONG), peer);
    assert_fails(result, TransportClass::Protocol, &["does not speak TLS"]);
}

#[tokio::test]
async fn a_client_that_speaks_no_tls_is_told_apart() {
    let authority = Authority::new("one");
    let server = TlsServer::load(&authority.server(&["localhost"])).unwrap();
    let (port, task) = serve(server).await;
    let mut stream = dial("localhost", port, None, LONG).await.unwrap();
    assert!(!stream.is_tls());
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    assert_fails(
        task.await.unwrap(),
        TransportClass::Protocol,
        &["127.0.0.1:", "does not speak TLS"],
    );
}

#[tokio::test]
async fn a_peer_that_says_nothing_ends_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let authority = Authority::new("one");
    let client = TlsClient::load(&authority.client()).unwrap();
    let result = dial("127.0.0.1", port, Some(&client), SHORT).await;
    assert_fails(
        result,
        TransportClass::Connection,
        &["127.0.0.1:", "within 50ms", "TLS handshake"],
    );
}

#[tokio::test]
async fn a_peer_that_hangs_up_in_the_handshake_is_a_lost_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let authority = Authority::new("one");
    let client = TlsClient::load(&authority.client()).unwrap();
    let peer = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        // Read first: closing with bytes unread would reset the connection.
        let _ = socket.read(&mut [0; 4096]).await.unwrap();
    };
    let (result, ()) = tokio::join!(dial("127.0.0.1", port, Some(&client), LONG), peer);
    assert_fails(
        result,
        TransportClass::Connection,
        &["during the TLS handshake"],
    );
}

#[tokio::test]
async fn a_closed_port_and_an_unknown_name_are_lost_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let result = dial("127.0.0.1", port, None, LONG).await;
    assert_fails(
        result,
        TransportClass::Connection,
        &["cannot connect to 127.0.0.1:", "refused"],
    );

    // No resolver is asked about what is no name at all.
    let result = dial("no name", 1, None, LONG).await;
    assert_fails(
        result,
        TransportClass::Connection,
        &["cannot find no name:1"],
    );
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (bad, good) = (closed.local_addr().unwrap(), open.local_addr().unwrap());
    drop(closed);
    let socket = connect("both", &[bad, good], LONG).await.unwrap();
    assert_eq!(socket.peer_addr().unwrap(), good);
    assert!(socket.nodelay().unwrap());
    assert!(SockRef::from(&socket).keepalive().unwrap());

    let error = connect("both", &[bad, bad], LONG).await.unwrap_err();
    assert_eq!(chain(&error).matches("refused").count(), 2, "{error}");
}

#[tokio::test]
async fn a_tls_connection_that_just_stops_reads_as_ended() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let authority = Authority::new("one");
    let server = TlsServer::load(&authority.server(&["localhost"])).unwrap();
    let client = TlsClient::load(&authority.client()).unwrap();
    let peer = async {
        let (socket, _) = listener.accept().await.unwrap();
        let mut stream = server.accept(socket).await.unwrap();
        stream.write_all(b"bye").await.unwrap();
        stream.flush().await.unwrap();
        // Dropped without close_notify.
    };
    let (stream, ()) = tokio::join!(dial("localhost", port, Some(&client), LONG), peer);
    let mut heard = Vec::new();
    stream.unwrap().read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"bye");
}

#[test]
fn files_that_cannot_be_used_say_why() {
    let authority = Authority::new("one");
    let with = |change: &dyn Fn(&mut TlsClientSettings)| {
        let mut settings = authority.client_with_certificate();
        change(&mut settings);
        TlsClient::load(&settings).map(drop)
    };
    let check = |result, words: &[&str]| assert_fails(result, TransportClass::Denied, words);

    let missing = authority.path("missing.pem");
    check(
        with(&|it| it.ca = Some(missing.clone())),
        &["cannot read", "missing.pem", "No such file"],
    );
    let empty = authority.path("empty.pem");
    write_private(&empty, "");
    check(
        with(&|it| it.ca = Some(empty.clone())),
        &["empty.pem", "no certificate in PEM form"],
    );
    check(
        with(&|it| it.key = Some(empty.clone())),
        &["empty.pem", "no private key in PEM form"],
    );
    let torn = authority.path("torn.pem");
    fs::write(&torn, "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
    check(
        with(&|it| it.ca = Some(torn.clone())),
        &["cannot read", "torn.pem", "as PEM"],
    );
    check(with(&|it| it.key = None), &["go together"]);
    check(with(&|it| it.cert = None), &["go together"]);

    let other = authority.path("other.key");
    write_private(&other, &KeyPair::generate().unwrap().serialize_pem());
    check(
        with(&|it| it.key = Some(other.clone())),
        &["client.pem", "other.key", "KeyMismatch"],
    );
    fs::set_permissions(&other, fs::Permissions::from_mode(0o640)).unwrap();
    check(
        with(&|it| it.key = Some(other.clone())),
        &[
            "other.key",
            "others have access to it (mode 0640)",
            "chmod 600",
        ],
    );
}

#[test]
fn a_pipe_is_no_file_of_a_secret_and_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).unwrap();
    let error = read_secret(&pipe).unwrap_err();
    assert!(
        error
            .source()
            .unwrap()
            .to_string()
            .contains("no regular file")
    );
}
