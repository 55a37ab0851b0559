//! The heads of requests and answers, as everything above `wire` sees them: whichever protocol they
//! came by, and without a copy of what was read.

use http::{Method, StatusCode};

use super::body::{BodyLength, FramingError};
use super::fields::{Fields, HeadStorage, Span};
use super::known_field::KnownField;
use super::protocol::Version;

/// The head of a request.
#[derive(Debug)]
pub struct RequestHead {
    /// As it came; methods are case-sensitive.
    pub method: Method,
    /// By which it came.
    pub version: Version,
    /// In their order.
    pub fields: Fields,
    /// How long its body is, by the rules of its protocol.
    pub body: Result<BodyLength, FramingError>,
    target: Span,
}

impl RequestHead {
    /// A head whose `target` stands in the bytes of its fields.
    pub(crate) fn new(
        method: Method,
        version: Version,
        target: Span,
        fields: Fields,
        body: Result<BodyLength, FramingError>,
    ) -> Self {
        Self {
            method,
            version,
            fields,
            body,
            target,
        }
    }

    /// The request target as it came.
    pub fn target(&self) -> &[u8] {
        self.target.get(self.fields.bytes())
    }

    /// The host that is asked for, with its port, unless the target names one; empty if it is not
    /// said. A protocol that says it in another place than `Host` notes it under that name.
    pub fn host(&self) -> &[u8] {
        self.fields.get(KnownField::Host).unwrap_or_default()
    }

    /// Gives the storage back for the next head.
    pub fn into_storage(self) -> HeadStorage {
        self.fields.into()
    }
}

/// What is not as it should be about an answer, and yet is read alike by all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// A line ends with LF alone.
    BareLf,
    /// Blanks stand between a field's name and its colon.
    BlanksBeforeColon,
    /// Its length is said more than once.
    RepeatedLength,
    /// It has chunks, in a version that knows none.
    OldChunks,
}

impl Oddity {
    /// As the log has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BareLf => "a line ends with LF alone",
            Self::BlanksBeforeColon => "blanks stand between a field's name and its colon",
            Self::RepeatedLength => "Content-Length is there more than once",
            Self::OldChunks => "it is HTTP/1.0 and has chunks",
        }
    }
}

/// The head of an answer.
#[derive(Debug)]
pub struct AnswerHead {
    /// 100 to 999.
    pub status: StatusCode,
    /// By which it came.
    pub version: Version,
    /// In their order.
    pub fields: Fields,
    /// What had to be repaired before it could be read, if anything.
    pub repaired: Option<Oddity>,
    reason: Span,
}

impl AnswerHead {
    /// A head whose `reason` stands in the bytes of its fields.
    pub(crate) fn new(status: StatusCode, version: Version, reason: Span, fields: Fields) -> Self {
        Self {
            status,
            version,
            fields,
            repaired: None,
            reason,
        }
    }

    /// The text after the status. Empty where the protocol has none, and where it is not ASCII: in
    /// which encoding it would be, nobody knows.
    pub fn reason(&self) -> &[u8] {
        let reason = self.reason.get(self.fields.bytes());
        if reason.is_ascii() { reason } else { b"" }
    }

    /// Gives the storage back for the next head.
    pub fn into_storage(self) -> HeadStorage {
        self.fields.into()
    }
}
