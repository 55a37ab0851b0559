//! Lenient decoding, for comparing paths. Every escape is decoded, also nested ones; compatibility
//! characters (NFKC), letter case, accents and invisible characters are normalized away; bytes that
//! are not UTF-8 are left out, or read as Latin-1. Texts that some service takes for the same one
//! come out equal. Services get the canonical path, never this one.
//!
//! Everything is lazy: most comparisons end within a few bytes.

use std::iter;

use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_normalizer::properties::CanonicalCombiningClassMapBorrowed;
use smallvec::SmallVec;

use super::escapes::Decoded;

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

/// Decodes bytes, which may have escapes, and folds what comes out. The result is UTF-8.
pub fn decode(bytes: impl Iterator<Item = u8>, charset: Charset) -> impl Iterator<Item = u8> {
    let once = fold(Decoded::new(bytes).bytes(), charset);
    // A service that decodes twice and normalizes in between meets `％2F` only then.
    fold(Decoded::new(once).bytes(), Charset::Utf8)
}

/// Decomposes characters (NFKD), and removes letter case, accents and invisible characters. White
/// space and control characters become blanks, except NUL and [`MARK`](super::escapes::MARK). ASCII letters keep their
/// case, which comparisons remove.
pub fn fold(bytes: impl Iterator<Item = u8>, charset: Charset) -> impl Iterator<Item = u8> {
    Folded {
        chars: Chars {
            bytes,
            ahead: None,
            charset,
        },
        ready: SmallVec::new(),
        next: 0,
    }
}

/// The bytes of a text that [`fold`] folds. Each character is decomposed by itself: what comes next only
/// decides in which order accents stand, and those are removed. ASCII, of which most paths are and floods can
/// be, costs no look into the tables of Unicode.
struct Folded<I> {
    chars: Chars<I>,
    /// The bytes of the character before.
    ready: SmallVec<[u8; 16]>,
    /// How many of them have been returned.
    next: usize,
}

impl<I: Iterator<Item = u8>> Iterator for Folded<I> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        loop {
            if let Some(byte) = self.ready.get(self.next) {
                self.next += 1;
                return Some(*byte);
            }
            match self.chars.next()? {
                c @ ('\0' | '\u{1}' | ' '..='~') => return u8::try_from(c).ok(),
                '\0'..='\u{9f}' => return Some(b' '),
                c => {
                    self.ready.clear();
                    self.next = 0;
                    match c {
                        // Of most of what is written in Asia nothing comes apart.
                        '\u{4e00}'..='\u{9fff}' => self.push(c),
                        c => self.decompose(c),
                    }
                }
            }
        }
    }
}

impl<I> Folded<I> {
    fn decompose(&mut self, c: char) {
        let parts = DecomposingNormalizerBorrowed::new_nfkd().normalize_iter(iter::once(c));
        for part in parts {
            match part {
                // Accents; but for one, which is small and has a capital.
                '\u{300}'..='\u{344}' | '\u{346}'..='\u{36f}' => {}
                // Most of Asia has letters without case; looking that up is what costs most.
                part @ (..='~'
                | '\u{590}'..='\u{109f}'
                | '\u{1100}'..='\u{139f}'
                | '\u{2e80}'..='\u{a63f}') => self.push(part),
                // Lower case first for `ẞ`, whose small letter has the capital `SS`.
                part => {
                    let upper = part.to_lowercase().flat_map(char::to_uppercase);
                    upper
                        .flat_map(char::to_lowercase)
                        .for_each(|c| self.push(c));
                }
            }
        }
    }

