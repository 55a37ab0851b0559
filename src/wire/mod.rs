//! HTTP/1.1 on bytes: heads, framing, chunks, and the connections they are read from. Strict:
//! whenever two readers could disagree about a message, it is refused.

pub mod alarm;
pub mod body;
pub mod buffers;
pub mod chunked;
mod cursor;
pub mod end;
mod faulty_line;
pub mod framing;
pub mod head;
pub mod http1;
pub mod http2;
pub mod input;
mod lines;
pub mod proxy_protocol;
mod repair;
pub mod scan;
pub mod sink;
pub mod stream;
pub mod tls;
mod trailers;
mod unasked;
