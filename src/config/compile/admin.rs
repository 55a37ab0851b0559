//! The operator's own port.

use std::net::SocketAddr;

use crate::config::file::File;
use crate::config::problems::{Problem, Problems};
use crate::config::settings::AdminListen;

/// Compiles where it listens.
pub(super) fn listen(file: &File, problems: &mut Problems) -> AdminListen {
    let listen = &file.admin.listen;
    if let AdminListen::Tcp(address) = listen.value
        && let Some(keys) = file
            .listen
            .iter()
            .find(|keys| meet(keys.address.value, address))
    {
        let own = *keys.address;
        let message = format!("`admin.listen` is `{address}`, where clients connect");
        let problem = Problem::at(listen.span, message);
        let problem = problem.also(keys.address.span, format!("clients connect to `{own}`"));
        problems.add(problem.help(
            "give the admin port an address of its own, such as \"127.0.0.1:9001\", or write `admin.listen = \"off\"`",
        ));
    }
    listen.value.clone()
}

/// Whether only one of them can be listened on.
fn meet(one: SocketAddr, other: SocketAddr) -> bool {
    let same_ip =
        one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_ip
}
