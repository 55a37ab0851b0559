//! The sink for HTTP/1.1: heads and trailers are appended as the lines that are sent. What HTTP/1.1
//! says in fields of the connection is said here and nowhere else.

use http::{Method, StatusCode};

use crate::message::body::BodyLength;
use crate::message::fields::FieldRef;
use crate::message::protocol::Version;
use crate::message::sink::{FieldSink, HeadSink, Persistence};

/// Appends lines to a buffer.
#[derive(Debug)]
pub struct Http1Sink<'o> {
    out: &'o mut Vec<u8>,
    /// Of who reads them.
    receiver: Version,
}

impl<'o> Http1Sink<'o> {
    /// A sink for a receiver that speaks `receiver`.
    pub fn new(out: &'o mut Vec<u8>, receiver: Version) -> Self {
        Self { out, receiver }
    }

    /// Takes a field that came in another way than it would be written here.
    #[inline(never)]
    fn rewrite(&mut self, field: FieldRef<'_>) {
        self.field(field.name, field.value);
    }
}

impl FieldSink for Http1Sink<'_> {
    #[expect(
        clippy::inline_always,
        reason = "names are constants, and then cost a move"
    )]
    #[inline(always)]
    fn field(&mut self, name: &[u8], value: &[u8]) {
        self.composed(name, |out| out.extend_from_slice(value));
    }

    #[expect(
        clippy::inline_always,
        reason = "names are constants, and then cost a move"
    )]
    #[inline(always)]
    fn composed(&mut self, name: &[u8], compose: impl FnOnce(&mut Vec<u8>)) {
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(b": ");
        compose(self.out);
        self.out.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn pass(&mut self, field: FieldRef<'_>) {
        match field.line() {
            Some(line) => self.out.extend_from_slice(line),
            None => self.rewrite(field),
        }
    }
}

impl HeadSink for Http1Sink<'_> {
    #[inline]
    fn request(&mut self, method: &Method, host: &[u8], target: impl FnOnce(&mut Vec<u8>)) {
        self.out.extend_from_slice(method.as_str().as_bytes());
        self.out.push(b' ');
        target(self.out);
        self.out.extend_from_slice(b" HTTP/1.1\r\n");
        self.field(b"Host", host);
    }

    #[inline]
    fn status(&mut self, status: StatusCode, reason: &[u8]) {
        self.out.extend_from_slice(b"HTTP/1.1 ");
        self.out.extend_from_slice(status.as_str().as_bytes());
        self.out.push(b' ');
        self.out.extend_from_slice(reason);
        self.out.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn framing(&mut self, body: BodyLength) {
        match body {
            BodyLength::None | BodyLength::UntilClose => {}
            BodyLength::Fixed(length) => self.number(b"Content-Length", length),
            BodyLength::Chunked => self.field(b"Transfer-Encoding", b"chunked"),
        }
    }

    #[inline]
    fn connection(&mut self, persistence: Persistence, trailers: bool) {
        self.out.extend_from_slice(match (persistence, trailers) {
            (Persistence::Stays, false) if self.receiver.is_persistent() => b"",
            (Persistence::Stays, false) => b"Connection: keep-alive\r\n",
            (Persistence::Stays, true) => b"TE: trailers\r\nConnection: te\r\n",
            (Persistence::Ends, false) => b"Connection: close\r\n",
            (Persistence::Ends, true) => b"TE: trailers\r\nConnection: te, close\r\n",
            (Persistence::WebSocket, _) => b"Connection: upgrade\r\nUpgrade: websocket\r\n",
        });
    }

    fn offer<'p>(&mut self, protocols: impl Iterator<Item = &'p [u8]>) {
        self.field(b"Connection", b"upgrade");
        protocols.for_each(|names| self.field(b"Upgrade", names));
    }

    #[inline]
    fn end(&mut self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::fields::HeadStorage;
    use crate::wire::head::{HeadLimits, read_answer};

    fn written(receiver: Version, put: impl FnOnce(&mut Http1Sink<'_>)) -> String {
        let mut out = Vec::new();
        put(&mut Http1Sink::new(&mut out, receiver));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn fields_pass_as_they_came_but_for_their_blanks() {
        let lines = "A: 1\r\nb:2\r\nC:\t3\r\nd: 4 \r\nE:  5\r\nF:\r\ng: \r\nH: i: j\r\n";
        let limits = HeadLimits {
            max_bytes: 1000,
            max_fields: 10,
        };
        let head = format!("HTTP/1.1 200 OK\r\n{lines}\r\n").into_bytes();
        let head = read_answer(HeadStorage::from(head), &limits).unwrap();
        let passed = written(Version::Http11, |sink| {
            head.fields.iter().for_each(|field| sink.pass(field));
        });
        assert_eq!(
            passed,
            "A: 1\r\nb: 2\r\nC: 3\r\nd: 4\r\nE: 5\r\nF: \r\ng: \r\nH: i: j\r\n"
        );
    }

    #[test]
    fn what_becomes_of_the_connection_depends_on_who_is_told() {
        let told = |receiver, what| written(receiver, |sink| sink.connection(what, false));
        assert_eq!(told(Version::Http11, Persistence::Stays), "");
        let kept = "Connection: keep-alive\r\n";
        assert_eq!(told(Version::Http10, Persistence::Stays), kept);
        for receiver in [Version::Http10, Version::Http11] {
            let ends = told(receiver, Persistence::Ends);
            assert_eq!(ends, "Connection: close\r\n");
        }
    }
}
