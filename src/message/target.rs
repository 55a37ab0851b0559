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
        let mut i = _b.splitn(2, |b| *b == b'?');
        Ok(Self {
            path: i.next().unwrap(),
            query: i.next(),
            authority: None,
        })
    }
}
pub fn host_without_port(h: &[u8]) -> &[u8] {
    h
}
