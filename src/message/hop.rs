//! The fields that `Connection` names. They are meant for this hop alone (RFC 9110 section 7.6.1).

use crate::wire::fields::{Fields, Known};

/// What `Connection` names besides the options that every proxy handles by itself.
#[derive(Debug)]
pub struct ConnectionOptions<'a> {
    /// Empty, and not allocated, for nearly every message.
    named: Vec<&'a [u8]>,
}

impl<'a> ConnectionOptions<'a> {
    /// Reads the options of a message.
    #[must_use]
    pub fn of(fields: &'a Fields) -> Self {
        let ordinary = |option: &[u8]| {
            [&b"close"[..], b"keep-alive", b"upgrade", b"te"]
                .iter()
                .any(|known| option.eq_ignore_ascii_case(known))
        };
        Self {
            named: fields
                .list_items(Known::Connection)
                .filter(|option| !ordinary(option))
                .collect(),
        }
    }

    /// Whether `name` is named.
    #[must_use]
    pub fn name(&self, name: &[u8]) -> bool {
        self.named
            .iter()
            .any(|option| option.eq_ignore_ascii_case(name))
    }
}
