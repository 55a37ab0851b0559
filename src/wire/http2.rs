//! The only words of HTTP/2 that are known here: what a client is told that takes for granted that
//! this is spoken. In HTTP/1.1 it could not read that.

/// The connection preface of a client (RFC 9113 section 3.4), as far as it is a head. What follows
/// is not looked at.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";

/// The preface of a server, which is a SETTINGS frame without settings, and a GOAWAY frame: no stream
/// was looked at, and the code is `HTTP_1_1_REQUIRED` (RFC 9113 sections 6.5, 6.8 and 7).
pub const REFUSAL: &[u8] = b"\
    \x00\x00\x00\x04\x00\x00\x00\x00\x00\
    \x00\x00\x21\x07\x00\x00\x00\x00\x00\
    \x00\x00\x00\x00\x00\x00\x00\x0d\
    This port speaks HTTP/1.1";

#[cfg(test)]
mod tests {
    use super::*;

    /// The type, flags, stream and payload of each frame (RFC 9113 section 4.1).
    fn frames(mut bytes: &[u8]) -> Vec<(u8, u8, u32, &[u8])> {
        let mut frames = Vec::new();
        while let [a, b, c, kind, flags, stream @ ..] = bytes {
            let (stream, rest) = stream.split_first_chunk().expect("a whole header");
            let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            let (payload, after) = rest.split_at(len);
            frames.push((*kind, *flags, u32::from_be_bytes(*stream), payload));
            bytes = after;
        }
        frames
    }

    #[test]
    fn a_client_is_told_to_use_http_1() {
        let goaway = b"\0\0\0\0\0\0\0\x0dThis port speaks HTTP/1.1";
        assert_eq!(frames(REFUSAL), [(4, 0, 0, &[][..]), (7, 0, 0, goaway)]);
    }
}
