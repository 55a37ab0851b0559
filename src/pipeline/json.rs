//! Members of an access line. Written by hand: a line a request is hot, and its shape is fixed.

use std::io::Write;
use std::time::Duration;

/// The start of a member that is not the first: `,"name":`.
macro_rules! member {
    ($name:literal) => {
        concat!(",\"", $name, "\":").as_bytes()
    };
}
pub(super) use member;

/// Appends `"text"`, or `null` for none, to the start of a member. For what is a client's own words;
/// what is read by a grammar that has neither quotes nor control characters is a word.
pub(super) fn put_text(out: &mut Vec<u8>, member: &[u8], text: Option<&[u8]>) {
    match text {
        Some(text) if text.iter().any(|b| needs_escape(*b)) => {
            out.extend_from_slice(member);
            out.push(b'"');
            put_escaped(out, text);
            out.push(b'"');
        }
        text => put_word(out, member, text),
    }
}

/// Appends `"word"`, or `null` for none, to the start of a member: a word in which there is nothing
/// to escape, because it is our own or because it was read as something that has no such bytes.
#[inline]
pub(super) fn put_word(out: &mut Vec<u8>, member: &[u8], word: Option<&[u8]>) {
    out.extend_from_slice(member);
    let Some(word) = word else {
        return out.extend_from_slice(b"null");
    };
    debug_assert!(!word.iter().any(|b| needs_escape(*b)), "{word:?}");
    out.push(b'"');
    out.extend_from_slice(word);
    out.push(b'"');
}

/// Appends a number to the start of a member.
pub(super) fn put_number(out: &mut Vec<u8>, member: &[u8], number: u64) {
    out.extend_from_slice(member);
    put_digits(out, number);
}

/// Appends a duration in milliseconds to the microsecond, or `null` for none.
pub(super) fn put_millis(out: &mut Vec<u8>, member: &[u8], time: Option<Duration>) {
    out.extend_from_slice(member);
    let Some(time) = time else {
        return out.extend_from_slice(b"null");
    };
    let millis = time.as_secs().saturating_mul(1000);
    put_digits(out, millis.saturating_add(time.subsec_millis().into()));
    let rest = time.subsec_micros() % 1000;
    let digit = |n: u32| b'0' + u8::try_from(n % 10).unwrap_or(0);
    out.extend_from_slice(&[b'.', digit(rest / 100), digit(rest / 10), digit(rest)]);
}

fn put_digits(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Whether a byte cannot stand in JSON as it is, or only as a part of some character.
fn needs_escape(b: u8) -> bool {
    !matches!(b, b' '..=b'~') || b == b'"' || b == b'\\'
}

/// Appends text from a client. What is not UTF-8 is read as Latin-1, so that a line is valid JSON
/// whatever was sent.
fn put_escaped(out: &mut Vec<u8>, text: &[u8]) {
    match std::str::from_utf8(text) {
        Ok(text) => text.chars().for_each(|c| put_char(out, c)),
        Err(_) => text.iter().for_each(|&b| put_char(out, char::from(b))),
    }
}

fn put_char(out: &mut Vec<u8>, c: char) {
    match c {
        '"' | '\\' => out.extend_from_slice(&[b'\\', u8::try_from(c).unwrap_or(b'?')]),
        c if c.is_control() => {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_json_whatever_a_client_sent() {
        let mut out = b"{\"first\":0".to_vec();
        put_text(&mut out, member!("plain"), Some(b"curl/8"));
        put_text(&mut out, member!("quotes"), Some(b"a\"b\\c\n\x7f"));
        put_text(&mut out, member!("utf8"), Some("Größe".as_bytes()));
        put_text(&mut out, member!("latin1"), Some(b"caf\xe9"));
        put_text(&mut out, member!("none"), None);
        put_number(&mut out, member!("n"), u64::MAX);
        put_millis(&mut out, member!("t"), Some(Duration::from_micros(12_034)));
        out.push(b'}');
        let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(line["plain"], "curl/8");
        assert_eq!(line["quotes"], "a\"b\\c\n\u{7f}");
        assert_eq!(line["utf8"], "Größe");
        assert_eq!(line["latin1"], "café");
        assert!(line["none"].is_null());
        assert_eq!(line["n"], u64::MAX);
        assert!(String::from_utf8(out).unwrap().contains("\"t\":12.034"));
    }
}
