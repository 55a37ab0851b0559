//! The fields that matter here, told apart once, when a head is read: the rules about them are then
//! one `match` each, and no name is compared twice.

use super::bytes::FIELD_NAME;

macro_rules! known {
    ($($variant:ident = $name:literal),* $(,)?) => {
        /// The fields that the gateway reads, sets or holds back; all others are `Other`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum KnownField {
            $(
                #[doc = concat!("`", $name, "`")]
                $variant,
            )*
            /// Any other `x-forwarded-*`.
            XForwarded,
            /// `x-ratelimit-*`.
            XRateLimit,
            /// `access-control-*`.
            AccessControl,
            /// What some services take for the path, the script's name or the host of a request, or
            /// for the place of the file to answer with, such as `x-original-url` or `x-script-name`.
            ClaimedTarget,
            /// What names another resource that a request is about, such as `destination`.
            OtherResource,
            /// A name with anything but letters, digits and `-`. Services that turn names into
            /// variables may take it for another name.
            Odd,
            /// No name that matters here.
            Other,
        }

        /// Tells a name in lower case.
        #[expect(non_upper_case_globals, reason = "patterns have to be constants")]
        fn lower(name: &[u8]) -> Option<KnownField> {
            $(const $variant: &[u8] = $name.as_bytes();)*
            match name {
                $($variant => Some(KnownField::$variant),)*
                _ => None,
            }
        }
    };
}

known! {
    Host = "host",
    Connection = "connection",
    ContentLength = "content-length",
    TransferEncoding = "transfer-encoding",
    Te = "te",
    Trailer = "trailer",
    Upgrade = "upgrade",
    Expect = "expect",
    KeepAlive = "keep-alive",
    ProxyConnection = "proxy-connection",
    ProxyAuthenticate = "proxy-authenticate",
    ProxyAuthorization = "proxy-authorization",
    ProxyAuthenticationInfo = "proxy-authentication-info",
    Forwarded = "forwarded",
    XForwardedFor = "x-forwarded-for",
    XForwardedProto = "x-forwarded-proto",
    XForwardedHost = "x-forwarded-host",
    XRealIp = "x-real-ip",
    Referer = "referer",
    Via = "via",
    Proxy = "proxy",
    Date = "date",
    Server = "server",
    UserAgent = "user-agent",
    SecWebSocketKey = "sec-websocket-key",
    SecWebSocketAccept = "sec-websocket-accept",
    SecWebSocketVersion = "sec-websocket-version",
    Http2Settings = "http2-settings",
    RateLimit = "ratelimit",
    RateLimitPolicy = "ratelimit-policy",
    RetryAfter = "retry-after",
    SetCookie = "set-cookie",
    Authorization = "authorization",
    Cookie = "cookie",
    Allow = "allow",
    ContentType = "content-type",
    CacheControl = "cache-control",
    MaxForwards = "max-forwards",
    Origin = "origin",
    Vary = "vary",
    Location = "location",
    ContentLocation = "content-location",
    Refresh = "refresh",
    ClientCert = "client-cert",
    ClientCertChain = "client-cert-chain",
    AltSvc = "alt-svc",
    TraceParent = "traceparent",
    TraceState = "tracestate",
    If = "if",
}

/// The longest name in the list.
const LONGEST: usize = 25;

impl KnownField {
    /// There are fewer than 64.
    pub(super) const fn bit(self) -> u64 {
        1 << self as u8
    }

    /// Whether it is meant for one hop in either direction (RFC 9110 section 7.6.1).
    pub fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            Self::Connection
                | Self::KeepAlive
                | Self::ProxyConnection
                | Self::Te
                | Self::TransferEncoding
                | Self::Upgrade
        )
    }

    /// Tells which field `name` is; letter case does not matter.
    pub fn of(name: &[u8]) -> Self {
        if name.iter().all(|b| FIELD_NAME.has(*b)) {
            Self::of_plain(name)
        } else {
            Self::Odd
        }
    }

    /// The same of a name that has letters, digits and `-` alone.
    pub(crate) fn of_plain(name: &[u8]) -> Self {
        let mut lowered = [0; LONGEST];
        let short = &mut lowered[..name.len().min(LONGEST)];
        for (to, from) in short.iter_mut().zip(name) {
            *to = from.to_ascii_lowercase();
        }
        let whole = name.len() <= LONGEST;
        match lower(short).filter(|_| whole) {
            Some(known) => known,
            None if short.starts_with(b"x-forwarded-") => Self::XForwarded,
            None if short.starts_with(b"x-ratelimit-") => Self::XRateLimit,
            None if short.starts_with(b"access-control-") => Self::AccessControl,
            None if whole && claims_target(short) => Self::ClaimedTarget,
            None if whole && names_resource(short) => Self::OtherResource,
            None => Self::Other,
        }
    }
}

