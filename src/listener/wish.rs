//! What a listener may be allowed to ask for, and how a wish is written in JSON.
//!
//! It only names and reads wishes; what becomes of one is the warden's.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::exchange::{Place, Wish};

/// How many bytes the name of a database or a peer may have.
const NAME_MAX: usize = 1_024;

/// A sort of wish, as configurations and command lines name it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum WishKind {
    /// [`Wish::StartTe`].
    StartTe,
}

impl WishKind {
    /// Every sort of wish.
    pub const ALL: [Self; 1] = [Self::StartTe];

    /// Returns which sort a wish is of. A listener may be given none of what only people say.
    pub const fn of(wish: &Wish) -> Option<Self> {
        match wish {
            Wish::Person { .. } => None,
            Wish::StartTe { .. } => Some(Self::StartTe),
        }
    }

    /// Returns the sort as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StartTe => "start-te",
        }
    }
}

/// A wish as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) enum WishRecord {
    StartTe(StartTeRecord),
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StartTePart)]
pub(crate) struct StartTeRecord {
    pub(crate) database: String,
    #[serde(default)]
    pub(crate) elsewhere: bool,
    pub(crate) on: Option<String>,
}

/// Why what is written is no wish.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum WishError {
    /// A name has 1 to [`NAME_MAX`] bytes and no control characters.
    Name {
        name: String,
        /// Whose it would be.
        what: &'static str,
    },
    /// It is both on a peer and elsewhere.
    Place { database: String },
}

impl WishRecord {
    /// Returns the wish.
    pub(crate) fn understand(self) -> Result<Wish, WishError> {
        let Self::StartTe(record) = self;
        let database = named(record.database, "database")?;
        let place = match (record.on, record.elsewhere) {
            (None, false) => Place::Anywhere,
            (None, true) => Place::Elsewhere,
            (Some(peer), false) => Place::On(named(peer, "peer")?.as_str().into()),
            (Some(_), true) => return Err(WishError::Place { database }),
        };
        Ok(Wish::StartTe {
            database: database.as_str().into(),
            place,
        })
    }
}

fn named(name: String, what: &'static str) -> Result<String, WishError> {
    let is_name = !name.is_empty() && name.len() <= NAME_MAX && !name.contains(char::is_control);
    if is_name {
        Ok(name)
    } else {
        Err(WishError::Name { name, what })
    }
}
