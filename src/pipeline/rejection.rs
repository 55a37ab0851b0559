//! Every answer that the gateway makes itself: one closed list, mapped in one place to status,
//! code, text and fields (RFC 9457). What only the operator may know goes to the log instead.

use std::borrow::Cow;
use std::io::Write;

use http::StatusCode;

use crate::limit::{Decision, retry_after};
use crate::message::path::AmbiguousPath;
use crate::wire::chunked::ChunkError;
use crate::wire::framing::FramingError;
use crate::wire::head::HeadError;

/// Why a request is not answered by the service that it was meant for.
#[derive(Debug)]
pub enum Rejection {
    /// The text says what is wrong with the request.
    BadRequest(Cow<'static, str>),
    AmbiguousPath(Cow<'static, str>),
    InvalidApiKey,
    ApiKeyRequired,
    NoRoute,
    MethodNotAllowed {
        allow: String,
    },
    RequestTimeout,
    BodyTooLarge {
        limit: u64,
    },
    UriTooLong,
    RateLimited(Decision),
    HeadersTooLarge(Cow<'static, str>),
    /// A bug; its cause is in the log.
    Internal,
    NotImplemented(Cow<'static, str>),
    UpstreamUnreachable,
    UpstreamReset,
    UpstreamInvalid,
    LimiterUnavailable,
    UpstreamTimeout,
    VersionNotSupported,
}

/// How a rejection is told.
struct Telling {
    status: StatusCode,
    /// The short message, `error` and `title` of the problem.
    error: &'static str,
    code: &'static str,
    detail: Cow<'static, str>,
}

impl Rejection {
    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.telling().status
    }

    /// The stable name of the reason: in the problem, the log and the counters.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.telling().code
    }

    /// The sentence that the client is told.
    #[must_use]
    pub fn detail(&self) -> Cow<'static, str> {
        self.telling().detail
    }

    /// Whether nothing more can be understood on this connection.
    #[must_use]
    pub fn closes(&self) -> bool {
        matches!(
            self,
            Self::BadRequest(_)
                | Self::RequestTimeout
                | Self::UriTooLong
                | Self::HeadersTooLarge(_)
                | Self::NotImplemented(_)
                | Self::VersionNotSupported
        )
    }

    fn telling(&self) -> Telling {
        let tell = |status, error, code, detail: &'static str| Telling {
            status,
            error,
            code,
            detail: detail.into(),
        };
        match self {
            Self::BadRequest(detail) => Telling {
                status: StatusCode::BAD_REQUEST,
                error: "Bad request",
                code: "bad_request",
                detail: detail.clone(),
            },
            Self::AmbiguousPath(detail) => Telling {
                status: StatusCode::BAD_REQUEST,
                error: "Ambiguous path",
                code: "ambiguous_path",
                detail: detail.clone(),
            },
            Self::InvalidApiKey => tell(
                StatusCode::UNAUTHORIZED,
                "Invalid API key",
                "invalid_api_key",
                "The API key sent with the request is not one that is accepted here.",
            ),
            Self::ApiKeyRequired => tell(
                StatusCode::UNAUTHORIZED,
                "API key required",
                "api_key_required",
                "This path is for identified clients; send an API key.",
            ),
            Self::NoRoute => tell(
                StatusCode::NOT_FOUND,
                "No route found",
                "no_route",
                "Nothing is served under this path.",
            ),
            Self::MethodNotAllowed { .. } => tell(
                StatusCode::METHOD_NOT_ALLOWED,
                "Method not allowed",
                "method_not_allowed",
                "This path does not take the method; the Allow field lists those that it takes.",
            ),
            Self::RequestTimeout => tell(
                StatusCode::REQUEST_TIMEOUT,
                "Request timeout",
                "request_timeout",
                "The request did not arrive in time.",
            ),
            Self::BodyTooLarge { limit } => Telling {
                status: StatusCode::PAYLOAD_TOO_LARGE,
                error: "Request body too large",
                code: "body_too_large",
                detail: format!("A request body may have {limit} bytes here.").into(),
            },
            Self::UriTooLong => tell(
                StatusCode::URI_TOO_LONG,
                "URI too long",
                "uri_too_long",
                "The request line is longer than is accepted here.",
            ),
            Self::RateLimited(_) => tell(
                StatusCode::TOO_MANY_REQUESTS,
                "Too many requests",
                "rate_limited",
                "The limit is used up; the Retry-After field says in how many seconds to try again.",
            ),
            Self::HeadersTooLarge(detail) => Telling {
                status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                error: "Request headers too large",
                code: "headers_too_large",
                detail: detail.clone(),
            },
            Self::Internal => tell(
                StatusCode::INTERNAL_SERVER_ERROR,
                "Internal error",
                "internal",
                "The gateway failed; its log has the cause under the request id.",
            ),
            Self::NotImplemented(detail) => Telling {
                status: StatusCode::NOT_IMPLEMENTED,
                error: "Not implemented",
                code: "not_implemented",
                detail: detail.clone(),
            },
            Self::UpstreamUnreachable => tell(
                StatusCode::BAD_GATEWAY,
                "Bad gateway",
                "upstream_unreachable",
                "The service behind the gateway cannot be reached.",
            ),
            Self::UpstreamReset => tell(
                StatusCode::BAD_GATEWAY,
                "Bad gateway",
                "upstream_reset",
                "The service behind the gateway closed the connection without an answer.",
            ),
            Self::UpstreamInvalid => tell(
                StatusCode::BAD_GATEWAY,
                "Bad gateway",
                "upstream_invalid",
                "The service behind the gateway sent an answer that is not valid HTTP.",
            ),
            Self::LimiterUnavailable => tell(
                StatusCode::SERVICE_UNAVAILABLE,
                "Service temporarily unavailable",
                "limiter_unavailable",
                "Requests cannot be counted at the moment.",
            ),
            Self::UpstreamTimeout => tell(
                StatusCode::GATEWAY_TIMEOUT,
                "Upstream timed out",
                "upstream_timeout",
                "The service behind the gateway did not answer in time.",
            ),
            Self::VersionNotSupported => tell(
                StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                "HTTP version not supported",
                "version_not_supported",
                "This port speaks HTTP/1.1 and HTTP/1.0.",
            ),
        }
    }

