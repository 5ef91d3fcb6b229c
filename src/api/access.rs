//! Who may do what over TCP: a token or a certificate makes a viewer or an operator of a client.
//!
//! Of a token only a digest is kept, so that there is nothing to tell by mistake.

use std::fmt;
use std::net::SocketAddr;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::transport::TlsServerSettings;

/// A shorter token can be guessed.
const TOKEN_MIN: usize = 16;

/// What a client may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Whatever people may at the daemon's socket.
    Operator,
    /// Look.
    Viewer,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 2] = [Self::Operator, Self::Viewer];

    /// Returns the role as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Viewer => "viewer",
        }
    }
}

/// What a client shows to be let in.
#[derive(Clone, Eq, PartialEq)]
pub struct Token {
    /// Who has it: events name them so.
    pub name: String,
    /// What they may do.
    pub role: Role,
    digest: [u8; 32],
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl Token {
    /// Returns the token of somebody, unless it is so short that it could be guessed.
    pub fn new(name: &str, role: Role, secret: &Zeroizing<String>) -> Option<Self> {
        (secret.len() >= TOKEN_MIN).then(|| Self {
            name: name.to_owned(),
            role,
            digest: Sha256::digest(secret.as_bytes()).into(),
        })
    }

    /// Returns whether this is what was shown, in a time that does not depend on how much of it is.
    pub(super) fn is_shown(&self, shown: &[u8; 32]) -> bool {
        let pairs = self.digest.iter().zip(shown);
        let differences = pairs.fold(0, |all, (ours, theirs)| all | (ours ^ theirs));
        std::hint::black_box(differences) == 0
    }
}

/// Returns the token that was shown, if it is one of these. All of them are looked at.
pub(super) fn find<'a>(tokens: &'a [Token], shown: &[u8]) -> Option<&'a Token> {
    let digest: [u8; 32] = Sha256::digest(shown).into();
    let mut found = None;
    for token in tokens {
        if token.is_shown(&digest) {
            found = Some(token);
        }
    }
    found
}

/// How the port is served over TCP.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TcpSettings {
    /// Where.
    pub listen: SocketAddr,
    /// What is shown and asked for, over TLS; in the clear without it.
    pub tls: Option<TlsServerSettings>,
    /// What somebody may do who shows a certificate and no token.
    pub certificates: Role,
    /// By which further names it is reached on this machine.
    pub hosts: Vec<String>,
    /// Who is let in.
    pub tokens: Vec<Token>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_itself_alone_and_never_shown() {
        let secret = |text: &str| Zeroizing::new(text.to_owned());
        let one = Token::new("ada", Role::Operator, &secret("0123456789abcdef")).unwrap();
        let other = Token::new("bob", Role::Viewer, &secret("fedcba9876543210")).unwrap();
        assert_eq!(
            Token::new("eve", Role::Viewer, &secret("0123456789abcde")),
            None
        );
        let tokens = [one, other];
        assert_eq!(find(&tokens, b"0123456789abcdef").unwrap().name, "ada");
        assert_eq!(find(&tokens, b"fedcba9876543210").unwrap().name, "bob");
        for wrong in [&b""[..], b"0123456789abcdeF", b"0123456789abcdef "] {
            assert_eq!(find(&tokens, wrong), None);
        }
        let shown = format!("{tokens:?}");
        assert!(
            !shown.contains("0123") && !shown.contains("digest"),
            "{shown}"
        );
    }
}
