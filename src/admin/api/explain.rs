//! `GET /api/v1/explain`: what would become of a request, as `tollgate explain` says it, by the configuration
//! in force. The key that is asked with is in no answer: where a text has it, it is masked. It may come in a
//! field, for a query is what browsers remember and proxies log.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use serde::Serialize;

use crate::admin::problem::Problem;
use crate::admin::view::View;
use crate::limit::OnFailure;
use crate::message::escapes::escaped;
use crate::pipeline::explain::{Explanation, Question};
use crate::pipeline::snapshot::Snapshot;

use super::asked::Asked;

/// What stands in the place of the key.
const MASK: &str = "[key]";
/// The field in which the key may come.
const KEY_FIELD: &str = "tollgate-explain-key";

/// What would become of a request.
#[derive(Debug, Serialize)]
pub(super) struct Explained {
    lines: Vec<String>,
    status: u16,
    /// Why it would be refused, if it would.
    code: Option<&'static str>,
    outcome: &'static str,
}

/// What would become of a request.
pub(super) async fn explain(
    State(view): State<Arc<View>>,
    fields: HeaderMap,
    mut asked: Asked,
) -> Result<Json<Explained>, Problem> {
    let key = key(&mut asked, &fields)?;
    let mut take = |name| asked.take(name);
    let (method, url, client) = (take("method"), take("url"), take("client"));
    let from = take("from");
    asked.nothing_else(&["method", "url", "client", "from", "key"])?;
    if client.is_some() && key.is_some() {
        let why = "`client` and `key` both say who asks: give one of the two.";
        return Err(Problem::bad_request(why));
    }
    let mut url = url.ok_or_else(|| {
        Problem::bad_request("`url` is missing: the path of a request, or a whole URL.")
    })?;
    let method = method.unwrap_or_else(|| "GET".to_owned());
    for (name, value) in [("method", &method), ("url", &url)] {
        if value
            .bytes()
            .any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
        {
            let why = format!("`{name}` has a blank or a control character.");
            return Err(Problem::bad_request(why));
        }
    }
    let here = Ok(IpAddr::from(Ipv4Addr::LOCALHOST));
    let from = from.map_or(here, |text| text.parse());
    let from = from.map_err(|_| Problem::bad_request("`from` is no IP address."))?;
    let snapshot = Arc::clone(&view.snapshots.borrow());
    let field = key
        .as_deref()
        .and_then(|key| send(&snapshot, key, &mut url));
    let headers: Vec<_> = field.into_iter().collect();
    let question = Question {
        method: &method,
        url: &url,
        client: client.as_deref(),
        certificate: None,
        headers: &headers,
        from,
    };
    let masked = |text: &str| {
        key.as_deref()
            .map_or_else(|| text.to_owned(), |key| mask(text, key))
    };
    let explanation = question.answer(&snapshot);
    let mut explanation = explanation.map_err(|why| Problem::bad_request(masked(&why)))?;
    if let Some(on_failure) = on_failure(&view) {
        explanation.without_redis(&snapshot, on_failure);
    }
    Ok(Json(Explained {
        lines: explanation.text().lines().map(masked).collect(),
        status: explanation.status(),
        code: explanation.refused.as_ref().map(|refused| refused.code),
        outcome: outcome(&explanation),
    }))
}

/// The key that is asked with, from the field or the query.
fn key(asked: &mut Asked, fields: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut sent = fields.get_all(KEY_FIELD).iter();
    let by_field = sent.next().filter(|value| !value.is_empty());
    let by_query = asked.take("key");
    if sent.next().is_some() || (by_field.is_some() && by_query.is_some()) {
        return Err(Problem::bad_request("The key is given twice."));
    }
    // What is not text has such characters, too.
    let by_field = by_field.map(|value| value.to_str().unwrap_or(" ").to_owned());
    let key = by_field.or(by_query);
    match key {
        Some(key) if !key.bytes().all(|byte| byte.is_ascii_graphic()) => Err(Problem::bad_request(
            "The key has characters that no key has.",
        )),
        key => Ok(key),
    }
}

/// Puts a key where this configuration looks for it: into a field, or else into the query.
fn send(snapshot: &Snapshot, key: &str, url: &mut String) -> Option<String> {
    let names = &snapshot.access.names;
    let field = names.key_sources.field(&names.api_key, key);
    if field.is_none()
        && let Some(parameter) = names.key_sources.parameter()
    {
        let before = if url.contains('?') { '&' } else { '?' };
        // Writing to a string never fails.
        let _ = write!(url, "{before}{parameter}={}", escaped(key));
    }
    field
}

/// A text without the key, as it is and as a query has it.
fn mask(text: &str, key: &str) -> String {
    let text = text.replace(key, MASK);
    match escaped(key) {
        same if same == key => text,
        escaped => text.replace(&escaped, MASK),
    }
}

/// What limits do without Redis that say nothing else, if no worker has it.
fn on_failure(view: &View) -> Option<OnFailure> {
    let redis = view.store.look().redis?;
    let mut workers = 0;
    view.metrics.visit_workers(|_, _| workers += 1);
    let is_away = redis.away_since.is_some() && redis.workers_without >= workers;
    is_away.then_some(redis.on_failure)
}

/// What becomes of it, in a word.
fn outcome(explanation: &Explanation) -> &'static str {
    if explanation.refused.is_some() {
        "refused"
    } else if explanation.answers.is_some() {
        "answered"
    } else {
        "forwarded"
    }
}
