//! Dialogues of a server with clients as they are in the world, and with those that mean harm.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::nuodb::frame::DEFAULT_LIMIT;
use crate::nuodb::message::Style;
use crate::nuodb::srp::{ClientExchange, SessionSecret};

const ENTROPY: [u8; 80] = [0x2B; 80];

fn settings(ciphers: &[CipherName]) -> ServerSettings {
    ServerSettings {
        user: "domain".to_owned(),
        password: Password::new("bird".to_owned()),
        ciphers: ciphers.to_vec(),
        frame_limit: DEFAULT_LIMIT,
        agreement: Agreement::default(),
    }
}

fn every_cipher() -> Server {
    Server::new(&settings(&CipherName::ALL), ENTROPY)
}

fn events(server: &mut Server) -> Vec<ServerEvent> {
    std::iter::from_fn(|| server.poll_event()).collect()
}

fn request(service: &str) -> Request {
    Request::new(service, Style::Request)
}

/// A client that says what the test wants it to say.
struct Foreigner {
    exchange: ClientExchange,
    incoming: Keystream,
    outgoing: Keystream,
    inbox: FrameBuffer,
}

impl Foreigner {
    fn new() -> Self {
        Self {
            exchange: ClientExchange::new([0x4D; 32]),
            incoming: Keystream::clear(),
            outgoing: Keystream::clear(),
            inbox: FrameBuffer::new(DEFAULT_LIMIT),
        }
    }

    fn frame(&mut self, document: &[u8]) -> Vec<u8> {
        let mut outbox = Outbox::default();
        outbox.frame(
            |out| out.extend_from_slice(document),
            |bytes| self.outgoing.apply(bytes),
        );
        outbox.take().unwrap()
    }

    fn say(&mut self, server: &mut Server, document: &str) -> Result<(), ServerError> {
        let frame = self.frame(document.as_bytes());
        server.handle_bytes(&frame)
    }

    /// Returns the next document of the server.
    fn hear(&mut self, server: &mut Server) -> String {
        self.inbox.push(&server.poll_transmit().unwrap_or_default());
        let frame = self.inbox.next_frame().unwrap().expect("the server speaks");
        self.incoming.apply(frame);
        String::from_utf8_lossy(frame).into_owned()
    }

    /// Asks for authorisation with these attributes and returns the answer.
    fn ask(&mut self, server: &mut Server, service: &str, attributes: &str) -> Element {
        self.say(
            server,
            &format!("<Authorize TargetService='{service}' Type='SRP'/>"),
        )
        .unwrap();
        assert!(server.poll_transmit().is_none());
        let key = self.exchange.public_key();
        let challenge = format!("<SRPRequest ClientKey='{key}' Username='domain' {attributes}/>");
        self.say(server, &challenge).unwrap();
        xml::parse(self.hear(server).as_bytes()).unwrap()
    }

    fn agree(&self, answer: &Element, password: &str) -> SessionSecret {
        let password = Password::new(password.to_owned());
        let attribute = |name| answer.attribute(name).unwrap();
        self.exchange
            .agree(
                "domain",
                &password,
                attribute("Salt"),
                attribute("ServerKey"),
            )
            .unwrap()
    }

    /// Begins to encrypt as agreed.
    fn encrypt(&mut self, answer: &Element, cipher: CipherName) {
        let secret = self.agree(answer, "bird");
        let iv = |name| {
            let digits = answer
                .attribute(name)
                .unwrap_or("00000000000000000000000000000000");
            cipher::parse_iv(digits).unwrap()
        };
        self.incoming = Keystream::new(cipher, &secret, &iv("OutgoingIV"));
        self.outgoing = Keystream::new(cipher, &secret, &iv("IncomingIV"));
    }

    /// Logs in completely.
    fn log_in(&mut self, server: &mut Server, service: &str, attributes: &str, cipher: CipherName) {
        let answer = self.ask(server, service, attributes);
        self.encrypt(&answer, cipher);
        assert_eq!(self.hear(server), "<PasswordVerify/>");
        self.say(server, "<PasswordVerify/>").unwrap();
    }
}

