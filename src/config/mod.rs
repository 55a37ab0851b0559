//! The configuration file: what the user wrote, checked as a whole, and compiled into what the
//! program runs on. A file with a problem changes nothing.
//!
//! In the order of its life: `disk` reads it, `tree` parses TOML or JSON into one shape with
//! places, `expand` fills in variables, `file` mirrors the schema, `later` refuses what is not done
//! yet, `compile` makes [`Settings`] and the [`Snapshot`]; `lint` warns of what is allowed and odd.

mod changes;
mod compile;
mod disk;
mod expand;
mod file;
mod kinds;
mod later;
mod lint;
mod private;
mod problems;
mod reader;
mod settings;
mod source;
mod suggest;
#[cfg(test)]
mod tests;
mod tree;
mod units;
mod watch;

pub use changes::{Change, ChangeKind, changes};
pub use disk::{ReadFiles, Unreadable};
pub use expand::Environment;
pub use problems::Problems;
pub use settings::{AccessLog, LogFormat, Settings};
pub use tree::Format;
pub use watch::Watch;

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::pipeline::snapshot::Snapshot;

use self::problems::Problem;
use self::source::At;
use self::tree::Node;

/// A configuration without problems.
#[derive(Debug)]
pub struct Loaded {
    /// What only a restart changes.
    pub settings: Settings,
    /// What a reload changes.
    pub snapshot: Snapshot,
    /// What is allowed, and most likely not meant.
    pub lints: Vec<String>,
    /// Every file that was read.
    pub files: ReadFiles,
}

/// Reads files for [`parse`].
pub type Files<'f> = &'f dyn Fn(&Path) -> Result<String, Unreadable>;

/// The environment of this process.
#[must_use]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads, checks and compiles the configuration in the file at `path`.
///
/// # Errors
/// All problems of the file and of those that it names.
pub fn load(path: &Path, environment: Environment<'_>) -> Result<Loaded, Problems> {
    let mut reading = Reading::new(environment, &disk::read);
    later::refuse_yaml(path, &mut reading.problems);
    if !reading.problems.is_empty() {
        return Err(reading.problems);
    }
    let tree = reading.file(path).unwrap_or_else(|error| {
        let message = format!("cannot read `{}`: {error}", path.display());
        let problem = Problem::without_place(message);
        reading
            .problems
            .add(problem.help("`-c FILE` names another"));
        None
    });
    let folder = path.parent().unwrap_or(Path::new(""));
    reading.compile(tree, folder)
}

/// Checks and compiles a configuration that is at hand already. `name` stands for it in problems,
/// and is where relative paths start; files that it names are read by `files`.
///
/// # Errors
/// All problems of the text and of the files that it names.
pub fn parse(
    name: &str,
    text: &str,
    format: Format,
    environment: Environment<'_>,
    files: Files<'_>,
) -> Result<Loaded, Problems> {
    let mut reading = Reading::new(environment, files);
    let tree = reading.text(name, text, format);
    let folder = Path::new(name).parent().unwrap_or(Path::new(""));
    reading.compile(tree, folder)
}

/// A configuration that is being read.
struct Reading<'r> {
    environment: Environment<'r>,
    disk: Files<'r>,
    problems: Problems,
}

impl<'r> Reading<'r> {
    fn new(environment: Environment<'r>, disk: Files<'r>) -> Self {
        Self {
            environment,
            disk,
            problems: Problems::default(),
        }
    }

    /// Reads a file into a tree.
    fn file(&mut self, path: &Path) -> Result<Option<Node>, Unreadable> {
        let text = self.problems.files.read(path, self.disk)?;
        Ok(self.text(&path.to_string_lossy(), &text, Format::of(path)))
    }

    fn text(&mut self, name: &str, text: &str, format: Format) -> Option<Node> {
        let source = self.problems.sources.add(name, text);
        let Some(mut tree) = tree::parse(text, format, source, &mut self.problems) else {
            self.problems.sources.hide_all(source);
            return None;
        };
        private::hide_secrets(&tree, &mut self.problems.sources);
        expand::expand(&mut tree, self.environment, &mut self.problems);
        Some(tree)
    }

    fn compile(mut self, tree: Option<Node>, folder: &Path) -> Result<Loaded, Problems> {
        let Some(mut file) = tree.and_then(|tree| file::read(tree, &mut self.problems)) else {
            return Err(self.problems);
        };
        self.routes_file(&mut file, folder);
        self.redis_files(&mut file, folder);
        later::refuse(&file, &mut self.problems);
        let compiled = compile::compile(&file, folder, &mut self.problems);
        match compiled {
            Some((settings, snapshot)) if self.problems.is_empty() => {
                let sources = &self.problems.sources;
                Ok(Loaded {
                    lints: lint::lint(&file, Timestamp::now(), sources),
                    settings,
                    snapshot,
                    files: self.problems.files,
                })
            }
            _ => Err(self.problems),
        }
    }

    /// Adds the routes of the file that `routes_file` names.
    fn routes_file(&mut self, file: &mut file::File, folder: &Path) {
        let Some(routes_file) = &file.routes_file else {
            return;
        };
        let path = folder.join(&routes_file.value);
        match self.file(&path) {
            Ok(Some(tree)) => {
                let routes = file::flat_routes(tree, &mut self.problems);
                file.routes.extend(routes);
            }
            Ok(None) => {}
            Err(error) => {
                let message = format!("cannot read `{}`: {error}", path.display());
                let problem = Problem::at(routes_file.span, message);
                self.problems.add(problem.label("named here"));
            }
        }
    }

    /// Reads the certificates and the key that Redis needs for TLS.
    fn redis_files(&mut self, file: &mut file::File, folder: &Path) {
        let Some(redis) = &mut file.limits.redis else {
            return;
        };
        let mut read = |named: &Option<At<PathBuf>>| {
            let named = named.as_ref()?;
            let path = folder.join(&named.value);
            match self.problems.files.read(&path, self.disk) {
                Ok(text) => Some(At {
                    value: text,
                    span: named.span,
                }),
                Err(error) => {
                    let message = format!("cannot read `{}`: {error}", path.display());
                    let problem = Problem::at(named.span, message);
                    self.problems.add(problem.label("named here"));
                    None
                }
            }
        };
        redis.pem.ca = read(&redis.ca);
        redis.pem.cert = read(&redis.cert);
        redis.pem.key = read(&redis.key);
    }
}
