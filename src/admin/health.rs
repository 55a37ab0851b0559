//! Whether the gateway lives, and whether it should get requests: for load balancers and orchestrators.
//! What speaks against that is decided here once, for `/readyz` and for whoever else says how things are.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use http::StatusCode;
use serde::Serialize;

use crate::server::Phase;

use super::access::Operator;
use super::view::{Presence, View};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Its stable name.
    pub code: &'static str,
    /// What is wrong, for a reader.
    pub text: String,
}

/// All that speaks against sending requests here; nothing if the gateway is ready.
#[must_use]
pub fn reasons(view: &View) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut add = |code, text: String| reasons.push(Reason { code, text });
    match *view.phase.borrow() {
        Phase::Starting => add("starting", "The gateway is starting.".to_owned()),
        Phase::Serving => {}
        // What is accepted here from now on is a successor's.
        _ if *view.presence.borrow() == Presence::HandedOver => {}
        Phase::Draining | Phase::Stopping => {
            add("draining", "The gateway is about to end.".to_owned());
        }
    }
    reasons
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Vec<Reason>>,
}

/// The process answers.
pub(super) async fn livez() -> impl IntoResponse {
    Json(serde_json::json!({ "status": "ok" }))
}

/// 200 if the gateway should get requests, else 503 with the reasons.
pub(super) async fn readyz(State(view): State<Arc<View>>) -> impl IntoResponse {
    readiness(&view, true)
}

/// The same on a port with a token: without one the reasons, which have names, are left out.
pub(super) async fn readyz_by_token(
    State(view): State<Arc<View>>,
    operator: Option<Extension<Operator>>,
) -> impl IntoResponse {
    readiness(&view, operator.is_some())
}

fn readiness(view: &View, tells_reasons: bool) -> impl IntoResponse + use<> {
    let reasons = reasons(view);
    let (code, status) = if reasons.is_empty() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not_ready")
    };
    let reasons = tells_reasons.then_some(reasons);
    (code, Json(Readiness { status, reasons }))
}
