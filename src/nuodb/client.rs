//! The client's half of one session to one peer, sans IO.
//!
//! Bytes go in by [`Client::handle_bytes`], in whatever pieces they arrive; what is to be sent
//! comes out of [`Client::poll_transmit`], what was learned out of [`Client::poll_event`]. Time
//! plays no part: who wants a deadline keeps it. Which peer is talked to, and what for, is decided
//! elsewhere.

mod error;

use std::collections::VecDeque;
use std::fmt;

use zeroize::Zeroizing;

use super::cipher::{self, CipherName, Iv, Keystream};
use super::frame::{FrameBuffer, LIMIT_BEFORE_AUTHENTICATION, Outbox};
use super::message::{Decoder, Element, Event, MONITOR, MessageError, Monitored, Request, Status};
use super::srp::{Agreement, ClientSide, Password};
use super::xml;

pub use error::{ClientError, ErrorClass, Stage};

/// Who logs in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Credentials {
    /// The name of the account, as the peer knows it.
    pub user: String,
    /// Its password.
    pub password: Password,
}

/// How a client behaves, whichever peer it talks to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Who logs in.
    pub credentials: Credentials,
    /// Whether something better lies underneath, so that the cipher does not matter.
    pub inside_tls: bool,
    /// Whether RC4 will do where nothing better lies underneath.
    pub allow_legacy_ciphers: bool,
    /// The longest frame that is accepted after the authorisation.
    pub frame_limit: usize,
    /// How the secret of a session is come by.
    pub agreement: Agreement,
}

impl Settings {
    /// Returns the ciphers that are offered, the best first.
    fn offer(&self) -> &'static [CipherName] {
        if self.allow_legacy_ciphers || self.inside_tls {
            &[
                CipherName::Aes256Ctr,
                CipherName::Aes128Ctr,
                CipherName::Rc4,
            ]
        } else {
            &[CipherName::Aes256Ctr, CipherName::Aes128Ctr]
        }
    }
}

/// What a client learned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ClientEvent {
    /// The peer proved that it knows the password, and heard that we do.
    Authorised {
        /// What the session is encrypted with.
        cipher: CipherName,
    },
    /// On a Monitor session: one change.
    Event(Event),
    /// On all other sessions: what the peer answered. On a Monitor session: a document that is
    /// neither the snapshot nor an event.
    Response(Element),
    /// On a Monitor session: the whole domain; the first thing that is told.
    Status(Box<Status>),
    /// A document that cannot be read, and why. The session goes on.
    Unreadable(String),
}

/// One session to one peer.
///
/// After an error the session is over, and every further call fails in the same way.
pub struct Client {
    frames: FrameBuffer,
    /// What the limit becomes once the peer is authorised.
    frame_limit: usize,
    session: Session,
    failure: Option<ClientError>,
}

impl Client {
    /// Begins a session for one service, and asks for authorisation at once.
    ///
    /// `entropy` is the private key of the session: it must be random and used only once.
    pub fn new(settings: &Settings, service: &str, entropy: [u8; 32]) -> Self {
        let exchange = settings.agreement.client(entropy);
        let offer = settings.offer();
        let mut challenge = Element::new("SRPRequest")
            .with("ClientKey", exchange.public_key())
            .with("Username", &settings.credentials.user);
        if offer.contains(&CipherName::Rc4) {
            // The only attribute that agents before the list of ciphers know.
            challenge = challenge.with("Cipher", CipherName::Rc4.as_str());
        }
        let names: Vec<&str> = offer.iter().map(|it| it.as_str()).collect();
        challenge = challenge.with("Ciphers", names.join(","));
        let mut session = Session::new(
            Progress::Authorising(Box::new(Login {
                exchange,
                credentials: settings.credentials.clone(),
                offer,
                inside_tls: settings.inside_tls,
            })),
            service == MONITOR,
        );
        let authorise = Element::new("Authorize")
            .with("TargetService", service)
            .with("Type", "SRP");
        session.transmit(|out| xml::write(&authorise, out));
        session.transmit(|out| xml::write(&challenge, out));
        Self {
            frames: FrameBuffer::new(LIMIT_BEFORE_AUTHENTICATION),
            frame_limit: settings.frame_limit,
            session,
            failure: None,
        }
    }

