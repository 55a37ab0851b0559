//! Who may change the gateway. Whatever changes it asks for a [`Changer`], which nothing but the checks here
//! makes: a token for changes, and a content type that no form of a page can send. They come once a path and its
//! method are found, so that a wrong method is told as such.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};

use crate::words::Word;

use super::access::{Grant, Operator};
use super::guard::token_required;
use super::problem::Problem;

/// Somebody who may change the gateway, with a request that asks for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Changer(Operator);

impl Changer {
    /// Who it is.
    pub(super) fn operator(self) -> Operator {
        self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Changer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let operator = parts.extensions.get::<Operator>().copied();
        let operator = operator.ok_or_else(token_required)?;
        may_change(operator)?;
        is_json(&parts.headers)?;
        Ok(Self(operator))
    }
}

fn may_change(operator: Operator) -> Result<(), Problem> {
    if operator.grant() == Grant::Change {
        return Ok(());
    }
    let detail = format!(
        "With `{}` one may only read; changes need `admin.token`.",
        operator.proof.word()
    );
    let status = StatusCode::FORBIDDEN;
    Err(Problem::new(
        status,
        "read_only",
        "Only for reading",
        detail,
    ))
}

fn is_json(fields: &HeaderMap) -> Result<(), Problem> {
    let content_type = fields
        .get(header::CONTENT_TYPE)
        .and_then(|it| it.to_str().ok());
    let essence = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    if essence.trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "json_required",
        "JSON required",
        "A change needs `Content-Type: application/json`, also without a body.",
    ))
}
