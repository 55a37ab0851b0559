//! Chunked bodies: decoded alike however they are cut, as a naive reading of the whole decodes
//! them, and decoded again alike when they are encoded again.

use tollgate::wire::chunked::{ChunkDecoder, LAST_CHUNK, Step, put_chunk};

use super::{assert_clean, pairs};

/// What a body says: its bytes, its trailers, and how many bytes it took.
#[derive(Debug, PartialEq)]
struct Body {
    bytes: Vec<u8>,
    trailers: Vec<(Vec<u8>, Vec<u8>)>,
    used: usize,
}

/// The first byte says how the rest is cut into pieces.
pub fn check(input: &[u8]) {
    let Some((piece, coded)) = input.split_first() else {
        return;
    };
    let strict = read(coded, *piece, ChunkDecoder::default);
    let whole = read(coded, *piece, ChunkDecoder::of_answer);
    assert!(
        strict.is_err() || strict == whole,
        "an answer's chunks may be odd, not others"
    );
    let Ok(Some(body)) = whole else {
        return;
    };
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
    let strict = decode(&again, 7, ChunkDecoder::default());
    assert_eq!(strict, Ok(Some(Body { used, ..body })));
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
                }));
            }
        }
    }
}

/// Line by line, as the RFC has it; `None` where it is not followed.
fn naive(coded: &[u8]) -> Option<Vec<u8>> {
    let mut body = vec![];
    let mut rest = coded;
    loop {
        let line_end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let line = std::str::from_utf8(&rest[..line_end]).unwrap_or_else(|e| {
            std::str::from_utf8(&rest[..e.valid_up_to()]).expect("it is valid")
        });
        let size = line.split(';').next()?.trim_end_matches([' ', '\t']);
        if size.starts_with('+') {
            return None;
        }
        let size = usize::from_str_radix(size, 16).ok()?;
        rest = &rest[line_end + 2..];
        if size == 0 {
            return rest.ends_with(b"\r\n").then_some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest[size..].strip_prefix(b"\r\n")?;
    }
}
