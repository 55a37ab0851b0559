//! Where a request comes from: the other end of the connection or, when that is a trusted proxy,
//! the first address from the right in `X-Forwarded-For` that is not.

use std::io::Write;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::tls::{AskedClient, ClientCertificate};

use super::fields::Fields;
use super::known_field::KnownField;
use super::protocol::Scheme;

/// The other end of a client's connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'c> {
    /// Its address.
    pub address: IpAddr,
    /// And its port there; 0 where that is not known.
    pub port: u16,
    /// Where it has come in.
    pub entry: Entry<'c>,
}

/// What a client speaks where it has come in, and what it finds there.
#[derive(Debug, Clone, Copy)]
pub enum Entry<'c> {
    /// It speaks in clear.
    Plain,
    /// It speaks in clear, and is sent to `https`.
    Redirecting,
    /// It speaks TLS.
    Tls(&'c TlsPeer),
}

/// What was agreed upon with a client that speaks TLS.
#[derive(Debug, Clone)]
pub struct TlsPeer {
    /// Such as `1.3`.
    pub version: &'static str,
    /// The cipher suite, as IANA names it.
    pub cipher: &'static str,
    /// The name that the client has asked for (RFC 6066 section 3), in lower case.
    pub sni: Option<Box<str>>,
    /// What came of it if the client was asked for a certificate.
    pub asked: Option<Box<AskedClient>>,
}

impl TlsPeer {
    /// What the client has proved itself with.
    pub fn certificate(&self) -> Option<&ClientCertificate> {
        self.asked.as_ref()?.certificate()
    }
}

impl<'c> Peer<'c> {
    /// A client that has connected from there.
    pub fn new(from: SocketAddr, entry: Entry<'c>) -> Self {
        Self {
            address: from.ip(),
            port: from.port(),
            entry,
        }
    }

    /// What the URLs begin with that it asks for.
    pub fn scheme(&self) -> Scheme {
        match self.entry {
            Entry::Plain | Entry::Redirecting => Scheme::Http,
            Entry::Tls(_) => Scheme::Https,
        }
    }

    /// What was agreed upon, if it speaks TLS.
    pub fn tls(&self) -> Option<&'c TlsPeer> {
        match self.entry {
            Entry::Plain | Entry::Redirecting => None,
            Entry::Tls(tls) => Some(tls),
        }
    }
}

/// The caller's address. `trusts` says whose word is taken.
pub fn caller(peer: IpAddr, fields: &Fields, trusts: impl Fn(IpAddr) -> bool) -> IpAddr {
    walk(SocketAddr::new(peer, 0), fields, trusts).0.ip()
}

/// The same with the caller's port. It is 0 if a trusted proxy names the address alone, as most do.
pub fn caller_with_port(
    peer: Peer,
    fields: &Fields,
    trusts: impl Fn(IpAddr) -> bool,
) -> SocketAddr {
    walk(SocketAddr::new(peer.address, peer.port), fields, trusts).0
}

/// Whether that is who has called: false where a trusted proxy has said something that is no address,
/// such as `unknown`. Its own address stands for the caller then, which is right for counting, and
/// wrong for rules about who may come in.
pub fn is_certain(peer: IpAddr, fields: &Fields, trusts: impl Fn(IpAddr) -> bool) -> bool {
    walk(SocketAddr::new(peer, 0), fields, trusts).1
}

/// The well-known prefix of NAT64, of 96 bits.
const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);

/// An address as rules and limits see it: an IPv4-mapped one and one of NAT64 (RFC 6052) are the IPv4
/// address in them, for all IPv4 callers come from one network there.
pub fn plain_address(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if v6.to_bits() >> 32 == NAT64.to_bits() >> 32 => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::from([a, b, c, d])
        }
        other => other,
    }
}

fn walk(peer: SocketAddr, fields: &Fields, trusts: impl Fn(IpAddr) -> bool) -> (SocketAddr, bool) {
    let mut caller = canonical(peer);
    if !trusts(caller.ip()) {
        return (caller, true);
    }
    // Several fields are one list (RFC 9110 section 5.3); walked from its end.
    let hops: Vec<&[u8]> = fields.list_items(KnownField::XForwardedFor).collect();
    for hop in hops.into_iter().rev() {
        // What cannot be read breaks the chain: the last hop that is known has to answer for it.
        let Some(address) = parse(hop) else {
            return (caller, false);
        };
        caller = canonical(address);
        if !trusts(caller.ip()) {
            break;
        }
    }
    (caller, true)
}

