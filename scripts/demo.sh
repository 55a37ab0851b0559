#!/usr/bin/env bash
# Builds and runs the gateway with the repository's tollgate.toml in front of two sample services,
# each a process of its own, and prints requests to try. Ctrl-C stops everything; so does the end
# of any of them. Other ports: PORT=3100 ADMIN_PORT=9100 INVENTORY_PORT=4101 ORDERS_PORT=4102 make demo
# A little traffic gives the dashboard something to show; TRAFFIC=0 leaves it out.
# With TLS=1 (make demo-tls) it makes an authority and a certificate, and clients speak TLS.
set -euo pipefail
cd "$(dirname "$0")/.."

key=demo-key-mobile-app
gateway_port=${PORT:-3000}
admin_port=${ADMIN_PORT:-9000}
inventory_port=${INVENTORY_PORT:-4001}
orders_port=${ORDERS_PORT:-4002}
gateway=http://127.0.0.1:$gateway_port
curl=curl
tls=${TLS:-}
target=${CARGO_TARGET_DIR:-target}/debug
agent=traffic-of-the-demo
scratch=$(mktemp -d)
names=()
pids=()

fail() {
    echo "demo: $*" >&2
    exit 1
}

# The gateway, started last, goes first, so that what is in flight can still be answered.
stop_all() {
    # First of all, lest a second signal ends this script with the others still running.
    trap '' INT TERM HUP
    trap - EXIT
    local running i
    read -r -d '' -a running < <(jobs -p) || true
    # A second Ctrl-C asks again, upon which the gateway does not wait any longer.
    trap 'kill "${running[@]}" 2>/dev/null || true' INT TERM HUP
    for ((i = ${#running[@]} - 1; i >= 0; i--)); do
        kill "${running[i]}" 2>/dev/null || true
        while kill -0 "${running[i]}" 2>/dev/null; do
            wait "${running[i]}" 2>/dev/null || true
        done
    done
    rm -rf "$scratch"
}

start() {
    local name=$1
    shift
    names+=("$name")
    # Its own process group: Ctrl-C reaches only this script, which stops the others in order.
    set -m
    "$@" </dev/null &
    set +m
    pids+=($!)
}

# The access log without the lines of the demo's own traffic. What reads it ends with the gateway.
run_gateway() {
    exec "$target/tollgate" run -c "$config" > >(trap '' INT TERM HUP && exec grep --line-buffered -v "$agent")
}

require_all() {
    local i
    for i in "${!pids[@]}"; do
        if ! kill -0 "${pids[i]}" 2>/dev/null; then
            fail "${names[i]} has stopped; its last words are above"
        fi
    done
}

require_free() {
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
        fail "port $1 is taken; stop what listens there, or choose another: $2=$(($1 + 100)) make demo${tls:+-tls}"
    fi
}

# secure_status PATH [FIELD]: the status of an answer of the gateway through TLS, or nothing.
secure_status() {
    local field=()
    [ -z "${2:-}" ] || field=(-H "$2")
    curl -s -o /dev/null -w '%{http_code}' --cacert "$certificates/ca.pem" "${field[@]}" "$gateway$1" || true
}

# make_certificates: an authority, and what it signs for localhost, as `docs/tls.md` has it.
make_certificates() {
    local key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
    mkdir -p "$certificates"
    (
        cd "$certificates"
        openssl req -x509 "${key[@]}" -days 30 -subj '/CN=Authority of the demo' -keyout ca.key -out ca.pem
        openssl req "${key[@]}" -subj /CN=localhost -keyout site.key -out site.csr
        openssl x509 -req -in site.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
            -extfile <(echo subjectAltName=DNS:localhost,IP:127.0.0.1) -out site.pem
    ) 2>"$scratch/openssl" || fail "openssl: $(cat "$scratch/openssl")"
}

# status PORT PATH [FIELD]: the status of an answer, or nothing.
status() {
    {
        exec 3<>"/dev/tcp/127.0.0.1/$1" &&
            printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n' \
                "$2" "${3:+$3$'\r\n'}" >&3 &&
            read -r -t 5 _ code _ <&3 && echo "$code"
        exec 3>&-
    } 2>/dev/null || true
}

# ask PORT PATH [FIELD]: the same of any of the three, as it is to be spoken with.
ask() {
    if [ -n "$tls" ] && [ "$1" = "$gateway_port" ]; then
        secure_status "$2" "${3:-}"
    else
        status "$@"
    fi
}

# send PATH [FIELD]: one request of the demo's traffic.
send() {
    if [ -n "$tls" ]; then
        curl -s -o /dev/null --cacert "$certificates/ca.pem" -A "$agent" -H "${2:-Accept: */*}" "$gateway$1" || true
    else
        status "$gateway_port" "$1" "User-Agent: $agent${2:+$'\r\n'$2}" >/dev/null
    fi
}

# About three requests a second, nearly all with the demo key: the limits that somebody meets who tries the
# requests below without one stay untouched, for a 401 is not counted.
make_traffic() {
    local n
    for ((n = 0; ; n++)); do
        send /api/inventory/7 "x-api-key: $key"
        send /api/orders "x-api-key: $key"
        ((n % 4)) || send /api/orders
        ((n % 6)) || send "/api/inventory/slow?ms=$((100 + n % 200))" "x-api-key: $key"
        ((n % 15)) || send /api/nowhere "x-api-key: $key"
        sleep 0.8
    done
}

wait_for() {
    local name=$1 port=$2 path=$3 tries
    for ((tries = 0; tries < 100; tries++)); do
        if [ "$(ask "$port" "$path")" = 200 ]; then
            return
        fi
        require_all
        sleep 0.1
    done
    fail "$name does not answer on port $port"
}

trap stop_all EXIT
trap 'exit 0' INT TERM HUP

scripts/needs.sh cc
echo "building (unoptimised: quick to build, slower to run)"
cargo build --locked --bin tollgate --example inventory --example orders

require_free "$gateway_port" PORT
require_free "$admin_port" ADMIN_PORT
require_free "$inventory_port" INVENTORY_PORT
require_free "$orders_port" ORDERS_PORT

config=tollgate.toml
if [ "$gateway_port $admin_port $inventory_port $orders_port" != "3000 9000 4001 4002" ]; then
    config=$scratch/tollgate.toml
    sed "s/:3000\"/:$gateway_port\"/; s/:9000\"/:$admin_port\"/; s/:4001\"/:$inventory_port\"/; s/:4002\"/:$orders_port\"/" \
        tollgate.toml >"$config"
fi

if [ -n "$tls" ]; then
    scripts/needs.sh openssl curl
    certificates=$(realpath -m "${CARGO_TARGET_DIR:-target}/demo-tls")
    gateway=https://localhost:$gateway_port
    curl="curl --cacert $certificates/ca.pem"
    make_certificates
    listen="listen = { address = \"127.0.0.1:$gateway_port\", tls = true }"
    sed "s|^listen = .*|$listen|" "$config" >"$scratch/tls.toml"
    config=$certificates/tollgate.toml
    printf '%s\n\n[[tls.certificates]]\ncert = "site.pem"\nkey  = "site.key"\n' "$(cat "$scratch/tls.toml")" >"$config"
fi

start "the inventory service" "$target/examples/inventory" "$inventory_port"
start "the orders service" "$target/examples/orders" "$orders_port"
wait_for "the inventory service" "$inventory_port" /
wait_for "the orders service" "$orders_port" /
start "the gateway" run_gateway
wait_for "the gateway" "$gateway_port" /health
if [ "$(ask "$gateway_port" /api/orders "x-api-key: $key")" != 200 ]; then
    fail "the demo key does not open /api/orders; is its hash still in tollgate.toml?"
fi

if [ "${TRAFFIC:-1}" != 0 ]; then
    start "the demo's traffic" make_traffic
fi

cat <<END

Tollgate listens on $gateway ($config).
What it does, and why, in a browser: http://127.0.0.1:$admin_port/

Try in another terminal:

  everybody may see the inventory          $curl -i $gateway/api/inventory
  orders need a key: 401                   $curl -i $gateway/api/orders
  a wrong key: 401, on any route           $curl -i -H 'x-api-key: wrong' $gateway/api/inventory
  with the demo key                        $curl -i -H 'x-api-key: $key' $gateway/api/orders
  create one                               $curl -i -H 'x-api-key: $key' -d '{"item":7,"quantity":2}' $gateway/api/orders
  what the service gets to see             $curl -H 'x-api-key: $key' $gateway/api/orders/echo
  ten events, one a second                 $curl -N $gateway/api/inventory/events
  60 a minute without a key, then 429      for i in \$(seq 70); do $curl -s -o /dev/null -w '%{http_code}\n' $gateway/api/inventory; done | uniq -c

The access log follows, without the demo's own traffic. Ctrl-C stops everything.

END

while true; do
    require_all
    # In the background, because a trap waits for what runs in the foreground.
    sleep 0.5 &
    wait $!
done
