# Each target is one command that a newcomer may want. `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help demo demo-tls test browser-test metrics-test bars screenshots fmt lint doc deny package fuzz bench bench-idle bench-stream sim

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run the gateway in front of two sample services, with requests to try
	@exec scripts/demo.sh

demo-tls: ## the same with TLS: makes an authority and a certificate
	@TLS=1 exec scripts/demo.sh

test: ## check everything that must hold: formatting, lints, documentation, all tests
	@exec scripts/test.sh

browser-test: ## what a page in headless Chromium can do and read; skipped, loudly, without Chromium
	@exec scripts/browser-test.sh

metrics-test: ## metrics in Prometheus, its parsers and promtool; skipped, loudly, without them
	@exec scripts/metrics-test.sh

# Release, for so many requests would take a debug build minutes.
bars: ## the tests of counts, names and spans with the numbers that are promised: 100,000 requests, 30 s without a collector
	TOLLGATE_COUNTED=100000 TOLLGATE_DISTINCT=100000 TOLLGATE_AWAY_SECONDS=30 \
	cargo test --release --locked --test it -- metrics:: traces::outage

screenshots: ## the pictures of the dashboard in docs/, after MINUTES (5) of traffic; needs chromium
	@scripts/needs.sh chromium chromedriver python3
	cargo build --locked --bin tollgate
	@python3 scripts/screenshots.py "$${CARGO_TARGET_DIR:-target}"/debug/tollgate

fmt: ## format the code
	cargo fmt --all

lint: ## run clippy, warnings denied
	cargo clippy --locked --all-targets -- -D warnings

doc: ## build the documentation of the code
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

deny: ## check licences, sources and duplicates of the dependencies (installs cargo-deny)
	@cargo deny --version >/dev/null 2>&1 || cargo install cargo-deny --locked
	cargo deny --locked check bans licenses sources

package: ## build what is handed out: a Debian package, a static program, an image
	@exec scripts/package.sh

fuzz: ## run every fuzz target for FUZZ_SECONDS (60); needs nightly and cargo-fuzz
	@exec scripts/fuzz.sh

bench: bench-peers bench-build ## compare with nginx and a TCP forwarder; with Redis: Traefik, Node
	@python3 bench/run.py
	@python3 bench/idle.py

bench-idle: bench-build ## only the memory of idle connections
	@python3 bench/idle.py

bench-stream: bench-build ## 1 GiB each way, in clear and through TLS: identical bytes, bounded memory
	@python3 bench/stream.py

bench-slow: bench-build ## 6,000 slow clients beside a few good ones: cut in time, in bounded memory
	@python3 bench/slow.py

bench-keys: bench-build ## 100,000 client keys beside ten
	@python3 bench/keys.py

bench-fleet: ## four gateways on one Redis: exact, few calls, calm while Redis is frozen
	@scripts/needs.sh cc python3 redis-server
	cargo build --release --locked --bin tollgate --example bench_upstream --example bench_load
	@python3 bench/fleet.py

bench-tls: bench-build ## TLS beside nginx and HAProxy: requests, handshakes, memory
	@scripts/needs.sh haproxy openssl wrk
	@python3 bench/tls.py

bench-bars: bench-build ## failures for a minute each, and 20 hand-overs under load: half an hour
	@SECONDS=60 python3 bench/failing.py
	HAND_OVERS=20 cargo test --locked --test it hand_over::load -- --nocapture

bench-failing: bench-build ## services that are killed, hang, reset, answer 503 or crawl, under load
	@python3 bench/failing.py

bench-limits: ## what one decision of the store in the process takes, in time and memory
	cargo test --release --locked --lib how_long_a_million -- --ignored --nocapture
	cargo run --release --locked --example limit_bench

bench-observe: bench-build ## what metrics, traces, scrapes and viewers cost; durations and names checked
	cargo build --release --locked --example bench_load
	@scripts/needs.sh wrk
	@python3 bench/observe.py

# Only the model itself is optimised, so that nothing else has to be built anew for it.
sim: ## model what 1,000 gateways ask of Redis Cluster; SIM="--name value ..." assumes otherwise
	cargo rustc --locked --quiet --example fleet -- -C opt-level=3 -C debug-assertions=off
	@"$${CARGO_TARGET_DIR:-target}"/debug/examples/fleet $(SIM)

.PHONY: bench-bars bench-failing bench-fleet bench-slow bench-keys bench-limits bench-observe bench-peers bench-build sim
bench-peers:
	@bench/peers.sh

bench-build:
	@scripts/needs.sh cc python3 nginx
	cargo build --release --locked --bin tollgate --example tcp_forwarder --example bench_upstream
