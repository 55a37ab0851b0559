//! Which of a cluster's 16,384 slots a key is in, and which node a slot is on, as nodes say.
//! Source: the Redis cluster specification, "Key distribution model" and `CLUSTER SLOTS`.

use ::redis::{Arg, Cmd, ServerError, ServerErrorKind, Value};
use memchr::memchr;

use super::super::url::HostPort;

/// How many slots a cluster has.
pub(super) const SLOTS: u16 = 16_384;

/// Which argument of a script's call is its first key: after the name, the script and the number
/// of keys.
const FIRST_KEY: usize = 3;

/// The slot of a call's keys, which are all in one.
pub(super) fn slot_of(command: &Cmd) -> u16 {
    match command.args_iter().nth(FIRST_KEY) {
        Some(Arg::Simple(key)) => slot(key),
        _ => 0,
    }
}

/// The slot of a key: of what stands in its first braces, if something does.
fn slot(key: &[u8]) -> u16 {
    let tag = memchr(b'{', key)
        .map(|open| &key[open + 1..])
        .and_then(|rest| memchr(b'}', rest).map(|close| &rest[..close]))
        .filter(|tag| !tag.is_empty());
    crc16(tag.unwrap_or(key)) % SLOTS
}

/// CRC16 in the variant called XMODEM. Without a table: a key is short, and its call is long.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
            let carry = if crc & 0x8000 == 0 { 0 } else { 0x1021 };
            crc << 1 ^ carry
        })
    })
}

/// A run of slots, the last included, and the master they are on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub first: u16,
    pub last: u16,
    pub node: HostPort,
}

/// Reads the answer to `CLUSTER SLOTS` from the node at `asked`. Runs that cannot be read or reached
/// are left out. `None`: an unexpected reply.
pub(super) fn read_ranges(answer: &Value, asked: &str) -> Option<Vec<Range>> {
    let Value::Array(ranges) = answer else {
        return None;
    };
    let ranges = ranges.iter().filter_map(|range| {
        let Value::Array(parts) = range else {
            return None;
        };
        // What follows are replicas.
        let [
            Value::Int(first),
            Value::Int(last),
            Value::Array(master),
            ..,
        ] = &parts[..]
        else {
            return None;
        };
        let [host, Value::Int(port), ..] = &master[..] else {
            return None;
        };
        let host = match host {
            Value::BulkString(host) => str::from_utf8(host).ok()?,
            Value::SimpleString(host) => host,
            // A node that does not know by what name it is reached.
            Value::Nil => "",
            _ => return None,
        };
        let slot = |number: i64| u16::try_from(number).ok().filter(|slot| *slot < SLOTS);
        Some(Range {
            first: slot(*first)?,
            last: slot(*last)?,
            node: HostPort::new(host, u16::try_from(*port).ok()?, asked)?,
        })
    });
    Some(ranges.collect())
}

/// Where a node redirects a call whose keys it does not have.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Elsewhere {
    /// The slot is on another node now.
    Moved(HostPort),
    /// The slot is on its way, and so are these keys: the other node takes this one call.
    Ask(HostPort),
    /// Some of the keys are there, some here.
    Later,
}

/// Reads where the node at `asked` redirects a call. A node that redirects has done nothing.
pub(super) fn elsewhere(answer: &Value, asked: &str) -> Option<Elsewhere> {
    let Value::ServerError(error) = answer else {
        return None;
    };
    // "SLOT HOST:PORT"
    let address = |error: &ServerError| {
        let (_, address) = error.details()?.split_once(' ')?;
        HostPort::parse(address, asked)
    };
    match error.kind()? {
        ServerErrorKind::Moved => address(error).map(Elsewhere::Moved),
        ServerErrorKind::Ask => address(error).map(Elsewhere::Ask),
        ServerErrorKind::TryAgain => Some(Elsewhere::Later),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `CLUSTER KEYSLOT` says.
    #[test]
    fn keys_are_in_the_slots_that_redis_says() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot(b"foo"), 12_182);
        assert_eq!(slot(b"tollgate:{foo}:identified"), 12_182);
        assert_eq!(slot(b"{foo}{bar}"), 12_182);
        assert_eq!(slot(b"{}foo"), slot(b"{}foo"));
        assert_ne!(slot(b"{}foo"), 0);
        assert_eq!(slot(b""), 0);
        let mut command = ::redis::cmd("EVALSHA");
        command.arg("digest").arg(1).arg("a:{foo}:b").arg(7);
        assert_eq!(slot_of(&command), 12_182);
    }

    #[test]
    fn the_map_of_slots_is_read() {
        let text = |text: &str| Value::BulkString(text.into());
        let node = |host: Value, port| Value::Array(vec![host, Value::Int(port), text("id")]);
        let range = |first, last, master| {
            let replica = node(text("10.0.0.9"), 7009);
            Value::Array(vec![Value::Int(first), Value::Int(last), master, replica])
        };
        let answer = Value::Array(vec![
            range(0, 5460, node(text("10.0.0.1"), 7000)),
            range(5461, 10_922, node(text(""), 7001)),
            range(10_923, 16_382, node(Value::Nil, 7002)),
            range(16_383, 16_383, node(text("?"), 7003)),
            range(16_384, 16_384, node(text("10.0.0.1"), 7004)),
            Value::Nil,
        ]);
        let ranges = read_ranges(&answer, "asked").unwrap();
        let nodes: Vec<_> = ranges.iter().map(|range| range.node.to_string()).collect();
        assert_eq!(nodes, ["10.0.0.1:7000", "asked:7001", "asked:7002"]);
        assert_eq!((ranges[1].first, ranges[1].last), (5461, 10_922));
        assert_eq!(read_ranges(&Value::Nil, "asked"), None);
    }
}
