//! The stream ciphers of a session: RC4, AES in counter mode, and none.
//!
//! A session has two keystreams, one per direction, that run on from frame to frame. None of the
//! ciphers authenticates anything; which of them may be used is decided by client and server.

use std::fmt;
use std::str::FromStr;

use aes::{Aes128, Aes256};
use cipher::{KeyInit, KeyIvInit, StreamCipher};
use ctr::Ctr128BE;
use md5::Md5;
use rc4::Rc4;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::Zeroizing;

use super::srp::SessionSecret;

/// The initial counter block of a cipher in counter mode.
pub type Iv = [u8; 16];

/// A cipher by its name on the wire.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum CipherName {
    /// AES with a key of 256 bits in counter mode.
    Aes256Ctr,
    /// AES with a key of 128 bits in counter mode.
    Aes128Ctr,
    /// RC4 with the same key in both directions: obfuscation rather than encryption.
    Rc4,
    /// No cipher. It proves nothing either: a wrong password logs in.
    None,
}

impl CipherName {
    /// Every cipher, the strongest first.
    pub const ALL: [Self; 4] = [Self::Aes256Ctr, Self::Aes128Ctr, Self::Rc4, Self::None];

    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aes128Ctr => "AES-128-CTR",
            Self::Aes256Ctr => "AES-256-CTR",
            Self::None => "None",
            Self::Rc4 => "RC4",
        }
    }

    /// Returns whether each direction needs an [`Iv`].
    pub const fn needs_iv(self) -> bool {
        match self {
            Self::Aes128Ctr | Self::Aes256Ctr => true,
            Self::None | Self::Rc4 => false,
        }
    }
}

impl fmt::Display for CipherName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for CipherName {
    type Err = CipherError;

    fn from_str(name: &str) -> Result<Self, CipherError> {
        Self::ALL
            .into_iter()
            .find(|it| it.as_str() == name)
            .ok_or_else(|| CipherError::Unknown(name.to_owned()))
    }
}

/// Why there is no cipher.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum CipherError {
    /// An initial counter block that is not written as 32 hexadecimal digits.
    #[error("initial counter block is not 32 hexadecimal digits")]
    Iv,
    /// A name nobody here knows.
    #[error("unknown cipher `{0}`; there are AES-256-CTR, AES-128-CTR, RC4 and None")]
    Unknown(String),
}

/// Reads an initial counter block: exactly 32 hexadecimal digits.
pub fn parse_iv(digits: &str) -> Result<Iv, CipherError> {
    let mut iv = Iv::default();
    if digits.len() != 2 * iv.len() || !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Err(CipherError::Iv);
    }
    let value = u128::from_str_radix(digits, 16).map_err(|_| CipherError::Iv)?;
    iv.copy_from_slice(&value.to_be_bytes());
    Ok(iv)
}

/// Writes an initial counter block with its full width.
pub fn format_iv(iv: &Iv) -> String {
    format!("{:032X}", u128::from_be_bytes(*iv))
}

/// One direction of an encrypted session; encrypting and decrypting are the same.
pub struct Keystream(State);

/// The ciphers themselves; each clears itself when it is dropped.
enum State {
    Aes128(Box<Ctr128BE<Aes128>>),
    Aes256(Box<Ctr128BE<Aes256>>),
    None,
    Rc4(Box<Rc4>),
}

impl Keystream {
    /// Returns a keystream that changes nothing, as before the authorisation.
    pub const fn clear() -> Self {
        Self(State::None)
    }

