//! What programs read, and the page: `/api/v1`. Each file is one path or two; all of them read what the gateway
//! shares, and none changes anything.

mod asked;
mod clients;
mod config;
mod events;
mod explain;
mod history;
mod limits;
mod requests;
mod routes;
mod status;
mod stream;
mod upstreams;
mod with_code;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use super::view::View;

pub(super) use stream::frame;

/// The paths that read.
pub(super) fn reading() -> Router<Arc<View>> {
    Router::new()
        .route("/api/v1/status", get(status::status))
        .route("/api/v1/routes", get(routes::routes))
        .route("/api/v1/clients", get(clients::clients))
        .route("/api/v1/limits", get(limits::limits))
        .route("/api/v1/upstreams", get(upstreams::upstreams))
        .route("/api/v1/config", get(config::config))
        .route("/api/v1/requests", get(requests::requests))
        .route("/api/v1/events", get(events::events))
        .route("/api/v1/explain", get(explain::explain))
        .route("/api/v1/history", get(history::history))
        .route("/api/v1/stream", get(stream::stream))
}
