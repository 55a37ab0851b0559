//! The fields that `Connection` names. They are meant for this hop alone (RFC 9110 section 7.6.1).

use std::cmp::Ordering;

use super::fields::Fields;
use super::known_field::KnownField;

/// Up to so many options are looked through one by one. A client may name thousands, to have each
/// compared with each field; then they are sorted.
const FEW: usize = 8;

/// What `Connection` names.
#[derive(Debug, Default)]
pub struct ConnectionOptions<'a> {
    /// The most frequent option. No field is called so (RFC 9112 section 9.6), unless by malice.
    close: bool,
    /// But for those whose fields never pass anyway. Empty, and not allocated, for nearly every
    /// message.
    named: Vec<&'a [u8]>,
}

impl<'a> ConnectionOptions<'a> {
    /// Reads the options of a message.
    pub fn of(fields: &'a Fields) -> Self {
        if !fields.has(KnownField::Connection) {
            return Self::default();
        }
        let mut close = false;
        let rare = |option: &&[u8]| {
            close |= is(option, b"close");
            let frequent = [&b"close"[..], b"keep-alive", b"upgrade", b"te"];
            !frequent.iter().any(|known| is(option, known))
        };
        let options = fields.list_items(KnownField::Connection).filter(rare);
        let mut named: Vec<_> = options.collect();
        if named.len() > FEW {
            named.sort_unstable_by(|a, b| compare(a, b));
        }
        Self { close, named }
    }

    /// Whether `name` is named.
    pub fn name(&self, name: &[u8]) -> bool {
        let is_named = if self.named.len() > FEW {
            self.named
                .binary_search_by(|option| compare(option, name))
                .is_ok()
        } else {
            self.named.iter().any(|option| is(option, name))
        };
        is_named || (self.close && is(name, b"close"))
    }
}

fn is(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// The order of names, whatever their letter case.
fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let lower = |b: &u8| b.to_ascii_lowercase();
    a.iter().map(lower).cmp(b.iter().map(lower))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::fields::fields;

    fn names(connection: &str, name: &str) -> bool {
        ConnectionOptions::of(&fields(connection)).name(name.as_bytes())
    }

    #[test]
    fn options_are_named_in_any_letter_case_and_over_several_fields() {
        let lines = "Connection: keep-alive, X-Hop\r\nconnection:,host\t,\r\n";
        for (name, named) in [
            ("x-hop", true),
            ("HOST", true),
            ("x-ho", false),
            ("", false),
        ] {
            assert_eq!(names(lines, name), named, "{name}");
        }
        assert!(!names("", "host"));
    }

    #[test]
    fn a_field_called_close_is_named_by_the_option() {
        assert!(names("Connection: Close\r\n", "close"));
        assert!(!names("Connection: keep-alive\r\n", "close"));
    }

    #[test]
    fn many_options_are_found_like_few() {
        for count in [1, FEW, FEW + 1, 500] {
            let options: Vec<_> = (0..count)
                .map(|n| format!("{}-{n}", ["b", "A"][n % 2]))
                .collect();
            let line = format!("Connection: {}\r\n", options.join(","));
            for option in &options {
                assert!(names(&line, &option.to_uppercase()), "{option} of {count}");
            }
            assert!(!names(&line, "c-1") && !names(&line, "a"));
        }
    }
}
