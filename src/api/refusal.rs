//! How the port says no: what was attempted, why it failed, what to do.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// An answer that is none.
#[derive(Debug, Serialize)]
pub(super) struct Refusal {
    #[serde(skip)]
    status: StatusCode,
    /// What was attempted, as the end of "cannot ...".
    attempted: String,
    /// Why it failed.
    problem: String,
    /// What to do, if there is something.
    #[serde(skip_serializing_if = "str::is_empty")]
    advice: String,
}

impl Refusal {
    /// Returns a refusal; an empty advice is left out.
    pub(super) fn new(
        status: StatusCode,
        attempted: impl Into<String>,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            status,
            attempted: attempted.into(),
            problem: problem.into(),
            advice: advice.into(),
        }
    }

    /// Returns that the question itself is wrong.
    pub(super) fn nonsense(
        attempted: impl Into<String>,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self::new(StatusCode::BAD_REQUEST, attempted, problem, advice)
    }

    /// Returns that there is no such domain.
    pub(super) fn no_domain<'a>(
        attempted: impl Into<String>,
        name: &str,
        known: impl Iterator<Item = &'a str>,
    ) -> Self {
        let known: Vec<&str> = known.collect();
        let advice = if known.is_empty() {
            "the configuration has no domain".to_owned()
        } else {
            format!("there is {}", known.join(", "))
        };
        let problem = format!("no domain is called `{name}`");
        Self::new(StatusCode::NOT_FOUND, attempted, problem, advice)
    }

    /// Returns that the event loop of a domain does not answer.
    pub(super) fn no_answer(attempted: impl Into<String>, domain: &str) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            attempted,
            format!("the event loop of the domain `{domain}` does not answer"),
            "whether it will be done is not known: look at the status and at the events",
        )
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}
