//! The fields that `Connection` names. They are meant for this hop alone (RFC 9110 section 7.6.1).

use crate::wire::fields::{Fields, Known};

/// What `Connection` names.
#[derive(Debug)]
pub struct ConnectionOptions<'a> {
    /// The most frequent option. No field is called so (RFC 9112 section 9.6), unless by malice.
    close: bool,
    /// But for those whose fields never pass anyway. Empty, and not allocated, for nearly every
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
        let named = fields.list_items(Known::Connection).filter(rare).collect();
        Self { close, named }
    }

    /// Whether `name` is named.
    #[must_use]
    pub fn name(&self, name: &[u8]) -> bool {
        self.named.iter().any(|option| is(option, name)) || (self.close && is(name, b"close"))
    }
}

fn is(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}
