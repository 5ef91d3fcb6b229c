//! What somebody asks for, as JSON.

use serde::{Deserialize, Serialize};

use super::Text;
use crate::exchange::{Place, Wish};
use crate::model::{DatabaseName, PeerName};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::journal) enum WishRecord<'a> {
    StartTe {
        #[serde(borrow)]
        database: Text<'a>,
        #[serde(borrow)]
        place: PlaceRecord<'a>,
    },
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::journal) enum PlaceRecord<'a> {
    Anywhere,
    Elsewhere,
    #[serde(borrow)]
    On(Text<'a>),
}

impl<'a> From<&'a Wish> for WishRecord<'a> {
    fn from(wish: &'a Wish) -> Self {
        match wish {
            Wish::StartTe { database, place } => Self::StartTe {
                database: database.as_str().into(),
                place: match place {
                    Place::Anywhere => PlaceRecord::Anywhere,
                    Place::Elsewhere => PlaceRecord::Elsewhere,
                    Place::On(peer) => PlaceRecord::On(peer.as_str().into()),
                },
            },
        }
    }
}

impl From<WishRecord<'_>> for Wish {
    fn from(record: WishRecord<'_>) -> Self {
        match record {
            WishRecord::StartTe { database, place } => Self::StartTe {
                database: DatabaseName::from(&*database),
                place: match place {
                    PlaceRecord::Anywhere => Place::Anywhere,
                    PlaceRecord::Elsewhere => Place::Elsewhere,
                    PlaceRecord::On(peer) => Place::On(PeerName::from(&*peer)),
                },
            },
        }
    }
}
