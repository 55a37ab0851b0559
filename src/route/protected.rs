//! The protected prefixes. They compare wider than routes on purpose: whichever way a service reads
//! a path, an anonymous caller must not reach a protected one. Letter case, `;parameters`, escapes
//! and encoded slashes make no difference here.

use super::PathPrefix;

/// Path prefixes that need an identified client.
#[derive(Debug, Default)]
pub struct ProtectedPrefixes {
    prefixes: Vec<Protected>,
}

#[derive(Debug)]
struct Protected {
    prefix: PathPrefix,
    /// Its segments, read as widely as a path's.
    segments: Vec<Vec<u8>>,
}

impl ProtectedPrefixes {
    /// Compiles the prefixes.
    #[must_use]
    pub fn new(prefixes: Vec<PathPrefix>) -> Self {
        let compile = |prefix: PathPrefix| {
            let segments = wide_segments(prefix.as_str())
                .map(Iterator::collect)
                .collect();
            Protected { prefix, segments }
        };
        Self {
            prefixes: prefixes.into_iter().map(compile).collect(),
        }
    }

    /// The prefix that protects `path` (a canonical path), if any does.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&PathPrefix> {
        self.prefixes
            .iter()
            .find(|protected| protected.covers(path))
            .map(|protected| &protected.prefix)
    }

    /// The prefixes, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &PathPrefix> {
        self.prefixes.iter().map(|protected| &protected.prefix)
    }
}

impl Protected {
    fn covers(&self, path: &str) -> bool {
        let mut of_path = wide_segments(path);
        self.segments.iter().all(|wanted| {
            of_path
                .next()
                .is_some_and(|segment| segment.eq(wanted.iter().copied()))
        })
    }
}

/// The segments of a path as the most lenient service would see them: decoded, in lower case, cut at
/// their parameters, encoded slashes taken for slashes, and what is empty then left out.
fn wide_segments(path: &str) -> impl Iterator<Item = impl Iterator<Item = u8> + '_> + '_ {
    let mut rest = Decoded {
        bytes: path.as_bytes(),
    };
    std::iter::from_fn(move || {
        loop {
            rest.clone().next()?;
            let segment = rest.clone();
            let mut empty = true;
            let mut cut = false;
            for byte in rest.by_ref() {
                match byte {
                    b'/' => break,
                    b';' => cut = true,
                    _ => empty = empty && cut,
                }
            }
            if !empty {
                return Some(segment.take_while(|b| !matches!(b, b'/' | b';')));
            }
        }
    })
}

/// A path's bytes, decoded and in lower case.
#[derive(Clone)]
struct Decoded<'p> {
    bytes: &'p [u8],
}

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let digit = |b: u8| {
            char::from(b)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let (byte, rest) = match self.bytes {
            [b'%', high, low, rest @ ..] => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, rest),
                _ => (b'%', &self.bytes[1..]),
            },
            [byte, rest @ ..] => (*byte, rest),
            [] => return None,
        };
        self.bytes = rest;
        Some(byte.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protects(prefix: &str, path: &str) -> bool {
        let prefixes = ProtectedPrefixes::new(vec![PathPrefix::parse(prefix).unwrap()]);
        prefixes.find(path).is_some()
    }

    #[test]
    fn spellings_that_some_service_takes_for_the_prefix_are_protected() {
        for path in [
            "/api/orders",
            "/api/orders/",
            "/api/orders/7",
            "/API/Orders",
            "/api;v=1/orders;x=/7",
            "/api%2Forders",
            "/api%2forders%2F7",
            "/%61pi/orders",
            "/api/order%53",
            "/;x/api/orders",
            "/api/;x/orders",
            "/api/orders%3Bx",
            "/api%2F%2Forders",
            "/api/orders;",
        ] {
            assert!(protects("/api/orders", path), "{path}");
        }
    }

    #[test]
    fn whole_segments_are_compared() {
        for path in [
            "/",
            "/api",
            "/api/order",
            "/api/orders-admin",
            "/api/ordersX",
            "/api/orders.json",
            "/x/api/orders",
            "/api/inventory/orders",
            "/apiorders",
            "/api/orders%20",
        ] {
            assert!(!protects("/api/orders", path), "{path}");
        }
        assert!(protects("/", "/") && protects("/", "/anything"));
        assert!(protects("/a%20b", "/A%20B/c") && !protects("/a%20b", "/a"));
    }

    #[test]
    fn nothing_is_protected_by_nothing() {
        assert!(ProtectedPrefixes::default().find("/api").is_none());
    }
}
