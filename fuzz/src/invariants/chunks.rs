//! Chunked bodies: decoded alike however they are cut, as a naive reading of the whole decodes
//! them, and decoded again alike when they are encoded again.

use tollgate::message::head::Oddity;
use tollgate::wire::chunked::{ChunkDecoder, LAST_CHUNK, Step, put_chunk};

use super::{assert_clean, pairs};

/// What a body says: its bytes, its trailers, and how many bytes it took.
#[derive(Debug, PartialEq)]
struct Body {
    bytes: Vec<u8>,
    trailers: Vec<(Vec<u8>, Vec<u8>)>,
    used: usize,
    odd: Option<Oddity>,
}

/// The first byte says how the rest is cut into pieces.
pub fn check(input: &[u8]) {
    let Some((piece, coded)) = input.split_first() else {
        return;
    };
    let strict = read(coded, *piece, ChunkDecoder::of_request);
    let whole = read(coded, *piece, ChunkDecoder::of_answer);
    assert!(
        strict.is_err() || strict == whole,
        "an answer's chunks may be odd, not others"
    );
    let Ok(Some(body)) = whole else {
        return;
    };
    assert!(
        strict.is_err() || body.odd.is_none(),
        "what a client may send is not odd"
    );
    assert!(body.used <= coded.len());
    assert_eq!(
        naive(&coded[..body.used]).as_deref(),
        Some(&body.bytes[..]),
        "a naive reading finds the same body"
    );

    let mut again = vec![];
    for piece in body.bytes.chunks(usize::from(*piece).max(1)) {
        put_chunk(&mut again, piece);
    }
    again.extend_from_slice(LAST_CHUNK);
    for (name, value) in &body.trailers {
        again.extend([name, &b": "[..], value, b"\r\n"].concat());
    }
    again.extend_from_slice(b"\r\n");
    let used = again.len();
    let strict = decode(&again, 7, ChunkDecoder::of_request());
    let odd = None;
    assert_eq!(strict, Ok(Some(Body { used, odd, ..body })));
}

/// Decodes in pieces of any size alike.
fn read(coded: &[u8], piece: u8, decoder: fn() -> ChunkDecoder) -> Result<Option<Body>, ()> {
    let whole = decode(coded, usize::MAX, decoder());
    assert_eq!(whole, decode(coded, usize::from(piece).max(1), decoder()));
    assert_eq!(whole, decode(coded, 1, decoder()));
    whole
}

/// `Ok(None)` if the body has not ended.
fn decode(coded: &[u8], piece: usize, mut decoder: ChunkDecoder) -> Result<Option<Body>, ()> {
    let (mut bytes, mut used, mut arrived) = (vec![], 0, 0);
    loop {
        let at_hand = &coded[used..arrived];
        match decoder.next(at_hand).map_err(drop)? {
            Step::NeedMore { consumed } => {
                assert_eq!(consumed, at_hand.len(), "nothing is left lying");
                used = arrived;
                if arrived == coded.len() {
                    return Ok(None);
                }
                arrived = arrived.saturating_add(piece).min(coded.len());
            }
            Step::Data { skip, len } => {
                assert!(len > 0);
                bytes.extend_from_slice(&at_hand[skip..skip + len]);
                used += skip + len;
            }
            Step::End { consumed } => {
                used += consumed;
                assert_eq!(decoder.next(b"x"), Ok(Step::End { consumed: 0 }));
                let trailers = decoder.trailers().unwrap_or_default();
                assert_clean(&trailers);
                let trailers = pairs(&trailers);
                return Ok(Some(Body {
                    bytes,
                    trailers,
                    used,
                    odd: decoder.odd(),
                }));
            }
        }
    }
}

/// Line by line, as the RFC has it, but that LF alone may end those without an extension; `None` where it is
/// not followed.
fn naive(coded: &[u8]) -> Option<Vec<u8>> {
    let mut body = vec![];
    let mut rest = coded;
    loop {
        let line_end = rest.iter().position(|b| *b == b'\n')?;
        let line = &rest[..line_end];
        let is_extended = line.contains(&b';');
        let line = match line.strip_suffix(b"\r") {
            Some(line) => line,
            None if is_extended => return None,
            None => line,
        };
        let size = line.split(|b| *b == b';').next()?;
        let size = std::str::from_utf8(size).ok()?;
        let size = size.trim_end_matches([' ', '\t']);
        if size.starts_with('+') {
            return None;
        }
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = &rest[line_end + 1..];
        if size == 0 {
            return rest.ends_with(b"\n").then_some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = &rest[size..];
        rest = rest.strip_prefix(b"\r").unwrap_or(rest);
        rest = rest.strip_prefix(b"\n")?;
    }
}
