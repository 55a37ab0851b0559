//! Headers by hand, and any bytes beside another reader.

use proptest::prelude::*;

use super::*;

/// A header of version 2 with these addresses and what follows them.
fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[command, family], &length, rest].concat()
}

/// Who a header says that the client is: an address, or `own` for the sender itself.
fn said(bytes: &[u8]) -> String {
    match read(bytes) {
        Ok(Some(header)) => {
            assert_eq!(header.length, bytes.len());
            header
                .addresses
                .map_or("own".into(), |both| both.source.ip().to_string())
        }
        Ok(None) => "more".into(),
        Err(why) => why.to_string(),
    }
}

#[test]
fn version_1() {
    let rows = [
        ("PROXY TCP4 192.0.2.1 10.0.0.1 5000 443\r\n", "192.0.2.1"),
        ("PROXY TCP6 2001:db8::1 ::1 65535 0\r\n", "2001:db8::1"),
        ("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 1\r\n", "192.0.2.1"),
        ("PROXY UNKNOWN\r\n", "own"),
        ("PROXY UNKNOWN ffff::1 whatever it is\r\n", "own"),
        ("PROXY TCP4 192.0.2.1 10.0.0.1 5000 443\r", "more"),
        ("PRO", "more"),
        ("", "more"),
    ];
    for (line, client) in rows {
        assert_eq!(said(line.as_bytes()), client, "{line:?}");
    }
    let malformed = [
        "PROXY TCP4 192.0.2.1 10.0.0.1 5000 443\n",
        "PROXY TCP4 192.0.2.1  10.0.0.1 5000 443\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 5000 65536\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 +500 443\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 5000\r\n",
        "PROXY TCP4 192.0.2.1 10.0.0.1 5000 443 1\r\n",
        "PROXY TCP4 192.0.2.01 10.0.0.1 5000 443\r\n",
        "PROXY TCP4 ::1 ::1 5000 443\r\n",
        "PROXY TCP6 192.0.2.1 10.0.0.1 5000 443\r\n",
        "PROXY UDP4 192.0.2.1 10.0.0.1 5000 443\r\n",
        "PROXY \r\n",
        "GET / HTTP/1.1\r\n",
    ];
    for line in malformed {
        assert!(read(line.as_bytes()).is_err(), "{line:?}");
    }
    // The longest line there is, and one byte more.
    let longest = |length| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16));
    assert_eq!(said(longest(MOST_V1).as_bytes()), "own");
    assert!(read(longest(MOST_V1 + 1).as_bytes()).is_err());
    assert!(read(&longest(4000).as_bytes()[..MOST_V1]).is_err());
}

#[test]
fn version_2() {
    let v4 = [192, 0, 2, 1, 10, 0, 0, 1, 19, 136, 1, 187];
    let mut v6 = [0; 36];
    v6[..2].copy_from_slice(&[0x20, 1]);
    v6[15] = 9;
    let more = [&v4[..], &[3, 0, 4, 1, 2, 3, 4]].concat();
    let rows = [
        (v2(0x21, 0x11, &v4), "192.0.2.1"),
        (v2(0x21, 0x11, &more), "192.0.2.1"),
        (v2(0x21, 0x21, &v6), "2001::9"),
        (v2(0x20, 0x11, &v4), "own"),
        (v2(0x20, 0, &[]), "own"),
        (v2(0x21, 0, &[]), "own"),
        (v2(0x21, 0x31, &[b'x'; 216]), "own"),
        (v2(0x21, 0x12, &v4), "own"),
        (v2(0x20, 0, &[0; MOST_V2 - FIXED_V2]), "own"),
        (v2(0x21, 0x11, &v4)[..20].to_vec(), "more"),
        (SIGNATURE[..7].to_vec(), "more"),
    ];
    for (bytes, client) in rows {
        assert_eq!(said(&bytes), client, "{bytes:?}");
    }
    let malformed = [
        v2(0x21, 0x11, &v4[..11]),
        v2(0x21, 0x21, &v6[..35]),
        v2(0x11, 0x11, &v4),
        v2(0x22, 0x11, &v4),
        v2(0x21, 0x41, &v4),
        v2(0x21, 0x13, &v4),
        // Known from the first 16 bytes.
        v2(0x21, 0x11, &[0; MOST_V2 - FIXED_V2 + 1])[..FIXED_V2].to_vec(),
        v2(0x21, 0x11, &vec![0; 65535])[..FIXED_V2].to_vec(),
        b"\r\n\r\nGET / HTTP/1.1\r\n\r\n".to_vec(),
    ];
    for bytes in malformed {
        assert!(read(&bytes).is_err(), "{bytes:?}");
    }
}

