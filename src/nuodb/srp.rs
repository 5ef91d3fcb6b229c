//! SRP-6a as NuoDB speaks it: how both sides of a session come by the same secret.
//!
//! It is the variant of RFC 5054 (1024 bits, SHA-1) with one difference: the scrambling parameter
//! hashes both public keys without padding. Neither side proves anything here; that the secrets
//! agree shows when the first encrypted document can be read. No random number is drawn here.
//!
//! Passwords, secrets and everything of fixed size between them are cleared when they are
//! dropped. The big numbers are not: their library offers no way.

mod agreement;

use std::fmt;
use std::sync::LazyLock;

use num_bigint::BigUint;
use sha1::{Digest, Sha1};
use thiserror::Error;
use zeroize::Zeroizing;

pub use agreement::{Agreement, Table};
pub(in crate::nuodb) use agreement::{ClientSide, ServerSide};

/// The 1024-bit prime of RFC 5054, appendix A.
static MODULUS: LazyLock<BigUint> = LazyLock::new(|| {
    BigUint::parse_bytes(
        concat!(
            "EEAF0AB9ADB38DD69C33F80AFA8FC5E86072618775FF3C0B9EA2314C9C256576",
            "D674DF7496EA81D3383B4813D692C6E0E0D5D8E250B98BE48E495C1D6089DAD1",
            "5DC7D7B46154D6B6CE8EF4AD69B15D4982559B297BCF1885C529F566660E57EC",
            "68EDBC3C05726CC02FD4CBF4976EAA9AFD5138FE8376435B9FC61D2FC0EB06E3",
        )
        .as_bytes(),
        16,
    )
    .expect("a constant of hexadecimal digits")
});

/// The generator of the group.
const GENERATOR: u8 = 2;

/// The multiplier of RFC 5054: SHA-1 of the modulus and the generator, both padded.
static MULTIPLIER: LazyLock<BigUint> = LazyLock::new(|| {
    let modulus = MODULUS.to_bytes_be();
    let mut generator = vec![0; modulus.len()];
    if let Some(last) = generator.last_mut() {
        *last = GENERATOR;
    }
    BigUint::from_bytes_be(
        &Sha1::new()
            .chain_update(modulus)
            .chain_update(generator)
            .finalize(),
    )
});

/// A password. It is cleared when it is dropped, and no formatting shows it.
#[derive(Clone, Eq, PartialEq)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes over a password.
    pub fn new(password: String) -> Self {
        Self(Zeroizing::new(password))
    }

    /// Returns the password itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What both sides know after the agreement; the keys are digests of it.
pub struct SessionSecret(Zeroizing<Vec<u8>>);

impl SessionSecret {
    /// Returns the secret as the shortest big-endian number.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSecret(***)")
    }
}

/// Why there is no agreement.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SrpError {
    /// A key or salt that is empty or holds something else than hexadecimal digits.
    #[error("{what} is not a hexadecimal number")]
    NotHexadecimal {
        /// What was read.
        what: &'static str,
    },
    /// A public key that would make the secret known to anybody.
    #[error("{what} is a multiple of the modulus")]
    Trivial {
        /// Whose key it is.
        what: &'static str,
    },
}

/// The client's side of the agreement.
pub struct ClientExchange {
    private: Zeroizing<[u8; 32]>,
    public: BigUint,
}

impl ClientExchange {
    /// Begins an agreement with the private key `entropy`, which must be used only once.
    pub fn new(entropy: [u8; 32]) -> Self {
        let private = Zeroizing::new(entropy);
        let public = power_of_generator(&BigUint::from_bytes_be(&*private));
        Self { private, public }
    }

    /// Returns the public key as it is sent.
    pub fn public_key(&self) -> String {
        format_hex(&self.public)
    }

    /// Returns the secret that follows from what the server answered.
    pub fn agree(
        &self,
        user: &str,
        password: &Password,
        salt: &str,
        server_key: &str,
    ) -> Result<SessionSecret, SrpError> {
        let salt = parse_hex("the salt", salt)?;
        let their = parse_public_key("the server's key", server_key)?;
        let modulus = &*MODULUS;
        let x = password_exponent(&salt, user, password);
        let u = scrambler(&self.public, &their);
        let masked = &*MULTIPLIER * power_of_generator(&x) % modulus;
        let base = their % modulus + modulus - masked;
        let exponent = BigUint::from_bytes_be(&*self.private) + u * x;
        Ok(secret(&base.modpow(&exponent, modulus)))
    }
}

impl fmt::Debug for ClientExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientExchange(***)")
    }
}

/// The server's side of the agreement.
pub struct ServerExchange {
    private: Zeroizing<[u8; 32]>,
    salt: [u8; 16],
    verifier: BigUint,
    public: BigUint,
}