    /// Appends the fields that only this reason has.
    pub fn put_fields(&self, out: &mut Vec<u8>) {
        match self {
            Self::InvalidApiKey | Self::ApiKeyRequired => {
                out.extend_from_slice(b"WWW-Authenticate: ApiKey realm=\"tollgate\"\r\n");
            }
            // The method's names are tokens, as http::Method only holds such.
            Self::MethodNotAllowed { allow } => {
                let _ = write!(out, "Allow: {allow}\r\n");
            }
            Self::RateLimited(decision) => {
                let _ = write!(out, "Retry-After: {}\r\n", retry_after(decision));
            }
            Self::LimiterUnavailable => out.extend_from_slice(b"Retry-After: 1\r\n"),
            _ => {}
        }
    }

    /// The problem's JSON.
    #[must_use]
    pub fn problem(&self, request_id: &str) -> Vec<u8> {
        let Telling {
            status,
            error,
            code,
            detail,
        } = self.telling();
        let problem = serde_json::json!({
            "type": format!("urn:tollgate:problem:{code}"),
            "title": error,
            "status": status.as_u16(),
            "detail": detail,
            "error": error,
            "code": code,
            "request_id": request_id,
        });
        let mut json = problem.to_string().into_bytes();
        json.push(b'\n');
        json
    }
}

impl From<AmbiguousPath> for Rejection {
    fn from(why: AmbiguousPath) -> Self {
        Self::AmbiguousPath(why.to_string().into())
    }
}

impl From<HeadError> for Rejection {
    fn from(why: HeadError) -> Self {
        match why {
            HeadError::Malformed(detail) => Self::BadRequest(detail.into()),
            HeadError::RequestLineTooLong => Self::UriTooLong,
            HeadError::TooLarge | HeadError::TooManyFields => {
                Self::HeadersTooLarge(why.to_string().into())
            }
            HeadError::Version => Self::VersionNotSupported,
        }
    }
}

impl From<FramingError> for Rejection {
    fn from(why: FramingError) -> Self {
        match why {
            FramingError::UnknownCoding => Self::NotImplemented(why.to_string().into()),
            _ => Self::BadRequest(why.to_string().into()),
        }
    }
}

impl From<ChunkError> for Rejection {
    fn from(why: ChunkError) -> Self {
        Self::BadRequest(why.to_string().into())
    }
}
