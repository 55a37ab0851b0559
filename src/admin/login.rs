//! A browser exchanges the token once for a cookie. The token is in the body, for a URL stands in histories
//! and logs. The page sends JSON; a form without scripts is taken, too.

use std::sync::Arc;
use std::time::Instant;

use axum::Extension;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;

use crate::words::Word;

use super::access::Operator;
use super::body;
use super::caller::Caller;
use super::problem::Problem;
use super::sessions::{COOKIE, LIFETIME};
use super::view::View;

/// The largest body; whoever sends one has shown nothing yet.
const MAX_BODY: usize = 4 << 10;

/// What is sent.
#[derive(Deserialize)]
struct Login {
    token: String,
}

/// Begins a session for the right token.
pub(super) async fn log_in(
    State(view): State<Arc<View>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let fields = request.headers().clone();
    let body = body::read(request, MAX_BODY).await?;
    let media_type = fields.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_json = media_type.is_some_and(|it| it.starts_with(b"application/json"));
    let login: Option<Login> = if is_json {
        serde_json::from_slice(&body).ok()
    } else {
        from_form(&body)
    };
    let Some(login) = login else {
        let detail = "Send `{\"token\": \"...\"}`, or a form with `token`.";
        return Err(Problem::bad_request(detail));
    };
    let operators = Arc::clone(&view.snapshots.borrow());
    let token = login.token.trim().as_bytes();
    let checked =
        view.doorkeeper
            .check(&operators.operators, token, caller.address, Instant::now());
    let operator = Operator {
        proof: checked?,
        address: caller.address,
    };
    let id = view
        .doorkeeper
        .open_session(&view.snapshots, token, caller.address)?;
    tracing::info!(
        by = operator.proof.word(),
        from = operator.from(),
        "logged in to the admin port"
    );
    let cookie = [(
        header::SET_COOKIE,
        set_cookie(&id, LIFETIME.as_secs(), &fields),
    )];
    Ok(if is_json {
        (StatusCode::NO_CONTENT, cookie).into_response()
    } else {
        (cookie, Redirect::to("/")).into_response()
    })
}

/// A form's body is written as a query is.
fn from_form(body: &[u8]) -> Option<Login> {
    let uri = [b"/?", body].concat();
    let uri = http::Uri::try_from(uri).ok()?;
    let query = Query::<Login>::try_from_uri(&uri).ok()?;
    Some(query.0)
}

/// Ends the session.
pub(super) async fn log_out(State(view): State<Arc<View>>, fields: HeaderMap) -> Response {
    view.doorkeeper.close_session(&fields);
    let cookie = set_cookie("", 0, &fields);
    ([(header::SET_COOKIE, cookie)], Redirect::to("/login")).into_response()
}

/// A proxy in front that speaks TLS says so; then the cookie is for TLS alone.
fn set_cookie(id: &str, seconds: u64, fields: &HeaderMap) -> String {
    let through_tls = fields
        .get("x-forwarded-proto")
        .is_some_and(|it| it == "https");
    let secure = if through_tls { "; Secure" } else { "" };
    format!("{COOKIE}={id}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}")
}
