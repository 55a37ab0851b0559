#!/usr/bin/env bash
# What others make of the gateway's metrics: the official Python parsers, promtool, and a real Prometheus that
# asks what the dashboard for Grafana asks. Not a part of `make test`, which needs none of them. Without them
# nothing is tested, and that is said.
set -euo pipefail
cd "$(dirname "$0")/.."

for command in prometheus promtool redis-server python3; do
    if ! command -v "$command" >/dev/null; then
        echo "SKIPPED: the metrics tests did not run, for there is no $command." >&2
        echo "On Debian or Ubuntu: sudo apt-get install prometheus redis-server python3" >&2
        exit 0
    fi
done
if ! python3 -c 'import google.protobuf, prometheus_client.openmetrics' 2>/dev/null; then
    echo "SKIPPED: the metrics tests did not run, for Python has no prometheus_client or no protobuf." >&2
    echo "In a virtual environment: pip install prometheus_client protobuf" >&2
    exit 0
fi
cargo build --locked --bin tollgate
PYTHONDONTWRITEBYTECODE=1 python3 tests/metrics/check.py "${CARGO_TARGET_DIR:-target}/debug/tollgate"
