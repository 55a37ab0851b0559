//! What comes on a connection although nobody has asked for it: an answer to something that was not
//! meant as a request says more than other bytes.

/// Whether it begins like an answer to a request. 408 is none: with that a service may end a connection
/// on which nothing was asked for long (RFC 9110 section 15.5.9).
pub(super) fn is_unasked_answer(bytes: &[u8]) -> bool {
    bytes.starts_with(b"HTTP/") && bytes.get(9..12) != Some(b"408")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_from_what_else_may_come() {
        for (bytes, expected) in [
            ("HTTP/1.1 200 OK\r\n", true),
            ("HTTP/1.0 404 Not Found\r\n", true),
            ("HTTP/1.1", true),
            ("HTTP/1.1 408 Request Timeout\r\n", false),
            ("HTTP/1.0 408 Request Time-out\r\n", false),
            ("HTT", false),
            ("\r\n", false),
            ("<html>", false),
            ("", false),
        ] {
            assert_eq!(is_unasked_answer(bytes.as_bytes()), expected, "{bytes:?}");
        }
    }
}
