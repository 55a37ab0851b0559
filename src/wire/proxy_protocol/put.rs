//! Writes headers of the PROXY protocol: the first bytes of a connection to a service that asks for them.

use std::io::Write;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::{Addresses, SIGNATURE, Version};

/// What a header of version 2 says about the connection behind it: it is the sender's own, or a
/// client's.
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
/// TCP over IPv4 and over IPv6.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

impl Version {
    /// Appends the header of a connection that is made for a client, or, without addresses, of the
    /// sender's own.
    pub fn put(self, addresses: Option<&Addresses>, out: &mut Vec<u8>) {
        // A header has one family for both ends.
        let ends = addresses.map(|addresses| {
            let Addresses {
                source,
                destination,
            } = addresses;
            match (source.ip(), destination.ip()) {
                (IpAddr::V4(from), IpAddr::V4(to)) => Ends::V4([from.octets(), to.octets()]),
                (from, to) => Ends::V6([from, to].map(in_v6)),
            }
        });
        let ports = addresses.map_or([0; 2], |both| {
            [both.source, both.destination].map(|end: SocketAddr| end.port())
        });
        match self {
            Self::V1 => put_line(ends, ports, out),
            Self::V2 => put_bytes(ends, ports, out),
        }
    }
}

/// Two addresses of one family.
#[derive(Clone, Copy)]
enum Ends {
    V4([[u8; 4]; 2]),
    V6([Ipv6Addr; 2]),
}

/// An address as one of IPv6; one of IPv4 becomes IPv4-mapped, as `HAProxy` does it.
fn in_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn put_line(ends: Option<Ends>, [from, to]: [u16; 2], out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    drop(match ends {
        None => write!(out, "PROXY UNKNOWN\r\n"),
        Some(Ends::V4(ends)) => {
            let [source, destination] = ends.map(IpAddr::from);
            write!(out, "PROXY TCP4 {source} {destination} {from} {to}\r\n")
        }
        Some(Ends::V6(ends)) => {
            let [source, destination] = ends.map(hexadecimal);
            write!(out, "PROXY TCP6 {source} {destination} {from} {to}\r\n")
        }
    });
}

/// Section 2.1 knows no address of IPv6 with dots in it.
fn hexadecimal(address: Ipv6Addr) -> String {
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] => format!("::ffff:{high:x}:{low:x}"),
        _ => address.to_string(),
    }
}

fn put_bytes(ends: Option<Ends>, ports: [u16; 2], out: &mut Vec<u8>) {
    out.extend_from_slice(SIGNATURE);
    match ends {
        None => return out.extend_from_slice(&[LOCAL, 0, 0, 0]),
        Some(Ends::V4(ends)) => {
            out.extend_from_slice(&[PROXY, TCP4, 0, 12]);
            out.extend_from_slice(ends.as_flattened());
        }
        Some(Ends::V6(ends)) => {
            out.extend_from_slice(&[PROXY, TCP6, 0, 36]);
            out.extend_from_slice(ends.map(|end| end.octets()).as_flattened());
        }
    }
    out.extend_from_slice(ports.map(u16::to_be_bytes).as_flattened());
}
