//! Stage 4: where to. The route is found on the canonical path; what the route does not allow is
//! refused before anything is sent.

use std::fmt::Write as _;
use std::sync::Arc;

use http::Method;

use crate::message::body::BodyLength;
use crate::message::path::{AmbiguousPath, RequestPath};
use crate::route::{
    EncodedControls, EncodedSlash, MAX_RUNS, PathEncoding, PathPrefix, Resolved, Route, RouteTable,
    are_uncertain, runs,
};

use super::rejection::Rejection;

/// Takes the route that was found for a request, unless its path evades another one.
pub fn resolve<'t>(
    found: Resolved<'t>,
    routes: &'t RouteTable,
    host: &[u8],
    method: &Method,
    path: &RequestPath<'_>,
) -> Result<&'t Arc<Route>, Rejection> {
    match found {
        Resolved::Route(route) => match routes.evaded(host, method, path, route) {
            None => Ok(route),
            Some(evaded) => Err(Rejection::AmbiguousPath(
                evasion(evaded.prefix.as_str(), path).into(),
            )),
        },
        Resolved::MethodNotAllowed { allow, .. } => Err(Rejection::MethodNotAllowed {
            allow: allow.to_owned(),
        }),
        Resolved::NoRoute => Err(Rejection::NoRoute),
    }
}

/// Says how a path that services may read as one of another route gets there, or by itself.
fn evasion(prefix: &str, path: &RequestPath<'_>) -> String {
    let mut text = format!(
        "Services may read this path as one under {prefix}, whose rules it would get around; use that spelling."
    );
    let depth = prefix.matches('/').count();
    let ends = path.as_str().match_indices('/').nth(depth);
    let own = path
        .as_str()
        .get(..ends.map_or(path.as_str().len(), |(end, _)| end));
    // Other spellings, such as escapes or another letter case, hardly ever are meant.
    let own = own.filter(|own| own.contains(':') && PathPrefix::parse(own).is_ok());
    if let Some(own) = own {
        let _ = write!(
            text,
            " If {own} is a resource of its own, it needs a route with that prefix."
        );
    }
    text
}

/// Refuses a path of which a service that gets its slashes as they came could make too much: before
/// it is compared with what is protected, for each of those readings is.
pub fn check_slashes(route: Option<&Route>, path: &RequestPath<'_>) -> Result<(), Rejection> {
    let keeps = route.is_some_and(|route| !route.merge_slashes);
    if !are_uncertain(path, keeps) {
        return Ok(());
    }
    if path.has_encoded_run() && !route.is_some_and(|route| keeps_encoded(route, path)) {
        return Err(AmbiguousPath::EncodedSlashes.into());
    }
    check_runs(path, keeps)
}

/// Refuses a path in which a service could see too many runs of slashes, or other ones than are seen
/// here. With `keeps` it gets them as they came.
pub fn check_runs(path: &RequestPath<'_>, keeps: bool) -> Result<(), Rejection> {
    if keeps && path.with_all_slashes().is_some() && path.hides_slashes() {
        return Err(AmbiguousPath::HiddenSlashes.into());
    }
    if runs(path, keeps) > MAX_RUNS {
        return Err(Rejection::AmbiguousPath(
            "The path has repeated slashes in more than four places.".into(),
        ));
    }
    Ok(())
}

/// Whether a service may get an encoded slash beside another one.
fn keeps_encoded(route: &Route, path: &RequestPath<'_>) -> bool {
    // Decoded, what arrives would begin with `//`.
    let rest = path.as_str().strip_prefix(route.prefix.before_slash());
    let begins_encoded = rest.is_none_or(|rest| rest.starts_with("/%2F"));
    route.encoded_slash == EncodedSlash::Keep && !begins_encoded
}

/// Checks what the route says about requests that it takes.
pub fn check(route: &Route, path: &RequestPath<'_>, body: BodyLength) -> Result<(), Rejection> {
    if path.has_encoded_slash() && route.encoded_slash == EncodedSlash::Reject {
        return Err(Rejection::AmbiguousPath(
            "an encoded slash (%2F) is not accepted in this path".into(),
        ));
    }
    if path.has_encoded_control() && route.encoded_controls == EncodedControls::Reject {
        return Err(AmbiguousPath::Control.into());
    }
    if !path.is_utf8() && route.path_encoding == PathEncoding::Utf8 {
        return Err(Rejection::AmbiguousPath(
            "The path has escapes that do not decode to UTF-8, such as %FF or %C3 alone.".into(),
        ));
    }
    match (route.body_limit, body) {
        (Some(limit), BodyLength::Fixed(length)) if length > limit => {
            Err(Rejection::BodyTooLarge { limit })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_behind_a_colon_is_told_that_it_needs_a_route_of_its_own() {
        for (path, own) in [
            ("/v1/models:predict", Some("/v1/models:predict")),
            ("/v1/models:predict/7", Some("/v1/models:predict")),
            ("/v1/MODELS", None),
            ("/v1/models%3Ax", None),
            ("/v1/models;a:b", None),
            ("/v1", None),
        ] {
            let text = evasion("/v1/models", &RequestPath::parse(path.as_bytes()).unwrap());
            let told = own.map(|own| format!("If {own} is a resource of its own,"));
            assert_eq!(text.contains(" If "), told.is_some(), "{text}");
            assert!(told.is_none_or(|told| text.contains(&told)), "{text}");
        }
    }
}
