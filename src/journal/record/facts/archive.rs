//! What is remembered of archives, as JSON.

use serde::{Deserialize, Serialize};

use super::{Text, meaning, shared};
use crate::exchange::{ActionId, EngineOption};
use crate::journal::record::RecordError;
use crate::model::Role;
use crate::supervisor::{Archive, ArchiveFact, ColdFact};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ArchiveRecord<'a> {
    #[serde(borrow)]
    database: Text<'a>,
    #[serde(borrow)]
    peer: Text<'a>,
    #[serde(borrow)]
    path: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    journal: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    group: Option<Text<'a>>,
    /// Name and value; a flag, and a secret whose value the configuration has, have none.
    #[serde(borrow)]
    options: Vec<(Text<'a>, Option<Text<'a>>)>,
}

impl<'a> From<&'a ArchiveFact> for ArchiveRecord<'a> {
    fn from(ArchiveFact { database, archive }: &'a ArchiveFact) -> Self {
        let options = archive.options.iter();
        let options = options.map(|it| {
            let value = it.value.as_deref().filter(|_| !it.is_secret());
            (it.name.as_str().into(), value.map(Into::into))
        });
        Self {
            database: database.as_str().into(),
            peer: archive.peer.as_str().into(),
            path: (&*archive.path).into(),
            journal: archive.journal.as_deref().map(Into::into),
            group: archive.group.as_deref().map(Into::into),
            options: options.collect(),
        }
    }
}

impl From<ArchiveRecord<'_>> for ArchiveFact {
    fn from(it: ArchiveRecord<'_>) -> Self {
        let options = it.options.into_iter();
        let options = options.map(|(name, value)| EngineOption {
            name: name.into_owned(),
            value: value.map(Text::into_owned),
        });
        Self {
            database: shared(&it.database).into(),
            archive: Archive {
                peer: shared(&it.peer).into(),
                path: shared(&it.path),
                journal: it.journal.as_ref().map(shared),
                group: it.group.as_ref().map(shared),
                options: options.collect(),
            },
        }
    }
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ColdRecord<'a> {
    under_way: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun_by: Option<u64>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    steps: Vec<(Text<'a>, u32)>,
    asked_for: bool,
    #[serde(borrow)]
    accepted: Vec<Text<'a>>,
}

impl<'a> ColdRecord<'a> {
    /// Returns what there is to write, if there is anything.
    pub(super) fn of(it: &'a ColdFact) -> Option<Self> {
        (*it != ColdFact::default()).then(|| Self {
            under_way: it.is_under_way,
            begun_by: it.begun_by.map(|it| it.0),
            steps: it
                .steps
                .iter()
                .map(|(role, ordinal)| (role.as_str().into(), *ordinal))
                .collect(),
            asked_for: it.is_asked_for,
            accepted: it.accepted.iter().map(|it| it.as_str().into()).collect(),
        })
    }
}

impl TryFrom<ColdRecord<'_>> for ColdFact {
    type Error = RecordError;

    fn try_from(it: ColdRecord<'_>) -> Result<Self, RecordError> {
        let steps = it.steps.iter();
        let steps =
            steps.map(|(role, ordinal)| Ok((meaning("role", role, Role::named)?, *ordinal)));
        Ok(Self {
            is_under_way: it.under_way,
            begun_by: it.begun_by.map(ActionId),
            steps: steps.collect::<Result<_, RecordError>>()?,
            is_asked_for: it.asked_for,
            accepted: it.accepted.iter().map(|it| shared(it).into()).collect(),
        })
    }
}
