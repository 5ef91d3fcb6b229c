//! Opens a journal as it was left, or begins a new one beside a damaged one.
//!
//! It decides nothing about a domain: it hands back facts, and says how it came by them. What is
//! damaged is moved aside and never deleted.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::backup::{self, Backup};
use super::book::Book;
use super::directory;
use super::error::JournalError;
use super::mark::Mark;
use super::record::facts::from_json;
use super::settings::JournalSettings;
use super::store::{Disk, Group, SCHEMA, Store, StoreError, StoredFact};
use super::{Condition, Recovered};
use crate::event::Recorded;
use crate::supervisor::{Fact, FactKind};

/// So many of the last events are read at once when a journal is opened.
const TAIL: u64 = 1_024;

/// Where the files of one journal lie.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    dir: PathBuf,
    /// The database; its log lies beside it.
    pub(super) journal: PathBuf,
    /// The copy of the facts.
    pub(super) backup: PathBuf,
    mark: PathBuf,
}

impl Paths {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            journal: dir.join("journal.sqlite"),
            backup: dir.join("facts.bak"),
            mark: dir.join("journal.mark"),
        }
    }
}

/// A journal that is open for writing.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) book: Book,
    pub(super) mark: Mark,
    /// The last events, as far as they can be read.
    pub(super) tail: Vec<Arc<Recorded>>,
    pub(super) recovered: Recovered,
    /// Why it can be read and not written, if it cannot.
    pub(super) full: Option<Arc<str>>,
}

/// Why a file is not used as it is.
enum Trouble {
    /// It is damaged so.
    Damaged(String),
    /// It cannot be used at all.
    Fatal(JournalError),
}

/// What is remembered of a predecessor until it was acted on.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ConditionRecord {
    from_backup: bool,
    aside: String,
    why: String,
}

/// Opens the journal in a directory, or makes it.
///
/// If `damage` says what is wrong with the file, nothing of it is believed.
pub(super) fn open(
    paths: &Paths,
    settings: &JournalSettings,
    damage: Option<&str>,
) -> Result<Opened, JournalError> {
    directory::make(&paths.dir)?;
    let found = match damage {
        None => find(paths, settings),
        Some(why) => Err(Trouble::Damaged(why.to_owned())),
    };
    match found {
        Ok(Some(opened)) => Ok(opened),
        Ok(None) => begin(paths, settings, None),
        Err(Trouble::Damaged(why)) => {
            let previous = Mark::read(&paths.mark).map(|(epoch, _)| epoch);
            let aside = move_aside(paths)?;
            let backup = rescue(paths)?;
            let predecessor = Predecessor {
                backup,
                previous,
                aside,
                why,
            };
            begin(paths, settings, Some(predecessor))
        }
        Err(Trouble::Fatal(error)) => Err(error),
    }
}

/// Opens the journal that is there, if there is one.
fn find(paths: &Paths, settings: &JournalSettings) -> Result<Option<Opened>, Trouble> {
    let path = &paths.journal;
    let is_there = path
        .try_exists()
        .map_err(|source| Trouble::Fatal(file("look for", path, source)))?;
    if !is_there {
        return nothing(paths, "the file is gone");
    }
    let trouble = |error| trouble(path, error);
    let Some(store) = Store::open(path, settings.quota).map_err(trouble)? else {
        return nothing(paths, "the file is empty");
    };
    adopt(paths, store).map(Some).map_err(trouble)
}

/// Returns that there is no journal, unless there was one.
fn nothing(paths: &Paths, why: &str) -> Result<Option<Opened>, Trouble> {
    if has_traces(paths) {
        Err(Trouble::Damaged(why.to_owned()))
    } else {
        Ok(None)
    }
}

/// Checks an open file, reads what must not be forgotten, and begins to write.
fn adopt(paths: &Paths, mut store: Store) -> Result<Opened, StoreError> {
    let mut full = store.check(&paths.journal)?;
    let state = store.state().clone();
    if let Some((epoch, commits)) = Mark::read(&paths.mark)
        && epoch == store.epoch
        && commits > state.commits
    {
        let why = format!(
            "{commits} transactions were committed, and only {} are left",
            state.commits
        );
        return Err(StoreError::Damaged(why));
    }
    let facts = decode(&store.facts()?).map_err(StoreError::Damaged)?;
    let mut book = store.book()?;
    book.reopen(state.is_open);
    let mut group = Group {
        dirty: book.take_dirty(),
        state: state.clone(),
        ..Group::default()
    };
    group.state.is_open = true;
    match store.write(&group, &book) {
        Ok(()) => (),
        Err(error) if error.is_full() => full = Some(error),
        Err(error) => return Err(error),
    }
    let condition = state.condition.as_deref().and_then(read_condition);
    let recovered = Recovered {
        facts,
        last: state.last,
        last_seq: state.last_seq,
        epoch: store.epoch,
        condition: condition.unwrap_or(Condition::Sound),
    };
    let opened = finish(paths, store, book, recovered)?;
    let full = full.map(|it| it.to_string().into());
    Ok(Opened { full, ..opened })
}

