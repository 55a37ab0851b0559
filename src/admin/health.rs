//! Whether the gateway lives, and whether it should get requests: for load balancers and orchestrators.
//! What speaks against that is decided here once, for `/readyz` and for whoever else says how things are.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::{Extension, Json};
use http::StatusCode;
use serde::Serialize;

use crate::limit::{LimitStore, Mode, OnFailure};
use crate::pipeline::snapshot::{ReadyNeed, Snapshot};
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
pub fn reasons(view: &View) -> Vec<Reason> {
    let snapshot = Arc::clone(&view.snapshots.borrow());
    let mut reasons: Vec<_> = of_phase(view).into_iter().collect();
    for need in &snapshot.operators.ready_needs {
        match need {
            ReadyNeed::Certificates => reasons.extend(certificates(&snapshot)),
            ReadyNeed::Limiter => reasons.extend(limiter(&snapshot, &view.store)),
            ReadyNeed::Upstreams => reasons.extend(upstreams(&snapshot)),
        }
    }
    reasons
}

fn of_phase(view: &View) -> Option<Reason> {
    let (code, text) = match *view.phase.borrow() {
        Phase::Starting => ("starting", "The gateway is starting."),
        Phase::Serving => return None,
        // What is accepted here from now on is a successor's.
        _ if *view.presence.borrow() == Presence::HandedOver => return None,
        Phase::Leaving | Phase::Draining | Phase::Stopping => {
            ("draining", "The gateway is about to end.")
        }
    };
    let text = text.to_owned();
    Some(Reason { code, text })
}

/// Names for which a certificate has been ordered and is not there yet.
fn certificates(snapshot: &Snapshot) -> impl Iterator<Item = Reason> {
    let domains = snapshot.acme.iter().flat_map(|acme| &acme.domains);
    let has_one = |name: &str| {
        let tls = snapshot.tls.as_ref();
        tls.is_some_and(|tls| !tls.certificates_for(name).is_empty())
    };
    let missing = domains.filter(move |name| !has_one(name));
    missing.map(|name| Reason {
        code: "no_certificate",
        text: format!("There is no certificate for `{name}` yet."),
    })
}

/// Redis is away, and that means that requests are refused.
fn limiter(snapshot: &Snapshot, store: &LimitStore) -> Option<Reason> {
    let redis = store.look().redis?;
    redis.away_since?;
    let mut policies = snapshot.limits.all.iter();
    let is_closed = policies.any(|policy| {
        let on_failure = policy.on_failure.unwrap_or(redis.on_failure);
        on_failure == OnFailure::Closed && policy.mode == Mode::Enforce
    });
    is_closed.then(|| Reason {
        code: "limiter_closed",
        text:
            "Redis does not answer, and requests are refused meanwhile (`on_failure = \"closed\"`)."
                .to_owned(),
    })
}

fn upstreams(snapshot: &Snapshot) -> impl Iterator<Item = Reason> {
    let now = Instant::now();
    let unusable = snapshot
        .used_upstreams()
        .filter(move |it| !it.is_usable(now));
    unusable.map(|upstream| Reason {
        code: "no_usable_endpoint",
        text: format!("No endpoint of `{}` can be used.", upstream.name),
    })
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

fn readiness(view: &View, with_reasons: bool) -> impl IntoResponse + use<> {
    let reasons = reasons(view);
    let (code, status) = if reasons.is_empty() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not_ready")
    };
    let reasons = with_reasons.then_some(reasons);
    (code, Json(Readiness { status, reasons }))
}
