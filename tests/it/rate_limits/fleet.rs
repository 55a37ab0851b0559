//! A fleet on one Redis under more than ten clients may send, all at once: what is admitted is the
//! limit, whichever gateway is asked. `make bench-fleet` does the same with more of everything.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::thread::ScopedJoinHandle;

use crate::support::redis::Redis;
use crate::support::{Gateway, Request, Upstream, hash_of};

const GATEWAYS: usize = 4;
const CONNECTIONS: usize = 64;
const OFFERED: usize = 10;

/// Clients and the limits of each. A client's key is its name.
const CLIENTS: [(&str, usize); 10] = [
    ("a", 10),
    ("b", 100),
    ("c", 1000),
    ("d", 10),
    ("e", 100),
    ("f", 100),
    ("g", 10),
    ("h", 100),
    ("i", 10),
    ("j", 100),
];

fn config(service: &Upstream, redis: &Redis, lease: &str) -> String {
    let mut text = format!(
        "[routes]\n\"/\" = \"{}\"\n[access]\nprotected = [\"/\"]\n",
        service.url()
    );
    for limit in [10, 100, 1000] {
        let _ = writeln!(
            text,
            "[limits.tiers.per-{limit}]\nrequests = {limit}\nper = \"10m\""
        );
    }
    for (client, limit) in CLIENTS {
        let key = hash_of(client);
        let _ = writeln!(
            text,
            "[clients.{client}]\nkeys = [\"{key}\"]\ntier = \"per-{limit}\""
        );
    }
    // What Redis does not decide would be refused with 503: nothing here is about missing it.
    format!(
        "{text}[limits.redis]\nurl = \"{}\"\nlease = \"{lease}\"\ndeadline = \"8s\"\non_failure = \"closed\"\n",
        redis.url()
    )
}

/// Offers each client ten times its limit at least, over connections to all gateways, each of which
/// sends the requests of all clients in turns; returns how many of each were admitted.
fn admitted(lease: &str) -> BTreeMap<&'static str, usize> {
    let (redis, service) = (Redis::start(), Upstream::echo());
    let config = config(&service, &redis, lease);
    let gateways: Vec<Gateway> = (0..GATEWAYS).map(|_| Gateway::start(&config)).collect();
    let each = |limit: usize| (limit * OFFERED).div_ceil(CONNECTIONS);
    let rounds = CLIENTS.iter().map(|(_, limit)| each(*limit)).max();
    let requests = CLIENTS.map(|(client, _)| Request::get("/x").field("x-api-key", client));
    let one = |gateway: &Gateway| {
        let mut connection = gateway.connect();
        let mut admitted = [0; CLIENTS.len()];
        for round in 0..rounds.unwrap_or_default() {
            for (nth, (_, limit)) in CLIENTS.iter().enumerate() {
                if round < each(*limit) {
                    let response = connection.ask_among_many(&requests[nth]);
                    match response.status {
                        200 => admitted[nth] += 1,
                        _ => _ = response.is_refusal(429, "rate_limited"),
                    }
                }
            }
        }
        admitted
    };
    let counts: Vec<_> = std::thread::scope(|scope| {
        let gateways = gateways.iter().cycle().take(CONNECTIONS);
        let connections: Vec<_> = gateways
            .map(|gateway| scope.spawn(|| one(gateway)))
            .collect();
        let ended = connections.into_iter().map(ScopedJoinHandle::join);
        ended.map(|one| one.expect("a connection")).collect()
    });
    let all = CLIENTS.iter().enumerate();
    all.map(|(nth, (client, _))| (*client, counts.iter().map(|count| count[nth]).sum()))
        .collect()
}

#[test]
fn without_leases_each_client_gets_its_limit_to_the_request() {
    assert_eq!(admitted("off"), CLIENTS.into());
}

#[test]
fn with_leases_no_client_gets_more_than_its_limit_and_little_is_stranded() {
    let admitted = admitted("auto");
    for (client, limit) in CLIENTS {
        let count = admitted[client];
        assert!(
            (limit * 9 / 10..=limit).contains(&count),
            "{client}: {count} of {limit}; {admitted:?}"
        );
    }
}
