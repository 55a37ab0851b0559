//! Where heads and trailers are put, field by field. The rules above know no protocol: each protocol
//! has a sink of its own, which is generic all the way and so costs no more than writing by hand.

use http::{Method, StatusCode};

use super::body::BodyLength;
use super::fields::FieldRef;

/// Takes fields.
pub trait FieldSink {
    /// Takes a field. Neither name nor value can end a line.
    fn field(&mut self, name: &[u8], value: &[u8]);

    /// Takes a field whose value `compose` appends to what it is given, in place.
    fn composed(&mut self, name: &[u8], compose: impl FnOnce(&mut Vec<u8>));

    /// Takes a field as it came.
    #[inline]
    fn pass(&mut self, field: FieldRef<'_>) {
        self.field(field.name, field.value);
    }

    /// Takes a field with a number for its value.
    #[inline]
    fn number(&mut self, name: &[u8], value: u64) {
        self.field(name, itoa::Buffer::new().format(value).as_bytes());
    }
}

/// Takes a whole head: its first line, its fields, and what a protocol may say in fields of its own
/// or in none.
pub trait HeadSink: FieldSink {
    /// Begins a request to `host`; `target` appends its path and query.
    fn request(&mut self, method: &Method, host: &[u8], target: impl FnOnce(&mut Vec<u8>));

    /// Begins an answer. Not every protocol has a `reason`.
    fn status(&mut self, status: StatusCode, reason: &[u8]);

    /// Says how the body is framed.
    fn framing(&mut self, body: BodyLength);

    /// Says what becomes of the connection, and whether whoever asks takes trailers.
    fn connection(&mut self, persistence: Persistence, trailers: bool);

    /// Says to which protocols the connection could be switched (RFC 9110 section 7.8).
    fn offer<'p>(&mut self, protocols: impl Iterator<Item = &'p [u8]>);

    /// Ends the head.
    fn end(&mut self);
}

/// A head that can be put into the sink of any protocol.
pub trait PutHead {
    /// Puts all of it.
    fn put(&self, sink: &mut impl HeadSink);
}

/// What becomes of a connection after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Persistence {
    /// It takes the next one.
    Stays,
    /// It ends after the exchange.
    Ends,
    /// It becomes, or is asked to become, a WebSocket.
    WebSocket,
}

/// A head as HTTP/2 has it: a list of names in lower case and their values, `:authority` instead of
/// `Host`, no reason, and nothing about the connection.
#[cfg(test)]
#[derive(Debug, Default)]
pub(crate) struct List(pub Vec<(String, String)>);

#[cfg(test)]
impl FieldSink for List {
    fn field(&mut self, name: &[u8], value: &[u8]) {
        self.composed(name, |out| out.extend_from_slice(value));
    }

    fn composed(&mut self, name: &[u8], compose: impl FnOnce(&mut Vec<u8>)) {
        let mut value = Vec::new();
        compose(&mut value);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("tests write text");
        self.0.push((text(name.to_ascii_lowercase()), text(value)));
    }
}

#[cfg(test)]
impl HeadSink for List {
    fn request(&mut self, method: &Method, host: &[u8], target: impl FnOnce(&mut Vec<u8>)) {
        self.field(b":method", method.as_str().as_bytes());
        self.field(b":authority", host);
        self.composed(b":path", target);
    }

    fn status(&mut self, status: StatusCode, _: &[u8]) {
        self.field(b":status", status.as_str().as_bytes());
    }

    fn framing(&mut self, body: BodyLength) {
        if let BodyLength::Fixed(length) = body {
            self.number(b"content-length", length);
        }
    }

    fn connection(&mut self, _: Persistence, trailers: bool) {
        if trailers {
            self.field(b"te", b"trailers");
        }
    }

    fn offer<'p>(&mut self, _: impl Iterator<Item = &'p [u8]>) {}

    fn end(&mut self) {}
}
