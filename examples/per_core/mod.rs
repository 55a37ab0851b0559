//! One single-threaded runtime a core, each with its own listening socket on the same port: the
//! gateway's own way of running, so that what the bench compares differs in the work alone.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::thread;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::LocalRuntime;
use tokio::task::JoinSet;

const BACKLOG: i32 = 1024;

/// Serves every connection to one of these addresses with `connection` on `workers` threads, until killed.
pub(crate) fn serve<C>(
    listen: &[SocketAddr],
    workers: usize,
    connection: &C,
) -> Result<(), Box<dyn Error>>
where
    C: AsyncFn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
{
    let mut threads = Vec::new();
    for _ in 0..workers {
        let sockets: Vec<_> = listen.iter().map(bind).collect::<io::Result<_>>()?;
        let connection = connection.clone();
        threads.push(thread::spawn(move || accept_all(sockets, &connection)));
    }
    for thread in threads {
        thread.join().map_err(|_| "a worker panicked")??;
    }
    Ok(())
}

fn bind(address: &SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(*address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&(*address).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn accept_all<C>(sockets: Vec<std::net::TcpListener>, connection: &C) -> io::Result<()>
where
    C: AsyncFn(TcpStream) -> io::Result<()> + Clone + 'static,
{
    LocalRuntime::new()?.block_on(async {
        let mut accepting = JoinSet::new();
        for socket in sockets {
            let listener = TcpListener::from_std(socket)?;
            accepting.spawn_local(accept(listener, connection.clone()));
        }
        accepting.join_next().await.expect("there is an address")?
    })
}

async fn accept<C>(listener: TcpListener, connection: C) -> io::Result<()>
where
    C: AsyncFn(TcpStream) -> io::Result<()> + Clone + 'static,
{
    loop {
        let (stream, _) = listener.accept().await?;
        let connection = connection.clone();
        tokio::task::spawn_local(async move {
            // The load generator resets its connections at the end of a run.
            drop(connection(stream).await);
        });
    }
}
