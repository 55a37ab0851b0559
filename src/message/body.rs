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

impl BodyLength {
    /// Whether it is known to have nothing.
    pub fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Fixed(0))
    }
}

/// Why a message's length is refused. The texts are for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// Two ends, and readers that choose differently: the classic of request smuggling.
    #[error("Transfer-Encoding and Content-Length do not go together.")]
    LengthAndCoding,
    /// Not `1*DIGIT`, or more than a counter holds.
    #[error("Content-Length is not a number of bytes.")]
    BadContentLength,
    /// In a request equal ones, too: another reader may take a list of them for something else.
    #[error("There is more than one Content-Length.")]
    RepeatedContentLength,
    /// A coding that would have to be decoded to find the end.
    #[error("The only transfer coding that is known here is chunked.")]
    UnknownCoding,
    /// Chunked, but not in a way that says where the body ends.
    #[error("The last transfer coding has to be chunked, once and without parameters.")]
    ChunkedNotLast,
    /// RFC 9112 section 6.1 calls its framing faulty.
    #[error("HTTP/1.0 has no Transfer-Encoding.")]
    CodingInHttp10,
}

impl FramingError {
    /// What is wrong with an answer, for the log.
    pub fn of_answer(self) -> &'static str {
        match self {
            Self::LengthAndCoding => "it has Content-Length and Transfer-Encoding",
            Self::BadContentLength => "its Content-Length is not a number of bytes",
            Self::RepeatedContentLength => "it has Content-Length fields that differ",
            Self::UnknownCoding => "its Transfer-Encoding has another coding than chunked",
            Self::ChunkedNotLast => {
                "its Transfer-Encoding does not end with chunked, once and without parameters"
            }
            Self::CodingInHttp10 => "it is HTTP/1.0 and has Transfer-Encoding",
        }
    }
}
