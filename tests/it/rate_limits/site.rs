//! A gateway whose routes have limits: one service, one client with a key, counted in the process
//! or in a Redis of its own.

use std::fmt::Write as _;

use crate::support::redis::Redis;
use crate::support::{Gateway, KEY, Request, Response, Upstream, hash_of};

/// Where a site counts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Store {
    Memory,
    Redis,
}

/// A running gateway and what stands behind it.
pub(super) struct Site {
    pub gateway: Gateway,
    _service: Upstream,
    _redis: Option<Redis>,
}

impl Site {
    /// Starts one with these limits, and these routes with what their tables have beside the
    /// upstream. All lead to an echo but `/down`. The client is of the tier `gold` if there is one.
    pub(super) fn start(store: Store, limits: &str, routes: &[(&str, &str)]) -> Self {
        let redis = match store {
            Store::Memory => None,
            Store::Redis => Some(Redis::start()),
        };
        // Far longer than Redis ever takes: here nothing is about missing it.
        let more = redis.as_ref().map_or(String::new(), |redis| {
            format!(
                "[limits.redis]\nurl = \"{}\"\ndeadline = \"8s\"\n",
                redis.url()
            )
        });
        let service = Upstream::echo();
        let gateway = Gateway::start(&config(&service, &format!("{limits}\n{more}"), routes));
        Self {
            gateway,
            _service: service,
            _redis: redis,
        }
    }

    pub(super) fn ask(&self, request: &Request) -> Response {
        self.gateway.ask(request)
    }
}

/// A site's configuration. One worker, so that the lines of its log come in order.
pub(super) fn config(service: &Upstream, limits: &str, routes: &[(&str, &str)]) -> String {
    let mut text = "[routes]\n".to_owned();
    for (prefix, more) in routes {
        let upstream = match *prefix {
            "/down" => Upstream::down(|_| Ok(())).url(),
            _ => service.url(),
        };
        let comma = if more.is_empty() { "" } else { ", " };
        let _ = writeln!(
            text,
            "\"{prefix}\" = {{ upstream = \"{upstream}\"{comma}{more} }}"
        );
    }
    let tier = if limits.contains("tiers.gold") {
        "tier = \"gold\"\n"
    } else {
        ""
    };
    let key = hash_of(KEY);
    format!(
        "{text}[clients.mobile-app]\n{tier}keys = [\"{key}\"]\n{limits}\n[server]\nworkers = 1\n"
    )
}
