//! A client meets peers that are old, strict, broken or not NuoDB at all.

use proptest::prelude::*;

use super::*;
use crate::nuodb::frame::FrameTooLong;
use crate::nuodb::message::Style;
use crate::nuodb::srp::ServerExchange;

/// A peer that says what the test wants it to say.
struct Foreigner {
    exchange: ServerExchange,
    incoming: Keystream,
    outgoing: Keystream,
    inbox: FrameBuffer,
}

impl Foreigner {
    fn new(password: &str) -> Self {
        let password = Password::new(password.to_owned());
        Self {
            exchange: ServerExchange::new("domain", &password, [0; 16], [0x3C; 32]),
            incoming: Keystream::clear(),
            outgoing: Keystream::clear(),
            inbox: FrameBuffer::new(1024 * 1024),
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

    fn say(&mut self, client: &mut Client, document: &str) -> Result<(), ClientError> {
        let frame = self.frame(document.as_bytes());
        client.handle_bytes(&frame)
    }

    /// Returns the next document of the client.
    fn hear(&mut self, client: &mut Client) -> Element {
        self.inbox.push(&client.poll_transmit().unwrap_or_default());
        let frame = self.inbox.next_frame().unwrap().expect("the client speaks");
        self.incoming.apply(frame);
        xml::parse(frame).unwrap()
    }

    /// Answers the login with these attributes, and encrypts with `cipher` from then on.
    fn answer(
        &mut self,
        client: &mut Client,
        attributes: &str,
        cipher: CipherName,
    ) -> Result<(), ClientError> {
        assert_eq!(self.hear(client).name, "Authorize");
        let challenge = self.hear(client);
        let secret = self
            .exchange
            .agree(challenge.attribute("ClientKey").unwrap());
        let (salt, key) = (self.exchange.salt(), self.exchange.public_key());
        let answer = format!("<SRPResponse Salt='{salt}' ServerKey='{key}' {attributes}/>");
        let result = self.say(client, &answer);
        let secret = secret.unwrap();
        self.incoming = Keystream::new(cipher, &secret, &[0; 16]);
        self.outgoing = Keystream::new(cipher, &secret, &[1; 16]);
        result
    }

    /// Lets the client in, by RC4.
    fn let_in(client: &mut Client) -> Self {
        let mut it = Self::new("bird");
        it.answer(client, "", CipherName::Rc4).unwrap();
        it.say(client, "\n <PasswordVerify/>").unwrap();
        assert_eq!(it.hear(client).name, "PasswordVerify");
        assert!(matches!(
            client.poll_event(),
            Some(ClientEvent::Authorised { .. })
        ));
        it
    }
}

fn client(service: &str) -> Client {
    Client::new(&settings(), service, CLIENT_ENTROPY)
}

#[test]
fn a_login_names_the_service_the_user_and_what_may_encrypt() {
    let offered = |settings: &Settings| {
        let mut client = Client::new(settings, "State", CLIENT_ENTROPY);
        let mut peer = Foreigner::new("bird");
        let authorise = peer.hear(&mut client);
        assert_eq!(
            authorise,
            Element::new("Authorize")
                .with("TargetService", "State")
                .with("Type", "SRP")
        );
        let challenge = peer.hear(&mut client);
        assert_eq!(challenge.name, "SRPRequest");
        assert_eq!(challenge.attribute("Username"), Some("domain"));
        let attribute = |name| challenge.attribute(name).map(str::to_owned);
        (attribute("Cipher"), attribute("Ciphers").unwrap())
    };
    let strict = Settings {
        allow_legacy_ciphers: false,
        ..settings()
    };
    let inside_tls = Settings {
        inside_tls: true,
        ..strict.clone()
    };
    let legacy = (
        Some("RC4".to_owned()),
        "AES-256-CTR,AES-128-CTR,RC4".to_owned(),
    );
    assert_eq!(
        offered(&strict),
        (None, "AES-256-CTR,AES-128-CTR".to_owned())
    );
    assert_eq!(offered(&inside_tls), legacy);
    assert_eq!(offered(&settings()), legacy);
}

#[test]
fn the_peer_chooses_among_what_is_allowed() {
    const IVS: &str = "IncomingIV='00000000000000000000000000000000' \
                       OutgoingIV='01010101010101010101010101010101'";
    let strict = Settings {
        allow_legacy_ciphers: false,
        ..settings()
    };
    let inside_tls = Settings {
        inside_tls: true,
        ..strict.clone()
    };
    for (settings, attributes, cipher, is_allowed) in [
        (&strict, "Cipher='AES-256-CTR'", CipherName::Aes256Ctr, true),
        (&strict, "Cipher='AES-128-CTR'", CipherName::Aes128Ctr, true),
        (&strict, "Cipher='RC4'", CipherName::Rc4, false),
        (&strict, "", CipherName::Rc4, false),
        (&strict, "Cipher='None'", CipherName::None, false),
        (&strict, "Cipher='ROT13'", CipherName::None, false),
        (&settings(), "Cipher='RC4'", CipherName::Rc4, true),
        (&settings(), "", CipherName::Rc4, true),
        (&settings(), "Cipher='None'", CipherName::None, false),
        (&inside_tls, "", CipherName::Rc4, true),
        (&inside_tls, "Cipher='None'", CipherName::None, true),
        (
            &inside_tls,
            "Cipher='aes-256-ctr'",
            CipherName::Aes256Ctr,
            false,
        ),
    ] {
        let mut client = Client::new(settings, "State", CLIENT_ENTROPY);
        let mut peer = Foreigner::new("bird");
        let result = peer.answer(&mut client, &format!("{attributes} {IVS}"), cipher);
        if is_allowed {
            result.unwrap();
            peer.say(&mut client, "<PasswordVerify/>").unwrap();
            assert_eq!(
                client.poll_event(),
                Some(ClientEvent::Authorised { cipher })
            );
            assert_eq!(peer.hear(&mut client).name, "PasswordVerify");
        } else {
            let error = result.unwrap_err();
            assert!(
                matches!(error, ClientError::CipherNotAllowed { .. }),
                "{attributes}: {error}"
            );
            assert_eq!(error.class(), ErrorClass::Denied);
            assert!(!client.is_authorised());
        }
    }
}

#[test]
fn an_answer_to_the_login_that_lacks_something_is_a_broken_protocol() {
    let key = "ServerKey='02'";
    let salt = "Salt='00'";
    let iv = "'000102030405060708090A0B0C0D0E0F'";
    for answer in [
        format!("<SRPResponse {key}/>"),
        format!("<SRPResponse {salt}/>"),
        format!("<SRPResponse {salt} ServerKey='00'/>"),
        format!("<SRPResponse {salt} ServerKey='x'/>"),
        format!("<SRPResponse Salt='' {key}/>"),
        format!("<SRPResponse {salt} {key} Cipher='AES-256-CTR' OutgoingIV={iv}/>"),
        format!("<SRPResponse {salt} {key} Cipher='AES-256-CTR' IncomingIV={iv}/>"),
        format!("<SRPResponse {salt} {key} Cipher='AES-128-CTR' IncomingIV='00' OutgoingIV={iv}/>"),
        format!("<SRPResponse {salt} {key}"),
        "HTTP/1.1 400 Bad Request".to_owned(),
    ] {
        let mut client = client("State");
        let error = Foreigner::new("bird")
            .say(&mut client, &answer)
            .unwrap_err();
        assert_eq!(error.class(), ErrorClass::Protocol, "{answer}: {error}");
        // The session is over, and stays so.
        assert_eq!(client.handle_bytes(b""), Err(error.clone()));
        assert_eq!(client.handle_close(), Err(error));
    }
}

#[test]
fn any_other_answer_to_the_login_is_a_denial() {
    for (answer, expected) in [
        (
            "<Error text=' Invalid credentials '/>",
            "Invalid credentials",
        ),
        ("<Sorry/>", "it answered with `Sorry`"),
    ] {
        let error = Foreigner::new("bird")
            .say(&mut client("State"), answer)
            .unwrap_err();
        let text = expected.to_owned();
        assert_eq!(error, ClientError::Denied { text });
        assert_eq!(error.class(), ErrorClass::Denied);
    }
}

#[test]
fn a_wrong_password_shows_in_the_peers_proof() {
    for (attributes, cipher) in [
        ("", CipherName::Rc4),
        (
            "Cipher='AES-256-CTR' IncomingIV='00000000000000000000000000000000' \
             OutgoingIV='01010101010101010101010101010101'",
            CipherName::Aes256Ctr,
        ),
    ] {
        let mut client = client("State");
        let mut peer = Foreigner::new("fish");
        peer.answer(&mut client, attributes, cipher).unwrap();
        let error = peer.say(&mut client, "<PasswordVerify/>").unwrap_err();
        assert_eq!(error, ClientError::WrongPassword);
        assert_eq!(error.class(), ErrorClass::Denied);
        assert!(!client.is_authorised());
        assert_eq!(client.poll_transmit(), None);
        assert_eq!(client.poll_event(), None);
    }
}

#[test]
fn another_document_in_place_of_the_proof_is_a_broken_protocol() {
    let mut client = client("State");
    let mut peer = Foreigner::new("bird");
    peer.answer(&mut client, "", CipherName::Rc4).unwrap();
    let error = peer.say(&mut client, "<Welcome/>").unwrap_err();
    assert_eq!(error.class(), ErrorClass::Protocol);
    assert_eq!(
        error.to_string(),
        "peer sent `Welcome` where `PasswordVerify` belongs"
    );
}

#[test]
fn long_frames_are_for_peers_that_proved_the_password() {
    let mut client = client("State");
    let error = client
        .handle_bytes(&0x8000_0000_u32.to_be_bytes())
        .unwrap_err();
    assert_eq!(
        error,
        ClientError::FrameTooLong(FrameTooLong {
            length: 0x8000_0000,
            limit: LIMIT_BEFORE_AUTHENTICATION
        })
    );
    assert_eq!(error.class(), ErrorClass::Protocol);

    let mut client = self::client("State");
    let mut peer = Foreigner::let_in(&mut client);
    let long = format!("<State>{}</State>", "x".repeat(100_000));
    peer.say(&mut client, &long).unwrap();
    assert!(matches!(
        client.poll_event(),
        Some(ClientEvent::Response(_))
    ));
    let too_long = u32::try_from(settings().frame_limit + 1).unwrap();
    assert!(client.handle_bytes(&too_long.to_be_bytes()).is_err());
}

#[test]
fn a_peer_that_closes_too_early_is_told_by_how_far_it_came() {
    let closed = |client: &mut Client| match client.handle_close() {
        Err(error @ ClientError::Closed { stage }) => {
            assert_eq!(error.class(), ErrorClass::Connection);
            Some(stage)
        }
        Err(error) => panic!("{error}"),
        Ok(()) => None,
    };
    assert_eq!(closed(&mut client("State")), Some(Stage::Authorising));

    let mut verifying = client("State");
    Foreigner::new("bird")
        .answer(&mut verifying, "", CipherName::Rc4)
        .unwrap();
    assert_eq!(closed(&mut verifying), Some(Stage::Verifying));

    for (service, said, stage) in [
        ("State", vec![], Some(Stage::Answering)),
        ("State", vec!["<State/>"], None),
        (MONITOR, vec![], Some(Stage::Snapshot)),
        (
            MONITOR,
            vec!["<Status AgentId='a'/>"],
            Some(Stage::Watching),
        ),
    ] {
        let mut client = client(service);
        let mut peer = Foreigner::let_in(&mut client);
        for document in said {
            peer.say(&mut client, document).unwrap();
        }
        assert_eq!(closed(&mut client), stage);
    }

    let mut answered = client("State");
    let mut peer = Foreigner::let_in(&mut answered);
    peer.say(&mut answered, "<State/>").unwrap();
    answered.handle_bytes(&[0, 0]).unwrap();
    assert_eq!(closed(&mut answered), Some(Stage::Answering));
}

#[test]
fn a_refused_request_is_an_error_in_the_peers_words() {
    for service in ["ProcessStart", MONITOR] {
        let mut client = client(service);
        let mut peer = Foreigner::let_in(&mut client);
        let error = peer
            .say(&mut client, "<Error text='not a broker\n'/>")
            .unwrap_err();
        let text = "not a broker".to_owned();
        assert_eq!(error, ClientError::Refused { text });
        assert_eq!(error.class(), ErrorClass::Connection);
    }
}

#[test]
fn a_monitor_session_begins_with_the_state_of_the_domain() {
    for document in [
        "<Event Type='NewBroker'><Broker AgentId='a'/></Event>",
        "<Items/>",
        "<Status",
        "<Status/>",
        "garbage",
        "<Status AgentId='a'/><Status AgentId='a'/>",
    ] {
        let mut client = client(MONITOR);
        let mut peer = Foreigner::let_in(&mut client);
        let error = peer.say(&mut client, document).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Protocol, "{document}: {error}");
        assert_eq!(client.poll_event(), None, "{document}");
    }
}

#[test]
fn what_cannot_be_read_is_told_and_the_session_goes_on() {
    let mut client = client(MONITOR);
    let mut peer = Foreigner::let_in(&mut client);
    peer.say(&mut client, "<Status AgentId='a'/>").unwrap();
    peer.say(&mut client, "<Event Type='ProcessExit'/>")
        .unwrap();
    peer.say(&mut client, "<Event").unwrap();
    peer.say(&mut client, "").unwrap();
    peer.say(&mut client, "<Error text='no'/>").unwrap();
    peer.say(&mut client, "<Event Type='Weather'/>").unwrap();
    peer.say(&mut client, "<Status AgentId='b'/>").unwrap();
    let told: Vec<_> = std::iter::from_fn(|| client.poll_event()).collect();
    assert!(
        matches!(
            &told[..],
            [
                ClientEvent::Status(_),
                ClientEvent::Unreadable(missing),
                ClientEvent::Unreadable(_),
                ClientEvent::Response(_),
                ClientEvent::Event(Event::Unknown(_)),
                ClientEvent::Status(_)
            ] if missing == "missing or malformed `Process`"
        ),
        "{told:?}"
    );

    let mut client = self::client("State");
    let mut peer = Foreigner::let_in(&mut client);
    peer.say(&mut client, "<State").unwrap();
    assert!(matches!(
        client.poll_event(),
        Some(ClientEvent::Unreadable(_))
    ));
}

#[test]
fn a_peer_that_writes_latin_1_is_understood() {
    let mut client = client("State");
    let mut peer = Foreigner::let_in(&mut client);
    let frame = peer.frame(b"<State text='gr\xF6\xDFer'/>");
    client.handle_bytes(&frame).unwrap();
    let answer = Element::new("State").with("text", "größer");
    assert_eq!(client.poll_event(), Some(ClientEvent::Response(answer)));
}

#[test]
fn what_is_sent_too_early_waits_for_the_authorisation() {
    let mut client = client("Tag");
    client.send_request(Request::new("Tag", Style::Request).with("Action", "GetHostTags"));
    client.send(&Element::new("Second"));
    let mut peer = Foreigner::let_in(&mut client);
    let request = peer.hear(&mut client);
    assert_eq!(request.attribute("Action"), Some("GetHostTags"));
    assert_eq!(peer.hear(&mut client).name, "Second");
}

#[test]
fn no_formatting_shows_a_secret() {
    let mut client = client("State");
    let shown = format!("{client:?} {:?}", settings());
    assert!(!shown.contains("bird"), "{shown}");
    // The private key, and the bytes of documents, consist of Z.
    assert!(!shown.contains("90, 90"), "{shown}");
    client.send(&Element::new("ZZZ"));
    let mut peer = Foreigner::let_in(&mut client);
    peer.say(&mut client, "<ZZZ/>").unwrap();
    let shown = format!("{client:?}");
    assert!(!shown.contains("90, 90"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 2))]

    #[test]
    fn arbitrary_bytes_do_no_harm(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
        watches in any::<bool>(),
    ) {
        let service = if watches { MONITOR } else { "State" };
        let mut stranger = client(service);
        let mut clear = Client::without_authorisation(
            &settings(),
            Request::new("Identity", Style::Request),
        );
        let mut authorised = client(service);
        let mut peer = Foreigner::let_in(&mut authorised);
        for piece in pieces {
            let _ = stranger.handle_bytes(&piece);
            let _ = clear.handle_bytes(&piece);
            let frame = peer.frame(&piece);
            let _ = authorised.handle_bytes(&frame);
        }
        prop_assert_eq!(stranger.poll_event(), None);
        let _ = (stranger.handle_close(), clear.handle_close(), authorised.handle_close());
    }
}
