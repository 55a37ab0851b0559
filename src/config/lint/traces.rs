//! Traces that go to the wrong port, in clear with a secret, or nowhere.

use std::net::IpAddr;

use super::Lints;
use crate::config::file::File;
use crate::message::protocol::Scheme;
use crate::traces::Protocol;

/// The ports that collectors have by default.
const HTTP: u16 = 4318;
const GRPC: u16 = 4317;

/// Looks at `[traces]`.
pub(super) fn traces(file: &File, lints: &mut Lints) {
    let Some(keys) = file.traces.as_ref() else {
        return;
    };
    let (endpoint, span) = (&keys.endpoint.0, keys.endpoint.span);
    let of_other = match *keys.protocol {
        Protocol::Http => (endpoint.port == GRPC).then_some(("grpc", "HTTP", HTTP)),
        Protocol::Grpc => (endpoint.port == HTTP).then_some(("http", "gRPC", GRPC)),
    };
    if let Some((word, this, port)) = of_other {
        let text = format!(
            "collectors usually take OTLP over {this} on port {port}: is `protocol = \"{word}\"` meant?"
        );
        lints.add(span, text);
    }
    let is_here = match endpoint.host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => *endpoint.host == *"localhost",
    };
    if endpoint.scheme == Scheme::Http && !is_here && keys.headers.good().next().is_some() {
        let text = "`traces.headers` are sent in clear: whoever is on the way can read them. Use `https://`";
        lints.add(span, text);
    }
    if keys.sample.0 == 0.0 && file.server.trusted_proxies.is_empty() {
        let text = "nothing is ever traced: `sample` is 0, and there is no trusted proxy that could decide otherwise";
        lints.add(keys.sample.span, text);
    }
}
