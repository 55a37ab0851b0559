//! Chunked bodies, however they are cut, and what is refused.

use proptest::prelude::*;

use super::*;

/// What was read: the body, how many bytes it took in all, and its trailers.
#[derive(Debug, PartialEq)]
struct Decoded {
    body: Vec<u8>,
    used: usize,
    trailers: Vec<(Vec<u8>, Vec<u8>)>,
    odd: Option<Oddity>,
}

/// Decodes what a client sends in pieces of that size; `None` if the body has not ended.
fn decode(input: &[u8], piece: usize) -> Result<Option<Decoded>, ChunkError> {
    decode_by(ChunkDecoder::of_request(), input, piece)
}

/// The same of what a service sends.
fn decode_answer(input: &[u8], piece: usize) -> Result<Option<Decoded>, ChunkError> {
    decode_by(ChunkDecoder::of_answer(), input, piece)
}

fn decode_by(
    mut decoder: ChunkDecoder,
    mut input: &[u8],
    piece: usize,
) -> Result<Option<Decoded>, ChunkError> {
    let (mut body, mut at_hand) = (vec![], vec![]);
    let whole = input.len();
    loop {
        match decoder.next(&at_hand)? {
            Step::NeedMore { consumed } => {
                assert_eq!(consumed, at_hand.len());
                if input.is_empty() {
                    return Ok(None);
                }
                let (next, rest) = input.split_at(piece.min(input.len()));
                (at_hand, input) = (next.to_vec(), rest);
            }
            Step::Data { skip, len } => {
                assert!(len > 0);
                body.extend_from_slice(&at_hand[skip..skip + len]);
                at_hand.drain(..skip + len);
            }
            Step::End { consumed } => {
                let used = whole - input.len() - at_hand.len() + consumed;
                let fields = decoder.trailers().unwrap_or_default();
                let owned = fields.iter().map(|f| (f.name.to_vec(), f.value.to_vec()));
                return Ok(Some(Decoded {
                    body,
                    used,
                    trailers: owned.collect(),
                    odd: decoder.odd(),
                }));
            }
        }
    }
}

fn refused(coded: &str) -> ChunkError {
    let whole = decode(coded.as_bytes(), usize::MAX);
    assert_eq!(decode(coded.as_bytes(), 1), whole, "{coded:?}");
    whole.expect_err(coded)
}

#[test]
fn a_body_is_the_same_however_it_is_cut() {
    let coded = b"5;a=\"x;y\"\r\nhello\r\n006 \t; b\r\n world\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\nGET";
    for piece in 1..=coded.len() {
        let read = decode(coded, piece).unwrap().unwrap();
        assert_eq!(read.body, b"hello world", "{piece}");
        assert_eq!(read.used, coded.len() - 3, "{piece}");
        let trailers = [(b"X-Sum".to_vec(), b"1".to_vec()), (b"Y".to_vec(), vec![])];
        assert_eq!(read.trailers, trailers, "{piece}");
    }
    for cut in 0..coded.len() - 3 {
        assert_eq!(decode(&coded[..cut], 7), Ok(None), "{cut}");
    }
}

#[test]
fn blanks_behind_a_size_are_skipped_in_an_answer() {
    let coded = b"5  \r\nhello\r\n6\t \r\n world\r\n0   \r\n\r\n";
    for piece in 1..=coded.len() {
        let read = decode_answer(coded, piece).unwrap().unwrap();
        assert_eq!(
            (&read.body[..], read.used, read.odd),
            (&b"hello world"[..], coded.len(), None)
        );
    }
    for malformed in ["5 5\r\n", " 5\r\n", "5 \r\r\n", "\r\n", "5 x\r\n"] {
        let refused = decode_answer(malformed.as_bytes(), 1);
        assert_eq!(refused, Err(ChunkError::Size), "{malformed:?}");
    }
    let line = format!("5{}\r\n", " ".repeat(4097));
    let refused = decode_answer(line.as_bytes(), 100);
    assert_eq!(refused, Err(ChunkError::ExtensionsTooLarge));
    for stream in ["1       ;a\r\nx\r\n", "1       \nx\n", "1       ;a\r\nx\n"] {
        let stream = format!("{}0\r\n\r\n", stream.repeat(10_000));
        assert!(decode_answer(stream.as_bytes(), 1000).unwrap().is_some());
    }
}

#[test]
fn lines_of_an_answer_may_end_with_lf_alone() {
    for coded in [
        "5\nhello\n6\n world\n0\nX-Sum: 1\n\n",
        "5 \nhello\n6\t\n world\n0 \nX-Sum: 1\n\n",
        "5\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n",
        "5\r\nhello\n6;a\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n",
        "5\r\nhello\r\n6\r\n world\r\n0\nX-Sum: 1\r\n\r\n",
        "5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\n\n",
    ] {
        let more = format!("{coded}HTTP/1.1");
        for piece in 1..=more.len() {
            let read = decode_answer(more.as_bytes(), piece).unwrap().unwrap();
            assert_eq!(read.body, b"hello world", "{coded:?}, {piece}");
            assert_eq!(read.used, coded.len(), "{coded:?}, {piece}");
            assert_eq!(read.trailers, [(b"X-Sum".to_vec(), b"1".to_vec())]);
            assert_eq!(read.odd, Some(Oddity::BareLf));
        }
        refused(coded);
    }
    let blanks = b"0\r\nX-Sum : 1\r\n\r\n";
    let read = decode_answer(blanks, 1).unwrap().unwrap();
    assert_eq!(read.trailers, [(b"X-Sum".to_vec(), b"1".to_vec())]);
    assert_eq!(read.odd, Some(Oddity::BlanksBeforeColon));
    let right = decode_answer(b"1;a\r\nx\r\n0\r\nX: 1\r\n\r\n", 1);
    assert_eq!(right.unwrap().unwrap().odd, None);
}

