//! Every word for why a request was refused, or ended without a whole answer. Those of the first kind are
//! said by [`Rejection`](super::rejection::Rejection).

/// The client left before the end of its answer.
pub const CLIENT_CLOSED: &str = "client_closed";
/// A stream that would not have ended was ended by the drain.
pub const DRAIN: &str = "drain";
/// The drain was over.
pub const DRAIN_TIMEOUT: &str = "drain_timeout";
/// A tunnel in which nothing has moved for too long.
pub const IDLE_TIMEOUT: &str = "idle_timeout";
/// The gateway was told twice to stop.
pub const STOPPED: &str = "stopped";

/// All of them.
pub const CODES: &[&str] = &[
    "ambiguous_path",
    "api_key_required",
    "bad_request",
    "body_too_large",
    "circuit_open",
    CLIENT_CLOSED,
    "client_slow",
    DRAIN,
    DRAIN_TIMEOUT,
    "forbidden",
    "headers_too_large",
    IDLE_TIMEOUT,
    "internal",
    "invalid_api_key",
    "ip_forbidden",
    "limiter_unavailable",
    "loop_detected",
    "method_not_allowed",
    "misdirected_request",
    "no_healthy_endpoint",
    "no_route",
    "not_implemented",
    "overloaded",
    "rate_limited",
    "request_timeout",
    STOPPED,
    "upstream_invalid",
    "upstream_reset",
    "upstream_timeout",
    "upstream_tls",
    "upstream_unreachable",
    "uri_too_long",
    "version_not_supported",
];
