//! What a collector is sent and what it answers (OTLP 1.x): the messages of
//! `opentelemetry/proto/collector/trace/v1`, written by hand with the numbers that their fields have there.

use super::span::{Value, put_attribute};
use crate::protobuf::{Read, fields, put_bytes, put_message, put_start};

/// The conventions that the names of attributes are from: the first ones in which those of HTTP are stable.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.23.1";

/// The message for a batch of encoded spans that were made by this service.
pub(super) fn request(spans: &[u8], service_name: &str, instance: &str) -> Vec<u8> {
    let mut scope = Vec::with_capacity(64);
    put_message(&mut scope, 1, |out| {
        put_bytes(out, 1, b"tollgate");
        put_bytes(out, 2, crate::VERSION.as_bytes());
    });
    let mut schema = Vec::with_capacity(64);
    put_bytes(&mut schema, 3, SCHEMA.as_bytes());
    let mut resource = Vec::with_capacity(256);
    put_message(&mut resource, 1, |out| {
        let said = [
            ("service.name", service_name),
            ("service.version", crate::VERSION),
            ("service.instance.id", instance),
        ];
        for (name, text) in said {
            put_attribute(out, 1, name, &Value::Text(text.into()));
        }
    });
    let of_scope = scope.len() + spans.len() + schema.len();
    let mut start = Vec::with_capacity(12);
    put_start(&mut start, 2, of_scope);
    let of_resource = resource.len() + start.len() + of_scope + schema.len();
    let mut out = Vec::with_capacity(of_resource + 12);
    put_start(&mut out, 1, of_resource);
    for part in [&resource, &start, &scope, spans, &schema, &schema] {
        out.extend_from_slice(part);
    }
    out
}

/// What a collector has not taken of a batch that it has taken otherwise.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Partial {
    /// How many spans.
    pub rejected: u64,
    /// Why, or a warning where none were rejected.
    pub why: String,
}

/// Reads what a collector answers.
pub(super) fn answer(message: &[u8]) -> Partial {
    let mut partial = Partial::default();
    for (field, read) in fields(message) {
        let (1, Read::Bytes(inner)) = (field, read) else {
            continue;
        };
        for field in fields(inner) {
            match field {
                // It is signed.
                (1, Read::Number(number)) if i64::try_from(number).is_ok() => {
                    partial.rejected = number;
                }
                (2, Read::Bytes(text)) => {
                    let text = String::from_utf8_lossy(text);
                    partial.why = text.chars().take(200).collect();
                }
                _ => {}
            }
        }
    }
    partial
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protobuf::put_number;

    #[test]
    fn what_was_rejected_is_read() {
        let mut out = Vec::new();
        put_message(&mut out, 1, |out| {
            put_number(out, 1, 3);
            put_bytes(out, 2, b"too old");
        });
        let partial = answer(&out);
        assert_eq!((partial.rejected, partial.why.as_str()), (3, "too old"));
        assert_eq!(answer(b""), Partial::default());
        assert_eq!(answer(b"\x0a"), Partial::default());
        let mut negative = Vec::new();
        put_message(&mut negative, 1, |out| put_number(out, 1, u64::MAX));
        assert_eq!(answer(&negative).rejected, 0);
    }
}
