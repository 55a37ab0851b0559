//! The files that a configuration was read from, and places in them. A source's text is kept to
//! show lines of it beside a problem, except for those that may hold a secret.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use memchr::memchr_iter;

use crate::message::own_keys;

/// Which of the sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SourceId(u16);

/// A place in a source: bytes from `start` to before `end`. There may be as many as there are clients'
/// keys, so it is small: no file is larger than 16 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Span {
    pub source: SourceId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// Of what nobody has written.
    pub(super) const NOWHERE: Self = Self {
        source: SourceId(0),
        start: 0,
        end: 0,
    };

    pub(super) fn new(source: SourceId, range: Range<usize>) -> Self {
        let [start, end] = [range.start, range.end].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        Self { source, start, end }
    }

    /// Its bytes.
    pub(super) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Whether another place lies within this one.
    pub(super) fn holds(self, other: Self) -> bool {
        self.source == other.source && self.start <= other.start && other.end <= self.end
    }
}

/// A value, and where it was written. It may be a secret, so this has no `Debug`.
#[derive(Clone, Copy)]
pub(super) struct At<T> {
    pub value: T,
    pub span: Span,
}

impl<T> Deref for At<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> At<T> {
    /// The same, lent.
    pub(super) fn lent(&self) -> At<&T> {
        At {
            value: &self.value,
            span: self.span,
        }
    }
}

impl<T> At<Option<T>> {
    /// The value, if there is one.
    pub(super) fn written(&self) -> Option<At<&T>> {
        let value = self.value.as_ref()?;
        Some(At {
            value,
            span: self.span,
        })
    }
}

/// A file's name, as the user knows it, and its text.
#[derive(Clone)]
pub(super) struct Source {
    pub name: String,
    text: Arc<str>,
    hidden: Vec<Range<usize>>,
}

impl Source {
    /// The lines that a range is on and the number of the first, if they may be shown.
    pub(super) fn shown_lines(&self, range: Range<usize>) -> Option<(&str, Range<usize>, usize)> {
        let (lines, first) = self.lines(range);
        let meets = |hidden: &Range<usize>| hidden.start <= lines.end && lines.start <= hidden.end;
        let is_hidden = self.hidden.iter().any(meets);
        (!is_hidden).then(|| (&self.text[lines.clone()], lines, first))
    }

    /// The part of a place that is within the text and on its first line: a table's place may be all
    /// of its lines, and one of them is enough to find it.
    pub(super) fn first_line(&self, span: Span) -> Range<usize> {
        let start = self.text.floor_char_boundary(span.range().start);
        let end = self.text.floor_char_boundary(span.range().end.max(start));
        let line = self.text[start..end].find(['\n', '\r']);
        start..line.map_or(end, |line| start + line)
    }

    /// Line and column of a byte, both from 1; columns are characters.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset);
        let (lines, line) = self.lines(offset..offset);
        (line, self.text[lines.start..offset].chars().count() + 1)
    }

    /// The whole lines that a range is on, and the number of the first, from 1. The range has to be
    /// within the text and of whole characters.
    fn lines(&self, range: Range<usize>) -> (Range<usize>, usize) {
        let (before, after) = (&self.text[..range.start], &self.text[range.end..]);
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let end = after
            .find('\n')
            .map_or(self.text.len(), |newline| range.end + newline);
        let line = memchr_iter(b'\n', &before.as_bytes()[..start]).count() + 1;
        (start..end, line)
    }
}

/// All files of one configuration.
#[derive(Clone, Default)]
pub(super) struct Sources {
    list: Vec<Source>,
}

/// Their names; what is in them may be secret.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.list.iter().map(|source| &source.name);
        f.debug_list().entries(names).finish()
    }
}

impl Sources {
    /// Takes a source in. Lines with a key in them are not shown.
    pub(super) fn add(&mut self, name: &str, text: &str) -> SourceId {
        self.list.push(Source {
            name: name.to_owned(),
            text: text.into(),
            hidden: own_keys::find_all(text.as_bytes()).collect(),
        });
        SourceId(u16::try_from(self.list.len() - 1).unwrap_or(u16::MAX))
    }

    /// The source that `id` stands for. It was given out by [`Sources::add`] of this very list.
    pub(super) fn get(&self, id: SourceId) -> &Source {
        &self.list[usize::from(id.0)]
    }

    /// From now on the lines of this place are not shown.
    pub(super) fn hide(&mut self, span: Span) {
        self.list[usize::from(span.source.0)]
            .hidden
            .push(span.range());
    }

    /// From now on no line of this source is shown.
    pub(super) fn hide_all(&mut self, id: SourceId) {
        self.list[usize::from(id.0)].hidden.push(0..usize::MAX);
    }

    /// What stands at a place.
    pub(super) fn text(&self, span: Span) -> &str {
        let text = &self.get(span.source).text;
        text.get(span.range()).unwrap_or_default()
    }

    /// What stands from the beginning of a place on.
    pub(super) fn text_from(&self, span: Span) -> &str {
        let text = &self.get(span.source).text;
        text.get(span.range().start..).unwrap_or_default()
    }

    /// The line of a place up to its end, and what follows.
    pub(super) fn line_until(&self, span: Span) -> (&str, &str) {
        let text = &self.get(span.source).text;
        let (before, after) = text.split_at_checked(span.range().end).unwrap_or_default();
        (before.rsplit('\n').next().unwrap_or_default(), after)
    }

    /// The name of each and its text, as it was read.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, Arc<str>)> {
        let sources = self.list.iter();
        sources.map(|source| (&*source.name, Arc::clone(&source.text)))
    }

    /// `file:line:column` of a place.
    pub(super) fn place(&self, span: Span) -> String {
        let source = self.get(span.source);
        let (line, column) = source.position(span.range().start);
        format!("{}:{line}:{column}", source.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn lines_with_something_hidden_are_not_shown() {
        let mut sources = Sources::default();
        let id = sources.add("x.toml", "a = 1\nb = 2\nc = 3\n");
        let shown = |sources: &Sources, range| {
            let lines = sources.get(id).shown_lines(range);
            lines.map(|(text, ..)| text.to_owned())
        };
        sources.hide(Span::new(id, 10..11));
        assert_eq!(shown(&sources, 0..1).as_deref(), Some("a = 1"));
        assert_eq!(shown(&sources, 6..7), None);
        assert_eq!(shown(&sources, 0..13), None);
        assert_eq!(shown(&sources, 12..13).as_deref(), Some("c = 3"));
        sources.hide_all(id);
        assert_eq!(shown(&sources, 12..13), None);
    }
}
