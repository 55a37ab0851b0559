//! Sockets that systemd has opened for us (`LISTEN_FDS`, `sd_listen_fds(3)`). It keeps them open while
//! the gateway is restarted, so that clients wait instead of being refused.

use listenfd::ListenFd;

use super::TakeOverError;
use crate::server::Inherited;

/// Takes the sockets, and the variables that name them out of the environment. To be called before there
/// is another thread, which could be reading the environment.
pub(crate) fn sockets_of_systemd() -> Result<Vec<Inherited>, TakeOverError> {
    let mut passed = ListenFd::from_env();
    let sockets = (0..passed.len()).map(|nth| {
        let not_tcp = TakeOverError::NotTcp { nth: nth + 1 };
        let socket = passed.take_tcp_listener(nth).ok().flatten();
        let inherited = socket.and_then(|socket| Inherited::from_systemd(socket).ok().flatten());
        inherited.ok_or(not_tcp)
    });
    sockets.collect()
}
