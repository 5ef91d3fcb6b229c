//! Stories of the API over TCP: who is let in by what was written, and what is refused.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::api::{Role, TcpSettings, Token};

const ADA: &str = "ada-0123456789abcdef";

/// A directory with tokens, a certificate and its key.
struct Ground(TempDir);

impl Ground {
    fn new() -> Self {
        let ground = Self(tempfile::tempdir().unwrap());
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        ground.write("cert.pem", &made.cert.pem(), 0o644);
        ground.write("key.pem", &made.signing_key.serialize_pem(), 0o600);
        ground.write("open.pem", &made.signing_key.serialize_pem(), 0o644);
        ground.write("ada", &format!("{ADA}\n"), 0o600);
        ground.write("exposed", ADA, 0o640);
        ground.write("short", "0123456789abcde\n", 0o600);
        ground
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, api: &str) -> Result<Config, Problems> {
        let text = format!("{DOMAIN}{api}");
        let sources = sources::text(&self.path("f.toml"), &text);
        let credentials = self.0.path().to_str().unwrap();
        let variable = |name: &str| match name {
            "CREDENTIALS_DIRECTORY" => Some(credentials.to_owned()),
            "BOB_TOKEN" => Some("bob-0123456789abcdef".to_owned()),
            _ => variable(name),
        };
        understand(sources, &variable, Purpose::Run)
    }

