//! stub
use super::fields::*;
use http::{Method, StatusCode, Version};
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    pub max_bytes: usize,
    pub max_fields: usize,
}
#[derive(Debug, Default)]
pub struct HeadScanner {}
impl HeadScanner {
    pub fn find_end(&mut self, _b: &[u8], _l: &HeadLimits) -> Result<Option<usize>, HeadError> {
        Ok(None)
    }
}
pub fn leading_blank(_b: &[u8]) -> usize {
    0
}
#[derive(Debug)]
pub struct RequestHead {
    pub method: Method,
    pub version: Version,
    pub fields: Fields,
}
impl RequestHead {
    pub fn parse(_s: HeadStorage, _l: &HeadLimits) -> Result<RequestHead, HeadError> {
        Err(HeadError::Version)
    }
    pub fn target(&self) -> &[u8] {
        b""
    }
    pub fn into_storage(self) -> HeadStorage {
        HeadStorage::default()
    }
}
#[derive(Debug)]
pub struct ResponseHead {
    pub status: StatusCode,
    pub version: Version,
    pub fields: Fields,
}
impl ResponseHead {
    pub fn parse(_s: HeadStorage, _l: &HeadLimits) -> Result<ResponseHead, HeadError> {
        Err(HeadError::Version)
    }
    pub fn reason(&self) -> &[u8] {
        b""
    }
    pub fn into_storage(self) -> HeadStorage {
        HeadStorage::default()
    }
}
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum HeadError {
    #[error("{0}")]
    Malformed(&'static str),
    #[error("a")]
    RequestLineTooLong,
    #[error("a")]
    TooLarge,
    #[error("a")]
    TooManyFields,
    #[error("a")]
    Version,
}
