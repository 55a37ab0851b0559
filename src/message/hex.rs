//! Bytes as pairs of hexadecimal digits: in escapes, ids and digests.

use std::fmt;

/// The byte that two digits of either case stand for.
pub fn byte([high, low]: [u8; 2]) -> Option<u8> {
    let value = |digit| char::from(digit).to_digit(16);
    u8::try_from(value(high)? << 4 | value(low)?).ok()
}

/// The two digits of a byte, in lower case.
pub fn digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [
        DIGITS[usize::from(byte >> 4)],
        DIGITS[usize::from(byte & 15)],
    ]
}

/// Bytes that are shown as digits.
#[derive(Debug, Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_and_written() {
        for value in 0..=u8::MAX {
            let lower = digits(value);
            assert_eq!(lower, format!("{}", Hex(&[value])).as_bytes());
            assert_eq!(byte(lower), Some(value));
            assert_eq!(
                byte(lower.map(|digit| digit.to_ascii_uppercase())),
                Some(value)
            );
        }
        for other in [b"+1", b"1 ", b"g0", b"0G", b"\xff0"] {
            assert_eq!(byte(*other), None, "{other:?}");
        }
    }
}
