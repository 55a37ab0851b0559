//! The length of a message: compared with a reading that spells RFC 9112 section 6.3 out, word by
//! word, without regard to speed.

use http::Method;
use tollgate::message::body::BodyLength;
use tollgate::message::fields::Fields;
use tollgate::message::protocol::Version;
use tollgate::wire::framing::{answer_body, keeps_alive};

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
        let expected = declared(&head.fields, false).and_then(|length| match length {
            Some(BodyLength::Chunked) if head.version == Version::Http10 => Err(Disputed),
            length => Ok(length),
        });
        let length = head.body.map_err(|_| Disputed);
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
    let expected = declared(&head.fields, true);
    for method in [Method::GET, Method::HEAD] {
        let bodiless =
            method == Method::HEAD || matches!(head.status.as_u16(), 100..=199 | 204 | 304);
        let expected = if bodiless {
            Ok(BodyLength::None)
        } else {
            expected.map(|length| length.unwrap_or(BodyLength::UntilClose))
        };
        let read = answer_body(&head, &method).map_err(|_| Disputed);
        assert_eq!(read.map(|body| body.length), expected);
        // Whatever is tolerated leaves no connection on which two readers could part.
        let old = head.version == Version::Http10 && expected == Ok(BodyLength::Chunked);
        assert!(!old || !keeps_alive(head.version, &head.fields));
    }
    check_connection(head.version, &head.fields);
}

/// Two readers could disagree.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Disputed;

/// What is said about a body, if anything is; `repeated` takes equal lengths for one, in a list, too.
fn declared(fields: &Fields, repeated: bool) -> Result<Option<BodyLength>, Disputed> {
    let values = |wanted: &str| -> Vec<String> {
        let named = |name: &[u8]| String::from_utf8_lossy(name).to_lowercase() == wanted;
        let fields = fields.iter().filter(|field| named(field.name));
        let text = |value| String::from_utf8_lossy(value).to_lowercase();
        fields.map(|field| text(field.value)).collect()
    };
    let mut lengths = values("content-length");
    if repeated {
        let items = lengths.iter().flat_map(|value| value.split(','));
        lengths = items
            .map(|item| item.trim_matches([' ', '\t']).to_owned())
            .collect();
        lengths.dedup();
    }
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
        ([], [coding]) if coding == "chunked" => Ok(Some(BodyLength::Chunked)),
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
    let faulty = version == Version::Http10
        && fields
            .iter()
            .any(|field| field.name.eq_ignore_ascii_case(b"transfer-encoding"));
    let expected = !faulty && !has("close") && (version == Version::Http11 || has("keep-alive"));
    assert_eq!(keeps_alive(version, fields), expected);
}
