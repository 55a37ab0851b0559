//! `[upstreams.NAME]`.

use std::time::Duration;

use crate::config::problems::Problems;
use crate::config::reader::{Table, Wrong, complain, join};
use crate::config::source::At;
use crate::config::tree::{Entry, Node, Value};

/// One upstream.
pub(in crate::config) struct UpstreamTable {
    pub name: At<String>,
    /// Absent only if what stands there has been complained about.
    pub endpoints: Option<At<Vec<EndpointEntry>>>,
    pub connect_timeout: Option<At<Duration>>,
    pub idle_timeout: Option<At<Duration>>,
    pub keep: Option<At<u64>>,
}

/// One of an upstream's endpoints: a URL, or a table.
pub(in crate::config) struct EndpointEntry {
    pub url: At<String>,
    pub weight: Option<At<u64>>,
}

const ENDPOINTS: &str = "a list of URLs such as [\"http://10.0.0.1:4002\"]";

/// Reads all upstreams.
pub(super) fn read(file: &mut Table, problems: &mut Problems) -> Vec<UpstreamTable> {
    let mut upstreams = Vec::new();
    for Entry { key, node } in file.named("upstreams", problems) {
        let path = join("upstreams", &key.value);
        let Some(mut table) = Table::of(node, &path, problems) else {
            // It is there all the same: routes that name it are not dangling.
            upstreams.push(UpstreamTable {
                name: key,
                endpoints: None,
                connect_timeout: None,
                idle_timeout: None,
                keep: None,
            });
            continue;
        };
        upstreams.push(UpstreamTable {
            name: key,
            endpoints: endpoints(&mut table, problems),
            connect_timeout: table.read("connect_timeout", problems),
            idle_timeout: table.read("idle_timeout", problems),
            keep: table.number("keep", 0..=1_000_000, problems),
        });
        table.finish(problems);
    }
    upstreams
}

fn endpoints(table: &mut Table, problems: &mut Problems) -> Option<At<Vec<EndpointEntry>>> {
    let Some(entry) = table.take("endpoints") else {
        table.missing("endpoints", ENDPOINTS, problems);
        return None;
    };
    let path = table.path_of("endpoints");
    let span = entry.node.span;
    match entry.node.value {
        Value::List(list) => {
            let all = list.len();
            let read = list
                .into_iter()
                .filter_map(|node| endpoint(node, &path, problems));
            let value: Vec<_> = read.collect();
            // One that is missing has been complained about; without it the rest says nothing.
            (value.len() == all).then_some(At { value, span })
        }
        value => {
            complain(&path, ENDPOINTS, &value, span, Wrong::Kind, problems);
            None
        }
    }
}

fn endpoint(node: Node, path: &str, problems: &mut Problems) -> Option<EndpointEntry> {
    match node.value {
        Value::Text(value) => Some(EndpointEntry {
            url: At {
                value,
                span: node.span,
            },
            weight: None,
        }),
        Value::Table(_) => {
            let mut table = Table::of(node, path, problems)?;
            let url = table.require("url", "a URL such as \"http://10.0.0.1:4002\"", problems);
            let weight = table.number("weight", 1..=1_000_000, problems);
            table.finish(problems);
            Some(EndpointEntry { url: url?, weight })
        }
        value => {
            let what = "URLs, or tables with `url` and `weight`";
            complain(path, what, &value, node.span, Wrong::Kind, problems);
            None
        }
    }
}
