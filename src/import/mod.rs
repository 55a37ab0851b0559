//! Turns the configuration of another gateway into Tollgate's, as text for people to read on. What
//! cannot be taken over is listed one by one, and what would become open to everybody is left out.

mod draft;
mod javascript;
mod kong;
mod mended;
mod node;

pub use kong::kong;
pub use node::{KeysAre, node};

use std::env::VarError;
use std::io;
use std::path::Path;

use crate::config::{self, Environment, Finding, Format, Problems};

/// What came of it.
#[derive(Debug)]
pub struct Imported {
    /// The configuration, in TOML.
    pub toml: String,
    /// What was not taken over, one thing each, with where it stood.
    pub left_out: Vec<String>,
    /// What was taken over, and behaves differently in some case.
    pub differs: Vec<String>,
}

impl Imported {
    /// Checks the configuration as `tollgate check` does; it names no other files.
    ///
    /// # Errors
    /// All problems of the text.
    pub fn check(&self, environment: Environment<'_>) -> Result<(), Problems> {
        compile(&self.toml, environment)
    }

    /// For tests: itself, which has to be good.
    #[cfg(test)]
    fn good(self) -> Self {
        if let Err(problems) = self.check(&|_| Err(VarError::NotPresent)) {
            panic!("{}\n{}", self.toml, problems.render(false));
        }
        self
    }
}

fn compile(toml: &str, environment: Environment<'_>) -> Result<(), Problems> {
    let files = &|_: &Path| Err(io::Error::from(io::ErrorKind::NotFound).into());
    config::parse("imported.toml", toml, Format::Toml, environment, files).map(drop)
}

/// What `check` has against a configuration, in any environment.
fn problems(toml: &str) -> Vec<Finding> {
    let compiled = compile(toml, &|_| Err(VarError::NotPresent));
    compiled.map_or_else(|problems| problems.findings().collect(), |()| Vec::new())
}

/// What `check` has against a key of a route with this value.
fn problem_of_route(key: &str, value: &str) -> Option<String> {
    let toml = format!("[[route]]\nprefix = \"/\"\nupstream = \"http://a\"\n{key} = {value}\n");
    problems(&toml)
        .into_iter()
        .next()
        .map(|found| found.message)
}

/// What the two importers collect on their way.
#[derive(Debug, Default)]
struct Notes {
    left_out: Vec<String>,
    differs: Vec<String>,
}

impl Notes {
    fn left_out(&mut self, place: &str, what: impl AsRef<str>) {
        Self::once(&mut self.left_out, format!("{place}: {}", what.as_ref()));
    }

    fn differs(&mut self, place: &str, what: impl AsRef<str>) {
        Self::once(&mut self.differs, format!("{place}: {}", what.as_ref()));
    }

    /// What a service's plugin loses, it loses on each of its routes.
    fn once(notes: &mut Vec<String>, note: String) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    fn with(self, toml: String) -> Imported {
        Imported {
            toml,
            left_out: self.left_out,
            differs: self.differs,
        }
    }
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The text is not in its format; all problems, as `check` shows them.
    #[error("{0}")]
    Unreadable(String),
    /// The text is something else.
    #[error("{file}: {what}")]
    Unexpected {
        /// The name of the file.
        file: String,
        /// What is wrong, and what would be right.
        what: String,
    },
}

impl ImportError {
    fn unexpected(file: &str, what: impl Into<String>) -> Self {
        let (file, what) = (file.to_owned(), what.into());
        Self::Unexpected { file, what }
    }
}

/// A file to import: its name, which tells its format, and its text.
#[derive(Debug, Clone, Copy)]
pub struct Source<'s> {
    /// How it is named in messages.
    pub name: &'s str,
    /// What it holds.
    pub text: &'s str,
}

impl Source<'_> {
    fn read(&self, format: Format) -> Result<serde_json::Value, ImportError> {
        config::plain(self.name, self.text, format)
            .map_err(|problems| ImportError::Unreadable(problems.render(false)))
    }
}

/// A name that is valid here, from any: other characters become `-`.
fn valid_name(name: &str) -> String {
    let keep = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
            c
        } else {
            '-'
        }
    };
    let name: String = name.chars().map(keep).take(120).collect();
    if name.is_empty() {
        "unnamed".to_owned()
    } else {
        name
    }
}

/// The same, and different from all that are taken.
fn free_name(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let valid = valid_name(name);
    if !is_taken(&valid) {
        return valid;
    }
    (2..u32::MAX)
        .map(|n| format!("{valid}-{n}"))
        .find(|name| !is_taken(name))
        .unwrap_or(valid)
}
