//! stub
use http::Method;
#[derive(Debug)]
pub struct RequestTarget<'a> {
    pub path: &'a [u8],
    pub query: Option<&'a [u8]>,
    pub authority: Option<&'a [u8]>,
}
#[derive(Debug, thiserror::Error)]
pub enum InvalidTarget {
    #[error("a")]
    A,
}
impl<'a> RequestTarget<'a> {
    pub fn parse(_b: &'a [u8], _m: &Method) -> Result<Self, InvalidTarget> {
        Err(InvalidTarget::A)
    }
}
pub fn host_without_port(h: &[u8]) -> &[u8] {
    h
}
