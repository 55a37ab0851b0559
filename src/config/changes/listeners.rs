//! Addresses that will serve clients without TLS, where there is TLS now. They are opened by the next start.

use super::ChangeKind;
use crate::config::file::{File, ListenKeys};
use crate::config::source::At;
use crate::tls::ClientAuthMode;

/// Where clients will get to the routes without TLS, and do not with the addresses that the program was
/// started with.
pub(super) fn compare(started: &File, now: &File) -> Vec<(ChangeKind, String)> {
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
        let before = match same {
            Some(same) if *same.tls => "has TLS until then",
            Some(same) if same.redirect.is_some() => "sends clients to `https` until then",
            Some(_) => return None,
            None => "is not open until then",
        };
        Some(format!(
            "`listen`: from the restart on, clients get to the routes at `{address}` without TLS{unasked}; it {before}"
        ))
    };
    let serving = now.listen.iter().filter(|it| it.redirect.is_none());
    let plain = serving.filter(|it| !*it.tls);
    plain
        .filter_map(text)
        .map(|text| (ChangeKind::NeedsRestart, text))
        .collect()
}
