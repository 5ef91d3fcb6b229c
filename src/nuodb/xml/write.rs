//! Writes documents in pure ASCII: every other character becomes a reference, so that it does not
//! matter which encoding the reader believes in.

use super::scan;
use crate::nuodb::message::Element;

/// Appends an element with all that is in it.
pub fn write(element: &Element, out: &mut Vec<u8>) {
    element.write(&mut Writer::new(out));
}

/// Writes a document piece by piece.
///
/// Whatever the values, the result is well-formed: what XML cannot carry becomes U+FFFD in values
/// and text, and `_` in names. Elements must be closed in the order they were opened.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// The last start tag still takes attributes.
    in_tag: bool,
}

impl<'a> Writer<'a> {
    /// Returns a writer that appends to `out`.
    pub const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, in_tag: false }
    }

    /// Begins an element.
    pub fn open(&mut self, name: &str) {
        self.end_tag();
        self.out.push(b'<');
        self.name(name);
        self.in_tag = true;
    }

    /// Adds an attribute to the element that was begun last, before any text or child.
    pub fn attribute(&mut self, name: &str, value: &str) {
        self.out.push(b' ');
        self.name(name);
        self.out.extend_from_slice(b"=\"");
        if scan::is_plain(value) {
            self.out.extend_from_slice(value.as_bytes());
        } else {
            for character in value.chars() {
                match character {
                    '"' => self.out.extend_from_slice(b"&quot;"),
                    '\t' | '\n' => self.reference(character),
                    _ => self.character(character),
                }
            }
        }
        self.out.push(b'"');
    }

    /// Adds text.
    pub fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.end_tag();
        for character in text.chars() {
            self.character(character);
        }
    }

    /// Ends the element of that name.
    pub fn close(&mut self, name: &str) {
        if self.in_tag {
            self.in_tag = false;
            self.out.extend_from_slice(b"/>");
        } else {
            self.out.extend_from_slice(b"</");
            self.name(name);
            self.out.push(b'>');
        }
    }

    fn end_tag(&mut self) {
        if self.in_tag {
            self.in_tag = false;
            self.out.push(b'>');
        }
    }

    fn name(&mut self, name: &str) {
        if scan::is_ascii_name(name) {
            self.out.extend_from_slice(name.as_bytes());
            return;
        }
        self.out.push(b'_');
        let safe = |it: u8| if it.is_ascii_alphanumeric() { it } else { b'_' };
        self.out.extend(name.bytes().map(safe));
    }

    fn character(&mut self, character: char) {
        match character {
            '&' => self.out.extend_from_slice(b"&amp;"),
            '<' => self.out.extend_from_slice(b"&lt;"),
            '>' => self.out.extend_from_slice(b"&gt;"),
            '\t' | '\n' | ' '..='~' => self.out.push(u8::try_from(character).unwrap_or(b'?')),
            _ if scan::is_allowed(character) => self.reference(character),
            _ => self.reference(char::REPLACEMENT_CHARACTER),
        }
    }

    fn reference(&mut self, character: char) {
        let reference = format!("&#{};", u32::from(character));
        self.out.extend_from_slice(reference.as_bytes());
    }
}

impl Element {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.open(&self.name);
        for (name, value) in &self.attributes {
            writer.attribute(name, value);
        }
        writer.text(&self.text);
        for child in &self.children {
            child.write(writer);
        }
        writer.close(&self.name);
    }
}
