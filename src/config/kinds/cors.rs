//! What the keys of CORS take: origins and names of fields.

use http::HeaderName;

use crate::config::keys::Text;
use crate::message::host;

/// The origin of a page as browsers write it (RFC 6454 section 6.2): scheme, host, and the port if
/// it is not the scheme's own. With `*.` in front of the host it is that of every host below.
pub(in crate::config) struct Origin(pub String);

impl Text for Origin {
    const NOUN: &str = "an origin";
    const EXAMPLE: &str = "https://app.example.com";
    const PATTERN: &str = "[a-z][a-z0-9+.-]*://(\\*\\.)?[^/?#@*A-Z\\s]+";

    fn parse(text: &str) -> Result<Self, String> {
        if text == "null" {
            return Err("`null` is every sandboxed page and every file: anybody can be it".into());
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(match text.trim_end_matches('/') {
                "" => "this is empty".to_owned(),
                name => format!("write \"https://{name}\""),
            });
        };
        let parent = rest.strip_prefix("*.");
        let rest = parent.unwrap_or(rest);
        if rest.contains('*') {
            return Err(if rest.starts_with('*') {
                "write \"*\" for any origin, or \"https://*.example.com\"".to_owned()
            } else {
                "a wildcard stands for whole labels in front: \"https://*.example.com\"".to_owned()
            });
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, after) = rest.split_at(end);
        let authority = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        let is_scheme = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic()) || !scheme.bytes().all(is_scheme)
        {
            return Err("an origin begins with a scheme, such as `https://`".to_owned());
        }
        if !authority.is_ascii() {
            return Err("write the name in ASCII, as browsers do (`xn--...`)".to_owned());
        }
        if !host::is_valid(authority.as_bytes()) {
            return Err("behind `://` stand a host and perhaps a port".to_owned());
        }
        let (host, _) = host::split(authority.as_bytes());
        if parent.is_some() && !host.contains(&b'.') && host != b"localhost" {
            return Err(
                "name at least two labels behind `*.`, so that not everybody has one".into(),
            );
        }
        let wildcard = if parent.is_some() { "*." } else { "" };
        let right = canonical(scheme, wildcard, authority);
        match (right == text, after) {
            (true, _) => Ok(Self(right)),
            (false, "/") => Err(format!("an origin ends without a slash: write \"{right}\"")),
            (false, "") => Err(format!("browsers write it \"{right}\"")),
            (false, _) => Err(format!("an origin has no path: write \"{right}\"")),
        }
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

/// An origin in lower case, without the port that its scheme has anyway.
fn canonical(scheme: &str, wildcard: &str, authority: &str) -> String {
    let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
    let own = match scheme.as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => ":",
    };
    let host = authority.strip_suffix(own).unwrap_or(&authority);
    let host = host.strip_suffix(':').unwrap_or(host);
    format!("{scheme}://{wildcard}{host}")
}

/// The name of any header field.
pub(in crate::config) struct AnyField(pub HeaderName);

impl Text for AnyField {
    const NOUN: &str = "the name of a header field";
    const EXAMPLE: &str = "x-caller";
    const PATTERN: &str = "[!#$%&'*+.^_`|~A-Za-z0-9-]+";

    fn parse(text: &str) -> Result<Self, String> {
        let name = HeaderName::from_bytes(text.as_bytes());
        name.map(Self)
            .map_err(|_| "a name has letters, digits and `-`".to_owned())
    }

    fn text(&self) -> String {
        self.0.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_browsers_write() {
        for origin in [
            "https://app.example.com",
            "http://localhost:5173",
            "https://a:8443",
            "http://[::1]:3000",
            "capacitor://localhost",
            "chrome-extension://abcdefgh",
            "https://*.example.com",
            "http://*.a.test:8080",
            "http://*.localhost:5173",
        ] {
            assert!(Origin::parse(origin).is_ok(), "{origin}");
        }
    }

    #[test]
    fn what_is_no_origin_is_told_what_would_be_one() {
        for (text, told) in [
            ("https://a.test/", "write \"https://a.test\""),
            (
                "https://a.test/app",
                "an origin has no path: write \"https://a.test\"",
            ),
            ("https://a.test?x", "write \"https://a.test\""),
            ("https://A.Test", "write it \"https://a.test\""),
            ("HTTPS://a.test:443/x", "write \"https://a.test\""),
            ("http://a.test:80", "write it \"http://a.test\""),
            ("https://u:p@a.test", "write it \"https://a.test\""),
            ("a.test", "write \"https://a.test\""),
            ("a.test/", "write \"https://a.test\""),
            ("https://*", "write \"*\" for any origin"),
            ("https://*.test", "at least two labels"),
            ("https://*.test:8443", "at least two labels"),
            ("https://*.A.test/", "write \"https://*.a.test\""),
            ("https://*.a.test:443", "write it \"https://*.a.test\""),
            ("https://a.*.test", "whole labels in front"),
            ("https://*a.test", "any origin, or"),
            ("https://*.*.test", "any origin, or"),
            ("https://", "a host and perhaps a port"),
            ("https://a:x", "a host and perhaps a port"),
            ("https://ä.test", "xn--"),
            ("://a", "begins with a scheme"),
            ("null", "anybody can be it"),
            ("", "this is empty"),
        ] {
            let Err(said) = Origin::parse(text) else {
                panic!("{text}");
            };
            assert!(said.contains(told), "{text}: {said}");
        }
    }
}
