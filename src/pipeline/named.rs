//! Stage 2, continued: other resources that a request names. COPY and MOVE write to what `Destination`
//! says (RFC 4918 section 10.3), stores of objects read what `x-amz-copy-source` and the like say. The
//! caller has to be let in there as well, both where clients see that path and where the service does.

use std::sync::Arc;

use http::Method;

use crate::message::fields::FieldRef;
use crate::message::known_field::KnownField;
use crate::message::path::{AmbiguousPath, RequestPath};
use crate::route::{Resolved, Route};

use super::addresses::admit_address;
use super::identify::Caller;
use super::protect::may_come;
use super::rejection::Rejection;
use super::request::Request;
use super::resolve::check_runs;
use super::snapshot::Snapshot;

/// What may happen to the other resource, beside what the request's own method says, and what anything is
/// protected from: a copy is as good as any other way to write.
const DONE_TO_IT: [Method; 3] = [Method::GET, Method::PUT, Method::DELETE];

/// Lets a request in that its own path lets in, unless it names a resource to which the caller may not
/// come.
pub(super) fn protect_named(
    request: &Request<'_>,
    snapshot: &Snapshot,
    route: Option<&Arc<Route>>,
    caller: Caller<'_>,
) -> Result<(), Rejection> {
    if !request.head.fields.has(KnownField::OtherResource) {
        return Ok(());
    }
    let gate = Gate {
        request,
        snapshot,
        caller,
    };
    let fields = request.head.fields.iter();
    let mut naming = fields.filter(|field| field.known == KnownField::OtherResource);
    naming.try_for_each(|field| gate.admit(field, route))
}

struct Gate<'r> {
    request: &'r Request<'r>,
    snapshot: &'r Snapshot,
    caller: Caller<'r>,
}

impl Gate<'_> {
    fn admit(&self, field: FieldRef<'_>, route: Option<&Arc<Route>>) -> Result<(), Rejection> {
        let ambiguous = |why: AmbiguousPath| {
            let name = String::from_utf8_lossy(field.name);
            Rejection::AmbiguousPath(format!("In `{name}`: {why}").into())
        };
        let text = path_of(field.value).map_err(ambiguous)?;
        let path = RequestPath::parse(&text).map_err(ambiguous)?;
        self.admit_path(&path)?;
        let Some((route, upstream)) = route.and_then(|route| Some((route, route.upstream()?)))
        else {
            return Ok(());
        };
        let endpoints = self
            .snapshot
            .upstreams
            .get(upstream)
            .map(|it| &it.endpoints);
        // The paths of all endpoints of an upstream are the same.
        let base = endpoints
            .and_then(|all| all.first())
            .map(|it| &*it.url.base_path);
        let mapping = route.mapping(base.unwrap_or_default());
        if mapping.is_identity() {
            return Ok(());
        }
        match mapping.to_public(path.as_str()) {
            Some(public) => {
                let public = RequestPath::parse(public.as_bytes()).map_err(ambiguous)?;
                self.admit_path(&public)
            }
            None if route.prefix.covers(path.as_str()) || !self.is_anything_kept() => Ok(()),
            None => {
                let name = String::from_utf8_lossy(field.name);
                let why = format!("`{name}` names a path to which this route does not lead.");
                Err(Rejection::BadRequest(why.into()))
            }
        }
    }

    /// Whether there is anything to which not everybody may come.
    fn is_anything_kept(&self) -> bool {
        let access = &self.snapshot.access;
        access.protected.iter().next().is_some() || !access.allow.is_empty()
    }

    /// Lets the caller come to a path, whose slashes the service gets as they came.
    fn admit_path(&self, path: &RequestPath<'_>) -> Result<(), Rejection> {
        check_runs(path, true)?;
        let own = [self.request.head.method.clone()];
        let entries = self.snapshot.access.protected.iter();
        let protected = entries.flat_map(|entry| &entry.methods);
        let mut methods = own.iter().chain(&DONE_TO_IT).chain(protected);
        methods.try_for_each(|method| {
            let found = self
                .snapshot
                .routes
                .find(self.request.host, method, path.as_str());
            let route = Resolved::route(found);
            admit_address(self.snapshot, route, self.request)?;
            let route = route.map(|route| &**route);
            may_come(
                &self.snapshot.access,
                route,
                method,
                path,
                true,
                self.caller,
            )
        })
    }
}

/// The path of what may be a URL or a path. What follows a `?` or `#` is a part of it to some.
fn path_of(value: &[u8]) -> Result<Vec<u8>, AmbiguousPath> {
    // To some that is a slash, also within the host.
    if value.contains(&b'\\') {
        return Err(AmbiguousPath::Backslash);
    }
    let in_scheme = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let rest = match value.iter().position(|b| !in_scheme(b)) {
        Some(end) if value[end] == b':' => match &value[end + 1..] {
            [b'/', b'/', rest @ ..] => {
                let ends = |b: &u8| matches!(b, b'/' | b'?' | b'#');
                let end = rest.iter().position(ends).unwrap_or(rest.len());
                match &rest[end..] {
                    [] => b"/",
                    [b'/', ..] => &rest[end..],
                    // Where the path begins is not read alike.
                    _ => return Err(AmbiguousPath::NoLeadingSlash),
                }
            }
            rest => rest,
        },
        _ => value,
    };
    let mut path = Vec::with_capacity(rest.len() + 1);
    if rest.first() != Some(&b'/') {
        path.push(b'/');
    }
    for byte in rest {
        match byte {
            b'?' => path.extend_from_slice(b"%3F"),
            b'#' => path.extend_from_slice(b"%23"),
            byte => path.push(*byte),
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_paths_name_a_path() {
        for (value, path) in [
            ("http://x/a/b", "/a/b"),
            ("HTTPS://user@x:80/a?b#c", "/a%3Fb%23c"),
            ("http://x", "/"),
            ("http:/a", "/a"),
            ("http:a", "/a"),
            ("/a//b", "/a//b"),
            ("//x/a", "//x/a"),
            ("bucket/a", "/bucket/a"),
            ("/a:b/c", "/a:b/c"),
            ("", "/"),
        ] {
            assert_eq!(path_of(value.as_bytes()), Ok(path.into()), "{value}");
        }
        for value in [r"http://x\a", r"http:\\x\a", "http://x?/a", "http://x#/a"] {
            assert!(path_of(value.as_bytes()).is_err(), "{value}");
        }
    }
}
