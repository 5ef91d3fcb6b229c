//! What somebody asks for, as JSON.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Text;
use crate::exchange::{Place, Wish, Word};
use crate::model::{DatabaseName, PeerName};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::journal) enum WishRecord<'a> {
    Person {
        #[serde(borrow)]
        word: WordRecord<'a>,
        #[serde(borrow)]
        target: Text<'a>,
    },
    StartTe {
        #[serde(borrow)]
        database: Text<'a>,
        #[serde(borrow)]
        place: PlaceRecord<'a>,
    },
}

/// What a person says; times in microseconds.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::journal) enum WordRecord<'a> {
    Announce,
    ColdStart {
        #[serde(borrow)]
        accept_loss: Vec<Text<'a>>,
    },
    ConfirmDead,
    EndMaintenance,
    Forget,
    Hold,
    Maintain {
        lasts: u64,
    },
    Release,
    Retry,
    Scale {
        count: u32,
    },
    Thaw {
        #[serde(borrow)]
        gate: Text<'a>,
        lasts: u64,
    },
    Want,
}

impl<'a> From<&'a Word> for WordRecord<'a> {
    fn from(word: &'a Word) -> Self {
        let micros = |it: &Duration| u64::try_from(it.as_micros()).unwrap_or(u64::MAX);
        match word {
            Word::Announce => Self::Announce,
            Word::ColdStart { accept_loss } => Self::ColdStart {
                accept_loss: accept_loss.iter().map(|it| it.as_str().into()).collect(),
            },
            Word::ConfirmDead => Self::ConfirmDead,
            Word::EndMaintenance => Self::EndMaintenance,
            Word::Forget => Self::Forget,
            Word::Hold => Self::Hold,
            Word::Maintain { lasts } => Self::Maintain {
                lasts: micros(lasts),
            },
            Word::Release => Self::Release,
            Word::Retry => Self::Retry,
            Word::Scale { count } => Self::Scale { count: *count },
            Word::Thaw { gate, lasts } => Self::Thaw {
                gate: (&**gate).into(),
                lasts: micros(lasts),
            },
            Word::Want => Self::Want,
        }
    }
}

impl From<WordRecord<'_>> for Word {
    fn from(record: WordRecord<'_>) -> Self {
        match record {
            WordRecord::Announce => Self::Announce,
            WordRecord::ColdStart { accept_loss } => Self::ColdStart {
                accept_loss: accept_loss.iter().map(|it| PeerName::from(&**it)).collect(),
            },
            WordRecord::ConfirmDead => Self::ConfirmDead,
            WordRecord::EndMaintenance => Self::EndMaintenance,
            WordRecord::Forget => Self::Forget,
            WordRecord::Hold => Self::Hold,
            WordRecord::Maintain { lasts } => Self::Maintain {
                lasts: Duration::from_micros(lasts),
            },
            WordRecord::Release => Self::Release,
            WordRecord::Retry => Self::Retry,
            WordRecord::Scale { count } => Self::Scale { count },
            WordRecord::Thaw { gate, lasts } => Self::Thaw {
                gate: Arc::from(&*gate),
                lasts: Duration::from_micros(lasts),
            },
            WordRecord::Want => Self::Want,
        }
    }
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
            Wish::Person { word, target } => Self::Person {
                word: word.into(),
                target: (&**target).into(),
            },
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
            WishRecord::Person { word, target } => Self::Person {
                word: word.into(),
                target: Arc::from(&*target),
            },
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
