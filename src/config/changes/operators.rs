//! Tokens of the admin port that are gone: without any, whoever reaches it may read and change.

use super::ChangeKind;
use crate::config::file::File;
use crate::config::settings::AdminListen;

/// What operators may do now without a token and could not do before. Where the port listens is as the
/// program was started; one that other machines reach lets nobody in without a token.
pub(super) fn compare(started: &File, served: &File, now: &File) -> Option<(ChangeKind, String)> {
    let listen = &started.admin.listen;
    let needs_a_token = |file: &File| file.admin.token.is_some() || file.admin.read_token.is_some();
    let is_reached = listen.value != AdminListen::Off && !listen.is_open();
    if !is_reached || !needs_a_token(served) || needs_a_token(now) {
        return None;
    }
    let text = format!(
        "the admin port, `{}`, has no token any more: whoever reaches it may read and change",
        listen.value
    );
    Some((ChangeKind::Wider, text))
}
