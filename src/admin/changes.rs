//! What operators may change while the gateway runs. Whoever asks has been found to be one who may
//! ([`Changer`]). Each change is logged with who asked for it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::Level;

use crate::upstream::EndpointUrl;
use crate::words::Word;

use super::access::Operator;
use super::body;
use super::changer::Changer;
use super::problem::Problem;
use super::reloads::Outcome;
use super::view::{Presence, View};

/// How long a reload may take until its asker is told to look later: files may stand on storage that hangs.
const RELOAD_WITHIN: Duration = Duration::from_mins(1);
/// The largest body.
const MAX_BODY: usize = 64 << 10;

/// Reads the configuration again: 200 with what has changed, or 422 with what is wrong.
pub(super) async fn reload(
    State(view): State<Arc<View>>,
    changer: Changer,
    request: Request,
) -> Result<Response, Problem> {
    says_nothing(request).await?;
    let mut phase = view.phase.clone();
    let draining = || {
        let detail = "The gateway is about to end; it does not read its configuration any more.";
        Problem::new(StatusCode::CONFLICT, "draining", "Draining", detail)
    };
    if phase.borrow().is_ending() {
        return Err(draining());
    }
    log(changer.operator(), "a reload is asked for");
    let outcome = view.reloads.ask_and_hear();
    let in_force = tokio::select! {
        heard = timeout(RELOAD_WITHIN, outcome) => heard,
        () = async { drop(phase.wait_for(|it| it.is_ending()).await) } => return Err(draining()),
    };
    // A successor is told of what has been asked before this process began to end, not of what came after.
    if phase.borrow().is_ending() {
        return Err(draining());
    }
    let Ok(Ok(in_force)) = in_force else {
        let detail = "The reload takes long: its files may not be readable. /api/v1/status says what comes of it.";
        let status = StatusCode::GATEWAY_TIMEOUT;
        return Err(Problem::new(
            status,
            "reload_slow",
            "Reload is slow",
            detail,
        ));
    };
    if in_force.last.outcome == Outcome::Refused {
        let number = in_force.last.findings.len();
        let detail =
            format!("The configuration has problems ({number}); what was served is served on.");
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let problem = Problem::new(status, "reload_refused", "Reload refused", detail);
        return Err(problem.with("findings", json!(in_force.last.findings)));
    }
    let answer = json!({
        "outcome": in_force.last.outcome,
        "generation": in_force.generation,
        "loaded": format!("{:.3}", in_force.loaded),
        "changes": in_force.changes,
        "findings": in_force.last.findings,
    });
    Ok(Json(answer).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogLevel {
    level: String,
}

/// Sets the level of the operator's log until the gateway ends.
pub(super) async fn log_level(
    State(view): State<Arc<View>>,
    changer: Changer,
    request: Request,
) -> Result<Response, Problem> {
    let operator = changer.operator();
    let asked: LogLevel = read(request).await?;
    let known = Level::ALL.iter().find(|(word, _)| *word == asked.level);
    let Some((word, level)) = known.copied() else {
        let words: Vec<_> = Level::ALL.iter().map(|(word, _)| *word).collect();
        let detail = format!("`level` is one of {}.", words.join(", "));
        return Err(Problem::bad_request(detail));
    };
    let _here = serves_here(&view)?;
    let before = view.log_level.set(level, |before| {
        tracing::info!(
            parent: None,
            before = before.word(),
            after = word,
            by = operator.proof.word(),
            from = operator.from(),
            "the level of this log has been set"
        );
    });
    Ok(Json(json!({ "level": word, "before": before.word() })).into_response())
}

/// Lets an endpoint finish what it has and take nothing new.
pub(super) async fn drain(
    view: State<Arc<View>>,
    changer: Changer,
    at: Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    says_nothing(request).await?;
    set_drained(&view, changer.operator(), &at, true)
}

/// Lets an endpoint take requests again.
pub(super) async fn enable(
    view: State<Arc<View>>,
    changer: Changer,
    at: Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    says_nothing(request).await?;
    set_drained(&view, changer.operator(), &at, false)
}

fn set_drained(
    view: &View,
    operator: Operator,
    (name, url): &(String, String),
    drained: bool,
) -> Result<Response, Problem> {
    let snapshot = Arc::clone(&view.snapshots.borrow());
    let upstream = snapshot.upstreams.iter().find(|it| *it.name == **name);
    let Some(upstream) = upstream else {
        return Err(Problem::not_found(format!(
            "There is no upstream `{name}`."
        )));
    };
    let wanted = EndpointUrl::parse(url).map(|it| it.to_string());
    let endpoint = upstream.endpoints.iter().find(|it| {
        let own = it.url.to_string();
        wanted.as_ref().is_ok_and(|wanted| *wanted == own)
    });
    let Some(endpoint) = endpoint else {
        let known: Vec<_> = upstream
            .endpoints
            .iter()
            .map(|it| format!("`{}`", it.url))
            .collect();
        return Err(Problem::not_found(format!(
            "`{name}` has no endpoint `{url}`, but {}.",
            known.join(", ")
        )));
    };
    let _here = serves_here(view)?;
    let changed = endpoint.set_drained(drained);
    let url = endpoint.url.to_string();
    if changed {
        let (event, state) = if drained {
            ("endpoint_drained", "drained")
        } else {
            ("endpoint_enabled", "enabled")
        };
        tracing::info!(
            event,
            upstream = %upstream.name,
            endpoint = url,
            by = operator.proof.word(),
            from = operator.from(),
            "endpoint {state}"
        );
    }
    let answer =
        json!({ "upstream": *upstream.name, "url": url, "drained": drained, "changed": changed });
    Ok(Json(answer).into_response())
}

/// What is changed in a process that has handed over would be lost, and nobody would know. While what this
/// returns is held, the gateway does not begin to hand over what can be changed.
fn serves_here(view: &View) -> Result<watch::Ref<'_, Presence>, Problem> {
    let presence = view.presence.borrow();
    if *presence == Presence::Here {
        return Ok(presence);
    }
    let detail = "This process hands over, or ends; ask again, and its successor answers.";
    let status = StatusCode::CONFLICT;
    Err(Problem::new(status, "draining", "Draining", detail))
}

fn log(operator: Operator, what: &str) {
    tracing::info!(by = operator.proof.word(), from = operator.from(), "{what}");
}

/// Reads a body where the path says all there is to say.
async fn says_nothing(request: Request) -> Result<(), Problem> {
    let body = body::read(request, MAX_BODY).await?;
    let is_empty = body.trim_ascii().is_empty();
    let members = || serde_json::from_slice::<serde_json::Map<_, Value>>(&body);
    if is_empty || members().is_ok_and(|members| members.is_empty()) {
        return Ok(());
    }
    let detail = "This takes nothing in its body: send none, or `{}`.";
    Err(Problem::bad_request(detail))
}

/// Reads a body of JSON.
async fn read<T: for<'de> Deserialize<'de>>(request: Request) -> Result<T, Problem> {
    let body = body::read(request, MAX_BODY).await?;
    serde_json::from_slice(&body)
        .map_err(|error| Problem::bad_request(format!("The body: {error}.")))
}