/// What is left of a damaged journal.
struct Predecessor {
    backup: Option<(Backup, Vec<Fact>)>,
    previous: Option<u32>,
    aside: PathBuf,
    why: String,
}

/// Begins a new journal, with the facts of a copy if there is a predecessor with one.
fn begin(
    paths: &Paths,
    settings: &JournalSettings,
    predecessor: Option<Predecessor>,
) -> Result<Opened, JournalError> {
    let path = &paths.journal;
    let now = touch(path).map_err(|source| file("make", path, source))?;
    let known = predecessor.as_ref().and_then(|it| {
        let copied = it.backup.as_ref().map(|(backup, _)| backup.epoch);
        copied.max(it.previous)
    });
    let epoch = known.map_or(now, |it| now.max(it.saturating_add(1)));
    let mut group = Group::default();
    group.state.is_open = true;
    group.state.commits = 1;
    let mut facts = Vec::new();
    let mut condition = Condition::New;
    if let Some(it) = predecessor {
        let why: Arc<str> = it.why.into();
        let aside = it.aside;
        condition = Condition::Lost {
            aside: aside.clone(),
            why: Arc::clone(&why),
        };
        if let Some((backup, copied)) = it.backup {
            condition = Condition::FromBackup { aside, why };
            group.state.last = backup.last;
            facts = copied;
        }
        group.state.condition = write_condition(&condition);
    }
    let keyed = facts.iter().map(|it| (it.key(), Some(it.clone())));
    group.facts = keyed.collect();
    let open = |source| open_error(path, source);
    let store = Store::create(path, settings.quota, epoch, &group).map_err(open)?;
    let recovered = Recovered {
        facts,
        last: group.state.last,
        last_seq: 0,
        epoch,
        condition,
    };
    let opened = finish(paths, store, Book::default(), recovered).map_err(open)?;
    backup::sync_parent(path).map_err(|source| file("sync the directory of", path, source))?;
    Ok(opened)
}

fn finish(
    paths: &Paths,
    store: Store,
    book: Book,
    recovered: Recovered,
) -> Result<Opened, StoreError> {
    let last = recovered.last_seq;
    let disk = Disk::open(&paths.journal, store.epoch)?;
    let mut tail: Vec<Arc<Recorded>> = Vec::new();
    let mut after = last.saturating_sub(TAIL);
    while after < last {
        let page = disk.page(after, last, usize::MAX)?;
        if page.gap.is_some() {
            tail.clear();
        }
        after = page.events.last().map_or(last, |it| it.seq);
        tail.extend(page.events);
    }
    let mark = Mark::open(&paths.mark).map_err(|error| {
        let cannot_open = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        let why = format!("{}: {error}", paths.mark.display());
        rusqlite::Error::SqliteFailure(cannot_open, Some(why))
    })?;
    mark.write(store.epoch, store.state().commits);
    Ok(Opened {
        store,
        book,
        mark,
        tail,
        recovered,
        full: None,
    })
}

/// Reads the facts of a store; says what is wrong if one of them makes no sense.
fn decode(stored: &[StoredFact]) -> Result<Vec<Fact>, String> {
    let decode = |it: &StoredFact| {
        let kind = FactKind::named(&it.kind);
        let kind = kind.ok_or_else(|| format!("no fact is of the kind `{}`", it.kind))?;
        let fact = from_json(kind, &it.body).map_err(|error| error.to_string())?;
        if *fact.key().name == *it.name {
            Ok(fact)
        } else {
            Err(format!("the fact `{}` has another name", it.name))
        }
    };
    stored.iter().map(decode).collect()
}

