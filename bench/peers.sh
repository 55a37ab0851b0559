#!/usr/bin/env bash
# peers.sh: makes sure that what `make bench` compares Tollgate with is there. Names in PROXIES
# (all, without it) say which; one that cannot be installed is named, and this fails. Traefik goes
# below target/, the Node gateway's packages to bench/node/node_modules.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}/bench

wanted() {
    case ",${PROXIES:-$1}," in
        *",$1,"*) ;;
        *) return 1 ;;
    esac
}

fail() {
    echo "bench: $1 cannot be installed; PROXIES=... leaves it out (see bench/README.md)" >&2
    exit 1
}

# Installs once for each version of the file that says what: the copy of it is written last.
current() {
    cmp -s "$1" "$2"
}

traefik() {
    scripts/needs.sh python3-venv
    current bench/traefik.txt "$target/traefik/installed" && return
    echo "installing Traefik"
    rm -rf "$target/traefik"
    mkdir -p "$target"
    python3 -m venv "$target/traefik"
    "$target/traefik/bin/pip" install --quiet --disable-pip-version-check --require-hashes \
        --only-binary :all: --no-deps -r bench/traefik.txt
    "$target/traefik/bin/traefik" version >/dev/null
    cp bench/traefik.txt "$target/traefik/installed"
}

node_gateway() {
    scripts/needs.sh node npm
    current bench/node/package-lock.json bench/node/node_modules/installed && return
    echo "installing the Node gateway's packages"
    npm ci --prefix bench/node --no-audit --no-fund --loglevel=error
    cp bench/node/package-lock.json bench/node/node_modules/installed
}

# Each in a shell of its own: `set -e` would not hold in a function that `||` follows.
attempt() {
    set +e
    (set -e; "$1")
    local status=$?
    set -e
    [ $status -eq 0 ] || fail "$2"
}

needs=()
if wanted nginx; then needs+=(nginx); fi
case ${PROXIES:-redis} in *redis*) needs+=(redis-server) ;; esac
scripts/needs.sh python3 wrk "${needs[@]}"
if wanted traefik-redis; then attempt traefik Traefik; fi
if wanted node-redis; then attempt node_gateway "the Node gateway"; fi
