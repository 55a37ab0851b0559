//! Where the operator's ports listen. They are claimed and listened on before the gateway serves; those
//! that a predecessor or systemd hands over are taken as they are.

use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, Mode, access};
use rustix::process;

use crate::config::AdminListen;
use crate::server::{self, BindError};
use crate::words::{Word, words};

/// The owner and the group of the process may connect.
const SOCKET_MODE: u32 = 0o660;

words! {
    /// One of the operator's ports.
    pub enum Port {
        /// All there is.
        Admin = "admin",
        /// Metrics and health.
        Metrics = "metrics",
    }
}

/// A listening socket of an operator's port.
#[derive(Debug)]
pub struct AdminSocket {
    /// Which.
    pub port: Port,
    /// Where, as configured.
    configured: AdminListen,
    pub(super) socket: Socket,
    /// Another process has it, too, and accepts until this one serves.
    pub(super) inherited: bool,
}

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A socket that was handed to this process, by its name ([`AdminSocket::name`]).
#[derive(Debug)]
pub struct Given {
    /// The name.
    pub name: String,
    /// The socket, which listens.
    pub socket: OwnedFd,
    /// Another process accepts from it until this one serves: a predecessor, and not systemd.
    pub accepted: bool,
}

/// An operator's port that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{why}. This is the port of `[admin] {}`: give it another address there, or write \"off\"", key(*.port))]
pub struct ClaimError {
    port: Port,
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("cannot listen on unix:{}: {error}", .path.display())]
    Unix { path: PathBuf, error: io::Error },
    #[error("cannot listen with the socket that was handed over: {0}")]
    Given(io::Error),
}

impl Port {
    /// What a socket of it is called when it is handed over.
    pub fn at(self, configured: &AdminListen) -> String {
        format!("{} {configured}", self.word())
    }
}

fn key(port: Port) -> &'static str {
    match port {
        Port::Admin => "listen",
        Port::Metrics => "metrics_listen",
    }
}

/// Listens where a port is configured to, unless that is nowhere. A socket for it that was given is taken
/// from `given`.
///
/// # Errors
/// Others listen there, or may.
pub fn claim(
    port: Port,
    configured: &AdminListen,
    given: &mut Vec<Given>,
) -> Result<Option<AdminSocket>, ClaimError> {
    let name = port.at(configured);
    let given = given
        .iter()
        .position(|it| it.name == name)
        .map(|at| given.swap_remove(at));
    let inherited = given.as_ref().is_some_and(|given| given.accepted);
    let socket = match (given, configured) {
        (_, AdminListen::Off) => return Ok(None),
        (Some(given), _) => take(given.socket, configured).map_err(Why::Given),
        (None, AdminListen::Tcp(address)) => listen(*address).map(Socket::Tcp),
        (None, AdminListen::Unix(path)) => {
            let listening = listen_unix(path).map(Socket::Unix);
            listening.map_err(|error| Why::Unix {
                path: path.clone(),
                error,
            })
        }
    };
    Ok(Some(AdminSocket {
        port,
        configured: configured.clone(),
        socket: socket.map_err(|why| ClaimError { port, why })?,
        inherited,
    }))
}

/// Why a port cannot be listened on, as far as that can be told without doing so.
pub fn unusable(port: Port, configured: &AdminListen) -> Option<String> {
    let AdminListen::Unix(path) = configured else {
        return None;
    };
    let error = check_unix(path).err()?;
    let path = path.clone();
    let why = Why::Unix { path, error };
    Some(ClaimError { port, why }.to_string())
}

fn check_unix(path: &Path) -> io::Result<()> {
    unix::net::SocketAddr::from_pathname(path)?;
    is_socket_or_free(path)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let said = |what: &str| io::Error::other(format!("{} {what}", folder.display()));
    match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => Err(said("is not a folder")),
        Ok(_) => access(folder, Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|_| said("cannot be written to")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(said("is not there")),
        Err(error) => Err(error),
    }
}

fn is_socket_or_free(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => Ok(true),
        Ok(_) => Err(io::Error::other("there is a file that is not a socket")),
        Err(_) => Ok(false),
    }
}

