//! Names at which clients needed a certificate, and do not need one any more.

use super::ChangeKind;
use crate::config::file::{ClientAuthKeys, File};
use crate::config::kinds::HostName;
use crate::message::host;
use crate::tls::ClientAuthMode;

/// Where clients come in now without a certificate, and did not before.
pub(super) fn compare(served: &File, now: &File) -> Option<(ChangeKind, String)> {
    let old = required(served)?;
    let text = match required(now) {
        None if old.names.is_empty() => "clients need no certificate any more".to_owned(),
        None => format!(
            "clients need no certificate at {} any more",
            list(&old.names.iter().map(|it| &it.value).collect::<Vec<_>>())
        ),
        Some(new) if new.names.is_empty() => return None,
        Some(new) if old.names.is_empty() => {
            let names: Vec<_> = new.names.iter().map(|it| &it.value).collect();
            let names = list(&names);
            format!("clients need a certificate at {names} only, before at all names")
        }
        Some(new) => {
            let is_gone = |name: &&HostName| {
                !new.names
                    .iter()
                    .any(|it| host::covers(&it.0, name.0.as_bytes()))
            };
            let names = old.names.iter().map(|it| &it.value);
            let gone: Vec<_> = names.filter(is_gone).collect();
            if gone.is_empty() {
                return None;
            }
            format!("clients need no certificate at {} any more", list(&gone))
        }
    };
    Some((ChangeKind::Public, text))
}

fn required(file: &File) -> Option<&ClientAuthKeys> {
    let keys = file.tls.client_auth.as_ref()?;
    (*keys.mode == ClientAuthMode::Required).then_some(keys)
}

fn list(names: &[&HostName]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{}`", name.0)).collect();
    names.join(", ")
}
