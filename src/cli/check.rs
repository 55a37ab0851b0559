//! `tollgate check`: is the configuration good, and is anything odd in it?

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use crate::app;
use crate::config::{Finding, Loaded, Problems};
use crate::limit::{Algorithm, Policy};

/// How the command is told what to do.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Print problems and warnings as JSON, on standard output
    #[arg(long)]
    json: bool,
    /// Take warnings for problems, but for those of the clock (a key that ends soon) and of this machine
    #[arg(long)]
    strict: bool,
}

/// Runs the command.
pub(super) fn run(file: &Path, options: &Options) -> ExitCode {
    let loaded = super::read(file).map(|mut loaded| {
        let odd = app::odd_files(&loaded.settings, &loaded.snapshot);
        loaded.lints.extend(odd);
        loaded
    });
    let of_text = |loaded: &Loaded| loaded.lints.iter().filter(|it| !it.is_passing).count();
    let warnings = loaded.as_ref().map_or(0, of_text);
    let is_good = loaded.is_ok() && !(options.strict && warnings > 0);
    let printed = match loaded {
        _ if options.json => super::print(&json(&loaded, is_good)),
        Ok(loaded) => {
            for lint in &loaded.lints {
                super::complain(&format!("warning: {lint}\n"));
            }
            if is_good {
                super::print(&format!("{}: good\n{}\n", file.display(), summary(&loaded)))
            } else {
                super::fail(&format!("{} and `--strict`", counted(warnings, "warning")))
            }
        }
        Err(problems) => {
            super::complain(&problems.render(colours()));
            ExitCode::FAILURE
        }
    };
    if is_good { printed } else { ExitCode::FAILURE }
}

/// What programs read.
fn json(loaded: &Result<Loaded, Problems>, is_good: bool) -> String {
    let findings: Vec<Finding> = match loaded {
        Ok(loaded) => loaded.lints.clone(),
        Err(problems) => problems.findings().collect(),
    };
    format!("{:#}\n", json!({ "good": is_good, "problems": findings }))
}

/// Whether problems are shown in colours.
pub(super) fn colours() -> bool {
    app::has_colours(&io::stderr())
}

/// What the configuration holds, in a line.
fn summary(loaded: &Loaded) -> String {
    let snapshot = &loaded.snapshot;
    let limits = &snapshot.limits;
    let limit = |policy: &Option<Arc<Policy>>| {
        policy.as_ref().map_or("none".to_owned(), |policy| {
            let window = policy.limit.window().as_secs();
            let requests = policy.limit.requests();
            match policy.limit.algorithm() {
                Algorithm::FixedWindow => format!("{requests} per {window} s"),
                other => format!("{requests} per {window} s ({})", other.as_str()),
            }
        })
    };
    let routes = snapshot.routes.routes().iter();
    let on_routes: HashSet<_> = routes
        .flat_map(|route| &route.limits)
        .map(|policy| &*policy.name)
        .collect();
    let on_routes = match on_routes.len() {
        0 => String::new(),
        number => format!(", {number} on routes"),
    };
    format!(
        "{}, {}, {}; limits: anonymous {}, identified {}{on_routes}",
        counted(snapshot.routes.routes().len(), "route"),
        counted(snapshot.access.protected.iter().count(), "protected prefix"),
        counted(snapshot.access.clients.len(), "client"),
        limit(&limits.anonymous),
        limit(&limits.identified),
    )
}

fn counted(number: usize, what: &str) -> String {
    let ending = match (number, what.ends_with('x')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{number} {what}{ending}")
}
