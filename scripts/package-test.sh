#!/usr/bin/env bash
# package-test.sh PACKAGE.deb: installs it on this machine, starts what its unit starts, as the user of
# the unit, and removes it again. It wants root, and a machine that has no Tollgate installed.
set -euo pipefail
package=$1
configuration=/etc/tollgate/tollgate.toml
log=/var/log/tollgate/access.log

fail() {
    echo "package-test: $*" >&2
    exit 1
}

if [ -e "$configuration" ] || dpkg -s tollgate >/dev/null 2>&1; then
    fail "Tollgate is installed here; the test would purge it"
fi
gateway=
removed=
clean_up() {
    [ -z "$gateway" ] || kill "$gateway" 2>/dev/null || true
    [ -n "$removed" ] || dpkg --purge tollgate >/dev/null 2>&1 || true
}
trap clean_up EXIT

DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "$(realpath "$package")" >/dev/null

[ "$(stat -c '%U:%G %a' "$configuration")" = "root:tollgate 640" ] || fail "$configuration: $(stat -c '%U:%G %a' "$configuration")"
[ "$(stat -c '%U %a' /var/log/tollgate)" = "tollgate 750" ] || fail "/var/log/tollgate: $(stat -c '%U %a' /var/log/tollgate)"
for file in /etc/logrotate.d/tollgate /lib/systemd/system/tollgate.service; do
    [ -e "$file" ] || [ -e "/usr$file" ] || fail "$file is missing"
done

# A machine may be told to install no manuals.
excluded=$(cat /etc/dpkg/dpkg.cfg /etc/dpkg/dpkg.cfg.d/* 2>/dev/null | sed -n 's/^path-exclude=//p')
shared=(
    /usr/share/man/man1/tollgate.1.gz
    /usr/share/bash-completion/completions/tollgate
    /usr/share/zsh/vendor-completions/_tollgate
    /usr/share/fish/vendor_completions.d/tollgate.fish
    /usr/share/tollgate/decide.lua
)
for file in "${shared[@]}"; do
    case $file:$excluded in /usr/share/man/*:*/usr/share/man*) continue ;; esac
    [ -s "$file" ] || fail "$file is missing"
done
if [ -e "${shared[0]}" ] && command -v man >/dev/null; then
    man tollgate 2>/dev/null | grep -q explain || fail "man has no page"
fi
# shellcheck disable=SC2016 # for the other shell
completed=$(bash -c '. "$0" && COMP_WORDS=(tollgate expl) COMP_CWORD=1 && _tollgate tollgate expl tollgate && echo "${COMPREPLY[*]}"' "${shared[1]}")
[ "$completed" = explain ] || fail "bash completes expl to: $completed"

# What the unit says, without systemd: this also runs in a container.
sed -i 's/^listen = .*/listen = "127.0.0.1:23471"/' "$configuration"
unit=$(cat /lib/systemd/system/tollgate.service 2>/dev/null || cat /usr/lib/systemd/system/tollgate.service)
before=$(sed -n 's/^ExecStartPre=//p' <<<"$unit")
start=$(sed -n 's/^ExecStart=//p' <<<"$unit")
as_user=(setpriv --reuid=tollgate --regid=tollgate --clear-groups --no-new-privs)
# shellcheck disable=SC2086 # a command with its arguments
"${as_user[@]}" $before || fail "$before"
# shellcheck disable=SC2086
"${as_user[@]}" $start 2>/tmp/tollgate-package-test.log &
gateway=$!
for _ in $(seq 100); do
    curl -sf http://127.0.0.1:23471/health >/dev/null && break
    sleep 0.1
done
curl -sf http://127.0.0.1:23471/health >/dev/null || fail "no answer: $(cat /tmp/tollgate-package-test.log)"
[ "$(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:23471/nothing)" = 404 ] || fail "an unknown path is no 404"

mv "$log" "$log.1"
kill -USR1 "$gateway"
for _ in $(seq 50); do [ -e "$log" ] && break; sleep 0.1; done
[ "$(stat -c '%U %a' "$log")" = "tollgate 640" ] || fail "after SIGUSR1: $(ls -l /var/log/tollgate)"
if command -v logrotate >/dev/null; then logrotate --debug /etc/logrotate.d/tollgate >/dev/null 2>&1 || fail "logrotate refuses its file"; fi

kill -TERM "$gateway"
wait "$gateway" || fail "the end was not clean: $?"
gateway=
[ -s /var/lib/tollgate/limits ] || fail "the counters were not kept: $(ls -l /var/lib/tollgate)"

dpkg --purge tollgate >/dev/null
removed=1
for left in /etc/tollgate /var/log/tollgate /var/lib/tollgate /usr/bin/tollgate "${shared[@]}"; do
    [ ! -e "$left" ] || fail "$left is left after a purge"
done
echo "package-test: installed, started as its user, rotated, stopped, purged"
