//! Documents as trees of elements: for everything that is not received all day long.

use super::{DEPTH_LIMIT, NODE_LIMIT, Problem, Scanner, Token, XmlError, decode};
use crate::nuodb::message::Element;

/// Reads the document in a frame.
pub fn parse(bytes: &[u8]) -> Result<Element, XmlError> {
    read(&decode(bytes)?)
}

/// Reads a document that [`decode`] returned.
pub fn read(text: &str) -> Result<Element, XmlError> {
    let mut scanner = Scanner::new(text);
    let mut open: Vec<Element> = Vec::with_capacity(DEPTH_LIMIT);
    let mut root = None;
    let mut nodes = 0;
    loop {
        match scanner.next_token()? {
            Token::Open(name) => {
                let attributes = scanner.attributes();
                nodes += 1 + attributes.len();
                let mut element = Element::new(name);
                element.attributes = attributes
                    .iter()
                    .map(|it| (it.name.to_owned(), it.value.as_ref().to_owned()))
                    .collect();
                open.push(element);
            }
            Token::Close => {
                if let Some(element) = open.pop() {
                    match open.last_mut() {
                        Some(parent) => parent.children.push(element),
                        None => root = Some(element),
                    }
                }
            }
            Token::Text(text) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&text);
                }
            }
            Token::End => return root.ok_or_else(|| scanner.error(Problem::MissingRoot)),
        }
        if nodes > NODE_LIMIT {
            return Err(scanner.error(Problem::TooManyNodes));
        }
    }
}
