//! Which files a configuration consists of, and how they become one tree.
//!
//! There is the file that was named, and what lies in `conf.d` beside it, in the order of names.
//! Tables merge key by key, of a value written twice the later one counts, and what stands in
//! double brackets adds up. What the keys mean is not known here.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{self, Entry, Node, Value, whole};
use super::keys::{Form, TOP};
use super::problem::Problem;

/// The directory of further files.
const DIRECTORY: &str = "conf.d";

/// More files than this are a wrong directory.
const MAX_FILES: usize = 256;

/// All that was written, and what is wrong with the files as such.
#[derive(Debug)]
pub(super) struct Sources {
    /// Everything there is, as one table.
    pub(super) root: Node,
    /// The files, in the order in which they were read.
    pub(super) files: Vec<Arc<Path>>,
    /// What could not be read, or is no TOML: something may be missing because of it.
    pub(super) torn: Vec<Problem>,
    /// What else is wrong with them: who may change them, and what does not fit together.
    pub(super) misfits: Vec<Problem>,
    /// What is doubtful about who may change them.
    pub(super) doubts: Vec<Problem>,
}

/// Reads a file and those in `conf.d` beside it.
pub(super) fn read(path: &Path) -> Sources {
    let base = path.parent().unwrap_or(Path::new(""));
    let mut sources = Sources::new(path);
    let mut entries = sources.take(path, base);
    let directory = base.join(DIRECTORY);
    match names(&directory) {
        Ok(files) => {
            sources.inspect(&directory, path);
            for file in files {
                sources.inspect(&file, path);
                let later = sources.take(&file, base);
                merge(&mut entries, later, &mut sources.misfits);
            }
        }
        Err(problem) => sources.torn.extend(problem),
    }
    sources.root.value = Value::Table(entries);
    sources
}

/// Takes a text for a whole configuration.
#[cfg(test)]
pub(super) fn text(path: &Path, text: &str) -> Sources {
    let base = path.parent().unwrap_or(Path::new(""));
    let mut sources = Sources::new(path);
    let (entries, torn) = file::parse(path, base, text);
    sources.files.push(path.into());
    sources.root.value = Value::Table(entries);
    sources.torn = torn;
    sources
}

/// Returns the files in a directory whose names end in `.toml`, in order of their names; none if
/// there is no such directory. Hidden ones are what editors leave behind.
fn names(directory: &Path) -> Result<Vec<PathBuf>, Option<Problem>> {
    let fail = |problem: String, advice: &str| {
        Some(Problem {
            place: whole(directory),
            key: String::new(),
            problem,
            advice: advice.to_owned(),
        })
    };
    let unreadable = |error: io::Error| {
        if error.kind() == io::ErrorKind::NotFound {
            None
        } else if error.kind() == io::ErrorKind::NotADirectory {
            let advice = "further files of the configuration lie in a directory of this name";
            fail("is no directory".to_owned(), advice)
        } else {
            let advice = "let the daemon's user read the directory";
            fail(format!("cannot read the directory: {error}"), advice)
        }
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let is_hidden = path
            .file_name()
            .is_some_and(|it| it.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|it| it == "toml") {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            let problem = format!("has more than {MAX_FILES} files");
            return Err(fail(problem, "this is hardly a configuration"));
        }
    }
    files.sort();
    Ok(files)
}

impl Sources {
    fn new(path: &Path) -> Self {
        let mut sources = Self {
            root: Node {
                place: whole(path),
                base: path.parent().unwrap_or(Path::new("")).into(),
                value: Value::Table(Vec::new()),
            },
            files: Vec::new(),
            torn: Vec::new(),
            misfits: Vec::new(),
            doubts: Vec::new(),
        };
        sources.inspect(path, path);
        sources
    }

    /// Reads one of the files.
    fn take(&mut self, path: &Path, base: &Path) -> Vec<Entry> {
        self.files.push(path.into());
        match file::read(path) {
            Ok(text) => {
                let (entries, torn) = file::parse(path, base, &text);
                self.torn.extend(torn);
                entries
            }
            Err(problem) => {
                self.torn.push(problem);
                Vec::new()
            }
        }
    }

    /// Looks at who may change a file or directory: who can, decides what the daemon runs.
    fn inspect(&mut self, path: &Path, main: &Path) {
        let (Ok(metadata), Ok(first)) = (path.metadata(), main.metadata()) else {
            return;
        };
        let mode = metadata.permissions().mode() & 0o7777;
        let owner = metadata.uid();
        let us = rustix::process::geteuid().as_raw();
        let tell = |problem: String, advice: &str| Problem {
            place: whole(path),
            key: String::new(),
            problem,
            advice: format!("{advice} {}", path.display()),
        };
        let is_sticky = metadata.is_dir() && mode & 0o1000 != 0;
        if mode & 0o002 != 0 && !is_sticky {
            let problem = format!("anybody can change it (mode {mode:04o})");
            self.misfits.push(tell(problem, "run chmod o-w"));
        } else if ![0, us, first.uid()].contains(&owner) {
            let problem = format!(
                "belongs to the user {owner}, {} to {}",
                main.display(),
                first.uid()
            );
            self.misfits.push(tell(problem, "run chown on"));
        } else if mode & 0o020 != 0 {
            let problem = format!("its group can change what the daemon runs (mode {mode:04o})");
            self.doubts
                .push(tell(problem, "if that is not meant, run chmod g-w"));
        }
    }
}

/// Adds the keys of a later file to those of the earlier ones.
fn merge(entries: &mut Vec<Entry>, later: Vec<Entry>, misfits: &mut Vec<Problem>) {
    for entry in later {
        match TOP.key(&entry.name).map(|it| &it.form) {
            // They add up where they are read.
            Some(Form::Sections(_)) => entries.push(entry),
            // It must not take what is good out of sight.
            Some(Form::Section(_)) if !matches!(entry.node.value, Value::Table(_)) => {
                misfits.push(Problem {
                    place: entry.place,
                    problem: format!("is {}", entry.node.value.noun()),
                    advice: format!("write [{}], in single brackets", entry.name),
                    key: entry.name,
                });
            }
            _ => override_with(entries, entry),
        }
    }
}

/// Puts a key over the same one, table by table.
fn override_with(entries: &mut Vec<Entry>, later: Entry) {
    let Some(earlier) = entries.iter_mut().find(|it| it.name == later.name) else {
        entries.push(later);
        return;
    };
    match (&mut earlier.node.value, later.node.value) {
        (Value::Table(inner), Value::Table(entries)) => {
            for entry in entries {
                override_with(inner, entry);
            }
        }
        (_, value) => {
            let node = Node {
                value,
                ..later.node
            };
            *earlier = Entry { node, ..later };
        }
    }
}
