//! How long the body of a message is, as it was decided when its head was read.

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none, and nothing is said about it.
    None,
    /// So many bytes; zero is said, too.
    Fixed(u64),
    /// It ends where its framing says so, and may have trailers.
    Chunked,
    /// Up to the end of the stream; only answers can be.
    UntilClose,
}
