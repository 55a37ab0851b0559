//! Connections to Redis that end, are late or are refused: what costs no request, and what the log
//! says.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::pin::pin;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::sleep;
use tollgate::limit::{Clock, LimitStore, Limiter, RedisSettings};

use super::log::Log;
use super::outage::{eventually, poll_once};
use super::store::{settings, single};
use super::{MINUTE, ask_one, client, decided, is_degraded, policy};
use crate::support::redis::Redis;
use crate::support::redis_cluster::Cluster;

const PATIENCE: Duration = Duration::from_secs(20);

/// So long a connection has lasted whose end is nothing to speak of.
const LASTED: Duration = Duration::from_millis(1100);

/// Redis keeps it on a machine that has other things to do.
const DEADLINE: Duration = Duration::from_millis(500);

fn limiter(settings: &RedisSettings) -> Limiter {
    LimitStore::new(1000, Some(settings), Clock::system()).for_worker()
}

/// Whether a request of this caller is counted in Redis.
async fn is_counted(limiter: &Limiter, caller: &str) -> bool {
    let limit = policy("test", 100_000, MINUTE);
    let outcome = ask_one(limiter, &limit, &client(caller), 1).await;
    !is_degraded(&decided(&outcome))
}

#[tokio::test(flavor = "local")]
async fn a_connection_that_ended_idle_is_replaced_without_a_word() {
    let log = Log::capture();
    let redis = Redis::start();
    let limiter = limiter(&settings(&redis));
    assert!(limiter.wait_ready(PATIENCE).await);
    // Also a young one, once.
    for age in [Duration::ZERO, LASTED, LASTED] {
        sleep(age).await;
        let killed: u32 = redis.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
        assert_eq!(killed, 1, "the limiter's");
        assert!(is_counted(&limiter, "caller").await);
    }
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[tokio::test(flavor = "local")]
async fn a_connection_on_which_nothing_is_asked_is_kept_busy() {
    let redis = Redis::start();
    let () = redis.ask(&["CONFIG", "SET", "timeout", "4"]);
    let limiter = limiter(&settings(&redis));
    assert!(limiter.wait_ready(PATIENCE).await);
    let ids = || -> Vec<String> {
        let list: String = redis.ask(&["CLIENT", "LIST", "TYPE", "normal"]);
        let ids = list
            .lines()
            .filter(|line| line.contains("lib-name=tollgate"));
        ids.map(|line| line.split(' ').next().unwrap().to_owned())
            .collect()
    };
    let before = ids();
    sleep(Duration::from_secs(6)).await;
    assert_eq!(ids(), before);
}

/// The time in which this process does not run is not Redis' time, whether the call has been sent or
/// not.
#[tokio::test(flavor = "local")]
async fn a_gateway_that_runs_late_does_not_take_redis_for_late() {
    let redis = Redis::start();
    let limiter = limiter(&RedisSettings {
        deadline: DEADLINE,
        ..settings(&redis)
    });
    eventually(async || is_counted(&limiter, "caller").await).await;
    for nth in 0..6 {
        let mut call = pin!(is_counted(&limiter, "caller"));
        assert!(matches!(poll_once(call.as_mut()).await, Poll::Pending));
        if nth % 2 == 0 {
            yield_now().await;
        }
        thread::sleep(DEADLINE * 3 / 2);
        assert!(call.await, "call {nth}");
    }
}

#[tokio::test(flavor = "local")]
async fn a_redis_that_is_frozen_is_noticed_without_requests() {
    let log = Log::capture();
    let redis = Redis::start();
    let limiter = limiter(&settings(&redis));
    assert!(limiter.wait_ready(PATIENCE).await);
    redis.pause();
    eventually(async || log.lines().len() > 1).await;
    redis.resume();
    eventually(async || log.lines().len() > 2).await;
    let lines = log.lines();
    assert!(lines[1].contains("does not answer in time"), "{lines:?}");
    assert!(
        lines[2].contains("answers again") && lines[2].contains("outage_ms="),
        "{lines:?}"
    );
}

/// Says this to everybody who connects, and closes the connection.
fn says(text: &'static str) -> String {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://:hunter2@{}", server.local_addr().unwrap());
    thread::spawn(move || {
        for stream in server.incoming() {
            let _ = stream.unwrap().write_all(text.as_bytes());
        }
    });
    url
}

#[tokio::test(flavor = "local")]
async fn the_log_says_why_redis_refuses_a_connection() {
    let full = Redis::start();
    let () = full.ask(&["CONFIG", "SET", "maxclients", "1"]);
    let _only = TcpStream::connect(("127.0.0.1", full.port())).unwrap();
    let (locked, open) = (Redis::start_with_password("right"), Redis::start());
    let with = |redis: &Redis, login: &str| format!("redis://{login}127.0.0.1:{}", redis.port());
    for (url, said) in [
        (with(&full, ""), "max number of clients reached"),
        (with(&locked, ""), "NOAUTH"),
        (with(&locked, ":hunter2@"), "WRONGPASS"),
        (with(&open, ":hunter2@"), "without any password configured"),
        (with(&open, "") + "/99", "DB index is out of range"),
        (
            says("-DENIED Redis is running in protected mode\r\n"),
            "DENIED Redis is running",
        ),
        (
            says("-LOADING Redis is loading the dataset\r\n"),
            "LOADING Redis is loading",
        ),
        (
            says("-ERR unknown command 'AUTH', with args: hunter2\r\n"),
            "with args: ...",
        ),
        (
            says("HTTP/1.1 400 Bad Request\r\n"),
            "not Redis (it began with `HTTP/1.1 400`): is the port right?",
        ),
        (
            says("220 mail hunter2 ESMTP\r\n"),
            "what answers there is not Redis: is the port right?",
        ),
        (says("+OK\r\n"), "it cannot be reached"),
        (says(""), "if it speaks TLS, write `rediss://`"),
    ] {
        let log = Log::capture();
        let _limiter = limiter(&RedisSettings {
            target: single(&url),
            ..settings(&open)
        });
        eventually(async || !log.lines().is_empty()).await;
        let lines = log.lines();
        assert!(lines[0].contains(said), "{said}: {lines:?}");
        assert!(!lines[0].contains("hunter2"), "{lines:?}");
    }
}

#[tokio::test(flavor = "local")]
async fn a_cluster_that_is_taken_for_one_server_is_said_once() {
    let log = Log::capture();
    let servers = Cluster::start();
    let limiter = limiter(&RedisSettings {
        target: single(&servers.urls()[0]),
        ..settings(&servers.nodes[0])
    });
    assert!(limiter.wait_ready(PATIENCE).await);
    let elsewhere = (0..).map(|nth| format!("c{nth}"));
    let mut elsewhere =
        elsewhere.filter(|name| servers.master_of(&format!("{{client:{name}}}")) != 0);
    let caller = elsewhere.next().unwrap();
    let warnings = || {
        let mut lines = log.lines();
        lines.retain(|line| line.contains("WARN"));
        lines
    };
    eventually(async || {
        assert!(!is_counted(&limiter, &caller).await);
        !warnings().is_empty()
    })
    .await;
    // It connects again and again, and each time finds out before anybody asks.
    sleep(LASTED).await;
    assert!(!is_counted(&limiter, &caller).await);
    let lines = warnings();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("write `mode = \"cluster\"`: MOVED"),
        "{lines:?}"
    );
}
