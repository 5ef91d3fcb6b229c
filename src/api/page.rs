//! The live page: files that are part of the binary, and the headers that keep a browser to them.
//!
//! What the page shows it asks for at the other addresses, as any client does; nothing is filled in
//! here, so that the files tell nothing about the daemon.

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use sha2::{Digest as _, Sha256};

use super::refusal::Refusal;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The one that is served at `/`.
const INDEX: &str = "index.html";

/// A browser loads, runs and asks nothing but what this daemon serves, and no text becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What every file comes with. It is asked again whether a file is still the same: a daemon that
/// was replaced has others under the same names, and they have to fit each other.
const HEADERS: [(HeaderName, &str); 7] = [
    (CACHE_CONTROL, "no-cache"),
    (CONTENT_SECURITY_POLICY, POLICY),
    (OPENER, "same-origin"),
    (REFERRER_POLICY, "no-referrer"),
    (RESOURCE, "same-origin"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];

/// One file.
struct File {
    name: &'static str,
    form: &'static str,
    bytes: &'static [u8],
}

/// Names the files and what they are.
macro_rules! files {
    ($($name:literal $form:ident;)*) => {
        &[$(File {
            name: $name,
            form: $form,
            bytes: include_bytes!(concat!("page/", $name)),
        }),*]
    };
}

const FILES: &[File] = files! {
    "index.html" HTML;
    "page.css" CSS;
    "picture.css" CSS;
    "icon.svg" SVG;
    "ask.js" SCRIPT;
    "dom.js" SCRIPT;
    "link.js" SCRIPT;
    "main.js" SCRIPT;
    "model.js" SCRIPT;
    "net.js" SCRIPT;
    "picture.js" SCRIPT;
    "problems.js" SCRIPT;
    "time.js" SCRIPT;
    "timeline.js" SCRIPT;
    "verdict.js" SCRIPT;
    "why.js" SCRIPT;
};

/// Returns where the files are.
pub(super) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let index = async |headers: HeaderMap| answer(INDEX, &headers);
    let file = async |Path(name): Path<String>, headers: HeaderMap| answer(&name, &headers);
    Router::new()
        .route("/", get(index))
        .route("/page/{name}", get(file))
}

fn answer(name: &str, asked: &HeaderMap) -> Response {
    let Some(file) = FILES.iter().find(|it| it.name == name) else {
        return Refusal::new(
            StatusCode::NOT_FOUND,
            "show a file of the page",
            "there is none of that name",
            "open `/`",
        )
        .into_response();
    };
    let tag = file.tag();
    let known = asked.get_all(IF_NONE_MATCH).iter();
    let is_known = known.filter_map(|it| it.to_str().ok()).any(|it| {
        let tags = it.split(',').map(|it| it.trim().trim_start_matches("W/"));
        tags.into_iter().any(|it| it == tag || it == "*")
    });
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, file.form)], file.bytes).into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let tag = HeaderValue::from_str(&tag).expect("digits in quotes are a header");
    headers.insert(ETAG, tag);
    response
}

impl File {
    /// Names this content of the file.
    fn tag(&self) -> String {
        let digest = Sha256::digest(self.bytes);
        let (first, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
        format!("\"{:032x}\"", u128::from_be_bytes(*first))
    }
}