    fn good(&self, api: &str) -> Config {
        self.read(api)
            .unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn told(&self, told: &str) -> String {
        told.replace(self.0.path().to_str().unwrap(), "DIR")
    }
}

#[test]
fn nobody_is_served_over_tcp_who_did_not_ask_for_it() {
    assert_eq!(good(DOMAIN).api, None);
    let text = format!("{DOMAIN}[api]\nlisten = \"127.0.0.1:8674\"\n");
    let config = good(&text);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let expected = TcpSettings {
        listen: "127.0.0.1:8674".parse().unwrap(),
        tls: None,
        certificates: Role::Viewer,
        hosts: Vec::new(),
        tokens: Vec::new(),
    };
    assert_eq!(config.api, Some(expected));
}

#[test]
fn tokens_come_from_where_they_are_safe_and_are_not_shown() {
    let ground = Ground::new();
    let config = ground.good(
        r#"
[api]
listen = "[::1]:0"
hosts = ["warden.example.com"]
tls = { cert = "cert.pem", key = "key.pem", client-ca = "cert.pem", client-role = "operator" }
[[api.token]]
name = "ada"
role = "operator"
secret = { file = "ada" }
[[api.token]]
name = "ada2"
role = "viewer"
secret = { credential = "ada" }
[[api.token]]
name = "bob"
role = "viewer"
secret = { env = "BOB_TOKEN" }
[[listener]]
name = "page"
kind = "exec"
command = ["/bin/sh"]
"#,
    );
    let shown = format!("{config:?}");
    assert!(!shown.contains("0123456789"), "{shown}");
    let ListenerKind::Exec(settings) = &config.listeners[0].kind else {
        panic!("it is no program")
    };
    assert!(settings.withhold.contains(&"BOB_TOKEN".to_owned()));
    let api = config.api.unwrap();
    let token = |name, role, secret: &str| {
        Token::new(name, role, &zeroize::Zeroizing::new(secret.to_owned())).unwrap()
    };
    let expected = [
        token("ada", Role::Operator, ADA),
        token("ada2", Role::Viewer, ADA),
        token("bob", Role::Viewer, "bob-0123456789abcdef"),
    ];
    assert_eq!(api.tokens, expected);
    assert_eq!(api.certificates, Role::Operator);
    assert_eq!(api.hosts, ["warden.example.com"]);
    assert_eq!(api.tls.unwrap().client_ca, Some(ground.path("cert.pem")));
}

#[test]
fn what_would_let_in_the_wrong_people_is_refused() {
    let ground = Ground::new();
    let token = |text: &str| format!("listen = \"127.0.0.1:0\"\n[[api.token]]\n{text}");
    let ada = "name = \"ada\"\nrole = \"operator\"\n";
    let tls = |text: &str| format!("listen = \"127.0.0.1:0\"\ntls = {text}");
    let mut told = String::new();
    for api in [
        "",
        "listen = \"localhost\"",
        "listen = \"127.0.0.1\"",
        "listen = 8674",
        "listen = \"0.0.0.0:8674\"",
        "listen = \"192.0.2.1:8674\"\ntls = { cert = \"cert.pem\", key = \"key.pem\" }",
        "listen = \"127.0.0.1:0\"\nport = 1\nhosts = \"a\"",
        "listen = \"127.0.0.1:0\"\nhosts = [\"http://a/\"]",
        &token(ada),
        &token(&format!(
            "{ada}secret = {{ file = \"ada\", env = \"BOB_TOKEN\" }}"
        )),
        &token(&format!("{ada}secret = {{ file = \"missing\" }}")),
        &token(&format!("{ada}secret = {{ file = \"exposed\" }}")),
        &token(&format!("{ada}secret = {{ file = \"short\" }}")),
        &token(&format!("{ada}secret = {{ env = \"NOT_SET\" }}")),
        &token("name = \"ada\"\nsecret = { file = \"ada\" }"),
        &token("name = \"a da\"\nrole = \"admin\"\nsecret = { file = \"ada\" }"),
        &token(&format!(
            "{ada}secret = {{ file = \"ada\" }}\n[[api.token]]\n{ada}secret = {{ file = \"ada\" }}"
        )),
        &tls("{ cert = \"cert.pem\" }"),
        &tls("{ cert = \"cert.pem\", key = \"open.pem\" }"),
        &tls("{ cert = \"missing.pem\", key = \"key.pem\" }"),
        &tls("{ cert = \"cert.pem\", key = \"key.pem\", client-role = \"operator\" }"),
        &tls("{ cert = \"cert.pem\", key = \"key.pem\", client-ca = \"key.pem\" }"),
    ] {
        let problems = ground.read(&format!("[api]\n{api}\n"));
        let problems = problems.err().map(|it| it.to_string());
        let problems = problems.unwrap_or_else(|| panic!("this was taken: {api}"));
        assert!(!problems.contains("0123456789"), "{problems}");
        told.push_str(&ground.told(&problems));
        told.push('\n');
    }
    assert_told("api", &told);
}

#[test]
fn tokens_in_the_clear_are_doubted() {
    let ground = Ground::new();
    let token = "[[api.token]]\nname = \"ada\"\nrole = \"viewer\"\nsecret = { file = \"ada\" }\n";
    let config = ground.good(&format!("[api]\nlisten = \"192.0.2.1:8674\"\n{token}"));
    let told: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    let expected = "DIR/f.toml:8:10: api.listen: is not on loopback, and tokens travel there in \
                    the clear; add `tls`, unless something else protects them";
    assert_eq!(ground.told(&told.join("\n")), expected);
    let tls = "tls = { cert = \"cert.pem\", key = \"key.pem\" }";
    let config = ground.good(&format!(
        "[api]\nlisten = \"192.0.2.1:8674\"\n{tls}\n{token}"
    ));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn a_reload_changes_tokens_and_nothing_else() {
    let ground = Ground::new();
    let ada = "[[api.token]]\nname = \"ada\"\nrole = \"viewer\"\nsecret = { file = \"ada\" }\n";
    let bob =
        "[[api.token]]\nname = \"bob\"\nrole = \"viewer\"\nsecret = { env = \"BOB_TOKEN\" }\n";
    let api = |port: u16, tokens: &str| {
        ground.good(&format!("[api]\nlisten = \"127.0.0.1:{port}\"\n{tokens}"))
    };
    let old = api(1, ada);
    assert_eq!(diff(&old, &api(1, ada)), Diff::default());
    let mut new = api(2, &format!("{ada}{bob}").replace("viewer", "operator"));
    let told = diff(&old, &new);
    let expected = [
        "api.listen: needs a restart",
        "api.token ada: changed",
        "api.token bob: added",
    ];
    assert_eq!(told.lines, expected);
    assert_eq!(told.needs_restart, ["api.listen"]);
    let asked = new.clone();
    new.keep_until_restart(&old);
    let running = new.api.clone().unwrap();
    assert_eq!(running.listen.port(), 1);
    assert_eq!(running.tokens.len(), 2);
    // It is told until there was one, and the tokens count.
    assert_eq!(diff(&new, &asked).lines, ["api.listen: needs a restart"]);

    // Another token in the same file.
    ground.write("ada", "ada-fedcba9876543210", 0o600);
    let renewed = diff(&old, &api(1, ada));
    assert_eq!(renewed.lines, ["api.token ada: changed"]);
    assert!(renewed.needs_restart.is_empty());

    // Whoever is not named any more is not let in, wherever it is still served.
    let mut none = ground.good("");
    let told = diff(&old, &none).lines;
    assert_eq!(
        told,
        ["api.listen: needs a restart", "api.token ada: removed"]
    );
    none.keep_until_restart(&old);
    assert_eq!(none.api.unwrap().tokens, []);
    let mut first = api(1, ada);
    first.keep_until_restart(&ground.good(""));
    assert_eq!(first.api, None);
}
