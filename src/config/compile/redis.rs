//! The store of counters that gateways share: where it is, and what TLS to it trusts and shows.

use std::time::Duration;

use crate::config::file::{RedisMode, RedisTable};
use crate::config::problems::{Problem, Problems};
use crate::config::source::At;
use crate::limit::{
    InvalidRedisTarget, InvalidTls, Lease, OnFailure, RedisSettings, RedisTarget, RedisTls,
    RedisTopology, RedisUrl,
};

use super::or;

/// A request that waits longer for Redis is better answered without.
const LONGEST_DEADLINE: Duration = Duration::from_secs(10);

/// Compiles all that is said of Redis.
pub(super) fn compile(table: &RedisTable, problems: &mut Problems) -> Option<RedisSettings> {
    if let Some(deadline) = table.deadline.filter(|at| at.value > LONGEST_DEADLINE) {
        let message = "`limits.redis.deadline` takes at most \"10s\"";
        let problem = Problem::at(deadline.span, message);
        problems.add(problem.label("requests would wait for so long"));
    }
    let target = target(table, problems);
    let key_prefix = key_prefix(table, problems);
    Some(RedisSettings {
        target: target?,
        on_failure: or(table.on_failure, OnFailure::default()),
        deadline: or(table.deadline, Duration::from_millis(25)),
        lease: or(table.lease, Lease::default()),
        key_prefix: key_prefix?,
    })
}

fn target(table: &RedisTable, problems: &mut Problems) -> Option<RedisTarget> {
    let topology = topology(table, problems);
    let written = table.url.as_ref()?;
    let urls = urls(written, problems)?;
    let is_tls = urls.iter().any(RedisUrl::is_tls);
    let tls = tls(table, is_tls, problems);
    if is_tls && tls.is_none() {
        return None;
    }
    match RedisTarget::new(&urls, topology?, tls) {
        Ok(target) => Some(target),
        Err(error) => {
            let place = match error {
                InvalidRedisTarget::Differs(place) => place,
                _ => 0,
            };
            let span = match (error, written.value.get(place)) {
                (InvalidRedisTarget::Several | InvalidRedisTarget::NoUrl, _) | (_, None) => {
                    written.span
                }
                (_, Some(url)) => url.span,
            };
            let message = match error {
                InvalidRedisTarget::NoUrl => "`limits.redis.url` has no address",
                InvalidRedisTarget::Several => "`limits.redis.url` has several addresses",
                _ => "`limits.redis.url` does not go together",
            };
            problems.add(Problem::at(span, message).label(error.to_string()));
            None
        }
    }
}

/// All URLs, if each is one.
fn urls(written: &At<Vec<At<String>>>, problems: &mut Problems) -> Option<Vec<RedisUrl>> {
    let mut urls = Vec::new();
    for url in &written.value {
        match RedisUrl::parse(&url.value) {
            Ok(url) => urls.push(url),
            Err(error) => {
                let message = "`limits.redis.url` is no address of Redis";
                problems.add(Problem::at(url.span, message).label(error.to_string()));
            }
        }
    }
    (urls.len() == written.value.len()).then_some(urls)
}

fn topology(table: &RedisTable, problems: &mut Problems) -> Option<RedisTopology> {
    let mode = or(table.mode, RedisMode::Single);
    let master = table.master.as_ref();
    if mode == RedisMode::Sentinel {
        let Some(master) = master else {
            let span = table.mode?.span;
            let problem = Problem::at(span, "`mode = \"sentinel\"` needs `master`");
            problems.add(problem.help("`master = \"mymaster\"` is the name that Sentinels know"));
            return None;
        };
        let name = &master.value;
        if !(1..=128).contains(&name.len()) || !name.bytes().all(|b| b.is_ascii_graphic()) {
            let message = "`limits.redis.master` takes a name that Sentinels know";
            let label = "1 to 128 characters, without spaces";
            problems.add(Problem::at(master.span, message).label(label));
            return None;
        }
        return Some(RedisTopology::Sentinel {
            master: name.clone(),
        });
    }
    if let Some(master) = master {
        let message = "`limits.redis.master` needs `mode = \"sentinel\"`";
        problems.add(Problem::at(master.span, message));
        return None;
    }
    Some(match mode {
        RedisMode::Cluster => RedisTopology::Cluster,
        _ => RedisTopology::Single,
    })
}

/// What TLS goes by, where the URLs ask for it. Complains about what would not be used.
fn tls(table: &RedisTable, is_tls: bool, problems: &mut Problems) -> Option<RedisTls> {
    if !is_tls {
        needless(table, problems);
        return None;
    }
    let (alone, other) = match (&table.cert, &table.key) {
        (Some(cert), None) => (Some(cert), "key"),
        (None, Some(key)) => (Some(key), "cert"),
        _ => (None, ""),
    };
    if let Some(alone) = alone {
        let message = format!("`limits.redis.{other}` is missing");
        let label = "a certificate and its key go together";
        problems.add(Problem::at(alone.span, message).label(label));
        return None;
    }
    let pem = &table.pem;
    let named = [&table.ca, &table.cert, &table.key];
    let read = [&pem.ca, &pem.cert, &pem.key];
    // What could not be read has been complained about.
    if named
        .iter()
        .zip(read)
        .any(|(named, read)| named.is_some() && read.is_none())
    {
        return None;
    }
    let [ca, cert, key] = read.map(|text| text.as_ref().map(|text| text.value.as_str()));
    match RedisTls::parse(ca, cert.zip(key)) {
        Ok(tls) => Some(tls),
        Err(error) => {
            problems.add(useless(table, &error)?);
            None
        }
    }
}

fn needless(table: &RedisTable, problems: &mut Problems) {
    let named = [
        ("ca", &table.ca),
        ("cert", &table.cert),
        ("key", &table.key),
    ];
    for (key, path) in named {
        if let Some(path) = path {
            let message = format!("`limits.redis.{key}` needs TLS");
            let label = "write `rediss://` in `url`, or leave this out";
            problems.add(Problem::at(path.span, message).label(label));
        }
    }
}

/// The problem of a file that holds something else than it should.
fn useless(table: &RedisTable, error: &InvalidTls) -> Option<Problem> {
    let (key, path) = match error {
        InvalidTls::Cert => ("cert", &table.cert),
        InvalidTls::Key | InvalidTls::Pair => ("key", &table.key),
        InvalidTls::Ca | InvalidTls::NoRoots | InvalidTls::Library(_) => ("ca", &table.ca),
    };
    if let Some(path) = path {
        let message = format!("`limits.redis.{key}` cannot be used");
        return Some(Problem::at(path.span, message).label(error.to_string()));
    }
    let problem = Problem::at(table.url.as_ref()?.span, "there can be no TLS to Redis");
    let problem = problem.label(error.to_string());
    Some(problem.help("`limits.redis.ca` names a file with those to trust"))
}

fn key_prefix(table: &RedisTable, problems: &mut Problems) -> Option<String> {
    let Some(prefix) = &table.key_prefix else {
        return Some("tollgate".to_owned());
    };
    let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':' | b'/');
    let text = &prefix.value;
    if (1..=64).contains(&text.len()) && text.bytes().all(safe) {
        return Some(text.clone());
    }
    let message = "`limits.redis.key_prefix` takes what keys may begin with";
    let label = "1 to 64 characters of A-Z a-z 0-9 . _ - : /";
    problems.add(Problem::at(prefix.span, message).label(label));
    None
}