fn take(socket: OwnedFd, configured: &AdminListen) -> io::Result<Socket> {
    let socket = match configured {
        AdminListen::Unix(_) => Socket::Unix(socket.into()),
        AdminListen::Tcp(_) | AdminListen::Off => Socket::Tcp(socket.into()),
    };
    match &socket {
        Socket::Tcp(it) => it.set_nonblocking(true)?,
        Socket::Unix(it) => it.set_nonblocking(true)?,
    }
    Ok(socket)
}

fn listen(address: SocketAddr) -> Result<TcpListener, Why> {
    let claimed = server::claim(&[address], Vec::new())?;
    let mut listeners = claimed.listen(1)?.all;
    let listener = listeners.pop().expect("one socket for one address");
    Ok(listener.socket)
}

/// Listens at a path. A file that a gateway left there which has crashed is replaced.
fn listen_unix(path: &Path) -> io::Result<UnixListener> {
    if is_socket_or_free(path)? {
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path)?;
            }
            Err(error) => return Err(error),
            Ok(_) => {
                return Err(io::Error::other(
                    "another program listens there (or another Tollgate)",
                ));
            }
        }
    }
    let listener = bind_for_owner(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Binds to a path where nobody but the owner can connect yet, whatever the umask of the process is. A file
/// that another thread makes meanwhile is for the owner alone, too.
fn bind_for_owner(path: &Path) -> io::Result<UnixListener> {
    let before = process::umask(Mode::from_raw_mode(0o177));
    let bound = UnixListener::bind(path);
    process::umask(before);
    bound
}

impl AdminSocket {
    /// What it is called when it is handed over.
    pub fn name(&self) -> String {
        self.port.at(&self.configured)
    }

    /// Whether another process has it, too.
    pub fn is_inherited(&self) -> bool {
        self.inherited
    }

    /// The same socket once more.
    ///
    /// # Errors
    /// When no more files can be open.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            port: self.port,
            configured: self.configured.clone(),
            socket: match &self.socket {
                Socket::Tcp(it) => Socket::Tcp(it.try_clone()?),
                Socket::Unix(it) => Socket::Unix(it.try_clone()?),
            },
            inherited: self.inherited,
        })
    }

    /// Whether other machines can connect.
    pub(super) fn is_open(&self) -> bool {
        match &self.socket {
            Socket::Tcp(it) => it
                .local_addr()
                .is_ok_and(|bound| AdminListen::Tcp(bound).is_open()),
            Socket::Unix(_) => false,
        }
    }

    /// Takes away the file of a socket that nobody listens with any more.
    pub fn remove_file(&self) {
        if let AdminListen::Unix(path) = &self.configured {
            // Somebody may have done so before.
            let _ = fs::remove_file(path);
        }
    }
}

impl AsFd for AdminSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Tcp(it) => it.as_fd(),
            Socket::Unix(it) => it.as_fd(),
        }
    }
}

/// Where it listens, with the port that was chosen for port 0.
impl fmt::Display for AdminSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Socket::Tcp(it) => match it.local_addr() {
                Ok(bound) => bound.fmt(f),
                Err(_) => self.configured.fmt(f),
            },
            Socket::Unix(_) => self.configured.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_cannot_be_made_is_said_before() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let why = |path: &Path| unusable(Port::Admin, &AdminListen::Unix(path.to_owned()));
        assert_eq!(why(&folder.path().join("admin.sock")), None);
        let bound = UnixListener::bind(folder.path().join("bound")).unwrap();
        assert_eq!(why(&folder.path().join("bound")), None);
        drop(bound);
        for (path, part) in [
            (file.clone(), "a file that is not a socket"),
            (folder.path().join("none/admin.sock"), "none is not there"),
            (file.join("admin.sock"), "file is not a folder"),
            (folder.path().join("a".repeat(108)), "path must be shorter"),
        ] {
            let said = why(&path).unwrap_or_default();
            assert!(said.contains(part), "{said}");
            assert!(said.contains("`[admin] listen`"), "{said}");
        }
    }

    #[test]
    fn nobody_but_the_owner_can_connect_from_the_first_moment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let _bound = bind_for_owner(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
