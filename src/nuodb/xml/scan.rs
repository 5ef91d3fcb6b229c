//! The inside of tags: names, attributes, references, and which characters there may be.
//!
//! It sees one tag or one value at a time; how tags lie inside each other is the scanner's
//! business.

use std::borrow::Cow;

use super::{ATTRIBUTE_LIMIT, Problem};

/// An attribute of an element.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attribute<'a> {
    /// The name.
    pub name: &'a str,
    /// The value, unescaped; borrowed from the document unless there was something to unescape.
    pub value: Cow<'a, str>,
}

/// How long a name may be: it is told on when it is not the expected one.
const NAME_LIMIT: usize = 1024;

/// May begin a name, or is part of a character outside ASCII that perhaps may.
const NAME_START: u8 = 1;
/// May continue a name, or is part of a character outside ASCII that perhaps may.
const NAME: u8 = 2;
/// Separates attributes.
const BLANK: u8 = 4;
/// Ends a value or makes it differ from what is written.
const SPECIAL: u8 = 8;

/// What each byte may be.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 256")]
        let class = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b':' | 0x80.. => NAME_START | NAME,
            b'0'..=b'9' | b'-' | b'.' => NAME,
            b'\t' | b'\n' | b'\r' => BLANK | SPECIAL,
            b' ' => BLANK,
            b'"' | b'\'' | b'<' | b'&' => SPECIAL,
            _ => 0,
        };
        classes[byte] = class;
        byte += 1;
    }
    classes
}

const fn is(byte: u8, class: u8) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// Returns whether a text can be written as the value of an attribute as it is.
pub(super) fn is_plain(text: &str) -> bool {
    let is_plain =
        |it: &u8| matches!(*it, b' '..=b'~') && !matches!(*it, b'"' | b'&' | b'<' | b'>');
    text.as_bytes().iter().all(is_plain)
}

/// Returns whether a text is a name without characters beyond ASCII.
pub(super) fn is_ascii_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|it| is(*it, NAME_START))
        && bytes.iter().all(|it| it.is_ascii() && is(*it, NAME))
}

/// Returns whether XML calls the byte white space.
pub(super) const fn is_blank(byte: u8) -> bool {
    is(byte, BLANK)
}

/// Returns whether XML 1.0 allows the character in a document.
pub(super) const fn is_allowed(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}

/// Returns whether a character that is not allowed may be among these bytes of UTF-8.
///
/// It looks at every byte of everything that is received, and therefore at many at a time.
pub(super) fn has_suspicious_bytes(bytes: &[u8]) -> bool {
    /// U+FFFE and U+FFFF begin with it in UTF-8.
    const LEAD: u8 = 0xEF;
    bytes.chunks(64).any(|chunk| {
        let found = chunk.iter().fold(0, |found, byte| {
            let is_control = *byte < b' ' && !matches!(*byte, b'\t' | b'\n' | b'\r');
            found | u8::from(is_control) | u8::from(*byte == LEAD)
        });
        found != 0
    })
}

/// Reads the inside of a start tag: returns the name and fills in the attributes.
///
/// An error comes with the byte of the tag where it lies.
pub(super) fn read_tag<'a>(
    tag: &'a str,
    attributes: &mut Vec<Attribute<'a>>,
) -> Result<&'a str, (usize, Problem)> {
    attributes.clear();
    let bytes = tag.as_bytes();
    let skip = |mut at: usize, class: u8| {
        while at < bytes.len() && is(bytes[at], class) {
            at += 1;
        }
        at
    };
    let mut seen = Seen::default();
    let mut at = skip(0, NAME);
    let name = check_name(tag, 0, at)?;
    loop {
        let start = skip(at, BLANK);
        if start == bytes.len() {
            return Ok(name);
        }
        let end = skip(start, NAME);
        let name = check_name(tag, start, end)?;
        if start == at {
            return Err((start, Problem::MissingBlank));
        }
        if seen.is_double(name, attributes) {
            return Err((start, Problem::DuplicateAttribute));
        }
        if attributes.len() == ATTRIBUTE_LIMIT {
            return Err((start, Problem::TooManyAttributes));
        }
        let equals = skip(end, BLANK);
        if bytes.get(equals) != Some(&b'=') {
            return Err((equals, Problem::Attribute));
        }
        let quote = skip(equals + 1, BLANK);
        let (value, next) = read_value(tag, quote)?;
        attributes.push(Attribute { name, value });
        at = next;
    }
}

