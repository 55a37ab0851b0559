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

/// Both ends of every range on the page are taken, and what is just beyond is not: of numbers, and of
/// sizes and durations, whose ends stand in what is said of them.
#[test]
fn documented_ranges_are_those_that_are_taken() {
    let (mut numbers, mut others) = (0, 0);
    for (path, row) in rows() {
        let cells: Vec<_> = row.splitn(4, " | ").collect();
        let [key, takes, _, about] = cells[..] else {
            continue;
        };
        let key = key.trim_matches(['|', '`', ' ']);
        let is_taken = |value: &str| {
            let said = read(&with(path, key, value)).map_err(|problems| problems.to_string());
            let refusal = format!("{key}` takes ");
            said.err().is_none_or(|said| !said.contains(&refusal))
        };
        let (good, bad) = if let Some((_, range)) = takes.split_once("a number from ") {
            numbers += 1;
            let (least, rest) = range.split_once(" to ").unwrap();
            let most = rest.split(',').next().unwrap();
            let beyond: [i128; 2] = [least, most].map(|end| end.parse().unwrap());
            let beyond = [beyond[0] - 1, beyond[1] + 1].map(|number| number.to_string());
            (vec![least.to_owned(), most.to_owned()], beyond.to_vec())
        } else if takes.contains("a size") || takes.contains("a duration") {
            let Some(ends) = ends(about) else { continue };
            others += 1;
            let quoted = |end: String| format!("\"{end}\"");
            let (least, most) = ends;
            let beyond = [least.map(|end| next(end, false)), Some(next(most, true))];
            let both = least.into_iter().chain([most]).map(str::to_owned);
            (
                both.map(quoted).collect(),
                beyond.into_iter().flatten().map(quoted).collect(),
            )
        } else {
            continue;
        };
        let wrong: Vec<_> = good.iter().filter(|value| !is_taken(value)).collect();
        assert!(wrong.is_empty(), "{path} {key}: {wrong:?} of {row}");
        let wrong: Vec<_> = bad.iter().filter(|value| is_taken(value)).collect();
        assert!(wrong.is_empty(), "{path} {key}: {wrong:?} of {row}");
    }
    assert!(numbers > 20 && others > 2, "{numbers} and {others} ranges");
}

/// The ends of a range of sizes or durations, the lower one if it is said: "from `1KiB` to `16MiB`",
/// "at most `10s`".
fn ends(about: &str) -> Option<(Option<&str>, &str)> {
    let quoted = |text: &'static str| {
        let (_, rest) = about.split_once(text)?;
        rest.split_once('`').map(|(end, _)| (end, rest))
    };
    if let Some((least, rest)) = quoted("from `") {
        let (_, most) = rest.split_once("` to `")?;
        return Some((Some(least), most.split_once('`')?.0));
    }
    quoted("at most `").map(|(most, _)| (None, most))
}

/// The size or duration just beyond the end of a range.
fn next(end: &str, up: bool) -> String {
    let (number, unit) = end.split_at(end.find(|c: char| !c.is_ascii_digit()).unwrap());
    let (factor, unit) = match unit {
        "KiB" => (1 << 10, "B"),
        "MiB" => (1 << 20, "B"),
        "s" => (1000, "ms"),
        "h" => (3_600_000, "ms"),
        unit => panic!("{unit}"),
    };
    let number = number.parse::<u64>().unwrap() * factor;
    let number = if up { number + 1 } else { number - 1 };
    format!("{number}{unit}")
}

/// The rows of all tables, each with the path of its table.
fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGE.split("<!-- keys: ").skip(1).flat_map(|piece| {
        let (path, rest) = piece.split_once(" -->\n").unwrap();
        let rows = rest.lines().take_while(|line| line.starts_with('|'));
        rows.map(move |row| (path, row))
    })
}

/// A configuration with that value in that place.
fn with(path: &str, key: &str, value: &str) -> String {
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
    format!("{table}{beside}{key} = {value}\n")
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
