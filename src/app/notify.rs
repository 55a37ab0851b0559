//! Tells systemd how the gateway is (`sd_notify(3)`), where it asks for that by `NOTIFY_SOCKET`. Nothing
//! here waits, and trouble is a line of the log.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use rustix::time::{ClockId, clock_gettime};

/// What systemd is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    /// Connections are accepted; also after a reload, whatever came of it.
    Ready,
    /// The configuration is read again.
    Reloading,
    /// The drain has begun, and nobody else serves.
    Stopping,
    /// Another process is the service's main one from now on.
    MainProcess(u32),
}

/// Tells systemd, if it wants to know.
pub(super) fn notify(state: State) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()) else {
        return;
    };
    if let Err(error) = send(&socket, &text(state)) {
        tracing::warn!(%error, ?state, "systemd cannot be told");
    }
}

fn text(state: State) -> String {
    match state {
        State::Ready => "READY=1".into(),
        // Systemd tells by the time whether the READY that follows is of this reload.
        State::Reloading => {
            let now = clock_gettime(ClockId::Monotonic);
            let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
            format!("RELOADING=1\nMONOTONIC_USEC={micros}")
        }
        State::Stopping => "STOPPING=1".into(),
        State::MainProcess(pid) => format!("MAINPID={pid}"),
    }
}

fn send(socket: &OsStr, text: &str) -> io::Result<()> {
    let name = socket.as_bytes();
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let ours = UnixDatagram::unbound()?;
    ours.set_nonblocking(true)?;
    ours.send_to_addr(text.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemd_hears_at_a_path_and_at_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("tollgate-test-{}", std::process::id());
        let at_path = UnixDatagram::bind(&path).unwrap();
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        let at_name = UnixDatagram::bind_addr(&abstract_name).unwrap();
        send(path.as_os_str(), &text(State::MainProcess(7))).unwrap();
        send(OsStr::new(&format!("@{name}")), &text(State::Reloading)).unwrap();
        let heard = |socket: &UnixDatagram| {
            let mut text = [0; 100];
            let length = socket.recv(&mut text).unwrap();
            String::from_utf8(text[..length].to_vec()).unwrap()
        };
        assert_eq!(heard(&at_path), "MAINPID=7");
        let reloading = heard(&at_name);
        let micros = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
        assert!(micros.unwrap().parse::<u64>().unwrap() > 0, "{reloading}");
    }
}