#[test]
fn clients_of_every_generation_get_the_cipher_they_understand() {
    let preference = &CipherName::ALL[..3];
    for (attributes, ciphers, told, cipher) in [
        ("Cipher='RC4'", preference, None, CipherName::Rc4),
        ("", preference, None, CipherName::Rc4),
        ("Ciphers='RC4'", preference, Some("RC4"), CipherName::Rc4),
        (
            "Ciphers='AES-256-CTR,AES-128-CTR,RC4'",
            preference,
            Some("AES-256-CTR"),
            CipherName::Aes256Ctr,
        ),
        (
            "Ciphers='AES-256-CTR,AES-128-CTR,RC4' Cipher='RC4'",
            &[CipherName::Rc4, CipherName::Aes256Ctr],
            Some("RC4"),
            CipherName::Rc4,
        ),
        (
            "Ciphers='RC4, AES-128-CTR, ROT13'",
            preference,
            Some("AES-128-CTR"),
            CipherName::Aes128Ctr,
        ),
        (
            "Ciphers='None,RC4'",
            &[CipherName::None, CipherName::Rc4],
            Some("None"),
            CipherName::None,
        ),
    ] {
        let mut server = Server::new(&settings(ciphers), ENTROPY);
        let mut client = Foreigner::new();
        let answer = client.ask(&mut server, "State", attributes);
        assert_eq!(answer.attribute("Cipher"), told, "{attributes}");
        for name in ["IncomingIV", "OutgoingIV"] {
            let length = answer.attribute(name).map(str::len);
            assert_eq!(length, cipher.needs_iv().then_some(32), "{attributes}");
        }
        client.encrypt(&answer, cipher);
        assert_eq!(client.hear(&mut server), "<PasswordVerify/>");
        client.say(&mut server, " <PasswordVerify />\n").unwrap();
        assert_eq!(events(&mut server), []);
        client
            .say(&mut server, "<Request Service='State'/>")
            .unwrap();
        assert_eq!(
            events(&mut server),
            [ServerEvent::Opened {
                request: request("State"),
                authorised: true
            }]
        );
        server.send(&Element::new("State").with("text", "ö"));
        assert_eq!(client.hear(&mut server), "<State text=\"&#246;\"/>");
    }
}

#[test]
fn a_login_without_a_common_cipher_is_denied() {
    let mut server = Server::new(&settings(&[CipherName::Aes256Ctr]), ENTROPY);
    let answer = Foreigner::new().ask(&mut server, "State", "Cipher='RC4'");
    assert_eq!(answer.error_text(), Some("No common cipher"));
    assert_eq!(events(&mut server), [ServerEvent::Denied]);
}

#[test]
fn an_unknown_user_is_denied() {
    let mut server = every_cipher();
    let mut client = Foreigner::new();
    client
        .say(&mut server, "<Authorize TargetService='State' Type='SRP'/>")
        .unwrap();
    client
        .say(
            &mut server,
            "<SRPRequest ClientKey='02' Username='Domain' Cipher='RC4'/>",
        )
        .unwrap();
    let answer = xml::parse(client.hear(&mut server).as_bytes()).unwrap();
    assert_eq!(answer.error_text(), Some("Invalid credentials"));
    assert_eq!(events(&mut server), [ServerEvent::Denied]);
    // Whatever it still sends is of no interest.
    assert_eq!(server.handle_bytes(&[0xFF; 100]), Ok(()));
    assert_eq!(events(&mut server), []);
}

