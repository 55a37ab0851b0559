//! Modules know only those further down: held by reading their `use crate::` lines, so that the
//! map in the crate's documentation stays true.

use std::fs;
use std::path::{Path, PathBuf};

/// From top to bottom. Modules of one layer may know each other.
const LAYERS: [&[&str]; 9] = [
    &["cli"],
    &["app", "import"],
    &["admin"],
    &["server", "config"],
    &["pipeline"],
    &["client", "route", "acme"],
    &["limit", "upstream"],
    &["wire"],
    &[
        "message",
        "metrics",
        "logging",
        "request_id",
        "breaker",
        "tls",
        "traces",
        "grpc",
        "protobuf",
        "shortage",
        "words",
        "seldom",
        "redacted",
        "lock",
        "memory",
    ],
];

#[test]
fn modules_know_only_those_further_down() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut violations = Vec::new();
    let mut uses = 0;
    for file in rust_files(&src) {
        let module = module_of(file.strip_prefix(&src).expect("under src"));
        if matches!(module.as_str(), "main" | "lib") {
            continue;
        }
        let own = layer(&module).unwrap_or_else(|| panic!("{module} has no place in LAYERS"));
        let text = fs::read_to_string(&file).expect("a source file");
        for (nth, used) in used_modules(&text) {
            uses += 1;
            if used != module && layer(&used).is_none_or(|layer| layer < own) {
                violations.push(format!("{}:{nth}: {module} uses {used}", file.display()));
            }
        }
    }
    assert!(
        uses > 50,
        "only {uses} uses were found: does this test still read the sources?"
    );
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn uses_are_found_however_they_are_written() {
    let text = "use crate::a::B;\n    pub use crate::c;\npub(crate) use crate::{\n    d::E,\n    f,\n};\nuse crate::{g, h::{I, j}};\nlet x = crate::k::L::m();\n";
    let found: Vec<_> = used_modules(text)
        .into_iter()
        .map(|(_, used)| used)
        .collect();
    assert_eq!(found, ["a", "c", "d", "f", "g", "h", "k"]);
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The top-level module that a file under `src` belongs to.
fn module_of(path: &Path) -> String {
    let first = path.components().next().expect("a path");
    first
        .as_os_str()
        .to_string_lossy()
        .trim_end_matches(".rs")
        .to_owned()
}

/// Every `crate::module` in a text with its line, comments left out.
fn used_modules(text: &str) -> Vec<(usize, String)> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n")
        .collect();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let nth = code[..at].matches('\n').count() + 1;
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(first_names(group).into_iter().map(|name| (nth, name))),
            None => found.push((nth, name(rest))),
        }
    }
    found.retain(|(_, name)| name.chars().next().is_some_and(char::is_lowercase));
    found
}

/// The first name of each item of a group whose brace is already open.
fn first_names(group: &str) -> Vec<String> {
    let (mut names, mut depth, mut fresh) = (Vec::new(), 0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && !c.is_whitespace() => {
                names.push(name(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

fn name(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let rust = files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "rs"));
    rust.chain(folders.iter().flat_map(|folder| rust_files(folder)))
        .collect()
}