#[test]
fn a_header_in_the_wrong_place_is_recognized() {
    let rows: [(&[u8], bool); 5] = [
        (b"PROXY TCP4 192.0.2.1 10.0.0.1 1 2\r\n", true),
        (SIGNATURE, true),
        (&SIGNATURE[4..], true),
        (b"PROXY /x HTTP/1.1\r\n", false),
        (b"GET / HTTP/1.1\r\n", false),
    ];
    for (bytes, begun) in rows {
        assert_eq!(seems_begun(bytes), begun, "{bytes:?}");
    }
}

/// Headers that are right or nearly so, and what follows them.
fn headers() -> impl Strategy<Value = Vec<u8>> {
    let lines = "(PROXY|proxy) (TCP4|TCP6|UNKNOWN|TCP5)( (192\\.0\\.2\\.1|1\\.2\\.3|2001:db8::1|::ffff:1\\.2\\.3\\.4|x)){0,3}( [0-9]{1,6}){0,3}(\r\n|\n|\r)";
    let second = (
        prop_oneof![Just(0x20_u8), Just(0x21), any::<u8>()],
        prop_oneof![Just(0x11_u8), Just(0x21), Just(0), Just(0x31), any::<u8>()],
        prop::collection::vec(any::<u8>(), 0..60),
    );
    let second = second.prop_map(|(command, family, rest)| v2(command, family, &rest));
    let either = prop_oneof![good(), lines.prop_map(String::into_bytes), second];
    (either, prop::collection::vec(any::<u8>(), 0..20))
        .prop_map(|(header, more)| [header, more].concat())
}

/// Headers that are right.
fn good() -> impl Strategy<Value = Vec<u8>> {
    let ports = any::<[u16; 2]>();
    let first = (
        any::<[[u8; 4]; 2]>(),
        any::<[[u8; 16]; 2]>(),
        ports,
        any::<bool>(),
    );
    let first = first.prop_map(|(v4, v6, [from, to], is_v4)| {
        let [v4, v6] = [v4.map(IpAddr::from), v6.map(IpAddr::from)];
        let (family, [source, destination]) = if is_v4 { ("TCP4", v4) } else { ("TCP6", v6) };
        format!("PROXY {family} {source} {destination} {from} {to}\r\n").into_bytes()
    });
    let second = (
        any::<[[u8; 12]; 3]>(),
        any::<bool>(),
        any::<bool>(),
        any::<u8>(),
    );
    let second = second.prop_map(|(addresses, is_v4, is_local, more)| {
        let (family, addresses) = if is_v4 {
            (0x11, addresses[0].to_vec())
        } else {
            (0x21, addresses.concat())
        };
        let tlv = [4, 0, 1, more];
        v2(
            0x21 - u8::from(is_local),
            family,
            &[&addresses, &tlv[..]].concat(),
        )
    });
    prop_oneof![first.boxed(), second.boxed()]
}

/// What another reader takes: where the connection comes from and leads to, and how long the header is.
type Theirs = Option<(Option<Addresses>, usize)>;

fn by_proxy_header(bytes: &[u8]) -> Theirs {
    let parsed = proxy_header::ProxyHeader::parse(bytes, proxy_header::ParseConfig::default());
    let (header, length) = parsed.ok()?;
    let address = header.proxied_address();
    let address = address.filter(|a| a.protocol == proxy_header::Protocol::Stream);
    let addresses = address.map(|both| Addresses {
        source: canonical(both.source),
        destination: canonical(both.destination),
    });
    Some((addresses, length))
}

fn by_ppp(bytes: &[u8]) -> Theirs {
    use ppp::{HeaderResult, v1, v2};
    let v4 = |ip: v2::IPv4| {
        let source = SocketAddr::new(ip.source_address.into(), ip.source_port);
        [
            source,
            SocketAddr::new(ip.destination_address.into(), ip.destination_port),
        ]
    };
    let v6 = |ip: v2::IPv6| {
        let source = SocketAddr::new(ip.source_address.into(), ip.source_port);
        [
            source,
            SocketAddr::new(ip.destination_address.into(), ip.destination_port),
        ]
    };
    let (ends, length) = match HeaderResult::parse(bytes) {
        HeaderResult::V1(header) => {
            let header = header.ok()?;
            let ends = match header.addresses {
                v1::Addresses::Unknown => None,
                v1::Addresses::Tcp4(ip) => Some(v4(ip)),
                v1::Addresses::Tcp6(ip) => Some(v6(ip)),
            };
            (ends, header.header.len())
        }
        HeaderResult::V2(header) => {
            let header = header.ok()?;
            let ends = match header.addresses {
                v2::Addresses::IPv4(ip) => Some(v4(ip)),
                v2::Addresses::IPv6(ip) => Some(v6(ip)),
                v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
            };
            let is_named =
                header.command == v2::Command::Proxy && header.protocol == v2::Protocol::Stream;
            (ends.filter(|_| is_named), header.len())
        }
    };
    let addresses = ends.map(|[source, destination]| Addresses {
        source: canonical(source),
        destination: canonical(destination),
    });
    Some((addresses, length))
}

