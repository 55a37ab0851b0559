//! Says which version this is: `0.1.0 (1a2b3c4d5e6f)` with the commit of a release build, from
//! `TOLLGATE_COMMIT` or from git. From a tarball it is the version alone. Other builds have no commit,
//! so that a commit does not compile everything anew.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=TOLLGATE_COMMIT");
    let given = env::var("TOLLGATE_COMMIT").ok();
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = given.or_else(|| is_release.then(commit_of_git).flatten());
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = match commit.as_deref().map(str::trim) {
        None | Some("") => version,
        Some(commit) => format!("{version} ({commit})"),
    };
    println!("cargo::rustc-env=TOLLGATE_VERSION={version}");
}

fn commit_of_git() -> Option<String> {
    let folder = env::var("CARGO_MANIFEST_DIR").ok()?;
    let top = git(&["rev-parse", "--show-toplevel"])?;
    // A tarball may have been unpacked within another repository.
    if Path::new(&top).canonicalize().ok()? != Path::new(&folder).canonicalize().ok()? {
        return None;
    }
    for file in [
        "HEAD",
        &git(&["rev-parse", "--symbolic-full-name", "HEAD"])?,
    ] {
        let path = git(&["rev-parse", "--git-path", file])?;
        println!("cargo::rerun-if-changed={path}");
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
