//! The configuration file: what the user wrote, checked as a whole, and compiled into what the
//! program runs on. A file with a problem changes nothing.
//!
//! In the order of its life: `disk` reads it, `tree` parses its format into one shape with places,
//! `expand` fills in variables, `file` reads the keys that it declares, `compile` makes [`Settings`]
//! and the [`Snapshot`]; `lint` warns of what is allowed and odd, `changes` says what a reload changes.

mod certificates;
mod changes;
mod compile;
mod credentials;
mod disk;
mod expand;
mod file;
mod finding;
mod inherit;
mod keys;
mod kinds;
mod lint;
mod listed;
mod long_read;
mod origin;
mod pipe;
mod private;
mod problems;
mod reading;
mod schema;
mod settings;
mod source;
mod suggest;
#[cfg(test)]
mod tests;
mod texts;
mod tree;
mod units;
mod watch;
mod written;

pub use certificates::{CannotUse, CertificateFiles, PairFiles, PairRead, ReadAgain};
pub use changes::{Change, ChangeKind, changes, changes_at_start};
use disk::Holds;
pub use disk::{ReadFiles, Unreadable, is_stdin, unreadable};
pub use expand::Environment;
pub use file::Written;
pub use finding::{Finding, Severity};
pub use listed::{KeyPlace, ListedClient, ListedKey, Within};
pub use long_read::said_if_long;
pub use problems::Problems;
pub use reading::Files;
pub use schema::schema;
pub use settings::{AccessLog, AdminListen, LogFormat, Settings};
pub use texts::Texts;
pub use tree::Format;
pub use units::{duration, moment};
pub use watch::Watch;
pub use written::WrittenLine;

use std::env::VarError;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;

use crate::limit::RedisTarget;
use crate::pipeline::snapshot::Snapshot;
use crate::tls::ServerTls;
use crate::upstream::Upstream;

use self::file::File;
use self::keys::{Form, Key, Kind, join, read_at};
use self::problems::Problem;
use self::reading::Reading;
use self::source::{At, Sources, Span};
use self::tree::Value;

/// A configuration without problems.
#[derive(Debug)]
pub struct Loaded {
    /// What only a restart changes.
    pub settings: Settings,
    /// What a reload changes.
    pub snapshot: Snapshot,
    /// What was written, to be compared with what is read next.
    pub written: Written,
    /// What is allowed, and most likely not meant.
    pub lints: Vec<Finding>,
    /// Every file that was read, but for those of certificates.
    pub files: ReadFiles,
    /// Those.
    pub certificates: CertificateFiles,
    sources: Sources,
    /// The whole of the main file.
    root: Span,
}

/// The environment of this process.
///
/// # Errors
/// The variable is not set, or not UTF-8.
pub fn environment(name: &str) -> Result<String, VarError> {
    std::env::var(name)
}

/// Reads, checks and compiles the configuration in the file at `path`; `-` is standard input. Standard
/// error has a line for a file that is waited for.
///
/// # Errors
/// All problems of the file and of those that it names.
pub fn load(path: &Path, environment: Environment<'_>) -> Result<Loaded, Problems> {
    let mut reading = Reading::new(path, environment, &disk::read, home);
    reading.says_wait = Some(long_read::on_stderr);
    load_file(reading, path, Served::default())
}

/// Whose certificates are used while a configuration is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Served<'s> {
    /// Those that clients are shown.
    pub tls: Option<&'s ServerTls>,
    /// Those that services are shown.
    pub upstreams: &'s [Arc<Upstream>],
    /// The Redis that one is shown.
    pub redis: Option<&'s RedisTarget>,
}

/// The same while these certificates are used: those whose files have not changed are taken as they are,
/// even if they have expired. The log has a line for a file that is waited for.
///
/// # Errors
/// All problems of the file and of those that it names.
pub fn load_again(
    path: &Path,
    environment: Environment<'_>,
    served: Served<'_>,
) -> Result<Loaded, Problems> {
    let mut reading = Reading::new(path, environment, &disk::read, home);
    reading.says_wait = Some(long_read::in_log);
    load_file(reading, path, served)
}

fn load_file(
    mut reading: Reading<'_>,
    path: &Path,
    served: Served<'_>,
) -> Result<Loaded, Problems> {
    let is_stdin = disk::is_stdin(path);
    let (name, text) = if is_stdin {
        (
            "<stdin>".into(),
            reading.wait_for(path, |_| disk::read_stdin()),
        )
    } else {
        (path.to_string_lossy(), reading.file(path, Holds::Keys))
    };
    let text = match text {
        Ok(text) => text,
        Err(error) => {
            let problem = Problem::without_place(format!("cannot read `{name}`: {error}"));
            reading.problems.add(match error {
                Unreadable::Missing => {
                    problem.help("`-c FILE` or the variable TOLLGATE_CONFIG names another")
                }
                _ => problem,
            });
            return Err(reading.problems);
        }
    };
    let format = if is_stdin {
        Format::guess(&text).unwrap_or(Format::Toml)
    } else {
        Format::of(path)
    };
    let tree = reading.tree(&name, &text, format);
    finish(reading, tree, served)
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
    let mut reading = Reading::new(Path::new(name), environment, files, home);
    let tree = reading.tree(name, text, format);
    finish(reading, tree, Served::default())
}

