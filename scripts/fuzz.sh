#!/usr/bin/env bash
# Runs every fuzz target for FUZZ_SECONDS (60), or those named as arguments. Needs the nightly
# toolchain and cargo-fuzz, which the other commands do not, so neither is installed here.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "missing: the nightly toolchain. With rustup: rustup toolchain install nightly" >&2
    exit 1
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "missing: cargo-fuzz. cargo install cargo-fuzz --locked" >&2
    exit 1
fi

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    # Not in `for ... in $(...)`: there a failure would look like an empty list.
    list=$(cargo +nightly fuzz list)
    read -r -d '' -a targets <<<"$list" || true
fi
for target in "${targets[@]}"; do
    echo
    echo "== $target"
    # What is found goes to the first folder; the seeds are only read.
    mkdir -p "fuzz/found/$target"
    cargo +nightly fuzz run "$target" "fuzz/found/$target" "fuzz/corpus/$target" -- \
        -dict=fuzz/http.dict -max_total_time="${FUZZ_SECONDS:-60}" -print_final_stats=1
done
