//! Which line of an answer's head is malformed, for the log. Nothing is quoted but a field's name: what
//! is not a field may be anything.

use crate::message::bytes::TOKEN;

/// Names are shown up to this length.
const LONGEST_NAME: usize = 64;

/// The first line that is no field, or has a value that is none, as words; `None` if that is another's
/// fault. The status line is not looked at.
pub(super) fn faulty_line(head: &[u8]) -> Option<String> {
    let lines = head.split(|b| *b == b'\n').skip(1);
    for (line, number) in lines.zip(2..) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let Some(colon) = line.iter().position(|b| *b == b':') else {
            return Some(format!("line {number} has no colon"));
        };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        let name = name.trim_ascii_end();
        if name.is_empty() || !name.iter().all(|b| TOKEN.has(*b)) {
            return Some(format!("line {number}"));
        }
        if value.iter().any(|b| matches!(b, 0..=8 | 10..=0x1f | 0x7f)) {
            let shown = str::from_utf8(name)
                .ok()
                .filter(|it| it.len() <= LONGEST_NAME);
            return Some(match shown {
                Some(name) => format!("line {number}, the field `{name}`"),
                None => format!("line {number}"),
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_faulty_line_is_found() {
        for (lines, found) in [
            ("A: b\r\nC d: e\r\n", Some("line 3")),
            ("A: b\r\nc\r\n", Some("line 3 has no colon")),
            (": b\r\n", Some("line 2")),
            ("A: b\r\n c: d\r\n", Some("line 3")),
            ("A : b\r\nC: d\u{0}\r\n", Some("line 3, the field `C`")),
            ("A: b\rc\r\n", Some("line 2, the field `A`")),
            ("A: \u{fc}\tb\r\n", None),
            ("", None),
        ] {
            let head = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
            assert_eq!(faulty_line(head.as_bytes()).as_deref(), found, "{lines:?}");
        }
    }
}
