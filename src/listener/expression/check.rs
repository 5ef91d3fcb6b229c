//! Looks through an expression for what no event has and the language does not know.
//!
//! It computes nothing of an event.

use std::sync::Arc;

use cel::common::ast::{CallExpr, EntryExpr, Expr, IdedEntryExpr, IdedExpr, LiteralValue};
use cel::{Context, Program, Value};

use super::names::{FUNCTIONS, NAMES, TYPES};
use super::{ENVIRONMENT, ExpressionError};

/// Looks through an expression.
pub(super) fn check(source: &str, program: &Program) -> Result<(), ExpressionError> {
    let mut look = Look {
        source,
        program,
        bound: Vec::new(),
    };
    look.expression(program.expression())
}

/// Returns where a function is first called, or the expression begins if it is not.
pub(super) fn offset_of(program: &Program, function: &str) -> usize {
    let mut found = None;
    each(program.expression(), &mut |it| {
        if let Expr::Call(call) = &it.expr
            && (call.func_name == function || call.func_name.trim_matches(['_', '@']) == function)
        {
            found = found.or_else(|| offset(program, it.id));
        }
    });
    found.unwrap_or(0)
}

fn offset(program: &Program, id: u64) -> Option<usize> {
    let (start, _) = program.source_info().offset_for(id)?;
    usize::try_from(start).ok()
}

/// Calls `see` with an expression and all its parts.
fn each(expression: &IdedExpr, see: &mut dyn FnMut(&IdedExpr)) {
    see(expression);
    for part in parts(&expression.expr) {
        each(part, see);
    }
}

/// Returns what an expression is made of.
fn parts(expression: &Expr) -> Vec<&IdedExpr> {
    match expression {
        Expr::Call(call) => call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .collect(),
        Expr::Comprehension(it) => vec![
            &it.iter_range,
            &it.accu_init,
            &it.loop_cond,
            &it.loop_step,
            &it.result,
        ],
        Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => Vec::new(),
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map.entries.iter().flat_map(entry).collect(),
        Expr::Select(select) => vec![&*select.operand],
        Expr::Struct(it) => it.entries.iter().flat_map(entry).collect(),
    }
}

fn entry(entry: &IdedEntryExpr) -> Vec<&IdedExpr> {
    match &entry.expr {
        EntryExpr::MapEntry(it) => vec![&it.key, &it.value],
        EntryExpr::StructField(it) => vec![&it.value],
    }
}

struct Look<'a> {
    source: &'a str,
    program: &'a Program,
    /// What `all`, `exists` and their like give names to around here.
    bound: Vec<&'a str>,
}

impl<'a> Look<'a> {
    fn error(&self, of: &IdedExpr, problem: String) -> ExpressionError {
        let offset = offset(self.program, of.id).unwrap_or(0);
        ExpressionError::at(self.source, offset, problem)
    }

    fn expression(&mut self, it: &'a IdedExpr) -> Result<(), ExpressionError> {
        let before = self.bound.len();
        match &it.expr {
            Expr::Call(call) => self.call(it, call)?,
            Expr::Comprehension(inner) => {
                self.bound.push(&inner.iter_var);
                self.bound.push(&inner.accu_var);
                self.bound.extend(inner.iter_var2.as_deref());
            }
            Expr::Ident(name) => self.name(it, name)?,
            Expr::Select(select) => {
                if let Expr::Ident(name) = &select.operand.expr
                    && NAMES.iter().any(|(known, _)| known == name)
                {
                    let problem = format!("`{name}` has no parts, such as `{}`", select.field);
                    return Err(self.error(&select.operand, problem));
                }
            }
            Expr::List(_)
            | Expr::Literal(_)
            | Expr::Map(_)
            | Expr::Struct(_)
            | Expr::Unspecified => (),
        }
        for part in parts(&it.expr) {
            self.expression(part)?;
        }
        self.bound.truncate(before);
        Ok(())
    }

    fn name(&self, it: &IdedExpr, name: &str) -> Result<(), ExpressionError> {
        let names = || NAMES.iter().map(|(known, _)| *known);
        let is_known = names().any(|known| known == name)
            || TYPES.contains(&name)
            || name.starts_with('@')
            || self.bound.contains(&name);
        if is_known {
            return Ok(());
        }
        let problem = format!("no event has a `{name}`");
        Err(self.error(it, problem).meant(name, names()))
    }

    fn call(&self, it: &IdedExpr, call: &CallExpr) -> Result<(), ExpressionError> {
        let name = call.func_name.as_str();
        // Operators have no letter in front.
        let is_operator = !name.starts_with(|it: char| it.is_ascii_alphabetic());
        if !is_operator && !FUNCTIONS.contains(&name) {
            // The call stands where its parenthesis does.
            let end = offset(self.program, it.id).unwrap_or(0);
            let before = self.source.get(..end).unwrap_or_default();
            let start = before.strip_suffix(name).map_or(end, str::len);
            let problem = format!("there is no function `{name}`");
            return Err(ExpressionError::at(self.source, start, problem).meant(name, FUNCTIONS));
        }
        if let ("matches", Some(pattern)) = (name, call.args.last())
            && let Expr::Literal(LiteralValue::String(text)) = &pattern.expr
            && !is_pattern(text.inner())
        {
            let problem = format!("`{}` is no regular expression", text.inner());
            return Err(self.error(pattern, problem));
        }
        Ok(())
    }
}

/// Returns whether something could match this, as far as the language's own engine says.
fn is_pattern(text: &str) -> bool {
    let program = Program::compile("''.matches(pattern)").expect("this is an expression");
    let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
    context.add_variable_from_value("pattern", Value::String(Arc::new(text.to_owned())));
    program.execute(&context).is_ok()
}
