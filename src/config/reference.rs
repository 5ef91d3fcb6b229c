//! The reference: a file with every key, what it means, and its default.

use super::keys::{Form, Key, TOP};
use crate::event::Kind;

/// How long a line of the reference may be.
const WIDTH: usize = 96;

const HEAD: &str = "\
# Everything that can be configured, with its default. Lines that begin with `# ` and a key show
# an example of what is not set by default.
#
# Further files, conf.d/*.toml beside this one, are read after it in the order of their names: what
# stands in double brackets adds up, of everything else the last one written counts.
#
# This file is generated: `dbwarden check --reference` writes it.
";

/// Returns the reference as a file that can be used once the domain is adapted.
pub fn reference() -> String {
    let mut text = HEAD.to_owned();
    for key in TOP.keys {
        write_section(&mut text, key);
    }
    write_events(&mut text);
    text
}

/// Writes what there is to choose from in `events`.
fn write_events(text: &mut String) {
    text.push_str("\n# The events, each with its group and severity:\n#\n");
    for kind in Kind::ALL {
        let names = format!(
            "{} ({}, {})",
            kind.as_str(),
            kind.group().as_str(),
            kind.severity().as_str()
        );
        write_comment(text, "# ", &format!("{names}: {}", kind.meaning()));
    }
}

/// Writes a table of its own with all its keys, and the tables within it behind them.
fn write_section(text: &mut String, key: &Key) {
    let (table, header) = match &key.form {
        Form::Section(table) => (table, format!("[{}]\n", table.path)),
        Form::Sections(table) => (table, format!("[[{}]]\n", table.path)),
        Form::Default(_)
        | Form::DefaultTable(..)
        | Form::Example(_)
        | Form::ExampleTable(..)
        | Form::Required(_)
        | Form::RequiredTable(..) => return,
    };
    text.push('\n');
    write_comment(text, "# ", table.doc);
    text.push_str(&header);
    for key in table.keys {
        write_key(text, key);
    }
    for key in table.keys {
        write_section(text, key);
    }
}

fn write_key(text: &mut String, key: &Key) {
    let (inner, mark) = match &key.form {
        Form::Default(_) | Form::Required(_) => (None, ""),
        Form::Example(_) => (None, "# "),
        Form::DefaultTable(table, _) | Form::RequiredTable(table, _) => (Some(table), ""),
        Form::ExampleTable(table, _) => (Some(table), "# "),
        Form::Section(_) | Form::Sections(_) => return,
    };
    text.push('\n');
    write_comment(text, "# ", &format!("{}{}", key.doc, tail(key, false)));
    for inner in inner.map_or(&[][..], |table| table.keys) {
        let doc = format!("{}: {}{}", inner.name, inner.doc, tail(inner, true));
        write_comment(text, "#   ", &doc);
    }
    let line = [mark, key.name, " = ", key.literal(), "\n"];
    text.push_str(&line.concat());
}

/// Returns what there is to say about a key beside what it means; the default of one that has a
/// line of its own stands there.
fn tail(key: &Key, is_inner: bool) -> String {
    match &key.form {
        Form::Required(_) | Form::RequiredTable(..) => " Required.".to_owned(),
        Form::Default(literal) if is_inner => format!(" Default: {literal}."),
        Form::Default(_)
        | Form::DefaultTable(..)
        | Form::Example(_)
        | Form::ExampleTable(..)
        | Form::Section(_)
        | Form::Sections(_) => String::new(),
    }
}

/// Writes text as comment lines, broken between words.
fn write_comment(text: &mut String, mark: &str, comment: &str) {
    let mut line = mark.trim_end().to_owned();
    let indent = &mark[line.len()..];
    let mut gap = indent;
    for word in comment.split_whitespace() {
        if line.len() + gap.len() + word.len() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            mark.trim_end().clone_into(&mut line);
            gap = indent;
        }
        line.push_str(gap);
        line.push_str(word);
        gap = " ";
    }
    text.push_str(&line);
    text.push('\n');
}
