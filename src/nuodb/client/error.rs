//! Why a session of a client is over, and what sort of answer that calls for.
//!
//! What is done about it is decided elsewhere.

use std::fmt;

use thiserror::Error;

use crate::nuodb::cipher::CipherError;
use crate::nuodb::frame::FrameTooLong;
use crate::nuodb::message::MessageError;
use crate::nuodb::srp::SrpError;
use crate::nuodb::xml::XmlError;

/// How far a session had come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Waiting for the other half of the key agreement.
    Authorising,
    /// Waiting for the proof that the peer knows the password.
    Verifying,
    /// Waiting for the answer to a request.
    Answering,
    /// Waiting for the state of the domain.
    Snapshot,
    /// Told of changes as they happen.
    Watching,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answering => "before it answered the request",
            Self::Authorising => "before it answered the login",
            Self::Snapshot => "before it told the state of the domain",
            Self::Verifying => "before it proved to know the password",
            Self::Watching => "while it told of changes",
        })
    }
}

/// Sorts of failure that call for different answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorClass {
    /// Another try, or another peer, may succeed.
    Connection,
    /// A person must act.
    Denied,
    /// The other side does not speak the protocol.
    Protocol,
}

/// Why a session is over. What was learned before is still to be had by
/// [`Client::poll_event`](super::Client::poll_event).
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ClientError {
    /// A public key that is none, or that gives the secret away.
    #[error("peer sent an unusable key")]
    BadKey(#[source] SrpError),
    /// An initial counter block that is none.
    #[error("peer sent an unusable counter block")]
    BadIv(#[source] CipherError),
    /// The peer insists on a cipher that is too weak, or that nobody offered.
    #[error("peer wants the cipher {cipher}, which is not allowed: {advice}")]
    CipherNotAllowed {
        /// What the peer wants.
        cipher: String,
        /// What a person could do about it.
        advice: &'static str,
    },
    /// The peer closed the connection too early.
    #[error("peer closed the session {stage}")]
    Closed {
        /// When.
        stage: Stage,
    },
    /// The peer does not let this user in.
    #[error("peer denied the login: {text}")]
    Denied {
        /// Why, in its own words.
        text: String,
    },
    /// A frame that is too long, or what is no frame at all.
    #[error("peer does not keep to the protocol")]
    FrameTooLong(#[from] FrameTooLong),
    /// A document that cannot be read where only one kind would do.
    #[error("peer sent what is no document")]
    Garbage(#[source] XmlError),
    /// The first message of a Monitor session is malformed.
    #[error("peer sent a malformed state of the domain")]
    MalformedStatus(#[source] MessageError),
    /// An attribute the protocol demands is not there.
    #[error("peer left out `{attribute}` in its answer to the login")]
    MissingAttribute {
        /// Which.
        attribute: &'static str,
    },
    /// The peer refused what was asked of it.
    #[error("peer refused the request: {text}")]
    Refused {
        /// Why, in its own words.
        text: String,
    },
    /// Another document than the protocol demands.
    #[error("peer sent `{found}` where `{expected}` belongs")]
    Unexpected {
        /// What the protocol demands.
        expected: &'static str,
        /// What came.
        found: String,
    },
    /// The peer and we do not have the same password.
    #[error("wrong user or password")]
    WrongPassword,
}

impl ClientError {
    /// Returns what sort of failure it is.
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::CipherNotAllowed { .. } | Self::Denied { .. } | Self::WrongPassword => {
                ErrorClass::Denied
            }
            Self::Closed { .. } | Self::Refused { .. } => ErrorClass::Connection,
            Self::BadIv(_)
            | Self::BadKey(_)
            | Self::FrameTooLong(_)
            | Self::Garbage(_)
            | Self::MalformedStatus(_)
            | Self::MissingAttribute { .. }
            | Self::Unexpected { .. } => ErrorClass::Protocol,
        }
    }
}
