//! Every answer that the gateway makes itself: one closed list, mapped in one place to status,
//! code, text and fields (RFC 9457). What only the operator may know goes to the log instead.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::limit::{Decision, retry_after};
use crate::message::body::FramingError;
use crate::message::key_sources::KeySources;
use crate::message::path::AmbiguousPath;
use crate::message::sink::FieldSink;
use crate::upstream::{NoEndpoint, Unready};
use crate::wire::chunked::ChunkError;
use crate::wire::head::HeadError;
use crate::words::Word;

/// Why a request is not answered by the service that it was meant for.
#[derive(Debug, Clone)]
pub enum Rejection {
    /// The text says what is wrong with the request.
    BadRequest(Cow<'static, str>),
    /// The text says which part of the path has two readings.
    AmbiguousPath(Cow<'static, str>),
    /// A key that is not one.
    InvalidApiKey,
    /// No key, on a protected path.
    ApiKeyRequired,
    /// A client that is not among those who may. The text, for the log, says who is.
    Forbidden(Box<str>),
    /// An address that is not among those that may. The text, for the log, says which rule that is.
    IpForbidden(Box<str>),
    /// Nothing is served there.
    NoRoute,
    /// `OPTIONS *` asks about the server as a whole (RFC 9110 section 9.3.7), and there is none behind the
    /// gateway that could answer for all.
    AsksAboutAll,
    /// Something is, but not with this method.
    MethodNotAllowed {
        /// The methods that are.
        allow: String,
    },
    /// The client did not send its request in time.
    RequestTimeout,
    /// The client sends its request's body too slowly.
    ClientSlow,
    /// The body is longer than the route takes.
    BodyTooLarge {
        /// In bytes.
        limit: u64,
    },
    /// The request line is too long.
    UriTooLong,
    /// A limit of the caller's or the route's is used up.
    RateLimited(Box<UsedUp>),
    /// The text says which bound was passed.
    HeadersTooLarge(Cow<'static, str>),
    /// A bug; its cause is in the log.
    Internal,
    /// It comes through this gateway again and again.
    LoopDetected,
    /// The text says what is not.
    NotImplemented(Cow<'static, str>),
    /// The process or the machine has no room for what the request takes.
    Overloaded,
    /// No connection could be made.
    UpstreamUnreachable,
    /// There was a connection, but no TLS on it.
    UpstreamTls,
    /// The connection ended before the answer began.
    UpstreamReset,
    /// The answer was not HTTP, or ambiguous.
    UpstreamInvalid,
    /// Redis does not answer, and the configuration says to refuse then what this limit is to count.
    LimiterUnavailable(Arc<str>),
    /// No endpoint is asked, for all have failed lately.
    CircuitOpen {
        /// When one is asked again.
        next_probe: Duration,
    },
    /// No endpoint takes requests.
    NoHealthyEndpoint(Unready),
    /// No connection, or no answer, in time.
    UpstreamTimeout,
    /// The connection was made for another name.
    Misdirected {
        /// Or it was made before something else was asked of clients.
        outdated: bool,
    },
    /// Neither HTTP/1.1 nor HTTP/1.0. The text says what is spoken here.
    VersionNotSupported(Cow<'static, str>),
}

/// A limit that refuses a request.
#[derive(Debug, Clone)]
pub struct UsedUp {
    /// Its name.
    pub limit: Arc<str>,
    /// What it says.
    pub decision: Decision,
}

impl Rejection {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.kind().0
    }

    /// The stable name of the reason: in the problem, the log and the counters.
    pub fn code(&self) -> &'static str {
        self.kind().2
    }

    /// Status, title and code. No wildcard arm: a new variant must not compile without a status.
    fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        const UNAVAILABLE: &str = "Service temporarily unavailable";
        match self {
            Self::BadRequest(_) => (S::BAD_REQUEST, "Bad request", "bad_request"),
            Self::AmbiguousPath(_) => (S::BAD_REQUEST, "Ambiguous path", "ambiguous_path"),
            Self::InvalidApiKey => (S::UNAUTHORIZED, "Invalid API key", "invalid_api_key"),
            Self::ApiKeyRequired => (S::UNAUTHORIZED, "API key required", "api_key_required"),
            Self::Forbidden(_) => (S::FORBIDDEN, "Not allowed for this client", "forbidden"),
            Self::IpForbidden(_) => (S::FORBIDDEN, "Address not allowed", "ip_forbidden"),
            Self::NoRoute | Self::AsksAboutAll => (S::NOT_FOUND, "No route found", "no_route"),
            Self::MethodNotAllowed { .. } => (
                S::METHOD_NOT_ALLOWED,
                "Method not allowed",
                "method_not_allowed",
            ),
            Self::RequestTimeout => (S::REQUEST_TIMEOUT, "Request timeout", "request_timeout"),
            Self::ClientSlow => (S::REQUEST_TIMEOUT, "Request timeout", "client_slow"),
            Self::BodyTooLarge { .. } => (
                S::PAYLOAD_TOO_LARGE,
                "Request body too large",
                "body_too_large",
            ),
            Self::UriTooLong => (S::URI_TOO_LONG, "URI too long", "uri_too_long"),
            Self::RateLimited(_) => (S::TOO_MANY_REQUESTS, "Too many requests", "rate_limited"),
            Self::HeadersTooLarge(_) => (
                S::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "Request headers too large",
                "headers_too_large",
            ),
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "Internal error", "internal"),
            Self::NotImplemented(_) => (S::NOT_IMPLEMENTED, "Not implemented", "not_implemented"),
            Self::UpstreamUnreachable => (S::BAD_GATEWAY, "Bad gateway", "upstream_unreachable"),
            Self::UpstreamTls => (S::BAD_GATEWAY, "Bad gateway", "upstream_tls"),
            Self::UpstreamReset => (S::BAD_GATEWAY, "Bad gateway", "upstream_reset"),
            Self::UpstreamInvalid => (S::BAD_GATEWAY, "Bad gateway", "upstream_invalid"),
            Self::LimiterUnavailable(_) => {
                (S::SERVICE_UNAVAILABLE, UNAVAILABLE, "limiter_unavailable")
            }
            Self::Overloaded => (S::SERVICE_UNAVAILABLE, UNAVAILABLE, "overloaded"),
            Self::CircuitOpen { .. } => (S::SERVICE_UNAVAILABLE, UNAVAILABLE, "circuit_open"),
            Self::LoopDetected => (S::LOOP_DETECTED, "Loop detected", "loop_detected"),
            Self::NoHealthyEndpoint(_) => {
                (S::SERVICE_UNAVAILABLE, UNAVAILABLE, "no_healthy_endpoint")
            }
            Self::UpstreamTimeout => (S::GATEWAY_TIMEOUT, "Upstream timed out", "upstream_timeout"),
            Self::Misdirected { .. } => (
                S::MISDIRECTED_REQUEST,
                "Misdirected request",
                "misdirected_request",
            ),
            Self::VersionNotSupported(_) => (
                S::HTTP_VERSION_NOT_SUPPORTED,
                "HTTP version not supported",
                "version_not_supported",
            ),
        }
    }

    /// The sentence that the client gets; `sources` says where it should send its key. Addresses
    /// and the system's errors are for the log.
    pub fn detail(&self, sources: &KeySources) -> Cow<'static, str> {
        let detail = match self {
            Self::BadRequest(_)
            | Self::AmbiguousPath(_)
            | Self::HeadersTooLarge(_)
            | Self::NotImplemented(_)
            | Self::VersionNotSupported(_) => return self.particulars().unwrap_or_default(),
            Self::BodyTooLarge { limit } => {
                let limit = size_text(*limit);
                return format!("The body must not exceed {limit} on this route.").into();
            }
            Self::InvalidApiKey => {
                let places = sources.places();
                return format!("The API key in {places} is not one that is accepted.").into();
            }
            Self::ApiKeyRequired => {
                let places = sources.places();
                return format!(
                    "This path is for identified clients; send an API key in {places}."
                )
                .into();
            }
            Self::RateLimited(used_up) => {
                return format!(
                    "The limit `{}` is used up; the Retry-After field says in how many seconds to try again.",
                    used_up.limit
                )
                .into();
            }
            Self::LimiterUnavailable(limit) => {
                return format!("The limit `{limit}` cannot be counted at the moment.").into();
            }
            Self::Forbidden(_) => "The API key is good, but this path is for other clients.",
            Self::IpForbidden(_) => "Requests from this address are not accepted here.",
            Self::NoRoute => "Nothing is served under this path.",
            Self::AsksAboutAll => {
                "No route takes `*`; GET /health says whether the gateway serves."
            }
            Self::MethodNotAllowed { .. } => {
                "This path does not take the method; the Allow field lists those that it takes."
            }
            Self::RequestTimeout => "The request did not arrive in time.",
            Self::ClientSlow => "The request's body came too slowly.",
            Self::UriTooLong => "The request line is longer than is accepted here.",
            Self::Internal => "The gateway failed; its log has the cause under the request id.",
            Self::Overloaded => "The gateway has no room for this request at the moment.",
            Self::UpstreamUnreachable => "The service behind the gateway cannot be reached.",
            Self::UpstreamTls => {
                "No secure connection to the service behind the gateway can be made."
            }
            Self::UpstreamReset => {
                "The service behind the gateway closed the connection without an answer."
            }
            Self::UpstreamInvalid => {
                "The service behind the gateway sent an answer that is not valid HTTP."
            }
            Self::CircuitOpen { .. } => {
                "The service behind the gateway has failed; the Retry-After field says in how many seconds to try again."
            }
            Self::NoHealthyEndpoint(_) => "No instance of the service behind the gateway is ready.",
            Self::Misdirected { .. } => {
                "The connection was made for another host, which has other certificates, or before they changed; connect anew."
            }
            Self::UpstreamTimeout => "The service behind the gateway did not answer in time.",
            Self::LoopDetected => {
                "The request has come through this gateway several times: the service leads back to it."
            }
        };
        detail.into()
    }

