//! Who asks, as far as the daemon knows: for clients that offer only what their user may do.
//!
//! It lets nobody in; the guard and the socket do.

use axum::Json;
use axum::extract::Request;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Role;
use super::asker::Asker;

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Me)]
pub(super) struct MeRecord {
    /// What they are called
    name: String,
    /// `operator`, `viewer` or `listener`
    role: &'static str,
}

/// Who asks, and what they may do
#[utoipa::path(
    get,
    path = "/api/v1/me",
    tag = "look",
    responses((status = 200, description = "As the daemon sees them", body = MeRecord))
)]
pub(super) async fn me(asker: Asker, request: Request) -> Json<MeRecord> {
    // Who came by the socket may do everything there is.
    let role = request.extensions().get().copied();
    let role = role.unwrap_or(Role::Operator).as_str();
    Json(match asker {
        Asker::Listener(name) => MeRecord {
            name,
            role: "listener",
        },
        Asker::Operator(user) => MeRecord {
            name: user.map_or_else(String::new, |it| it.name()),
            role,
        },
    })
}
