//! The picture of the benchmarks is drawn from the tables of the page, so that it shows what was
//! measured; what README.md says of them stands there as well.

use std::fmt::Write as _;
use std::path::Path;

const PAGE: &str = include_str!("../../docs/benchmarks.md");
const README: &str = include_str!("../../README.md");

/// Pixels: the column of names, a row, and a microsecond.
const NAMES: f64 = 240.0;
const ROW: f64 = 26.0;
const MICROSECOND: f64 = 2.0;

const STYLE: &str = "\
text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 } .user { fill: #1f6feb } .system { fill: #79b8ff } \
@media (prefers-color-scheme: dark) { text { fill: #d0d7de } }";

/// A row of the tables: CPU time of a request in microseconds.
struct Measured<'p> {
    proxy: &'p str,
    /// As it is written.
    total: &'p str,
    user: f64,
    system: f64,
}

fn measured(page: &str) -> Vec<Measured<'_>> {
    // What TLS costs stands below, and is not in the picture.
    let (page, _) = page.split_once("\n## TLS\n").expect("a section on TLS");
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, proxy, total, user, system, ..] = cells[..] else {
            return None;
        };
        let _: f64 = total.parse().ok()?;
        Some(Measured {
            proxy,
            total,
            user: user.parse().ok()?,
            system: system.parse().ok()?,
        })
    });
    rows.collect()
}

fn picture(rows: &[Measured<'_>]) -> String {
    let longest = rows
        .iter()
        .map(|row| row.user + row.system)
        .fold(0.0, f64::max);
    let width = NAMES + longest * MICROSECOND + 60.0;
    let lines = u32::try_from(rows.len()).expect("a few rows");
    let height = 40.0 + f64::from(lines) * ROW;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">\n\
         <style>{STYLE}</style>\n\
         <text class=\"title\" x=\"8\" y=\"20\">CPU time of a request in µs, less is better: \
         <tspan class=\"user\">user</tspan>, <tspan class=\"system\">system</tspan></text>\n"
    );
    for (row, top) in rows
        .iter()
        .zip((0..).map(|nth| 34.0 + f64::from(nth) * ROW))
    {
        let (baseline, from) = (top + 14.0, NAMES + row.user * MICROSECOND);
        let to = from + row.system * MICROSECOND;
        let name = row
            .proxy
            .replace('`', "")
            .replace('&', "&amp;")
            .replace('<', "&lt;");
        writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{baseline:.0}\" text-anchor=\"end\">{name}</text>\
             <rect class=\"user\" x=\"{NAMES:.1}\" y=\"{top:.0}\" width=\"{:.1}\" height=\"18\"/>\
             <rect class=\"system\" x=\"{from:.1}\" y=\"{top:.0}\" width=\"{:.1}\" height=\"18\"/>\
             <text x=\"{:.1}\" y=\"{baseline:.0}\">{}</text>",
            NAMES - 8.0,
            row.user * MICROSECOND,
            row.system * MICROSECOND,
            to + 6.0,
            row.total,
        )
        .expect("writing to a string never fails");
    }
    svg.push_str("</svg>\n");
    svg
}

#[test]
fn the_picture_shows_what_the_tables_say() {
    let rows = measured(PAGE);
    assert_eq!(rows.len(), 7);
    let (path, svg) = (
        Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/benchmarks.svg"),
        picture(&rows),
    );
    if !std::fs::read_to_string(&path).is_ok_and(|now| now == svg) {
        std::fs::write(&path, svg).expect("write the picture");
        panic!(
            "docs/benchmarks.svg was not up to date, and has been drawn anew: look at it and commit it"
        );
    }
}

#[test]
fn the_readme_says_what_was_measured() {
    for Measured { proxy, total, .. } in measured(PAGE) {
        // The one that is not the default is for the page.
        let is_said = README.contains(&format!(" {total}"));
        assert!(is_said || proxy.contains("lease"), "{proxy}: {total}");
    }
}
