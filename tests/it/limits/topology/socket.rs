//! Redis by a Unix socket.

use tollgate::limit::{RedisTarget, RedisTopology, RedisUrl};

use super::super::client;
use super::super::log::Log;
use super::{PATIENCE, healed, left, store};
use crate::support::redis::Redis;

#[tokio::test(flavor = "local")]
async fn a_socket_with_a_password_and_a_database_is_counted_in_and_found_again() {
    let socket = |folder: &std::path::Path| folder.join("redis.sock").display().to_string();
    let mut redis = Redis::start_with_password_as("p@ss", |_, folder| {
        vec!["--unixsocket".to_owned(), socket(folder)]
    });
    let path = socket(redis.folder());
    let url = RedisUrl::parse(&format!("unix://{path}?db=3")).unwrap();
    let url = url.with_login(None, "p@ss");
    let log = Log::capture();
    let target = RedisTarget::new(&[url], RedisTopology::Single, None).unwrap();
    let store = store(target);
    let limiter = store.for_worker();
    assert!(limiter.wait_ready(PATIENCE).await, "{:?}", log.lines());
    assert_eq!(left(&limiter, &client("caller")).await, Some(999));
    let keyspace: String = redis.ask(&["INFO", "keyspace"]);
    assert!(
        keyspace.contains("db3:") && !keyspace.contains("db0:"),
        "{keyspace}"
    );
    redis.kill();
    redis.restart();
    healed(&limiter, &client("other")).await;
    assert_eq!(left(&limiter, &client("caller")).await, Some(999));
    let lines = log.lines();
    assert!(lines.iter().any(|line| line.contains(&path)), "{lines:?}");
}
