//! Colours and columns for people.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, IsTerminal as _};

use crate::model::Status;

/// What a colour says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tone {
    Bad,
    Fair,
    Good,
    Plain,
}

impl Tone {
    pub(super) fn of(status: Status) -> Self {
        match status {
            Status::Up => Self::Good,
            Status::Starting | Status::Stopping => Self::Fair,
            Status::Down | Status::Unknown => Self::Bad,
        }
    }
}

/// Whether to use colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(bool);

impl Paint {
    /// Returns colours for a terminal, unless `NO_COLOR` or the terminal itself speaks against it.
    pub(super) fn for_stdout() -> Self {
        let of = |name| std::env::var_os(name);
        let is_terminal = io::stdout().is_terminal();
        Self(is_wanted(
            is_terminal,
            of("NO_COLOR").as_deref(),
            of("TERM").as_deref(),
        ))
    }

    pub(super) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Bad => 31,
            Tone::Fair => 33,
            Tone::Good => 32,
            Tone::Plain => return text.to_owned(),
        };
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Returns whether there is somebody to see colours, who does not object.
fn is_wanted(is_terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    is_terminal
        && no_color.is_none_or(OsStr::is_empty)
        && term.is_some_and(|it| it != OsStr::new("dumb"))
}

/// A piece of a line, with its colour.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// Returns a piece; what could play with the terminal is replaced.
    pub(super) fn new(tone: Tone, text: impl fmt::Display) -> Self {
        let text = clean(&text.to_string());
        Self { text, tone }
    }

    /// Returns the piece with something in front of it.
    pub(super) fn after(mut self, more: &str) -> Self {
        self.text.insert_str(0, more);
        self
    }

    /// Returns the piece with something behind it.
    pub(super) fn before(mut self, more: &str) -> Self {
        self.text.push_str(more);
        self
    }

    pub(super) fn plain(text: impl fmt::Display) -> Self {
        Self::new(Tone::Plain, text)
    }
}

/// Returns the text without what could play with the terminal: some of it is others' words.
pub(super) fn clean(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// Returns rows as lines with aligned columns.
pub(super) fn align(rows: &[Vec<Cell>], paint: Paint) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|it| it.text.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<Cell>| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&paint.paint(cell.tone, &cell.text));
            let pad = width - cell.text.chars().count() + 2;
            line.extend(std::iter::repeat_n(' ', pad));
        }
        line.truncate(line.trim_end().len());
        line
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_a_terminal_that_has_them_and_somebody_who_wants_them() {
        let xterm = Some(OsStr::new("xterm"));
        for (is_terminal, no_color, term, expected) in [
            (true, None, xterm, true),
            (true, Some(""), xterm, true),
            (true, Some("1"), xterm, false),
            (false, None, xterm, false),
            (true, None, None, false),
            (true, None, Some(OsStr::new("dumb")), false),
        ] {
            let no_color = no_color.map(OsStr::new);
            assert_eq!(is_wanted(is_terminal, no_color, term), expected, "{term:?}");
        }
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_colours_do_not_count() {
        let rows = [
            vec![
                Cell::plain("a"),
                Cell::new(Tone::Good, "up"),
                Cell::plain("x"),
            ],
            vec![
                Cell::plain("löng"),
                Cell::plain("b\x1b[2J"),
                Cell::plain(""),
            ],
        ];
        assert_eq!(
            align(&rows, Paint(false)),
            ["a     up     x", "löng  b [2J"]
        );
        assert_eq!(
            align(&rows, Paint(true))[0],
            "a     \x1b[32mup\x1b[0m     x"
        );
    }
}
