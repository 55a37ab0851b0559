//! Closed routes that Kong prefers by their hosts or methods, where a route with a longer path would win
//! here: they stand under that path once more.

use super::matching::{Made, Table, clash, common_hosts, common_methods, refusal_pairs, taker};
use crate::import::Notes;
use crate::import::draft::{Route, quoted};

/// Some requests of a closed route: those for a host with a method, each of which may be any other.
type Cell = (Option<String>, Option<String>);

/// Puts closed routes also under the longer prefixes of others that let more callers in, where Kong may
/// prefer the closed ones.
pub(super) fn prefer(table: &mut Table, notes: &mut Notes) {
    // A route that is added is closed by the same rules as another one, or refuses: after a few rounds
    // there is nothing left to add.
    loop {
        let closed = table
            .kept
            .iter()
            .filter(|made| made.rules().next().is_some());
        let closed = closed.filter(|made| !made.is_refusal());
        // What only wanted a key, and is lost, is held by the protection of paths.
        let lost = table.lost.iter().filter(|made| !made.wants_key);
        let closed: Vec<Made> = closed
            .chain(lost)
            .filter(|it| !it.is_copy)
            .cloned()
            .collect();
        let refusing = |table: &Table| {
            let kept = table.kept.iter();
            kept.filter(|made| made.is_refusal()).count()
        };
        let before = (table.kept.len(), refusing(table));
        for closed in closed {
            let mut prefixes: Vec<String> = losing(&table.kept, &closed)
                .map(|made| made.route.prefix.clone())
                .collect();
            prefixes.sort_unstable();
            prefixes.dedup();
            for prefix in prefixes {
                let cells = cells(&table.kept, &closed, &prefix);
                for (hosts, methods) in grouped(cells) {
                    add_copy(table, &closed, &prefix, hosts, methods, notes);
                }
            }
        }
        if (table.kept.len(), refusing(table)) == before {
            return;
        }
    }
}

/// The routes that let more callers in than a closed one to which Kong may give some of their requests.
fn losing<'m>(kept: &'m [Made], closed: &'m Made) -> impl Iterator<Item = &'m Made> {
    kept.iter()
        .filter(|made| made.may_lose_to(closed) && !made.is_as_strict_as(closed))
}

/// The requests under a prefix that such routes take here.
fn cells(kept: &[Made], closed: &Made, prefix: &str) -> Vec<Cell> {
    let mut cells: Vec<Cell> = Vec::new();
    let any = |list: Vec<String>| -> Vec<Option<String>> {
        let named: Vec<_> = list.into_iter().map(Some).collect();
        if named.is_empty() { vec![None] } else { named }
    };
    for losing in losing(kept, closed).filter(|made| made.route.prefix == prefix) {
        let hosts = common_hosts(&losing.route.hosts, &closed.route.hosts);
        let methods = common_methods(&losing.route.methods, &closed.route.methods);
        for host in any(hosts.unwrap_or_default()) {
            for method in any(methods.clone().unwrap_or_default()) {
                let taker = taker(kept, host.as_deref(), method.as_deref(), prefix);
                let opens = taker.is_some_and(|taker| {
                    taker.may_lose_to(closed) && !taker.is_as_strict_as(closed)
                });
                let cell = (host.clone(), method);
                if opens && !cells.contains(&cell) {
                    cells.push(cell);
                }
            }
        }
    }
    cells
}

/// The hosts that have the same methods, with these.
fn grouped(cells: Vec<Cell>) -> Vec<(Vec<String>, Vec<String>)> {
    let mut by_host: Vec<(Option<String>, Vec<String>)> = Vec::new();
    for (host, method) in cells {
        let at = by_host.iter().position(|(own, _)| *own == host);
        let at = at.unwrap_or_else(|| {
            by_host.push((host, Vec::new()));
            by_host.len() - 1
        });
        by_host[at].1.extend(method);
    }
    let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for (host, methods) in by_host {
        match groups
            .iter_mut()
            .find(|(hosts, own)| *own == methods && host.is_some() && !hosts.is_empty())
        {
            Some((hosts, _)) => hosts.extend(host),
            None => groups.push((host.into_iter().collect(), methods)),
        }
    }
    groups
}

fn add_copy(
    table: &mut Table,
    closed: &Made,
    prefix: &str,
    hosts: Vec<String>,
    methods: Vec<String>,
    notes: &mut Notes,
) {
    let mut route = Route {
        hosts,
        methods,
        ..under(&closed.route, prefix)
    };
    let at = format!("route {}", closed.route.name);
    let mut refuses = closed.is_refusal();
    for other in table
        .kept
        .iter_mut()
        .filter(|made| clash(&made.route, &route))
    {
        // No request tells the two apart.
        refuses = true;
        if !other.is_refusal() {
            let what = format!(
                "`{prefix}`: the whole route, for it would take requests that the route {} keeps callers from; they get 503",
                closed.route.name
            );
            notes.left_out(&format!("route {}", other.route.name), what);
            let lost = other.clone().into_lost();
            table.lost.extend(other.keeps_out().then(|| lost.clone()));
            *other = lost;
            other.wants_key = false;
        }
    }
    if refuses {
        notes.left_out(&at, format!("requests under `{prefix}` get 503 in the place of it, where Kong may prefer it to a route that lets more callers in"));
        route.pairs = refusal_pairs();
        route.limits.clear();
    } else {
        notes.differs(&at, format!("stands under `{prefix}` once more, for Kong may prefer it there to a route that lets more callers in"));
    }
    if table.kept.iter().any(|made| clash(&made.route, &route)) {
        return;
    }
    route.name = table.unused_name(&route.name);
    table.kept.push(Made {
        route,
        is_copy: true,
        keyed_for: Vec::new(),
        ..closed.clone()
    });
}

/// A route for a longer prefix, at which its service gets the same paths.
fn under(route: &Route, prefix: &str) -> Route {
    let mut copy = Route {
        prefix: prefix.to_owned(),
        ..route.clone()
    };
    let leads_on = copy.pairs.iter().any(|(key, _)| *key == "upstream");
    let strips = copy.pairs.iter().all(|(key, _)| *key != "strip_prefix");
    if leads_on && strips && prefix != route.prefix {
        let rest = prefix.strip_prefix(route.prefix.trim_end_matches('/'));
        copy.pairs.push(match rest {
            Some(rest) if rest != prefix => {
                let rest = format!("/{}", rest.trim_start_matches('/'));
                ("replace_prefix", quoted(&rest))
            }
            _ => ("strip_prefix", "false".to_owned()),
        });
    }
    copy
}
