//! The admin port of a gateway under test.

use std::net::SocketAddr;

use serde_json::Value;

use super::client::{Client, Response};
use super::gateway::Gateway;
use super::request::Request;

/// A configuration with an admin port on a free port, and `more` in its table.
pub(crate) fn with_admin(config: &str, more: &str) -> String {
    format!("{config}\n[admin]\nlisten = \"127.0.0.1:0\"\n{more}\n")
}

impl Gateway {
    /// Where the admin port of the gateway that serves listens.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.operator_port("admin port open")
    }

    /// The same of any of the operator's ports, by what the log says.
    pub(crate) fn operator_port(&self, message: &str) -> SocketAddr {
        let line = self.wait_log(message, |line| line["message"] == message);
        let address = line["address"].as_str().and_then(|text| text.parse().ok());
        address.unwrap_or_else(|| panic!("no address in {line}"))
    }

    /// Asks the admin port one request, as a program on the same machine does.
    pub(crate) fn ask_admin(&self, request: Request) -> Response {
        ask_at(self.admin(), request)
    }

    /// What the admin port says at a path.
    pub(crate) fn admin_json(&self, path: &str) -> Value {
        self.ask_admin(Request::get(path)).is(200).json()
    }
}

/// Asks at an address, by that address.
pub(crate) fn ask_at(address: SocketAddr, request: Request) -> Response {
    Client::to(address).ask(&request.host(&address.to_string()))
}
