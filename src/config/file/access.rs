//! `[access]` and `[clients.NAME]`.

use jiff::Timestamp;

use crate::config::problems::Problems;
use crate::config::reader::{Table, Wrong, complain, join};
use crate::config::source::At;
use crate::config::tree::{Entry, Node, Value};

/// Who may come in.
#[derive(Default)]
pub(in crate::config) struct AccessTable {
    pub protected: Vec<At<String>>,
    pub api_key_header: Option<At<String>>,
    pub forward_api_key: Option<At<bool>>,
    pub client_header: Option<At<String>>,
}

/// One client.
pub(in crate::config) struct ClientTable {
    pub name: At<String>,
    pub keys: Vec<KeyEntry>,
    pub tier: Option<At<String>>,
}

/// One of a client's keys: a hash, or a table.
pub(in crate::config) struct KeyEntry {
    pub hash: At<String>,
    pub not_before: Option<At<Timestamp>>,
    pub expires_at: Option<At<Timestamp>>,
}

impl AccessTable {
    pub(super) fn read(table: Option<Table>, problems: &mut Problems) -> Self {
        let Some(mut table) = table else {
            return Self::default();
        };
        let access = Self {
            protected: table.list("protected", problems),
            api_key_header: table.read("api_key_header", problems),
            forward_api_key: table.read("forward_api_key", problems),
            client_header: table.read("client_header", problems),
        };
        table.finish(problems);
        access
    }
}

/// Reads all clients.
pub(super) fn clients(file: &mut Table, problems: &mut Problems) -> Vec<ClientTable> {
    let mut clients = Vec::new();
    for Entry { key, node } in file.named("clients", problems) {
        if let Some(mut table) = Table::of(node, &join("clients", &key.value), problems) {
            clients.push(ClientTable {
                name: key,
                keys: keys(&mut table, problems),
                tier: table.read("tier", problems),
            });
            table.finish(problems);
        }
    }
    clients
}

fn keys(table: &mut Table, problems: &mut Problems) -> Vec<KeyEntry> {
    let Some(entry) = table.take("keys") else {
        return Vec::new();
    };
    let path = table.path_of("keys");
    match entry.node.value {
        Value::List(list) => list
            .into_iter()
            .filter_map(|node| key(node, &path, problems))
            .collect(),
        value => {
            let what = "a list of hashes such as [\"sha256:...\"]";
            complain(&path, what, &value, entry.node.span, Wrong::Kind, problems);
            Vec::new()
        }
    }
}

fn key(node: Node, path: &str, problems: &mut Problems) -> Option<KeyEntry> {
    match node.value {
        Value::Text(value) => Some(KeyEntry {
            hash: At {
                value,
                span: node.span,
            },
            not_before: None,
            expires_at: None,
        }),
        Value::Table(_) => {
            let mut table = Table::of(node, path, problems)?;
            let hash = table.require("hash", "a hash such as \"sha256:...\"", problems);
            let not_before = table.read("not_before", problems);
            let expires_at = table.read("expires_at", problems);
            table.finish(problems);
            Some(KeyEntry {
                hash: hash?,
                not_before,
                expires_at,
            })
        }
        value => {
            let what = "hashes, or tables with `hash`, `not_before` and `expires_at`";
            complain(path, what, &value, node.span, Wrong::Kind, problems);
            None
        }
    }
}
