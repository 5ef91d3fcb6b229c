//! A text that must not be seen: a token, a key that signs, a URL with either in it.
//!
//! It says nothing of where the text comes from; whoever reads it looks at who else can.

use std::fmt;

use zeroize::Zeroizing;

/// A secret text. It is cleared when it is dropped, and no formatting shows it.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes over a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// Returns the text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
