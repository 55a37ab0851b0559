//! A request's target taken apart (RFC 9112 section 3.2): the path and query that it names and,
//! when it names one itself, the authority.

use http::Method;

use super::host;

/// The parts of a request target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestTarget<'a> {
    /// As it came; `*` for a request about the gateway as a whole.
    pub path: &'a [u8],
    /// Without its question mark.
    pub query: Option<&'a [u8]>,
    /// Of an absolute target; it counts instead of the `Host` field.
    pub authority: Option<&'a [u8]>,
}

/// Why a target cannot be used. The texts are for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    /// It is neither a path nor a URL.
    #[error("The request target is neither a path nor an http URL.")]
    Form,
    /// A fragment is never sent.
    #[error("The request target has a fragment (#), which is never sent.")]
    Fragment,
    /// The authority is missing or malformed.
    #[error("The URL in the request line does not name a host.")]
    Authority,
}

impl<'a> RequestTarget<'a> {
    /// Takes a target apart. `*` is for OPTIONS only.
    pub fn parse(target: &'a [u8], method: &Method) -> Result<Self, InvalidTarget> {
        if memchr::memchr(b'#', target).is_some() {
            return Err(InvalidTarget::Fragment);
        }
        match target {
            [b'/', ..] => Ok(Self::split(target, None)),
            b"*" if *method == Method::OPTIONS => Ok(Self {
                path: target,
                query: None,
                authority: None,
            }),
            _ => Self::absolute(target, method),
        }
    }

    fn absolute(target: &'a [u8], method: &Method) -> Result<Self, InvalidTarget> {
        let after = |scheme: &[u8]| {
            let (head, rest) = target.split_at_checked(scheme.len())?;
            head.eq_ignore_ascii_case(scheme).then_some(rest)
        };
        let rest = after(b"http://")
            .or_else(|| after(b"https://"))
            .ok_or(InvalidTarget::Form)?;
        let end = rest
            .iter()
            .position(|b| matches!(b, b'/' | b'?'))
            .unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        // The rules for a host leave no room for a user and a password.
        if !host::is_valid(authority) {
            return Err(InvalidTarget::Authority);
        }
        // RFC 9112 section 3.2.4: this is how `OPTIONS *` comes by way of a proxy.
        if path.is_empty() && *method == Method::OPTIONS {
            return Ok(Self {
                path: b"*",
                query: None,
                authority: Some(authority),
            });
        }
        Ok(Self::split(path, Some(authority)))
    }

    fn split(path: &'a [u8], authority: Option<&'a [u8]>) -> Self {
        let (path, query) = match memchr::memchr(b'?', path) {
            Some(at) => (&path[..at], Some(&path[at + 1..])),
            None => (path, None),
        };
        // RFC 9110 section 4.2.3: an empty path is the root.
        Self {
            path: if path.is_empty() { b"/" } else { path },
            query,
            authority,
        }
    }
}

/// A host without its port; the brackets of an IPv6 address stay.
pub fn host_without_port(host: &[u8]) -> &[u8] {
    host::split(host).0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(target: &str) -> Result<(String, Option<String>, Option<String>), InvalidTarget> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let target = RequestTarget::parse(target.as_bytes(), &Method::GET)?;
        Ok((
            text(target.path),
            target.query.map(text),
            target.authority.map(text),
        ))
    }

    #[test]
    fn paths_and_urls_are_taken_apart() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parts("/a?b?c"), Ok(("/a".into(), some("b?c"), None)));
        assert_eq!(parts("/a?"), Ok(("/a".into(), some(""), None)));
        assert_eq!(parts("//host/a"), Ok(("//host/a".into(), None, None)));
        assert_eq!(
            parts("HTTP://h.test:80/a?b"),
            Ok(("/a".into(), some("b"), some("h.test:80")))
        );
        assert_eq!(
            parts("https://[::1]"),
            Ok(("/".into(), None, some("[::1]")))
        );
        assert_eq!(
            parts("http://h?/a"),
            Ok(("/".into(), some("/a"), some("h")))
        );
    }

    #[test]
    fn other_targets_are_refused() {
        for target in [
            "", "a", "h:80", "ftp://h/", "http:/h/", "http//h", "*", "?a",
        ] {
            assert_eq!(parts(target), Err(InvalidTarget::Form), "{target}");
        }
        for target in [
            "http://",
            "http:///a",
            "http://u@h/",
            "http://u:p@h/",
            "http://h:x/",
            "http://h:99999/",
            "http://a b/",
        ] {
            assert_eq!(parts(target), Err(InvalidTarget::Authority), "{target}");
        }
        assert_eq!(parts("/a#b"), Err(InvalidTarget::Fragment));
    }

    #[test]
    fn options_may_ask_about_the_server_as_a_whole() {
        for (target, path) in [
            ("*", "*"),
            ("http://h", "*"),
            ("http://h/", "/"),
            ("http://h?", "/"),
        ] {
            let target = RequestTarget::parse(target.as_bytes(), &Method::OPTIONS).unwrap();
            assert_eq!(target.path, path.as_bytes());
        }
        let target = RequestTarget::parse(b"*?q", &Method::OPTIONS);
        assert_eq!(target, Err(InvalidTarget::Form));
    }

    #[test]
    fn a_host_is_parted_from_its_port() {
        assert_eq!(host_without_port(b"h.test:80"), b"h.test");
        assert_eq!(host_without_port(b"[::1]:80"), b"[::1]");
        assert_eq!(host_without_port(b"[::1]"), b"[::1]");
    }
}
