//! What single values mean: text, numbers, durations, sizes, choices.

use std::path::PathBuf;
use std::time::Duration;

use super::file::{Node, Value};
use super::nearest::nearest;
use super::section::Wrong;

/// The longest duration: behind it lies a slip of the keyboard.
const MAX_DURATION: Duration = Duration::from_secs(366 * 24 * 3600);

/// The shortest pause: timers are no finer.
const MIN_PAUSE: Duration = Duration::from_millis(1);

/// The longest path of a Unix socket: `sun_path` has 108 bytes, the last of which is zero.
const MAX_SOCKET_PATH: usize = 107;

/// The longest name of anything.
const MAX_NAME: usize = 255;

/// Reads text that is not empty and has no control characters.
pub(super) fn text(node: &Node) -> Result<String, Wrong> {
    let Value::Text(text) = &node.value else {
        return Err(Wrong::new(
            format!("is {}", node.value.noun()),
            "write text in quotes",
        ));
    };
    if text.trim().is_empty() {
        return Err(Wrong::new("is empty", "write something"));
    }
    if text.chars().any(char::is_control) {
        return Err(Wrong::new(
            "has a control character in it",
            "write it without",
        ));
    }
    Ok(text.clone())
}

/// Reads text that is not empty and may have several lines.
pub(super) fn lines(node: &Node) -> Result<String, Wrong> {
    match &node.value {
        Value::Text(text) if !text.trim().is_empty() => Ok(text.clone()),
        Value::Text(_) => Err(Wrong::new("is empty", "write something")),
        other @ (Value::Array(_)
        | Value::Boolean(_)
        | Value::Integer(_)
        | Value::Other(_)
        | Value::Table(_)) => {
            let problem = format!("is {}", other.noun());
            Err(Wrong::new(problem, "write text in quotes"))
        }
    }
}

/// Reads an argument of a program: any text, even an empty one, that the system can hand over.
pub(super) fn argument(node: &Node) -> Result<String, Wrong> {
    let Value::Text(text) = &node.value else {
        return Err(Wrong::new(
            format!("has {} in it", node.value.noun()),
            "write text in quotes",
        ));
    };
    if text.contains('\0') {
        return Err(Wrong::new("has a NUL in it", "write it without"));
    }
    Ok(text.clone())
}

/// Reads a name of something in the outside world.
pub(super) fn name(node: &Node) -> Result<String, Wrong> {
    let name = text(node)?;
    if name.len() > MAX_NAME {
        let problem = format!("is longer than {MAX_NAME} bytes");
        return Err(Wrong::new(problem, "write a shorter one"));
    }
    if name.trim() != name {
        return Err(Wrong::new(
            "begins or ends with a blank",
            "write it without",
        ));
    }
    Ok(name)
}

/// Reads a name that we give; it becomes a part of identities and of file names.
pub(super) fn own_name(node: &Node) -> Result<String, Wrong> {
    let name = name(node)?;
    let is_fit = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_' | '.');
    let is_good =
        name.starts_with(|it: char| it.is_ascii_alphanumeric()) && name.chars().all(is_fit);
    if is_good {
        Ok(name)
    } else {
        Err(Wrong::new(
            format!("`{name}` is no name"),
            "begin with a letter or digit and use letters, digits, `-`, `_` and `.`",
        ))
    }
}

/// Reads a path; one that is not absolute begins at the directory of the file that was named.
pub(super) fn path(node: &Node) -> Result<PathBuf, Wrong> {
    Ok(node.base.join(text(node)?))
}

/// Reads the path of a Unix socket, which the system allows to be short only.
pub(super) fn socket(node: &Node) -> Result<PathBuf, Wrong> {
    let path = path(node)?;
    if path.as_os_str().len() > MAX_SOCKET_PATH {
        let problem =
            format!("is longer than the {MAX_SOCKET_PATH} bytes a socket's path may have");
        return Err(Wrong::new(problem, "write a shorter one"));
    }
    Ok(path)
}

/// Reads `true` or `false`.
pub(super) fn boolean(node: &Node) -> Result<bool, Wrong> {
    let Value::Boolean(is_so) = &node.value else {
        return Err(Wrong::new(
            format!("is {}", node.value.noun()),
            "write true or false, without quotes",
        ));
    };
    Ok(*is_so)
}

