//! A span as a value, and how it is encoded.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::context::Flags;
use super::ids::{SpanId, TraceId};
use crate::protobuf::{put_bytes, put_fixed32, put_fixed64, put_message, put_number};

/// The longest text of an attribute, as in access lines: what a client sends may be long.
const MAX_TEXT: usize = 1024;

/// The field of `ScopeSpans` that has them.
const IN_SCOPE: u64 = 2;

/// In the flags of a span: whether its parent was another process is known, and is so.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// Some work that was done for a request.
#[derive(Debug)]
pub struct Span<'a> {
    /// The trace that it belongs to.
    pub trace_id: TraceId,
    /// Its own id.
    pub id: SpanId,
    /// The span that it is a part of.
    pub parent: Option<SpanId>,
    /// Whether that is another process'.
    pub is_remote: bool,
    /// Those of the trace.
    pub flags: Flags,
    /// What other systems have said of the trace.
    pub state: &'a str,
    /// What was done, in few different words.
    pub name: Cow<'a, str>,
    /// For whom it was done, or by whom.
    pub kind: Kind,
    /// When it began, in nanoseconds since 1970.
    pub start: u64,
    /// When it ended.
    pub end: u64,
    /// What else is known of it.
    pub attributes: SmallVec<[(&'static str, Value<'a>); 24]>,
    /// Whether it has failed.
    pub failed: bool,
}

/// For whom something was done, or by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// For a client that has asked.
    Server,
    /// By a service that was asked.
    Client,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// A text; cut where it is long.
    Text(Cow<'a, str>),
    /// A number.
    Number(u64),
}

impl<'a> Span<'a> {
    /// Adds a text.
    pub fn text(&mut self, name: &'static str, text: impl Into<Cow<'a, str>>) {
        self.attributes.push((name, Value::Text(text.into())));
    }

    /// Adds a text if there is one.
    pub fn text_if(&mut self, name: &'static str, text: Option<impl Into<Cow<'a, str>>>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// Adds a number.
    pub fn number(&mut self, name: &'static str, number: impl Into<u64>) {
        self.attributes.push((name, Value::Number(number.into())));
    }

    /// Appends it, encoded as one of the spans of a batch.
    pub fn put(&self, out: &mut Vec<u8>) {
        put_message(out, IN_SCOPE, |out| self.put_fields(out));
    }

    fn put_fields(&self, out: &mut Vec<u8>) {
        put_bytes(out, 1, self.trace_id.bytes());
        put_bytes(out, 2, self.id.bytes());
        if !self.state.is_empty() {
            put_bytes(out, 3, self.state.as_bytes());
        }
        if let Some(parent) = self.parent {
            put_bytes(out, 4, parent.bytes());
        }
        put_bytes(out, 5, cut(&self.name).as_bytes());
        let kind = match self.kind {
            Kind::Server => 2,
            Kind::Client => 3,
        };
        put_number(out, 6, kind);
        put_fixed64(out, 7, self.start);
        put_fixed64(out, 8, self.end);
        for (name, value) in &self.attributes {
            put_attribute(out, 9, name, value);
        }
        if self.failed {
            put_message(out, 15, |out| put_number(out, 3, 2));
        }
        let remote = if self.is_remote { IS_REMOTE } else { 0 };
        let flags = u32::from(self.flags.bits()) | HAS_IS_REMOTE | remote;
        put_fixed32(out, 16, flags);
    }
}

/// Appends an attribute as this field of a message.
pub(super) fn put_attribute(out: &mut Vec<u8>, field: u64, name: &str, value: &Value<'_>) {
    put_message(out, field, |out| {
        put_bytes(out, 1, name.as_bytes());
        put_message(out, 2, |out| match value {
            Value::Text(text) => put_bytes(out, 1, cut(text).as_bytes()),
            Value::Number(number) => put_number(out, 3, *number),
        });
    });
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}
