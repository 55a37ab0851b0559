//! How long bodies are, of requests strictly and of answers as all read them.

use super::super::head::{HeadLimits, read_answer, read_request};
use super::*;
use crate::message::fields::HeadStorage;
use crate::message::head::RequestHead;

const LIMITS: HeadLimits = HeadLimits {
    max_bytes: 64 * 1024,
    max_fields: 100,
};

fn request(version: &str, fields: &str) -> RequestHead {
    let head = format!("POST / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
    read_request(HeadStorage::from(head.into_bytes()), &LIMITS).unwrap()
}

fn of_request(fields: &str) -> Result<BodyLength, FramingError> {
    request("1.1", fields).body
}

fn of_response(line: &str, fields: &str, method: &Method) -> Result<BodyLength, FramingError> {
    let head = format!("HTTP/{line}\r\n{fields}\r\n").into_bytes();
    let head = read_answer(HeadStorage::from(head), &LIMITS).unwrap();
    answer_body(&head, method).map(|body| body.length)
}

#[test]
fn a_request_says_how_long_its_body_is() {
    let longest = format!("Content-Length: {}\r\n", i64::MAX);
    let rows = [
        ("", BodyLength::None),
        ("Content-Length: 0\r\n", BodyLength::Fixed(0)),
        ("content-length:\t0042 \r\n", BodyLength::Fixed(42)),
        (&longest, BodyLength::Fixed(u64::MAX / 2)),
        ("Transfer-Encoding: chunked\r\n", BodyLength::Chunked),
        ("TRANSFER-encoding:\tCHUNKED \r\n", BodyLength::Chunked),
    ];
    for (fields, length) in rows {
        assert_eq!(of_request(fields), Ok(length), "{fields:?}");
    }
}

#[test]
fn a_length_is_digits_that_a_counter_holds() {
    for length in [
        "",
        "+5",
        "-5",
        "5 5",
        "5,",
        "5, 5",
        "5,6",
        "0x5",
        "5.0",
        "5e0",
        "\u{b2}5",
        "'5'",
        "5;",
        "9223372036854775808",
        "18446744073709551616",
        "99999999999999999999999999",
    ] {
        let refused = of_request(&format!("Content-Length: {length}\r\n"));
        assert_eq!(refused, Err(FramingError::BadContentLength), "{length:?}");
    }
}

#[test]
fn there_is_one_length_or_one_coding() {
    for second in ["5", "6", ""] {
        let twice = format!("Content-Length: 5\r\ncontent-length: {second}\r\n");
        let refused = of_request(&twice);
        assert_eq!(
            refused,
            Err(FramingError::RepeatedContentLength),
            "{twice:?}"
        );
    }
    for both in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "transfer-encoding: x\r\nX: y\r\ncontent-length: 0\r\n",
        "Transfer-Encoding:\r\nContent-Length: 5\r\n",
    ] {
        assert_eq!(
            of_request(both),
            Err(FramingError::LengthAndCoding),
            "{both:?}"
        );
    }
}

#[test]
fn equal_lengths_of_an_answer_are_one_however_they_are_written() {
    let of = |fields: &str| {
        let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let head = read_answer(HeadStorage::from(text.into_bytes()), &LIMITS).unwrap();
        answer_body(&head, &Method::GET)
    };
    for equal in [
        "Content-Length: 2, 2\r\n",
        "Content-Length: 2,2 ,2\r\n",
        "Content-Length: 2\r\nContent-Length: 2, 2\r\n",
    ] {
        let body = AnswerBody {
            length: BodyLength::Fixed(2),
            odd: Some(Oddity::RepeatedLength),
        };
        assert_eq!(of(equal), Ok(body), "{equal}");
    }
    for other in [
        "2, 3",
        "2,",
        ", 2",
        "2, 02",
        "2;2",
        "2 2",
        "2\r\nContent-Length: 2, 3",
    ] {
        let refused = of(&format!("Content-Length: {other}\r\n"));
        assert!(refused.is_err(), "{other}");
    }
}