/// The header of this version for a connection between these.
fn written(version: Version, ends: Option<[&str; 2]>) -> Vec<u8> {
    let mut out = b"before".to_vec();
    let addresses = ends.map(|ends| {
        let [source, destination] = ends.map(|end| end.parse().unwrap());
        Addresses {
            source,
            destination,
        }
    });
    version.put(addresses.as_ref(), &mut out);
    out.split_off(6)
}

#[test]
fn headers_are_written_as_the_specification_has_them() {
    let v6 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe";
    let longest = format!("[{v6}]:65535");
    let lines = [
        (
            Some(["192.0.2.1:5000", "10.0.0.1:443"]),
            "PROXY TCP4 192.0.2.1 10.0.0.1 5000 443\r\n".to_owned(),
        ),
        (
            Some(["[2001:db8::1]:5000", "[::1]:443"]),
            "PROXY TCP6 2001:db8::1 ::1 5000 443\r\n".to_owned(),
        ),
        (
            Some(["[2001:db8::1]:0", "192.0.2.1:443"]),
            "PROXY TCP6 2001:db8::1 ::ffff:c000:201 0 443\r\n".to_owned(),
        ),
        (
            Some(["192.0.2.1:5000", "[::1]:443"]),
            "PROXY TCP6 ::ffff:c000:201 ::1 5000 443\r\n".to_owned(),
        ),
        (
            Some([&*longest, &*longest]),
            format!("PROXY TCP6 {v6} {v6} 65535 65535\r\n"),
        ),
        (None, "PROXY UNKNOWN\r\n".to_owned()),
    ];
    for (ends, line) in lines {
        let written = String::from_utf8(written(Version::V1, ends)).unwrap();
        assert_eq!(written, line);
        assert!(written.len() <= MOST_V1);
    }
    let v4 = [192, 0, 2, 1, 10, 0, 0, 1, 0x13, 0x88, 1, 0xbb];
    let ends = ["192.0.2.1:5000", "10.0.0.1:443"];
    assert_eq!(written(Version::V2, Some(ends)), v2(0x21, 0x11, &v4));
    assert_eq!(written(Version::V2, None), v2(0x20, 0, &[]));
    let mixed = written(Version::V2, Some(["[2001:db8::1]:5000", "10.0.0.1:443"]));
    assert_eq!(mixed[..16], v2(0x21, 0x21, &[0; 36])[..16]);
    assert_eq!(mixed[42..], [0xff, 0xff, 10, 0, 0, 1, 0x13, 0x88, 1, 0xbb]);
}

proptest! {
    /// What is written is read again, here and elsewhere.
    #[test]
    fn what_is_written_is_read_again(
        v4 in any::<[[u8; 4]; 2]>(),
        v6 in any::<[[u8; 16]; 2]>(),
        is_v4 in any::<[bool; 2]>(),
        ports in any::<[u16; 2]>(),
        is_own in any::<bool>(),
    ) {
        let end = |n: usize| {
            let address = if is_v4[n] { v4[n].into() } else { IpAddr::from(v6[n]) };
            canonical(SocketAddr::new(address, ports[n]))
        };
        let addresses = Addresses { source: end(0), destination: end(1) };
        let addresses = (!is_own).then_some(addresses);
        for version in [Version::V1, Version::V2] {
            let mut bytes = Vec::new();
            version.put(addresses.as_ref(), &mut bytes);
            let length = bytes.len();
            prop_assert_eq!(read(&bytes), Ok(Some(Header { addresses, length })));
            prop_assert_eq!(by_proxy_header(&bytes), Some((addresses, length)));
            prop_assert_eq!(by_ppp(&bytes), Some((addresses, length)));
        }
    }

    /// What is right, they read in the same way.
    #[test]
    fn other_readers_agree(bytes in good()) {
        let ours = read(&bytes).unwrap().expect("it is whole");
        let ours = Some((ours.addresses, ours.length));
        prop_assert_eq!(by_proxy_header(&bytes), ours);
        prop_assert_eq!(by_ppp(&bytes), ours);
    }

    /// Where they take what is only nearly right, they take it for the same.
    #[test]
    fn no_address_is_read_in_two_ways(bytes in headers()) {
        if let Ok(Some(ours)) = read(&bytes) {
            let ours = (ours.addresses, ours.length);
            prop_assert_eq!(by_proxy_header(&bytes).unwrap_or(ours), ours);
            prop_assert_eq!(by_ppp(&bytes).unwrap_or(ours), ours);
        }
    }

    /// However the bytes arrive, and whatever they are.
    #[test]
    fn pieces_and_noise_change_nothing(
        bytes in headers(),
        cut in 0..80_usize,
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let whole = read(&bytes);
        let piece = read(&bytes[..cut.min(bytes.len())]);
        prop_assert!(piece == Ok(None) || piece == whole, "{:?} {:?}", piece, whole);
        let _ = read(&noise);
    }
}
