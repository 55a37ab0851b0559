//! TLS towards services.

mod authority;
mod checks;
mod endings;
mod failures;
mod front;
mod kept;
mod requests;

use rustls::ServerConfig;

use self::authority::{Authority, Signed};
use self::front::Front;
use crate::support::{Gateway, Upstream};

/// A service with TLS, and a gateway that trusts its authority.
struct Site {
    gateway: Gateway,
    front: Front,
    upstream: Upstream,
    authority: Authority,
}

impl Site {
    fn of(upstream: Upstream, server: impl FnOnce(&Signed) -> ServerConfig) -> Self {
        let authority = Authority::new();
        let signed = authority.signs(&["127.0.0.1", "localhost"]);
        let front = Front::of(&upstream, server(&signed));
        Self {
            gateway: Gateway::start(&config(&front.url(), &trusts(&authority))),
            front,
            upstream,
            authority,
        }
    }
}

/// A configuration with one service, which has these keys of TLS.
fn config(url: &str, tls: &str) -> String {
    format!(
        "[server]\nworkers = 1\n[routes]\n\"/a\" = \"up\"\n[upstreams.up]\nendpoints = [\"{url}\"]\n\
         breaker = \"off\"\nretry = \"off\"\n[upstreams.up.tls]\n{tls}\n"
    )
}

fn trusts(authority: &Authority) -> String {
    format!("ca = \"{}\"\n", authority.ca())
}
