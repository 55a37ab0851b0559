//! The protected paths. A path that cannot be taken over would be open, so any doubt is a refusal.

use crate::import::draft::{Draft, Protected};
use crate::import::javascript::literal_list;
use crate::import::{ImportError, Notes, Source};

use super::canonical;

/// Adds the protected prefixes.
pub(super) fn read_protected(
    source: Source<'_>,
    draft: &mut Draft,
    notes: &mut Notes,
) -> Result<(), ImportError> {
    let list = literal_list(source.text)
        .map_err(|wrong| ImportError::unexpected(source.name, wrong.to_string()))?;
    if list.is_empty() {
        notes.differs(
            source.name,
            "the list is empty: nothing is protected, every path is open to everybody",
        );
    }
    for path in &list {
        if !is_plain(path) {
            let what = format!(
                "`{path}` is not a plain path, such as `/api/orders`; here a path protects all below it"
            );
            return Err(ImportError::unexpected(source.name, what));
        }
    }
    for path in &list {
        let entry = Protected {
            prefix: canonical(path),
            methods: Vec::new(),
        };
        if !draft.protected.contains(&entry) {
            draft.protected.push(entry);
        }
    }
    Ok(())
}

/// Whether the path means itself: patterns, parameters (`/:id`) and methods would match nothing here.
fn is_plain(path: &str) -> bool {
    let stem = path.strip_suffix("/*").unwrap_or(path);
    let is_pattern = |c: char| "*?()[]{}^$|\\#".contains(c) || c.is_whitespace();
    path.starts_with('/') && !stem.contains(is_pattern) && !stem.contains("/:")
}

#[cfg(test)]
mod tests {
    use crate::import::{Imported, node};

    use super::*;

    fn import(script: &str) -> Result<Imported, ImportError> {
        let source = |name, text| Source { name, text };
        let protected = Some(source("protectedRoutes.js", script));
        node(source("routes.json", "{}"), protected, None, None)
    }

    #[test]
    fn an_empty_list_is_said() {
        let imported = import("module.exports = []").expect("a list").good();
        assert_eq!(
            imported.differs,
            [
                "protectedRoutes.js: the list is empty: nothing is protected, every path is open to everybody"
            ]
        );
    }

    #[test]
    fn what_would_match_nothing_here_is_refused() {
        for path in [
            "POST",
            "api/orders",
            "GET /api/orders",
            "/api/:id/admin",
            "/api/*/admin",
            "/api/orders*",
            "^/api/orders",
            "/api/(a|b)",
            "http://localhost/api",
            "",
        ] {
            let wrong = import(&format!("module.exports = ['/a', '{path}']")).expect_err(path);
            let begun = format!("protectedRoutes.js: `{path}` is not a plain path");
            assert!(wrong.to_string().starts_with(&begun), "{wrong}");
        }
        for (path, prefix) in [
            ("/", "/"),
            ("/*", "/"),
            ("/api/*", "/api"),
            ("/a:b/", "/a:b"),
        ] {
            let imported = import(&format!("module.exports = ['{path}']"));
            let imported = imported.expect(path).good();
            let written = format!("protected = [\n    \"{prefix}\",\n]");
            assert!(imported.toml.contains(&written), "{}", imported.toml);
        }
    }
}
