//! What all answers of the admin port have in common: fields that keep browsers from misusing them, gzip for
//! texts when it is asked for, and a problem document wherever something is refused.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body::Body as _;
use std::io::Write;

use super::exposition::finish;
use super::problem::Problem;

/// Scripts, styles and connections of this origin alone; in no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const FIELDS: [(HeaderName, HeaderValue); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// What is shorter is not worth compressing.
const SHORTEST: u64 = 1024;
/// The most text of a refusal that is not a problem document yet.
const MOST_DETAIL: usize = 4096;

/// Completes an answer.
pub(super) async fn complete(request: Request, next: Next) -> Response {
    let takes_gzip = takes_gzip(request.headers());
    let mut answer = as_problem(next.run(request).await).await;
    let fields = answer.headers_mut();
    for (name, value) in FIELDS {
        fields.insert(name, value);
    }
    // What shows how things are now must not be shown later; what says itself how long it holds may be.
    fields
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    finish(compress(answer, takes_gzip).await).await
}

/// Refusals of axum's own have a line of text, or nothing.
async fn as_problem(answer: Response) -> Response {
    let status = answer.status();
    let media_type = answer.headers().get(header::CONTENT_TYPE);
    let is_bare = media_type.is_none_or(|it| it.as_bytes().starts_with(b"text/plain"));
    if !(status.is_client_error() || status.is_server_error()) || !is_bare {
        return answer;
    }
    let text = to_bytes(answer.into_body(), MOST_DETAIL).await;
    let detail = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    let (code, title) = match status {
        StatusCode::NOT_FOUND => ("not_found", "Not found"),
        StatusCode::PAYLOAD_TOO_LARGE => ("payload_too_large", "Payload too large"),
        status if status.is_server_error() => ("internal", "Internal error"),
        _ => ("bad_request", "Bad request"),
    };
    Problem::new(status, code, title, detail).into_response()
}

/// Whether its sender takes gzip.
pub(super) fn takes_gzip(fields: &HeaderMap) -> bool {
    let all = fields.get_all(header::ACCEPT_ENCODING).into_iter();
    let mut codings = all
        .filter_map(|it| it.to_str().ok())
        .flat_map(|it| it.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight
            .trim()
            .strip_prefix("q=")
            .is_some_and(|q| q.trim().parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// Compresses a whole text. Streams and what is compressed already stay as they are.
async fn compress(answer: Response, takes_gzip: bool) -> Response {
    let size = answer.body().size_hint().exact();
    let fields = answer.headers();
    let is_text = fields
        .get(header::CONTENT_TYPE)
        .is_some_and(|it| is_text(it.as_bytes()));
    let Some(size) = size.filter(|size| *size >= SHORTEST) else {
        return answer;
    };
    if !is_text || fields.contains_key(header::CONTENT_ENCODING) {
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    head.headers
        .append(header::VARY, HeaderValue::from_static("accept-encoding"));
    if !takes_gzip {
        return Response::from_parts(head, body);
    }
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let Ok(text) = to_bytes(body, size).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut encoder = GzEncoder::new(Vec::with_capacity(size / 8), Compression::fast());
    let packed = encoder.write_all(&text).and_then(|()| encoder.finish());
    let Ok(packed) = packed else {
        return Response::from_parts(head, Body::from(text));
    };
    head.headers
        .insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(head, Body::from(packed))
}

fn is_text(media_type: &[u8]) -> bool {
    let types: [&[u8]; 6] = [
        b"text/",
        b"application/json",
        b"application/problem+json",
        b"application/openmetrics-text",
        b"application/vnd.google.protobuf",
        b"image/svg+xml",
    ];
    types.iter().any(|it| media_type.starts_with(it))
        && !media_type.starts_with(b"text/event-stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_those_who_name_it() {
        for (value, takes) in [
            ("gzip", true),
            ("br, gzip;q=0.5", true),
            ("GZIP", true),
            ("identity", false),
            ("gzip;q=0", false),
            ("gzip; q=0.000", false),
            ("GZIP ; q=1", true),
            ("", false),
            ("x-gzip", false),
        ] {
            let mut fields = HeaderMap::new();
            fields.insert(header::ACCEPT_ENCODING, value.parse().unwrap());
            assert_eq!(takes_gzip(&fields), takes, "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
