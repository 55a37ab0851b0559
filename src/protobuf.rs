//! The wire format of Protocol Buffers, as far as a few small messages need it that are written and read
//! by hand: what is read is never trusted, and ends at the first field that makes no sense.
//! <https://protobuf.dev/programming-guides/encoding/>

/// How a field's value is written.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// Appends a number of seven bits a byte, the lowest first.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        let [low, ..] = number.to_le_bytes();
        out.push(low | 0x80);
        number >>= 7;
    }
    let [low, ..] = number.to_le_bytes();
    out.push(low);
}

/// Appends a field with a number.
pub(crate) fn put_number(out: &mut Vec<u8>, field: u64, number: u64) {
    put_varint(out, field << 3 | VARINT);
    put_varint(out, number);
}

/// Appends a field with a number of 64 bits.
pub(crate) fn put_fixed64(out: &mut Vec<u8>, field: u64, number: u64) {
    put_varint(out, field << 3 | FIXED64);
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends a field with a number of 32 bits.
pub(crate) fn put_fixed32(out: &mut Vec<u8>, field: u64, number: u32) {
    put_varint(out, field << 3 | FIXED32);
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends a field with bytes, or a text in UTF-8.
pub(crate) fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_start(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends the start of a field with so many bytes, which follow.
pub(crate) fn put_start(out: &mut Vec<u8>, field: u64, length: usize) {
    put_varint(out, field << 3 | BYTES);
    put_varint(out, length as u64);
}

/// Appends a field with the message that `put` appends. Most are short, and have a length of one byte.
pub(crate) fn put_message(out: &mut Vec<u8>, field: u64, put: impl FnOnce(&mut Vec<u8>)) {
    put_start(out, field, 0);
    let start = out.len();
    put(out);
    let length = out.len() - start;
    if let (Ok(short @ ..0x80), Some(byte)) = (u8::try_from(length), out.get_mut(start - 1)) {
        *byte = short;
    } else {
        let mut written = Vec::with_capacity(10);
        put_varint(&mut written, length as u64);
        out.splice(start - 1..start, written);
    }
}

/// One field of a message that is read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Of a fixed length.
    Other,
}

/// The fields of a message, up to the first that makes no sense.
pub(crate) fn fields(mut rest: &[u8]) -> impl Iterator<Item = (u64, Read<'_>)> {
    std::iter::from_fn(move || {
        let tag = take_varint(&mut rest)?;
        let read = match tag & 7 {
            VARINT => Read::Number(take_varint(&mut rest)?),
            BYTES => {
                let length = usize::try_from(take_varint(&mut rest)?).ok()?;
                let (bytes, after) = rest.split_at_checked(length)?;
                rest = after;
                Read::Bytes(bytes)
            }
            kind @ (FIXED64 | FIXED32) => {
                let length = if kind == FIXED64 { 8 } else { 4 };
                rest = rest.split_at_checked(length)?.1;
                Read::Other
            }
            _ => return None,
        };
        Some((tag >> 3, read))
    })
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_written_as_the_documentation_has_them() {
        let mut out = Vec::new();
        put_number(&mut out, 1, 150);
        put_bytes(&mut out, 2, b"testing");
        put_message(&mut out, 3, |out| put_number(out, 1, 150));
        assert_eq!(out, b"\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01");
        let long = vec![7; 300];
        let mut out = Vec::new();
        put_message(&mut out, 3, |out| put_bytes(out, 1, &long));
        let whole = fields(&out).next().unwrap();
        let (3, Read::Bytes(message)) = whole else {
            panic!("{whole:?}");
        };
        assert_eq!(fields(message).next(), Some((1, Read::Bytes(&long))));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(number: u64, bytes: Vec<u8>, fixed: u64) {
            let mut out = Vec::new();
            put_fixed64(&mut out, 1, fixed);
            put_number(&mut out, 2, number);
            put_fixed32(&mut out, 16, 3);
            put_bytes(&mut out, 17, &bytes);
            let read: Vec<_> = fields(&out).collect();
            prop_assert_eq!(read, [
                (1, Read::Other),
                (2, Read::Number(number)),
                (16, Read::Other),
                (17, Read::Bytes(&bytes)),
            ]);
        }

        #[test]
        fn whatever_is_read_there_is_an_end(bytes: Vec<u8>) {
            prop_assert!(fields(&bytes).count() <= bytes.len());
        }
    }
}
