//! stub
use super::fields::*;
#[derive(Debug, Default)]
pub struct ChunkDecoder {}
pub enum Step {
    NeedMore { consumed: usize },
    Data { skip: usize, len: usize },
    End { consumed: usize },
}
#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum ChunkError {
    #[error("a")]
    A,
}
impl ChunkDecoder {
    pub fn next(&mut self, _i: &[u8]) -> Result<Step, ChunkError> {
        Err(ChunkError::A)
    }
    pub fn trailers(&mut self) -> Option<Fields> {
        None
    }
}
pub fn put_chunk(_o: &mut Vec<u8>, _d: &[u8]) {}
pub const LAST_CHUNK: &[u8] = b"0\r\n";
