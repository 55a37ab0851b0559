//! What other routers would take for a pattern, such as `/users/:id`, and is taken literally here.

use super::Lints;
use crate::config::file::File;
use crate::config::kinds::Target;

/// Finds prefixes that other routers would take for patterns, such as `/users/:id`.
pub(super) fn patterns(file: &File, lints: &mut Lints) {
    let routes = file.all_routes().map(|route| route.prefix);
    let protected = file.access.protected.iter().map(|keys| &keys.prefix);
    for prefix in routes.chain(protected).chain(file.access.public.iter()) {
        let path = prefix.as_str();
        if let Some((before, name)) = path.split_once("/:").filter(|(_, name)| !name.is_empty()) {
            let name = name.split('/').next().unwrap_or(name);
            let before = if before.is_empty() { "/" } else { before };
            let text = format!(
                "`:{name}` is taken literally, for prefixes have no patterns: `{before}` takes all that is below it"
            );
            lints.add(prefix.span, text);
        }
    }
    patterns_of_targets(file, lints);
}

/// Finds the same in the paths that requests get.
fn patterns_of_targets(file: &File, lints: &mut Lints) {
    let mut targets = Vec::new();
    for (_, keys) in file.good_routes() {
        let redirect = keys.redirect.given();
        targets.extend(redirect.map(|it| (it.to.as_str().to_owned(), it.to.span)));
        let replaced = keys.replace_prefix.written();
        targets.extend(replaced.map(|it| (it.as_str().to_owned(), it.span)));
        if let Some(Target::Url(url)) = keys.upstream.given() {
            targets.push((url.base_path.to_string(), keys.upstream.span));
        }
    }
    for (_, upstream) in file.upstreams.good() {
        let endpoints = upstream.endpoints.iter();
        targets.extend(endpoints.map(|it| (it.url.base_path.to_string(), it.url.span)));
    }
    let is_pattern = |part: &&str| {
        let digit = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
        part.strip_prefix('$').is_some_and(digit) || part.len() > 1 && part.starts_with(':')
    };
    for (path, span) in targets {
        if let Some(part) = path.split('/').find(is_pattern) {
            let text = format!(
                "`{part}` is taken literally: what follows the prefix of a route is appended by itself"
            );
            lints.add(span, text);
        }
    }
}
