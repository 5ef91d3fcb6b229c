//! An error as one sentence, with all its causes.

use std::error::Error;

/// Joins an error and its sources with `: `, from what was attempted down to why it failed.
///
/// Our own errors never repeat their source; one from elsewhere that does is not told twice.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !cause.is_empty() && !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}
