//! Names: those that the user gives to things, and those of fields, hosts and methods.

use http::{HeaderName, Method};

use crate::client::{AllowEntry, ApiKeyHash, ClientName, InvalidClientName};
use crate::config::keys::{Shown, Text};
use crate::message::bytes::{TOKEN, UNRESERVED};
use crate::message::host;
use crate::message::key_sources::KeySource;
use crate::message::known_field::KnownField;
use crate::route::{PathPrefix, SentHost};
use crate::tls::CertificateIdentity;

/// The name of an upstream, a tier or a policy. It may come to stand in a header field, a log line
/// and the key of a counter.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::config) struct Name(pub String);

const NAME: &str = "[A-Za-z0-9._-]{1,128}";

impl Text for Name {
    const NOUN: &str = "a name";
    const PATTERN: &str = NAME;
    const FOR_LIMIT: Option<&str> = Some(
        "a limit has a name, which stands here: write it as `[limits.policies.NAME]` for routes, as `[limits.tiers.NAME]` for clients",
    );

    fn parse(text: &str) -> Result<Self, String> {
        check_name(text).map(|()| Self(text.to_owned()))
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

/// Whether a text may be a name.
fn check_name(text: &str) -> Result<(), String> {
    match ClientName::parse(text) {
        Ok(_) => Ok(()),
        Err(InvalidClientName::Characters) => {
            let meant = ["group:", "client:"]
                .iter()
                .find_map(|kind| text.strip_prefix(kind));
            let meant = meant.filter(|name| ClientName::parse(name).is_ok());
            let right = meant.map_or(String::new(), |name| format!(": write \"{name}\""));
            Err(format!(
                "a name has 1 to 128 characters of A-Z a-z 0-9 . _ -{right}"
            ))
        }
        Err(error @ InvalidClientName::Key) => Err(error.to_string()),
    }
}

impl Text for ClientName {
    const NOUN: &str = "a name for a client";
    const PATTERN: &str = NAME;

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| error.to_string())
    }

    fn text(&self) -> String {
        self.as_str().to_owned()
    }
}

impl Text for AllowEntry {
    const NOUN: &str = "a client or a group";
    const EXAMPLE: &str = "group:partner";
    const PATTERN: &str = "(client|group):[A-Za-z0-9._-]{1,128}";

    fn parse(text: &str) -> Result<Self, String> {
        if ["*", "any", "all"].contains(&text) {
            return Err("leave `allow` out: what is protected is for every client then".to_owned());
        }
        let (kind, name) = text.split_once(':').unwrap_or(("", text));
        let checked = check_name(name);
        let is_name = checked.is_ok();
        match kind {
            "group" if is_name => Ok(Self::Group(name.to_owned())),
            "client" if is_name => Ok(Self::Client(name.to_owned())),
            _ => Err(match checked {
                Err(why) => why,
                Ok(()) => format!("write \"group:{name}\" or \"client:{name}\""),
            }),
        }
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Text for KeySource {
    const NOUN: &str = "a place for a key";
    const EXAMPLE: &str = "header";
    const PATTERN: &str = "header|bearer|query:[A-Za-z0-9._~-]+|cookie:[!#$%&'*+.^_`|~A-Za-z0-9-]+";

    fn parse(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        let is_plain = name.bytes().all(|b| UNRESERVED.has(b));
        let is_token = name.bytes().all(|b| TOKEN.has(b));
        match (kind, name) {
            ("header", "") => Ok(Self::Header),
            ("bearer", "") => Ok(Self::Bearer),
            ("header", name) if is_token => Err(format!(
                "write \"header\", and `api_key_header = \"{name}\"`"
            )),
            ("query" | "cookie", "") => Err(format!("write \"{kind}:NAME\"")),
            ("query", name) if is_plain => Ok(Self::Query(name.to_owned())),
            ("cookie", name) if is_token => Ok(Self::Cookie(name.to_owned())),
            ("query", _) => Err("a parameter's name has letters, digits and `-._~`".to_owned()),
            ("cookie", _) => Err("this cannot be the name of a cookie".to_owned()),
            _ => Err("write \"header\", \"bearer\", \"query:NAME\" or \"cookie:NAME\"".to_owned()),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Header => "header".to_owned(),
            Self::Bearer => "bearer".to_owned(),
            Self::Query(name) => format!("query:{name}"),
            Self::Cookie(name) => format!("cookie:{name}"),
        }
    }
}

impl Text for PathPrefix {
    const NOUN: &str = "a path prefix";
    const EXAMPLE: &str = "/api/orders";
    const PLACEHOLDER: &str = "PREFIX";
    const IN_A_LIST: Option<&str> =
        Some("routes in a list are `route` in the main file, in TOML `[[route]]`");
    const PATTERN: &str = "/.*";

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| error.to_string())
    }

