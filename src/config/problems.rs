//! What is wrong with a configuration: all of it at once, each problem with its file, line and
//! column, the offending text, and what would be right.

use std::fmt::{self, Write as _};

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::credentials::without_credentials;
use super::disk::ReadFiles;
use super::finding::{Finding, Severity};
use super::origin::ValueOrigin;
use super::settings::LogFormat;
use super::source::{Sources, Span};

/// So many problems are shown. With more than that, something else is wrong.
pub(super) const MOST_SHOWN: usize = 50;

/// Two places that are so many bytes apart are not shown in one piece of the file.
const FAR: u32 = 16 * 1024;

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub at: Option<Span>,
    pub message: String,
    pub label: String,
    pub also: Vec<(Span, String)>,
    pub help: Option<String>,
}

impl Problem {
    /// A problem at a place.
    pub(super) fn at(span: Span, message: impl Into<String>) -> Self {
        Self {
            at: Some(span),
            ..Self::without_place(message)
        }
    }

    /// Something that is given a second time.
    pub(super) fn given_twice(what: &str, first: Span, again: Span) -> Self {
        Self::at(again, format!("{what} is given twice"))
            .label("given again here")
            .also(first, "first given here")
    }

    /// A problem that has no place, such as a file that is not there.
    pub(super) fn without_place(message: impl Into<String>) -> Self {
        Self {
            at: None,
            message: without_credentials(message.into()),
            label: String::new(),
            also: Vec::new(),
            help: None,
        }
    }

    /// What is said beside the caret.
    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = without_credentials(label.into());
        self
    }

    /// Another place that is part of the problem.
    pub(super) fn also(mut self, span: Span, label: impl Into<String>) -> Self {
        self.also.push((span, without_credentials(label.into())));
        self
    }

    /// What to do about it.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(without_credentials(help.into()));
        self
    }

    fn hide(&mut self, origin: &ValueOrigin) {
        let labels = self.also.iter_mut().map(|(_, label)| label);
        let texts = [&mut self.message, &mut self.label].into_iter();
        let texts = texts.chain(labels).chain(&mut self.help);
        texts.for_each(|text| origin.hide(text));
    }
}

/// Everything that is wrong with a configuration, ready to be shown.
#[derive(Default)]
pub struct Problems {
    pub(super) sources: Sources,
    pub(super) files: ReadFiles,
    pub(super) log_format: LogFormat,
    /// Values that come from the environment.
    origins: Vec<ValueOrigin>,
    /// Where only the first problem is noted.
    once: Box<[Span]>,
    list: Vec<Problem>,
}

impl Problems {
    /// Notes a problem.
    pub(super) fn add(&mut self, mut problem: Problem) {
        if let Some(at) = problem.at
            && self.once.iter().any(|place| place.holds(at))
            && self.list.iter().any(|noted| noted.at == Some(at))
        {
            return;
        }
        let origins = || self.origins.iter();
        for (place, _) in problem.also.clone() {
            origins()
                .filter(|origin| origin.span.holds(place))
                .for_each(|origin| problem.hide(origin));
        }
        let origin = |at: Span| origins().find(|origin| origin.span.holds(at));
        if let Some(origin) = problem.at.and_then(origin) {
            problem.hide(origin);
            let said = &origin.said;
            problem.help = Some(match problem.help {
                Some(help) => format!("{help}; {said}"),
                None => said.clone(),
            });
        }
        self.list.push(problem);
    }

    /// Whether there is a problem with anything that stands within a place.
    pub(super) fn has_within(&self, place: Span) -> bool {
        let mut list = self.list.iter();
        list.any(|problem| problem.at.is_some_and(|at| place.holds(at)))
    }

    /// What stands at these places is read several times: from now on only the first problem with each
    /// is noted.
    pub(super) fn note_once(&mut self, places: Vec<Span>) {
        self.once = places.into();
    }

    /// Says of problems with a value from where it comes, and not what variables hold.
    pub(super) fn comes_from(
        &mut self,
        span: Span,
        said: String,
        variables: Vec<(String, String)>,
    ) {
        self.origins.push(ValueOrigin {
            span,
            said,
            variables,
        });
    }

    /// Hides in a warning about a place what variables hold, wherever they stand.
    pub(super) fn hide(&self, at: Option<Span>, text: &mut String) {
        for origin in &self.origins {
            if at.is_some_and(|at| origin.span.holds(at)) {
                origin.hide(text);
            } else {
                origin.hide_whole(text);
            }
        }
    }