    /// What this request has done that others refused for the same reason have not.
    pub fn particulars(&self) -> Option<Cow<'static, str>> {
        match self {
            Self::BadRequest(detail)
            | Self::AmbiguousPath(detail)
            | Self::HeadersTooLarge(detail)
            | Self::NotImplemented(detail)
            | Self::VersionNotSupported(detail) => Some(detail.clone()),
            _ => None,
        }
    }

    /// The same for the log, which may have more.
    pub fn logged(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Forbidden(why) | Self::IpForbidden(why) => Some(Cow::Borrowed(&**why)),
            Self::LimiterUnavailable(_) => {
                Some("Redis does not answer, and the limit refuses what it cannot count".into())
            }
            Self::NoHealthyEndpoint(why) => Some(why.to_string().into()),
            _ => self.particulars(),
        }
    }

    /// Whether nothing more can be understood, or is answered, on this connection.
    pub fn closes(&self) -> bool {
        matches!(
            self,
            Self::BadRequest(_)
                | Self::RequestTimeout
                | Self::ClientSlow
                | Self::UriTooLong
                | Self::HeadersTooLarge(_)
                | Self::NotImplemented(_)
                | Self::VersionNotSupported(_)
                | Self::Misdirected { outdated: true }
        )
    }

    /// Puts the fields that only this reason has.
    pub fn put_fields(&self, sources: &KeySources, sink: &mut impl FieldSink) {
        match self {
            Self::InvalidApiKey | Self::ApiKeyRequired => {
                let challenge = sources.challenge(matches!(self, Self::InvalidApiKey));
                sink.field(b"WWW-Authenticate", challenge.as_bytes());
            }
            // The method's names are tokens, as http::Method only holds such.
            Self::MethodNotAllowed { allow } => sink.field(b"Allow", allow.as_bytes()),
            Self::RateLimited(used_up) => {
                sink.number(b"Retry-After", retry_after(&used_up.decision));
            }
            Self::CircuitOpen { next_probe } => {
                let seconds = next_probe.as_millis().div_ceil(1000).max(1);
                let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
                sink.number(b"Retry-After", seconds);
            }
            Self::Overloaded | Self::LimiterUnavailable(_) | Self::NoHealthyEndpoint(_) => {
                sink.number(b"Retry-After", 1);
            }
            _ => {}
        }
    }

    /// The problem's JSON.
    pub fn problem(&self, sources: &KeySources, request_id: &str) -> Vec<u8> {
        let (status, title, code) = self.kind();
        let mut problem = serde_json::json!({
            "type": format!("urn:tollgate:problem:{code}"),
            "title": title,
            "status": status.as_u16(),
            "detail": self.detail(sources),
            "error": title,
            "code": code,
            "request_id": request_id,
        });
        match self {
            Self::RateLimited(used_up) => {
                problem["limit"] = (*used_up.limit).into();
                problem["limit_source"] = used_up.decision.source.word().into();
            }
            Self::LimiterUnavailable(limit) => problem["limit"] = (**limit).into(),
            _ => {}
        }
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

impl From<NoEndpoint> for Rejection {
    fn from(why: NoEndpoint) -> Self {
        match why {
            NoEndpoint::CircuitsOpen(next_probe) => Self::CircuitOpen { next_probe },
            NoEndpoint::Unhealthy(why) => Self::NoHealthyEndpoint(why),
            NoEndpoint::Unresolved => Self::UpstreamUnreachable,
        }
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
            HeadError::Version | HeadError::Http2 => {
                Self::VersionNotSupported(why.to_string().into())
            }
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

/// A size in the largest unit that it has whole.
fn size_text(bytes: u64) -> String {
    match (bytes, bytes.trailing_zeros()) {
        (1, _) => "1 byte".to_owned(),
        (0, _) | (_, ..10) => format!("{bytes} bytes"),
        (_, ..20) => format!("{} KiB", bytes >> 10),
        (_, ..30) => format!("{} MiB", bytes >> 20),
        _ => format!("{} GiB", bytes >> 30),
    }
}

#[cfg(test)]
mod tests;