#[test]
fn a_coding_is_chunked_once_and_alone() {
    use FramingError::{ChunkedNotLast, UnknownCoding};
    let rows = [
        ("", UnknownCoding),
        (",", UnknownCoding),
        ("gzip", UnknownCoding),
        ("identity", UnknownCoding),
        ("xchunked", UnknownCoding),
        ("chunkedx", UnknownCoding),
        ("\"chunked\"", UnknownCoding),
        ("cow, chunk", UnknownCoding),
        ("gzip, chunked", UnknownCoding),
        ("gzip\r\nTransfer-Encoding: chunked", UnknownCoding),
        ("chunked, gzip", ChunkedNotLast),
        ("gzip, chunked, gzip", ChunkedNotLast),
        ("chunked, chunked", ChunkedNotLast),
        ("chunked\r\nTransfer-Encoding: chunked", ChunkedNotLast),
        ("chunked\r\nTransfer-Encoding:", ChunkedNotLast),
        ("chunked,", ChunkedNotLast),
        (", chunked", ChunkedNotLast),
        ("chunked;q=0.5", ChunkedNotLast),
        ("gzip, chunked ;q=1", ChunkedNotLast),
        ("chunked chunked", ChunkedNotLast),
    ];
    for (coding, error) in rows {
        let refused = of_request(&format!("Transfer-Encoding: {coding}\r\n"));
        assert_eq!(refused, Err(error), "{coding:?}");
    }
    let old = request("1.0", "Transfer-Encoding: chunked\r\n").body;
    assert_eq!(old, Err(FramingError::CodingInHttp10));
}

#[test]
fn the_length_of_a_response_depends_on_what_was_asked() {
    let (get, head) = (&Method::GET, &Method::HEAD);
    let rows = [
        (
            "1.1 200 OK",
            "Content-Length: 5\r\n",
            get,
            BodyLength::Fixed(5),
        ),
        (
            "1.1 200 OK",
            "Transfer-Encoding: chunked\r\n",
            get,
            BodyLength::Chunked,
        ),
        ("1.1 200 OK", "", get, BodyLength::UntilClose),
        ("1.0 500", "", get, BodyLength::UntilClose),
        (
            "1.1 200 OK",
            "Content-Length: 5\r\n",
            head,
            BodyLength::None,
        ),
        (
            "1.1 200 OK",
            "Transfer-Encoding: chunked\r\n",
            head,
            BodyLength::None,
        ),
        ("1.1 304 x", "Content-Length: 5\r\n", get, BodyLength::None),
        ("1.1 204 x", "Content-Length: 5\r\n", get, BodyLength::None),
        ("1.1 103 x", "", get, BodyLength::None),
        ("1.1 101 x", "", get, BodyLength::None),
        (
            "1.1 200 OK",
            "Content-Length: 5\r\ncontent-length:  5\r\n",
            get,
            BodyLength::Fixed(5),
        ),
        (
            "1.0 200 OK",
            "Transfer-Encoding: chunked\r\n",
            get,
            BodyLength::Chunked,
        ),
    ];
    for (line, fields, method, length) in rows {
        assert_eq!(
            of_response(line, fields, method),
            Ok(length),
            "{line} {fields:?}"
        );
    }
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 05\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: x\r\nContent-Length: x\r\n",
        "Content-Length: +5\r\n",
        "Transfer-Encoding: gzip\r\n",
    ] {
        for version in ["1.0", "1.1"] {
            let of_get = of_response(&format!("{version} 200 OK"), fields, get);
            assert!(of_get.is_err(), "{version} {fields:?}");
            for (line, method) in [("200 OK", head), ("204 x", get), ("304 x", get)] {
                let length = of_response(&format!("{version} {line}"), fields, method);
                assert_eq!(length, Ok(BodyLength::None), "{line} {fields:?}");
            }
        }
    }
}

#[test]
fn close_wins_and_http_1_0_has_to_ask_to_live_on() {
    let rows = [
        ("1.1", "", true),
        ("1.1", "Connection: x, upgrade\r\n", true),
        ("1.1", "Connection: Close\r\n", false),
        (
            "1.1",
            "Connection: keep-alive\r\nconnection: x, CLOSE\r\n",
            false,
        ),
        ("1.1", "Connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
        (
            "1.0",
            "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n",
            false,
        ),
    ];
    for (version, fields, kept) in rows {
        let head = request(version, fields);
        assert_eq!(
            keeps_alive(head.version, &head.fields),
            kept,
            "{version} {fields:?}"
        );
    }
}
