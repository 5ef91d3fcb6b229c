//! The server's half of one session, sans IO: what the sandbox speaks.
//!
//! It knows how somebody logs in and asks for a service. What the services are and answer is
//! decided elsewhere.

use std::collections::VecDeque;
use std::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

use super::cipher::{self, CipherName, Iv, Keystream};
use super::frame::{
    FrameBuffer, FrameTooLong, LIMIT_BEFORE_AUTHENTICATION, Outbox, PROBE, PROBE_ANSWER,
};
use super::message::{Element, Event, IDENTITY, Request, Status};
use super::srp::{Agreement, Password, ServerSide, SrpError};
use super::xml::{self, XmlError};

/// Who is let in, and how.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The one account there is.
    pub user: String,
    /// Its password.
    pub password: Password,
    /// The ciphers that may be used, the preferred one first.
    pub ciphers: Vec<CipherName>,
    /// The longest frame that is accepted after the authorisation.
    pub frame_limit: usize,
    /// How the secret of a session is come by.
    pub agreement: Agreement,
}

/// What a server learned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ServerEvent {
    /// The client was told why it is not let in; close when that is sent.
    Denied,
    /// A further document of an open session.
    Document(Element),
    /// The client asks for a service.
    Opened {
        /// Which, and what for.
        request: Request,
        /// Whether the client has proved that it knows the password.
        authorised: bool,
    },
    /// Somebody only looked whether anybody is here, and was answered; close when that is sent.
    Probe,
}