#[test]
fn identity_is_had_without_and_with_authorisation() {
    let mut server = every_cipher();
    let mut client = Foreigner::new();
    client
        .say(&mut server, "<Request Service='Identity'/>")
        .unwrap();
    assert_eq!(
        events(&mut server),
        [ServerEvent::Opened {
            request: request("Identity"),
            authorised: false
        }]
    );
    server.send(&Element::new("Identity"));
    assert_eq!(client.hear(&mut server), "<Identity/>");

    let mut server = every_cipher();
    client.log_in(&mut server, "Identity", "Ciphers='RC4'", CipherName::Rc4);
    client
        .say(&mut server, "<Request Service='Identity'/>")
        .unwrap();
    assert_eq!(
        events(&mut server),
        [ServerEvent::Opened {
            request: request("Identity"),
            authorised: true
        }]
    );
}

#[test]
fn nothing_else_is_had_without_authorisation() {
    for document in [
        "<Connect Service='SQL2' Database='teas'/>",
        "<Request Service='State'/>",
        "<Request/>",
        "<SRPRequest/>",
        "<Anything/>",
    ] {
        let mut server = every_cipher();
        let mut client = Foreigner::new();
        client.say(&mut server, document).unwrap();
        let answer = xml::parse(client.hear(&mut server).as_bytes()).unwrap();
        assert!(answer.error_text().is_some(), "{document}");
        assert_eq!(events(&mut server), [ServerEvent::Denied], "{document}");
    }
}

#[test]
fn an_authorisation_is_good_for_one_service() {
    let mut server = every_cipher();
    let mut client = Foreigner::new();
    client.log_in(
        &mut server,
        "State",
        "Ciphers='AES-256-CTR'",
        CipherName::Aes256Ctr,
    );
    client
        .say(&mut server, "<Request Service='ProcessStop' PID='1'/>")
        .unwrap();
    let answer = xml::parse(client.hear(&mut server).as_bytes()).unwrap();
    assert_eq!(
        answer.error_text(),
        Some("Authorized for State, not for ProcessStop")
    );
    assert_eq!(events(&mut server), [ServerEvent::Denied]);
}

#[test]
fn further_documents_of_a_session_are_told() {
    let mut server = every_cipher();
    let mut client = Foreigner::new();
    client.log_in(&mut server, "Monitor", "Cipher='RC4'", CipherName::Rc4);
    client
        .say(&mut server, "<Connect Service='Monitor'/>")
        .unwrap();
    client.say(&mut server, "").unwrap();
    client
        .say(&mut server, "<ManagementRequest ProcessId='7'/>")
        .unwrap();
    assert_eq!(
        events(&mut server),
        [
            ServerEvent::Opened {
                request: Request::new("Monitor", Style::Connect),
                authorised: true
            },
            ServerEvent::Document(Element::new("ManagementRequest").with("ProcessId", "7"))
        ]
    );
    assert!(matches!(
        client.say(&mut server, "<oops"),
        Err(ServerError::Garbage(_))
    ));
    assert!(client.say(&mut server, "<fine/>").is_err());
}

#[test]
fn a_wrong_password_shows_in_the_first_encrypted_document() {
    for (attributes, cipher) in [
        ("Cipher='RC4'", CipherName::Rc4),
        ("Ciphers='AES-128-CTR'", CipherName::Aes128Ctr),
    ] {
        let mut server = every_cipher();
        let mut client = Foreigner::new();
        let answer = client.ask(&mut server, "State", attributes);
        let secret = client.agree(&answer, "fish");
        client.outgoing = Keystream::new(cipher, &secret, &Iv::default());
        assert_eq!(
            client.say(&mut server, "<PasswordVerify/>"),
            Err(ServerError::WrongPassword)
        );
        assert_eq!(events(&mut server), []);
    }
}

#[test]
fn under_rc4_a_proof_that_was_merely_sent_back_opens_nothing() {
    let mut server = every_cipher();
    let mut client = Foreigner::new();
    client.ask(&mut server, "State", "Cipher='RC4'");
    // Both directions have the same keystream: what comes in can go out again.
    let proof = client.inbox.next_frame().unwrap().unwrap().to_vec();
    let echo = client.frame(&proof);
    server.handle_bytes(&echo).unwrap();
    assert_eq!(events(&mut server), []);
    assert_eq!(
        client.say(&mut server, "<Request Service='State'/>"),
        Err(ServerError::WrongPassword)
    );
    assert_eq!(events(&mut server), []);
}

