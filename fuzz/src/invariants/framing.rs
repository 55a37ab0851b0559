//! The length of a message: compared with a reading that spells RFC 9112 section 6.3 out, word by
//! word, without regard to speed.

use http::Method;
use tollgate::message::body::BodyLength;
use tollgate::message::fields::Fields;
use tollgate::message::protocol::Version;
use tollgate::wire::framing::{answer_body, keeps_alive, request_body};

use super::{request, response};

/// The bytes are a head, with or without its start line.
pub fn check(bytes: &[u8]) {
    check_request(bytes);
    check_response(bytes);
    // Most of what is interesting is in the fields.
    for version in ["1.0", "1.1"] {
        let line = format!("POST / HTTP/{version}\r\nHost: a\r\n").into_bytes();
        check_request(&[&line, bytes, b"\r\n\r\n"].concat());
        let line = format!("HTTP/{version} 200 OK\r\n").into_bytes();
        check_response(&[&line, bytes, b"\r\n\r\n"].concat());
    }
}

fn check_request(bytes: &[u8]) {
    if let Some(head) = request(bytes) {
        let expected = declared(head.version, &head.fields);
        let length = request_body(&head).map_err(|_| Disputed);
        assert_eq!(
            length,
            expected.map(|length| length.unwrap_or(BodyLength::None))
        );
        check_connection(head.version, &head.fields);
    }
}

fn check_response(bytes: &[u8]) {
    let Some(head) = response(bytes) else {
        return;
    };
    let expected = declared(head.version, &head.fields);
    for method in [Method::GET, Method::HEAD] {
        let bodiless =
            method == Method::HEAD || matches!(head.status.as_u16(), 100..=199 | 204 | 304);
        let expected = match (expected, bodiless) {
            (Err(Disputed), _) => Err(Disputed),
            (Ok(_), true) => Ok(BodyLength::None),
            (Ok(length), false) => Ok(length.unwrap_or(BodyLength::UntilClose)),
        };
        let length = answer_body(&head, &method).map_err(|_| Disputed);
        assert_eq!(length, expected);
    }
    check_connection(head.version, &head.fields);
}

/// Two readers could disagree.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Disputed;

/// What is said about a body, if anything is.
fn declared(version: Version, fields: &Fields) -> Result<Option<BodyLength>, Disputed> {
    let values = |wanted: &str| -> Vec<String> {
        let named = |name: &[u8]| String::from_utf8_lossy(name).to_lowercase() == wanted;
        let fields = fields.iter().filter(|field| named(field.name));
        let text = |value| String::from_utf8_lossy(value).to_lowercase();
        fields.map(|field| text(field.value)).collect()
    };
    let lengths = values("content-length");
    let codings = values("transfer-encoding");
    match (&lengths[..], &codings[..]) {
        ([], []) => Ok(None),
        ([length], []) if !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit()) => {
            let digits = length.trim_start_matches('0');
            let length = match digits {
                "" => 0,
                digits => digits.parse().unwrap_or(u128::MAX),
            };
            let fits = u64::try_from(length).ok().filter(|n| *n <= u64::MAX / 2);
            let length = fits.map(BodyLength::Fixed).ok_or(Disputed)?;
            Ok(Some(length))
        }
        ([], [coding]) if coding == "chunked" && version == Version::Http11 => {
            Ok(Some(BodyLength::Chunked))
        }
        _ => Err(Disputed),
    }
}

fn check_connection(version: Version, fields: &Fields) {
    let options: Vec<String> = fields
        .iter()
        .filter(|field| field.name.eq_ignore_ascii_case(b"connection"))
        .map(|field| String::from_utf8_lossy(field.value).to_lowercase())
        .collect();
    let options = options.join(",");
    let has = |wanted| {
        options
            .split(',')
            .any(|option| option.trim_matches([' ', '\t']) == wanted)
    };
    let expected = !has("close") && (version == Version::Http11 || has("keep-alive"));
    assert_eq!(keeps_alive(version, fields), expected);
}
