//! What must hold for any bytes, one function a fuzz target. They depend on nothing but Tollgate's
//! public interface and on second opinions: httparse, and naive readings written down here.

pub mod chunks;
pub mod config;
pub mod framing;
pub mod head;
pub mod header_rules;
pub mod path;

use tollgate::message::fields::{Fields, HeadStorage};
use tollgate::message::head::{AnswerHead, RequestHead};
use tollgate::wire::head::{HeadLimits, read_answer, read_request};

/// Smaller than what a gateway allows, so that the bounds are met by short inputs, too.
pub const LIMITS: HeadLimits = HeadLimits {
    max_bytes: 2048,
    max_fields: 24,
};

/// A request's head, if it is one.
fn request(bytes: &[u8]) -> Option<RequestHead> {
    read_request(HeadStorage::from(bytes.to_vec()), &LIMITS).ok()
}

/// A response's head, if it is one.
fn response(bytes: &[u8]) -> Option<AnswerHead> {
    read_answer(HeadStorage::from(bytes.to_vec()), &LIMITS).ok()
}

/// Names and values.
fn pairs(fields: &Fields) -> Vec<(Vec<u8>, Vec<u8>)> {
    let owned = fields.iter().map(|f| (f.name.to_vec(), f.value.to_vec()));
    owned.collect()
}

/// Fails unless every field can be passed on as it is: a token, and a value that ends no line.
fn assert_clean(fields: &Fields) {
    for field in fields.iter() {
        assert!(!field.name.is_empty() && field.name.iter().all(|b| is_token(*b)));
        let control = |b: &u8| (*b < b' ' && *b != b'\t') || *b == 0x7f;
        assert!(!field.value.iter().any(control));
        let ends = [field.value.first(), field.value.last()];
        let blank = |end: &&u8| matches!(**end, b' ' | b'\t');
        assert!(!ends.iter().flatten().any(blank));
    }
}

fn is_token(b: u8) -> bool {
    b.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&b)
}
