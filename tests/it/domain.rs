//! `dbwarden domain`, the real binary, against the sandbox and against hostile listeners.
//!
//! Every way in which a broker cannot be had has its own message and its own exit code.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use dbwarden::nuodb::cipher::CipherName;
use dbwarden::sandbox::serve::{DatabaseSettings, Sandbox, Settings, TlsSettings};
use dbwarden::sandbox::world::Pace;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What a command answered.
#[derive(Debug)]
struct Answer {
    exit: Option<i32>,
    out: String,
    err: String,
}

impl Answer {
    #[track_caller]
    fn fine(self) -> String {
        assert_eq!(self.exit, Some(0), "{self:?}");
        self.out
    }

    /// Checks that it failed with this code, and with one line that says all of this.
    #[track_caller]
    fn failed(self, exit: i32, parts: &[&str]) {
        assert_eq!(self.exit, Some(exit), "{self:?}");
        assert_eq!(self.out, "", "{self:?}");
        let told = self.err.lines().filter(|it| !it.ends_with(" ..."));
        assert_eq!(told.count(), 1, "{self:?}");
        for part in parts {
            assert!(self.err.contains(part), "`{part}` is missing: {self:?}");
        }
    }
}

/// Runs `dbwarden domain` with these arguments, separated by blanks.
async fn domain(arguments: &str) -> Answer {
    run(command(arguments).env("DBWARDEN_PASSWORD", "bird")).await
}