/// Reads the copy of the facts; one that is damaged as well is moved aside.
fn rescue(paths: &Paths) -> Result<Option<(Backup, Vec<Fact>)>, JournalError> {
    let is_there = paths.backup.try_exists();
    if !is_there.map_err(|source| file("look for", &paths.backup, source))? {
        return Ok(None);
    }
    let read = backup::read(&paths.backup);
    match read.and_then(|it| decode(&it.facts).map(|facts| (it, facts))) {
        Ok(rescued) => Ok(Some(rescued)),
        Err(_damage) => {
            let number = free_number(&paths.backup);
            rename(&paths.backup, &aside(&paths.backup, number, ""))?;
            Ok(None)
        }
    }
}

/// Gives the files of a damaged journal other names, and returns that of the database.
fn move_aside(paths: &Paths) -> Result<PathBuf, JournalError> {
    let number = free_number(&paths.journal);
    for suffix in ["", "-wal", "-shm"] {
        let mut from = paths.journal.clone().into_os_string();
        from.push(suffix);
        let from = PathBuf::from(from);
        if from.exists() {
            rename(&from, &aside(&paths.journal, number, suffix))?;
        }
    }
    if paths.mark.exists() {
        rename(&paths.mark, &aside(&paths.mark, number, ""))?;
    }
    backup::sync_parent(&paths.journal)
        .map_err(|source| file("sync the directory of", &paths.journal, source))?;
    Ok(aside(&paths.journal, number, ""))
}

/// Returns the first number that no damaged file has yet.
fn free_number(path: &Path) -> u32 {
    let is_free = |number: &u32| {
        ["", "-wal"]
            .iter()
            .all(|it| !aside(path, *number, it).exists())
    };
    (1..u32::MAX).find(is_free).unwrap_or(u32::MAX)
}

fn aside(path: &Path, number: u32, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".damaged-{number}{suffix}"));
    name.into()
}

/// Returns whether there was a journal here, though its file is not or is empty.
fn has_traces(paths: &Paths) -> bool {
    let is_trace =
        |name: &str| name == "facts.bak" || name == "journal.mark" || name.contains(".damaged-");
    let entries = fs::read_dir(&paths.dir).into_iter().flatten().flatten();
    entries
        .filter_map(|it| it.file_name().into_string().ok())
        .any(|name| is_trace(&name))
}

/// Makes the file, and returns the time at which the file system says that it was made: nothing
/// else here knows the time, and an epoch shall not be one that was used before.
fn touch(path: &Path) -> io::Result<u32> {
    let mut options = OpenOptions::new();
    let made = options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    let since = made.metadata()?.modified()?.duration_since(UNIX_EPOCH);
    let seconds = since.map_or(1, |it| it.as_secs());
    Ok(u32::try_from(seconds).unwrap_or(1).max(1))
}

fn rename(from: &Path, to: &Path) -> Result<(), JournalError> {
    fs::rename(from, to).map_err(|source| file("move aside", from, source))
}

fn trouble(path: &Path, error: StoreError) -> Trouble {
    match error.damage() {
        Some(why) => Trouble::Damaged(why),
        None => Trouble::Fatal(open_error(path, error)),
    }
}

pub(super) fn open_error(path: &Path, error: StoreError) -> JournalError {
    let path = path.to_owned();
    match error {
        StoreError::Damaged(why) => JournalError::Unusable(why.into()),
        StoreError::Newer(found) => JournalError::Newer {
            path,
            found,
            known: u32::try_from(SCHEMA.len()).unwrap_or(u32::MAX),
        },
        StoreError::Sqlite(source) => JournalError::Open { path, source },
    }
}

fn file(attempt: &'static str, path: &Path, source: io::Error) -> JournalError {
    JournalError::File {
        attempt,
        path: path.to_owned(),
        source,
    }
}

fn write_condition(condition: &Condition) -> Option<String> {
    let (from_backup, aside, why) = match condition {
        Condition::FromBackup { aside, why } => (true, aside, why),
        Condition::Lost { aside, why } => (false, aside, why),
        Condition::New | Condition::Sound => return None,
    };
    let record = ConditionRecord {
        from_backup,
        aside: aside.to_string_lossy().into_owned(),
        why: (**why).to_owned(),
    };
    serde_json::to_string(&record).ok()
}

fn read_condition(text: &str) -> Option<Condition> {
    let record: ConditionRecord = serde_json::from_str(text).ok()?;
    let (aside, why) = (record.aside.into(), record.why.into());
    Some(if record.from_backup {
        Condition::FromBackup { aside, why }
    } else {
        Condition::Lost { aside, why }
    })
}
