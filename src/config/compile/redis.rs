//! The store of counters that gateways share: where it is, and what TLS to it trusts and shows.

use std::sync::Arc;

use crate::config::file::{RedisKeys, RedisMode};
use crate::config::problems::{Problem, Problems};
use crate::limit::{InvalidRedisTarget, RedisSettings, RedisTarget, RedisTopology, RedisUrl};
use crate::tls::{Certificate, ClientTls, Purpose};

use super::client_tls::{ClientFiles, Servers};

/// Compiles all that is said of Redis. A certificate that it is shown already is taken as it is.
pub(super) fn compile(
    keys: &RedisKeys,
    served: Option<&Arc<Certificate>>,
    problems: &mut Problems,
) -> Option<RedisSettings> {
    Some(RedisSettings {
        target: target(keys, served, problems)?,
        on_failure: *keys.on_failure,
        deadline: keys.deadline.0,
        lease: *keys.lease,
        key_prefix: keys.key_prefix.0.clone(),
    })
}

fn target(
    keys: &RedisKeys,
    served: Option<&Arc<Certificate>>,
    problems: &mut Problems,
) -> Option<RedisTarget> {
    let topology = topology(keys, problems);
    let urls = urls(keys, problems);
    let is_tls = urls.iter().any(RedisUrl::is_tls);
    let tls = tls(keys, is_tls, served, problems);
    let made = match (is_tls, tls) {
        // What is wrong with it has been said; the rest is not to wait for that.
        (true, None) => RedisTarget::check(&urls, &topology).map(|()| None),
        (_, tls) => RedisTarget::new(&urls, topology, tls).map(Some),
    };
    made.unwrap_or_else(|error| {
        let span = match error {
            InvalidRedisTarget::Differs(place) => keys.url.get(place).map(|url| url.span),
            _ => None,
        };
        let message = "`limits.redis.url` does not fit the rest";
        let problem = Problem::at(span.unwrap_or(keys.url.span), message);
        problems.add(problem.label(error.to_string()));
        None
    })
}

/// The URLs, with the user and the password that stand beside them.
fn urls(keys: &RedisKeys, problems: &mut Problems) -> Vec<RedisUrl> {
    let mut urls = Vec::new();
    for url in keys.url.iter() {
        if let Some(parsed) = &url.url {
            urls.push((parsed.clone(), url.span));
        } else {
            let message = "of several addresses of Redis none may be empty";
            problems.add(Problem::at(url.span, message));
        }
    }
    let (username, password) = (keys.username.written(), keys.password.written());
    let Some(password) = password else {
        if let Some(username) = username {
            let message = "`limits.redis.username` needs `password`";
            problems.add(Problem::at(username.span, message));
        }
        return urls.into_iter().map(|(url, _)| url).collect();
    };
    if let Some((_, span)) = urls.iter().find(|(url, _)| url.has_login()) {
        let message = "`limits.redis.url` has a user or a password, and so has the table";
        let problem = Problem::at(*span, message).also(password.span, "the other one");
        problems.add(problem.help("write them in one place"));
        return urls.into_iter().map(|(url, _)| url).collect();
    }
    let username = username.map(|username| username.0.as_str());
    let urls = urls.into_iter();
    urls.map(|(url, _)| url.with_login(username, &password.0))
        .collect()
}

/// What stands behind the URLs, or what seems to be meant.
fn topology(keys: &RedisKeys, problems: &mut Problems) -> RedisTopology {
    let sentinel = |master: &str| RedisTopology::Sentinel {
        master: master.to_owned(),
    };
    match (*keys.mode, keys.master.written()) {
        (RedisMode::Sentinel, Some(master)) => {
            if (1..=128).contains(&master.len()) && master.bytes().all(|b| b.is_ascii_graphic()) {
                return sentinel(&master);
            }
            let message = "`limits.redis.master` takes a name that Sentinels know";
            let label = "1 to 128 characters, without spaces";
            problems.add(Problem::at(master.span, message).label(label));
            sentinel(&master)
        }
        (RedisMode::Sentinel, None) => {
            let problem = Problem::at(keys.mode.span, "`mode = \"sentinel\"` needs `master`");
            problems.add(problem.help("`master = \"mymaster\"` is the name that Sentinels know"));
            sentinel("")
        }
        (_, Some(master)) => {
            let message = "`limits.redis.master` needs `mode = \"sentinel\"`";
            problems.add(Problem::at(master.span, message));
            sentinel(&master)
        }
        (RedisMode::Cluster, None) => RedisTopology::Cluster,
        (RedisMode::Single, None) => RedisTopology::Single,
    }
}

/// What TLS goes by, where the URLs ask for it. Reports what would not be used.
fn tls(
    keys: &RedisKeys,
    is_tls: bool,
    served: Option<&Arc<Certificate>>,
    problems: &mut Problems,
) -> Option<ClientTls> {
    let files = ClientFiles {
        table: "limits.redis",
        ca: keys.ca.written(),
        cert: keys.cert.written(),
        key: keys.key.written(),
    };
    if !is_tls {
        files.refuse("rediss://", "url", problems);
        return None;
    }
    let servers = Servers {
        noun: "Redis with `rediss://`",
        purpose: Purpose::Redis,
        are_verified: true,
        named_at: Some(keys.url.span),
    };
    let served: Vec<_> = served.into_iter().map(Arc::clone).collect();
    files.compile(servers, &served, problems)
}
