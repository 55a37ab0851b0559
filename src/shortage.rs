//! What the process or the machine runs short of when a file or a socket is to be opened. That is not
//! the other side's fault, and others may give it back in a moment.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// Whether an error says so.
pub fn is_shortage(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

/// Whether connecting to `to` has failed because no local port is left for one more connection there. A
/// machine without any address to connect from says the same; a socket that needs no port of TCP's
/// tells the two apart, and sends nothing.
pub fn is_out_of_ports(error: &io::Error, to: SocketAddr) -> bool {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let has_address = || UdpSocket::bind((any, 0))?.connect(to);
    Errno::from_io_error(error) == Some(Errno::ADDRNOTAVAIL) && has_address().is_ok()
}

/// Such an error in words, with the limit that was reached and how to raise it.
pub fn in_words(error: &io::Error) -> String {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => {
            let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
            format!(
                "{error}: this process may have {limit} files and sockets open; raise that (LimitNOFILE of systemd, ulimit -n)"
            )
        }
        Some(Errno::NFILE) => {
            format!("{error}: that is the limit of the whole machine (sysctl fs.file-max)")
        }
        Some(Errno::ADDRNOTAVAIL) => {
            format!(
                "{error}: no local port is left for one more connection there (sysctl net.ipv4.ip_local_port_range)"
            )
        }
        _ => error.to_string(),
    }
}

/// Asks the system's resolver for the addresses of a name, with no port; blocks as long as that takes.
///
/// # Errors
/// There is none, or none can be found out.
pub fn look_up(name: &str) -> io::Result<Vec<SocketAddr>> {
    let found = (name, 0).to_socket_addrs().map_err(behind_lookup)?;
    Ok(found.collect())
}

/// The shortage behind a failed lookup, if that is what it is: the system's resolver says of files that it
/// cannot open that nobody knows the name. Errors that are not of lookups stay what they are.
pub fn behind_lookup(error: io::Error) -> io::Error {
    let is_of_lookup = error.raw_os_error().is_none();
    let lacking = is_of_lookup.then(|| File::open("/").err()).flatten();
    lacking.filter(is_shortage).unwrap_or(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_of_files_names_the_limit() {
        let (files, other) = (
            io::Error::from(Errno::MFILE),
            io::Error::from(Errno::CONNREFUSED),
        );
        assert!(is_shortage(&files) && !is_shortage(&other));
        let limit = getrlimit(Resource::Nofile).current.expect("a limit");
        let words = in_words(&files);
        assert!(
            words.contains(&format!("may have {limit} files")),
            "{words}"
        );
        assert!(in_words(&io::Error::from(Errno::NFILE)).contains("fs.file-max"));
    }

    #[test]
    fn a_shortage_of_ports_names_them() {
        let (ports, other) = (
            io::Error::from(Errno::ADDRNOTAVAIL),
            io::Error::from(Errno::CONNREFUSED),
        );
        let here = SocketAddr::from(([127, 0, 0, 1], 9));
        assert!(is_out_of_ports(&ports, here) && !is_out_of_ports(&other, here));
        assert!(in_words(&ports).contains("ip_local_port_range"));
        // Nothing can be sent there from any port.
        let nowhere = SocketAddr::from(([255, 255, 255, 255], 9));
        assert!(!is_out_of_ports(&ports, nowhere));
    }
}
