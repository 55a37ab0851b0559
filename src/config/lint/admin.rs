//! Keys of `[admin]` that are about a port that is off.

use super::Lints;
use crate::config::file::File;
use crate::config::keys::not_default;
use crate::config::settings::AdminListen;
use crate::config::source::At;

/// Looks at `[admin]`.
pub(super) fn admin(file: &File, lints: &mut Lints) {
    let admin = &file.admin;
    if admin.listen.value != AdminListen::Off {
        return;
    }
    let token = |token: &At<Option<_>>| token.is_some().then_some(token.span);
    let host = admin.hosts.iter().next().map(|host| host.span);
    let mut idle = vec![
        ("token", token(&admin.token)),
        ("read_token", token(&admin.read_token)),
        ("hosts", host),
    ];
    // Health is on both ports.
    if admin.metrics_listen.value == AdminListen::Off {
        let mut changed = not_default(&**admin);
        let needs = changed.find(|(key, _)| *key == "ready_needs");
        idle.push(("ready_needs", needs.map(|(_, span)| span)));
    }
    for (key, span) in idle {
        if let Some(span) = span {
            let text = format!("`admin.{key}` has no effect: `admin.listen` is \"off\"");
            lints.add(span, text);
        }
    }
}
