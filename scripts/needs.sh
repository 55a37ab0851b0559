#!/usr/bin/env bash
# needs.sh COMMAND...: makes sure that the commands exist. What is missing is installed where that
# is possible without asking (Debian or Ubuntu, as root); elsewhere it is named, and this fails.
set -euo pipefail

# The Debian package that has a command.
package_of() {
    case $1 in
        cc) echo gcc ;;
        musl-gcc) echo musl-tools ;;
        dpkg-deb) echo dpkg ;;
        node) echo nodejs ;;
        chromedriver) echo chromium-driver ;;
        *) echo "$1" ;;
    esac
}

has() {
    # Debian's python3 lacks a part of the module until this package is there; it is no command.
    if [ "$1" = python3-venv ]; then
        python3 -c 'import ensurepip' 2>/dev/null
        return
    fi
    # A service's program may live in sbin, which is not on everybody's path.
    PATH=$PATH:/usr/sbin:/usr/local/sbin command -v "$1" >/dev/null
}

# A rustup proxy exists also when its component does not, so ask the component itself.
for component in rustfmt clippy; do
    case " $* " in
        *" $component "*) ;;
        *) continue ;;
    esac
    if ! cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1; then
        echo "missing: $component. With rustup: rustup component add $component" >&2
        exit 1
    fi
done

missing=()
packages=()
for command in "$@"; do
    case $command in rustfmt | clippy) continue ;; esac
    if ! has "$command"; then
        missing+=("$command")
        packages+=("$(package_of "$command")")
    fi
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "missing: ${missing[*]}" >&2
    echo "On Debian or Ubuntu: sudo apt-get install ${packages[*]}" >&2
    exit 1
fi

echo "installing ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq --no-install-recommends "${packages[@]}" >/dev/null
for command in "${missing[@]}"; do
    if ! has "$command"; then
        echo "installed ${packages[*]}, but $command is still missing" >&2
        exit 1
    fi
done
