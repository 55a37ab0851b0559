//! Names of a test's own making: a shared library stands in for the system's resolver, so that a
//! name can have any addresses, move, and find its name server silent. Needs no rights.

use std::path::Path;
use std::process::Command;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/names.c");

/// Lets a program resolve names by the file `names` of a folder: a line has a name and, behind it,
/// its addresses, or `silent`. Names that are not listed are the system's.
pub(super) fn prepare(program: &mut Command, dir: &Path, names: &str) {
    let library = dir.join("names.so");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]);
    let built = compiler.arg(&library).arg(SOURCE).arg("-ldl").status();
    assert!(
        built.expect("run cc").success(),
        "the resolver does not compile"
    );
    program.env("LD_PRELOAD", library);
    program.env("NAMES", dir.join("names"));
    change(dir, names);
}

/// Replaces the names in one step.
pub(super) fn change(dir: &Path, names: &str) {
    let new = dir.join("names.new");
    std::fs::write(&new, names).expect("write the names");
    std::fs::rename(new, dir.join("names")).expect("rename the names");
}

/// How often a name was looked up.
pub(super) fn lookups(dir: &Path, name: &str) -> usize {
    let log = std::fs::read_to_string(dir.join("names.log")).unwrap_or_default();
    log.lines().filter(|line| *line == name).count()
}
