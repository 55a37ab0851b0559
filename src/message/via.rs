//! This process in `Via` (RFC 9110 section 7.6.3): it has a name of its own there, by which it knows
//! requests that it has passed on before. An upstream that leads back to the gateway would otherwise
//! take all of its connections for a single request.

use std::sync::LazyLock;

use memchr::memmem;

use super::fields::Fields;
use super::known_field::KnownField;

/// How often a request may have come through before. A service may well ask another one through the
/// gateway, and hand on the fields that it has got.
const MOST: usize = 3;

/// The name of this process.
pub fn own_name() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| format!("tollgate-{:08x}", fastrand::u32(..)));
    &NAME
}

/// Whether a request has come through the process of this name so often that it goes round in a circle.
pub fn has_looped(fields: &Fields, name: &str) -> bool {
    let times = |value| memmem::find_iter(value, name).count();
    fields.has(KnownField::Via) && fields.get_all(KnownField::Via).map(times).sum::<usize>() >= MOST
}

#[cfg(test)]
mod tests {
    use super::super::fields::fields;
    use super::*;

    #[test]
    fn a_request_that_has_come_through_three_times_goes_round_in_a_circle() {
        let name = own_name();
        assert!(name.len() == 17 && name == own_name(), "{name}");
        let hop = format!("1.1 {name}");
        for (lines, expected) in [
            (String::new(), false),
            (
                "Via: 1.1 tollgate, 1.1 tollgate, 1.1 tollgate\r\n".into(),
                false,
            ),
            (format!("Via: {hop}, 1.0 x, {hop}\r\n"), false),
            (format!("Via: {hop}, 1.0 x, {hop}, {hop}\r\n"), true),
            (format!("Via: {hop}\r\nvia: {hop},{hop}\r\n"), true),
            (format!("X-Via: {hop}, {hop}, {hop}\r\n"), false),
        ] {
            assert_eq!(has_looped(&fields(&lines), name), expected, "{lines}");
        }
    }
}
