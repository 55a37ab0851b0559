//! The files that a configuration was read from, and places in them. A source's text is kept to
//! show lines of it beside a problem, so whatever is secret in it is struck out first.

use std::iter::repeat_n;
use std::ops::Range;

use memchr::memchr_iter;

/// Which of the sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SourceId(usize);

/// A place in a source: bytes from `start` to before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub source: SourceId,
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub(super) fn new(source: SourceId, range: Range<usize>) -> Self {
        Self {
            source,
            start: range.start,
            end: range.end,
        }
    }

    pub(super) fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A value, and where it was written. It may be a secret, so this has no `Debug`.
#[derive(Clone, Copy)]
pub(super) struct At<T> {
    pub value: T,
    pub span: Span,
}

/// A file's name, as the user knows it, and its text without secrets.
#[derive(Clone)]
pub(super) struct Source {
    pub name: String,
    text: String,
}

impl Source {
    /// The text as it may be shown: as long as the original, so that places are the same.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What stands at a place, as it may be shown.
    pub(super) fn at(&self, range: Range<usize>) -> &str {
        self.text.get(range).unwrap_or_default()
    }

    /// Line and column of a byte, both from 1; columns are characters.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset);
        let (lines, line) = self.lines(offset..offset);
        (line, self.text[lines.start..offset].chars().count() + 1)
    }

    /// The whole lines that a range is on, and the number of the first, from 1. The range has to be
    /// within the text and of whole characters.
    pub(super) fn lines(&self, range: Range<usize>) -> (Range<usize>, usize) {
        let (before, after) = (&self.text[..range.start], &self.text[range.end..]);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = after
            .find('\n')
            .map_or(self.text.len(), |newline| range.end + newline);
        let line = memchr_iter(b'\n', &before.as_bytes()[..start]).count() + 1;
        (start..end, line)
    }

    /// Strikes out what stands at a place, except for the names of variables.
    fn strike(&mut self, range: Range<usize>) {
        let Some(secret) = self.text.get(range.clone()) else {
            return;
        };
        let mut struck = String::with_capacity(secret.len());
        let mut rest = secret;
        while let Some(character) = rest.chars().next() {
            let name = variable(rest);
            let (piece, after) = rest.split_at(name.unwrap_or(character.len_utf8()));
            if name.is_some() || matches!(character, '\n' | '\r') {
                struck.push_str(piece);
            } else {
                // As many bytes as before, so that places stay the same.
                struck.extend(repeat_n('*', piece.len()));
            }
            rest = after;
        }
        self.text.replace_range(range, &struck);
    }
}

/// How long the `${NAME}` is that a text begins with. One with a default is none: the default may
/// be a secret.
fn variable(text: &str) -> Option<usize> {
    let name = text.strip_prefix("${")?.split_once('}')?.0;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(plain).then_some(name.len() + 3)
}

/// All files of one configuration.
#[derive(Clone, Default)]
pub(super) struct Sources {
    list: Vec<Source>,
}

impl Sources {
    /// Takes a source in. What stands before the `@` of a URL is struck out here, whether or not
    /// the text can be parsed.
    pub(super) fn add(&mut self, name: &str, text: &str) -> SourceId {
        let mut source = Source {
            name: name.to_owned(),
            text: text.to_owned(),
        };
        for range in userinfos(text) {
            source.strike(range);
        }
        self.list.push(source);
        SourceId(self.list.len() - 1)
    }

    /// The source that `id` stands for. It was given out by [`Sources::add`] of this very list.
    pub(super) fn get(&self, id: SourceId) -> &Source {
        &self.list[id.0]
    }

    /// Strikes out a secret.
    pub(super) fn strike(&mut self, span: Span) {
        self.list[span.source.0].strike(span.range());
    }

    /// What stands at a place, as it may be shown.
    pub(super) fn text(&self, span: Span) -> &str {
        self.get(span.source).at(span.range())
    }

    /// `file:line:column` of a place.
    pub(super) fn place(&self, span: Span) -> String {
        let source = self.get(span.source);
        let (line, column) = source.position(span.start);
        format!("{}:{line}:{column}", source.name)
    }
}

/// Where a text has credentials in URLs: between `://` and the last `@` of the URL.
fn userinfos(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(scheme_end) = text[from..].find("://") {
        let start = from + scheme_end + 3;
        let rest = &text[start..];
        // A password that was not escaped may hold any of `/?#`; only quotes and blanks end it.
        let end = rest
            .find(|c: char| c == '"' || c == '\'' || c == '`' || c.is_whitespace())
            .unwrap_or(rest.len());
        if let Some(at) = rest[..end].rfind('@') {
            found.push(start..start + at);
        }
        from = start + end;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_urls_are_struck_out_and_places_stay() {
        let text = "a = \"redis://user:pä/ss@host/1\"\nb = \"http://host/@x\" # c";
        let mut sources = Sources::default();
        let id = sources.add("x.toml", text);
        let shown = sources.get(id).text();
        assert_eq!(shown.len(), text.len());
        assert!(shown.starts_with("a = \"redis://***********@host/1\"\n"));
        assert!(!shown.contains("ss@"));
    }

    #[test]
    fn names_of_variables_stay() {
        let mut sources = Sources::default();
        let id = sources.add("x.toml", "\"redis://${USER}:a$b${C:-secret}@host\"");
        let shown = sources.get(id).text();
        assert_eq!(shown, "\"redis://${USER}****************@host\"");
    }

    #[test]
    fn positions_count_lines_and_characters() {
        let mut sources = Sources::default();
        let id = sources.add("x.toml", "ab\nä=1\n");
        let at = |offset| sources.get(id).position(offset);
        assert_eq!(at(0), (1, 1));
        assert_eq!(at(1), (1, 2));
        assert_eq!(at(3), (2, 1));
        assert_eq!(at(4), (2, 1));
        assert_eq!(at(5), (2, 2));
        assert_eq!(at(1000), (3, 1));
    }

    #[test]
    fn a_struck_place_is_as_long_as_before() {
        let mut sources = Sources::default();
        let id = sources.add("x.toml", "key = \"gehéim\" # x");
        let span = Span::new(id, 6..15);
        sources.strike(span);
        assert_eq!(sources.text(span), "*********");
        assert!(sources.get(id).text().ends_with(" # x"));
    }
}