    fn text(&self) -> String {
        self.as_str().to_owned()
    }

    fn is_meant(text: &str) -> bool {
        text.contains('/')
    }
}

impl Text for ApiKeyHash {
    const NOUN: &str = "the hash of a key";
    const EXAMPLE: &str = "sha256:...";
    const PATTERN: &str = "sha256:[0-9A-Fa-f]{64}";
    /// What stands where a hash belongs may be the key itself.
    const IS_SECRET: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let is_hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
        let (kind, digits) = text.split_once(':').unwrap_or(("", text));
        let lower = text.to_ascii_lowercase();
        let bare = lower.strip_prefix("sha256").unwrap_or_default();
        let bare = bare.trim_start_matches([':', '-', '=', ' ']);
        let parsed = Self::parse(text);
        if parsed.is_ok_and(|hash| [&b""[..], b"\n", b"\r\n"].map(Self::of).contains(&hash)) {
            return Err(
                "this is the hash of nothing: what it was made of was empty. Whoever sends nothing \
                 would be let in"
                    .to_owned(),
            );
        }
        parsed.map_err(|_| match (kind, digits.len()) {
            _ if bare.len() == 64 && is_hex(bare) => {
                "write `sha256:` in lower case in front of the digits, and no blank".to_owned()
            }
            ("sha256", length) if is_hex(digits) => {
                format!("this has {length} hexadecimal digits instead of 64")
            }
            ("", 64) if is_hex(digits) => "if this is the hash, write `sha256:` in front of it. If it is the \
                  token or the key itself, `tollgate keys hash` makes its hash, which belongs here"
                .to_owned(),
            ("sha1" | "sha384" | "sha512" | "md5" | "bcrypt" | "argon2", _) => {
                format!("hashes are SHA-256, not {kind}: `tollgate keys hash` makes one of a key")
            }
            _ => "a hash is `sha256:` and 64 hexadecimal digits. If this is a key itself, treat it as \
                  leaked: make another with `tollgate keys new`. Of a token, `tollgate keys hash` makes \
                  the hash"
                .to_owned(),
        })
    }

    fn text(&self) -> String {
        self.to_string()
    }

    /// The first digits tell keys apart, and are of no use to anybody else.
    fn shown(&self) -> Shown {
        Shown::Secret {
            shown: self.id().to_string(),
            all: self.to_string(),
        }
    }
}

impl Text for CertificateIdentity {
    const NOUN: &str = "what a certificate is known by";
    const EXAMPLE: &str = "san-dns:orders.internal";
    const PATTERN: &str = "spki-sha256:[0-9A-Fa-f]{64}|san-dns:.+|san-uri:.+";

