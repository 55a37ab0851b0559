//! What a `Host` field or a target's authority may be (RFC 3986 section 3.2.2): a name, an IPv4
//! address or an IPv6 address in brackets, and a port.

use std::net::Ipv6Addr;

use super::bytes::{HOST, number};

/// Whether `host` names a host, with or without a port. An empty one does not: no route could be
/// meant by it, and services read it differently.
pub fn is_valid(host: &[u8]) -> bool {
    let (name, port) = split(host);
    let named = match name {
        [b'[', address @ .., b']'] => {
            std::str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok())
        }
        name => !name.is_empty() && is_name(name),
    };
    named && port.is_none_or(is_port)
}

/// Whether it has the bytes of a name, and no empty label between others, which would make another name
/// of one that a route is for.
fn is_name(name: &[u8]) -> bool {
    let mut before = 0;
    name.iter().all(|&b| {
        let is_empty_label = b == b'.' && before == b'.';
        before = b;
        HOST.has(b) && !is_empty_label
    })
}

/// Splits a host from its port, if it has one. The brackets of an IPv6 address stay.
pub fn split(host: &[u8]) -> (&[u8], Option<&[u8]>) {
    let after_brackets = match host {
        [b'[', ..] => host.iter().rposition(|b| *b == b']').map_or(0, |at| at + 1),
        _ => 0,
    };
    match host[after_brackets..].iter().position(|b| *b == b':') {
        Some(at) => (
            &host[..after_brackets + at],
            Some(&host[after_brackets + at + 1..]),
        ),
        None => (host, None),
    }
}

/// Whether a name, which may have a wildcard for its first label, is for a host. Letter case does not
/// matter.
pub fn covers(own: &str, host: &[u8]) -> bool {
    let Some(parent) = own.strip_prefix("*.") else {
        return host.eq_ignore_ascii_case(own.as_bytes());
    };
    let dot = host.iter().position(|b| *b == b'.');
    dot.is_some_and(|dot| host[dot + 1..].eq_ignore_ascii_case(parent.as_bytes()))
}

fn is_port(port: &[u8]) -> bool {
    // `host:` is a host and an empty port (RFC 3986 section 3.2.3).
    port.len() <= 5 && number(port).is_some_and(|port| u16::try_from(port).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_with_and_without_ports_are_hosts() {
        for host in [
            "a",
            "a.test",
            "A-b_c~.test.",
            "a:80",
            "a:",
            "a:65535",
            "a:00080",
            "127.0.0.1:8080",
            "[::1]",
            "[::ffff:1.2.3.4]:443",
            "!$&'()*+,;=",
        ] {
            assert!(is_valid(host.as_bytes()), "{host:?}");
        }
    }

    #[test]
    fn what_is_no_host_is_told() {
        for host in [
            "",
            ":",
            ":80",
            "a:65536",
            "a:000080",
            "a:8o",
            "a:-1",
            "a:+1",
            "a:80:80",
            "a b",
            "a\tb",
            "a/b",
            "a?b",
            "a#b",
            "u@a",
            "a\\b",
            "%61",
            "\u{e9}",
            "a\u{7f}",
            "::1",
            "[]",
            "[::1",
            "::1]",
            "[::1]x",
            "[::1]]",
            "[[::1]",
            "[a]",
            "[::1%25eth0]",
            "[v1.x]",
            "[1.2.3.4]",
            "[::1]:x",
            "http://a",
            "a, b",
            "a..",
            "a..b.test:80",
        ] {
            assert!(!is_valid(host.as_bytes()), "{host:?}");
        }
    }

    #[test]
    fn a_host_is_split_from_its_port() {
        let rows = [
            ("a", "a", None),
            ("a:80", "a", Some("80")),
            ("a:", "a", Some("")),
            ("[::1]", "[::1]", None),
            ("[::1]:8", "[::1]", Some("8")),
        ];
        for (host, name, port) in rows {
            let parts = (name.as_bytes(), port.map(str::as_bytes));
            assert_eq!(split(host.as_bytes()), parts);
        }
    }
}
