//! One value of one column, and the checksum of a row.
//!
//! SQLite has no checksums of its own: a bit that flips on the disk is a different value, and
//! nobody is told. Every row of ours therefore carries one.

use super::RecordError;

/// A value of a column, borrowed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::journal) enum Cell<'a> {
    /// Nothing is known.
    Null,
    /// A number; one above `i64::MAX` is kept by its bits.
    Number(i64),
    /// Text.
    Text(&'a str),
}

impl<'a> Cell<'a> {
    /// Returns the text, `None` if nothing is known.
    pub(in crate::journal) fn text(self, what: &str) -> Result<Option<&'a str>, RecordError> {
        match self {
            Self::Null => Ok(None),
            Self::Text(text) => Ok(Some(text)),
            Self::Number(_) => Err(RecordError(format!("{what} is a number, not text"))),
        }
    }

    /// Returns the number, `None` if nothing is known.
    pub(in crate::journal) fn number(self, what: &str) -> Result<Option<i64>, RecordError> {
        match self {
            Self::Null => Ok(None),
            Self::Number(number) => Ok(Some(number)),
            Self::Text(_) => Err(RecordError(format!("{what} is text, not a number"))),
        }
    }

    /// Returns a number of a narrower type, `None` if nothing is known.
    pub(in crate::journal) fn narrow<T: TryFrom<i64>>(
        self,
        what: &str,
    ) -> Result<Option<T>, RecordError> {
        let narrowed = self.number(what)?.map(T::try_from).transpose();
        narrowed.map_err(|_range| RecordError(format!("{what} is out of range")))
    }

    /// Returns a number of 64 bits.
    pub(in crate::journal) fn wide(self, what: &str) -> Result<u64, RecordError> {
        let number = self.number(what)?;
        number
            .map(i64::cast_unsigned)
            .ok_or_else(|| RecordError(format!("{what} is missing")))
    }

    /// Returns text that must be there.
    pub(in crate::journal) fn word(self, what: &str) -> Result<&'a str, RecordError> {
        self.text(what)?
            .ok_or_else(|| RecordError(format!("{what} is missing")))
    }

    /// Returns yes or no.
    pub(in crate::journal) fn flag(self, what: &str) -> Result<bool, RecordError> {
        match self {
            Self::Number(0) => Ok(false),
            Self::Number(1) => Ok(true),
            Self::Null | Self::Number(_) | Self::Text(_) => {
                Err(RecordError(format!("{what} is neither 0 nor 1")))
            }
        }
    }
}

impl From<u64> for Cell<'_> {
    fn from(number: u64) -> Self {
        Self::Number(number.cast_signed())
    }
}

impl From<u32> for Cell<'_> {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<bool> for Cell<'_> {
    fn from(flag: bool) -> Self {
        Self::Number(flag.into())
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a, T: Into<Cell<'a>>> From<Option<T>> for Cell<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Adds up what must not change unnoticed.
///
/// Every step is a bijection of what came before, so that two rows which differ in one number or
/// in one piece of eight bytes never have the same sum; others hardly ever.
#[derive(Clone, Copy, Debug)]
pub(in crate::journal) struct Sum(u64);

impl Sum {
    /// Returns the sum of nothing.
    pub(in crate::journal) const fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    /// Returns the sum of a row.
    pub(in crate::journal) fn of(cells: &[Cell<'_>]) -> i64 {
        let mut sum = Self::new();
        for cell in cells {
            match cell {
                Cell::Null => sum.step(1),
                Cell::Number(number) => {
                    sum.step(2);
                    sum.step(number.cast_unsigned());
                }
                Cell::Text(text) => {
                    sum.step(3);
                    sum.add(text.as_bytes());
                }
            }
        }
        sum.value().cast_signed()
    }

    /// Adds bytes and how many they are.
    pub(in crate::journal) fn add(&mut self, bytes: &[u8]) {
        self.step(bytes.len() as u64);
        let mut pieces = bytes.chunks_exact(8);
        for piece in &mut pieces {
            self.step(u64::from_le_bytes(
                piece.try_into().expect("a piece has eight bytes"),
            ));
        }
        let mut rest = [0; 8];
        rest[..pieces.remainder().len()].copy_from_slice(pieces.remainder());
        self.step(u64::from_le_bytes(rest));
    }

    /// Returns the sum so far.
    pub(in crate::journal) const fn value(self) -> u64 {
        self.0
    }

    const fn step(&mut self, word: u64) {
        // The multiplier is odd, so that nothing is lost (its bits are those of the golden ratio).
        let mixed = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bit_flips_unnoticed(
            bytes in prop::collection::vec(any::<u8>(), 1..100),
            at in any::<usize>(),
        ) {
            let mut flipped = bytes.clone();
            let at = at % (bytes.len() * 8);
            flipped[at / 8] ^= 1 << (at % 8);
            let (mut one, mut other) = (Sum::new(), Sum::new());
            one.add(&bytes);
            other.add(&flipped);
            prop_assert_ne!(one.value(), other.value());
        }
    }

    #[test]
    fn nothing_zero_and_empty_are_three_things() {
        let sums = [
            Sum::of(&[Cell::Null]),
            Sum::of(&[Cell::Number(0)]),
            Sum::of(&[Cell::Text("")]),
            Sum::of(&[]),
            Sum::of(&[Cell::Text("a"), Cell::Text("b")]),
            Sum::of(&[Cell::Text("ab"), Cell::Text("")]),
        ];
        for (at, sum) in sums.iter().enumerate() {
            assert!(!sums[..at].contains(sum), "{at}");
        }
    }
}
