//! URLs and cookie paths in an answer that are the service's own, as clients have to see them. The
//! service knows neither the prefix that a route takes off nor, always, the name that clients use.
//! What is relative, foreign, or cannot be read with certainty passes as it came.

use super::fields::{FieldRef, Fields};
use super::host;
use super::known_field::KnownField;
use super::mapping::PathMapping;
use super::sink::FieldSink;

/// What of an answer is the service's own, and what clients call it.
#[derive(Debug, Clone, Copy)]
pub struct OwnUrls<'a> {
    /// How its paths come about, where they are not those of clients.
    pub paths: Option<PathMapping<'a>>,
    /// The hosts of its endpoints: clients may not reach them, or should not.
    pub endpoints: &'a [String],
    /// The host that it was asked for, where a URL with that has to change, too.
    pub asked: Option<&'a [u8]>,
    /// Whether the service is asked without TLS: then `https` in its URLs is what it wants clients to use.
    pub plain: bool,
    /// The scheme and the host that the client has asked for; without a host, URLs become paths.
    pub public: (&'a [u8], &'a [u8]),
}

impl OwnUrls<'_> {
    /// The fields that have URLs or paths in them that are seen to here.
    const FIELDS: [KnownField; 4] = [
        KnownField::Location,
        KnownField::ContentLocation,
        KnownField::Refresh,
        KnownField::SetCookie,
    ];

    /// Whether a field is one of these.
    pub fn concern(known: KnownField) -> bool {
        Self::FIELDS.contains(&known)
    }

    /// Whether an answer has such a field.
    pub fn are_in(fields: &Fields) -> bool {
        Self::FIELDS.iter().any(|known| fields.has(*known))
    }

    /// Puts such a field as clients have to see it.
    pub fn put(&self, sink: &mut impl FieldSink, field: FieldRef<'_>) {
        sink.composed(field.name, |out| match field.known {
            KnownField::SetCookie => self.put_cookie(out, field.value),
            KnownField::Refresh => self.put_refresh(out, field.value),
            _ => self.put_url(out, field.value),
        });
    }

    fn put_url(&self, out: &mut Vec<u8>, url: &[u8]) {
        let scheme_end = match url {
            // To browsers a backslash is a slash, so this names a host.
            [b'/', b'\\', ..] => None,
            [b'/', b'/', ..] => Some(0),
            [b'/', ..] => return self.put_path_and_query(out, url),
            _ => [&b"http:"[..], b"https:"].into_iter().find_map(|scheme| {
                let (own, rest) = url.split_at_checked(scheme.len())?;
                (own.eq_ignore_ascii_case(scheme) && rest.starts_with(b"//")).then_some(own.len())
            }),
        };
        let Some(scheme_end) = scheme_end else {
            return out.extend_from_slice(url);
        };
        let (scheme, rest) = url.split_at(scheme_end);
        let rest = &rest[2..];
        let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'#'));
        let (authority, rest) = rest.split_at(end.unwrap_or(rest.len()));
        if !self.is_own(scheme, authority) {
            return out.extend_from_slice(url);
        }
        let (public_scheme, public_host) = self.public;
        // Alone, such a path would name a host; blanks and tabs in it are nothing to browsers.
        if public_host.is_empty() && matches!(rest, [b'/', b'/' | b'\\' | ..=b' ', ..]) {
            return out.extend_from_slice(url);
        }
        if !public_host.is_empty() {
            if self.sends_to_https(scheme, authority) {
                out.extend_from_slice(b"https:");
            } else if !scheme.is_empty() {
                out.extend_from_slice(public_scheme);
                out.push(b':');
            }
            out.extend_from_slice(b"//");
            out.extend_from_slice(public_host);
        }
        if !rest.starts_with(b"/") {
            self.put_path(out, b"/");
            return out.extend_from_slice(rest);
        }
        self.put_path_and_query(out, rest);
    }

    fn put_path_and_query(&self, out: &mut Vec<u8>, text: &[u8]) {
        let end = text.iter().position(|b| matches!(b, b'?' | b'#'));
        let (path, rest) = text.split_at(end.unwrap_or(text.len()));
        self.put_path(out, path);
        out.extend_from_slice(rest);
    }

    fn put_path(&self, out: &mut Vec<u8>, path: &[u8]) {
        match &self.paths {
            Some(paths) => paths.put_public(out, path),
            None => out.extend_from_slice(path),
        }
    }

    /// Whether a URL's authority is one of the service's own. A user or a backslash in it is in none.
    fn is_own(&self, scheme: &[u8], authority: &[u8]) -> bool {
        let default: &[u8] = if scheme.len() == b"https:".len() {
            b"443"
        } else {
            b"80"
        };
        let (name, port) = parts(authority, default);
        let same = |own: &[u8]| {
            let (own_name, own_port) = parts(own, default);
            !name.is_empty() && own_name.eq_ignore_ascii_case(name) && own_port == port
        };
        self.asked.is_some_and(same) || self.endpoints.iter().any(|own| same(own.as_bytes()))
    }

    /// Whether a URL of the service's own sends clients to `https`, whatever they have asked by. With the
    /// scheme of the request instead they would be sent where they are, again and again.
    fn sends_to_https(&self, scheme: &[u8], authority: &[u8]) -> bool {
        let name = |authority| host::split(authority).0;
        let is_public = name(authority).eq_ignore_ascii_case(name(self.public.1));
        scheme.eq_ignore_ascii_case(b"https:") && (self.plain || is_public)
    }

    /// `5; url=/login`, as browsers read it.
    fn put_refresh(&self, out: &mut Vec<u8>, value: &[u8]) {
        let is_time = |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b' ' | b'\t' | b';' | b',');
        let mut at = value.iter().take_while(|b| is_time(b)).count();
        let rest = &value[at..];
        if let Some((word, after)) = rest.split_at_checked(3)
            && word.eq_ignore_ascii_case(b"url")
        {
            let blanks = |text: &[u8]| text.iter().take_while(|b| b.is_ascii_whitespace()).count();
            let before = blanks(after);
            if after.get(before) == Some(&b'=') {
                at += 3 + before + 1 + blanks(&after[before + 1..]);
            }
        }
        let (quote, url) = match &value[at..] {
            [quote @ (b'"' | b'\''), url @ ..] => {
                at += 1;
                (Some(*quote), url)
            }
            url => (None, url),
        };
        let end = quote.and_then(|quote| url.iter().position(|b| *b == quote));
        let (url, rest) = url.split_at(end.unwrap_or(url.len()));
        out.extend_from_slice(&value[..at]);
        self.put_url(out, url);
        out.extend_from_slice(rest);
    }

    fn put_cookie(&self, out: &mut Vec<u8>, value: &[u8]) {
        let Some(paths) = &self.paths else {
            return out.extend_from_slice(value);
        };
        // The browser refuses such a cookie with any other path.
        let name = value.get(..b"__Host-".len());
        if name.is_some_and(|name| name.eq_ignore_ascii_case(b"__Host-")) {
            return out.extend_from_slice(value);
        }
        for (nth, part) in value.split(|b| *b == b';').enumerate() {
            if nth > 0 {
                out.push(b';');
            }
            let attribute = part.iter().position(|b| *b == b'=').filter(|_| nth > 0);
            let (name, path) = part.split_at(attribute.map_or(part.len(), |at| at + 1));
            let name_alone = name.strip_suffix(b"=").unwrap_or(name).trim_ascii();
            let path = path.trim_ascii();
            if name_alone.eq_ignore_ascii_case(b"path") && path.starts_with(b"/") {
                out.extend_from_slice(name);
                paths.put_public_cookie_path(out, path);
            } else {
                out.extend_from_slice(part);
            }
        }
    }
}

