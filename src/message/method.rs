//! What is known of methods beyond their names.

use http::Method;

/// Methods that IANA's registry (RFC 9110 section 16.1) has as idempotent, beside those that
/// [`Method`] knows: mostly of `WebDAV` (RFCs 3253, 3648, 3744, 4437, 4791, 4918, 5323, 5842) and
/// `QUERY`, which is defined as safe.
const IDEMPOTENT: [&str; 29] = [
    "ACL",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "COPY",
    "LABEL",
    "LINK",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "ORDERPATCH",
    "PROPFIND",
    "PROPPATCH",
    "QUERY",
    "REBIND",
    "REPORT",
    "SEARCH",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
];

/// Whether a request may be sent twice and does no more than one (RFC 9110 section 9.2.2).
pub fn is_idempotent(method: &Method) -> bool {
    method.is_idempotent() || IDEMPOTENT.binary_search(&method.as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_idempotent_that_the_registry_has_so() {
        assert!(IDEMPOTENT.is_sorted());
        let is = |name: &str| is_idempotent(&name.parse().unwrap());
        let registered =
            "GET HEAD OPTIONS TRACE PUT DELETE PROPFIND REPORT SEARCH QUERY MKCOL VERSION-CONTROL";
        assert!(registered.split(' ').all(is));
        for other in ["POST", "PATCH", "LOCK", "CONNECT", "propfind", "X-OWN"] {
            assert!(!is(other), "{other}");
        }
    }
}
