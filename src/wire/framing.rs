//! stub
use super::{fields::*, head::*};
use http::{Method, StatusCode, Version};
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    None,
    Fixed(u64),
    Chunked,
    UntilClose,
}
pub fn request_body(_h: &RequestHead) -> Result<BodyLength, FramingError> {
    Ok(BodyLength::None)
}
pub fn response_body(_h: &ResponseHead, _m: &Method) -> Result<BodyLength, FramingError> {
    Ok(BodyLength::None)
}
pub fn keeps_alive(_v: Version, _f: &Fields) -> bool {
    true
}
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum FramingError {
    #[error("a")]
    LengthAndCoding,
    #[error("a")]
    BadContentLength,
    #[error("a")]
    RepeatedContentLength,
    #[error("a")]
    UnknownCoding,
    #[error("a")]
    ChunkedNotLast,
    #[error("a")]
    CodingInHttp10,
}
