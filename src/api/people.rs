//! What is asked for, as JSON: a start, or a word that only people may say.
//!
//! It only reads. Who may ask, and what becomes of it, is decided elsewhere.

use std::time::Duration;

use serde::Deserialize;
use utoipa::ToSchema;

use crate::exchange::Word;
use crate::listener::StartTeRecord;

/// How many bytes the name of something may have.
const NAME_MAX: usize = 2_048;

/// A maintenance, and the override of a gate, last at most so long: a year is no expiry.
const LASTS_MAX: u64 = 31 * 86_400;

/// What is asked for, by whom and why; exactly one thing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schema(as = Request)]
pub(super) struct RequestRecord {
    /// Who asks
    owner: Option<String>,
    /// Why
    reason: Option<String>,
    start_te: Option<StartTeRecord>,
    announce: Option<OfRecord>,
    cold_start: Option<ColdStartRecord>,
    confirm_dead: Option<OfRecord>,
    end_maintenance: Option<OfRecord>,
    forget: Option<OfRecord>,
    hold: Option<OfRecord>,
    maintain: Option<MaintainRecord>,
    release: Option<OfRecord>,
    retry: Option<OfRecord>,
    scale: Option<ScaleRecord>,
    thaw: Option<ThawRecord>,
    want: Option<OfRecord>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OfPart)]
struct OfRecord {
    target: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schema(as = ColdStartPart)]
struct ColdStartRecord {
    target: String,
    #[serde(default)]
    accept_loss: Vec<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MaintainPart)]
struct MaintainRecord {
    target: String,
    seconds: u64,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ScalePart)]
struct ScaleRecord {
    target: String,
    te: u32,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ThawPart)]
struct ThawRecord {
    target: String,
    gate: String,
    seconds: u64,
}

/// Something that is said of something.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Said)]
pub(super) struct SaidRecord {
    /// A slot, a process, a peer, a database or a domain
    pub(super) target: String,
    /// Why; a hold and a confirmed death need it
    pub(super) reason: Option<String>,
    /// Who says so
    pub(super) owner: Option<String>,
}

/// A database to bring up from nothing.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schema(as = ColdStart)]
pub(super) struct RevivalRecord {
    /// A database
    pub(super) target: String,
    /// Peers whose archives are given up
    #[serde(default)]
    pub(super) accept_loss: Vec<String>,
    /// Why; what is given up needs it
    pub(super) reason: Option<String>,
    /// Who says so
    pub(super) owner: Option<String>,
}

/// A maintenance that begins.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Maintain)]
pub(super) struct MaintenanceRecord {
    /// A process, a peer, a database or a domain
    pub(super) target: String,
    /// After so many seconds it ends by itself
    #[schema(minimum = 1, maximum = 2_678_400)]
    pub(super) seconds: u64,
    /// Why
    pub(super) reason: Option<String>,
    /// Who works there
    pub(super) owner: Option<String>,
}

/// How many engines are wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Scale)]
pub(super) struct ScalingRecord {
    /// A database
    pub(super) target: String,
    /// How many transaction engines it shall have
    pub(super) te: u32,
    /// Why
    pub(super) reason: Option<String>,
    /// Who says so
    pub(super) owner: Option<String>,
}

/// A gate that does not count for a while.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Thaw)]
pub(super) struct ThawingRecord {
    /// The domain
    pub(super) target: String,
    /// Which gate
    pub(super) gate: String,
    /// For so many seconds
    #[schema(minimum = 1, maximum = 2_678_400)]
    pub(super) seconds: u64,
    /// Why
    pub(super) reason: Option<String>,
    /// Who says so
    pub(super) owner: Option<String>,
}

/// A transaction engine to start.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StartTe)]
pub(super) struct StartRecord {
    /// Of which database
    pub(super) database: String,
    /// Not where the last one was
    #[serde(default)]
    pub(super) elsewhere: bool,
    /// At this peer
    pub(super) on: Option<String>,
    /// Why
    pub(super) reason: Option<String>,
    /// Who asks
    pub(super) owner: Option<String>,
}

/// What is asked for.
#[derive(Debug)]
pub(super) enum Asking {
    StartTe(StartTeRecord),
    /// A word, and of what it is said.
    Person(Word, String),
}

/// What is asked for, by whom and why.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) asking: Asking,
    pub(super) reason: Option<String>,
    pub(super) owner: Option<String>,
}

impl Asked {
    /// Returns it unless something is missing or no name.
    fn checked(self) -> Result<Self, String> {
        match &self.asking {
            Asking::Person(word, target) if needs_reason(word) && self.reason.is_none() => {
                let word = word.as_str();
                Err(format!(
                    "`{word}` of {} has no `reason`",
                    target.escape_debug()
                ))
            }
            Asking::Person(_, target) if !is_name(target) => Err(format!(
                "`{}` is no name of anything",
                target.escape_debug()
            )),
            Asking::Person(..) | Asking::StartTe(_) => Ok(self),
        }
    }
}

