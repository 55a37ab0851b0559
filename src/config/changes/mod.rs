//! What a reload changes, for the log: first what anonymous callers reach that they did not reach
//! before, then everything else that now holds, last what takes a restart.

mod access;
mod public;
mod rest;
mod routes;

use std::fmt;

use crate::pipeline::snapshot::Snapshot;

use super::settings::Settings;

/// One thing that differs between two configurations.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// What it means for the operator.
    pub kind: ChangeKind,
    text: String,
}

/// What a change means for the operator. In the order of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Anonymous callers reach more than before.
    Public,
    /// It holds from now on.
    Applied,
    /// It does not hold before the next start.
    NeedsRestart,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What differs between the configuration that has been served and the one that is served now, in
/// the order in which it should be logged.
#[must_use]
pub fn changes(old: (&Settings, &Snapshot), new: (&Settings, &Snapshot)) -> Vec<Change> {
    let mut changes = Changes {
        kind: ChangeKind::Public,
        list: Vec::new(),
    };
    public::compare(old.1, new.1, &mut changes);
    changes.kind = ChangeKind::Applied;
    access::compare(old.1, new.1, &mut changes);
    rest::snapshots(old.1, new.1, &mut changes);
    changes.kind = ChangeKind::NeedsRestart;
    rest::settings(old.0, new.0, &mut changes);
    changes.list.sort_by_key(|change| change.kind);
    changes.list
}

struct Changes {
    kind: ChangeKind,
    list: Vec<Change>,
}

impl Changes {
    fn add(&mut self, text: impl Into<String>) {
        self.add_as(self.kind, text);
    }

    fn add_as(&mut self, kind: ChangeKind, text: impl Into<String>) {
        self.list.push(Change {
            kind,
            text: text.into(),
        });
    }
}

