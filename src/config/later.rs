//! What the schema has and this version does not do yet. It is refused, never ignored: a limit that
//! silently does not hold is worse than a gateway that does not start. Values that ask for what is
//! done anyway are fine.

use std::ffi::OsStr;
use std::path::Path;

use super::file::File;
use super::problems::{Problem, Problems};
use super::source::Span;

/// Complains about all that is not supported yet.
pub(super) fn refuse(file: &File, problems: &mut Problems) {
    let mut refused = Refused(problems);
    upstreams(file, &mut refused);
    if let Some(listen) = &file.admin.listen
        && listen.value != "off"
    {
        refused.add(
            listen.span,
            "`admin.listen`",
            "leave it out, or write \"off\": there is no admin port yet",
        );
    }
}

/// Complains about a file that is called as YAML is; read as TOML, it would be wrong in each line.
pub(super) fn refuse_yaml(path: &Path, problems: &mut Problems) {
    let is_yaml = |extension: &OsStr| {
        extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml")
    };
    if path.extension().is_some_and(is_yaml) {
        let message = format!("`{}`: YAML is not supported yet", path.display());
        let problem = Problem::without_place(message);
        problems.add(problem.help("write TOML, or JSON in a file called `.json`"));
    }
}

struct Refused<'p>(&'p mut Problems);

impl Refused<'_> {
    fn add(&mut self, span: Span, what: &str, instead: &str) {
        let message = format!("{what} is not supported yet");
        self.0.add(Problem::at(span, message).help(instead));
    }
}

fn upstreams(file: &File, refused: &mut Refused<'_>) {
    for upstream in &file.upstreams {
        let Some(endpoints) = &upstream.endpoints else {
            continue;
        };
        if endpoints.value.len() > 1 {
            refused.add(
                endpoints.span,
                "more than one endpoint",
                "give it one, such as the address of a load balancer",
            );
        }
        for weight in endpoints.value.iter().filter_map(|one| one.weight) {
            refused.add(
                weight.span,
                "`weight`",
                "leave it out: with one endpoint it says nothing",
            );
        }
    }
}
