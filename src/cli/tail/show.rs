//! A request as a line for people: the time, what came of it, who asked for what, and why it was refused.

use std::fmt::Write as _;

use serde_json::Value;

/// How lines are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct LineStyle {
    /// As they came.
    pub json: bool,
    /// With colours, for a terminal.
    pub colours: bool,
}

const GREY: &str = "\x1b[90m";
const BOLD: &str = "\x1b[1m";
const RESET: &str = "\x1b[0m";

impl LineStyle {
    /// An access line as it is printed, with its line break.
    pub(super) fn text(self, line: &str) -> String {
        let parsed = serde_json::from_str(line).ok();
        match parsed.filter(|_| !self.json) {
            Some(line) => self.for_people(&line),
            None => format!("{line}\n"),
        }
    }

    fn for_people(self, line: &Value) -> String {
        let text = |member: &str| line[member].as_str().map(plain);
        let mut out = String::new();
        // The day and the zone are the same for all that is seen live.
        let time = text("time").unwrap_or_default();
        let clock = time.get(11..23).unwrap_or(&time);
        self.put(&mut out, GREY, clock);
        out.push(' ');
        let status = line["status"].as_u64().unwrap_or(0);
        let colour = match status {
            0..300 => "\x1b[32m",
            300..400 => "\x1b[36m",
            400..500 => "\x1b[33m",
            _ => "\x1b[31m",
        };
        self.put(&mut out, colour, &status.to_string());
        let method = text("method").unwrap_or_else(|| "-".to_owned());
        let path = text("path").unwrap_or_else(|| "-".to_owned());
        let _ = write!(out, " {method} ");
        self.put(&mut out, BOLD, &path);
        let millis = line["duration_ms"].as_f64().unwrap_or(0.0);
        let _ = write!(out, " {millis:.1}ms");
        let kind = text("client_kind");
        let client = text("client").or(kind).unwrap_or_else(|| "-".to_owned());
        let address = text("ip").unwrap_or_default();
        let _ = write!(out, " {client}");
        self.put(&mut out, GREY, &format!(" {address}"));
        if let Some(endpoint) = text("endpoint") {
            let upstream = text("upstream").unwrap_or_default();
            self.put(&mut out, GREY, &format!(" > {upstream} {endpoint}"));
        }
        if let Some(code) = text("code") {
            out.push(' ');
            self.put(&mut out, colour, &code);
            if let Some(limit) = text("limit").filter(|_| status == 429) {
                let _ = write!(out, " limit={limit}");
            }
            if let Some(detail) = text("detail") {
                let _ = write!(out, ": {detail}");
            }
            let id = text("request_id").unwrap_or_default();
            self.put(&mut out, GREY, &format!(" id={id}"));
        }
        out.push('\n');
        out
    }

    fn put(self, out: &mut String, colour: &str, text: &str) {
        if self.colours {
            let _ = write!(out, "{colour}{text}{RESET}");
        } else {
            out.push_str(text);
        }
    }
}

/// A text without what a terminal would obey.
pub(super) fn plain(text: &str) -> String {
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"time":"2026-01-31T12:00:00.123Z","request_id":"r-1","client":"app","client_kind":"identified","ip":"10.0.0.1","method":"GET","path":"/api/orders","status":429,"code":"rate_limited","detail":"a\u001b[2Jb","limit":"gold","endpoint":null,"duration_ms":0.25}"#;

    #[test]
    fn a_refusal_says_why_and_nothing_that_a_terminal_obeys() {
        let shown = LineStyle {
            json: false,
            colours: false,
        };
        assert_eq!(
            shown.text(LINE),
            "12:00:00.123 429 GET /api/orders 0.2ms app 10.0.0.1 rate_limited limit=gold: a\u{fffd}[2Jb id=r-1\n"
        );
        let colours = LineStyle {
            colours: true,
            ..shown
        };
        assert!(colours.text(LINE).contains("\x1b[33m429\x1b[0m GET"));
    }

    #[test]
    fn in_json_a_line_stays_as_it_came() {
        let shown = LineStyle {
            json: true,
            colours: true,
        };
        assert_eq!(shown.text(LINE), format!("{LINE}\n"));
    }
}
