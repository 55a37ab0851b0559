//! `[limits]`, its tiers and its policies.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::kinds::word;
use crate::config::problems::Problems;
use crate::config::reader::{Read, Table, Wrong, join};
use crate::config::source::At;
use crate::config::tree::{Entry, Value};
use crate::limit::{By, LimitHeaders, Mode, OnFailure};

use super::redis::RedisTable;

/// What a limit can count exactly, and report.
const MOST_REQUESTS: u64 = 999_999_999_999_999;

/// How much.
#[derive(Default)]
pub(in crate::config) struct LimitsTable {
    pub anonymous: Option<LimitTable>,
    pub identified: Option<LimitTable>,
    pub headers: Option<At<LimitHeaders>>,
    pub ipv6_prefix: Option<At<u64>>,
    pub max_keys: Option<At<u64>>,
    pub state_file: Option<At<PathBuf>>,
    pub tiers: Vec<(At<String>, LimitTable)>,
    pub policies: Vec<PolicyTable>,
    pub redis: Option<RedisTable>,
}

/// One limit.
#[derive(Default)]
pub(in crate::config) struct LimitTable {
    /// Absent only if what stands there has been complained about; so is `per`.
    pub requests: Option<At<u64>>,
    pub per: Option<At<Duration>>,
    pub algorithm: Option<At<Algorithm>>,
    pub burst: Option<At<u64>>,
}

/// How a limit is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Algorithm {
    FixedWindow,
    SlidingWindow,
    TokenBucket,
}

/// A named limit for routes.
pub(in crate::config) struct PolicyTable {
    pub name: At<String>,
    pub limit: LimitTable,
    pub by: Option<At<By>>,
    pub mode: Option<At<Mode>>,
    pub on_failure: Option<At<OnFailure>>,
}

impl LimitsTable {
    pub(super) fn read(table: Option<Table>, problems: &mut Problems) -> Self {
        let Some(mut table) = table else {
            return Self::default();
        };
        let limit = |key, table: &mut Table, problems: &mut Problems| {
            let limit = table.table(key, problems)?;
            Some(LimitTable::read(limit, problems))
        };
        let limits = Self {
            anonymous: limit("anonymous", &mut table, problems),
            identified: limit("identified", &mut table, problems),
            headers: table.read("headers", problems),
            ipv6_prefix: table.number("ipv6_prefix", 1..=128, problems),
            max_keys: table.number("max_keys", 1..=1_000_000_000, problems),
            state_file: table.read("state_file", problems),
            tiers: tiers(&mut table, problems),
            policies: policies(&mut table, problems),
            redis: table
                .table("redis", problems)
                .map(|redis| RedisTable::read(redis, problems)),
        };
        table.finish(problems);
        limits
    }
}

impl LimitTable {
    fn read(mut table: Table, problems: &mut Problems) -> Self {
        let limit = Self::take(&mut table, problems);
        table.finish(problems);
        limit
    }

    fn take(table: &mut Table, problems: &mut Problems) -> Self {
        Self {
            requests: table.require_number("requests", 1..=MOST_REQUESTS, problems),
            per: table.require("per", "a duration such as \"1m\"", problems),
            algorithm: table.read("algorithm", problems),
            burst: table.number("burst", 1..=MOST_REQUESTS, problems),
        }
    }

    /// The dearest request that it can ever admit, if what is written says so.
    pub(in crate::config) fn at_once(&self) -> Option<u64> {
        self.burst.or(self.requests).map(|most| most.value)
    }
}

fn tiers(limits: &mut Table, problems: &mut Problems) -> Vec<(At<String>, LimitTable)> {
    let mut tiers = Vec::new();
    for Entry { key, node } in limits.named("tiers", problems) {
        let path = join("limits.tiers", &key.value);
        let limit = match Table::of(node, &path, problems) {
            Some(table) => LimitTable::read(table, problems),
            // It is there all the same: clients that name it are not dangling.
            None => LimitTable::default(),
        };
        tiers.push((key, limit));
    }
    tiers
}

fn policies(limits: &mut Table, problems: &mut Problems) -> Vec<PolicyTable> {
    let mut policies = Vec::new();
    for Entry { key, node } in limits.named("policies", problems) {
        let path = join("limits.policies", &key.value);
        let table = Table::of(node, &path, problems);
        policies.push(PolicyTable::read(key, table, problems));
    }
    policies
}

impl PolicyTable {
    /// Without a table it is there all the same: routes that name it are not dangling.
    fn read(name: At<String>, table: Option<Table>, problems: &mut Problems) -> Self {
        let Some(mut table) = table else {
            return Self {
                name,
                limit: LimitTable::default(),
                by: None,
                mode: None,
                on_failure: None,
            };
        };
        let policy = Self {
            name,
            limit: LimitTable::take(&mut table, problems),
            by: table.read("by", problems),
            mode: table.read("mode", problems),
            on_failure: table.read("on_failure", problems),
        };
        table.finish(problems);
        policy
    }
}

impl Read for By {
    const WHAT: &'static str = "\"client\", \"ip\" or \"route\"";

    fn read(value: &Value) -> Result<Self, Wrong> {
        let words = [Self::Client, Self::Ip, Self::Route];
        word(value, &words.map(|by| (by.word(), by)))
    }
}

impl Read for Mode {
    const WHAT: &'static str = "\"enforce\" or \"shadow\"";

    fn read(value: &Value) -> Result<Self, Wrong> {
        let words = [Self::Enforce, Self::Shadow];
        word(value, &words.map(|mode| (mode.word(), mode)))
    }
}

impl Read for Algorithm {
    const WHAT: &'static str = "\"fixed-window\", \"sliding-window\" or \"token-bucket\"";

    fn read(value: &Value) -> Result<Self, Wrong> {
        word(
            value,
            &[
                ("fixed-window", Self::FixedWindow),
                ("sliding-window", Self::SlidingWindow),
                ("token-bucket", Self::TokenBucket),
            ],
        )
    }
}

impl Read for LimitHeaders {
    const WHAT: &'static str = "\"standard\", \"legacy\", \"both\" or \"off\"";

    fn read(value: &Value) -> Result<Self, Wrong> {
        word(
            value,
            &[
                ("standard", Self::Standard),
                ("legacy", Self::Legacy),
                ("both", Self::Both),
                ("off", Self::Off),
            ],
        )
    }
}