    fn parse(text: &str) -> Result<Self, String> {
        let (kind, value) = text.split_once(':').unwrap_or((text, ""));
        match kind {
            "spki-sha256" => match ApiKeyHash::parse(&format!("sha256:{value}")) {
                Ok(digest) => Ok(Self::PublicKey(digest.bytes())),
                Err(_) => Err(format!(
                    "a digest has 64 hexadecimal digits: `{SPKI_COMMAND}` prints it"
                )),
            },
            "san-dns" if host::is_valid(value.as_bytes()) && !value.contains(':') => {
                Ok(Self::dns_name(value))
            }
            "san-dns" => Err("write the name alone: `san-dns:orders.internal`".to_owned()),
            "san-uri" if value.contains(':') && value.bytes().all(|b| b.is_ascii_graphic()) => {
                Ok(Self::Uri(value.into()))
            }
            "san-uri" => Err("write the whole URI: `san-uri:spiffe://example.org/orders`".to_owned()),
            _ => Err(
                "write \"spki-sha256:HEX\", \"san-dns:NAME\" or \"san-uri:URI\"; subjects are not compared"
                    .to_owned(),
            ),
        }
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

/// Prints the digest of a certificate's public key.
const SPKI_COMMAND: &str =
    "openssl x509 -in CERT -noout -pubkey | openssl pkey -pubin -outform der | sha256sum";

/// The name of a host, in lower case.
pub(in crate::config) struct HostName(pub String);

impl Text for HostName {
    const NOUN: &str = "the name of a host";
    const EXAMPLE: &str = "api.example.com";

    fn parse(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        let whole = lower.strip_suffix('.').unwrap_or(&lower);
        let name = whole.strip_prefix("*.").unwrap_or(whole);
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
        let bracketed = whole.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let good = match bracketed {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !name.is_empty() && name.len() <= 255 && name.bytes().all(plain),
        };
        if good {
            return Ok(Self(whole.to_owned()));
        }
        Err(if lower.contains("://") {
            "write the name without `http://`".to_owned()
        } else if lower.contains('*') {
            "a wildcard stands for the first label alone: `*.example.com`".to_owned()
        } else if let Some((name, _)) = lower.rsplit_once(':').filter(|_| bracketed.is_none()) {
            format!("write `{name}`: ports are not compared")
        } else {
            "a name has letters, digits, `.`, `-` and `_`".to_owned()
        })
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

impl Text for SentHost {
    const NOUN: &str = "\"preserve\", \"endpoint\" or the name of a host";
    const FOR_LIST: Option<&str> =
        Some("this is a list: the names that a route is for stand in its `hosts`");

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "preserve" => Ok(Self::Preserve),
            "endpoint" => Ok(Self::Endpoint),
            name if host::is_valid(name.as_bytes()) => Ok(Self::Name(name.into())),
            url if url.contains("://") => Err("write the name without `http://`".to_owned()),
            _ => Err("this is no name of a host".to_owned()),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Preserve => "preserve".to_owned(),
            Self::Endpoint => "endpoint".to_owned(),
            Self::Name(name) => name.to_string(),
        }
    }
}

impl Text for Method {
    const NOUN: &str = "a method";
    const EXAMPLE: &str = "GET";
    const PATTERN: &str = "[^a-z\\s]+";

    fn parse(text: &str) -> Result<Self, String> {
        let upper = text.to_ascii_uppercase();
        if ["*", "ALL", "ANY"].contains(&&*upper) {
            return Err(
                "leave `methods` out: any method is taken; in `cors`, write \"*\"".to_owned(),
            );
        }
        match Self::from_bytes(text.as_bytes()) {
            Ok(Self::CONNECT | Self::TRACE) => Err("CONNECT and TRACE are always refused".into()),
            Ok(method) if text == upper => Ok(method),
            Ok(_) => Err(format!("write `{upper}`: methods are case-sensitive")),
            Err(_) => {
                let words = upper.split([',', '|', ' ']).filter(|it| !it.is_empty());
                let words: Vec<_> = words.map(|word| format!("\"{word}\"")).collect();
                Err(format!(
                    "a method is one word: write `[{}]`",
                    words.join(", ")
                ))
            }
        }
    }

    fn text(&self) -> String {
        self.as_str().to_owned()
    }
}

/// The name of a header field that has no meaning of its own, or `authorization`.
pub(in crate::config) struct FieldName(pub HeaderName);

const FIELD_NAME: &str = "[A-Za-z0-9-]+";

impl Text for FieldName {
    const NOUN: &str = "the name of a header field";
    const EXAMPLE: &str = "x-caller";
    const PATTERN: &str = FIELD_NAME;

    fn parse(text: &str) -> Result<Self, String> {
        let name = HeaderName::from_bytes(text.as_bytes())
            .map_err(|_| "a name has letters, digits and `-`".to_owned())?;
        // Services that turn names into variables take both for one, and so could be lied to.
        if text.contains('_') {
            return Err(format!("write `{}`", text.replace('_', "-")));
        }
        match KnownField::of(text.as_bytes()) {
            KnownField::Other | KnownField::Authorization => Ok(Self(name)),
            KnownField::Odd => Err("a name has letters, digits and `-`".to_owned()),
            _ => Err("this field has a meaning of its own".to_owned()),
        }
    }

    fn text(&self) -> String {
        self.0.as_str().to_owned()
    }
}

/// What the keys of counters begin with.
pub(in crate::config) struct KeyPrefix(pub String);

impl Text for KeyPrefix {
    const NOUN: &str = "1 to 64 characters of A-Z a-z 0-9 . _ - : /";
    const PATTERN: &str = "[A-Za-z0-9._:/-]{1,64}";

    fn parse(text: &str) -> Result<Self, String> {
        let safe = |c: char| c.is_ascii_alphanumeric() || "._-:/".contains(c);
        match (text.chars().find(|c| !safe(*c)), text.len()) {
            (Some(other), _) => Err(format!("`{other}` is not one of them")),
            (None, 1..=64) => Ok(Self(text.to_owned())),
            (None, length) => Err(format!("these are {length}")),
        }
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

impl Text for String {
    const NOUN: &str = "a string";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn text(&self) -> String {
        self.clone()
    }
}
