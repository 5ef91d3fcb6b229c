//! XML documents: from bytes to tokens, to elements, and back to bytes.
//!
//! The only file that names quick-xml, and it asks that library for one thing: where a piece of
//! markup begins and ends. Everything inside tags is read here, because most of what makes a
//! document ill-formed happens there and passes the library. There are no DTDs, no entities of
//! one's own and no namespaces here. What a document means is decided elsewhere.

mod scan;
mod tree;
mod write;

use std::borrow::Cow;
use std::str;

use quick_xml::Reader;
use quick_xml::events::Event;
use thiserror::Error;

pub use scan::Attribute;
pub use tree::{parse, read};
pub use write::{Writer, write};

/// How deep elements may lie inside each other.
pub const DEPTH_LIMIT: usize = 32;

/// How many attributes an element may have: far more than any message has, and few enough to
/// look for doubles among them.
pub const ATTRIBUTE_LIMIT: usize = 4096;

/// How many elements and attributes a document may have when it is read into a tree: each takes
/// some hundred bytes, while five in the document suffice.
pub const NODE_LIMIT: usize = 1_000_000;

/// Why a document cannot be read, and where.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{problem} at byte {offset}")]
pub struct XmlError {
    /// The byte of the trimmed document near which the reader gave up.
    pub offset: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a document.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum Problem {
    /// `name` without `="value"`, a value without quotes, or one with `<` in it.
    #[error("malformed attribute")]
    Attribute,
    /// The name of an element, attribute or processing instruction that is no name.
    #[error("malformed name")]
    BadName,
    /// A reference to a character that XML does not allow, or to something that is no character.
    #[error("invalid character reference")]
    CharacterReference,
    /// A DTD.
    #[error("document type declaration")]
    DocType,
    /// Two attributes of one element with the same name.
    #[error("duplicate attribute")]
    DuplicateAttribute,
    /// An entity that is not one of the five predefined ones.
    #[error("unknown entity")]
    Entity,
    /// A character that XML does not allow.
    #[error("forbidden character")]
    ForbiddenCharacter,
    /// What quick-xml itself refused.
    #[error("malformed markup ({0})")]
    Markup(String),
    /// Two attributes with nothing between them.
    #[error("missing blank before an attribute")]
    MissingBlank,
    /// An XML declaration somewhere else than at the very beginning.
    #[error("misplaced XML declaration")]
    MisplacedDeclaration,
    /// No element at all.
    #[error("missing root element")]
    MissingRoot,
    /// A second element beside the root.
    #[error("second root element")]
    SecondRoot,
    /// Text beside the root.
    #[error("text outside the root element")]
    TextOutsideRoot,
    /// More than [`DEPTH_LIMIT`] elements inside each other.
    #[error("more than {DEPTH_LIMIT} nested elements")]
    TooDeep,
    /// More than [`ATTRIBUTE_LIMIT`] attributes in one element.
    #[error("more than {ATTRIBUTE_LIMIT} attributes")]
    TooManyAttributes,
    /// More than [`NODE_LIMIT`] elements and attributes.
    #[error("more than {NODE_LIMIT} elements and attributes")]
    TooManyNodes,
    /// The end of the document inside an element.
    #[error("unclosed element")]
    Unclosed,
}

/// Returns the text of a document: UTF-8, or latin-1 if it is not UTF-8, without byte-order mark,
/// NULs and blanks at either end.
///
/// # Errors
///
/// Fails if there is a character in it that XML does not allow.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, XmlError> {
    let bytes = trim(bytes);
    let suspicious = scan::has_suspicious_bytes(bytes);
    let text = match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
    };
    if suspicious && let Some((offset, _)) = text.char_indices().find(|it| !scan::is_allowed(it.1))
    {
        return Err(XmlError {
            offset,
            problem: Problem::ForbiddenCharacter,
        });
    }
    Ok(text)
}

/// Takes away what peers put around documents and parsers stumble over.
fn trim(mut bytes: &[u8]) -> &[u8] {
    const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
    let is_padding = |it: &u8| scan::is_blank(*it) || *it == 0;
    loop {
        if let [first, rest @ ..] = bytes
            && is_padding(first)
        {
            bytes = rest;
        } else if let Some(rest) = bytes.strip_prefix(BYTE_ORDER_MARK) {
            bytes = rest;
        } else {
            break;
        }
    }
    while let [rest @ .., last] = bytes
        && is_padding(last)
    {
        bytes = rest;
    }
    bytes
}

/// A piece of a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Token<'a> {
    /// An element ends.
    Close,
    /// The document ends, and was well-formed.
    End,
    /// An element of that name begins; [`Scanner::attributes`] has its attributes.
    Open(&'a str),
    /// Some of the text inside an element, unescaped.
    Text(Cow<'a, str>),
}

/// Reads a document piece by piece and refuses whatever is not well-formed.
///
/// It allocates nothing per element and nothing per attribute, except for values that contain
/// references.
#[derive(Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    attributes: Vec<Attribute<'a>>,
    depth: usize,
    place: Place,
    /// The last element was `<a/>`: it is to be closed next.
    is_empty: bool,
}

