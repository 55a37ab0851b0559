//! The documentation: its tables are those of the declared keys, and its examples load.

use std::fmt::Write as _;

use super::*;
use crate::config::keys::{Key, Shown};

const PAGE: &str = include_str!("../../../docs/configuration.md");

const FAILING: &str = include_str!("../../../docs/failing-services.md");

const TRACES: &str = include_str!("../../../docs/traces.md");

/// The TOML examples of the pages.
pub(super) fn examples() -> Vec<&'static str> {
    [PAGE, FAILING, TRACES]
        .into_iter()
        .flat_map(of_page)
        .collect()
}

/// Those of one page.
pub(super) fn of_page(page: &str) -> impl Iterator<Item = &str> {
    let examples = page.split("```toml\n").skip(1);
    examples.filter_map(|rest| rest.split("```").next())
}

/// Fails if a file of the repository is not like this, and writes it anew.
pub(super) fn assert_up_to_date(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::fs::read_to_string(&path).is_ok_and(|now| now == text) {
        return;
    }
    std::fs::write(&path, text).unwrap();
    panic!("{name} was not up to date, and has been written anew: look at it and commit it");
}

#[test]
fn every_example_loads() {
    let examples = examples();
    assert!(examples.len() > 8);
    for example in examples {
        if let Err(problems) = read(example) {
            panic!("{example}\n{problems}");
        }
    }
}

#[test]
fn the_first_problem_shown_is_what_is_said() {
    let shown = "error: unknown key `protcted`\n --> tollgate.toml:8:1\n";
    let text = "\n\n\n\n\n\n[access]\nprotcted = [\"/api/orders\"]\n";
    let said = complaints(text);
    assert!(said.starts_with(shown));
    for line in said.lines().take(5) {
        assert!(PAGE.contains(&format!("    {line}\n")), "{line:?}");
    }
}

/// Each table of keys stands below a line `<!-- keys: PATH -->`.
#[test]
fn the_tables_are_those_of_the_declared_keys() {
    let tables = crate::config::tables();
    let mut page = String::new();
    let mut missing: Vec<&str> = tables.iter().map(|table| table.path.as_str()).collect();
    for (index, piece) in PAGE.split("<!-- keys: ").enumerate() {
        if index == 0 {
            page.push_str(piece);
            continue;
        }
        let (path, rest) = piece.split_once(" -->\n").unwrap();
        let is_row = |line: &&str| line.starts_with('|');
        let rows: usize = rest
            .split_inclusive('\n')
            .take_while(is_row)
            .map(str::len)
            .sum();
        let after = &rest[rows..];
        let name = if path == "the file" { "" } else { path };
        let keys = &tables.iter().find(|it| it.path == name).expect(path).keys;
        missing.retain(|path| *path != name);
        let _ = write!(page, "<!-- keys: {path} -->\n{}{after}", table(keys));
    }
    // These have the keys of others that are documented.
    let same = [
        "routes.PREFIX",
        "routes.PREFIX.cors",
        "routes.PREFIX.redirect",
        "routes.PREFIX.respond",
        "routes.PREFIX.request_headers",
        "routes.PREFIX.response_headers",
        "route.cors",
        "route.response_headers",
        "upstream_defaults",
        "upstream_defaults.health",
        "upstream_defaults.breaker",
        "upstream_defaults.retry",
        "upstream_defaults.retry.budget",
        "upstream_defaults.tls",
        "limits.identified",
        "limits.invalid_keys",
        "limits.tiers.NAME",
    ];
    missing.retain(|path| !same.contains(path));
    assert_eq!(missing, [""; 0], "tables without a place on the page");
    assert_up_to_date("docs/configuration.md", &page);
}

/// Both ends of every range of numbers on the page are taken, and what is just beyond is not.
#[test]
fn documented_ranges_are_those_that_are_taken() {
    let mut checked = 0;
    for (path, row) in rows() {
        let cells: Vec<_> = row.split(" | ").collect();
        let ([key, takes, ..], true) = (&cells[..], row.contains("| a number from ")) else {
            continue;
        };
        let key = key.trim_matches(['|', '`', ' ']);
        let range = takes.strip_prefix("a number from ").unwrap();
        let (least, most) = range.split_once(" to ").unwrap();
        let most = most.trim_end_matches(", or `\"off\"`");
        let (least, most): (i128, i128) = (least.parse().unwrap(), most.parse().unwrap());
        let is_taken = |number: i128| {
            let said = read(&with(path, key, number)).map_err(|problems| problems.to_string());
            said.err()
                .is_none_or(|said| !said.contains("takes a number"))
        };
        assert!(is_taken(least) && is_taken(most), "{path} {key}: {row}");
        assert!(
            !is_taken(least - 1) && !is_taken(most + 1),
            "{path} {key}: {row}"
        );
        checked += 1;
    }
    assert!(checked > 8, "the page has ranges");
}

/// The rows of all tables, each with the path of its table.
fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGE.split("<!-- keys: ").skip(1).flat_map(|piece| {
        let (path, rest) = piece.split_once(" -->\n").unwrap();
        let rows = rest.lines().take_while(|line| line.starts_with('|'));
        rows.map(move |row| (path, row))
    })
}

/// A configuration with a number in that place.
fn with(path: &str, key: &str, number: i128) -> String {
    let beside = match path {
        "route" => "prefix = \"/x\"\nupstream = \"http://x\"\n",
        "upstreams.NAME" => "endpoints = \"http://x\"\n",
        _ if path.starts_with("limits.") && key == "requests" => "per = \"1s\"\n",
        _ if path.starts_with("limits.") => {
            "requests = 1\nper = \"1s\"\nalgorithm = \"token-bucket\"\n"
        }
        _ => "",
    };
    let table = match path {
        "the file" => String::new(),
        "route" => "[[route]]\n".to_owned(),
        path => format!("[{path}]\n"),
    };
    format!("{table}{beside}{key} = {number}\n")
}

fn table(keys: &[Key]) -> String {
    let mut text = "| key | takes | default | |\n|---|---|---|---|\n".to_owned();
    for key in keys {
        let default = match &key.default {
            None => "required".to_owned(),
            Some(Shown::None) => "none".to_owned(),
            Some(Shown::Table(_)) => String::new(),
            Some(shown) => match &shown.json() {
                serde_json::Value::Array(list) if list.len() == 1 => format!("`{}`", list[0]),
                json => format!("`{json}`"),
            },
        };
        let about = key.about();
        let restart = if key.needs_restart { " *Restart.*" } else { "" };
        let takes = in_code(&(key.form)().takes);
        let _ = writeln!(
            text,
            "| `{}` | {takes} | {default} | {about}{restart} |",
            key.name
        );
    }
    text
}

/// Quoted words in the type of code.
fn in_code(text: &str) -> String {
    let mut open = false;
    let piece = |c: char| match c {
        '"' => {
            open = !open;
            if open {
                "`\"".to_owned()
            } else {
                "\"`".to_owned()
            }
        }
        c => c.to_string(),
    };
    text.chars().map(piece).collect()
}