impl RequestRecord {
    /// Returns the one thing that is asked for, or what is wrong.
    pub(super) fn asked(mut self) -> Result<Asked, String> {
        let plain = [
            (self.announce.take(), Word::Announce),
            (self.confirm_dead.take(), Word::ConfirmDead),
            (self.end_maintenance.take(), Word::EndMaintenance),
            (self.forget.take(), Word::Forget),
            (self.hold.take(), Word::Hold),
            (self.release.take(), Word::Release),
            (self.retry.take(), Word::Retry),
            (self.want.take(), Word::Want),
        ];
        let plain = plain.into_iter();
        let mut all: Vec<Asking> = plain
            .filter_map(|(it, word)| Some(Asking::Person(word, it?.target)))
            .collect();
        if let Some(it) = self.cold_start.take() {
            let word = cold_start(&it.accept_loss)?;
            all.push(Asking::Person(word, it.target));
        }
        if let Some(it) = self.maintain.take() {
            let lasts = lasting(it.seconds)?;
            all.push(Asking::Person(Word::Maintain { lasts }, it.target));
        }
        if let Some(it) = self.scale.take() {
            all.push(Asking::Person(Word::Scale { count: it.te }, it.target));
        }
        if let Some(it) = self.thaw.take() {
            let (gate, lasts) = (it.gate.into(), lasting(it.seconds)?);
            all.push(Asking::Person(Word::Thaw { gate, lasts }, it.target));
        }
        all.extend(self.start_te.take().map(Asking::StartTe));
        let asking = match all.pop() {
            Some(it) if all.is_empty() => it,
            Some(_) => return Err("it asks for several things at once".to_owned()),
            None => return Err("it does not say what is asked for".to_owned()),
        };
        let Self { reason, owner, .. } = self;
        let asked = Asked {
            asking,
            reason,
            owner,
        };
        asked.checked()
    }
}

impl SaidRecord {
    /// Returns that this word is said.
    pub(super) fn asked(self, word: Word) -> Result<Asked, String> {
        said(word, self.target, self.reason, self.owner)
    }
}

impl RevivalRecord {
    pub(super) fn asked(self) -> Result<Asked, String> {
        let word = cold_start(&self.accept_loss)?;
        said(word, self.target, self.reason, self.owner)
    }
}

impl MaintenanceRecord {
    pub(super) fn asked(self) -> Result<Asked, String> {
        let lasts = lasting(self.seconds)?;
        let word = Word::Maintain { lasts };
        said(word, self.target, self.reason, self.owner)
    }
}

impl ScalingRecord {
    pub(super) fn asked(self) -> Result<Asked, String> {
        let word = Word::Scale { count: self.te };
        said(word, self.target, self.reason, self.owner)
    }
}

impl ThawingRecord {
    pub(super) fn asked(self) -> Result<Asked, String> {
        let (gate, lasts) = (self.gate.into(), lasting(self.seconds)?);
        let word = Word::Thaw { gate, lasts };
        said(word, self.target, self.reason, self.owner)
    }
}

impl StartRecord {
    pub(super) fn asked(self) -> Result<Asked, String> {
        let start = StartTeRecord {
            database: self.database,
            elsewhere: self.elsewhere,
            on: self.on,
        };
        let asked = Asked {
            asking: Asking::StartTe(start),
            reason: self.reason,
            owner: self.owner,
        };
        asked.checked()
    }
}

fn said(
    word: Word,
    target: String,
    reason: Option<String>,
    owner: Option<String>,
) -> Result<Asked, String> {
    let asked = Asked {
        asking: Asking::Person(word, target),
        reason,
        owner,
    };
    asked.checked()
}

/// Returns whether others will ask why.
const fn needs_reason(word: &Word) -> bool {
    match word {
        Word::ColdStart { accept_loss } => !accept_loss.is_empty(),
        Word::ConfirmDead | Word::Hold | Word::Maintain { .. } | Word::Thaw { .. } => true,
        Word::Announce
        | Word::EndMaintenance
        | Word::Forget
        | Word::Release
        | Word::Retry
        | Word::Scale { .. }
        | Word::Want => false,
    }
}

fn cold_start(lost: &[String]) -> Result<Word, String> {
    if let Some(name) = lost.iter().find(|it| !is_name(it)) {
        return Err(format!("`{}` is no name of a peer", name.escape_debug()));
    }
    let accept_loss = lost.iter().map(|it| it.as_str().into()).collect();
    Ok(Word::ColdStart { accept_loss })
}

fn lasting(seconds: u64) -> Result<Duration, String> {
    if (1..=LASTS_MAX).contains(&seconds) {
        return Ok(Duration::from_secs(seconds));
    }
    Err(format!("it lasts {seconds} s, and may last 1 s to 31 days"))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_MAX && !name.contains(char::is_control)
}
