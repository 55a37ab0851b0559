//! What is where on the admin port. One line a path; what holds for all of them is put around them here.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::{get, post, put};
use http::{StatusCode, header};

use super::api;
use super::exposition::metrics;
use super::health::{livez, readyz, readyz_by_token};
use super::page;
use super::problem::Problem;
use super::socket::Port;
use super::tail::tail;
use super::view::View;
use super::{answer, changes, guard, login};
use crate::message::escapes::escaped;
use crate::upstream::EndpointUrl;

/// The paths of a port.
pub(super) fn router(port: Port, view: Arc<View>) -> Router {
    let paths = match port {
        Port::Admin => for_programs()
            .route("/readyz", get(readyz_by_token))
            .merge(for_operators())
            .merge(api::reading())
            .merge(page::dashboard())
            .merge(page::open()),
        Port::Metrics => for_programs().route("/readyz", get(readyz)),
    };
    let paths = paths
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method);
    // The last one is the first that a request meets.
    let guarded = match port {
        Port::Admin => paths.layer(from_fn_with_state(Arc::clone(&view), guard::admin)),
        Port::Metrics => paths.layer(from_fn(guard::metrics)),
    };
    guarded.layer(from_fn(answer::complete)).with_state(view)
}

/// What load balancers and collectors of metrics ask for.
fn for_programs() -> Router<Arc<View>> {
    Router::new()
        .route("/livez", get(livez))
        .route("/metrics", get(metrics))
}

/// What people and their tools ask for.
fn for_operators() -> Router<Arc<View>> {
    Router::new()
        .route("/login", post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/api/v1/tail", get(tail))
        .route("/api/v1/openapi.json", get(description))
        .merge(changing())
}

/// What all of this is, for programs.
async fn description() -> impl IntoResponse {
    let content_type = [(header::CONTENT_TYPE, "application/json")];
    (content_type, include_str!("openapi.json"))
}

/// What changes the gateway.
fn changing() -> Router<Arc<View>> {
    Router::new()
        .route("/api/v1/reload", post(changes::reload))
        .route("/api/v1/log-level", put(changes::log_level))
        .route(
            "/api/v1/upstreams/{name}/endpoints/{url}/drain",
            post(changes::drain),
        )
        .route(
            "/api/v1/upstreams/{name}/endpoints/{url}/enable",
            post(changes::enable),
        )
}

async fn no_such_path(request: Request) -> Problem {
    let path = request.uri().path();
    Problem::not_found(match encoded_endpoint(path) {
        Some(url) => {
            format!("There is no {path} here: write the endpoint's URL as one segment, {url}.")
        }
        None => format!("There is no {path} here."),
    })
}

/// The URL of an endpoint as it belongs into a path, where it stands there as it is.
fn encoded_endpoint(path: &str) -> Option<String> {
    let (_, rest) = path
        .strip_prefix("/api/v1/upstreams/")?
        .split_once("/endpoints/")?;
    let (url, _) = rest.rsplit_once('/')?;
    EndpointUrl::parse(url).ok()?;
    Some(escaped(url))
}

async fn no_such_method(request: Request) -> Problem {
    let (method, path) = (request.method(), request.uri().path());
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "Method not allowed",
        format!("{method} is not for {path}; `Allow` says what is."),
    )
}
