//! Keys as `tollgate keys new` makes them, wherever somebody has put one by mistake: in the name of a client, in
//! a path, in a URL. What is written of a text for people has such a key cut to `tg_...`.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr_iter;

/// What such a key begins with, and what is shown of one.
const START: &str = "tg_";
const SHOWN: &str = "tg_...";
/// What has fewer hexadecimal digits behind that is no key; a whole one has 64.
const FEWEST: usize = 32;

/// Where the first key of a text stands.
pub fn find(text: &[u8]) -> Option<Range<usize>> {
    // Most paths are shorter.
    if text.len() < START.len() + FEWEST {
        return None;
    }
    memchr_iter(b'_', text).find_map(|place| {
        let (before, rest) = text.split_at(place + 1);
        let digits = rest.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        let is_key = digits >= FEWEST && before.ends_with(START.as_bytes());
        is_key.then(|| place + 1 - START.len()..place + 1 + digits)
    })
}

/// Where all of them stand.
pub fn find_all(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let found = find(text.get(from..)?)?;
        let found = found.start + from..found.end + from;
        from = found.end;
        Some(found)
    })
}

/// A text in which no key can be read.
pub fn hidden<'t>(text: impl Into<Cow<'t, str>>) -> Cow<'t, str> {
    let text = text.into();
    match without_keys(text.as_bytes()) {
        Some(shown) => String::from_utf8_lossy(&shown).into_owned().into(),
        None => text,
    }
}

/// The same of bytes.
pub fn hide(text: &mut Vec<u8>) {
    if let Some(shown) = without_keys(text) {
        *text = shown;
    }
}

/// A text without its keys, if it has any.
fn without_keys(text: &[u8]) -> Option<Vec<u8>> {
    find(text)?;
    let mut shown = Vec::with_capacity(text.len());
    let mut from = 0;
    for key in find_all(text) {
        shown.extend_from_slice(&text[from..key.start]);
        shown.extend_from_slice(SHOWN.as_bytes());
        from = key.end;
    }
    shown.extend_from_slice(&text[from..]);
    Some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_hidden_and_nothing_else_is() {
        let digits = "0123456789abcdefABCDEF0123456789".repeat(2);
        let (key, half) = (format!("tg_{digits}"), format!("tg_{}", &digits[..32]));
        for (text, shown) in [
            (key.clone(), "tg_..."),
            (half.clone(), "tg_..."),
            (
                format!("/a/{key}/b/{half}?x={key}"),
                "/a/tg_.../b/tg_...?x=tg_...",
            ),
            (format!("ä{key}ö"), "ätg_...ö"),
            (format!("tg_tg_{key}"), "tg_tg_tg_..."),
        ] {
            assert_eq!(hidden(&text), shown);
            let mut bytes = text.into_bytes();
            hide(&mut bytes);
            assert_eq!(bytes, shown.as_bytes());
        }
        for text in [
            String::new(),
            half[..34].to_owned(),
            format!("t_{digits}"),
            format!("_{digits}"),
            digits.clone(),
            format!("sha256:{digits}"),
            format!("tg_{}g{digits}", &digits[..31]),
        ] {
            assert!(matches!(hidden(&text), Cow::Borrowed(same) if same == text));
        }
        let twice = format!("{key} {key}");
        let places: Vec<_> = find_all(twice.as_bytes()).collect();
        assert_eq!(places, [0..67, 68..135]);
    }
}