/// Whether services take a field of this name (in lower case) for what a request asks for, behind
/// whatever the request's own target was checked for.
fn claims_target(name: &[u8]) -> bool {
    matches!(
        name,
        // IIS' rewriters, and the frameworks of PHP that listen to them; nginx' and Envoy's names.
        b"x-original-url"
            | b"x-rewrite-url"
            | b"x-original-uri"
            | b"x-rewrite-uri"
            | b"x-request-uri"
            | b"request-uri"
            | b"x-original-path"
            | b"x-envoy-original-path"
            // WSGI applications under a prefix: Calibre-Web, and whoever else has taken
            // over Flask's snippet. A name of WSGI's own is read by some as a field.
            | b"x-script-name"
            | b"script-name"
            | b"x-path-info"
            | b"path-info"
            // Next.js, where it believes what its router says.
            | b"x-matched-path"
            | b"x-invoke-path"
            | b"x-original-host"
            | b"x-http-host-override"
            // Rack::Sendfile: with both a client chooses which file or location is answered with.
            | b"x-accel-mapping"
            | b"x-sendfile-type"
    )
}

/// Whether a field of this name (in lower case) names a resource beside the request's own: one that is
/// written to (RFC 4918 section 10.3), or read or moved (stores of objects).
fn names_resource(name: &[u8]) -> bool {
    let of_store = || {
        let kinds: [&[u8]; 2] = [b"-copy-source", b"-rename-source"];
        name.starts_with(b"x-") && kinds.iter().any(|kind| name.ends_with(kind))
    };
    matches!(name, b"destination" | b"x-copy-from" | b"x-symlink-target") || of_store()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_known_in_any_letter_case() {
        let rows = [
            ("host", KnownField::Host),
            ("HOST", KnownField::Host),
            ("Te", KnownField::Te),
            ("IF", KnownField::If),
            (
                "Proxy-Authentication-Info",
                KnownField::ProxyAuthenticationInfo,
            ),
            ("X-Forwarded-For", KnownField::XForwardedFor),
            ("x-forwarded-prefix", KnownField::XForwarded),
            ("X-Forwarded-A-Name-Longer-Than-All", KnownField::XForwarded),
            ("X-RateLimit-Remaining", KnownField::XRateLimit),
            ("Access-Control-Request-Headers", KnownField::AccessControl),
            ("X-Original-URL", KnownField::ClaimedTarget),
            ("X-SCRIPT-NAME", KnownField::ClaimedTarget),
            ("Destination", KnownField::OtherResource),
            ("X-Amz-Copy-Source", KnownField::OtherResource),
            ("x-ms-rename-source", KnownField::OtherResource),
        ];
        for (name, known) in rows {
            assert_eq!(KnownField::of(name.as_bytes()), known, "{name}");
        }
    }

    #[test]
    fn names_that_only_look_like_known_ones_are_others() {
        for name in [
            "",
            "hos",
            "hosts",
            "x-forwarded",
            "proxy-authentication-info2",
            "proxy-authentication-inf",
            "x-original-urls",
            "x-script",
            "destinations",
            "x-amz-copy-source-range",
        ] {
            assert_eq!(KnownField::of(name.as_bytes()), KnownField::Other, "{name}");
        }
    }

    #[test]
    fn names_with_other_bytes_than_letters_digits_and_hyphens_are_odd() {
        for name in [
            "content_length",
            "x.forwarded-for",
            "X-Forwarde\u{17f}-For",
            "a~",
        ] {
            assert_eq!(KnownField::of(name.as_bytes()), KnownField::Odd, "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_known_by_its_lower_case_alone(name in "[a-zA-Z_-]{0,30}") {
            let lower = name.to_ascii_lowercase();
            prop_assert_eq!(KnownField::of(name.as_bytes()), KnownField::of(lower.as_bytes()));
        }
    }
}