/// Names in a text: `a`, `b` and `c`.
fn names<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let mut names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.pop() {
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Format, Loaded, parse};

    use super::*;

    const OLD: &str = r#"
        listen = "127.0.0.1:3000"
        [routes]
        "/api/inventory" = "http://localhost:4001"
        "/api/orders" = "http://localhost:4002"
        [access]
        protected = ["/api/orders"]
        [clients.mobile-app]
        keys = ["sha256:53a04f1fc0c388b71a29cc914fcf94922ce578f25f612acc848512274a1497f6"]
        [limits]
        anonymous = { requests = 60, per = "1m" }
        [limits.redis]
        url = "redis://:hunter2@localhost"
    "#;

    fn loaded(text: &str) -> Loaded {
        let unset = |_: &str| None;
        parse("x.toml", text, Format::Toml, &unset, &|_| unreachable!()).unwrap()
    }

    /// What is logged when `from` is replaced by `to` in the old configuration.
    fn log(replaced: &[(&str, &str)]) -> Vec<String> {
        let mut text = OLD.to_owned();
        for (from, to) in replaced {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        let (old, new) = (loaded(OLD), loaded(&text));
        let changes = changes(
            (&old.settings, &old.snapshot),
            (&new.settings, &new.snapshot),
        );
        assert!(changes.is_sorted_by_key(|change| change.kind));
        let line = |change: &Change| format!("{:?}: {change}", change.kind);
        changes.iter().map(line).collect()
    }

    #[test]
    fn no_change_is_none() {
        assert_eq!(log(&[]), [""; 0]);
    }

    #[test]
    fn what_is_no_longer_protected_comes_first() {
        let lines = log(&[
            (r#"protected = ["/api/orders"]"#, ""),
            ("requests = 60", "requests = 90"),
            ("3000", "3001"),
        ]);
        assert_eq!(
            lines,
            [
                "Public: `/api/orders` is no longer protected; anonymous callers reach it by the route `/api/orders`",
                "Applied: the limit `anonymous` is 90 per 60s instead of 60 per 60s",
                "NeedsRestart: `listen` has changed, which takes a restart",
            ]
        );
    }

    #[test]
    fn a_narrower_protection_says_what_stays() {
        let lines = log(&[(
            r#"["/api/orders"]"#,
            r#"["/api/orders/admin", "/api/orders/x"]"#,
        )]);
        assert_eq!(
            lines,
            [
                "Public: `/api/orders` is no longer protected, except for `/api/orders/admin` and `/api/orders/x`; anonymous callers reach it by the route `/api/orders`"
            ]
        );
        let lines = log(&[
            (r#"["/api/orders"]"#, "[]"),
            (r#""/api/orders" ="#, r#""/API/Orders" ="#),
        ]);
        assert!(
            lines[0].ends_with("reach it by the route `/API/Orders`"),
            "{lines:?}"
        );
        let lines = log(&[
            (r#"["/api/orders"]"#, "[]"),
            (r#""/api/orders" = "http://localhost:4002""#, ""),
        ]);
        assert_eq!(
            lines,
            [
                "Applied: `/api/orders` is no longer protected; no route leads there",
                "Applied: the route `/api/orders` is gone",
            ]
        );
    }

    #[test]
    fn public_routes_are_told_of_before_others() {
        let lines = log(&[
            (
                "[access]",
                r#""/api/orders/bulk" = "http://localhost:4003"
                "/api/stock" = { upstream = "http://localhost:4004", methods = ["GET"] }
                [access]"#,
            ),
            ("4001", "4002"),
        ]);
        assert_eq!(
            lines,
            [
                "Public: the public route `/api/inventory` leads to http://localhost:4002 instead of http://localhost:4001",
                "Public: new public route `/api/stock` for `GET` to http://localhost:4004",
                "Applied: new route `/api/orders/bulk` to http://localhost:4003",
            ]
        );
    }

    #[test]
    fn clients_keys_and_limits_come_and_go() {
        let key = |digit: &str| format!("\"sha256:{}\"", digit.repeat(64));
        let (a, b) = (key("a"), key("b"));
        let lines = log(&[
            ("keys = [", &format!("tier = \"gold\"\nkeys = [{a}, ")),
            (
                "[limits]",
                &format!(
                    "[clients.web]\nkeys = [{b}]\n[limits]\n\
                     tiers.gold = {{ requests = 6, per = \"1s\" }}"
                ),
            ),
        ]);
        assert_eq!(
            lines,
            [
                "Applied: the client `mobile-app` has 1 key more",
                "Applied: new client `web` with 1 key",
                "Applied: the limit `gold` is 6 per 1s instead of none",
                "Applied: the client `mobile-app` has the limit `gold` instead of no limit",
            ]
        );
    }

    #[test]
    fn limits_of_routes_and_how_they_count_come_and_go() {
        let route = r#""/api/orders" = "http://localhost:4002""#;
        let with = |more: &str| {
            format!(r#""/api/orders" = {{ upstream = "http://localhost:4002", {more} }}"#)
        };
        let policy =
            "policies.search = { requests = 20, per = \"1s\", by = \"ip\", mode = \"shadow\" }";
        let lines = log(&[
            (route, &with(r#"limits = ["search"], cost = 5"#)),
            (
                r#"per = "1m""#,
                r#"per = "1m", algorithm = "token-bucket", burst = 90"#,
            ),
            ("[limits]", &format!("[limits]\n{policy}")),
        ]);
        assert_eq!(
            lines,
            [
                "Applied: the route `/api/orders` has the limit `search` instead of no limit of its own",
                "Applied: a request to the route `/api/orders` counts as 5 instead of 1",
                "Applied: the limit `anonymous` is 60 per 60s (token-bucket, burst 90) instead of 60 per 60s",
                "Applied: the limit `search` is 20 per 1s (by ip, shadow) instead of none",
            ]
        );
    }

    #[test]
    fn rules_and_single_values_are_named() {
        let lines = log(&[
            (
                r#""http://localhost:4002""#,
                r#"{ upstream = "http://localhost:4002", timeout = "5s" }"#,
            ),
            ("[access]", "[server]\nidle_timeout = \"5s\"\n[access]"),
        ]);
        assert_eq!(
            lines,
            [
                "Applied: the route `/api/orders` has other rules",
                "Applied: `server.idle_timeout` is 5s instead of 75s",
            ]
        );
    }

    #[test]
    fn keys_of_upstreams_are_named() {
        let upstream = "[upstreams.orders]\nendpoints = [\"http://localhost:4002\"]\n";
        let (old, new) = (
            loaded(upstream),
            loaded(&format!(
                "{upstream}connect_timeout = \"500ms\"\nidle_timeout = \"5m\"\nkeep = 0"
            )),
        );
        let changes = changes(
            (&old.settings, &old.snapshot),
            (&new.settings, &new.snapshot),
        );
        let lines: Vec<_> = changes.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "`upstreams.orders.connect_timeout` is 500ms instead of 2s",
                "`upstreams.orders.idle_timeout` is 300s instead of 60s",
                "`upstreams.orders.keep` is 0 instead of 1024",
            ]
        );
    }

    #[test]
    fn what_takes_a_restart_is_named_and_no_secret_is_told() {
        let lines = log(&[
            (":hunter2@", ":hunter3@"),
            (
                "[access]",
                "[server]\nworkers = 17\nmax_connections = 1\ndrain_timeout = \"1s\"\n\
                 watch = true\n[log]\nlevel = \"warn\"\nformat = \"json\"\naccess = \"off\"\n\
                 [access]",
            ),
            (
                "[limits]",
                "[limits]\nmax_keys = 5\nstate_file = \"limits\"",
            ),
        ]);
        let keys: Vec<_> = lines
            .iter()
            .filter_map(|line| line.split('`').nth(1))
            .collect();
        assert_eq!(
            keys,
            [
                "server.workers",
                "server.max_connections",
                "server.drain_timeout",
                "server.watch",
                "limits.max_keys",
                "limits.state_file",
                "limits.redis",
                "log.level",
                "log.format",
                "log.access",
            ]
        );
        assert!(lines.iter().all(|line| line.starts_with("NeedsRestart: ")));
        assert!(!lines.concat().contains("hunter"));
    }
}
