//! Where the operator's own port listens.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::config::keys::Text;
use crate::config::settings::AdminListen;

/// What stands before a path.
const UNIX: &str = "unix:";
/// The longest path of a socket that all systems take.
const LONGEST_PATH: usize = 103;

impl Text for AdminListen {
    const NOUN: &str = "an address, `unix:` and a path, or \"off\",";
    const EXAMPLE: &str = "127.0.0.1:9000";
    const FOR_NUMBER: Option<&str> = Some("127.0.0.1:N");

    fn parse(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        if let Some(path) = text.strip_prefix(UNIX) {
            return socket_path(path).map(Self::Unix);
        }
        if text.starts_with('/') {
            return Err(format!("write \"{UNIX}{text}\""));
        }
        let address = text.parse::<SocketAddr>().map(Self::Tcp);
        address.map_err(|_| {
            let name = text.strip_prefix("localhost:");
            let port = name.unwrap_or(text.strip_prefix(':').unwrap_or(text));
            match (port.parse::<u16>(), name) {
                (Ok(port), None) => format!("write \"127.0.0.1:{port}\""),
                (Ok(port), Some(_)) => {
                    format!("write \"127.0.0.1:{port}\"; names are not looked up")
                }
                (Err(_), _) => "write an IP address and a port; names are not looked up".to_owned(),
            }
        })
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

fn socket_path(path: &str) -> Result<PathBuf, String> {
    if !Path::new(path).is_absolute() {
        return Err("write an absolute path: \"unix:/run/tollgate/admin.sock\"".to_owned());
    }
    if path.len() > LONGEST_PATH || path.ends_with('/') {
        return Err(format!(
            "the path of a socket is that of a file, with at most {LONGEST_PATH} bytes"
        ));
    }
    Ok(path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_an_address_a_path_or_none() {
        for text in [
            "127.0.0.1:9000",
            "[::1]:0",
            "unix:/run/tollgate/admin.sock",
            "off",
        ] {
            assert_eq!(AdminListen::parse(text).unwrap().text(), text);
        }
        for (text, instead) in [
            ("9000", "write \"127.0.0.1:9000\""),
            (":9000", "write \"127.0.0.1:9000\""),
            (
                "localhost:9000",
                "write \"127.0.0.1:9000\"; names are not looked up",
            ),
            ("/run/x", "write \"unix:/run/x\""),
            ("unix:x", "an absolute path"),
            ("unix:/run/", "that of a file"),
            ("on", "an IP address and a port"),
        ] {
            let error = AdminListen::parse(text).unwrap_err();
            assert!(error.contains(instead), "{text}: {error}");
        }
        assert!(AdminListen::parse(&format!("unix:/{}", "x".repeat(200))).is_err());
    }
}
