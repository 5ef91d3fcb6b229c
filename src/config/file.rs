//! What was written: a file as a tree in which everything knows its place.
//!
//! It says whether a file is TOML, and nothing of what the keys mean.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Place, Problem};

/// The longest file that is read.
const MAX_LENGTH: u64 = 1 << 20;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    /// Where paths begin that are not absolute.
    pub(super) base: Arc<Path>,
    pub(super) value: Value,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Array(Vec<Node>),
    Boolean(bool),
    Integer(i64),
    /// Something that no key of ours wants, by the name of its type.
    Other(&'static str),
    Table(Vec<Entry>),
    Text(String),
}

/// A key of a table, and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) node: Node,
}

impl Value {
    /// Returns what the value is, as a noun.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Array(_) => "a list",
            Self::Boolean(_) => "true or false",
            Self::Integer(_) => "a number",
            Self::Other(noun) => noun,
            Self::Table(_) => "a table",
            Self::Text(_) => "text",
        }
    }
}

/// Reads a file.
pub(super) fn read(path: &Path) -> Result<String, Problem> {
    let fail = |problem: String, advice: &str| Problem {
        place: whole(path),
        key: String::new(),
        problem,
        advice: advice.to_owned(),
    };
    let metadata = std::fs::metadata(path)
        .map_err(|error| fail(format!("cannot read the file: {error}"), ""))?;
    if !metadata.is_file() {
        return Err(fail("is no file".to_owned(), "a file is wanted here"));
    }
    if metadata.len() > MAX_LENGTH {
        let problem = format!("is longer than {MAX_LENGTH} bytes");
        return Err(fail(problem, "this is hardly a configuration"));
    }
    let bytes =
        std::fs::read(path).map_err(|error| fail(format!("cannot read the file: {error}"), ""))?;
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let valid = String::from_utf8_lossy(&error.as_bytes()[..offset]).into_owned();
        Problem {
            place: Lines::new(path, path, &valid).place(offset),
            ..fail("is no UTF-8".to_owned(), "save the file as UTF-8")
        }
    })
}

/// Returns the place that stands for a file as a whole.
pub(super) fn whole(path: &Path) -> Place {
    Place {
        file: path.into(),
        line: 0,
        column: 0,
    }
}

/// Returns the keys of a file, as far as they can be made out, and everything that is no TOML.
/// Paths in it begin at `base`.
pub(super) fn parse(path: &Path, base: &Path, text: &str) -> (Vec<Entry>, Vec<Problem>) {
    let lines = Lines::new(path, base, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let problems = errors
        .iter()
        .map(|error| Problem {
            place: lines.place(error.span().map_or(text.len(), |it| it.start)),
            key: String::new(),
            problem: format!("no TOML: {}", error.message()),
            advice: String::new(),
        })
        .collect();
    (lines.entries(table.into_inner()), problems)
}

/// Knows where the lines of a text begin.
struct Lines<'a> {
    file: Arc<Path>,
    base: Arc<Path>,
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(path: &Path, base: &Path, text: &'a str) -> Self {
        let after_feeds = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            file: path.into(),
            base: base.into(),
            text,
            starts: std::iter::once(0).chain(after_feeds).collect(),
        }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|it| *it <= offset);
        let start = self.starts[line - 1];
        let before = self.text.get(start..offset).unwrap_or_default();
        Place {
            file: Arc::clone(&self.file),
            line,
            column: before.chars().count() + 1,
        }
    }

    fn entries(&self, table: DeTable<'_>) -> Vec<Entry> {
        let mut entries: Vec<Entry> = table
            .into_iter()
            .map(|(key, value)| Entry {
                place: self.place(key.span().start),
                name: key.into_inner().into_owned(),
                node: self.node(value),
            })
            .collect();
        entries.sort_by(|a, b| a.place.cmp(&b.place));
        entries
    }

    fn node(&self, spanned: Spanned<DeValue<'_>>) -> Node {
        let Range { start, .. } = spanned.span();
        let value = match spanned.into_inner() {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Other("a number that is too large"), Value::Integer),
            DeValue::Boolean(is_so) => Value::Boolean(is_so),
            DeValue::Array(array) => {
                Value::Array(array.into_iter().map(|it| self.node(it)).collect())
            }
            DeValue::Table(table) => Value::Table(self.entries(table)),
            DeValue::Float(_) => Value::Other("a number with a point"),
            DeValue::Datetime(_) => Value::Other("a date or time"),
        };
        Node {
            place: self.place(start),
            base: Arc::clone(&self.base),
            value,
        }
    }
}