/// An IPv4-mapped address as the IPv4 address that it is.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// An address as it stands in the field: bare, in brackets, or with a port.
fn parse(hop: &[u8]) -> Option<SocketAddr> {
    let hop = std::str::from_utf8(hop).ok()?;
    let bare = hop
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(hop);
    let bare = bare.parse().ok();
    bare.map(|address| SocketAddr::new(address, 0))
        .or_else(|| hop.parse().ok())
}

/// Appends an address; an IPv4-mapped one as the IPv4 address that it is.
pub fn put_address(out: &mut Vec<u8>, address: IpAddr) {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            for octet in address.octets() {
                put_octet_and_dot(out, octet);
            }
            out.pop();
        }
        // Writing to a vector cannot fail.
        IpAddr::V6(address) => drop(write!(out, "{address}")),
    }
}

fn put_octet_and_dot(out: &mut Vec<u8>, octet: u8) {
    let digit = |n: u8| b'0' + n % 10;
    match octet {
        0..=9 => out.extend_from_slice(&[digit(octet), b'.']),
        10..=99 => out.extend_from_slice(&[digit(octet / 10), digit(octet), b'.']),
        100.. => {
            let hundreds = digit(octet / 100);
            out.extend_from_slice(&[hundreds, digit(octet / 10), digit(octet), b'.']);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::fields::fields;

    /// Who called, if `10.0.0.0/8` is trusted and the fields are these.
    fn called(peer: &str, lines: &str) -> String {
        let trusts = |address: IpAddr| matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 10);
        caller(peer.parse().unwrap(), &fields(lines), trusts).to_string()
    }

    #[test]
    fn a_stranger_answers_for_itself() {
        assert_eq!(
            called("192.0.2.1", "X-Forwarded-For: 203.0.113.9\r\n"),
            "192.0.2.1"
        );
        assert_eq!(called("::ffff:192.0.2.1", ""), "192.0.2.1");
    }

    #[test]
    fn a_trusted_proxy_is_believed_from_the_right() {
        assert_eq!(
            called("10.0.0.1", "X-Forwarded-For: 203.0.113.9\r\n"),
            "203.0.113.9"
        );
        assert_eq!(
            called(
                "10.0.0.1",
                "X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.0.0.2\r\n"
            ),
            "203.0.113.9"
        );
        assert_eq!(
            called(
                "::ffff:10.0.0.1",
                "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: [2001:db8::1]:443\r\n"
            ),
            "2001:db8::1"
        );
        assert_eq!(
            called("10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2\r\n"),
            "10.0.0.3"
        );
        assert_eq!(called("10.0.0.1", ""), "10.0.0.1");
    }

    #[test]
    fn the_port_is_the_callers_or_0() {
        let trusts = |address: IpAddr| address == IpAddr::from([10, 0, 0, 1]);
        let called = |address: [u8; 4], lines| {
            let peer = Peer {
                address: IpAddr::from(address),
                port: 7000,
                entry: Entry::Plain,
            };
            caller_with_port(peer, &fields(lines), trusts).to_string()
        };
        let proxy = [10, 0, 0, 1];
        for (peer, lines, caller) in [
            (
                [192, 0, 2, 1],
                "X-Forwarded-For: 1.1.1.1\r\n",
                "192.0.2.1:7000",
            ),
            (proxy, "", "10.0.0.1:7000"),
            (proxy, "X-Forwarded-For: 1.1.1.1\r\n", "1.1.1.1:0"),
            (proxy, "X-Forwarded-For: 1.1.1.1:81\r\n", "1.1.1.1:81"),
            (
                proxy,
                "X-Forwarded-For: [::ffff:1.1.1.1]:81\r\n",
                "1.1.1.1:81",
            ),
            (proxy, "X-Forwarded-For: ::1\r\n", "[::1]:0"),
            (proxy, "X-Forwarded-For: unknown\r\n", "10.0.0.1:7000"),
        ] {
            assert_eq!(called(peer, lines), caller, "{lines}");
        }
    }

    #[test]
    fn what_cannot_be_read_ends_the_chain() {
        assert_eq!(
            called(
                "10.0.0.1",
                "X-Forwarded-For: 1.1.1.1, unknown, 10.0.0.2\r\n"
            ),
            "10.0.0.2"
        );
        assert_eq!(
            called("10.0.0.1", "X-Forwarded-For: _hidden\r\n"),
            "10.0.0.1"
        );
    }
}