    fn push(&mut self, c: char) {
        if c.is_whitespace() {
            self.ready.push(b' ');
        } else if !is_accent(c) && !is_invisible(c) {
            self.ready
                .extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
}

fn is_accent(c: char) -> bool {
    CanonicalCombiningClassMapBorrowed::new().get_u8(c) != 0
}

/// Whether software is to ignore a character that it does not know (Unicode's
/// `Default_Ignorable_Code_Point`).
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// The characters that bytes stand for.
struct Chars<I> {
    bytes: I,
    /// Read already, and not part of the character before.
    ahead: Option<u8>,
    charset: Charset,
}

impl<I: Iterator<Item = u8>> Chars<I> {
    /// Reads the rest of a character that begins with `first`, if it is one.
    fn utf8(&mut self, first: u8) -> Option<char> {
        let mut character = [first, 0, 0, 0];
        for length in 1..=4 {
            match std::str::from_utf8(&character[..length]) {
                Ok(text) => return text.chars().next(),
                // There may be more to come.
                Err(error) if error.error_len().is_none() => {
                    *character.get_mut(length)? = self.bytes.next()?;
                }
                Err(_) => {
                    // It may begin another one.
                    self.ahead = (length > 1).then(|| character[length - 1]);
                    return None;
                }
            }
        }
        None
    }
}

impl<I: Iterator<Item = u8>> Iterator for Chars<I> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        loop {
            let byte = self.ahead.take().or_else(|| self.bytes.next())?;
            match (byte, self.charset) {
                (0x80..=0x9f, Charset::Windows1252) => {
                    return Some(WINDOWS_1252[usize::from(byte - 0x80)]);
                }
                (0..=0x7f, _) | (_, Charset::Latin1 | Charset::Windows1252) => {
                    return Some(char::from(byte));
                }
                (_, Charset::Utf8) => {
                    if let Some(c) = self.utf8(byte) {
                        return Some(c);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use icu_normalizer::ComposingNormalizerBorrowed;
    use icu_properties::CodePointSetData;
    use icu_properties::props::DefaultIgnorableCodePoint;

    use super::*;
    use crate::message::escapes::MARK;

    fn utf8(text: &str) -> String {
        String::from_utf8(decode(text.bytes(), Charset::Utf8).collect()).unwrap()
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
    fn characters_come_apart_one_by_one_as_in_a_text() {
        let whole = DecomposingNormalizerBorrowed::new_nfkd();
        for text in [
            "e\u{323}\u{302}\u{345}x",
            "\u{1ea5}\u{345}\u{301}\u{5b0}",
            "\u{ac01}\u{11a8}",
            "\u{4e2d}\u{309}\u{f900}",
            "\u{fb2c}\u{5b0}a",
        ] {
            let parts: String = whole.normalize_iter(text.chars()).collect();
            assert_eq!(utf8(text), utf8(&parts), "{text}");
            let each: String = parts.chars().map(|c| utf8(&c.to_string())).collect();
            assert_eq!(utf8(text), each, "{text}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_left_out_or_read_as_latin_1() {
        let read = |text: &str, charset| {
            String::from_utf8(decode(text.bytes(), charset).collect()).unwrap()
        };
        for (text, wanted) in [
            ("/api/%FForders", "/api/orders"),
            ("ap%C3i%80", "api"),
            ("%E2%82x%F0%9F", "x"),
            ("%ED%A0%80x", "x"),
        ] {
            assert_eq!(read(text, Charset::Utf8), wanted, "{text}");
        }
        for charset in [Charset::Latin1, Charset::Windows1252] {
            assert_eq!(read("%C9t%E9%A0", charset), "Ete ");
        }
        assert_eq!(read("%8A%85", Charset::Windows1252), "S...");
        assert_eq!(read("a%8A%85", Charset::Latin1), "a  ");
    }

    #[test]
    fn characters_are_read_as_the_standard_library_reads_them() {
        let bytes: [u8; 12] = [
            b'a', 0x80, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0xa6, 0xed, 0xa0,
        ];
        // All texts of five of them.
        for mut number in 0..bytes.len().pow(5) {
            let text: [u8; 5] = std::array::from_fn(|_| {
                let byte = bytes[number % bytes.len()];
                number /= bytes.len();
                byte
            });
            let expected: String = text.utf8_chunks().map(|chunk| chunk.valid()).collect();
            let chars = Chars {
                bytes: text.into_iter(),
                ahead: None,
                charset: Charset::Utf8,
            };
            assert_eq!(chars.collect::<String>(), expected, "{text:x?}");
        }
    }

    #[test]
    fn invisible_characters_are_those_of_unicode() {
        let set = CodePointSetData::new::<DefaultIgnorableCodePoint>();
        for c in '\0'..=char::MAX {
            assert_eq!(is_invisible(c), set.contains(c), "{c:?}");
        }
    }

    /// Protection marks slashes with it, so no path that a client sends may bring one along.
    #[test]
    fn an_escaped_mark_is_none_however_often_it_is_escaped() {
        for escape in [
            "%01",
            "%2501",
            "%252501",
            "%%301",
            "%0%31",
            "%25%30%31",
            "%EF%BC%8501",
        ] {
            for charset in Charset::ALL {
                let path = format!("/a{escape}b/{escape}{escape}");
                let once = || fold(Decoded::once(path.bytes()).bytes(), charset);
                let twice = || fold(Decoded::once(once()).bytes(), Charset::Utf8);
                let has_mark = decode(path.bytes(), charset).any(|b| b == MARK)
                    || once().any(|b| b == MARK)
                    || twice().any(|b| b == MARK)
                    || decode(once(), Charset::Utf8).any(|b| b == MARK)
                    || decode(twice(), Charset::Utf8).any(|b| b == MARK);
                assert!(!has_mark, "{path}");
            }
        }
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
