//! What the keys of ACME take: names that can be proven, and where to ask.

use http::Uri;

use crate::config::keys::Text;

/// A name of DNS that an authority can see to be ours, in lower case.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::config) struct DomainName(pub String);

/// RFC 1035 section 2.3.4.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

impl Text for DomainName {
    const NOUN: &str = "a name of DNS";
    const EXAMPLE: &str = "api.example.com";

    fn parse(text: &str) -> Result<Self, String> {
        let name = text.to_ascii_lowercase();
        let name = name.strip_suffix('.').unwrap_or(&name);
        if name.contains('*') {
            return Err(
                "a wildcard is proven by DNS-01 alone, which needs access to your DNS and is not \
                        supported: list the names, or name a certificate with this one in \
                        `tls.certificates`"
                    .to_owned(),
            );
        }
        if name.contains("://") || name.contains('/') {
            return Err("write the name alone".to_owned());
        }
        if !name.is_ascii() {
            return Err("write the name in ASCII (`xn--...`)".to_owned());
        }
        if name
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok()
        {
            return Err("certificates are ordered for names, not for addresses".to_owned());
        }
        let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let is_label = |label: &str| {
            (1..=LONGEST_LABEL).contains(&label.len())
                && label.bytes().all(letter)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if name.len() <= LONGEST_NAME && name.split('.').all(is_label) {
            return Ok(Self(name.to_owned()));
        }
        Err("this is no name of DNS".to_owned())
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

/// An address of mail.
pub(in crate::config) struct MailAddress(pub String);

impl Text for MailAddress {
    const NOUN: &str = "an address of mail";
    const EXAMPLE: &str = "ops@example.com";
    const PATTERN: &str = "[^@\\s]+@[^@\\s]+";

    fn parse(text: &str) -> Result<Self, String> {
        if let Some(address) = text.strip_prefix("mailto:") {
            return Err(format!("write \"{address}\""));
        }
        let odd =
            |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | '?' | '<' | '>');
        match text.split_once('@') {
            Some((user, host)) if !user.is_empty() && !host.is_empty() && !host.contains('@') => {}
            _ => return Err("an address has one `@` in it".to_owned()),
        }
        // RFC 8555 section 7.3: one address, without fields of a message.
        if text.contains(odd) {
            return Err("write one address and nothing else".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

/// The URL of an authority's directory.
pub(in crate::config) struct DirectoryUrl(pub String);

impl Text for DirectoryUrl {
    const NOUN: &str = "the URL of a directory";
    const EXAMPLE: &str = "https://acme-v02.api.letsencrypt.org/directory";
    const PATTERN: &str = "https://.+";

    fn parse(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|_| "this is no URL".to_owned())?;
        if uri.scheme_str() != Some("https") {
            return Err("it begins with `https://` (RFC 8555 section 6.1)".to_owned());
        }
        let authority = uri.authority().map(http::uri::Authority::as_str);
        if authority.is_none_or(|authority| authority.contains('@')) {
            return Err("behind `https://` stand a host and perhaps a port".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    fn text(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_a_name_that_can_be_proven() {
        for (text, name) in [
            ("api.example.com", "api.example.com"),
            ("API.Example.com.", "api.example.com"),
            ("gateway", "gateway"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(
                DomainName::parse(text).ok().map(|it| it.0).as_deref(),
                Some(name)
            );
        }
        let (label, long) = ("a".repeat(64), "a.".repeat(128));
        for (text, told) in [
            ("*.example.com", "DNS-01"),
            ("https://example.com", "the name alone"),
            ("example.com/", "the name alone"),
            ("bücher.example", "xn--"),
            ("203.0.113.7", "not for addresses"),
            ("[2001:db8::1]", "not for addresses"),
            ("a_b.example.com", "no name"),
            ("-a.example.com", "no name"),
            ("a..example.com", "no name"),
            ("example.com:443", "no name"),
            ("", "no name"),
            (&label, "no name"),
            (&long, "no name"),
        ] {
            let said = DomainName::parse(text)
                .err()
                .unwrap_or_else(|| panic!("{text}"));
            assert!(said.contains(told), "{text}: {said}");
        }
    }

    #[test]
    fn a_contact_is_one_address() {
        assert!(MailAddress::parse("ops@example.com").is_ok());
        for text in [
            "ops",
            "mailto:a@b",
            "a@b,c@d",
            "a@b?subject=x",
            "a b@c",
            "@b",
            "a@",
            "a@b@c",
            "",
        ] {
            assert!(MailAddress::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_directory_is_asked_by_https() {
        for url in [
            "https://ca.example/dir",
            "https://127.0.0.1:14000/dir",
            "https://[::1]/",
        ] {
            assert!(DirectoryUrl::parse(url).is_ok(), "{url}");
        }
        for url in [
            "http://ca.example/dir",
            "ca.example",
            "https://",
            "https://a@b/",
            "/dir",
            "",
        ] {
            assert!(DirectoryUrl::parse(url).is_err(), "{url}");
        }
    }
}
