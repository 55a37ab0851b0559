//! The upstream of the bench: answers every request with the same 89 bytes of JSON.
//! `bench_upstream LISTEN WORKERS`, where `LISTEN` may be several addresses, with commas. It costs as
//! little as an upstream can, so that the proxies get the machine: it only counts the empty lines that
//! end a head, and takes no bodies.

mod per_core;

use std::error::Error;
use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const BUFFER: usize = 16 * 1024;
const END_OF_HEAD: &[u8; 4] = b"\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: application/json\r\n\
    Content-Length: 89\r\n\
    \r\n\
    {\"id\":7,\"name\":\"teapot\",\"stock\":240,\"price\":\"1.20\",\"currency\":\"EUR\",\"warehouse\":\"north\"}\n";

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("bench_upstream LISTEN WORKERS");
    let listen = next()?
        .split(',')
        .map(str::parse)
        .collect::<Result<Vec<_>, _>>()?;
    let workers = next()?.parse()?;
    per_core::serve(&listen, workers, &async |stream| answer(stream).await)
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; BUFFER];
    let mut matched = 0;
    loop {
        let length = stream.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        for _ in 0..heads_ended(&buffer[..length], &mut matched) {
            stream.write_all(ANSWER).await?;
        }
    }
}

/// How many heads end in `bytes`; `matched` carries a beginning of the end to the next call.
fn heads_ended(bytes: &[u8], matched: &mut usize) -> usize {
    let mut ended = 0;
    for &byte in bytes {
        *matched = match byte {
            _ if byte == END_OF_HEAD[*matched] => *matched + 1,
            b'\r' => 1,
            _ => 0,
        };
        if *matched == END_OF_HEAD.len() {
            *matched = 0;
            ended += 1;
        }
    }
    ended
}