/// Reads what another process has served, without regard to what this version finds wrong with it.
pub fn read_texts(texts: &Texts, environment: Environment<'_>) -> Option<Written> {
    let files = |path: &Path| {
        let text = texts.named(&path.to_string_lossy());
        text.map(str::to_owned).ok_or(Unreadable::Missing)
    };
    let (name, text) = texts.iter().next()?;
    let path = Path::new(name);
    let mut reading = Reading::new(path, environment, &files, home);
    let tree = reading.tree(name, text, Format::of(path))?;
    let file = file_of(&mut reading, tree)?;
    let texts = texts.clone();
    Some(Written { file, texts })
}

/// Parses a text that is no configuration, such as another gateway's, in the formats and with the
/// problems of one.
///
/// # Errors
/// All problems of the text.
pub fn plain(name: &str, text: &str, format: Format) -> Result<serde_json::Value, Problems> {
    let mut problems = Problems::default();
    let source = problems.sources.add(name, text);
    problems.sources.hide_all(source);
    tree::parse(text, format, source, &mut problems)
        .map(At::into_json)
        .ok_or(problems)
}

fn finish(
    mut reading: Reading<'_>,
    tree: Option<At<Value>>,
    served: Served<'_>,
) -> Result<Loaded, Problems> {
    let root = tree.as_ref().map_or(Span::NOWHERE, |tree| tree.span);
    let file = tree.and_then(|tree| file_of(&mut reading, tree));
    let mut problems = reading.problems;
    let Some(file) = file else {
        return Err(problems);
    };
    problems.log_format = *file.log.format;
    let now = Timestamp::now();
    match compile::compile(&file, served, now, &mut problems) {
        Some((settings, snapshot)) if problems.is_empty() => Ok(Loaded {
            lints: lint::lint(&file, &settings, &snapshot, now, &problems),
            settings,
            snapshot,
            certificates: CertificateFiles::of(&file, problems.files.take_certificates()),
            written: Written {
                texts: Texts::of(&problems.sources),
                file,
            },
            files: problems.files,
            sources: problems.sources,
            root,
        }),
        _ => Err(problems),
    }
}

/// Reads the keys that are declared, those in the files that it names included.
fn file_of(reading: &mut Reading<'_>, mut tree: At<Value>) -> Option<Box<File>> {
    without_schema(&mut tree);
    inherit::complete_upstreams(&mut tree, &mut reading.problems);
    let file = read_at::<File>(&mut tree, "", reading)?;
    Some(Box::new(file.value.with_files()))
}

/// Takes out the name of the JSON Schema that editors look for; in TOML and YAML it is a comment.
fn without_schema(tree: &mut At<Value>) {
    if let Value::Table(entries) = &mut tree.value {
        entries.retain(|(key, it)| key.value != schema::KEY || !matches!(it.value, Value::Text(_)));
    }
}

/// Says where a key belongs, if there is one of that name.
fn home(key: &str) -> Option<String> {
    let has = |table: &&Table| table.keys.iter().any(|declared| declared.name == key);
    let homes: Vec<_> = tables()
        .iter()
        // Its keys are those of `upstreams`.
        .filter(|table| !table.path.starts_with("upstream_defaults"))
        .filter(has)
        .map(|table| match table.path.as_str() {
            "" => "at the top of the main file, before the first table".to_owned(),
            path => format!("in `[{path}]`"),
        })
        .collect();
    (!homes.is_empty()).then(|| homes.join(" or "))
}

/// A table by how a user would write its path.
struct Table {
    path: String,
    /// What the schema calls it.
    name: &'static str,
    keys: Vec<Key>,
}

/// All tables that there are.
fn tables() -> &'static [Table] {
    static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
        let mut found = Vec::new();
        find_tables(String::new(), File::form(), &mut found);
        found
    });
    &TABLES
}

/// Finds the table of such a value and those below it.
fn find_tables(path: String, form: Form, found: &mut Vec<Table>) {
    let Some((names, table)) = form.table else {
        return;
    };
    let path = names.iter().fold(path, |path, name| join(&path, name));
    found.push(Table {
        path: path.clone(),
        name: table.name,
        keys: (table.keys)(),
    });
    for key in (table.keys)() {
        find_tables(join(&path, key.name), (key.form)(), found);
    }
}
