//! Which address is answered by whom.

use axum::Router;
use tokio::sync::watch;

use super::Port;

/// Returns everything that can be asked.
pub(super) fn router(port: Port, stop: watch::Receiver<bool>) -> Router {
    Router::new().with_state((port, stop))
}
