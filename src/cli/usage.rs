//! What to type instead of a command line that is none: words of other programs, and a file without
//! its `-c`.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};

/// What people type, and what does it here.
const MEANT: [(&[&str], &str); 10] = [
    (
        &["serve", "server", "start", "up", "proxy"],
        "`tollgate run` serves",
    ),
    (
        &[
            "validate",
            "test",
            "verify",
            "lint",
            "configtest",
            "-t",
            "-T",
            "--test",
            "--validate",
            "--check",
        ],
        "`tollgate check` checks a configuration",
    ),
    (
        &["reload"],
        "a running gateway reads its configuration again on SIGHUP",
    ),
    (
        &["restart", "upgrade"],
        "a running gateway starts its program anew and hands over to it on SIGUSR2",
    ),
    (
        &["stop", "quit", "-s"],
        "a running gateway drains and ends on SIGTERM",
    ),
    (&["version", "-v"], "`tollgate --version` tells the version"),
    (
        &["--token", "--admin-token", "--read-token"],
        "the token of the admin port stands in the variable TOLLGATE_ADMIN_TOKEN, or in a file that `tollgate tail --token-file` names",
    ),
    (
        &["--key", "--api-key", "--apikey", "-k"],
        "a request is asked about with its key as `-H 'x-api-key: KEY'`, or without one as `--client NAME`",
    ),
    (
        &[
            "nginx", "caddy", "traefik", "envoy", "haproxy", "apisix", "tyk",
        ],
        "`tollgate import` reads what is of `kong` or `node`",
    ),
    (
        &["key", "token", "hash", "client", "clients"],
        "`tollgate keys` makes, lists and hashes keys",
    ),
];

/// Says what was meant, where that is known.
pub(super) fn with_tip(mut error: clap::Error) -> clap::Error {
    let kinds = [ContextKind::InvalidSubcommand, ContextKind::InvalidArg];
    let word = kinds.into_iter().find_map(|kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.clone()),
        _ => None,
    });
    if let Some(tip) = word.as_deref().and_then(tip) {
        for guess in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg] {
            error.remove(guess);
        }
        let tip = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
        error.insert(ContextKind::Suggested, tip);
    }
    error
}

fn tip(word: &str) -> Option<String> {
    let mut known = MEANT.iter();
    if let Some((_, tip)) = known.find(|(words, _)| words.contains(&word)) {
        return Some((*tip).to_owned());
    }
    let is_file = word.contains(['.', '/']) && !word.starts_with('-');
    is_file.then(|| format!("a configuration is named by `-c`: `-c {word}`"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::CommandLine;
    use super::*;

    #[test]
    fn what_was_meant_is_said() {
        for (line, tip) in [
            (&["serve"][..], "tip: `tollgate run` serves"),
            (&["start"], "tip: `tollgate run` serves"),
            (&["validate"], "tip: `tollgate check` checks"),
            (&["-t"], "tip: `tollgate check` checks"),
            (&["-t", "-c", "x.toml"], "tip: `tollgate check` checks"),
            (
                &["gate.toml"],
                "tip: a configuration is named by `-c`: `-c gate.toml`",
            ),
            (
                &["check", "conf/x"],
                "tip: a configuration is named by `-c`: `-c conf/x`",
            ),
            (
                &["run", "/etc/x"],
                "tip: a configuration is named by `-c`: `-c /etc/x`",
            ),
            (
                &["explain", "GET", "/a", "--key", "K"],
                "tip: a request is asked about with its key as `-H 'x-api-key: KEY'`, or without one as `--client NAME`",
            ),
            (
                &["explain", "GET", "/a", "--api-key=tg_1"],
                "-H 'x-api-key: KEY'",
            ),
            (
                &["tail", "--token", "tg_1"],
                "the variable TOLLGATE_ADMIN_TOKEN, or in a file that `tollgate tail --token-file` names",
            ),
            (
                &["import", "nginx"],
                "tip: `tollgate import` reads what is of `kong` or `node`",
            ),
            (
                &["import", "haproxy", "x.cfg"],
                "reads what is of `kong` or `node`",
            ),
            (&["reload"], "SIGHUP"),
            (&["upgrade"], "SIGUSR2"),
            (&["explan"], "tip: a similar subcommand exists: 'explain'"),
        ] {
            let line = [&["tollgate"][..], line].concat();
            let wrong = with_tip(CommandLine::try_parse_from(&line).unwrap_err());
            let said = wrong.to_string();
            assert!(said.contains(tip), "{line:?}: {said}");
            assert_eq!(said.matches("tip:").count(), 1, "{said}");
            assert!(!said.contains("tg_1"), "{said}");
            assert_eq!(wrong.exit_code(), 2);
        }
    }
}