/// Returns the value whose opening quote lies at `quote`, and where the closing one ends.
fn read_value(tag: &str, quote: usize) -> Result<(Cow<'_, str>, usize), (usize, Problem)> {
    let bytes = tag.as_bytes();
    let (Some(delimiter @ (b'"' | b'\'')), start) = (bytes.get(quote), quote + 1) else {
        return Err((quote, Problem::Attribute));
    };
    let mut is_literal = true;
    let mut end = start;
    loop {
        while end < bytes.len() && !is(bytes[end], SPECIAL) {
            end += 1;
        }
        match bytes.get(end) {
            Some(byte) if byte == delimiter => break,
            None | Some(b'<') => return Err((end, Problem::Attribute)),
            Some(b'&' | b'\t' | b'\n' | b'\r') => is_literal = false,
            Some(_) => (),
        }
        end += 1;
    }
    let raw = &tag[start..end];
    let value = if is_literal {
        Cow::Borrowed(raw)
    } else {
        Cow::Owned(unescape(raw).map_err(|problem| (start, problem))?)
    };
    Ok((value, end + 1))
}

/// Finds double attributes without comparing each with all others.
#[derive(Default)]
struct Seen {
    /// A bit for each combination of length and last byte that was there.
    marks: u64,
}

impl Seen {
    fn is_double(&mut self, name: &str, others: &[Attribute<'_>]) -> bool {
        let last = name.as_bytes().last().copied().unwrap_or_default();
        let mark = 1 << ((name.len() * 7 + usize::from(last)) % 64);
        let is_new = self.marks & mark == 0;
        self.marks |= mark;
        !is_new && others.iter().any(|it| it.name == name)
    }
}

fn check_name(tag: &str, start: usize, end: usize) -> Result<&str, (usize, Problem)> {
    let name = &tag[start..end];
    match name.as_bytes() {
        bytes if bytes.len() > NAME_LIMIT => Err((start, Problem::BadName)),
        [first, ..] if is(*first, NAME_START) && (name.is_ascii() || is_name(name)) => Ok(name),
        _ => Err((start, Problem::BadName)),
    }
}

/// Returns whether XML 1.0 (fifth edition) calls it a name.
pub(super) fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(is_name_start)
        && characters.all(|it| {
            is_name_start(it)
                || matches!(it, '-' | '.' | '0'..='9' | '\u{B7}')
                || matches!(it, '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
        })
}

const fn is_name_start(character: char) -> bool {
    matches!(character,
        ':' | '_' | 'A'..='Z' | 'a'..='z'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
        | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

/// Resolves the references of a value; its line ends and tabs become blanks, as XML demands.
fn unescape(raw: &str) -> Result<String, Problem> {
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['&', '\t', '\n', '\r']) {
        value.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(reference) = rest.strip_prefix('&') {
            let (name, after) = reference.split_once(';').ok_or(Problem::Entity)?;
            value.push(resolve(name)?);
            rest = after;
        } else {
            value.push(' ');
            rest = rest.strip_prefix("\r\n").unwrap_or(&rest[1..]);
        }
    }
    value.push_str(rest);
    Ok(value)
}

/// Returns the character that is meant by what stands between `&` and `;`.
pub(super) fn resolve(reference: &str) -> Result<char, Problem> {
    let Some(number) = reference.strip_prefix('#') else {
        return match reference {
            "amp" => Ok('&'),
            "apos" => Ok('\''),
            "gt" => Ok('>'),
            "lt" => Ok('<'),
            "quot" => Ok('"'),
            _ => Err(Problem::Entity),
        };
    };
    let (digits, radix) = match number.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    // The conversion would take a sign.
    if !digits.chars().all(|it| it.is_digit(radix)) {
        return Err(Problem::CharacterReference);
    }
    u32::from_str_radix(digits, radix)
        .ok()
        .and_then(char::from_u32)
        .filter(|it| is_allowed(*it))
        .ok_or(Problem::CharacterReference)
}

/// Turns every kind of line end into a line feed, as XML demands.
pub(super) fn normalise_line_ends(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        text
    }
}
