#!/usr/bin/env bash
# Everything that must hold before a change lands. The first step that fails ends it, by name.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
    local name=$1
    shift
    echo
    echo "== $name"
    "$@" || {
        echo
        echo "make test: failed at: $name" >&2
        exit 1
    }
}

step "needs" scripts/needs.sh cc rustfmt clippy redis-server pebble curl openssl node
step "formatting" cargo fmt --all --check
step "lints" make --no-print-directory lint
# Compiled, so that they can be run when they are needed; not linked, so without libFuzzer's C++.
step "fuzz targets" env CUSTOM_LIBFUZZER_PATH=unused/unused.a \
    cargo check --locked --manifest-path fuzz/Cargo.toml --target-dir "${CARGO_TARGET_DIR:-target}"
step "documentation" make --no-print-directory doc
step "one version of each crate" scripts/duplicates.sh
# Last the largest suite, so that the output ends with its result.
step "documentation tests" cargo test --locked --doc
# They wait for timers and processes more than they compute.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-8}
step "tests" cargo test --locked --lib --bins --tests