    /// Whether a value, or a part of it, comes from the environment.
    pub(super) fn is_from_environment(&self, span: Span) -> bool {
        self.origins.iter().any(|origin| origin.span.holds(span))
    }

    /// The files that were read: one of them has to change before all is well.
    pub fn files(&self) -> &ReadFiles {
        &self.files
    }

    /// How the log of a gateway looks that these keep from starting, as far as the file says it.
    pub fn log_format(&self) -> LogFormat {
        self.log_format
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The problems one by one, in the order of their places.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        self.sorted().into_iter().map(|problem| {
            let label = match problem.label.as_str() {
                "" => String::new(),
                label => format!(": {label}"),
            };
            let finding = Finding {
                severity: Severity::Error,
                help: problem.help.clone(),
                ..Finding::warning(format!("{}{label}", problem.message))
            };
            finding.at(problem.at, &self.sources)
        })
    }

    /// The first of them, and how many more there are.
    pub fn in_short(&self) -> String {
        let mut findings = self.findings();
        let first = findings.next().map(|first| first.to_string());
        let rest = match findings.count() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        first.unwrap_or_default() + &rest
    }

    /// The problems one by one, each with its text for a reader, without colours.
    pub fn shown(&self) -> impl Iterator<Item = (Finding, String)> {
        let renderer = Renderer::plain();
        let texts = self.sorted().into_iter();
        let texts = texts.map(move |problem| renderer.render(&[self.group(problem)]));
        self.findings().zip(texts)
    }

    /// All of them, in the order of their places.
    pub(super) fn sorted(&self) -> Vec<&Problem> {
        let mut list: Vec<_> = self.list.iter().collect();
        list.sort_by_key(|problem| problem.at.map(|span| (span.source, span.start)));
        list
    }

    /// The problems as text for a reader, in the order of their places.
    pub fn render(&self, colours: bool) -> String {
        let renderer = if colours {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        let list = self.sorted();
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
            let mut far: Vec<_> = problem.also.iter().collect();
            let near: Vec<_> = far.extract_if(.., |(span, _)| is_near(*span, at)).collect();
            if let Some(snippet) = self.snippet(at, &problem.label, &near) {
                group = group.element(snippet);
            } else {
                group = group.element(self.origin(at));
                if !problem.label.is_empty() {
                    group = group.element(Level::NOTE.message(&problem.label));
                }
                far.splice(0..0, near);
            }
            for (span, label) in far {
                let place = self.sources.place(*span);
                group = group.element(Level::NOTE.message(format!("{label}: {place}")));
            }
        }
        if let Some(help) = &problem.help {
            group = group.element(Level::HELP.message(help));
        }
        group
    }

    fn origin(&self, at: Span) -> Origin<'_> {
        let source = self.sources.get(at.source);
        let (line, column) = source.position(at.range().start);
        Origin::path(&source.name).line(line).char_column(column)
    }

    /// The lines that a problem is about, unless they may hold a secret.
    fn snippet<'p>(
        &'p self,
        at: Span,
        label: &'p str,
        near: &[&'p (Span, String)],
    ) -> Option<Snippet<'p, Annotation<'p>>> {
        let source = self.sources.get(at.source);
        let mut marked = vec![(source.first_line(at), label, AnnotationKind::Primary)];
        for (span, label) in near {
            marked.push((source.first_line(*span), label, AnnotationKind::Context));
        }
        let start = marked.iter().map(|(range, ..)| range.start).min()?;
        let end = marked.iter().map(|(range, ..)| range.end).max()?;
        // The renderer would look at all of a large file, for each of its problems.
        let (text, lines, first_line) = source.shown_lines(start..end)?;
        let snippet = Snippet::source(text)
            .line_start(first_line)
            .path(&source.name);
        Some(
            snippet.annotations(marked.into_iter().map(|(range, label, kind)| {
                let label = Some(label).filter(|label| !label.is_empty());
                kind.span(range.start - lines.start..range.end - lines.start)
                    .label(label)
            })),
        )
    }
}

/// Whether two places can be shown together.
fn is_near(one: Span, other: Span) -> bool {
    one.source == other.source && one.start.abs_diff(other.start) < FAR
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
