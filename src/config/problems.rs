//! What is wrong with a configuration: all of it at once, each problem with its file, line and
//! column, the offending text, and what would be right.

use std::fmt::{self, Write as _};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::disk::ReadFiles;
use super::source::{SourceId, Sources, Span};

/// So many problems are shown. With more than that, something else is wrong.
const MOST_SHOWN: usize = 50;

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    at: Option<Span>,
    message: String,
    label: String,
    also: Vec<(Span, String)>,
    help: Option<String>,
}

impl Problem {
    /// A problem at a place.
    pub(super) fn at(span: Span, message: impl Into<String>) -> Self {
        Self {
            at: Some(span),
            ..Self::without_place(message)
        }
    }

    /// A problem that has no place, such as a file that is not there.
    pub(super) fn without_place(message: impl Into<String>) -> Self {
        Self {
            at: None,
            message: message.into(),
            label: String::new(),
            also: Vec::new(),
            help: None,
        }
    }

    /// What is said beside the caret.
    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Another place that is part of the problem.
    pub(super) fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.also.push((span, label.into()));
        self
    }

    /// What to do about it.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Everything that is wrong with a configuration, ready to be shown.
#[derive(Default)]
pub struct Problems {
    pub(super) sources: Sources,
    pub(super) files: ReadFiles,
    list: Vec<Problem>,
}

impl Problems {
    /// Notes a problem.
    pub(super) fn add(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    /// The files that were read: one of them has to change before all is well.
    #[must_use]
    pub fn files(&self) -> &ReadFiles {
        &self.files
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The problems as text for a reader, in the order of their places.
    #[must_use]
    pub fn render(&self, colours: bool) -> String {
        let renderer = if colours {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let mut list: Vec<&Problem> = self.list.iter().collect();
        list.sort_by_key(|problem| problem.at.map(|span| (span.source, span.start)));
        let mut text = String::new();
        for problem in list.iter().take(MOST_SHOWN) {
            text.push_str(&renderer.render(&[self.group(problem)]));
            text.push_str("\n\n");
        }
        let rest = list.len().saturating_sub(MOST_SHOWN);
        if rest > 0 {
            let _ = write!(text, "... and {rest} more\n\n");
        }
        let ending = if list.len() == 1 { "" } else { "s" };
        let _ = writeln!(text, "{} problem{ending}", list.len());
        text
    }

    fn group<'p>(&'p self, problem: &'p Problem) -> Group<'p> {
        let mut group = Group::with_title(Level::ERROR.primary_title(&problem.message));
        if let Some(at) = problem.at {
            let mut annotations = vec![(at, problem.label.as_str(), AnnotationKind::Primary)];
            for (span, label) in &problem.also {
                annotations.push((*span, label, AnnotationKind::Context));
            }
            group = self.with_snippet(group, at.source, &annotations);
            for (span, label) in &problem.also {
                if span.source != at.source {
                    let place = self.sources.place(*span);
                    group = group.element(Level::NOTE.message(format!("{label}: {place}")));
                }
            }
        }
        if let Some(help) = &problem.help {
            group = group.element(Level::HELP.message(help));
        }
        group
    }

    fn with_snippet<'p>(
        &'p self,
        group: Group<'p>,
        id: SourceId,
        annotations: &[(Span, &'p str, AnnotationKind)],
    ) -> Group<'p> {
        let source = self.sources.get(id);
        let text = source.text();
        let mut snippet = Snippet::source(text).path(&source.name);
        for (span, label, kind) in annotations {
            if span.source == id {
                let label = Some(*label).filter(|label| !label.is_empty());
                snippet = snippet.annotation((*kind).span(within(text, *span)).label(label));
            }
        }
        group.element(snippet)
    }
}

/// The part of a place that is on its first line and within the text: a table's place may be all
/// of its lines, and one of them is enough to find it.
fn within(text: &str, span: Span) -> std::ops::Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let line = text[start..end].find(['\n', '\r']).unwrap_or(end - start);
    start..start + line
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.list.iter().map(|problem| &problem.message))
            .finish()
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_shown_in_the_order_of_their_places() {
        let mut problems = Problems::default();
        let id = problems.sources.add("x.toml", "one = 1\ntwo = 2\n");
        problems.add(Problem::at(Span::new(id, 8..11), "second").label("here"));
        problems.add(Problem::at(Span::new(id, 0..3), "first").help("do this"));
        problems.add(Problem::without_place("none"));
        let expected = "\
error: none

error: first
 --> x.toml:1:1
  |
1 | one = 1
  | ^^^
  |
  = help: do this

error: second
 --> x.toml:2:1
  |
2 | two = 2
  | ^^^ here

3 problems
";
        assert_eq!(problems.to_string(), expected);
        assert!(problems.render(true).contains("\u{1b}["));
    }

    #[test]
    fn of_very_many_problems_the_first_are_shown() {
        let mut problems = Problems::default();
        for _ in 0..60 {
            problems.add(Problem::without_place("wrong"));
        }
        let text = problems.to_string();
        assert_eq!(text.matches("error: wrong").count(), 50);
        assert!(
            text.ends_with("\n... and 10 more\n\n60 problems\n"),
            "{text}"
        );
    }

    #[test]
    fn any_place_can_be_shown() {
        let mut problems = Problems::default();
        let text = "ä = 1\r\n\n";
        let id = problems.sources.add("x.toml", text);
        for start in 0..12 {
            for end in start..12 {
                problems.add(Problem::at(Span::new(id, start..end), "wrong"));
            }
        }
        let _ = problems.render(false);
    }
}
