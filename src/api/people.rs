//! What is asked for, as JSON: a start, or a word that only people may say.
//!
//! It only reads. Who may ask, and what becomes of it, is decided elsewhere.

use std::time::Duration;

use serde::Deserialize;

use crate::exchange::Word;
use crate::listener::StartTeRecord;

/// How many bytes the name of something may have.
const NAME_MAX: usize = 2_048;

/// A maintenance, and the override of a gate, last at most so long: a year is no expiry.
const LASTS_MAX: u64 = 31 * 86_400;

/// What is asked for, by whom and why; exactly one thing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RequestRecord {
    pub(super) owner: Option<String>,
    pub(super) reason: Option<String>,
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OfRecord {
    target: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ColdStartRecord {
    target: String,
    #[serde(default)]
    accept_loss: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MaintainRecord {
    target: String,
    seconds: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScaleRecord {
    target: String,
    te: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ThawRecord {
    target: String,
    gate: String,
    seconds: u64,
}

/// What is asked for.
#[derive(Debug)]
pub(super) enum Asking {
    StartTe(StartTeRecord),
    /// A word, and of what it is said.
    Person(Word, String),
}

impl RequestRecord {
    /// Returns the one thing that is asked for, or what is wrong.
    pub(super) fn asking(&mut self) -> Result<Asking, String> {
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
            let lost = it.accept_loss;
            if let Some(name) = lost.iter().find(|it| !is_name(it)) {
                return Err(format!("`{}` is no name of a peer", name.escape_debug()));
            }
            let accept_loss = lost.iter().map(|it| it.as_str().into()).collect();
            all.push(Asking::Person(Word::ColdStart { accept_loss }, it.target));
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
        match asking {
            Asking::Person(word, target) if needs_reason(&word) && self.reason.is_none() => {
                let word = word.as_str();
                Err(format!(
                    "`{word}` of {} has no `reason`",
                    target.escape_debug()
                ))
            }
            Asking::Person(_, target) if !is_name(&target) => Err(format!(
                "`{}` is no name of anything",
                target.escape_debug()
            )),
            Asking::Person(..) | Asking::StartTe(_) => Ok(asking),
        }
    }
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

fn lasting(seconds: u64) -> Result<Duration, String> {
    if (1..=LASTS_MAX).contains(&seconds) {
        return Ok(Duration::from_secs(seconds));
    }
    Err(format!("it lasts {seconds} s, and may last 1 s to 31 days"))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_MAX && !name.contains(char::is_control)
}
