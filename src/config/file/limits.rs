//! `[limits]` with its tiers, policies and Redis.

use std::time::Duration;

use crate::config::keys::{List, Map, Number, table};
use crate::config::kinds::{FilePath, KeyPrefix, Name, RedisAddress, Secret, TextFile, Within};
use crate::limit::{By, Lease, LimitHeaders, MAX_REQUESTS, Mode, OnFailure};
use crate::words::words;

/// The longest window, in milliseconds.
const YEAR: u64 = 366 * 24 * 3_600_000;

table! {
    /// How much callers may ask for.
    LimitsKeys {
        /// For each address without a key. Absent: not limited.
        anonymous: Option<LimitKeys>;
        /// For each client, all its keys together. Absent: not limited.
        identified: Option<LimitKeys>;
        /// For requests with wrong keys, for each address: beyond it they get 429 instead of 401. A
        /// right key passes. Absent: not limited.
        invalid_keys: Option<LimitKeys>;
        /// For each client of that tier, instead of `identified`. No tier is called `anonymous`,
        /// `identified` or `invalid_keys`.
        tiers: Map<Name, LimitKeys> = Map::default();
        /// Limits of routes, which list them under `limits`. None is called `anonymous`,
        /// `identified`, `invalid_keys` or as a tier is: they would share counters.
        policies: Map<Name, PolicyKeys> = Map::default();
        /// Which fields tell callers about their limit: `RateLimit` (`standard`), `X-RateLimit`
        /// (`legacy`), both or none.
        headers: LimitHeaders = LimitHeaders::Standard;
        /// IPv6 addresses are counted together by so many leading bits.
        ipv6_prefix: Number<1, 128> = Number(64);
        /// How many counters this process holds at most.
        max_keys: Number<1, 1_000_000_000> = Number(1_000_000), restart;
        /// A file in which this process keeps its counters over a restart. Absent: they end with it.
        state_file: Option<FilePath>, restart;
        /// Where gateways that share their counters keep them. Absent: in this process.
        redis: Option<RedisKeys>, restart;
    }
}

table! {
    /// So many requests in so long a window.
    LimitKeys {
        /// How many requests a window takes.
        requests: Number<1, MAX_REQUESTS>;
        /// How long a window is: whole seconds.
        per: Within<1000, YEAR, 1000>;
        /// How requests are counted. `fixed-window`: a window begins with the first request in it.
        /// `sliding-window`: the window before counts, too, the less the longer it is past.
        /// `token-bucket`: a bucket is filled steadily, `requests` per `per`.
        algorithm: Algorithm = Algorithm::FixedWindow;
        /// What a full bucket holds, and so the most that is admitted at one moment. Absent: as much
        /// as `requests`. Of a token bucket only.
        burst: Option<Number<1, MAX_REQUESTS>>;
    }
}

table! {
    /// A limit with a name, for routes.
    PolicyKeys {
        ..limit: LimitKeys;
        /// Who shares a counter. `client`: a client with all its keys, or the address of an anonymous
        /// caller. `ip`: an address, whoever calls from there. `route`: everybody who uses a route
        /// of the same prefix.
        by: By = By::Client;
        /// `enforce` refuses. `shadow` counts and never refuses; the access log has `shadow` where it
        /// would have.
        mode: Mode = Mode::Enforce;
        /// What happens to requests while Redis does not answer, as far as this policy goes. Absent:
        /// as `limits.redis.on_failure` says.
        on_failure: Option<OnFailure>;
    }
}

table! {
    /// The store that gateways share.
    RedisKeys {
        /// `redis://[user:password@]host[:port][/database]`, `rediss://` for TLS, or
        /// `unix:///path[?db=database]` for a socket of this machine. Never logged with its password. An empty one, as of a variable that is not set, is none: counters live in the
        /// process then. Of several, user, password and database stand in the first; the others may
        /// repeat them.
        url: List<RedisAddress>;
        /// The user to log in as, if `url` does not say it. It needs `password`.
        username: Option<Secret>;
        /// The password, if `url` does not say it. Any characters, without escapes. Never logged.
        password: Option<Secret>;
        /// What answers at `url`: one Redis, Sentinels that know where it is, or nodes of a cluster.
        /// The last two may be several.
        mode: RedisMode = RedisMode::Single;
        /// The name by which the Sentinels know the master. With `mode = "sentinel"`, and only then.
        master: Option<String>;
        /// What happens while Redis does not answer. `local`: each gateway counts its share of a limit
        /// in its process. `open`: everything is admitted. `closed`: everything is refused with 503.
        on_failure: OnFailure = OnFailure::Local;
        /// The longest that a request waits for Redis, at most `10s`.
        deadline: Within<1, 10_000, 1> = Within(Duration::from_millis(25));
        /// What the keys of counters begin with.
        key_prefix: KeyPrefix = KeyPrefix("tollgate".to_owned());
        /// Whether permits of busy callers may be taken several at a time. `off`: each request asks.
        lease: Lease = Lease::Auto;
        /// With `rediss://`: a file in PEM with the authorities to trust. Absent: the platform's.
        ca: Option<TextFile>;
        /// With `rediss://`: a file in PEM with the certificate to show. It needs `key`.
        cert: Option<TextFile>;
        /// With `rediss://`: a file in PEM with the key of `cert`.
        key: Option<TextFile>;
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
