//! The last step of an import: the draft is compiled, and whatever `check` would refuse becomes a note. What
//! decides who may come in is never dropped: a route that cannot do without it refuses.

use super::draft::{Draft, Route, inline, quoted};
use super::{Notes, problems};

/// Each round finds what the one before has hidden.
const ROUNDS: usize = 20;

/// Where a line of the text comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Route(usize),
    Upstream(usize),
    Tier(usize),
    Policy(usize),
    Client(usize),
    Redis,
    Access,
    Server,
}

/// The text of a draft, which `check` takes unless there is something that cannot be left out.
pub(super) fn mended(draft: &mut Draft, comment: &str, notes: &mut Notes) -> String {
    for _ in 0..ROUNDS {
        let toml = draft.to_toml(comment);
        let found = problems(&toml);
        let lines = places(&toml);
        let mut is_changed = false;
        for finding in found {
            let place = finding.line.and_then(|line| lines.get(line - 1)).copied();
            if let Some(Some((section, key))) = place {
                is_changed |= leave_out(draft, section, key, &finding.message, notes);
            }
        }
        if !is_changed {
            return toml;
        }
        draft.sweep();
    }
    draft.to_toml(comment)
}

/// The section and the key of each line.
fn places(toml: &str) -> Vec<Option<(Section, &str)>> {
    let mut counts = [0; 5];
    let mut next = |kind: usize| {
        counts[kind] += 1;
        counts[kind] - 1
    };
    let (mut section, mut key) = (None, "");
    let place = |line| {
        if let Some(header) = str::strip_prefix(line, "[") {
            key = "";
            section = match header {
                "[route]]" => Some(Section::Route(next(0))),
                "limits.redis]" => Some(Section::Redis),
                "access]" => Some(Section::Access),
                "server]" => Some(Section::Server),
                _ if header.starts_with("upstreams.") => Some(Section::Upstream(next(1))),
                _ if header.starts_with("limits.tiers.") => Some(Section::Tier(next(2))),
                _ if header.starts_with("limits.policies.") => Some(Section::Policy(next(3))),
                _ if header.starts_with("clients.") => Some(Section::Client(next(4))),
                _ => None,
            };
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| !line.starts_with(' ')) {
            key = name;
        }
        section.map(|section| (section, key))
    };
    toml.lines().map(place).collect()
}

/// Leaves out what has a problem; whether that could be done.
fn leave_out(draft: &mut Draft, section: Section, key: &str, why: &str, notes: &mut Notes) -> bool {
    let mut note = |kind: &str, name: &str, what: &str| {
        notes.left_out(&format!("{kind} {name}"), format!("{what}: {why}"));
        true
    };
    match section {
        Section::Route(at) => {
            let route = &mut draft.routes[at];
            let name = if route.name.is_empty() {
                &route.prefix
            } else {
                &route.name
            }
            .clone();
            if is_loose(key) {
                route.pairs.retain(|(own, _)| *own != key);
                note("route", &name, &format!("`{key}`"))
            } else if route.pairs.iter().any(|(own, _)| *own == key) && !refuses(route) {
                refuse(route);
                note(
                    "route",
                    &name,
                    &format!("its requests get 503, for `{key}`"),
                )
            } else {
                false
            }
        }
        Section::Upstream(at) => {
            let upstream = &mut draft.upstreams[at];
            let name = upstream.name.clone();
            if !matches!(key, "" | "endpoints") {
                upstream.pairs.retain(|(own, _)| *own != key);
                return note("upstream", &name, &format!("`{key}`"));
            }
            let there = ("upstream", quoted(&name));
            let mut leading = draft
                .routes
                .iter_mut()
                .filter(|it| it.pairs.contains(&there))
                .peekable();
            leading.peek().is_some() && {
                leading.for_each(refuse);
                note("upstream", &name, "its requests get 503")
            }
        }
        Section::Tier(at) => {
            draft.tiers[at].is_dropped = true;
            note("tier", &draft.tiers[at].name, &format!("`{key}`"))
        }
        Section::Policy(at) => {
            draft.policies[at].is_dropped = true;
            note("policy", &draft.policies[at].name, &format!("`{key}`"))
        }
        Section::Client(at) => {
            draft.clients[at].is_dropped = true;
            note("client", &draft.clients[at].name, "the whole client")
        }
        Section::Redis => {
            draft.redis.clear();
            note("limits", "redis", "counters are in the gateway")
        }
        Section::Access if key == "public" => {
            draft.public.clear();
            note("access", key, "all exceptions from protection")
        }
        Section::Access | Section::Server => {
            let pairs = if section == Section::Server {
                &mut draft.server
            } else {
                &mut draft.access
            };
            let before = pairs.len();
            pairs.retain(|(own, _)| *own != key);
            pairs.len() < before && note("key", key, "is left as by default")
        }
    }
}

/// Whether a route does without the key, and lets nobody more in.
fn is_loose(key: &str) -> bool {
    let loose = [
        "body_limit",
        "cors",
        "limits",
        "request_headers",
        "response_headers",
        "timeout",
    ];
    loose.contains(&key)
}

fn refuses(route: &Route) -> bool {
    route
        .pairs
        .iter()
        .any(|(key, value)| *key == "respond" && value.contains("503"))
        && route.pairs.len() == 1
}

/// Makes a route refuse what it takes.
pub(super) fn refuse(route: &mut Route) {
    let answer = [
        ("status", "503".to_owned()),
        ("body", quoted("This route was not taken over.\n")),
    ];
    route.pairs = vec![("respond", inline(&answer))];
    route.limits.clear();
}
