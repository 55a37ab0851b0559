//! The PROXY protocol, versions 1 and 2: what a load balancer says, in front of all that a client sends,
//! about where the client's connection comes from; and what the gateway says so to services. No I/O
//! here; the specification is `doc/proxy-protocol.txt` of `HAProxy`. Whatever is malformed ends the
//! connection.

mod put;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::message::caller::canonical;
use crate::words::words;

/// How long a header of version 1 is at most, its end of line included (section 2.1).
const MOST_V1: usize = 107;
/// How long a header of version 2 may be here; it could be 64 KiB, and no sender fills a tenth of this.
const MOST_V2: usize = 2048;
/// What a header of version 2 begins with (section 2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, version and command, family and protocol, length.
const FIXED_V2: usize = 16;

words! {
    /// How a header is written.
    pub enum Version {
        /// As a line of text.
        V1 = "v1",
        /// As bytes.
        V2 = "v2",
    }
}

/// The two ends of a client's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Where it comes from.
    pub source: SocketAddr,
    /// Where the client has connected to.
    pub destination: SocketAddr,
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The client's connection. `None`: the connection is the sender's own, or of a kind that has no
    /// such addresses.
    pub addresses: Option<Addresses>,
    /// How many bytes the header has.
    pub length: usize,
}

/// The bytes are no header, or not one that is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoHeader(&'static str);

/// Reads the header that `bytes` begin with; `None` while it is not whole.
///
/// # Errors
/// As soon as it shows that there is none.
pub fn read(bytes: &[u8]) -> Result<Option<Header>, NoHeader> {
    if bytes.first() == SIGNATURE.first() {
        read_v2(bytes)
    } else {
        read_v1(bytes)
    }
}

/// Whether a request seems to begin with a header, wherever leading empty lines have been read past.
pub fn seems_begun(bytes: &[u8]) -> bool {
    let v2 = [&SIGNATURE[..], &SIGNATURE[4..]];
    let v1: [&[u8]; 2] = [b"PROXY TCP", b"PROXY UNKNOWN"];
    v1.iter().chain(&v2).any(|begin| bytes.starts_with(begin))
}

fn read_v1(bytes: &[u8]) -> Result<Option<Header>, NoHeader> {
    const BEGIN: &[u8] = b"PROXY ";
    if !bytes.starts_with(&BEGIN[..bytes.len().min(BEGIN.len())]) {
        return Err(NoHeader("there is no PROXY protocol header"));
    }
    let end = bytes.iter().take(MOST_V1).position(|b| *b == b'\n');
    let Some(end) = end else {
        return if bytes.len() >= MOST_V1 {
            Err(NoHeader("its line is too long"))
        } else {
            Ok(None)
        };
    };
    let line = bytes[..end].strip_suffix(b"\r");
    let line = line.and_then(|line| line.strip_prefix(BEGIN));
    let line = line.ok_or(NoHeader("its line does not end with CR LF"))?;
    let addresses = read_line(line)?;
    let length = end + 1;
    Ok(Some(Header { addresses, length }))
}

/// Reads what stands between `PROXY` and the end of the line.
fn read_line(line: &[u8]) -> Result<Option<Addresses>, NoHeader> {
    const MALFORMED: NoHeader = NoHeader("its line is malformed");
    let mut words = line.split(|b| *b == b' ');
    let family = words.next().unwrap_or_default();
    if family == b"UNKNOWN" {
        // What follows has to be ignored.
        return Ok(None);
    }
    let mut text = || std::str::from_utf8(words.next().unwrap_or_default()).map_err(|_| MALFORMED);
    let (source, destination) = (text()?, text()?);
    let ports = [text()?, text()?];
    let addresses = match (family, words.next()) {
        (b"TCP4", None) => both::<Ipv4Addr>([source, destination], ports),
        (b"TCP6", None) => both::<Ipv6Addr>([source, destination], ports),
        _ => None,
    };
    addresses.map(Some).ok_or(MALFORMED)
}

/// Two addresses with their ports, if all are good.
fn both<A: std::str::FromStr + Into<IpAddr>>(
    [source, destination]: [&str; 2],
    [from, to]: [&str; 2],
) -> Option<Addresses> {
    let end = |address: &str, on: &str| {
        let address: A = address.parse().ok()?;
        Some(canonical(SocketAddr::new(address.into(), port(on)?)))
    };
    Some(Addresses {
        source: end(source, from)?,
        destination: end(destination, to)?,
    })
}

fn port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    let port = text.parse().ok()?;
    (digits && !leading_zero).then_some(port)
}

fn read_v2(bytes: &[u8]) -> Result<Option<Header>, NoHeader> {
    if !bytes.starts_with(&SIGNATURE[..bytes.len().min(SIGNATURE.len())]) {
        return Err(NoHeader("there is no PROXY protocol header"));
    }
    let Some(([.., version, family, high, low], rest)) = bytes.split_first_chunk::<FIXED_V2>()
    else {
        return Ok(None);
    };
    let length = FIXED_V2 + usize::from(u16::from_be_bytes([*high, *low]));
    if length > MOST_V2 {
        return Err(NoHeader("it is too long"));
    }
    let is_local = match version {
        0x20 => true,
        0x21 => false,
        _ => return Err(NoHeader("its version or command is unknown")),
    };
    if family >> 4 > 3 || family & 15 > 2 {
        return Err(NoHeader("its family or protocol is unknown"));
    }
    let Some(rest) = rest.get(..length - FIXED_V2) else {
        return Ok(None);
    };
    let too_short = NoHeader("it is too short for its addresses");
    // What follows on the addresses says more about the connection, and is not used.
    let addresses = match family {
        _ if is_local => None,
        0x11 => Some(both_of_bytes::<4>(rest).ok_or(too_short)?),
        0x21 => Some(both_of_bytes::<16>(rest).ok_or(too_short)?),
        // A Unix socket, datagrams, or what the sender does not know.
        _ => None,
    };
    Ok(Some(Header { addresses, length }))
}

/// Two addresses of so many bytes, and their ports behind them.
fn both_of_bytes<const N: usize>(bytes: &[u8]) -> Option<Addresses>
where
    [u8; N]: Into<IpAddr>,
{
    let (source, bytes) = bytes.split_first_chunk::<N>()?;
    let (destination, bytes) = bytes.split_first_chunk::<N>()?;
    let [from, from_low, to, to_low, ..] = bytes else {
        return None;
    };
    let end = |address: [u8; N], port: [u8; 2]| {
        canonical(SocketAddr::new(address.into(), u16::from_be_bytes(port)))
    };
    Some(Addresses {
        source: end(*source, [*from, *from_low]),
        destination: end(*destination, [*to, *to_low]),
    })
}

#[cfg(test)]
mod tests;
