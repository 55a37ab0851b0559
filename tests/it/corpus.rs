//! The seeds of the fuzz targets, put through what the targets call: an input that once found a
//! fault, or that is there to find one, is tried by every run of the tests.

#[expect(
    unreachable_pub,
    reason = "it is public where the fuzz targets call it"
)]
#[path = "../../fuzz/src/invariants/mod.rs"]
pub(crate) mod invariants;

use std::path::Path;

/// Tries every seed of a target, and names the one that fails.
fn replay(target: &str, check: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let seeds = std::fs::read_dir(corpus.join(target)).expect("there are seeds");
    let mut tried = 0;
    for seed in seeds {
        let seed = seed.expect("it can be listed").path();
        let bytes = std::fs::read(&seed).expect("it can be read");
        let outcome = std::panic::catch_unwind(|| check(&bytes));
        assert!(outcome.is_ok(), "{}", seed.display());
        tried += 1;
    }
    assert!(tried > 10, "{target} has {tried} seeds");
}

#[test]
fn heads() {
    replay("head", invariants::head::check);
}

#[test]
fn framing() {
    replay("framing", invariants::framing::check);
}

#[test]
fn chunks() {
    replay("chunks", invariants::chunks::check);
}

#[test]
fn paths() {
    replay("path", invariants::path::check);
}

#[test]
fn configurations() {
    replay("config", invariants::config::check);
}

#[test]
fn header_rules() {
    replay("header_rules", invariants::header_rules::check);
}