    /// Begins a session in clear that sends nothing but `request`, and asks for no authorisation.
    ///
    /// Peers answer nothing but `Identity` in this way.
    pub fn without_authorisation(settings: &Settings, request: Request) -> Self {
        let is_monitor = request.service == MONITOR;
        let mut client = Self {
            frames: FrameBuffer::new(LIMIT_BEFORE_AUTHENTICATION),
            frame_limit: settings.frame_limit.min(LIMIT_BEFORE_AUTHENTICATION),
            session: Session::new(Progress::Open { in_clear: true }, is_monitor),
            failure: None,
        };
        client.send_request(request);
        client
    }

    /// Takes in bytes that arrived, in whatever pieces.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.frames.push(bytes);
        let result = self.read_frames();
        if let Err(error) = &result {
            self.failure = Some(error.clone());
            self.session.progress = Progress::Over;
        }
        result
    }

    /// Takes in that the peer closed the connection.
    ///
    /// # Errors
    ///
    /// Fails unless an answer was received: a Monitor session has no natural end.
    pub fn handle_close(&mut self) -> Result<(), ClientError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let stage = match (&self.session.progress, self.session.is_monitor) {
            (Progress::Over, _) => return Ok(()),
            (Progress::Authorising(_), _) => Stage::Authorising,
            (Progress::Verifying { .. }, _) => Stage::Verifying,
            (Progress::Open { .. }, true) if self.session.is_answered => Stage::Watching,
            (Progress::Open { .. }, true) => Stage::Snapshot,
            (Progress::Open { .. }, false)
                if self.session.is_answered && self.frames.waiting().is_empty() =>
            {
                self.session.progress = Progress::Over;
                return Ok(());
            }
            (Progress::Open { .. }, false) => Stage::Answering,
        };
        let error = ClientError::Closed { stage };
        self.failure = Some(error.clone());
        self.session.progress = Progress::Over;
        Err(error)
    }

    /// Sends the one request of the session, as soon as the authorisation is through.
    pub fn send_request(&mut self, request: Request) {
        self.send(&request.into());
    }

    /// Sends a further document, as soon as the authorisation is through.
    pub fn send(&mut self, document: &Element) {
        match &self.session.progress {
            Progress::Authorising(_) | Progress::Verifying { .. } => {
                let mut bytes = Zeroizing::default();
                xml::write(document, &mut bytes);
                self.session.postponed.push(bytes);
            }
            Progress::Open { .. } => self.session.transmit(|out| xml::write(document, out)),
            Progress::Over => (),
        }
    }

    /// Returns all bytes that are to be sent now, if there are any.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.session.outbox.take()
    }

    /// Returns the next thing that was learned.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.session.events.pop_front()
    }

    /// Returns whether peer and client have proved to each other that they know the password.
    pub const fn is_authorised(&self) -> bool {
        matches!(self.session.progress, Progress::Open { in_clear: false })
    }

    fn read_frames(&mut self) -> Result<(), ClientError> {
        while let Some(frame) = self.frames.next_frame()? {
            self.session.receive(frame)?;
            if self.is_authorised() {
                self.frames.set_limit(self.frame_limit);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Client {
    /// Shows how far the session is, and none of the documents that wait to be sent or read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("progress", &self.session.progress)
            .field("is_monitor", &self.session.is_monitor)
            .field("is_answered", &self.session.is_answered)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

/// Everything of a session but the bytes that have not become a frame.
struct Session {
    progress: Progress,
    is_monitor: bool,
    /// The first answer, on a Monitor session the snapshot, has come.
    is_answered: bool,
    incoming: Keystream,
    outgoing: Keystream,
    decoder: Decoder,
    /// Documents that wait for the authorisation.
    postponed: Vec<Zeroizing<Vec<u8>>>,
    outbox: Outbox,
    events: VecDeque<ClientEvent>,
}

/// How far the session is, with what only that stage needs.
#[derive(Debug)]
enum Progress {
    Authorising(Box<Login>),
    Verifying { cipher: CipherName },
    Open { in_clear: bool },
    Over,
}

/// What is needed until the peer answers the login.
#[derive(Debug)]
struct Login {
    exchange: ClientSide,
    credentials: Credentials,
    offer: &'static [CipherName],
    inside_tls: bool,
}

impl Session {
    fn new(progress: Progress, is_monitor: bool) -> Self {
        Self {
            progress,
            is_monitor,
            is_answered: false,
            incoming: Keystream::clear(),
            outgoing: Keystream::clear(),
            decoder: Decoder::default(),
            postponed: Vec::new(),
            outbox: Outbox::default(),
            events: VecDeque::new(),
        }
    }

    fn transmit(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let outgoing = &mut self.outgoing;
        self.outbox.frame(write, |bytes| outgoing.apply(bytes));
    }

    fn receive(&mut self, frame: &mut [u8]) -> Result<(), ClientError> {
        self.incoming.apply(frame);
        match &self.progress {
            Progress::Authorising(login) => {
                let answer = xml::parse(frame).map_err(ClientError::Garbage)?;
                let (cipher, incoming, outgoing) = login.answered(&answer)?;
                self.incoming = incoming;
                self.outgoing = outgoing;
                self.progress = Progress::Verifying { cipher };
                Ok(())
            }
            Progress::Verifying { cipher } => {
                let cipher = *cipher;
                self.verify(frame, cipher)
            }
            Progress::Open { .. } if self.is_monitor => self.monitored(frame),
            Progress::Open { in_clear } => {
                let in_clear = *in_clear;
                self.answered(frame, in_clear)
            }
            Progress::Over => Ok(()),
        }
    }

    /// Reads the peer's proof, and proves the same by sending it back.
    fn verify(&mut self, frame: &[u8], cipher: CipherName) -> Result<(), ClientError> {
        // What another key encrypted is no document.
        let text = xml::decode(frame).map_err(|_| ClientError::WrongPassword)?;
        let proof = xml::read(&text).map_err(|_| ClientError::WrongPassword)?;
        if proof.name != "PasswordVerify" {
            return Err(ClientError::Unexpected {
                expected: "PasswordVerify",
                found: proof.name,
            });
        }
        self.transmit(|out| out.extend_from_slice(text.as_bytes()));
        self.progress = Progress::Open { in_clear: false };
        for document in std::mem::take(&mut self.postponed) {
            self.transmit(|out| out.extend_from_slice(&document));
        }
        self.events.push_back(ClientEvent::Authorised { cipher });
        Ok(())
    }

    /// Reads a document of a Monitor session.
    fn monitored(&mut self, frame: &[u8]) -> Result<(), ClientError> {
        let message = xml::decode(frame)
            .map_err(MessageError::from)
            .and_then(|text| Ok((self.decoder.read(&text)?, text)));
        let event = match message {
            Ok((Monitored::Event(event), _)) if self.is_answered => ClientEvent::Event(event),
            Ok((Monitored::Status(status), _)) => ClientEvent::Status(status),
            Ok((Monitored::Event(_), _)) => return Err(unexpected_before_status("Event".into())),
            Ok((Monitored::Other, text)) => match xml::read(&text) {
                Ok(other) if self.is_answered => ClientEvent::Response(other),
                Ok(other) => {
                    return Err(match other.error_text() {
                        Some(text) => ClientError::Refused { text: text.into() },
                        None => unexpected_before_status(other.name),
                    });
                }
                Err(error) => self.unreadable(error.into())?,
            },
            Err(error) => self.unreadable(error)?,
        };
        self.is_answered = true;
        self.events.push_back(event);
        Ok(())
    }

    /// Passes over a message that cannot be read, unless all others would make no sense then.
    fn unreadable(&self, error: MessageError) -> Result<ClientEvent, ClientError> {
        if !self.is_answered {
            return Err(ClientError::MalformedStatus(error));
        }
        Ok(ClientEvent::Unreadable(match error {
            MessageError::Xml(error) => error.to_string(),
            error @ (MessageError::ControlCharacter(_)
            | MessageError::Missing(_)
            | MessageError::NameTooLong(_)
            | MessageError::TooManyEntities) => error.to_string(),
        }))
    }

    /// Reads a document of any other session.
    fn answered(&mut self, frame: &[u8], in_clear: bool) -> Result<(), ClientError> {
        let event = match xml::parse(frame) {
            Ok(answer) => match answer.error_text() {
                Some(text) => return Err(ClientError::Refused { text: text.into() }),
                None => ClientEvent::Response(answer),
            },
            Err(error) if in_clear => return Err(ClientError::Garbage(error)),
            Err(error) => ClientEvent::Unreadable(error.to_string()),
        };
        self.is_answered = true;
        self.events.push_back(event);
        Ok(())
    }
}

fn unexpected_before_status(found: String) -> ClientError {
    ClientError::Unexpected {
        expected: "Status",
        found,
    }
}

impl Login {
    /// Returns the chosen cipher, and both directions of it.
    fn answered(
        &self,
        answer: &Element,
    ) -> Result<(CipherName, Keystream, Keystream), ClientError> {
        if answer.name != "SRPResponse" {
            let text = match answer.error_text() {
                Some(text) => text.to_owned(),
                None => format!("it answered with `{}`", answer.name),
            };
            return Err(ClientError::Denied { text });
        }
        let attribute = |attribute: &'static str| {
            answer
                .attribute(attribute)
                .ok_or(ClientError::MissingAttribute { attribute })
        };
        let cipher = self.accept(answer.attribute("Cipher"))?;
        let iv = |name| -> Result<Iv, ClientError> {
            if !cipher.needs_iv() {
                return Ok(Iv::default());
            }
            cipher::parse_iv(attribute(name)?).map_err(ClientError::BadIv)
        };
        // Named from where the server stands.
        let (outgoing, incoming) = (iv("IncomingIV")?, iv("OutgoingIV")?);
        let Credentials { user, password } = &self.credentials;
        let secret = self
            .exchange
            .agree(user, password, attribute("Salt")?, attribute("ServerKey")?)
            .map_err(ClientError::BadKey)?;
        Ok((
            cipher,
            Keystream::new(cipher, &secret, &incoming),
            Keystream::new(cipher, &secret, &outgoing),
        ))
    }

    /// Returns the cipher the peer wants, if it may have it; without a word it means RC4.
    fn accept(&self, wanted: Option<&str>) -> Result<CipherName, ClientError> {
        let wanted = wanted.unwrap_or(CipherName::Rc4.as_str());
        let advice = match wanted.parse() {
            Ok(cipher) if self.offer.contains(&cipher) => return Ok(cipher),
            Ok(CipherName::None) if self.inside_tls => return Ok(CipherName::None),
            Ok(CipherName::None) => "only inside TLS may there be no cipher",
            Ok(CipherName::Rc4) => "use TLS, or allow legacy ciphers where the network is trusted",
            Ok(CipherName::Aes128Ctr | CipherName::Aes256Ctr) | Err(_) => {
                "it was not offered; the peer may be newer than this program"
            }
        };
        Err(ClientError::CipherNotAllowed {
            cipher: wanted.to_owned(),
            advice,
        })
    }
}

#[cfg(test)]
mod tests;
