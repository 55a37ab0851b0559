//! A place in the bytes of a head that only moves on. Each byte is judged once, by a table or eight at a time; what does not belong is left standing,
//! and the reader of the head refuses it.

use crate::message::bytes::{Class, FIELD_NAME, TOKEN, VISIBLE};
use crate::message::fields::Span;

/// What has been read of a head, and what not.
#[derive(Debug)]
pub(super) struct Cursor<'b> {
    bytes: &'b [u8],
    /// Never beyond the end.
    at: usize,
}

impl<'b> Cursor<'b> {
    /// At the beginning.
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// What has not been read yet.
    pub(super) fn rest(&self) -> &'b [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Moves past `expected`, if that comes next.
    #[inline]
    pub(super) fn skip(&mut self, expected: &[u8]) -> bool {
        let comes = self.rest().starts_with(expected);
        if comes {
            self.at += expected.len();
        }
        comes
    }

    /// Moves past the blanks of RFC 9110 section 5.6.3.
    #[inline]
    pub(super) fn skip_blanks(&mut self) {
        while let [b' ' | b'\t', ..] = self.rest() {
            self.at += 1;
        }
    }

    /// Moves past the bytes of a token.
    pub(super) fn token(&mut self) -> Span {
        self.all_of(TOKEN)
    }

    /// Moves past a field's name and its colon, if they come next. Says as well whether the name has
    /// letters, digits and `-` alone.
    #[inline]
    pub(super) fn field_name(&mut self) -> Option<(Span, bool)> {
        let start = self.at;
        let name = self.all_of(FIELD_NAME);
        if self.skip(b":") {
            return (!name.is_empty()).then_some((name, true));
        }
        self.token();
        let name = Span::new(start, self.at);
        (!name.is_empty() && self.skip(b":")).then_some((name, false))
    }

    /// Moves up to a blank or a control character.
    pub(super) fn visible(&mut self) -> Span {
        self.all_of(VISIBLE)
    }

    /// Moves up to a control character other than HTAB: all that a value may have (RFC 9110 section
    /// 5.5).
    pub(super) fn text(&mut self) -> Span {
        let start = self.at;
        loop {
            self.at += before_control(self.rest());
            if !self.skip(b"\t") {
                return Span::new(start, self.at);
            }
        }
    }

    fn all_of(&mut self, class: Class) -> Span {
        let start = self.at;
        let rest = self.rest();
        let end = rest.iter().position(|b| !class.has(*b));
        self.at += end.unwrap_or(rest.len());
        Span::new(start, self.at)
    }
}

/// How many bytes stand before the first control character.
pub(super) fn before_control(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut before = 0;
    for word in words {
        let controls = controls(u64::from_le_bytes(*word));
        if controls != 0 {
            return before + controls.trailing_zeros() as usize / 8;
        }
        before += 8;
    }
    before + rest.iter().take_while(|b| !b.is_ascii_control()).count()
}

/// The highest bit of each byte that is a control character. Of several the lowest is certain; what
/// is above it may be marked by a borrow.
const fn controls(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    let below_blank = word.wrapping_sub(ONES * 0x20) & !word;
    let no_delete = word ^ (ONES * 0x7f);
    let delete = no_delete.wrapping_sub(ONES) & !no_delete;
    (below_blank | delete) & (ONES << 7)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cursor_stops_at_what_does_not_belong() {
        let bytes = b"GET /a\xe9 \t x\ty\r\n";
        let mut cursor = Cursor::new(bytes);
        assert_eq!(cursor.token().get(bytes), b"GET");
        assert!(!cursor.skip(b"/") && cursor.skip(b" "));
        assert_eq!(cursor.visible().get(bytes), b"/a\xe9");
        cursor.skip_blanks();
        assert_eq!(cursor.text().get(bytes), b"x\ty");
        assert_eq!(cursor.token().get(bytes), b"");
        assert!(cursor.skip(b"\r\n") && !cursor.skip(b"\r\n"));
        assert!(cursor.rest().is_empty());
    }

    /// Bytes at the borders of what is a control character, close to each other.
    fn borders() -> impl Strategy<Value = Vec<u8>> {
        let bytes = [
            0, 1, 8, 9, 10, 13, 31, 32, 33, 126, 127, 128, 129, 159, 160, 254, 255,
        ];
        prop::collection::vec(prop::sample::select(bytes.to_vec()), 0..40)
    }

    proptest! {
        #[test]
        fn words_are_judged_as_their_bytes_are(bytes in borders(), plain in 0..40_usize) {
            let bytes = [vec![b'a'; plain], bytes].concat();
            let first = bytes.iter().position(u8::is_ascii_control);
            prop_assert_eq!(before_control(&bytes), first.unwrap_or(bytes.len()));
        }
    }
}
