#!/usr/bin/env bash
# What a browser makes of the gateway: every test in tests/browser, in headless Chromium. Not a part of
# `make test`, which needs no browser. Without Chromium nothing is tested, and that is said.
set -euo pipefail
cd "$(dirname "$0")/.."

for command in chromium chromedriver python3; do
    if ! command -v "$command" >/dev/null; then
        echo "SKIPPED: the browser tests did not run, for there is no $command." >&2
        echo "On Debian or Ubuntu: sudo apt-get install chromium chromium-driver python3" >&2
        exit 0
    fi
done
cargo build --locked --bin tollgate
for script in tests/browser/test_*.py; do
    echo "== $script"
    python3 "$script" "${CARGO_TARGET_DIR:-target}/debug/tollgate"
done
