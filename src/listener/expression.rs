//! What must be so of an event for a listener to want it: a `where` expression.
//!
//! The language is CEL, the Common Expression Language. An expression looks at one event; it
//! changes nothing and knows nothing of the time.

mod check;
mod names;

use std::fmt;
use std::sync::{Arc, LazyLock};

use cel::{Context, Env, ExecutionError, Program, Value};
use thiserror::Error;

use self::names::{NAMES, nearest};
use super::record::Record;

/// The longest expression; it is read for every event.
const LENGTH_MAX: usize = 4_096;

/// The functions of the language, which are dear to set up.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

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

impl ExpressionError {
    /// Returns the error of what stands behind so many bytes of the text.
    fn at(source: &str, offset: usize, problem: impl Into<String>) -> Self {
        let before = source.get(..offset).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |it| it + 1);
        let column = before[start..].chars().count() + 1;
        Self {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
            problem: problem.into(),
            nearest: None,
        }
    }

    /// Guesses what was meant by an unknown name.
    fn meant<'a>(mut self, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        self.nearest = nearest(name, known).map(str::to_owned);
        self
    }
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    ///
    /// Fails where the text is no expression, or names what no event has.
    pub fn compile(source: &str) -> Result<Self, ExpressionError> {
        if source.len() > LENGTH_MAX {
            let problem = format!("is longer than {LENGTH_MAX} bytes");
            return Err(ExpressionError::at(source, 0, problem));
        }
        let program = Program::compile(source).map_err(|errors| {
            let first = errors.errors.into_iter().next();
            let (pos, problem) = first.map_or(((1, 1), String::new()), |it| (it.pos, it.msg));
            ExpressionError {
                line: u32::try_from(pos.0.max(1)).unwrap_or(1),
                column: u32::try_from(pos.1.max(1)).unwrap_or(1),
                problem: shortened(&problem),
                nearest: None,
            }
        })?;
        check::check(source, &program)?;
        let compiled = Self(Arc::new(Compiled {
            source: source.to_owned(),
            program,
        }));
        compiled.try_out()?;
        Ok(compiled)
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
        let fields = record.to_fields();
        let value = self.evaluate(|name| fields.get(name));
        let value = value.map_err(|error| error.to_string())?;
        if let Value::Bool(holds) = value {
            Ok(holds)
        } else {
            Err(not_boolean(&value))
        }
    }

    /// Evaluates it with what is known of each name; what is not is blank.
    fn evaluate<'a>(
        &self,
        known: impl Fn(&str) -> Option<&'a serde_json::Value>,
    ) -> Result<Value, ExecutionError> {
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        for (name, blank) in NAMES {
            let value = known(name).and_then(names::value);
            context.add_variable_from_value(*name, value.unwrap_or_else(|| blank.value()));
        }
        self.0.program.execute(&context)
    }

    /// Evaluates it for an event of which nothing is known: what cannot be computed whatever the
    /// event is shows there, unless another part decides before.
    fn try_out(&self) -> Result<(), ExpressionError> {
        let complain = |name: &str, problem: String| {
            let offset = check::offset_of(&self.0.program, name);
            Err(ExpressionError::at(self.as_str(), offset, problem))
        };
        match self.evaluate(|_| None) {
            Ok(Value::Bool(_)) => Ok(()),
            Ok(other) => complain("", not_boolean(&other)),
            Err(ExecutionError::NoSuchOverload(error)) => {
                complain(error.function(), error.to_string())
            }
            Err(ExecutionError::UndeclaredReference(name)) => {
                complain(&name, format!("there is no `{name}`"))
            }
            Err(
                ExecutionError::UnsupportedBinaryOperator(..)
                | ExecutionError::ValuesNotComparable(..),
            ) => complain(
                "",
                "computes with values that do not go together".to_owned(),
            ),
            // It may be fine for an event with more to it.
            Err(_) => Ok(()),
        }
    }
}

/// Returns the first line of a message, without the long list of what might stand there.
fn shortened(problem: &str) -> String {
    let line = problem.lines().next().unwrap_or_default();
    let line = line.split(" expecting {").next().unwrap_or_default();
    let line = line.strip_prefix("Syntax error: ").unwrap_or(line);
    match line.trim() {
        "" => "this is no expression".to_owned(),
        "mismatched input '<EOF>'" => "something is missing at the end".to_owned(),
        line => line.to_owned(),
    }
}

fn not_boolean(value: &Value) -> String {
    format!("says {}, not true or false", value.type_of())
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

#[cfg(test)]
mod tests;
