//! A configuration that is being read: where its files come from, and what is wrong with it so far.

use std::path::{Path, PathBuf};

use super::disk::{Holds, Unreadable};
use super::expand::Environment;
use super::long_read::{Say, if_long};
use super::private;
use super::problems::{Problem, Problems};
use super::source::{At, Span};
use super::tree::{self, Format, Value};

/// Reads files for [`super::parse`].
pub type Files<'f> = &'f dyn Fn(&Path) -> Result<String, Unreadable>;

/// A configuration that is being read.
pub(super) struct Reading<'r> {
    pub environment: Environment<'r>,
    files: Files<'r>,
    /// Where its relative paths start.
    folder: PathBuf,
    /// Says where a key belongs, if there is one of that name.
    pub home: fn(&str) -> Option<String>,
    pub problems: Problems,
    /// Who says that a file is waited for.
    pub says_wait: Option<Say>,
}

impl<'r> Reading<'r> {
    /// Begins to read the file of that name.
    pub(super) fn new(
        name: &Path,
        environment: Environment<'r>,
        files: Files<'r>,
        home: fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            environment,
            files,
            folder: name.parent().unwrap_or(Path::new("")).to_owned(),
            home,
            problems: Problems::default(),
            says_wait: None,
        }
    }

    /// A path as it is written in the file.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        self.folder.join(written)
    }

    /// Reads a file.
    pub(super) fn file(&mut self, path: &Path, holds: Holds) -> Result<String, Unreadable> {
        self.wait_for(path, |reading| {
            reading.problems.files.read(path, holds, reading.files)
        })
    }

    /// What `read` returns, which waits for that file and does nothing else.
    pub(super) fn wait_for<T>(&mut self, path: &Path, read: impl FnOnce(&mut Self) -> T) -> T {
        match self.says_wait {
            Some(say) => if_long(path, say, || read(self)),
            None => read(self),
        }
    }

    /// Reads a file that is named at a place. If it cannot be read, that is reported there.
    pub(super) fn file_named_at(&mut self, path: &Path, at: Span) -> Option<String> {
        let read = self.file(path, Holds::MoreKeys);
        read.map_err(|error| {
            let message = format!("cannot read `{}`: {error}", path.display());
            self.problems
                .add(Problem::at(at, message).label("named here"));
        })
        .ok()
    }

    /// Parses a text. What is wrong with it is reported; there is no tree then.
    pub(super) fn tree(&mut self, name: &str, text: &str, format: Format) -> Option<At<Value>> {
        let source = self.problems.sources.add(name, text);
        let tree = tree::parse(text, format, source, &mut self.problems);
        match &tree {
            Some(tree) => private::hide_secrets(tree, &mut self.problems.sources),
            None => self.problems.sources.hide_all(source),
        }
        tree
    }
}