#[test]
fn a_key_that_gives_the_secret_away_is_refused() {
    for key in ["0", "00", "", "xyz"] {
        let mut server = every_cipher();
        let mut client = Foreigner::new();
        client
            .say(&mut server, "<Authorize TargetService='State' Type='SRP'/>")
            .unwrap();
        let challenge = format!("<SRPRequest ClientKey='{key}' Username='domain'/>");
        assert!(matches!(
            client.say(&mut server, &challenge),
            Err(ServerError::BadKey(_))
        ));
    }
}

#[test]
fn a_probe_is_answered_in_whatever_pieces_it_comes() {
    for end in ["", "\r\n"] {
        let probe = format!("~~~~stat {end}");
        for size in 1..=probe.len() {
            let mut server = every_cipher();
            for piece in probe.as_bytes().chunks(size) {
                server.handle_bytes(piece).unwrap();
            }
            assert_eq!(events(&mut server), [ServerEvent::Probe]);
            assert_eq!(server.poll_transmit().unwrap(), b"<ok/>");
        }
    }
    let mut server = every_cipher();
    server.handle_bytes(b"~~~~stat").unwrap();
    assert_eq!(events(&mut server), []);
}

#[test]
fn what_only_begins_like_a_probe_is_a_frame_that_is_too_long() {
    for bytes in ["~~~~state", "~~~~Stat ", "~~~~\0"] {
        assert!(matches!(
            every_cipher().handle_bytes(bytes.as_bytes()),
            Err(ServerError::FrameTooLong(_))
        ));
    }
}

#[test]
fn long_frames_are_for_those_who_proved_the_password() {
    let long = format!("<Request Service='Tag'>{}</Request>", " ".repeat(70_000));
    let mut server = every_cipher();
    let mut client = Foreigner::new();
    assert!(matches!(
        client.say(&mut server, &long),
        Err(ServerError::FrameTooLong(_))
    ));
    let mut server = every_cipher();
    client.log_in(&mut server, "Tag", "Cipher='RC4'", CipherName::Rc4);
    client.say(&mut server, "<Request Service='Tag'/>").unwrap();
    client.say(&mut server, &long).unwrap();
    assert_eq!(events(&mut server).len(), 2);
}

#[test]
fn no_formatting_shows_a_secret() {
    let mut server = every_cipher();
    Foreigner::new().ask(&mut server, "State", "Cipher='RC4'");
    let shown = format!("{server:?}");
    assert!(!shown.contains("bird"), "{shown}");
    assert!(!shown.contains("43, 43, 43"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 2))]

    #[test]
    fn arbitrary_bytes_do_no_harm(pieces in prop::collection::vec(
        prop::collection::vec(any::<u8>(), 0..40),
        0..8,
    )) {
        let mut server = every_cipher();
        let mut authorised = every_cipher();
        let mut client = Foreigner::new();
        client.log_in(&mut authorised, "Tag", "Cipher='RC4'", CipherName::Rc4);
        for piece in pieces {
            let _ = server.handle_bytes(&piece);
            let frame = client.frame(&piece);
            let _ = authorised.handle_bytes(&frame);
        }
        prop_assert!(events(&mut server).iter().all(|it| *it == ServerEvent::Denied));
        prop_assert!(events(&mut authorised).iter().all(|it| *it == ServerEvent::Denied));
    }
}

#[test]
fn events_and_snapshots_are_sent_as_documents() {
    let mut server = every_cipher();
    let mut client = Foreigner::new();
    client.log_in(&mut server, "Monitor", "Cipher='RC4'", CipherName::Rc4);
    server.send_event(&Event::Unknown(Arc::from("Weather")));
    assert_eq!(client.hear(&mut server), "<Event Type=\"Weather\"/>");
}
