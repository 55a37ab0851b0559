//! A master, a replica and three Sentinels that watch over them, quick to decide.

use std::path::Path;

use super::redis::Redis;
use super::wait::{PATIENCE, eventually, eventually_within};

/// By which name the Sentinels know the master.
pub(crate) const MASTER: &str = "mymaster";

/// All of them, on this machine.
pub(crate) struct Sentinel {
    pub servers: [Redis; 2],
    sentinels: Vec<Redis>,
}

impl Sentinel {
    /// Starts them; returns when the Sentinels know each other and the replica.
    pub(crate) fn start() -> Self {
        // A master waits five seconds for more replicas before it serves the first, unless told.
        let quick = ["--repl-diskless-sync-delay", "0"].map(str::to_owned);
        let master = Redis::start_as(|_, _| quick.to_vec());
        let port = master.port().to_string();
        let follows = ["--replicaof", "127.0.0.1", &port].map(str::to_owned);
        let replica = Redis::start_as(|_, _| [follows.to_vec(), quick.to_vec()].concat());
        let watched = master.port();
        let sentinels: Vec<_> = (0..3)
            .map(|_| Redis::start_as(|own, folder| sentinel(own, folder, watched, "")))
            .collect();
        let started = Self {
            servers: [master, replica],
            sentinels,
        };
        eventually("the Sentinels to know each other", || {
            let knows = |sentinel: &Redis| {
                let info: String = sentinel.ask(&["INFO", "sentinel"]);
                info.contains("status=ok") && info.contains("slaves=1,sentinels=3")
            };
            started.sentinels.iter().all(knows).then_some(())
        });
        eventually("the replica to follow", || {
            let info: String = started.servers[1].ask(&["INFO", "replication"]);
            info.contains("master_link_status:up").then_some(())
        });
        started
    }

    /// Starts one that watches over one master, and wants a password as that does.
    pub(crate) fn one_with_password(master: &Redis, password: &str) -> Redis {
        let (watched, auth) = (
            master.port(),
            format!("sentinel auth-pass {MASTER} {password}"),
        );
        Redis::start_with_password_as(password, |own, folder| {
            sentinel(own, folder, watched, &auth)
        })
    }

    /// Where the Sentinels are.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(Redis::url).collect()
    }

    /// Has the replica become master while the old one still runs.
    pub(crate) fn fail_over(&self) {
        eventually("a Sentinel to think the replica fit", || {
            let failover = ["SENTINEL", "FAILOVER", MASTER];
            self.sentinels[0].try_ask::<()>(&failover)
        });
    }

    /// Kills one of the Sentinels.
    pub(crate) fn kill_sentinel(&mut self, nth: usize) {
        self.sentinels[nth].kill();
    }

    /// Waits until the replica takes writes.
    pub(crate) fn promoted(&self) {
        // Sentinels that found no majority vote again after six seconds.
        eventually_within(4 * PATIENCE, "the replica to be promoted", || {
            let info: Option<String> = self.servers[1].try_ask(&["INFO", "replication"]);
            info.filter(|info| info.contains("role:master")).map(drop)
        });
    }
}

fn sentinel(own: u16, folder: &Path, watched: u16, more: &str) -> Vec<String> {
    let file = folder.join("sentinel.conf");
    let text = format!(
        "port {own}\nsentinel monitor {MASTER} 127.0.0.1 {watched} 2\n\
         sentinel down-after-milliseconds {MASTER} 500\n\
         sentinel failover-timeout {MASTER} 3000\n{more}\n"
    );
    std::fs::write(&file, text).expect("write a file");
    vec![file.display().to_string(), "--sentinel".to_owned()]
}
