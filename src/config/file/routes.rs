//! `[routes]`, `[[route]]` and the file that `routes_file` names.

use std::time::Duration;

use crate::config::kinds::{SizeOrOff, word};
use crate::config::private;
use crate::config::problems::Problems;
use crate::config::reader::{Read, Table, Wrong, complain, join};
use crate::config::source::At;
use crate::config::tree::{Entry, Node, Value};
use crate::route::{EncodedSlash, PathEncoding};

const TARGET: &str = "a URL or the name of an upstream";

/// One route.
pub(in crate::config) struct RouteTable {
    /// It stands in a map, in which every prefix stands once; not in a `[[route]]`.
    pub in_map: bool,
    pub prefix: At<String>,
    /// Absent only if what stands there has been complained about.
    pub upstream: Option<At<String>>,
    pub hosts: Vec<At<String>>,
    pub methods: Vec<At<String>>,
    pub strip_prefix: Option<At<bool>>,
    pub timeout: Option<At<Duration>>,
    pub body_limit: Option<At<SizeOrOff>>,
    pub encoded_slash: Option<At<EncodedSlash>>,
    pub path_encoding: Option<At<PathEncoding>>,
    pub limits: Vec<At<String>>,
    pub cost: Option<At<u64>>,
}

/// Reads the routes of both forms.
pub(super) fn read(file: &mut Table, problems: &mut Problems) -> Vec<RouteTable> {
    let mut routes = Vec::new();
    for Entry { key, node } in file.named("routes", problems) {
        let path = join("routes", &key.value);
        hide_if_no_path(&key, &node, problems);
        match node.value {
            Value::Text(target) => {
                let upstream = At {
                    value: target,
                    span: node.span,
                };
                routes.push(RouteTable::plain(key, Some(upstream)));
            }
            Value::Table(_) => {
                if let Some(table) = Table::of(node, &path, problems) {
                    routes.push(RouteTable::read(key, true, table, problems));
                }
            }
            value => {
                let what = "a URL, the name of an upstream, or a table";
                complain(&path, what, &value, node.span, Wrong::Kind, problems);
                routes.push(RouteTable::plain(key, None));
            }
        }
    }
    if let Some(Entry { node, .. }) = file.take("route") {
        long_form(node, &mut routes, problems);
    }
    routes
}

fn long_form(node: Node, routes: &mut Vec<RouteTable>, problems: &mut Problems) {
    let list = match node.value {
        Value::List(list) => list,
        value => {
            let what = "a list of tables, each written `[[route]]`";
            complain("route", what, &value, node.span, Wrong::Kind, problems);
            return;
        }
    };
    for node in list {
        if let Some(mut table) = Table::of(node, "route", problems) {
            match table.require("prefix", "a path such as \"/api/orders\"", problems) {
                Some(prefix) => routes.push(RouteTable::read(prefix, false, table, problems)),
                // Its other keys may have problems too.
                None => drop(RouteTable::read(
                    At {
                        value: String::new(),
                        span: table.span,
                    },
                    false,
                    table,
                    problems,
                )),
            }
        }
    }
}

/// Reads a flat map of routes: prefix and target, nothing else.
pub(in crate::config) fn flat_routes(tree: Node, problems: &mut Problems) -> Vec<RouteTable> {
    let what = "a flat map: {\"prefix\": \"url\"}";
    let entries = match tree.value {
        Value::Table(entries) => entries,
        value => {
            complain("", what, &value, tree.span, Wrong::Kind, problems);
            return Vec::new();
        }
    };
    let route = |Entry { key, node }: Entry| {
        hide_if_no_path(&key, &node, problems);
        let upstream = match node.value {
            Value::Text(value) => Some(At {
                value,
                span: node.span,
            }),
            value => {
                complain(
                    &join("", &key.value),
                    TARGET,
                    &value,
                    node.span,
                    Wrong::Kind,
                    problems,
                );
                None
            }
        };
        RouteTable::plain(key, upstream)
    };
    entries.into_iter().map(route).collect()
}

/// Hides what stands where a route should: without a `/` the key is no path, but perhaps a secret's.
fn hide_if_no_path(key: &At<String>, node: &Node, problems: &mut Problems) {
    if !key.value.contains('/') {
        private::hide(node, &mut problems.sources);
    }
}

impl RouteTable {
    fn plain(prefix: At<String>, upstream: Option<At<String>>) -> Self {
        Self {
            in_map: true,
            prefix,
            upstream,
            hosts: Vec::new(),
            methods: Vec::new(),
            strip_prefix: None,
            timeout: None,
            body_limit: None,
            encoded_slash: None,
            path_encoding: None,
            limits: Vec::new(),
            cost: None,
        }
    }

    fn read(prefix: At<String>, in_map: bool, mut table: Table, problems: &mut Problems) -> Self {
        let route = Self {
            in_map,
            prefix,
            upstream: table.require("upstream", TARGET, problems),
            hosts: table.list("hosts", problems),
            methods: table.list("methods", problems),
            strip_prefix: table.read("strip_prefix", problems),
            timeout: table.read("timeout", problems),
            body_limit: table.read("body_limit", problems),
            encoded_slash: table.read("encoded_slash", problems),
            path_encoding: table.read("path_encoding", problems),
            limits: table.list("limits", problems),
            cost: table.number("cost", 1..=u64::from(u32::MAX), problems),
        };
        table.finish(problems);
        route
    }
}

impl Read for EncodedSlash {
    const WHAT: &'static str = "\"reject\" or \"keep\"";

    fn read(value: &Value) -> Result<Self, Wrong> {
        word(value, &[("reject", Self::Reject), ("keep", Self::Keep)])
    }
}

impl Read for PathEncoding {
    const WHAT: &'static str = "\"utf-8\" or \"any\"";

    fn read(value: &Value) -> Result<Self, Wrong> {
        word(value, &[("utf-8", Self::Utf8), ("any", Self::Any)])
    }
}
