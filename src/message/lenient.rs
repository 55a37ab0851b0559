//! What the most lenient services make of a path's text: every escape decoded, also those behind
//! others; compatibility characters (NFKC), letter case, accents and invisible characters undone;
//! bytes that are not UTF-8 left out, or read as Latin-1. Two texts that some service takes for one
//! come out equal. Only for comparing: what goes on to services is the canonical path.

use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;
use icu_properties::CodePointSetData;
use icu_properties::props::DefaultIgnorableCodePoint;

use super::escapes::{Decoded, byte_of};

/// How a service makes characters of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// UTF-8; what is not is left out.
    Utf8,
    /// ISO 8859-1.
    Latin1,
    /// What most software means by Latin-1.
    Windows1252,
}

impl Charset {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Utf8, Self::Latin1, Self::Windows1252];
}

/// The characters of Windows-1252 from 0x80 to 0x9F.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// Decodes `text`, which may have escapes. ASCII letters keep their case; white space and control
/// characters become blanks, except for NUL.
#[must_use]
pub fn decode(text: &[u8], charset: Charset) -> Vec<u8> {
    let once = fold(Decoded::new(text).map(|decoded| decoded.byte), charset);
    if has_escape(&once) {
        // A service that decodes twice and normalizes in between meets `％2F` only then.
        fold(Decoded::new(&once).map(|decoded| decoded.byte), charset)
    } else {
        once
    }
}

fn has_escape(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'%', rest) {
        rest = &rest[at + 1..];
        if byte_of(rest).is_some() {
            return true;
        }
    }
    false
}

fn fold(bytes: impl Iterator<Item = u8>, charset: Charset) -> Vec<u8> {
    let mut bytes: Vec<u8> = bytes.collect();
    if bytes.is_ascii() {
        for byte in bytes.iter_mut().filter(|b| b.is_ascii_control()) {
            *byte = if *byte == 0 { 0 } else { b' ' };
        }
        return bytes;
    }
    match charset {
        Charset::Utf8 => fold_chars(bytes.utf8_chunks().flat_map(|chunk| chunk.valid().chars())),
        Charset::Latin1 => fold_chars(bytes.iter().copied().map(char::from)),
        Charset::Windows1252 => fold_chars(bytes.iter().map(|byte| match byte {
            0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
            _ => char::from(*byte),
        })),
    }
}

fn fold_chars(chars: impl Iterator<Item = char>) -> Vec<u8> {
    let classes = CanonicalCombiningClassMapBorrowed::new();
    let ignorable = CodePointSetData::new::<DefaultIgnorableCodePoint>();
    // Accents are left out only after the case was changed, for U+0345 has a capital.
    let is_accent = |c: char| classes.get_u8(c) != 0;
    let chars = DecomposingNormalizerBorrowed::new_nfkd()
        .normalize_iter(chars)
        // Lower case first for `ẞ`, whose small letter has the capital `SS`.
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .filter(|c| !is_accent(*c) && !ignorable.contains(*c));
    let mut out = String::new();
    for c in chars {
        let is_blank = c.is_whitespace() || (c.is_control() && c != '\0');
        out.push(if is_blank { ' ' } else { c });
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use icu_normalizer::ComposingNormalizerBorrowed;

    use super::*;

    fn utf8(text: &str) -> String {
        String::from_utf8(decode(text.as_bytes(), Charset::Utf8)).unwrap()
    }

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        text.bytes()
            .for_each(|b| super::super::escapes::push_escape(&mut out, b));
        out
    }

    #[test]
    fn spellings_of_one_text_come_out_equal() {
        for (text, wanted) in [
            ("/Api%2Forders", "/Api/orders"),
            ("%2541%252541", "AA"),
            ("a%09%0Ab", "a  b"),
            ("a%2500", "a\0"),
            ("ſeſſion", "session"),
            ("adm\u{131}n adm\u{130}n", "admin admin"),
            ("to\u{212a}en", "token"),
            ("caf\u{e9} cafe\u{301}", "cafe cafe"),
            ("STRASSE Straße ẞ", "STRASSE strasse ss"),
            ("ΣΑΣ σας", "σασ σας".replace('ς', "σ").as_str()),
            ("ａｄｍｉｎ／．＼；？＃％", "admin/.\\;?#%"),
            ("ad\u{200b}mi\u{ad}n\u{feff}", "admin"),
            ("a\u{a0}b\u{3000}c\u{85}d", "a b c d"),
            ("\u{1d41a}\u{24d0}\u{aa}", "aaa"),
            ("％2F", "/"),
            ("%25２Ｆ", "/"),
            ("%2525%2532%2565", "."),
            ("50%25", "50%"),
        ] {
            assert_eq!(utf8(text).to_lowercase(), wanted.to_lowercase(), "{text}");
            if !text.contains('%') {
                assert_eq!(utf8(&escaped(text)), utf8(text), "{text}");
            }
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_left_out_or_read_as_latin_1() {
        let read =
            |text: &str, charset| String::from_utf8(decode(text.as_bytes(), charset)).unwrap();
        for (text, wanted) in [
            ("/api/%FForders", "/api/orders"),
            ("ap%C3i%80", "api"),
            ("%E2%82x%F0%9F", "x"),
            ("%ED%A0%80x", "x"),
        ] {
            assert_eq!(read(text, Charset::Utf8), wanted, "{text}");
        }
        for charset in [Charset::Latin1, Charset::Windows1252] {
            assert_eq!(read("%C9t%E9%A0", charset), "ete ");
        }
        assert_eq!(read("%8A%85", Charset::Windows1252), "s...");
        assert_eq!(read("a%8A%85", Charset::Latin1), "a  ");
    }

    /// Whatever a service does to the characters of a path, the result is read as the path is.
    #[test]
    fn no_change_of_a_character_changes_its_reading() {
        let composed = ComposingNormalizerBorrowed::new_nfc();
        let decomposed = DecomposingNormalizerBorrowed::new_nfd();
        let compatible = ComposingNormalizerBorrowed::new_nfkc();
        // What is assigned, without the planes for private use.
        let chars = ('\u{1}'..'\u{34000}').chain('\u{e0000}'..'\u{e0200}');
        for c in chars.filter(|c| *c != '%') {
            let text = c.to_string();
            let reading = utf8(&text).to_ascii_lowercase();
            let changed = [
                text.to_lowercase(),
                text.to_uppercase(),
                c.to_lowercase().take(1).collect(),
                c.to_uppercase().flat_map(char::to_lowercase).collect(),
                c.to_lowercase().flat_map(char::to_uppercase).collect(),
                composed.normalize(&text).into_owned(),
                decomposed.normalize(&text).into_owned(),
                compatible.normalize(&text).into_owned(),
                reading.clone(),
            ];
            for changed in changed.into_iter().filter(|changed| *changed != text) {
                assert_eq!(
                    utf8(&changed).to_ascii_lowercase(),
                    reading,
                    "{c:?} {changed:?}"
                );
            }
        }
    }
}