/// Reads a number between two others.
pub(super) fn number(least: u32, most: u32) -> impl Fn(&Node) -> Result<u32, Wrong> {
    move |node| {
        let advice = || format!("write a number from {least} to {most}");
        let Value::Integer(number) = &node.value else {
            return Err(Wrong::new(format!("is {}", node.value.noun()), advice()));
        };
        u32::try_from(*number)
            .ok()
            .filter(|it| (least..=most).contains(it))
            .ok_or_else(|| Wrong::new(format!("is {number}"), advice()))
    }
}

/// Reads a duration, which may be none at all.
pub(super) fn duration(node: &Node) -> Result<Duration, Wrong> {
    let advice = "write a number with its unit, such as \"500ms\", \"30s\" or \"1m 30s\"";
    let Value::Text(text) = &node.value else {
        return Err(Wrong::new(format!("is {}", node.value.noun()), advice));
    };
    let duration = humantime::parse_duration(text)
        .map_err(|error| Wrong::new(format!("`{text}` is no duration: {error}"), advice))?;
    if duration > MAX_DURATION {
        return Err(Wrong::new(
            format!("`{text}` is longer than a year"),
            "write something shorter",
        ));
    }
    Ok(duration)
}

/// Reads a duration that must not be zero, nor so short that the daemon would do nothing else.
pub(super) fn pause(node: &Node) -> Result<Duration, Wrong> {
    let duration = duration(node)?;
    if duration.is_zero() {
        return Err(Wrong::new("is zero", "write something longer"));
    }
    if duration < MIN_PAUSE {
        return Err(Wrong::new(
            format!("is shorter than {MIN_PAUSE:?}"),
            "write something longer",
        ));
    }
    Ok(duration)
}

/// Reads a size in bytes, as a number or with a unit.
pub(super) fn size(least: usize, most: usize) -> impl Fn(&Node) -> Result<usize, Wrong> {
    move |node| {
        let advice = || {
            format!(
                "write from {} to {}, as bytes or like \"256MiB\"",
                Size(least),
                Size(most)
            )
        };
        let bytes = match &node.value {
            Value::Integer(number) => usize::try_from(*number).ok(),
            Value::Text(text) => parse_size(text),
            other @ (Value::Array(_) | Value::Boolean(_) | Value::Other(_) | Value::Table(_)) => {
                return Err(Wrong::new(format!("is {}", other.noun()), advice()));
            }
        };
        bytes
            .filter(|it| (least..=most).contains(it))
            .ok_or_else(|| Wrong::new("is no size that will do", advice()))
    }
}

pub(super) fn parse_size(text: &str) -> Option<usize> {
    let text = text.trim();
    let end = text.find(|it: char| !it.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let factor = match unit.trim() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

/// Shows a size with the largest unit that fits without a rest.
struct Size(usize);

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let units = [
            (1 << 40, "TiB"),
            (1 << 30, "GiB"),
            (1 << 20, "MiB"),
            (1 << 10, "KiB"),
        ];
        let fit = units
            .into_iter()
            .find(|(unit, _)| self.0.is_multiple_of(*unit));
        let (unit, name) = fit.unwrap_or((1, "B"));
        write!(f, "{}{name}", self.0 / unit)
    }
}

/// Reads one of some words.
pub(super) fn choice<T: Clone>(
    choices: &[(&'static str, T)],
) -> impl Fn(&Node) -> Result<T, Wrong> {
    move |node| {
        let words = || choices.iter().map(|(word, _)| *word);
        let advice = || {
            let quoted: Vec<String> = words().map(|it| format!("\"{it}\"")).collect();
            format!("write {}", quoted.join(" or "))
        };
        let Value::Text(text) = &node.value else {
            return Err(Wrong::new(format!("is {}", node.value.noun()), advice()));
        };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| word == text) {
            return Ok(choice.clone());
        }
        let advice = match nearest(text, words()) {
            Some(word) => format!("did you mean \"{word}\"?"),
            None => advice(),
        };
        Err(Wrong::new(format!("`{text}` is unknown"), advice))
    }
}