impl ServerExchange {
    /// Begins an agreement with somebody who says to be `user`.
    ///
    /// `entropy` is the private key, which must be used only once.
    pub fn new(user: &str, password: &Password, salt: [u8; 16], entropy: [u8; 32]) -> Self {
        let private = Zeroizing::new(entropy);
        let modulus = &*MODULUS;
        let verifier = power_of_generator(&password_exponent(&salt, user, password));
        let own = power_of_generator(&BigUint::from_bytes_be(&*private));
        let public = (&*MULTIPLIER * &verifier + own) % modulus;
        Self {
            private,
            salt,
            verifier,
            public,
        }
    }

    /// Returns the public key as it is sent.
    pub fn public_key(&self) -> String {
        format_hex(&self.public)
    }

    /// Returns the salt as it is sent: with its leading zeros.
    pub fn salt(&self) -> String {
        format!("{:032X}", u128::from_be_bytes(self.salt))
    }

    /// Returns the secret that follows from the client's public key.
    pub fn agree(&self, client_key: &str) -> Result<SessionSecret, SrpError> {
        let their = parse_public_key("the client's key", client_key)?;
        let modulus = &*MODULUS;
        let u = scrambler(&their, &self.public);
        let base = their * self.verifier.modpow(&u, modulus) % modulus;
        Ok(secret(
            &base.modpow(&BigUint::from_bytes_be(&*self.private), modulus),
        ))
    }
}

impl fmt::Debug for ServerExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerExchange(***)")
    }
}

fn power_of_generator(exponent: &BigUint) -> BigUint {
    BigUint::from(GENERATOR).modpow(exponent, &MODULUS)
}

/// Returns `x`: the salted digest of user and password.
fn password_exponent(salt: &[u8], user: &str, password: &Password) -> BigUint {
    let identity = Zeroizing::new(<[u8; 20]>::from(Sha1::digest(&*identity(user, password))));
    let digest = Sha1::new()
        .chain_update(salt)
        .chain_update(identity.as_slice())
        .finalize();
    BigUint::from_bytes_be(&Zeroizing::new(<[u8; 20]>::from(digest))[..])
}

/// Returns `user:password` in latin-1, or in UTF-8 if it has characters beyond.
fn identity(user: &str, password: &Password) -> Zeroizing<Vec<u8>> {
    let password = password.reveal();
    let characters = || user.chars().chain([':']).chain(password.chars());
    // Never longer than in UTF-8, so that no copy is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(user.len() + 1 + password.len()));
    if characters().all(|it| u8::try_from(it).is_ok()) {
        bytes.extend(characters().filter_map(|it| u8::try_from(it).ok()));
    } else {
        bytes.extend_from_slice(user.as_bytes());
        bytes.push(b':');
        bytes.extend_from_slice(password.as_bytes());
    }
    bytes
}

/// Returns `u`: the digest of both public keys, each as short as it can be written.
fn scrambler(client: &BigUint, server: &BigUint) -> BigUint {
    let digest = Sha1::new()
        .chain_update(client.to_bytes_be())
        .chain_update(server.to_bytes_be())
        .finalize();
    BigUint::from_bytes_be(&digest)
}

fn secret(number: &BigUint) -> SessionSecret {
    SessionSecret(Zeroizing::new(number.to_bytes_be()))
}

fn parse_public_key(what: &'static str, digits: &str) -> Result<BigUint, SrpError> {
    let key = BigUint::from_bytes_be(&parse_hex(what, digits)?);
    if &key % &*MODULUS == BigUint::ZERO {
        return Err(SrpError::Trivial { what });
    }
    Ok(key)
}

/// Reads hexadecimal digits of either case; an odd number of them lacks a zero in front.
fn parse_hex(what: &'static str, digits: &str) -> Result<Vec<u8>, SrpError> {
    let error = SrpError::NotHexadecimal { what };
    if digits.is_empty() {
        return Err(error);
    }
    let value = |digit: u8| char::from(digit).to_digit(16).ok_or(error);
    let mut bytes = Vec::with_capacity(digits.len().div_ceil(2));
    let (first, pairs) = digits.as_bytes().split_at(digits.len() % 2);
    for pair in std::iter::once(first).chain(pairs.chunks(2)) {
        let mut byte = 0;
        for digit in pair {
            byte = byte << 4 | value(*digit)?;
        }
        if !pair.is_empty() {
            bytes.push(u8::try_from(byte).map_err(|_| error)?);
        }
    }
    Ok(bytes)
}

/// Writes an even number of hexadecimal digits, otherwise as few as possible.
fn format_hex(number: &BigUint) -> String {
    let digits = format!("{number:X}");
    if digits.len() % 2 == 0 {
        digits
    } else {
        format!("0{digits}")
    }
}

#[cfg(test)]
pub(crate) mod tests;
