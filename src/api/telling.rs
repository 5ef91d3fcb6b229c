//! Writes recorded events into an answer: what is there, and then whatever comes.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::events::{ATTEMPTED, all};
use super::lines::Pen;
use super::office::Office;
use super::strands::{Begin, Strand, Strands};
use crate::event::Recorded;
use crate::listener::{Expression, Record, Source};

/// A piece of an answer is sent when it has this many bytes, or nothing else is there.
const PIECE: usize = 32 * 1024;

/// A stream is not silent for longer: whoever is between us would take it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// After a lost stream a reader comes back after so many milliseconds.
const RETRY: u32 = 2_000;

/// How events are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Form {
    /// A line of JSON each.
    Lines,
    /// Server-Sent Events, each with where its reader stands.
    Stream,
}

/// Writes events into an answer.
pub(super) struct Teller {
    pub(super) condition: Option<Expression>,
    pub(super) form: Form,
    pub(super) pen: Pen,
}

/// An event of which the condition makes no sense is none that was asked for.
pub(super) fn admits(condition: Option<&Expression>, record: &Record<'_>) -> bool {
    condition.is_none_or(|it| it.holds(record).unwrap_or_default())
}

impl Teller {
    /// Tells what is there now.
    ///
    /// Fails when nobody reads any more, or the journal cannot be read.
    pub(super) async fn tell(&self, strands: &mut Strands) -> Result<(), ()> {
        let ends = strands.ends();
        let mut piece = String::new();
        loop {
            match strands.next(&ends).await {
                Ok(Some(recorded)) => self.add(&mut piece, strands, &recorded),
                Ok(None) => break,
                // Without an end the reader knows that it does not have everything.
                Err(error) => return self.send(Err(error)).await.and(Err(())),
            }
            if piece.len() >= PIECE {
                self.send(Ok(std::mem::take(&mut piece).into())).await?;
            }
        }
        if piece.is_empty() {
            return Ok(());
        }
        self.send(Ok(piece.into())).await
    }

    fn add(&self, piece: &mut String, strands: &Strands, recorded: &Arc<Recorded>) {
        let record = Record::new(recorded);
        if !admits(self.condition.as_ref(), &record) {
            return;
        }
        match self.form {
            Form::Lines => piece.push_str(&record.to_line()),
            Form::Stream => {
                let position = strands.position();
                let line = record.to_line();
                // The line ends itself; an empty one ends the event.
                let _ = write!(piece, "id: {position}\ndata: {line}\n");
            }
        }
    }

    /// Tells where a reader stands who has heard nothing yet, or nothing for a while.
    async fn tell_position(&self, strands: &Strands) -> Result<(), ()> {
        match self.form {
            Form::Lines => Ok(()),
            Form::Stream => {
                let position = strands.position();
                let text = format!("retry: {RETRY}\nid: {position}\n\n");
                self.send(Ok(text.into())).await
            }
        }
    }

    async fn send(&self, piece: io::Result<Bytes>) -> Result<(), ()> {
        self.pen.send(piece).await.map_err(drop)
    }
}

/// Why it goes on.
enum Wake {
    Domains,
    End,
    More,
    /// Nothing was told for a while.
    Silence,
}

/// Tells what is there, and then whatever comes.
pub(super) async fn follow(
    office: &Office,
    mut strands: Strands,
    follows_all: bool,
    teller: Teller,
) {
    let mut stop = office.stop.clone();
    let mut domains = office.port.domains.clone();
    let more = Arc::new(Notify::new());
    let mut watches = watch(&strands, &more);
    if teller.tell_position(&strands).await.is_err() {
        return;
    }
    loop {
        if teller.tell(&mut strands).await.is_err() {
            return;
        }
        let wake = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => Wake::End,
            () = teller.pen.closed() => Wake::End,
            () = more.notified() => Wake::More,
            () = sleep(KEEP_ALIVE) => Wake::Silence,
            changed = domains.changed() => changed.map_or(Wake::End, |()| Wake::Domains),
        };
        match wake {
            Wake::Domains => (),
            Wake::More => continue,
            Wake::Silence if teller.tell_position(&strands).await.is_ok() => continue,
            Wake::End | Wake::Silence => return,
        }
        domains.borrow_and_update();
        if renew(office, &mut strands, follows_all).await.is_err() {
            return;
        }
        watches.abort_all();
        watches = watch(&strands, &more);
    }
}

/// Follows the domains there are now.
async fn renew(office: &Office, strands: &mut Strands, follows_all: bool) -> Result<(), ()> {
    let now = all(office);
    let Strands(strands) = strands;
    // Whoever is new has told nothing older.
    let newest = strands.iter().map(|it| it.told).max().unwrap_or_default();
    let begin = Begin::Since(newest.max(office.port.daemon.started));
    strands.retain(|it| now.iter().any(|(name, _)| *name == it.name));
    for (name, journal) in now {
        match strands.iter_mut().find(|it| it.name == name) {
            Some(strand) => strand.journal = journal,
            None if follows_all => {
                // Who follows everything is not told that it has everything.
                let strand = Strand::new(name, journal, &begin, ATTEMPTED).await;
                strands.push(strand.map_err(drop)?);
            }
            None => (),
        }
    }
    Ok(())
}

/// Has `more` told whenever one of the journals has more.
fn watch(Strands(strands): &Strands, more: &Arc<Notify>) -> JoinSet<()> {
    let mut watches = JoinSet::new();
    for strand in strands {
        let mut committed = Source::committed(&strand.journal);
        let more = more.clone();
        watches.spawn(async move {
            // What came before it began to watch is news as well.
            more.notify_one();
            while committed.changed().await.is_ok() {
                more.notify_one();
            }
        });
    }
    watches
}
