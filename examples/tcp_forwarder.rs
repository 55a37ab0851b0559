//! The floor of the bench: copies bytes between a client and an upstream without looking at them.
//! `tcp_forwarder LISTEN UPSTREAM WORKERS`, each client connection with an upstream connection of
//! its own. No proxy that reads its sockets from user space can do with less than this.

mod per_core;

use std::error::Error;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

/// More than a message of the bench, so that each costs one read and one write.
const BUFFER: usize = 16 * 1024;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .ok_or("tcp_forwarder LISTEN UPSTREAM WORKERS")
    };
    let (listen, upstream, workers) = (next()?.parse()?, next()?.parse()?, next()?.parse()?);
    per_core::serve(&[listen], workers, &async move |client| {
        forward(client, upstream).await
    })
}

async fn forward(mut client: TcpStream, upstream: SocketAddr) -> io::Result<()> {
    let mut upstream = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_upstream, to_upstream) = upstream.split();
    tokio::try_join!(
        copy(from_client, to_upstream),
        copy(from_upstream, to_client)
    )?;
    Ok(())
}

async fn copy(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer).await? {
            0 => return to.shutdown().await,
            length => to.write_all(&buffer[..length]).await?,
        }
    }
}
