//! The recorded events of several journals as one, in the order of time, and where a reader of them
//! stands.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use super::letters::unusable;
use super::refusal::Refusal;
use crate::event::Recorded;
use crate::journal::Journal;
use crate::listener::Source;
use crate::time::WallTime;

/// So many events of one domain are read at once.
const PAGE: usize = 256;

/// Where to begin.
#[derive(Clone, Debug)]
pub(super) enum Begin {
    /// Behind this number.
    After(u64),
    /// Where a reader stood; with the first of a journal that it did not know.
    At(Position),
    /// With the first that is kept.
    First,
    /// With the last few of each domain.
    Last(u64),
    /// With what comes from now on.
    Now,
    /// With the first that is not older.
    Since(WallTime),
}

/// Where a reader stands: up to which event it has those of each domain, and of which epoch.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Position(BTreeMap<String, (u32, u64)>);

impl Position {
    /// Reads a position as it was written: `DOMAIN/EPOCH/SEQ`, with commas between.
    pub(super) fn read(text: &str) -> Option<Self> {
        let part = |it: &str| {
            let mut parts = it.trim().rsplitn(3, '/');
            let (seq, epoch, name) = (parts.next()?, parts.next()?, parts.next()?);
            let place = (epoch.parse().ok()?, seq.parse().ok()?);
            (!name.is_empty()).then(|| (name.to_owned(), place))
        };
        let parts: Option<BTreeMap<_, _>> = text.split(',').map(part).collect();
        parts.map(Self)
    }
}

/// The events of one domain on their way into an answer.
pub(super) struct Strand {
    pub(super) name: String,
    pub(super) journal: Journal,
    /// Of which epoch the numbers are.
    epoch: u32,
    /// The number of the last event that was read.
    cursor: u64,
    /// The number of the last event that was taken.
    taken: u64,
    /// When the latest that was taken happened.
    pub(super) told: WallTime,
    page: VecDeque<Arc<Recorded>>,
}

impl Strand {
    pub(super) async fn new(
        name: String,
        journal: Journal,
        begin: &Begin,
        attempted: &str,
    ) -> Result<Self, Refusal> {
        let epoch = journal.epoch();
        let cursor = match begin {
            Begin::After(seq) => *seq,
            Begin::At(Position(places)) => match places.get(&name) {
                // A journal that was lost began anew.
                Some((of, seq)) if *of == epoch => *seq,
                Some(_) | None => 0,
            },
            Begin::First => 0,
            Begin::Last(count) => journal.last_seq().saturating_sub(*count),
            Begin::Now => journal.last_seq(),
            Begin::Since(time) => {
                let seq = journal.seq_since(*time).await;
                seq.map_err(|error| unusable(attempted, &name, &error))?
            }
        };
        Ok(Self {
            name,
            journal,
            epoch,
            cursor,
            taken: cursor,
            told: WallTime::default(),
            page: VecDeque::new(),
        })
    }

    /// Takes the next event that was read.
    fn take(&mut self) -> Option<Arc<Recorded>> {
        let recorded = self.page.pop_front()?;
        self.taken = recorded.seq;
        self.epoch = recorded.epoch;
        self.told = self.told.max(recorded.event.time.wall);
        Some(recorded)
    }

    /// Reads on if nothing is left, up to the event of that number.
    async fn fill(&mut self, until: u64) -> io::Result<()> {
        while self.page.is_empty() && self.cursor < until {
            let page = Source::read(&self.journal, self.cursor, PAGE)
                .await
                .map_err(io::Error::other)?;
            let Some(last) = page.events.last() else {
                self.cursor = until;
                return Ok(());
            };
            self.cursor = last.seq;
            self.page.extend(page.events);
        }
        Ok(())
    }
}

/// The events of several journals.
pub(super) struct Strands(pub(super) Vec<Strand>);

impl Strands {
    /// Returns the number of the last event of each that there is now.
    pub(super) fn ends(&self) -> Vec<u64> {
        self.0.iter().map(|it| it.journal.last_seq()).collect()
    }

    /// Takes the next event up to these ends: the oldest, but those of each domain in the order of
    /// their numbers.
    pub(super) async fn next(&mut self, ends: &[u64]) -> io::Result<Option<Arc<Recorded>>> {
        for (strand, end) in self.0.iter_mut().zip(ends) {
            strand.fill(*end).await?;
        }
        let next = self
            .0
            .iter_mut()
            .filter_map(|it| Some((it.page.front()?.event.time.wall, it)))
            .min_by_key(|(time, _)| *time);
        Ok(next.and_then(|(_, it)| it.take()))
    }

    /// Returns whether there is more than was taken.
    pub(super) fn has_more(&self) -> bool {
        self.0.iter().any(|it| it.taken < it.journal.last_seq())
    }

    /// Writes where a reader stands that has all that was taken.
    pub(super) fn position(&self) -> String {
        let mut text = String::new();
        for it in &self.0 {
            let comma = if text.is_empty() { "" } else { "," };
            let _ = write!(text, "{comma}{}/{}/{}", it.name, it.epoch, it.taken);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_as_it_is_written_and_nonsense_is_none() {
        let position = Position::read("-/1/3,prod/7/12").unwrap();
        assert_eq!(position.0["-"], (1, 3));
        assert_eq!(position.0["prod"], (7, 12));
        for nonsense in [
            "",
            "prod",
            "prod/1",
            "/1/2",
            "prod/x/1",
            "prod/1/-1",
            "a/1/2,",
        ] {
            assert_eq!(Position::read(nonsense), None, "{nonsense}");
        }
    }
}
