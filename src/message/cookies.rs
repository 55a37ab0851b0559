//! The pairs of `Cookie` fields (RFC 6265 section 4.2.1), as leniently as services read them: blanks around
//! names and values and quotes around values are none of theirs.

use super::bytes::split_at_equals;
use super::fields::Fields;
use super::known_field::KnownField;

/// All cookies of a request, by name and value.
pub fn cookies(fields: &Fields) -> impl Iterator<Item = (&[u8], &[u8])> {
    let values = fields.get_all(KnownField::Cookie);
    values.flat_map(pairs).map(name_and_value)
}

/// The pairs of one field, each as it stands there.
pub fn pairs(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let pairs = value.split(|b| *b == b';').map(<[u8]>::trim_ascii);
    pairs.filter(|pair| !pair.is_empty())
}

/// The name and the value of a pair.
pub fn name_and_value(pair: &[u8]) -> (&[u8], &[u8]) {
    let (name, value) = split_at_equals(pair);
    let value = value.trim_ascii();
    let unquoted = value
        .strip_prefix(b"\"")
        .and_then(|it| it.strip_suffix(b"\""));
    (name.trim_ascii(), unquoted.unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_quotes_are_not_part_of_a_value() {
        for (pair, value) in [
            ("a=b", "b"),
            (" a = b ", "b"),
            ("a=\"b\"", "b"),
            ("a=", ""),
            ("a", ""),
            ("a=\"\"", ""),
            ("a=\"", "\""),
            ("a=b=c", "b=c"),
        ] {
            let expected: (&[u8], _) = (b"a", value.as_bytes());
            assert_eq!(name_and_value(pair.as_bytes()), expected, "{pair:?}");
        }
    }
}
