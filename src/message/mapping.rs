//! How a route maps the paths of its requests to those of a service, and back again where the
//! service's answer names one.

/// What paths begin with on either side.
#[derive(Debug, Clone, Copy)]
pub struct PathMapping<'a> {
    /// The prefix that only clients' paths have: empty, or as routes have it.
    pub public: &'a str,
    /// The endpoint's own path: empty, or canonical, with or without a slash at its end.
    pub base: &'a str,
    /// The prefix that only the service's paths have, behind that: empty, or as routes have it.
    pub inserted: &'a str,
}

impl PathMapping<'_> {
    /// Appends the service's path for a canonical one that begins with the public prefix.
    pub fn put(&self, out: &mut Vec<u8>, path: &str) {
        let rest = path.strip_prefix(self.public).unwrap_or(path);
        match (self.base, self.inserted, rest) {
            ("", "", "") => out.push(b'/'),
            // What was asked for is the endpoint's own path, which is as it is configured.
            (base, "", "") => out.extend_from_slice(base.as_bytes()),
            (_, inserted, rest) => {
                for part in [self.base(), inserted, rest] {
                    out.extend_from_slice(part.as_bytes());
                }
            }
        }
    }

    /// Whether all paths arrive as they came.
    pub fn is_identity(&self) -> bool {
        let rest = self.public.strip_prefix(self.base());
        rest == Some(self.inserted)
    }

    /// Appends the path by which clients reach what the service calls `path`.
    pub fn put_public(&self, out: &mut Vec<u8>, path: &[u8]) {
        match self.rest_of_own(path) {
            Some([]) if self.public.is_empty() => out.push(b'/'),
            // Browsers would take what follows for a host.
            Some([b'/', b'/' | b'\\' | ..=b' ', ..]) if self.public.is_empty() => {
                out.extend_from_slice(path);
            }
            Some(rest) => {
                out.extend_from_slice(self.public.as_bytes());
                out.extend_from_slice(rest);
            }
            None => out.extend_from_slice(path),
        }
    }

    /// The path by which clients reach what a service calls `path` (a canonical path), if they do.
    pub fn to_public(&self, path: &str) -> Option<String> {
        let rest = path.strip_prefix(self.base())?;
        let rest = rest.strip_prefix(self.inserted)?;
        let public = || match (self.public, rest) {
            ("", "") => "/".to_owned(),
            (public, rest) => [public, rest].concat(),
        };
        is_below(rest.as_bytes()).then(public)
    }

    /// The same as [`Self::put_public`] of a cookie's path. One that covers all that the route reaches covers the route.
    pub fn put_public_cookie_path(&self, out: &mut Vec<u8>, path: &[u8]) {
        let mut own = self.base().bytes().chain(self.inserted.bytes());
        let mut path_without_slash = path.strip_suffix(b"/").unwrap_or(path).iter();
        let covers = path_without_slash.all(|b| own.next() == Some(*b))
            && matches!(own.next(), None | Some(b'/'));
        match self.public {
            "" if covers => out.push(b'/'),
            // With a slash at its end it would not cover the prefix alone (RFC 6265 section 5.1.4).
            public if covers => out.extend_from_slice(public.as_bytes()),
            _ => self.put_public(out, path),
        }
    }

    /// What is left of a path of the service's own. A service that is told its public prefix may say
    /// it itself.
    fn rest_of_own<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        let (base, inserted) = (self.base(), self.inserted);
        let is_public = self.public.len() > base.len() + inserted.len()
            && path
                .strip_prefix(self.public.as_bytes())
                .is_some_and(is_below);
        let rest = path.strip_prefix(base.as_bytes())?;
        let rest = rest.strip_prefix(inserted.as_bytes())?;
        (is_below(rest) && !is_public).then_some(rest)
    }

    fn base(&self) -> &str {
        self.base.strip_suffix('/').unwrap_or(self.base)
    }
}

