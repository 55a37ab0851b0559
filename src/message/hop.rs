//! The fields that `Connection` names. They are meant for this hop alone (RFC 9110 section 7.6.1).

use std::cmp::Ordering;

use crate::wire::fields::{Fields, Known};

/// What `Connection` names.
#[derive(Debug)]
pub struct ConnectionOptions<'a> {
    /// The most frequent option. No field is called so (RFC 9112 section 9.6), unless by malice.
    close: bool,
    /// But for those whose fields never pass anyway; sorted. Empty, and not allocated, for nearly every
    /// message.
    named: Vec<&'a [u8]>,
}

impl<'a> ConnectionOptions<'a> {
    /// Reads the options of a message.
    #[must_use]
    pub fn of(fields: &'a Fields) -> Self {
        let mut close = false;
        let rare = |option: &&[u8]| {
            close |= is(option, b"close");
            let frequent = [&b"close"[..], b"keep-alive", b"upgrade", b"te"];
            !frequent.iter().any(|known| is(option, known))
        };
        let mut named: Vec<&[u8]> = fields.list_items(Known::Connection).filter(rare).collect();
        // So that thousands of options cost no more than thousands of fields would.
        named.sort_unstable_by(|a, b| order(a, b));
        Self { close, named }
    }

    /// Whether `name` is named.
    #[must_use]
    pub fn name(&self, name: &[u8]) -> bool {
        let named = || {
            self.named
                .binary_search_by(|option| order(option, name))
                .is_ok()
        };
        (!self.named.is_empty() && named()) || (self.close && is(name, b"close"))
    }
}

/// Without regard to letter case.
fn order(a: &[u8], b: &[u8]) -> Ordering {
    a.iter()
        .map(u8::to_ascii_lowercase)
        .cmp(b.iter().map(u8::to_ascii_lowercase))
}

fn is(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}
