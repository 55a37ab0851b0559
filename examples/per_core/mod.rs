//! One single-threaded runtime a core, each with its own listening socket on the same port: the
//! gateway's own way of running, so that what the bench compares differs in the work alone.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::thread;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::LocalRuntime;

const BACKLOG: i32 = 1024;

/// Serves every connection to `listen` with `connection` on `workers` threads, until killed.
pub(crate) fn serve<C>(
    listen: SocketAddr,
    workers: usize,
    connection: &C,
) -> Result<(), Box<dyn Error>>
where
    C: AsyncFn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
{
    let mut threads = Vec::new();
    for _ in 0..workers {
        let socket = bind(listen)?;
        let connection = connection.clone();
        threads.push(thread::spawn(move || accept(socket, connection)));
    }
    for thread in threads {
        thread.join().map_err(|_| "a worker panicked")??;
    }
    Ok(())
}

fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn accept<C>(socket: std::net::TcpListener, connection: C) -> io::Result<()>
where
    C: AsyncFn(TcpStream) -> io::Result<()> + Clone + 'static,
{
    LocalRuntime::new()?.block_on(async {
        let listener = TcpListener::from_std(socket)?;
        loop {
            let (stream, _) = listener.accept().await?;
            let connection = connection.clone();
            tokio::task::spawn_local(async move {
                // The load generator resets its connections at the end of a run.
                drop(connection(stream).await);
            });
        }
    })
}
