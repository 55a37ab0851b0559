//! Members of an access line. Written by hand: a line a request is hot, and its shape is fixed. No
//! member is longer than 1 KiB, lest clients fill the disk with what they send.

use std::io::Write;
use std::time::Duration;

use crate::logging::Start;

/// How long the text of a member may be, as it is written.
const MAX_TEXT: usize = 1024;
/// The end of one that has been cut.
const CUT: &[u8] = "\u{2026}".as_bytes();

/// Appends a member with a text, or `null` for none. For what is a client's own words; what is read by a
/// grammar that has neither quotes nor control characters is a word.
#[inline]
pub(super) fn put_text(out: &mut Vec<u8>, start: Start, text: Option<&[u8]>) {
    match text {
        Some(text) if has_escapes(text) => {
            out.extend_from_slice(start.word);
            put_escaped(out, text);
            out.push(b'"');
        }
        text => put_word(out, start, text),
    }
}

/// Appends a member with a word, or `null` for none: a word in which there is nothing to escape, because
/// it is our own or because it was read as something that has no such bytes.
#[expect(
    clippy::inline_always,
    reason = "starts are constants, and then cost a move"
)]
#[inline(always)]
pub(super) fn put_word(out: &mut Vec<u8>, start: Start, word: Option<&[u8]>) {
    match word {
        Some(word) => {
            out.extend_from_slice(start.word);
            put_rest(out, word);
        }
        None => out.extend_from_slice(start.none),
    }
}

/// A word behind its first quote.
#[inline(never)]
fn put_rest(out: &mut Vec<u8>, word: &[u8]) {
    debug_assert!(!has_escapes(word), "{word:?}");
    if word.len() > MAX_TEXT {
        out.extend_from_slice(&word[..MAX_TEXT - CUT.len()]);
        out.extend_from_slice(CUT);
    } else {
        out.extend_from_slice(word);
    }
    out.push(b'"');
}

/// As much of a text as is shown to a person.
pub(super) fn shortened(text: &str) -> &str {
    text.get(..MAX_TEXT).unwrap_or(text)
}

/// Appends a member with a number.
#[inline]
pub(super) fn put_number(out: &mut Vec<u8>, start: Start, number: u64) {
    out.extend_from_slice(start.value);
    put_digits(out, number);
}

/// Appends a member with a duration in milliseconds to the microsecond, or `null` for none.
#[inline]
pub(super) fn put_millis(out: &mut Vec<u8>, start: Start, time: Option<Duration>) {
    match time {
        Some(time) => {
            out.extend_from_slice(start.value);
            put_time(out, time);
        }
        None => out.extend_from_slice(start.none),
    }
}

#[inline(never)]
fn put_time(out: &mut Vec<u8>, time: Duration) {
    let millis = time.as_secs().saturating_mul(1000);
    put_digits(out, millis.saturating_add(time.subsec_millis().into()));
    let rest = time.subsec_micros() % 1000;
    let digit = |n: u32| b'0' + u8::try_from(n % 10).unwrap_or(0);
    out.extend_from_slice(&[b'.', digit(rest / 100), digit(rest / 10), digit(rest)]);
}

fn put_digits(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Whether there is anything to escape. Looks at all bytes, for so it looks at many at once.
fn has_escapes(text: &[u8]) -> bool {
    text.iter().fold(false, |any, b| any | needs_escape(*b))
}

/// Whether a byte cannot stand in JSON as it is, or only as a part of some character.
fn needs_escape(b: u8) -> bool {
    !matches!(b, b' '..=b'~') || b == b'"' || b == b'\\'
}

/// Appends text from a client, cut when it gets too long. What is not UTF-8 is read as Latin-1, so
/// that a line is valid JSON whatever was sent.
fn put_escaped(out: &mut Vec<u8>, text: &[u8]) {
    let beginning = &text[..text.len().min(MAX_TEXT + 1)];
    match std::str::from_utf8(beginning) {
        Ok(text) => put_chars(out, text.chars()),
        // It was cut within a character, behind which nothing is shown in any case.
        Err(error) if error.error_len().is_none() && beginning.len() < text.len() => {
            put_chars(out, String::from_utf8_lossy(beginning).chars());
        }
        Err(_) => put_chars(out, beginning.iter().map(|b| latin1(*b))),
    }
}

/// The character that a byte is in Latin-1, where it has one.
fn latin1(byte: u8) -> char {
    match byte {
        0x80..=0x9f => char::REPLACEMENT_CHARACTER,
        byte => char::from(byte),
    }
}

fn put_chars(out: &mut Vec<u8>, chars: impl Iterator<Item = char>) {
    let start = out.len();
    let mut fits_with_cut = start;
    for c in chars {
        if out.len() - start <= MAX_TEXT - CUT.len() {
            fits_with_cut = out.len();
        }
        put_char(out, c);
        if out.len() - start > MAX_TEXT {
            out.truncate(fits_with_cut);
            out.extend_from_slice(CUT);
            return;
        }
    }
}

fn put_char(out: &mut Vec<u8>, c: char) {
    match c {
        '\t' => out.extend_from_slice(b"\\t"),
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
    use crate::logging::start;

    #[test]
    fn members_are_json_whatever_a_client_sent() {
        let mut out = b"{\"first\":0".to_vec();
        put_text(&mut out, start!(",", "plain"), Some(b"curl/8"));
        put_text(&mut out, start!(",", "quotes"), Some(b"a\"b\\c\n\x7f"));
        put_text(&mut out, start!(",", "utf8"), Some("Größe".as_bytes()));
        put_text(&mut out, start!(",", "latin1"), Some(b"caf\xe9\t\x85"));
        put_text(&mut out, start!(",", "none"), None);
        put_number(&mut out, start!(",", "n"), u64::MAX);
        put_millis(
            &mut out,
            start!(",", "t"),
            Some(Duration::from_micros(12_034)),
        );
        out.push(b'}');
        let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(line["plain"], "curl/8");
        assert_eq!(line["quotes"], "a\"b\\c\n\u{7f}");
        assert_eq!(line["utf8"], "Größe");
        assert_eq!(line["latin1"], "café\t\u{fffd}");
        assert!(line["none"].is_null());
        assert_eq!(line["n"], u64::MAX);
        assert!(String::from_utf8(out).unwrap().contains("\"t\":12.034"));
    }

    #[test]
    fn no_member_is_longer_than_a_kibibyte_whatever_a_client_sent() {
        let texts: [&[u8]; 7] = [
            b"x",
            b"\"",
            b"\t",
            b"\x85",
            b"\xff",
            "\u{85}".as_bytes(),
            "\u{1f980}".as_bytes(),
        ];
        for text in texts {
            for count in (0..1100).chain([60_000]) {
                let mut out = Vec::new();
                put_text(&mut out, start!("", "x"), Some(&text.repeat(count)));
                let out = &out[b"\"x\":".len()..];
                assert!(out.len() <= MAX_TEXT + 2, "{} of {text:?}", out.len());
                let shown: String = serde_json::from_slice(out).unwrap();
                let kept = shown.strip_suffix('\u{2026}');
                let characters = kept.unwrap_or(&shown).chars().count();
                assert_eq!(kept.is_some(), characters < count, "{count} of {text:?}");
                assert!(kept.is_none() || out.len() > MAX_TEXT - 8);
            }
        }
    }
}
