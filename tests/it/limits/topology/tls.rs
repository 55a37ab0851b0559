//! TLS: certificates that fit, and some that don't.

use std::sync::Arc;

use jiff::Timestamp;
use tollgate::limit::{Clock, LimitStore, RedisSettings, RedisTarget, RedisTopology};
use tollgate::tls::{Authorities, Certificate, ClientTls, Purpose};

use super::super::client;
use super::super::log::Log;
use super::{DEADLINE, PATIENCE, eventually, healed, left, settings, store, urls};
use crate::support::redis_cluster::Cluster;
use crate::support::redis_tls::Certificates;

/// What trusts the authority of `trusted`, and shows the certificate of `own`.
fn client_tls(trusted: &Certificates, own: Option<&Certificates>) -> ClientTls {
    let certificate = own.map(|own| {
        let (cert, key) = (own.text("client.pem"), own.text("client-key.pem"));
        let (cert, key) = (Some(&*cert), Some(&*key));
        Arc::new(Certificate::read(cert, key, Purpose::Client, Timestamp::now()).unwrap())
    });
    let authorities = Authorities::read(&trusted.text("ca.pem")).unwrap();
    ClientTls::new(Some(&authorities), certificate)
}

fn tls(port: u16, tls: ClientTls) -> RedisTarget {
    let url = format!("rediss://gate:p%40ss@127.0.0.1:{port}/3");
    RedisTarget::new(&urls(&[url]), RedisTopology::Single, Some(tls)).unwrap()
}

#[tokio::test(flavor = "local")]
async fn tls_with_certificates_a_user_a_database_and_a_prefix() {
    let files = Certificates::new();
    let (redis, port) = files.redis();
    let rights = "on >p@ss ~own-prefix:* +eval +evalsha +get +set +time +select +zadd +zcard +zrem \
         +zremrangebyscore +pexpire";
    let command = ["ACL", "SETUSER", "gate"]
        .into_iter()
        .chain(rights.split_whitespace());
    let () = redis.ask(&command.collect::<Vec<_>>());
    let ours = client_tls(&files, Some(&files));
    let settings = RedisSettings {
        key_prefix: "own-prefix".into(),
        ..settings(tls(port, ours))
    };
    let log = Log::capture();
    let store = LimitStore::new(1000, Some(&settings), Clock::system());
    let limiter = store.for_worker();
    assert!(limiter.wait_ready(PATIENCE).await, "{:?}", log.lines());
    assert_eq!(healed(&limiter, &client("caller")).await, 999);
    let keyspace: String = redis.ask(&["INFO", "keyspace"]);
    assert!(
        keyspace.contains("db3:") && !keyspace.contains("db0:"),
        "{keyspace}"
    );
}

#[tokio::test(flavor = "local")]
async fn the_other_scheme_is_told_of() {
    let files = Certificates::new();
    let (redis, tls_port) = files.redis();
    let plain = format!("redis://127.0.0.1:{tls_port}");
    let plain = RedisTarget::new(&urls(&[plain]), RedisTopology::Single, None).unwrap();
    let over_tls = tls(redis.port(), client_tls(&files, Some(&files)));
    for (target, scheme) in [(plain, "`rediss://`"), (over_tls, "`redis://`")] {
        let log = Log::capture();
        let limiter = store(target).for_worker();
        assert!(!limiter.wait_ready(DEADLINE).await);
        eventually(|| log.lines().iter().any(|line| line.contains(scheme))).await;
    }
}

#[tokio::test(flavor = "local")]
async fn tls_that_does_not_fit_is_told_with_its_reason() {
    let (files, others) = (Certificates::new(), Certificates::new());
    let (_redis, port) = files.redis();
    for (tls_files, reason) in [
        (client_tls(&files, None), "certificate"),
        (client_tls(&others, Some(&files)), "UnknownIssuer"),
    ] {
        let log = Log::capture();
        let limiter = store(tls(port, tls_files)).for_worker();
        assert!(!limiter.wait_ready(DEADLINE).await);
        assert_eq!(left(&limiter, &client("caller")).await, None);
        let lines = log.lines();
        let told = lines.iter().find(|line| line.contains("WARN")).unwrap();
        assert!(
            told.to_lowercase().contains(&reason.to_lowercase()),
            "{told}"
        );
        assert!(!told.contains("p@ss") && !told.contains("p%40ss"), "{told}");
    }
}

#[tokio::test(flavor = "local")]
async fn the_nodes_of_a_cluster_lead_to_each_other_over_tls() {
    let files = Certificates::new();
    let servers = Cluster::start_with_tls(&files);
    let ours = client_tls(&files, Some(&files));
    let one = &urls(&servers.tls_urls())[..1];
    let target = RedisTarget::new(one, RedisTopology::Cluster, Some(ours)).unwrap();
    let store = store(target);
    let limiter = store.for_worker();
    assert!(limiter.wait_ready(PATIENCE).await);
    for nth in 0..30 {
        let caller = client(&format!("c{nth}"));
        assert_eq!(healed(&limiter, &caller).await, 999);
    }
    assert!(
        servers.nodes[..3]
            .iter()
            .all(|node| !node.keys().is_empty())
    );
}
