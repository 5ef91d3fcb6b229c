//! Reads what the daemon answers, where what is missing is as good as empty.

use serde_json::Value;

pub(super) fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Returns a time to the second.
pub(super) fn time(value: &Value) -> String {
    let seconds = text(value).get(..19);
    seconds.map_or_else(|| "-".to_owned(), |it| format!("{it}Z"))
}
