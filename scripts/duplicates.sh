#!/usr/bin/env bash
# Fails when the program would contain two versions of one crate that deny.toml does not name.
# cargo-deny says the same and more (make deny); this needs nothing but cargo.
set -euo pipefail
cd "$(dirname "$0")/.."

duplicates=$(
    cargo tree --locked --duplicates --edges normal --depth 0 --prefix none 2>/dev/null |
        awk 'NF { sub(/^v/, "", $2); print $1 "@" $2 }' | sort -u
)
unnamed=0
while read -r duplicate; do
    if [ -n "$duplicate" ] && ! grep -qF "crate = \"$duplicate\"" deny.toml; then
        echo "one crate in several versions: $duplicate is not named in deny.toml" >&2
        unnamed=1
    fi
done <<<"$duplicates"
exit $unnamed
