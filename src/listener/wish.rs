//! What a listener may be allowed to ask for.
//!
//! It only names the wishes; what becomes of one is the warden's.

use crate::exchange::Wish;

/// A sort of wish, as configurations and command lines name it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum WishKind {
    /// [`Wish::StartTe`].
    StartTe,
}

impl WishKind {
    /// Every sort of wish.
    pub const ALL: [Self; 1] = [Self::StartTe];

    /// Returns which sort a wish is of.
    pub const fn of(wish: &Wish) -> Self {
        match wish {
            Wish::StartTe { .. } => Self::StartTe,
        }
    }

    /// Returns the sort as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StartTe => "start-te",
        }
    }
}
