//! How far the journal was, outside of it.
//!
//! What a damaged log no longer holds, SQLite takes for never written: numbers that were told would
//! be given again. The mark is written behind every commit, and not synced: it is never ahead of
//! what is on the disk, whatever ends, and after everything but a loss of power it is exact.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::record::cell::Sum;

/// As wide as the numbers ever are, so that the file never grows: a full disk has room for it.
const WIDTH: usize = 10 + 1 + 20 + 1 + 16 + 1;

/// The file that remembers how many transactions there were.
#[derive(Debug)]
pub(super) struct Mark(File);

impl Mark {
    /// Opens the file, or makes it.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        options.mode(0o600).open(path).map(Self)
    }

    /// Returns the epoch and how many transactions of it there were; `None` if the file does not
    /// say, or is damaged.
    pub(super) fn read(path: &Path) -> Option<(u32, u64)> {
        let text = std::fs::read_to_string(path).ok()?;
        let mut words = text.split_whitespace();
        let epoch = words.next()?.parse().ok()?;
        let commits = words.next()?.parse().ok()?;
        (text == line(epoch, commits)).then_some((epoch, commits))
    }

    /// Remembers how many transactions there were.
    ///
    /// Without a mark less is noticed, and nothing else is wrong: an error is not worth a word.
    pub(super) fn write(&self, epoch: u32, commits: u64) {
        let _ = self.0.write_all_at(line(epoch, commits).as_bytes(), 0);
    }
}

fn line(epoch: u32, commits: u64) -> String {
    let said = format!("{epoch:>10} {commits:>20}");
    let mut sum = Sum::new();
    sum.add(said.as_bytes());
    let line = format!("{said} {:016x}\n", sum.value());
    debug_assert_eq!(line.len(), WIDTH, "the line never grows");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_says_what_was_written_or_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mark");
        assert_eq!(Mark::read(&path), None);
        let mark = Mark::open(&path).unwrap();
        assert_eq!(Mark::read(&path), None);
        for (epoch, commits) in [(1, 1), (u32::MAX, u64::MAX), (7, 300)] {
            mark.write(epoch, commits);
            assert_eq!(Mark::read(&path), Some((epoch, commits)));
        }
        let sound = std::fs::read(&path).unwrap();
        for at in 0..sound.len() * 8 {
            let mut flipped = sound.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            std::fs::write(&path, &flipped).unwrap();
            assert_eq!(Mark::read(&path), None, "bit {at}");
        }
    }
}
