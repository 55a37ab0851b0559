//! The protected prefixes. They compare wider than routes on purpose: whichever way a service reads
//! a path, an anonymous caller must not reach a protected one. Letter case, `;parameters`, escapes
//! and encoded slashes make no difference here.

use crate::message::escapes::{Decoded, DecodedByte};

use super::PathPrefix;

/// Path prefixes that need an identified client.
#[derive(Debug, Default)]
pub struct ProtectedPrefixes {
    prefixes: Vec<PathPrefix>,
    /// The same, as they are compared, in the order of their bytes.
    wide: Vec<WidePrefix>,
}

#[derive(Debug)]
struct WidePrefix {
    /// A wide reading: `/a/b`, or nothing when everything is protected.
    text: Vec<u8>,
    /// Which of the prefixes it is.
    prefix: usize,
}

impl ProtectedPrefixes {
    /// Compiles the prefixes.
    #[must_use]
    pub fn new(prefixes: Vec<PathPrefix>) -> Self {
        let read = |(prefix, text): (usize, &PathPrefix)| WidePrefix {
            text: WideReading::new(text.as_str(), usize::MAX).collect(),
            prefix,
        };
        let mut wide: Vec<_> = prefixes.iter().enumerate().map(read).collect();
        wide.sort_by(|a, b| a.text.cmp(&b.text).then(a.prefix.cmp(&b.prefix)));
        Self { prefixes, wide }
    }

    /// The prefix that protects `path` (a canonical path), if any does: the shortest of several.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&PathPrefix> {
        if self.wide.is_empty() {
            return None;
        }
        // Where nothing is encoded, all readings are one.
        let readings = if path.contains('%') {
            &READINGS[..]
        } else {
            &READINGS[..1]
        };
        let read = |layers: &usize| self.search(WideReading::new(path, *layers));
        readings.iter().find_map(read)
    }

    /// The prefixes, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &PathPrefix> {
        self.prefixes.iter()
    }

    /// Walks a reading and the sorted prefixes at once, so that a long path costs no more with many
    /// prefixes, and stops where none begins like it.
    fn search(&self, reading: WideReading<'_>) -> Option<&PathPrefix> {
        let mut candidates = &self.wide[..];
        let mut bytes = reading;
        for depth in 0.. {
            let next = bytes.next();
            // In the order of bytes, what ends here comes first.
            let first = candidates.first()?;
            if first.text.len() == depth && matches!(next, None | Some(b'/')) {
                return self.prefixes.get(first.prefix);
            }
            let next = next?;
            let at_depth = |wide: &WidePrefix| wide.text.get(depth).copied();
            let from = candidates.partition_point(|wide| at_depth(wide) < Some(next));
            let to = candidates.partition_point(|wide| at_depth(wide) <= Some(next));
            candidates = candidates.get(from..to)?;
        }
        None
    }
}

/// How often services decode a path before they cut parameters off: as often as they can, never
/// (servlet containers), and once. It decides where parameters end: `/api;%2Fx/orders` is
/// `/api/x/orders` or `/api/orders`.
const READINGS: [usize; 3] = [usize::MAX, 0, 1];

/// The bytes of a path as the most lenient service would see them: decoded, in lower case, without
/// parameters, encoded slashes taken for slashes, empty segments left out, no slash at the end.
#[derive(Debug)]
struct WideReading<'p> {
    bytes: Decoded<'p>,
    /// Parameters end at a slash that is not encoded more often than that.
    layers: usize,
    /// Inside of parameters.
    cutting: bool,
    /// A slash was met; it is told when a segment follows.
    slash: bool,
    /// The byte after the slash that was told.
    held: Option<u8>,
}

impl<'p> WideReading<'p> {
    fn new(path: &'p str, layers: usize) -> Self {
        Self {
            bytes: Decoded::new(path),
            layers,
            cutting: false,
            slash: false,
            held: None,
        }
    }
}

