//! Public routes that lead to what is protected under another path of the same service.

use super::Lints;
use crate::config::file::File;
use crate::pipeline::snapshot::Snapshot;

/// Finds them; the routes of the snapshot are those of the file, in the same order.
pub(super) fn exposed(file: &File, snapshot: &Snapshot, lints: &mut Lints) {
    let routes: Vec<_> = file.all_routes().collect();
    let protected = &snapshot.access.protected;
    for found in snapshot.routes.exposed(protected, &snapshot.upstreams) {
        let Some(route) = routes.get(found.route) else {
            continue;
        };
        let text = format!(
            "the route `{}` is public and leads to what is protected: `{}` arrives at the service where `{}` does. Protect it too, or let it lead to a part of the service (`replace_prefix`)",
            route.prefix.as_str(),
            found.path,
            found.protected
        );
        lints.add(route.prefix.span, text);
    }
}