/// Where in the document the scanner is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Beginning,
    BeforeRoot,
    InRoot,
    AfterRoot,
}

impl<'a> Scanner<'a> {
    /// Begins to read a document that [`decode`] returned.
    pub fn new(text: &'a str) -> Self {
        // The reader would skip the mark without counting it.
        let text = text.trim_start_matches('\u{FEFF}');
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_comments = true;
        Self {
            text,
            reader,
            // As many as the messages of the protocol have.
            attributes: Vec::with_capacity(12),
            depth: 0,
            place: Place::Beginning,
            is_empty: false,
        }
    }

    /// Returns the attributes of the element that began last, in order.
    pub fn attributes(&mut self) -> &mut [Attribute<'a>] {
        &mut self.attributes
    }

    /// Returns how many elements are open.
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// Returns the next piece. After [`Token::End`] or an error there is nothing more to be had.
    pub fn next_token(&mut self) -> Result<Token<'a>, XmlError> {
        if self.is_empty {
            self.is_empty = false;
            return Ok(self.close());
        }
        loop {
            let event = match self.reader.read_event() {
                Ok(event) => event,
                Err(error) => return Err(self.error(Problem::Markup(error.to_string()))),
            };
            let at_beginning = self.place == Place::Beginning;
            if at_beginning {
                self.place = Place::BeforeRoot;
            }
            match event {
                Event::Start(tag) => return self.open(tag.len(), ">".len()),
                Event::Empty(tag) => {
                    self.is_empty = true;
                    return self.open(tag.len(), "/>".len());
                }
                Event::End(_) => return Ok(self.close()),
                Event::Text(text) => {
                    let text = text.into_inner();
                    if self.place == Place::InRoot {
                        return self.text(text);
                    }
                    if !text.bytes().all(scan::is_blank) {
                        return Err(self.error(Problem::TextOutsideRoot));
                    }
                }
                Event::CData(text) => {
                    self.expect_root()?;
                    return Ok(Token::Text(scan::normalise_line_ends(text.into_inner())));
                }
                Event::GeneralRef(reference) => {
                    self.expect_root()?;
                    let character =
                        scan::resolve(&reference).map_err(|problem| self.error(problem))?;
                    return Ok(Token::Text(Cow::Owned(character.to_string())));
                }
                Event::Decl(_) if at_beginning => (),
                Event::Decl(_) => return Err(self.error(Problem::MisplacedDeclaration)),
                Event::PI(instruction) if !scan::is_name(instruction.target()) => {
                    return Err(self.error(Problem::BadName));
                }
                Event::Comment(_) | Event::PI(_) => (),
                Event::DocType(_) => return Err(self.error(Problem::DocType)),
                Event::Eof => return self.end(),
            }
        }
    }

    /// Reads the tag that ended `tail` bytes ago and whose inside is `length` bytes long.
    fn open(&mut self, length: usize, tail: usize) -> Result<Token<'a>, XmlError> {
        match self.place {
            Place::Beginning | Place::BeforeRoot => self.place = Place::InRoot,
            Place::InRoot => (),
            Place::AfterRoot => return Err(self.error(Problem::SecondRoot)),
        }
        if self.depth == DEPTH_LIMIT {
            return Err(self.error(Problem::TooDeep));
        }
        self.depth += 1;
        let end = self.position() - tail;
        let start = end - length;
        let name = scan::read_tag(&self.text[start..end], &mut self.attributes).map_err(
            |(at, problem)| XmlError {
                offset: start + at,
                problem,
            },
        )?;
        Ok(Token::Open(name))
    }

    fn close(&mut self) -> Token<'a> {
        // Not less than none: the reader refuses an end tag without its start tag.
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 0 {
            self.place = Place::AfterRoot;
        }
        Token::Close
    }

    fn text(&self, text: Cow<'a, str>) -> Result<Token<'a>, XmlError> {
        if text.contains("]]>") {
            return Err(self.error(Problem::Markup("`]]>` in text".to_owned())));
        }
        Ok(Token::Text(scan::normalise_line_ends(text)))
    }

    fn end(&self) -> Result<Token<'a>, XmlError> {
        match self.place {
            Place::AfterRoot => Ok(Token::End),
            Place::Beginning | Place::BeforeRoot => Err(self.error(Problem::MissingRoot)),
            Place::InRoot => Err(self.error(Problem::Unclosed)),
        }
    }

    fn expect_root(&self) -> Result<(), XmlError> {
        if self.place == Place::InRoot {
            Ok(())
        } else {
            Err(self.error(Problem::TextOutsideRoot))
        }
    }

    fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).expect("the document lies in memory")
    }

    fn error(&self, problem: Problem) -> XmlError {
        XmlError {
            offset: self.position(),
            problem,
        }
    }
}

#[cfg(test)]
mod tests;