impl Iterator for WideReading<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if let Some(held) = self.held.take() {
            return Some(held);
        }
        loop {
            let DecodedByte { byte, layers } = self.bytes.next()?;
            match byte {
                b'/' if !self.cutting || layers <= self.layers => {
                    self.slash = true;
                    self.cutting = false;
                }
                // Only a backslash that was encoded twice gets here; once is refused.
                b'\\' if !self.cutting => self.slash = true,
                b';' => self.cutting = true,
                _ if self.cutting => {}
                byte => {
                    let byte = byte.to_ascii_lowercase();
                    if !std::mem::take(&mut self.slash) {
                        return Some(byte);
                    }
                    self.held = Some(byte);
                    return Some(b'/');
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::lenient_servers::{SERVICES, segments};
    use crate::message::path::RequestPath;

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
            "/api;%2Fx/orders",
            "/api;%2Fx%2Fy/orders/7",
            "/api%3B%2Fx/orders",
            "/api;x%2Forders",
            "/api%252Forders",
            "/api/order%2573",
            "/api%255Corders",
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
            "/api/;orders",
            "/api;/x/orders",
        ] {
            assert!(!protects("/api/orders", path), "{path}");
        }
        assert!(protects("/", "/") && protects("/", "/anything"));
        assert!(protects("/a%20b", "/A%20B/c") && !protects("/a%20b", "/a"));
    }

    #[test]
    fn the_shortest_of_several_is_told() {
        let texts = ["/b/c", "/b", "/a", "/b-c", "/b/c/d"];
        let parse = |text: &&str| PathPrefix::parse(text).unwrap();
        let prefixes = ProtectedPrefixes::new(texts.iter().map(parse).collect());
        assert!(prefixes.iter().map(PathPrefix::as_str).eq(texts));
        for (path, wanted) in [
            ("/b/c/d", Some("/b")),
            ("/B", Some("/b")),
            ("/b-c/x", Some("/b-c")),
            ("/a/b", Some("/a")),
            ("/b-", None),
            ("/c", None),
            ("/", None),
        ] {
            let found = prefixes.find(path).map(PathPrefix::as_str);
            assert_eq!(found, wanted, "{path}");
        }
    }

    #[test]
    fn nothing_is_protected_by_nothing() {
        assert!(ProtectedPrefixes::default().find("/api").is_none());
    }

    /// Paths made of what attackers make them of.
    fn hostile() -> impl Strategy<Value = String> {
        let pieces = [
            "/",
            "/",
            "/",
            "api",
            "API",
            "api",
            "orders",
            "%6Frders",
            "Order%73",
            "order%2573",
            ";",
            ";",
            "%3b",
            "%2f",
            "%2f",
            "%252F",
            "%255c",
            "x",
            "..",
            "%20",
            "%25",
        ];
        prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..10)
            .prop_map(|pieces| format!("/{}", pieces.concat()))
    }

    proptest! {
        #[test]
        fn no_service_is_reached_around_protection(path in hostile()) {
            let Ok(canonical) = RequestPath::parse(path.as_bytes()) else {
                return Ok(());
            };
            let path = canonical.as_str();
            for prefix in ["/api", "/api/orders", "/api/orders/x"] {
                let wanted = segments(prefix, &[]);
                for service in SERVICES {
                    let seen = segments(&path.to_ascii_lowercase(), service);
                    let mut seen = seen.iter().map(|segment| segment.to_ascii_lowercase());
                    if wanted.iter().all(|wanted| seen.next().as_ref() == Some(wanted)) {
                        prop_assert!(
                            protects(prefix, path),
                            "{path} reaches {prefix}, read by {service:?}"
                        );
                    }
                }
            }
        }

        #[test]
        fn many_prefixes_protect_what_each_protects(path in hostile()) {
            let texts = ["/api", "/api/orders", "/x", "/orders/x", "/api%20"];
            let parse = |text: &&str| PathPrefix::parse(text).unwrap();
            let prefixes = ProtectedPrefixes::new(texts.iter().map(parse).collect());
            if let Ok(path) = RequestPath::parse(path.as_bytes()) {
                let any = texts.iter().any(|prefix| protects(prefix, path.as_str()));
                prop_assert_eq!(prefixes.find(path.as_str()).is_some(), any);
            }
        }
    }
}
