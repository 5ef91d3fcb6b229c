//! How the port says no: a problem document that says what was attempted, why it failed, and what
//! to do.

use axum::Json;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// In which form every refusal comes, by RFC 9457.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// An answer that is none.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    attempted: String,
    problem: String,
    advice: String,
}

/// Why nothing was done: a problem document (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemRecord {
    /// The status code of the answer.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// The status in words.
    title: &'static str,
    /// All of it as one sentence.
    detail: String,
    /// What was attempted, as the end of "cannot ...".
    attempted: String,
    /// Why it failed.
    problem: String,
    /// What to do, if there is something.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
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

impl From<Refusal> for ProblemRecord {
    fn from(it: Refusal) -> Self {
        let mut detail = format!("cannot {}: {}", it.attempted, it.problem);
        if !it.advice.is_empty() {
            detail = format!("{detail}; {}", it.advice);
        }
        Self {
            status: it.status.as_u16(),
            title: it.status.canonical_reason().unwrap_or("Refused"),
            detail,
            attempted: it.attempted,
            problem: it.problem,
            advice: it.advice,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status;
        let mut response = (status, Json(ProblemRecord::from(self))).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
