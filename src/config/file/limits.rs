//! `[limits]` with its tiers, policies and Redis.

use std::time::Duration;

use crate::config::keys::{List, Map, Number, table};
use crate::config::kinds::{
    FilePath, KeyPrefix, Name, RedisAddress, ReloadedPem, Secret, Within, limit_in_words,
};
use crate::limit::{By, Lease, LimitHeaders, MAX_REQUESTS, MAX_WINDOW, Mode, OnFailure};
use crate::words::words;

/// In milliseconds.
const LONGEST: u64 = MAX_WINDOW.as_secs() * 1000;

table! {
    /// How many requests callers may make.
    LimitsKeys, such as r#"anonymous = { requests = 60, per = "1m" }"# {
        /// For each address without a key. Absent: not limited.
        anonymous: Option<LimitKeys>;
        /// For each client, all its keys together. Absent: not limited.
        identified: Option<LimitKeys>;
        /// For requests with wrong keys, for each address: above the limit they get 429 instead of 401.
        /// Requests with a right key are not affected. Absent: not limited.
        invalid_keys: Option<LimitKeys>;
        /// For each client of that tier, instead of `identified`. A tier cannot be called `anonymous`,
        /// `identified` or `invalid_keys`.
        tiers: Map<Name, LimitKeys> = Map::default();
        /// Limits that routes list under `limits`. A policy cannot be called `anonymous`, `identified` or
        /// `invalid_keys`, nor have the name of a tier: they would share counters.
        policies: Map<Name, PolicyKeys> = Map::default();
        /// Which header fields report the limit to callers: `RateLimit` (`standard`), `X-RateLimit`
        /// (`legacy`), both or none.
        headers: LimitHeaders = LimitHeaders::Standard;
        /// How many leading bits of an IPv6 address count: addresses with the same ones share a counter.
        ipv6_prefix: Number<1, 128> = Number(64);
        /// The most counters that this process holds.
        max_keys: Number<1, 1_000_000_000> = Number(1_000_000), restart;
        /// A file in which this process saves its counters for the next start. Absent: they are lost when
        /// it stops.
        state_file: Option<FilePath>, restart;
        /// The Redis in which several gateways share their counters. Absent: each process counts for
        /// itself.
        redis: Option<RedisKeys>, restart;
    }
}

table! {
    /// A number of requests in a window of time.
    LimitKeys, otherwise limit_in_words, such as r#"requests = 60, per = "1m""# {
        /// How many requests a window admits.
        requests: Number<1, MAX_REQUESTS>;
        /// How long a window lasts, in whole seconds.
        per: Within<1000, LONGEST, 1000>;
        /// How requests are counted. `fixed-window`: a window begins with the first request in it.
        /// `sliding-window`: the previous window counts, too, with a weight that falls as time passes.
        /// `token-bucket`: a bucket is refilled steadily, `requests` per `per`.
        algorithm: Algorithm = Algorithm::FixedWindow;
        /// What a full bucket holds: the most requests that are admitted at one moment. Absent: the same
        /// as `requests`. Only with `token-bucket`.
        burst: Option<Number<1, MAX_REQUESTS>>;
    }
}

table! {
    /// A limit with a name, for routes.
    PolicyKeys, otherwise limit_in_words, such as r#"requests = 60, per = "1m""# {
        ..limit: LimitKeys;
        /// Who shares a counter. `client`: a client with all its keys, or the address of an anonymous
        /// caller. `ip`: all callers from one address. `route`: all callers of routes with the same
        /// prefix.
        by: By = By::Client;
        /// `enforce` refuses. `shadow` counts and never refuses; the access log has `shadow` for requests
        /// that it would have refused.
        mode: Mode = Mode::Enforce;
        /// What this policy does while Redis does not answer. Absent: the same as
        /// `limits.redis.on_failure`.
        on_failure: Option<OnFailure>;
    }
}

table! {
    /// The store that gateways share.
    RedisKeys, such as r#"url = "redis://127.0.0.1:6379""# {
        /// `redis://[user:password@]host[:port][/database]`, `rediss://` for TLS, or
        /// `unix:///path[?db=database]` for a socket of this machine. Never logged with its password. If
        /// it is empty, as from a variable that is not set, Redis is not used and each process counts for
        /// itself. Of several URLs the first has the user, password and database; the others may repeat
        /// them.
        url: List<RedisAddress>;
        /// The user to log in as, if `url` does not say it. It needs `password`.
        username: Option<Secret>;
        /// The password, if `url` does not say it. Any characters, without escapes. Never logged.
        password: Option<Secret>;
        /// What answers at `url`: one Redis, Sentinels that know where it is, or nodes of a cluster. For
        /// the last two, `url` may be a list.
        mode: RedisMode = RedisMode::Single;
        /// The name by which the Sentinels know the master. With `mode = "sentinel"`, and only then.
        master: Option<String>;
        /// What happens while Redis does not answer. `local`: each gateway counts its share of a limit
        /// in its process. `open`: everything is admitted. `closed`: everything is refused with 503.
        on_failure: OnFailure = OnFailure::Local;
        /// The longest time that a request waits for Redis, at most `10s`.
        deadline: Within<1, 10_000, 1> = Within(Duration::from_millis(25));
        /// What the keys of counters begin with.
        key_prefix: KeyPrefix = KeyPrefix("tollgate".to_owned());
        /// Whether several permits may be taken from Redis at once for a busy caller. `off`: each request
        /// asks Redis.
        lease: Lease = Lease::Auto;
        /// With `rediss://`: a file in PEM with the authorities to trust. Absent: the platform's.
        ca: Option<ReloadedPem>;
        /// With `rediss://`: a file in PEM with the certificate to show. It needs `key`.
        cert: Option<ReloadedPem>;
        /// With `rediss://`: a file in PEM with the key of `cert`.
        key: Option<ReloadedPem>;
    }
}

impl RedisKeys {
    /// Whether its address is empty, as that of a variable may be: there is none then.
    pub(in crate::config) fn is_off(&self) -> bool {
        !self.url.is_empty() && self.url.iter().all(|url| url.url.is_none())
    }
}

words! {
    /// How a limit is counted.
    pub(in crate::config) enum Algorithm {
        FixedWindow = "fixed-window",
        SlidingWindow = "sliding-window",
        TokenBucket = "token-bucket",
    }

    /// What stands behind Redis' address.
    pub(in crate::config) enum RedisMode {
        Single = "single",
        Sentinel = "sentinel",
        Cluster = "cluster",
    }
}
