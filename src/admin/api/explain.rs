//! `GET /api/v1/explain`: what would become of a request, as `tollgate explain` says it, by the configuration
//! in force. The key that is asked with is in no answer: where a text has it, it is masked.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::admin::problem::Problem;
use crate::admin::view::View;
use crate::pipeline::explain::{Explanation, Question};

use super::asked::Asked;

/// What stands in the place of the key.
const MASK: &str = "[key]";

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
    mut asked: Asked,
) -> Result<Json<Explained>, Problem> {
    let mut take = |name| asked.take(name);
    let (method, url, client) = (take("method"), take("url"), take("client"));
    let (from, key) = (take("from"), take("key"));
    asked.nothing_else(&["method", "url", "client", "from", "key"])?;
    if client.is_some() && key.is_some() {
        let why = "`client` and `key` both say who asks: give one of the two.";
        return Err(Problem::bad_request(why));
    }
    let url = url.ok_or_else(|| {
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
    let from = match from {
        None => IpAddr::from(Ipv4Addr::LOCALHOST),
        Some(text) => text
            .parse()
            .map_err(|_| Problem::bad_request("`from` is no IP address."))?,
    };
    let snapshot = Arc::clone(&view.snapshots.borrow());
    let names = &snapshot.access.names;
    let field = key.as_deref().map(|key| {
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("`key` has characters that no key has.");
        }
        let field = names.key_sources.field(&names.api_key, key);
        field.ok_or("Keys are taken from the query alone here: write it into `url`.")
    });
    let headers: Vec<_> = field
        .transpose()
        .map_err(Problem::bad_request)?
        .into_iter()
        .collect();
    let question = Question {
        method: &method,
        url: &url,
        client: client.as_deref(),
        certificate: None,
        headers: &headers,
        from,
    };
    let masked = |text: &str| match &key {
        Some(key) => text.replace(key.as_str(), MASK),
        None => text.to_owned(),
    };
    let explanation = question.answer(&snapshot);
    let explanation = explanation.map_err(|why| Problem::bad_request(masked(&why)))?;
    Ok(Json(Explained {
        lines: explanation.text().lines().map(masked).collect(),
        status: explanation.status(),
        code: explanation.refused.as_ref().map(|refused| refused.code),
        outcome: outcome(&explanation),
    }))
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