fn command(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dbwarden"));
    command
        .arg("domain")
        .args(arguments.split_whitespace())
        .env_remove("DBWARDEN_PASSWORD")
        .env_remove("DBWARDEN_DBA_PASSWORD")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

async fn run(command: &mut Command) -> Answer {
    let output = command.output().await.unwrap();
    Answer {
        exit: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A sandbox with a database `teas` of one TE and one SM, which everything happens to at once.
async fn sandbox(adjust: impl FnOnce(&mut Settings)) -> Sandbox {
    let mut settings = Settings {
        pace: Pace::scaled(100),
        databases: vec![DatabaseSettings {
            name: "teas".into(),
            te: 1,
            sm: 1,
        }],
        engine_program: Some(env!("CARGO_BIN_EXE_dbwarden").into()),
        ..Settings::default()
    };
    adjust(&mut settings);
    Sandbox::start(settings).await.unwrap()
}

fn broker(sandbox: &Sandbox) -> String {
    let port = sandbox.peers()[0].address.port();
    format!("--broker localhost:{port}")
}

/// Writes a file that only we can read.
pub(crate) fn secret(dir: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = dir.path().join(name);
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
    path
}

/// The pid in a line such as `localhost:50450 [pid=48802] (TE) RUNNING`.
fn pid(line: &str) -> String {
    let (_, rest) = line.split_once("[pid=").unwrap();
    rest.split_once(']').unwrap().0.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_introduction() {
    let sandbox = sandbox(|_| ()).await;
    let dir = TempDir::new().unwrap();
    let archive = dir.path().join("nova");
    let archive = archive.display();
    let broker = broker(&sandbox);
    let [first, _, third] = sandbox.peers() else {
        panic!("three peers were asked for")
    };

    let shown = domain(&format!("show {broker}")).await.fine();
    let entry = format!("localhost:{} [role=broker]", first.address.port());
    let agent = format!("{} [role=agent]", third.address);
    for line in [entry.as_str(), &agent, "database teas active"] {
        assert!(shown.lines().any(|it| it == line), "{line}\n{shown}");
    }
    assert!(
        shown.contains("] (TE) RUNNING\n") && shown.contains("] (SM) RUNNING\n"),
        "{shown}"
    );

    // Through the entry broker to an agent that is none.
    let at = format!("--on {}", third.address);
    let asked = format!("start-sm nova --archive {archive} {at} {broker}");
    domain(&asked)
        .await
        .failed(1, &["start an SM of nova", "Archive does not exist"]);
    let sm = domain(&format!("{asked} --initialize --option mem=1g"))
        .await
        .fine();
    assert!(
        sm.starts_with("127.0.0.1:") && sm.ends_with("] (SM) RUNNING\n"),
        "{sm}"
    );
    let password = secret(&dir, "dba", "goalie\n");
    let dba = format!("--dba-user dba --dba-password-file {}", password.display());
    let te = domain(&format!("start-te nova {dba} {at} {broker}"))
        .await
        .fine();
    assert!(te.ends_with("] (TE) RUNNING\n"), "{te}");

    assert_eq!(
        domain(&format!("quiesce nova {broker}")).await.fine(),
        "nova is quiesced\n"
    );
    let shown = domain(&format!("show {broker}")).await.fine();
    assert!(shown.contains("database nova inactive\n") && shown.contains("] (SM) QUIESCED\n"));
    assert_eq!(
        domain(&format!("unquiesce nova {broker}")).await.fine(),
        "nova serves again\n"
    );

    let killed = domain(&format!("kill {} {broker}", pid(&te))).await.fine();
    assert!(killed.ends_with(" is killed, exit code 137\n"), "{killed}");
    domain(&format!("kill {} {broker}", pid(&te)))
        .await
        .failed(1, &["there is no process", &pid(&sm)]);
    let gone = domain(&format!("stop {} {broker}", pid(&sm))).await.fine();
    assert!(gone.ends_with(" is gone\n"), "{gone}");
    let down = domain(&format!("shutdown teas {broker}")).await.fine();
    assert_eq!(down, "teas is shut down\n");
    let shown = domain(&format!("show {broker}")).await.fine();
    assert!(shown.ends_with("no database\n"), "{shown}");
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_set_read_and_deleted() {
    let sandbox = sandbox(|_| ()).await;
    let (broker, peer) = (broker(&sandbox), sandbox.peers()[2].address);
    let set = format!("tags set {peer} zone=b rack=4=5 {broker}");
    assert_eq!(domain(&set).await.fine(), "");
    let get = format!("tags get {peer} {broker}");
    assert_eq!(domain(&get).await.fine(), "rack=4=5\nzone=b\n");
    assert_eq!(
        domain(&format!("tags delete {peer} rack {broker}"))
            .await
            .fine(),
        ""
    );
    assert_eq!(domain(&get).await.fine(), "zone=b\n");
    domain(&format!("tags get nowhere {broker}"))
        .await
        .failed(1, &["there is no peer `nowhere`", &peer.to_string()]);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_read_json() {
    let sandbox = sandbox(|_| ()).await;
    let shown = domain(&format!("show --json {}", broker(&sandbox)))
        .await
        .fine();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["domain"], "sandbox");
    assert_eq!(shown["peers"].as_array().unwrap().len(), 3);
    let database = &shown["databases"][0];
    assert_eq!(
        (&database["name"], &database["status"]),
        (&"teas".into(), &"active".into())
    );
    let roles: Vec<_> = database["processes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["role"].as_str().unwrap(), it["status"].as_str().unwrap()))
        .collect();
    assert_eq!(roles, [("SM", "up"), ("TE", "up")]);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_comes_from_a_file_or_the_environment_and_is_never_guessed() {
    let sandbox = sandbox(|_| ()).await;
    let broker = broker(&sandbox);
    let dir = TempDir::new().unwrap();
    let good = secret(&dir, "good", "bird\n");
    let show = |path: &Path| format!("show {broker} --password-file {}", path.display());
    run(&mut command(&show(&good))).await.fine();
    let bad = secret(&dir, "bad", "fish");
    // The file counts, not the environment.
    let advice = "check --user and the password";
    domain(&show(&bad))
        .await
        .failed(77, &["wrong user or password", "localhost:", advice]);
    domain(&format!("show {broker} --user nobody"))
        .await
        .failed(77, &["denied the login", advice]);
    let open = dir.path().join("open");
    fs::write(&open, "bird").unwrap();
    fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    domain(&show(&open)).await.failed(64, &["chmod 600"]);
    run(&mut command(&format!("show {broker}"))).await.failed(
        64,
        &[
            "there is no password",
            "--password-file",
            "DBWARDEN_PASSWORD",
        ],
    );
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_must_be_trusted_and_carry_the_name() {
    let dir = TempDir::new().unwrap();
    let ours = dir.path().join("ours");
    // The certificate is for `localhost` and 127.0.0.1.
    let sandbox = sandbox(|it| {
        it.listen = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 2), 0);
        it.tls = Some(TlsSettings {
            dir: Some(ours.clone()),
            require_client_cert: true,
        });
    })
    .await;
    let files = sandbox.tls_files().unwrap();
    let theirs = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let unknown = dir.path().join("unknown.pem");
    fs::write(&unknown, theirs.cert.pem()).unwrap();
    let broker = sandbox.peers()[0].address;
    let mine = format!(
        "--tls-cert {} --tls-key {}",
        files.client_cert.display(),
        files.client_key.display()
    );
    let trusted = format!(
        "show --broker {broker} --tls-ca {} {mine}",
        files.ca.display()
    );
    domain(&trusted).await.failed(
        77,
        &[
            "certificate of 127.0.0.2",
            "not valid for name",
            "--no-verify-name",
        ],
    );
    let forgiven = domain(&format!("{trusted} --no-verify-name")).await.fine();
    assert!(forgiven.contains("[role=broker]"));
    domain(&format!(
        "show --broker {broker} --tls-ca {} {mine}",
        unknown.display()
    ))
    .await
    .failed(
        77,
        &["certificate of 127.0.0.2", "UnknownIssuer", "--tls-ca"],
    );
    domain(&format!(
        "show --broker {broker} --tls-ca {} --no-verify-name",
        files.ca.display()
    ))
    .await
    .failed(77, &["does not accept our certificate"]);
    // In the clear to one that wants TLS.
    domain(&format!("show --broker {broker}"))
        .await
        .failed(76, &["does it want TLS"]);
    domain(&format!("show --broker {broker} --tls-ca /nowhere"))
        .await
        .failed(64, &["cannot read /nowhere"]);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_knows_rc4_only_needs_a_word_or_tls() {
    let sandbox = sandbox(|it| it.ciphers = vec![CipherName::Rc4]).await;
    let show = format!("show {}", broker(&sandbox));
    domain(&show)
        .await
        .failed(77, &["--allow-legacy-ciphers", "--tls-ca"]);
    domain(&format!("{show} --allow-legacy-ciphers"))
        .await
        .fine();
    sandbox.stop().await;
}

/// How a listener treats those who connect.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    Closes,
    Drips,
    Says(&'static [u8]),
    Silent,
}

/// A listener on loopback with bad manners, for as long as the set lives.
pub(crate) async fn hostile(manner: Manner, tasks: &mut JoinSet<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        let mut guests = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            guests.spawn(treat(socket, manner));
        }
    });
    address.to_string()
}

async fn treat(mut socket: TcpStream, manner: Manner) {
    let mut heard = [0; 4096];
    // What the guest says is none of our business.
    let _ = socket.read(&mut heard).await;
    match manner {
        Manner::Closes => return,
        Manner::Says(bytes) => socket.write_all(bytes).await.unwrap(),
        Manner::Drips => {
            // A frame that would take a minute.
            let frame = [&[0, 0, 2, 88][..], &[b' '; 600]].concat();
            for byte in frame {
                if socket.write_all(&[byte]).await.is_err() {
                    return;
                }
                sleep(Duration::from_millis(100)).await;
            }
        }
        Manner::Silent => (),
    }
    // The guest leaves first.
    while socket.read(&mut heard).await.is_ok_and(|it| it > 0) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_no_broker_is_told_apart() {
    let cases: [(Manner, i32, &str); 6] = [
        (
            Manner::Closes,
            69,
            "closed the session before it answered the login",
        ),
        (Manner::Drips, 69, "did not finish the handshake within 1s"),
        (
            Manner::Silent,
            69,
            "was silent during the handshake, for 1s",
        ),
        (
            Manner::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            76,
            "does not keep to the protocol",
        ),
        (Manner::Says(&[0x80, 0, 0, 0]), 76, "2147483648"),
        (Manner::Says(b"\0\0\0\x05hello"), 76, "what is no document"),
    ];
    let mut tasks = JoinSet::new();
    for (manner, exit, told) in cases {
        let broker = hostile(manner, &mut tasks).await;
        // Only who keeps us waiting is waited for briefly: a slow machine is not to blame the rest.
        let timeout = match manner {
            Manner::Drips | Manner::Silent => "1s",
            Manner::Closes | Manner::Says(_) => "1m",
        };
        let answer = domain(&format!("show --broker {broker} --timeout {timeout}")).await;
        answer.failed(exit, &["cannot watch the domain: 127.0.0.1:", told]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_where_nobody_listens_is_refused() {
    let free = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    domain(&format!("show --broker {free}")).await.failed(
        69,
        &[
            "cannot connect to 127.0.0.1:",
            "refused",
            "is an agent running there",
        ],
    );
    domain("show --broker no-such-host.invalid")
        .await
        .failed(69, &["no-such-host.invalid:48004"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_good_broker_of_several_will_do() {
    let sandbox = sandbox(|_| ()).await;
    let mut tasks = JoinSet::new();
    let garbage = hostile(Manner::Says(b"HTTP/1.1"), &mut tasks).await;
    let closes = hostile(Manner::Closes, &mut tasks).await;
    let good = broker(&sandbox);
    domain(&format!("show --broker {closes} --broker {garbage} {good}"))
        .await
        .fine();
    // If none will do, the one that is no broker is worth telling of.
    domain(&format!("show --broker {garbage} --broker {closes}"))
        .await
        .failed(76, &["does not keep to the protocol"]);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_ambiguous_or_forbidden_is_refused_before_anything_is_done() {
    let sandbox = sandbox(|_| ()).await;
    let broker = broker(&sandbox);
    domain(&format!("start-te teas --on 127.0.0.1 {broker}"))
        .await
        .failed(1, &["`127.0.0.1` may be any of these"]);
    let forbidden = domain(&format!("start-te teas --option dba-password=x {broker}")).await;
    assert_eq!(forbidden.exit, Some(64), "{forbidden:?}");
    assert!(forbidden.err.contains("does not belong on a command line"));
    domain(&format!("show {broker} --no-verify-name"))
        .await
        .failed(64, &["--tls-ca FILE"]);
    assert_eq!(sandbox.engines().await.unwrap().len(), 2);
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_no_further_does_not_make_it_fail() {
    let sandbox = sandbox(|_| ()).await;
    let mut command = command(&format!("show {}", broker(&sandbox)));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command
        .stdout(writer)
        .stderr(Stdio::piped())
        .env("DBWARDEN_PASSWORD", "bird");
    let answer = run(&mut command).await;
    assert_eq!((answer.exit, answer.err.as_str()), (Some(0), ""));
    sandbox.stop().await;
}
