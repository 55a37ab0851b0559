//! `tollgate import`: another gateway's configuration becomes ours, on standard output. What was left
//! out stands on standard error.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use crate::config;
use crate::import::{self, ImportError, Imported, KeysAre, Source};

/// Whose configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Import {
    /// The Node gateway's files
    Node {
        /// routes.json, then protectedRoutes.js and the API keys in JSON where there are some; `-` is one
        /// in JSON from standard input
        #[arg(required = true, num_args = 1..=3, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// In keys that are pairs of strings: whether the keys are the names or the values
        #[arg(long, value_name = "SIDE")]
        keys_are: Option<Side>,
        #[command(flatten)]
        how: How,
    },
    /// Kong's declarative configuration, YAML or JSON
    Kong {
        /// kong.yml; `-` is standard input
        file: PathBuf,
        #[command(flatten)]
        how: How,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Side {
    /// `{ "KEY": "client" }`
    Names,
    /// `{ "client": "KEY" }`
    Values,
}

#[derive(Debug, Args)]
pub(super) struct How {
    /// Print what can be taken over, also if something is left out
    #[arg(long)]
    partial: bool,
}

/// Runs the command.
pub(super) fn run(import: &Import) -> ExitCode {
    match import {
        Import::Node {
            files,
            keys_are,
            how,
        } => node(files, *keys_are).map(|imported| finish(&imported, how)),
        Import::Kong { file, how } => kong(file).map(|imported| finish(&imported, how)),
    }
    .unwrap_or_else(|problem| super::fail(&problem))
}

fn kong(file: &Path) -> Result<Imported, String> {
    let (name, text) = read(file)?;
    let source = Source {
        name: &name,
        text: &text,
    };
    import::kong(source).map_err(|error| error.to_string())
}

fn node(files: &[PathBuf], keys_are: Option<Side>) -> Result<Imported, String> {
    let mut read = files
        .iter()
        .map(|file| read(file))
        .collect::<Result<Vec<_>, _>>()?;
    let routes = read.remove(0);
    let is_script = |(name, _): &(String, String)| {
        let extension = Path::new(name)
            .extension()
            .and_then(std::ffi::OsStr::to_str);
        matches!(extension, Some("js" | "cjs" | "mjs" | "ts"))
    };
    let (scripts, keys): (Vec<_>, Vec<_>) = read.into_iter().partition(is_script);
    if let Some((name, _)) = scripts.get(1).or_else(|| keys.get(1)) {
        let expected = "expected routes.json, protectedRoutes.js and one file of keys";
        return Err(format!("{name} is one too many: {expected}"));
    }
    if keys_are.is_some() && keys.is_empty() {
        return Err("`--keys-are` is of a file of keys, and none is named".to_owned());
    }
    let keys_are = keys_are.map(|side| match side {
        Side::Names => KeysAre::Names,
        Side::Values => KeysAre::Values,
    });
    import::node(
        source(&routes),
        scripts.first().map(source),
        keys.first().map(source),
        keys_are,
    )
    .map_err(|error: ImportError| error.to_string())
}

fn source((name, text): &(String, String)) -> Source<'_> {
    Source { name, text }
}

fn read(file: &Path) -> Result<(String, String), String> {
    let is_stdin = config::is_stdin(file);
    let read = || {
        if is_stdin {
            std::io::read_to_string(std::io::stdin().lock())
        } else {
            std::fs::read_to_string(file)
        }
    };
    let name = if is_stdin {
        "<stdin>".to_owned()
    } else {
        file.display().to_string()
    };
    match config::said_if_long(file, read) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(format!("cannot read `{name}`: {error}")),
    }
}

fn finish(imported: &Imported, how: &How) -> ExitCode {
    let mut said = String::new();
    for (title, notes) in [
        ("left out", &imported.left_out),
        ("different", &imported.differs),
    ] {
        for note in notes {
            let _ = writeln!(said, "{title}: {note}");
        }
    }
    let checked = imported.check(&config::environment);
    let good = checked.is_ok();
    if let Err(problems) = checked {
        let _ = writeln!(
            said,
            "{}The result has these problems; mend them in it, or in what it was made from.",
            problems.render(super::check::colours())
        );
    }
    let whole = good && imported.left_out.is_empty();
    if !whole && !how.partial {
        said.push_str(
            "Nothing is printed, for something is missing. With --partial the rest is.\n",
        );
        super::complain(&said);
        return ExitCode::FAILURE;
    }
    super::complain(&said);
    let printed = super::print(&imported.toml);
    if good { printed } else { ExitCode::FAILURE }
}