/// Whether this can follow a prefix of whole segments.
fn is_below(rest: &[u8]) -> bool {
    matches!(rest, [] | [b'/', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(
        public: &'static str,
        base: &'static str,
        inserted: &'static str,
    ) -> PathMapping<'static> {
        PathMapping {
            public,
            base,
            inserted,
        }
    }

    fn put(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn paths_are_mapped_and_no_slash_is_added() {
        for (mapping, path, at_service) in [
            (mapping("", "", ""), "/a/", "/a/"),
            (mapping("/app", "", ""), "/app", "/"),
            (mapping("/app", "", ""), "/app/a", "/a"),
            (mapping("/gql", "/v1/graphql", ""), "/gql", "/v1/graphql"),
            (mapping("/gql", "/v1/graphql/", ""), "/gql", "/v1/graphql/"),
            (
                mapping("/gql", "/v1/graphql/", ""),
                "/gql/a",
                "/v1/graphql/a",
            ),
            (mapping("", "/v1", ""), "/", "/v1/"),
            (mapping("", "/v1/", ""), "/a", "/v1/a"),
            (mapping("/api", "", "/v2"), "/api", "/v2"),
            (mapping("/api", "/base/", "/v2"), "/api", "/base/v2"),
            (mapping("/api", "/base", "/v2"), "/api/a/", "/base/v2/a/"),
            (mapping("", "", "/v2"), "/", "/v2/"),
        ] {
            assert_eq!(
                put(|out| mapping.put(out, path)),
                at_service,
                "{mapping:?} {path}"
            );
        }
    }

    #[test]
    fn a_mapping_to_the_same_paths_is_none() {
        for (mapping, identity) in [
            (mapping("", "", ""), true),
            (mapping("/app", "", "/app"), true),
            (mapping("/app", "/app/", ""), true),
            (mapping("/a/b", "/a", "/b"), true),
            (mapping("/app", "", ""), false),
            (mapping("", "/v1", ""), false),
            (mapping("/app", "/ap", ""), false),
        ] {
            assert_eq!(mapping.is_identity(), identity, "{mapping:?}");
        }
    }

    #[test]
    fn what_is_the_services_own_gets_the_public_prefix() {
        let (app, gql, v2) = (
            mapping("/app", "", ""),
            mapping("/gql", "/v1/", ""),
            mapping("/api", "/x", "/v2"),
        );
        let root = mapping("", "/v1", "");
        for (mapping, path, public) in [
            (app, "/", "/app/"),
            (app, "/login", "/app/login"),
            (app, "/apple", "/app/apple"),
            (gql, "/v1", "/gql"),
            (gql, "/v1/a/", "/gql/a/"),
            (v2, "/x/v2/login", "/api/login"),
            (root, "/v1", "/"),
            (root, "/v1/a", "/a"),
            // It knows its public prefix.
            (app, "/app", "/app"),
            (app, "/app/login", "/app/login"),
            (mapping("/app/v2", "/app", ""), "/app/v2/a", "/app/v2/a"),
            // Not if that is a part of its own.
            (mapping("/api", "", "/api/v2"), "/api/v2/a", "/api/a"),
            // Nothing that the route reaches.
            (gql, "/", "/"),
            (gql, "/v12", "/v12"),
            (v2, "/x/a", "/x/a"),
            (v2, "/v2/a", "/v2/a"),
        ] {
            let mapped = put(|out| mapping.put_public(out, path.as_bytes()));
            assert_eq!(mapped, public, "{mapping:?} {path}");
        }
    }

    #[test]
    fn no_path_becomes_a_host() {
        let root = mapping("", "/v1", "");
        for path in ["/v1//evil.test", "/v1/\\evil.test", "/v1/\t/evil.test"] {
            assert_eq!(put(|out| root.put_public(out, path.as_bytes())), path);
        }
    }

    #[test]
    fn a_cookie_for_all_of_a_service_is_for_all_of_its_route() {
        let (app, v2) = (mapping("/app", "", ""), mapping("/api", "/x", "/v2"));
        for (mapping, path, public) in [
            (app, "/", "/app"),
            (app, "/admin/", "/app/admin/"),
            (app, "/app", "/app"),
            (v2, "/", "/api"),
            (v2, "/x", "/api"),
            (v2, "/x/v2/", "/api"),
            (v2, "/x/v2/a", "/api/a"),
            (v2, "/x/v", "/x/v"),
            (v2, "/y", "/y"),
            (mapping("", "/v1", ""), "/v1", "/"),
        ] {
            let mapped = put(|out| mapping.put_public_cookie_path(out, path.as_bytes()));
            assert_eq!(mapped, public, "{mapping:?} {path}");
        }
    }
}
