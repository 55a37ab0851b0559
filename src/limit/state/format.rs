//! What a state file holds, byte by byte: a head, one record a counter, an end. Numbers are of
//! eight bytes, little-endian, and names have their length before them in two.
//!
//! ```text
//! head     "tollgate limits 1\n", then when it was written, in milliseconds since 1970
//! record   kind (1 client, 2 IPv4, 3 IPv6, 4 route), policy, name or address,
//!          spent, spent in the window before, the counter's time, when it ends
//! end      0
//! ```
//!
//! The two times are relative to when the file was written; the first may be negative.

use std::collections::HashSet;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::limit::algorithm::Counter;
use crate::limit::key::Key;
use crate::limit::memory::Entry;
use crate::limit::policy::CounterName;
use crate::limit::{MemoryStore, Who};

const HEAD: &[u8; 18] = b"tollgate limits 1\n";
/// What the heads of all versions begin with.
const ANY_HEAD: &[u8] = b"tollgate limits ";

const END: u8 = 0;
const CLIENT: u8 = 1;
const IPV4: u8 = 2;
const IPV6: u8 = 3;
const ROUTE: u8 = 4;

/// Begins a file.
pub(super) fn put_head(file: &mut Vec<u8>, wall_ms: u64) {
    file.extend_from_slice(HEAD);
    file.extend_from_slice(&wall_ms.to_le_bytes());
}

/// Adds a counter, if it still matters; says whether it does.
pub(super) fn put(file: &mut Vec<u8>, entry: &Entry, now_ms: u64) -> bool {
    let counter = entry.counter;
    if entry.ends_ms <= now_ms || !put_who(file, &entry.key.counter, &entry.key.who) {
        return false;
    }
    // Two's complement: the difference is right in both directions.
    let relative = [counter.at_ms, entry.ends_ms].map(|at_ms| at_ms.wrapping_sub(now_ms));
    for number in [counter.spent, counter.before].into_iter().chain(relative) {
        file.extend_from_slice(&number.to_le_bytes());
    }
    true
}

/// Adds the name of a policy or its counters, and for whom it counts; `false` and nothing if a name
/// is too long, which none that the configuration admits is.
pub(in crate::limit) fn put_who(file: &mut Vec<u8>, policy: &str, who: &Who) -> bool {
    let length = |name: &str| u16::try_from(name.len()).ok().map(u16::to_le_bytes);
    let (Some(length_of_policy), Some(length_of_name)) = (length(policy), length(name_of(who)))
    else {
        return false;
    };
    file.push(match who {
        Who::Client(_) => CLIENT,
        Who::Address(IpAddr::V4(_)) => IPV4,
        Who::Address(IpAddr::V6(_)) => IPV6,
        Who::Route(_) => ROUTE,
    });
    file.extend_from_slice(&length_of_policy);
    file.extend_from_slice(policy.as_bytes());
    match who {
        Who::Address(IpAddr::V4(address)) => file.extend_from_slice(&address.octets()),
        Who::Address(IpAddr::V6(address)) => file.extend_from_slice(&address.octets()),
        Who::Client(text) | Who::Route(text) => {
            file.extend_from_slice(&length_of_name);
            file.extend_from_slice(text.as_bytes());
        }
    }
    true
}

fn name_of(who: &Who) -> &str {
    match who {
        Who::Client(name) | Who::Route(name) => name,
        Who::Address(_) => "",
    }
}

/// Ends a file, save for its checksum.
pub(super) fn put_end(file: &mut Vec<u8>) {
    file.push(END);
}

/// Whether a file begins as this version writes it, and not as another does.
pub(super) fn is_this_version(file: &mut impl Read) -> io::Result<bool> {
    let head = array::<{ HEAD.len() }>(file)?;
    if head.starts_with(ANY_HEAD) {
        Ok(head == *HEAD)
    } else {
        Err(io::ErrorKind::InvalidData.into())
    }
}

/// Reads a file that is known to be whole into the store.
pub(super) fn read(file: &mut impl Read, wall_ms: u64, store: &MemoryStore) -> io::Result<()> {
    array::<{ HEAD.len() }>(file)?;
    read_rest(file, wall_ms, store)
}

/// The same, once the head was found to be right and its version is read.
pub(super) fn read_rest(file: &mut impl Read, wall_ms: u64, store: &MemoryStore) -> io::Result<()> {
    let down_ms = wall_ms.saturating_sub(u64::from_le_bytes(array(file)?));
    // As of now, when it was written is so long ago.
    let base_ms = store.clock().now_ms().saturating_sub(down_ms);
    let mut policies = HashSet::new();
    loop {
        let [kind] = array(file)?;
        if kind == END {
            return Ok(());
        }
        let key = Key {
            counter: shared(&mut policies, text(file)?),
            who: who(kind, file)?,
        };
        let (spent, before) = (number(file)?, number(file)?);
        let counter = Counter {
            spent,
            before,
            at_ms: moved(base_ms, number(file)?),
        };
        let ends_ms = moved(base_ms, number(file)?);
        store.restore(Entry {
            key,
            counter,
            ends_ms,
        });
    }
}

/// A time that is relative to `base_ms`.
fn moved(base_ms: u64, relative: u64) -> u64 {
    base_ms.saturating_add_signed(relative.cast_signed())
}

pub(in crate::limit) fn who(kind: u8, file: &mut impl Read) -> io::Result<Who> {
    Ok(match kind {
        CLIENT => Who::Client(text(file)?.into()),
        IPV4 => Who::Address(Ipv4Addr::from(array::<4>(file)?).into()),
        IPV6 => Who::Address(Ipv6Addr::from(array::<16>(file)?).into()),
        ROUTE => Who::Route(text(file)?.into()),
        _ => return Err(io::ErrorKind::InvalidData.into()),
    })
}

/// One name for all counters of a policy: the store keeps it as often as it gets it.
fn shared(policies: &mut HashSet<CounterName>, name: String) -> CounterName {
    if let Some(known) = policies.get(&name) {
        return Arc::clone(known);
    }
    let name = Arc::new(name);
    policies.insert(Arc::clone(&name));
    name
}

pub(in crate::limit) fn text(file: &mut impl Read) -> io::Result<String> {
    let length = u16::from_le_bytes(array(file)?);
    let mut text = vec![0; length.into()];
    file.read_exact(&mut text)?;
    String::from_utf8(text).map_err(|_| io::ErrorKind::InvalidData.into())
}

pub(in crate::limit) fn number(file: &mut impl Read) -> io::Result<u64> {
    Ok(u64::from_le_bytes(array(file)?))
}

pub(in crate::limit) fn array<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut array = [0; N];
    file.read_exact(&mut array)?;
    Ok(array)
}