#[test]
fn what_two_readers_could_read_differently_is_refused_in_an_answer_too() {
    use ChunkError::{End, Extension, Size, Trailers};
    for (coded, error) in [
        ("\n", Size),
        ("\n5\nhello\n", Size),
        ("5\rhello", Size),
        ("5\r\rhello", Size),
        ("5;\n", Extension),
        ("5 ;a\nhello\n", Extension),
        ("5;a\r\r\n", Size),
        ("5;a=\"\n\"\r\n", Extension),
        ("5\nhello0\n\n", End),
        ("5\nhello\r0\r\n", End),
        ("5\nhello\r\r\n", End),
        ("5\nhello\n\n0\n\n", Size),
        ("0\nX: y\n\r\n", Trailers(TrailerError::MixedLineEnds)),
        ("0\r\nX: y\r\n\n", Trailers(TrailerError::MixedLineEnds)),
        ("0\nX: a\rY: b\n\n", Trailers(TrailerError::Malformed)),
        ("0\nX: y\n z\n\n", Trailers(TrailerError::Malformed)),
    ] {
        for piece in [1, usize::MAX] {
            let read = decode_answer(coded.as_bytes(), piece);
            assert_eq!(read, Err(error), "{coded:?}");
        }
        refused(coded);
    }
}

#[test]
fn what_two_readers_could_read_differently_is_refused() {
    use ChunkError::{End, Extension, Size, Trailers};
    use TrailerError::Malformed;
    for (coded, error) in [
        ("\r\n", Size),
        (" 5\r\n", Size),
        ("5 \r\n", Size),
        ("5 5\r\n", Size),
        ("+5\r\n", Size),
        ("-5\r\n", Size),
        ("0x5\r\n", Size),
        (";a\r\n", Size),
        ("5\n", Size),
        ("5\r\r\n", Size),
        ("5;a\r\r\n", Size),
        ("8000000000000000\r\n", Size),
        ("ffffffffffffffff\r\n", Size),
        ("00000000000000005\r\n", Size),
        ("5;\n", Extension),
        ("5;\0\r\n", Extension),
        ("5;a=\"\u{7f}\"\r\n", Extension),
        ("5\r\nhello0\r\n\r\n", End),
        ("6\r\nhello\r\n0\r\n\r\n", End),
        ("5\r\nhello\n", End),
        ("5\r\nhello\r\r\n", End),
        ("0\r\nX : y\r\n\r\n", Trailers(Malformed)),
        ("0\r\n\n", Trailers(Malformed)),
    ] {
        assert_eq!(refused(coded), error, "{coded:?}");
    }
}

#[test]
fn the_longest_chunk_is_one_that_a_counter_holds() {
    let input = b"7fffffffffffffff\r\nab";
    let step = ChunkDecoder::of_request().next(input);
    assert_eq!(step, Ok(Step::Data { skip: 18, len: 2 }));
}

#[test]
fn extensions_are_bounded() {
    let long = |n: usize| format!("5;{}\r\nhello\r\n", "x".repeat(n));
    let ended = |chunks: String| chunks + "0\r\n\r\n";
    assert!(decode(ended(long(4095)).as_bytes(), 100).unwrap().is_some());
    assert_eq!(refused(&long(4096)), ChunkError::ExtensionsTooLarge);
    assert_eq!(
        refused(&long(4095).repeat(17)),
        ChunkError::ExtensionsTooLarge
    );
    let blanks = format!("5{};\r\n", " ".repeat(4096));
    assert_eq!(refused(&blanks), ChunkError::ExtensionsTooLarge);
}

#[test]
fn a_decoder_that_has_ended_stays_at_the_end() {
    let mut decoder = ChunkDecoder::of_request();
    assert_eq!(decoder.next(b"0\r\n\r\nG"), Ok(Step::End { consumed: 5 }));
    assert_eq!(decoder.next(b"G"), Ok(Step::End { consumed: 0 }));
    assert!(decoder.trailers().is_none());
}

proptest! {
    #[test]
    fn what_is_put_in_chunks_is_read_back(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
        piece in 1..100_usize,
    ) {
        let mut coded = vec![];
        for data in &pieces {
            put_chunk(&mut coded, data);
        }
        coded.extend_from_slice(LAST_CHUNK);
        coded.extend_from_slice(b"\r\n");
        let read = decode(&coded, piece).unwrap().unwrap();
        prop_assert_eq!(read.body, pieces.concat());
        prop_assert_eq!(read.used, coded.len());
    }

    #[test]
    fn any_bytes_are_read_alike_however_they_are_cut(
        coded in "([0-3]{1,2}( ?;a)?\r?\n|[a-c\r\n]{0,3}\r\n|X: y\r\n|\n|0\r\n\r\n){0,12}",
        piece in 1..20_usize,
    ) {
        for decode in [decode, decode_answer] {
            let whole = decode(coded.as_bytes(), usize::MAX);
            prop_assert_eq!(decode(coded.as_bytes(), piece), whole);
        }
    }
}
