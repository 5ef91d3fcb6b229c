//! The same path when nothing may be lost: the journal on the disk, and a program that acknowledges
//! each event.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dbwarden::journal::{Journal, JournalSettings};
use dbwarden::listener::{Listener, PIPE_BATCH, Pipe, ProgramSettings, Registration, Retry, Terms};
use dbwarden::model;
use dbwarden::policy::Policy;
use dbwarden::supervisor::Settings;
use dbwarden::time::{Moment, Timestamp};
use dbwarden::warden::Warden;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::stream::{self, Recording};
use crate::whole::{self, Counted, End};

/// The argument with which this program is the one that acknowledges.
pub(crate) const ACKNOWLEDGE: &str = "--acknowledge";

/// So many observations are behind a recovery.
const BEHIND: u32 = 1_000_000;

/// Returns how long it takes until each event is on the disk and acknowledged, and how many there
/// were.
pub(crate) fn measure(recording: Recording) -> (Duration, u64) {
    let dir = scratch();
    let (journal, _) = Journal::open(dir.path(), JournalSettings::default()).expect("it is new");
    let told = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&told);
    let command = std::env::current_exe().expect("this is a program");
    let command = command
        .into_os_string()
        .into_string()
        .expect("it has a plain name");
    let settings = ProgramSettings {
        command: vec![command, ACKNOWLEDGE.to_owned()],
        withhold: Vec::new(),
        socket: None,
    };
    let terms = Terms {
        batch: PIPE_BATCH,
        ..Terms::default()
    };
    let (timeout, batch) = (terms.timeout, terms.batch);
    let make = move || {
        let pipe = Pipe::new("ack", settings.clone(), timeout, batch, Retry::default());
        Box::new(Counted::new(pipe, Arc::clone(&counter))) as Box<dyn Listener>
    };
    let end = End {
        journal: journal.clone(),
        listener: Some(Registration {
            name: "ack".to_owned(),
            terms,
            make: Arc::new(make),
        }),
        told: Arc::clone(&told),
        is_durable: true,
    };
    let runtime = runtime();
    let took = whole::measure(recording, stream::EVENTS, &runtime, end);
    runtime.block_on(journal.close());
    (took, told.load(Ordering::Relaxed))
}

/// Returns how long it took to write a million observations, and to go on behind them after a
/// crash.
pub(crate) fn recover(recording: Recording) -> (Duration, Duration) {
    let dir = scratch();
    let (journal, _) = Journal::open(dir.path(), JournalSettings::default()).expect("it is new");
    let end = End {
        journal: journal.clone(),
        listener: None,
        told: Arc::default(),
        is_durable: true,
    };
    let runtime = runtime();
    let writing = whole::measure(recording, BEHIND, &runtime, end);
    // What a crash leaves is what is there while the journal is open.
    let image = scratch();
    copy(dir.path(), image.path());
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    let begin = Instant::now();
    let opened = Journal::open(image.path(), JournalSettings::default());
    let (recovered_journal, recovered) = opened.expect("it is sound");
    let mut settings = Settings::new("prod".into());
    settings.policies = vec![Policy::default()];
    let now = recovered
        .last
        .unwrap_or(Moment::simulated(Timestamp::from_micros(1)));
    let warden = Warden::restore(model::Settings::default(), settings, now, recovered.facts);
    let recovery = begin.elapsed();
    warden.expect("the facts fit together");
    assert_eq!(recovered_journal.last_seq(), journal.last_seq());
    runtime.block_on(async {
        recovered_journal.close().await;
        journal.close().await;
    });
    (writing, recovery)
}

/// What has to be read of an event to acknowledge it.
#[derive(Deserialize)]
struct Event<'a> {
    id: &'a str,
}

/// Acknowledges each line of the standard input.
pub(crate) fn acknowledge() -> io::Result<()> {
    let mut input = BufReader::new(io::stdin().lock());
    let mut out = io::stdout().lock();
    let mut said = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let event: Event<'_> = serde_json::from_slice(&line)?;
        said.extend_from_slice(event.id.as_bytes());
        said.push(b'\n');
        // Nothing more has come yet.
        if input.buffer().is_empty() {
            out.write_all(&said)?;
            out.flush()?;
            said.clear();
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime can be had")
}

/// Where the build lies there is a disk; what is temporary may be memory.
fn scratch() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory can be made")
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("it is there") {
        let entry = entry.expect("it can be read");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("there is room");
    }
}
