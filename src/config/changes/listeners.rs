//! Addresses that serve clients without TLS, where there was TLS before. They are opened by a start.

use crate::config::file::{File, ListenKeys};
use crate::config::source::At;
use crate::tls::ClientAuthMode;

/// Where clients get to the routes without TLS, and did not with the addresses that a program was started
/// with: from its restart on, or from now on.
pub(super) fn compare(started: &File, now: &File, from_restart: bool) -> Vec<String> {
    if !started.listen.iter().any(|listen| *listen.tls) {
        return Vec::new();
    }
    let client_auth = now.tls.client_auth.as_ref();
    let required = client_auth.is_some_and(|it| *it.mode == ClientAuthMode::Required);
    let unasked = if required {
        ", and without the certificate that `tls.client_auth` requires"
    } else {
        ""
    };
    let text = |listen: &At<ListenKeys>| {
        let address = *listen.address;
        let same = started.listen.iter().find(|it| *it.address == address);
        let [later, before] = match same {
            Some(same) if *same.tls => ["has TLS", "had TLS"],
            Some(same) if same.redirect.is_some() => {
                ["sends clients to `https`", "sent clients to `https`"]
            }
            Some(_) => return None,
            None => ["is not open", "was not open"],
        };
        let there = format!("clients get to the routes at `{address}` without TLS{unasked}");
        Some(if from_restart {
            format!("`listen`: from the restart on, {there}; it {later} until then")
        } else {
            format!("`listen`: {there}; it {before} before")
        })
    };
    let serving = now.listen.iter().filter(|it| it.redirect.is_none());
    let plain = serving.filter(|it| !*it.tls);
    plain.filter_map(text).collect()
}
