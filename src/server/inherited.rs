//! Listening sockets that are not this process' alone: those that it was handed by systemd or by the
//! gateway before it, and those that it hands to its successor. Whoever has a socket besides us goes
//! on accepting from it when we close ours, so that nobody is refused or reset.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::{Domain, SockRef, Type};

/// How many bytes wait in the kernel that the network does not take, at most; those on their way come
/// on top of it, as many as the network needs.
const UNSENT: u32 = 128 * 1024;

/// A listening socket that this process was handed.
#[derive(Debug)]
pub struct Inherited {
    /// It listens.
    pub socket: TcpListener,
    /// For which of the configured addresses it is: one with port 0 has another port by now.
    pub configured: SocketAddr,
    /// Systemd has it, too, for as long as its unit of the socket runs.
    pub of_systemd: bool,
}

/// An address that is listened on, as all of its sockets see it.
#[derive(Debug)]
pub struct Listening {
    /// As the configuration has it.
    pub configured: SocketAddr,
    /// With the port that was chosen for port 0.
    pub bound: SocketAddr,
    /// Systemd has the sockets, too.
    pub of_systemd: bool,
    /// A successor has them, too.
    handed_over: AtomicBool,
}

/// A listening socket, and what it listens on.
#[derive(Debug)]
pub struct Listener {
    /// Does not block.
    pub socket: TcpListener,
    /// The same for all sockets of one address.
    pub on: Arc<Listening>,
}

impl Inherited {
    /// Takes a socket from systemd. `None`: it does not listen for TCP connections.
    ///
    /// # Errors
    /// Those of the system.
    pub fn from_systemd(socket: TcpListener) -> io::Result<Option<Self>> {
        let options = SockRef::from(&socket);
        let is_tcp = matches!(options.domain()?, Domain::IPV4 | Domain::IPV6)
            && options.r#type()? == Type::STREAM;
        if !is_tcp || !options.is_listener()? {
            return Ok(None);
        }
        socket.set_nonblocking(true)?;
        set_for_accepted(&options)?;
        Ok(Some(Self {
            configured: socket.local_addr()?,
            socket,
            of_systemd: true,
        }))
    }
}

impl Listening {
    pub(super) fn new(configured: SocketAddr, bound: SocketAddr, of_systemd: bool) -> Arc<Self> {
        Arc::new(Self {
            configured,
            bound,
            of_systemd,
            handed_over: AtomicBool::new(false),
        })
    }

    /// Says whether a successor has the sockets, too.
    pub fn set_handed_over(&self, handed_over: bool) {
        self.handed_over.store(handed_over, Ordering::Release);
    }

    /// Whether another process accepts, or will, what waits in the sockets when this one closes them.
    pub(super) fn outlives_us(&self) -> bool {
        self.of_systemd || self.handed_over.load(Ordering::Acquire)
    }
}

impl Listener {
    /// The same socket once more.
    ///
    /// # Errors
    /// When no more files can be open.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            socket: self.socket.try_clone()?,
            on: Arc::clone(&self.on),
        })
    }
}

/// Sets what connections have that a listening socket accepts: they inherit it (Linux), which saves each
/// the system calls.
pub(super) fn set_for_accepted(listening: &SockRef<'_>) -> io::Result<()> {
    // Small answers must not wait for the client's acknowledgement of earlier ones.
    listening.set_tcp_nodelay(true)?;
    // A client that does not read costs the kernel this much, and not megabytes.
    listening.set_tcp_notsent_lowat(UNSENT)
}

/// Deals sockets out to workers, so that each socket is accepted from and each worker accepts: several
/// sockets to a worker, or one to several.
pub(super) fn deal(sockets: Vec<Listener>, workers: &mut [Vec<Listener>]) -> io::Result<()> {
    let (own, count) = (sockets.len(), workers.len());
    for (nth, socket) in sockets.into_iter().enumerate() {
        let sharing = (nth + own..count).step_by(own.max(1));
        for other in sharing {
            workers[other].push(socket.try_clone()?);
        }
        workers[nth % count].push(socket);
    }
    Ok(())
}