/// The name and the port of an authority.
fn parts<'a>(authority: &'a [u8], default_port: &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let (name, port) = host::split(authority);
    let port = port.filter(|port| !port.is_empty());
    (name, port.unwrap_or(default_port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::fields::fields;
    use crate::message::sink::List;

    const APP: PathMapping<'_> = PathMapping {
        public: "/app",
        base: "",
        inserted: "",
    };

    /// A field of an answer to a request for `https://shop.test/app/...`, which goes to
    /// `10.0.0.1:4002`.
    fn seen(public: &str, line: &str) -> String {
        let own = OwnUrls {
            paths: Some(APP),
            endpoints: &["10.0.0.1:4002".to_owned(), "10.0.0.2:4002".to_owned()],
            asked: Some(b"Shop.test"),
            plain: true,
            public: (b"https", public.as_bytes()),
        };
        seen_of(&own, line)
    }

    fn seen_of(own: &OwnUrls<'_>, line: &str) -> String {
        let fields = fields(&format!("{line}\r\n"));
        let mut sink = List::default();
        for field in fields.iter() {
            assert!(OwnUrls::concern(field.known), "{line}");
            own.put(&mut sink, field);
        }
        sink.0.remove(0).1
    }

    #[test]
    fn own_urls_and_paths_are_as_clients_see_them() {
        for (url, public) in [
            ("/login?to=/a#b", "/app/login?to=/a#b"),
            ("/", "/app/"),
            ("/?a", "/app/?a"),
            ("http://10.0.0.1:4002/login", "https://shop.test/app/login"),
            ("HTTP://10.0.0.1:4002", "https://shop.test/app/"),
            ("http://10.0.0.1:4002?a", "https://shop.test/app/?a"),
            ("//10.0.0.1:4002/a", "//shop.test/app/a"),
            ("http://10.0.0.2:4002/a", "https://shop.test/app/a"),
            ("http://shop.test/login", "https://shop.test/app/login"),
            ("https://SHOP.test:443/login", "https://shop.test/app/login"),
            ("http://shop.test:/app/login", "https://shop.test/app/login"),
        ] {
            assert_eq!(
                seen("shop.test", &format!("Location: {url}")),
                public,
                "{url}"
            );
        }
        assert_eq!(
            seen("", "Content-Location: http://10.0.0.1:4002/a"),
            "/app/a"
        );
        // Without a host in front it would name another one.
        for named in ["//evil.test/", "/\\evil.test", "/\t/evil.test"] {
            let url = format!("http://10.0.0.1:4002{named}");
            assert_eq!(seen("", &format!("Location: {url}")), url);
        }
    }

    #[test]
    fn where_paths_are_the_same_only_the_hosts_of_endpoints_change() {
        let own = OwnUrls {
            paths: None,
            endpoints: &["10.0.0.1:4002".to_owned()],
            asked: None,
            plain: true,
            public: (b"https", b"shop.test"),
        };
        for (line, public) in [
            (
                "Location: http://10.0.0.1:4002/a?b",
                "https://shop.test/a?b",
            ),
            ("Location: http://10.0.0.1:4002", "https://shop.test/"),
            (
                "Refresh: 1; url=http://10.0.0.1:4002/a",
                "1; url=https://shop.test/a",
            ),
            ("Location: /a", "/a"),
            ("Location: http://shop.test/a", "http://shop.test/a"),
            ("Set-Cookie: id=1; Path=/", "id=1; Path=/"),
            ("Set-Cookie: id=1;path = /a/", "id=1;path = /a/"),
        ] {
            assert_eq!(seen_of(&own, line), public, "{line}");
        }
    }

    /// As Django has it with `SECURE_SSL_REDIRECT`, and Rails with `force_ssl`.
    #[test]
    fn a_redirect_to_https_stays_one() {
        let (shop, endpoint) = ("shop.test", "10.0.0.1:4002");
        for (plain, url, public) in [
            (true, "https://shop.test/a?b", "https://shop.test/app/a?b"),
            (true, "HTTPS://Shop.test:443/a", "https://shop.test/app/a"),
            (true, "https://10.0.0.1:4002/a", "https://shop.test/app/a"),
            (true, "http://shop.test/a", "http://shop.test/app/a"),
            (true, "http://10.0.0.1:4002/a", "http://shop.test/app/a"),
            (true, "//10.0.0.1:4002/a", "//shop.test/app/a"),
            (false, "https://shop.test/a", "https://shop.test/app/a"),
            // That is how the service is asked, and says nothing about clients.
            (false, "https://10.0.0.1:4002/a", "http://shop.test/app/a"),
        ] {
            let own = OwnUrls {
                paths: Some(APP),
                endpoints: &[endpoint.to_owned()],
                asked: Some(shop.as_bytes()),
                plain,
                public: (b"http", shop.as_bytes()),
            };
            assert_eq!(seen_of(&own, &format!("Location: {url}")), public, "{url}");
            if public.starts_with("https:") {
                let refresh = seen_of(&own, &format!("Refresh: 0; url={url}"));
                assert_eq!(refresh, format!("0; url={public}"));
            }
        }
    }

    #[test]
    fn foreign_and_relative_ones_stay() {
        for url in [
            "",
            "login",
            "../login",
            "./",
            "?a",
            "#a",
            "http://example.com/login",
            "//example.com/login",
            "http://10.0.0.1/login",
            "http://shop.test:8080/login",
            "https://shop.test:80/login",
            "http://a@shop.test/",
            "http://shop.test\\@example.com/",
            "http:/login",
            "http:login",
            "http:///login",
            "/\\example.com",
            "mailto:a@shop.test",
            "ftp://shop.test/a",
            "javascript:void(0)",
        ] {
            assert_eq!(seen("shop.test", &format!("Location: {url}")), url);
        }
    }

    #[test]
    fn the_url_of_a_refresh_is_found() {
        for (value, public) in [
            ("5; url=/login", "5; url=/app/login"),
            ("0;URL = '/a?b'; x", "0;URL = '/app/a?b'; x"),
            ("1.5, url=\"/a\"", "1.5, url=\"/app/a\""),
            ("5 /a", "5 /app/a"),
            ("5;/url", "5;/app/url"),
            ("5; url=http://example.com/", "5; url=http://example.com/"),
            ("5", "5"),
            ("", ""),
            ("5; url", "5; url"),
            ("5; url='", "5; url='"),
        ] {
            assert_eq!(
                seen("shop.test", &format!("Refresh: {value}")),
                public,
                "{value}"
            );
        }
    }

    #[test]
    fn paths_of_cookies_are_found() {
        for (value, public) in [
            ("id=1; Path=/; HttpOnly", "id=1; Path=/app; HttpOnly"),
            ("id=1;path = /admin;Secure", "id=1;path =/app/admin;Secure"),
            ("id=1; Path=/; PATH=/a", "id=1; Path=/app; PATH=/app/a"),
            ("path=/; Path=/app/x", "path=/; Path=/app/x"),
            ("id=1", "id=1"),
            ("id=1; Path", "id=1; Path"),
            ("id=1; Path=", "id=1; Path="),
            ("id=1; Path=a", "id=1; Path=a"),
            (
                "id=1; Domain=shop.test; Path=\"/\"",
                "id=1; Domain=shop.test; Path=\"/\"",
            ),
            ("__Host-id=1; Path=/; Secure", "__Host-id=1; Path=/; Secure"),
        ] {
            assert_eq!(
                seen("shop.test", &format!("Set-Cookie: {value}")),
                public,
                "{value}"
            );
        }
    }
}
