//! Refusals of the admin port, as problem documents (RFC 9457) with the members that those of the public
//! port have.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

use crate::request_id;

/// What a problem document is sent as.
const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request is not answered with what it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The status of the answer.
    pub status: StatusCode,
    /// The stable name of the reason.
    pub code: &'static str,
    /// The reason in a few words.
    pub title: &'static str,
    /// What is wrong with this request, and what would be right.
    pub detail: String,
    /// After how many seconds another try makes sense.
    retry_after: Option<u64>,
    /// One more member, if there is more to say.
    more: Option<Box<(&'static str, serde_json::Value)>>,
}

impl Problem {
    /// A refusal.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            title,
            detail: detail.into(),
            retry_after: None,
            more: None,
        }
    }

    /// The same, with one more member.
    pub fn with(self, name: &'static str, value: serde_json::Value) -> Self {
        Self {
            more: Some(Box::new((name, value))),
            ..self
        }
    }

    /// The same, to be tried again after so many seconds.
    pub fn retry_after(self, seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    /// There is nothing of that name.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", detail)
    }

    /// The request makes no sense.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        let status = StatusCode::BAD_REQUEST;
        Self::new(status, "bad_request", "Bad request", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let id = request_id::make();
        let id = String::from_utf8_lossy(&id);
        tracing::debug!(code = self.code, detail = self.detail, request_id = %id, "admin request refused");
        let mut problem = serde_json::json!({
            "type": format!("urn:tollgate:problem:{}", self.code),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "error": self.title,
            "code": self.code,
            "request_id": id,
        });
        if let Some((name, value)) = self.more.map(|it| *it) {
            problem[name] = value;
        }
        let mut json = problem.to_string();
        json.push('\n');
        let content_type = [(header::CONTENT_TYPE, MEDIA_TYPE)];
        let mut answer = (self.status, content_type, json).into_response();
        if let Some(seconds) = self.retry_after {
            answer
                .headers_mut()
                .insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"tollgate\"");
            answer
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        answer
    }
}