/// Why a session is over. What was learned before is still to be had by [`Server::poll_event`].
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ServerError {
    /// A public key that is none, or that gives the secret away.
    #[error("client sent an unusable key")]
    BadKey(#[source] SrpError),
    /// A frame that is too long, or what is no frame at all.
    #[error("client does not keep to the protocol")]
    FrameTooLong(#[from] FrameTooLong),
    /// A document that cannot be read.
    #[error("client sent what is no document")]
    Garbage(#[source] XmlError),
    /// Another document than the protocol demands.
    #[error("client sent `{found}` where `{expected}` belongs")]
    Unexpected {
        /// What the protocol demands.
        expected: &'static str,
        /// What came.
        found: String,
    },
    /// The client and we do not have the same password.
    #[error("client does not know the password")]
    WrongPassword,
}

/// One session with one client.
///
/// After an error or a [`ServerEvent`] that says so the session is over: an error comes again at
/// each further call, anything else that arrives is passed over.
pub struct Server {
    settings: ServerSettings,
    frames: FrameBuffer,
    progress: Progress,
    /// The unused parts of the entropy.
    seed: Seed,
    incoming: Keystream,
    outgoing: Keystream,
    outbox: Outbox,
    events: VecDeque<ServerEvent>,
    failure: Option<ServerError>,
}

/// How far the session is.
#[derive(Debug)]
enum Progress {
    /// Nothing has come.
    New,
    /// Somebody wants to use that service.
    Authorising {
        service: String,
    },
    /// Our proof is sent; theirs comes next.
    Verifying {
        service: String,
    },
    /// The request comes next. Only it proves that the client has the password: under RC4 our
    /// own proof can be sent back as it is.
    Authorised {
        service: String,
    },
    Open,
    Over,
}

/// What a session needs of chance.
struct Seed {
    private: Zeroizing<[u8; 32]>,
    salt: [u8; 16],
    incoming: Iv,
    outgoing: Iv,
}

impl fmt::Debug for Server {
    /// Shows how far the session is, and none of the documents that wait to be sent or read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("progress", &self.progress)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Begins a session.
    ///
    /// `entropy` becomes private key, salt and counter blocks: it must be random and used only
    /// once.
    pub fn new(settings: &ServerSettings, entropy: [u8; 80]) -> Self {
        let entropy = Zeroizing::new(entropy);
        let mut seed = Seed {
            private: Zeroizing::default(),
            salt: [0; 16],
            incoming: Iv::default(),
            outgoing: Iv::default(),
        };
        let (private, rest) = entropy.split_at(32);
        let (salt, rest) = rest.split_at(16);
        let (incoming, outgoing) = rest.split_at(16);
        seed.private.copy_from_slice(private);
        seed.salt.copy_from_slice(salt);
        seed.incoming.copy_from_slice(incoming);
        seed.outgoing.copy_from_slice(outgoing);
        Self {
            settings: settings.clone(),
            frames: FrameBuffer::new(LIMIT_BEFORE_AUTHENTICATION),
            progress: Progress::New,
            seed,
            incoming: Keystream::clear(),
            outgoing: Keystream::clear(),
            outbox: Outbox::default(),
            events: VecDeque::new(),
            failure: None,
        }
    }

    /// Takes in bytes that arrived, in whatever pieces.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<(), ServerError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if matches!(self.progress, Progress::Over) {
            return Ok(());
        }
        self.frames.push(bytes);
        if matches!(self.progress, Progress::New) && self.is_probed() {
            return Ok(());
        }
        let result = self.read_frames();
        if let Err(error) = &result {
            self.failure = Some(error.clone());
            self.progress = Progress::Over;
        }
        result
    }

    /// Sends a document.
    pub fn send(&mut self, document: &Element) {
        self.transmit(|out| xml::write(document, out));
    }

    /// Sends the state of the domain.
    pub fn send_status(&mut self, status: &Status) {
        self.transmit(|out| status.write(out));
    }

    /// Sends a change of the domain.
    pub fn send_event(&mut self, event: &Event) {
        self.transmit(|out| event.write(out));
    }

    /// Returns all bytes that are to be sent now, if there are any.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.outbox.take()
    }

    /// Returns whether the client is about to prove that it knows the password.
    pub const fn is_logging_in(&self) -> bool {
        matches!(
            self.progress,
            Progress::Authorising { .. } | Progress::Verifying { .. }
        )
    }

    /// Returns the next thing that was learned.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }

    fn transmit(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let outgoing = &mut self.outgoing;
        self.outbox.frame(write, |bytes| outgoing.apply(bytes));
    }

    /// Returns whether what has come is a probe, or the beginning of one, and answers it.
    fn is_probed(&mut self) -> bool {
        let waiting = self.frames.waiting();
        if waiting.is_empty() || !waiting.iter().zip(PROBE).all(|(a, b)| a == b) {
            return false;
        }
        match waiting.get(PROBE.len()) {
            None => true,
            Some(byte) if byte.is_ascii_whitespace() => {
                self.outbox.raw(PROBE_ANSWER);
                self.end(ServerEvent::Probe);
                true
            }
            Some(_) => false,
        }
    }

    fn read_frames(&mut self) -> Result<(), ServerError> {
        while let Some(frame) = self.frames.next_frame()? {
            self.incoming.apply(frame);
            let document = xml::parse(frame);
            match std::mem::replace(&mut self.progress, Progress::Over) {
                Progress::New => self.begin(document)?,
                Progress::Authorising { service } => self.challenge(document, service)?,
                Progress::Verifying { service } => {
                    let proof = document.map_err(|_| ServerError::WrongPassword)?;
                    expect(&proof, "PasswordVerify")?;
                    self.progress = Progress::Authorised { service };
                }
                Progress::Authorised { service } => {
                    let document = document.map_err(|_| ServerError::WrongPassword)?;
                    self.open(document, &service)?;
                }
                Progress::Open => {
                    self.progress = Progress::Open;
                    let document = document.map_err(ServerError::Garbage)?;
                    self.events.push_back(ServerEvent::Document(document));
                }
                Progress::Over => return Ok(()),
            }
        }
        Ok(())
    }

    /// Reads the very first document.
    fn begin(&mut self, document: Result<Element, XmlError>) -> Result<(), ServerError> {
        let document = document.map_err(ServerError::Garbage)?;
        if document.name == "Authorize" {
            let service = document.attribute("TargetService").unwrap_or_default();
            self.progress = Progress::Authorising {
                service: service.to_owned(),
            };
            return Ok(());
        }
        match Request::try_from(document) {
            Ok(request) if request.service == IDENTITY => {
                self.progress = Progress::Open;
                self.events.push_back(ServerEvent::Opened {
                    request,
                    authorised: false,
                });
            }
            Ok(request) => {
                self.deny(&format!("{} needs authorization", request.service));
            }
            Err(document) => self.deny(&format!("Unexpected document: {}", document.name)),
        }
        Ok(())
    }

    /// Answers a login with our half of the key agreement and the proof that we know the password.
    fn challenge(
        &mut self,
        document: Result<Element, XmlError>,
        service: String,
    ) -> Result<(), ServerError> {
        let request = document.map_err(ServerError::Garbage)?;
        expect(&request, "SRPRequest")?;
        if request.attribute("Username") != Some(&self.settings.user) {
            self.deny("Invalid credentials");
            return Ok(());
        }
        let Some(choice) = Choice::new(&request, &self.settings.ciphers) else {
            self.deny("No common cipher");
            return Ok(());
        };
        let ServerSettings { user, password, .. } = &self.settings;
        let client_key = request.attribute("ClientKey").unwrap_or_default();
        let agreement = &self.settings.agreement;
        let (salt, private) = (self.seed.salt, *self.seed.private);
        let ServerSide {
            salt,
            public_key,
            secret,
        } = agreement
            .server((user, password), salt, private, client_key)
            .map_err(ServerError::BadKey)?;
        let mut answer = Element::new("SRPResponse")
            .with("Salt", salt)
            .with("ServerKey", public_key);
        let cipher = choice.cipher;
        if choice.is_told {
            answer = answer.with("Cipher", cipher.as_str());
        }
        if cipher.needs_iv() {
            answer = answer
                .with("IncomingIV", cipher::format_iv(&self.seed.incoming))
                .with("OutgoingIV", cipher::format_iv(&self.seed.outgoing));
        }
        self.send(&answer);
        self.incoming = Keystream::new(cipher, &secret, &self.seed.incoming);
        self.outgoing = Keystream::new(cipher, &secret, &self.seed.outgoing);
        self.send(&Element::new("PasswordVerify"));
        self.progress = Progress::Verifying { service };
        Ok(())
    }

    /// Reads the request of somebody who logged in for `service`.
    fn open(&mut self, document: Element, service: &str) -> Result<(), ServerError> {
        let request = Request::try_from(document).map_err(|it| ServerError::Unexpected {
            expected: "Request",
            found: it.name,
        })?;
        if request.service != service {
            self.deny(&format!(
                "Authorized for {service}, not for {}",
                request.service
            ));
            return Ok(());
        }
        self.frames.set_limit(self.settings.frame_limit);
        self.progress = Progress::Open;
        self.events.push_back(ServerEvent::Opened {
            request,
            authorised: true,
        });
        Ok(())
    }

    fn deny(&mut self, text: &str) {
        self.send(&Element::error(text));
        self.end(ServerEvent::Denied);
    }

    fn end(&mut self, event: ServerEvent) {
        self.events.push_back(event);
        self.progress = Progress::Over;
    }
}

fn expect(document: &Element, expected: &'static str) -> Result<(), ServerError> {
    if document.name == expected {
        return Ok(());
    }
    Err(ServerError::Unexpected {
        expected,
        found: document.name.clone(),
    })
}

/// The cipher of a session, and whether the client is told.
struct Choice {
    cipher: CipherName,
    is_told: bool,
}

impl Choice {
    /// Chooses the first of `ciphers` that the client offers.
    ///
    /// Clients that do not know the list of ciphers name one, or none at all and mean RC4; they
    /// do not look at the answer.
    fn new(request: &Element, ciphers: &[CipherName]) -> Option<Self> {
        let list = request.attribute("Ciphers");
        let single = request.attribute("Cipher");
        let offered = list.or(single).unwrap_or(CipherName::Rc4.as_str());
        let is_offered =
            |it: &CipherName| offered.split(',').any(|name| name.trim() == it.as_str());
        let cipher = ciphers.iter().copied().find(is_offered)?;
        Some(Self {
            cipher,
            is_told: list.is_some() || cipher != CipherName::Rc4,
        })
    }
}

#[cfg(test)]
mod tests;
