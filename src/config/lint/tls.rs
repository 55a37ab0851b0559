//! Keys of TLS without effect.

use crate::config::file::File;
use crate::config::keys::not_default;

use super::Lints;

pub(super) fn tls(file: &File, lints: &mut Lints) {
    if file.listen.iter().any(|listen| *listen.tls) {
        return;
    }
    for (key, span) in not_default(&*file.tls) {
        let text = format!("`tls.{key}` has no use: no address in `listen` has `tls = true`");
        lints.add(span, text);
    }
}