    /// Returns the beginning of the keystream of one direction.
    ///
    /// `iv` is ignored by ciphers that do not need one.
    pub fn new(name: CipherName, secret: &SessionSecret, iv: &Iv) -> Self {
        let secret = secret.as_bytes();
        Self(match name {
            CipherName::Aes128Ctr => {
                let key = Zeroizing::new(<[u8; 16]>::from(Md5::digest(secret)));
                State::Aes128(Box::new(Ctr128BE::new((&*key).into(), iv.into())))
            }
            CipherName::Aes256Ctr => {
                let key = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(secret)));
                State::Aes256(Box::new(Ctr128BE::new((&*key).into(), iv.into())))
            }
            CipherName::None => State::None,
            CipherName::Rc4 => {
                let key = Zeroizing::new(<[u8; 20]>::from(Sha1::digest(secret)));
                State::Rc4(Box::new(rc4(&key)))
            }
        })
    }

    /// Encrypts or decrypts the next bytes of this direction in place.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        match &mut self.0 {
            State::Aes128(it) => it.apply_keystream(bytes),
            State::Aes256(it) => it.apply_keystream(bytes),
            State::None => (),
            State::Rc4(it) => it.apply_keystream(bytes),
        }
    }
}

impl fmt::Debug for Keystream {
    /// Names the cipher and hides its state.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            State::Aes128(_) => "Keystream(AES-128-CTR)",
            State::Aes256(_) => "Keystream(AES-256-CTR)",
            State::None => "Keystream(None)",
            State::Rc4(_) => "Keystream(RC4)",
        })
    }
}

fn rc4(key: &[u8; 20]) -> Rc4 {
    Rc4::new_from_slice(key).expect("RC4 takes keys of 1 to 256 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nuodb::srp::tests::{hex, secret_of_the_first_vector};

    /// The initial counter block of the vectors: 00 01 .. 0F.
    const IV: Iv = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    #[test]
    fn the_vectors_of_all_ciphers_hold_in_one_piece_and_byte_by_byte() {
        for (name, expected) in [
            (CipherName::Rc4, "37bc23517031d01a682cb865c96be6cca8"),
            (CipherName::Aes128Ctr, "83db8f8b69f7fbcec62d56a37d694be197"),
            (CipherName::Aes256Ctr, "7aa0786ddb92fa192436377672a58853da"),
            (CipherName::None, "3c50617373776f72645665726966792f3e"),
        ] {
            let secret = secret_of_the_first_vector();
            let mut whole = b"<PasswordVerify/>".to_vec();
            Keystream::new(name, &secret, &IV).apply(&mut whole);
            assert_eq!(whole, hex(expected), "{name}");

            let mut single = b"<PasswordVerify/>".to_vec();
            let mut keystream = Keystream::new(name, &secret, &IV);
            for byte in &mut single {
                keystream.apply(std::slice::from_mut(byte));
            }
            assert_eq!(single, hex(expected), "{name}");
        }
    }

    #[test]
    fn the_counter_has_128_bits() {
        let secret = secret_of_the_first_vector();
        let mut over = [0; 32];
        Keystream::new(CipherName::Aes256Ctr, &secret, &[0xFF; 16]).apply(&mut over);
        let mut zero = [0; 16];
        Keystream::new(CipherName::Aes256Ctr, &secret, &[0; 16]).apply(&mut zero);
        assert_eq!(over[16..], zero);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in CipherName::ALL {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        assert_eq!(
            "rot13".parse::<CipherName>(),
            Err(CipherError::Unknown("rot13".to_owned()))
        );
    }

    #[test]
    fn an_iv_is_32_digits_and_nothing_else() {
        let iv = [
            0, 0xA1, 2, 3, 4, 5, 6, 7, 8, 9, 0xAB, 0xCD, 0xEF, 13, 14, 0xFF,
        ];
        let text = format_iv(&iv);
        assert_eq!(text, "00A102030405060708 09ABCDEF0D0EFF".replace(' ', ""));
        assert_eq!(parse_iv(&text), Ok(iv));
        assert_eq!(parse_iv(&text.to_lowercase()), Ok(iv));
        for wrong in [
            "",
            "0",
            &text[1..],
            &format!("{text}0"),
            &text.replace('A', "+"),
        ] {
            assert_eq!(parse_iv(wrong), Err(CipherError::Iv), "{wrong}");
        }
    }

    #[test]
    fn a_keystream_shows_no_state() {
        let keystream = Keystream::new(CipherName::Rc4, &secret_of_the_first_vector(), &IV);
        assert_eq!(format!("{keystream:?}"), "Keystream(RC4)");
    }
}
