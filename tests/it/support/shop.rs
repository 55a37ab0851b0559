//! The usual set-up: an open service, a protected one, one client with a key, no limits.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::client::{Client, Response};
use super::gateway::Gateway;
use super::request::Request;
use super::upstream::Upstream;

/// The key of the client `mobile-app`.
pub(crate) const KEY: &str = "the-key-of-the-mobile-app";

/// A gateway with `/api/inventory` open to all and `/api/orders` for identified clients.
pub(crate) struct Shop {
    pub gateway: Gateway,
    pub inventory: Upstream,
    pub orders: Upstream,
}

/// Configuration with which each failure of a service is the client's: nothing is tried again, and no
/// circuit opens.
pub(crate) const UNGUARDED: &str = "[upstream_defaults]\nbreaker = \"off\"\nretry = \"off\"\n";

impl Shop {
    /// Both services echo.
    pub(crate) fn open() -> Self {
        Self::with("")
    }

    /// Both services echo; `more` goes to the end of the configuration.
    pub(crate) fn with(more: &str) -> Self {
        Self::selling(Upstream::echo(), more)
    }

    /// The open service is of the test's own making.
    pub(crate) fn selling(inventory: Upstream, more: &str) -> Self {
        let orders = Upstream::echo();
        let gateway = Gateway::start(&Self::config(&inventory, &orders, more));
        Self {
            gateway,
            inventory,
            orders,
        }
    }

    /// The configuration of a shop.
    pub(crate) fn config(inventory: &Upstream, orders: &Upstream, more: &str) -> String {
        format!(
            r#"
[routes]
"/api/inventory" = "{}"
"/api/orders" = "{}"
[access]
protected = ["/api/orders"]
[clients.mobile-app]
keys = ["{}"]
{more}
"#,
            inventory.url(),
            orders.url(),
            hash_of(KEY)
        )
    }

    pub(crate) fn ask(&self, request: &Request) -> Response {
        self.gateway.ask(request)
    }

    /// Fails unless the next request of a connection gets its own answer.
    pub(crate) fn still_serves(client: &mut Client) {
        let response = client.ask(&Request::get("/api/inventory/still-here"));
        response.is(200);
        assert_eq!(
            response.fields.one("x-seen"),
            Some("/still-here"),
            "somebody else's answer"
        );
    }

    /// Fails unless a request on a new connection is served, over whatever connection to the
    /// upstream is pooled, and no other whole request has reached an upstream since the last look.
    pub(crate) fn nothing_got_through(&self) {
        self.nothing_more_got_through(0);
    }

    /// Like [`Shop::nothing_got_through`], after that many calls of [`Shop::still_serves`].
    pub(crate) fn nothing_more_got_through(&self, than: usize) {
        Self::still_serves(&mut self.gateway.connect());
        let seen = self.inventory.take();
        let whole: Vec<_> = seen
            .iter()
            .filter(|s| s.whole)
            .map(|s| s.target.as_str())
            .collect();
        assert_eq!(
            whole,
            vec!["/still-here"; than + 1],
            "the upstream saw whole requests"
        );
        let orders = self.orders.take();
        assert!(orders.is_empty(), "the protected upstream saw {orders:?}");
    }
}

/// A key's hash as the configuration has it.
pub(crate) fn hash_of(key: &str) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(key) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
