//! What is protected or public for nothing, and routes that most likely should be protected.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use super::{Lints, above, is_under};
use crate::config::file::File;
use crate::route::PathEncoding;

/// Looks at `[access]` and the routes beside it.
pub(super) fn protection(file: &File, now: Timestamp, lints: &mut Lints) {
    let routes: HashSet<String> = file
        .all_routes()
        .map(|route| route.prefix.as_str().to_ascii_lowercase())
        .collect();
    let on_the_way: HashSet<&str> = routes.iter().flat_map(|route| above(route)).collect();
    let mut protected: HashMap<String, &str> = HashMap::new();
    for keys in file.access.protected.iter() {
        let prefix = &keys.prefix;
        let text = prefix.as_str();
        let lower = text.to_ascii_lowercase();
        let leads_there =
            on_the_way.contains(lower.as_str()) || above(&lower).any(|path| routes.contains(path));
        if !leads_there {
            let text = format!("`{text}` is protected, but no route leads there");
            lints.add(prefix.span, text);
        }
        if !keys.methods.is_empty() {
            continue;
        }
        match protected.entry(lower) {
            Entry::Occupied(first) if keys.allow.is_empty() => {
                lints.add(prefix.span, already(text, first.get()));
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(free) => drop(free.insert(text)),
        }
    }
    let public = file.access.public.iter();
    let public: HashSet<_> = public.map(|it| it.as_str().to_ascii_lowercase()).collect();
    covered(file, &protected, &public, lints);
    for public in file.access.public.iter() {
        let mut protected = file.access.protected.iter();
        if !protected.any(|keys| is_under(public.as_str(), keys.prefix.as_str())) {
            let text = format!(
                "`{}` is public anyway: nothing protects it",
                public.as_str()
            );
            lints.add(public.span, text);
        }
    }
    routes_beside(file, &protected, &public, lints);
    if let Some(first) = file.access.protected.first() {
        let clients = || file.clients.good().map(|(_, client)| client);
        if clients().all(|client| client.proves_nothing()) {
            let text =
                "nobody gets to what is protected: no client has a key (`tollgate keys new NAME`)";
            lints.add(first.span, text);
        } else if clients().all(|client| client.proves_nothing_since(now)) {
            let text = "nobody gets to what is protected: all keys of all clients have expired (`tollgate keys new NAME`)";
            lints.add_passing(first.span, text);
        }
    }
    any_bytes(file, lints);
}

/// Finds protected prefixes that say no more than a wider one does.
fn covered(
    file: &File,
    protected: &HashMap<String, &str>,
    public: &HashSet<String>,
    lints: &mut Lints,
) {
    // One that is not for every client adds to what the wider one says.
    let plain = file.access.protected.iter();
    for keys in plain.filter(|keys| keys.allow.is_empty()) {
        let prefix = &keys.prefix;
        let lower = prefix.as_str().to_ascii_lowercase();
        let above = above(&lower).skip(1);
        // One below a public prefix protects again.
        let mut above = above.take_while(|path| !public.contains(*path));
        if let Some(wider) = above.find_map(|path| protected.get(path)) {
            lints.add(prefix.span, already(prefix.as_str(), wider));
        }
    }
}

/// Finds routes that take paths which protection may read in another way than their service.
fn any_bytes(file: &File, lints: &mut Lints) {
    if file.access.protected.is_empty() {
        return;
    }
    for (prefix, keys) in file.good_routes() {
        if *keys.path_encoding == PathEncoding::Any {
            let text = format!(
                "the route `{}` takes paths that are not UTF-8: a service that reads them neither as UTF-8 nor as Latin-1 may be reached around `access.protected`",
                prefix.as_str()
            );
            lints.add(keys.path_encoding.span, text);
        }
    }
}

/// Finds routes whose text goes on where a protected prefix ends, and which nobody has called public.
fn routes_beside(
    file: &File,
    protected: &HashMap<String, &str>,
    public: &HashSet<String>,
    lints: &mut Lints,
) {
    let covering = file.not_public();
    let lengths: BTreeSet<usize> = protected.keys().map(String::len).collect();
    for route in file.all_routes() {
        let path = route.prefix.as_str();
        let lower = path.to_ascii_lowercase();
        let is_meant = above(&lower).any(|path| public.contains(path));
        if is_meant || covering.find(path, None).is_some() {
            continue;
        }
        // `/api/orders-export` beside a protected `/api/orders`.
        let mut longest_first = lengths.iter().rev();
        let beside = longest_first.find_map(|length| protected.get(lower.get(..*length)?));
        if let Some(beside) = beside {
            let text = format!(
                "the route `{path}` is public: `{beside}` protects whole segments, and this is another one"
            );
            lints.add(route.prefix.span, text);
        }
    }
}

fn already(prefix: &str, wider: &str) -> String {
    format!("`{prefix}` is protected already by `{wider}`")
}
