//! What has to be on record before a deed may leave, beside the least that any record takes.

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use dbwarden::journal::{Batch, Journal, JournalSettings};
use tempfile::TempDir;

/// Returns how long each commit took, and how long it takes to have as many bytes of a plain file
/// on the disk, in turn.
pub(crate) fn measure(batches: Vec<Batch>) -> (Vec<Duration>, Vec<Duration>) {
    // Where the build lies there is a disk; what is temporary may be memory.
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory can be made");
    let (journal, _) = Journal::open(dir.path(), JournalSettings::default()).expect("it is new");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be had");
    let mut file = File::create(dir.path().join("bare")).expect("a file can be made");
    let bytes = size_of_one(&batches[0]);
    let (mut commits, mut syncs) = (Vec::new(), Vec::new());
    let mut progress = journal.progress();
    for batch in batches {
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
        let begin = Instant::now();
        let ticket = journal.write(batch);
        runtime.block_on(async {
            let written = progress.wait_for(|it| it.ticket >= ticket).await;
            drop(written.expect("the journal is there"));
        });
        commits.push(begin.elapsed());
        #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
        let begin = Instant::now();
        file.write_all(&bytes).expect("there is room");
        file.sync_data().expect("the disk works");
        syncs.push(begin.elapsed());
    }
    runtime.block_on(journal.close());
    (commits, syncs)
}

/// Returns as many bytes as one batch has, as it is shown: about what is written of it.
fn size_of_one(batch: &Batch) -> Vec<u8> {
    format!("{batch:?}").into_bytes()
}
