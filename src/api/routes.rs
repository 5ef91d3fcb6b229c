//! Which address is answered by whom: one list, from which the description is made as well.

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::office::Office;
use super::refusal::Refusal;
use super::{
    description, events, health, letters, me, metrics, page, settings, show, why, wishes, words,
};

/// What every handler gets.
pub(super) type Shared = State<Arc<Office>>;

/// The domain that an address names.
pub(super) struct Of(pub(super) String);

/// Returns everything that can be asked.
pub(super) fn router(office: Arc<Office>) -> Router {
    let (router, described) = described().split_for_parts();
    let description = description::finished(described);
    router
        .route(
            description::ADDRESS,
            get(async move || description::answer(&description)),
        )
        .merge(page::router())
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .with_state(office)
}

fn described() -> OpenApiRouter<Arc<Office>> {
    OpenApiRouter::with_openapi(description::begun())
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::metrics))
        .routes(routes!(show::status))
        .routes(routes!(me::me))
        .routes(routes!(settings::config))
        .routes(routes!(settings::log, settings::set_log))
        .routes(routes!(show::domains))
        .routes(routes!(show::domain))
        .routes(routes!(show::peers))
        .routes(routes!(show::databases))
        .routes(routes!(show::processes))
        .routes(routes!(show::slots))
        .routes(routes!(show::actions))
        .routes(routes!(show::gates))
        .routes(routes!(show::orders))
        .routes(routes!(why::why))
        .routes(routes!(wishes::request))
        .routes(routes!(wishes::resume))
        .routes(routes!(words::start_te))
        .routes(routes!(words::hold))
        .routes(routes!(words::release))
        .routes(routes!(words::retry))
        .routes(routes!(words::want))
        .routes(routes!(words::forget))
        .routes(routes!(words::cold_start))
        .routes(routes!(words::confirm_dead))
        .routes(routes!(words::announce))
        .routes(routes!(words::scale))
        .routes(routes!(words::thaw))
        .routes(routes!(show::maintenance, words::maintain))
        .routes(routes!(words::end_maintenance))
        .routes(routes!(events::events))
        .routes(routes!(events::stream))
        .routes(routes!(letters::list))
        .routes(routes!(letters::replay))
        .routes(routes!(letters::drop))
}

/// Returns what those are answered who are not let in.
pub(super) fn closed_door() -> Router {
    Router::new().fallback(async || {
        Refusal::new(
            StatusCode::FORBIDDEN,
            "talk to the daemon",
            "its socket is for the user it runs as, and for root",
            "ask as one of them",
        )
    })
}

async fn nowhere(uri: Uri) -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        format!("answer `{}`", uri.path()),
        "there is nothing at this address",
        "docs/api.md has every address",
    )
}

async fn wrong_method(uri: Uri) -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("answer `{}`", uri.path()),
        "this address is not for that method",
        "GET looks, POST changes; docs/api.md has every address",
    )
}

/// Refuses a query that does not read.
pub(super) fn wrong_query(attempted: &str, error: &QueryRejection) -> Refusal {
    Refusal::nonsense(
        attempted,
        error.body_text(),
        "docs/api.md has every parameter",
    )
}

impl<S: Send + Sync> FromRequestParts<S> for Of {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(error) => Err(Refusal::nonsense(
                "find the domain",
                error.body_text(),
                "a domain is named as in the configuration",
            )),
        }
    }
}
