#!/usr/bin/env bash
# Builds what is handed out, into target/package: a Debian package, a static program for any Linux,
# and a container image where Docker or Podman runs. As root on Debian the package is then tried.
set -euo pipefail
cd "$(dirname "$0")/.."
out=target/package
mkdir -p "$out"
architecture=$(uname -m)
musl=$architecture-unknown-linux-musl

scripts/needs.sh cc musl-gcc dpkg-deb
cargo deb --version >/dev/null 2>&1 || cargo install cargo-deb --locked

echo "== $out: Debian package"
cargo build --release --locked --bin tollgate
mkdir -p "$out/share"
target/release/tollgate man >"$out/share/tollgate.1"
target/release/tollgate completions bash >"$out/share/tollgate.bash"
target/release/tollgate completions zsh >"$out/share/_tollgate"
target/release/tollgate completions fish >"$out/share/tollgate.fish"
cargo deb --no-build --locked --strip --output "$out/"

echo "== $out: static program"
if ! rustup target list --installed 2>/dev/null | grep -qx "$musl"; then
    rustup target add "$musl"
fi
env "CC_${musl//-/_}=musl-gcc" cargo build --release --locked --bin tollgate --target "$musl"
install -m 0755 "target/$musl/release/tollgate" "$out/tollgate"
strip "$out/tollgate"
if ldd "$out/tollgate" 2>/dev/null | grep -q '=>'; then
    echo "$out/tollgate is not static" >&2
    exit 1
fi
"$out/tollgate" check -c deploy/tollgate.toml

echo "== container image"
install -m 0644 /etc/ssl/certs/ca-certificates.crt "$out/"
if engine=$(command -v podman || command -v docker) && "$engine" info >/dev/null 2>&1; then
    "$engine" build --quiet --file deploy/Containerfile --tag tollgate .
else
    echo "neither Podman nor Docker runs here: no image was built"
fi

if [ "$(id -u)" = 0 ] && command -v dpkg >/dev/null; then
    scripts/package-test.sh "$out"/tollgate_*.deb
else
    echo "not root on Debian: the package was not tried"
fi
ls -l "$out"
