//! What is allowed, and most likely not meant. Lints never keep a gateway from starting: `check`
//! shows them, and so does the log at the start.

mod admin;
mod allowed;
mod client_auth;
mod exposed;
mod patterns;
mod protection;
mod redis_tls;
mod tls;
mod traces;
mod upstream_tls;
mod upstreams;

use std::collections::{BTreeMap, HashSet};

use jiff::{SignedDuration, Timestamp};

use crate::client::ClientName;
use crate::logging::Member;
use crate::pipeline::snapshot::Snapshot;
use crate::route::SentHost;

use super::file::{ClientKeys, File, LimitKeys, LimitsKeys, LogKeys};
use super::finding::Finding;
use super::kinds::{Name, Target};
use super::problems::{MOST_SHOWN, Problems};
use super::settings::Settings;
use super::source::{At, Span};

/// A key that expires within this time should have a successor by now.
pub(super) const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Looks for what is odd in a configuration without problems.
pub(super) fn lint(
    file: &File,
    settings: &Settings,
    snapshot: &Snapshot,
    now: Timestamp,
    problems: &Problems,
) -> Vec<Finding> {
    let mut lints = Lints(Vec::new());
    protection::protection(file, now, &mut lints);
    patterns::patterns(file, &mut lints);
    exposed::exposed(file, snapshot, &mut lints);
    unused(file, &mut lints);
    sent_hosts(file, &mut lints);
    for (name, client) in file.clients.good() {
        keys(name, client, now, &mut lints);
    }
    allowed::allowed(file, &mut lints);
    upstreams::upstreams(file, &mut lints);
    tls::tls(file, snapshot, now, &mut lints);
    client_auth::client_auth(file, snapshot, &mut lints);
    upstream_tls::upstream_tls(file, snapshot, now, &mut lints);
    redis_tls::redis_tls(file, settings, now, &mut lints);
    limits(file, &mut lints);
    trust(file, &mut lints);
    traces::traces(file, &mut lints);
    log(file, &mut lints);
    admin::admin(file, &mut lints);
    lints.show(problems)
}

struct Lints(Vec<(Option<Span>, Finding)>);

impl Lints {
    fn add(&mut self, span: Span, text: impl Into<String>) {
        self.0.push((Some(span), Finding::warning(text)));
    }

    /// The same for what the clock brings about.
    fn add_passing(&mut self, span: Span, text: impl Into<String>) {
        self.0.push((Some(span), Finding::warning(text).passing()));
    }

    /// The same for what several have from one place.
    fn add_once(&mut self, span: Span, lint: Finding) {
        if self.0.iter().all(|(other, _)| *other != Some(span)) {
            self.0.push((Some(span), lint));
        }
    }

    /// What has no effect where it stands: its place, what is said of it, and whether one that takes it from
    /// there has use for it after all.
    fn add_unused<T: Into<String>>(&mut self, found: impl Iterator<Item = (Span, T, bool)>) {
        let mut unused: BTreeMap<Span, (T, bool)> = BTreeMap::new();
        for (span, text, is_used) in found {
            unused.entry(span).or_insert((text, false)).1 |= is_used;
        }
        for (span, (text, is_used)) in unused {
            if !is_used {
                self.add(span, text);
            }
        }
    }

    fn show(mut self, problems: &Problems) -> Vec<Finding> {
        self.0.sort_by_key(|(span, _)| *span);
        let rest = self.0.split_off(self.0.len().min(MOST_SHOWN));
        let shown = self.0.into_iter().map(|(span, mut lint)| {
            problems.hide(span, &mut lint.message);
            lint.at(span, &problems.sources)
        });
        let more = (!rest.is_empty()).then(|| Finding {
            is_passing: rest.iter().all(|(_, lint)| lint.is_passing),
            ..Finding::warning(format!("... and {} more", rest.len()))
        });
        shown.chain(more).collect()
    }
}

/// A path and all that it lies under: `/a/b`, `/a`, `/`.
pub(super) fn above(path: &str) -> impl Iterator<Item = &str> {
    let ends = path.bytes().enumerate().rev().filter(|(_, b)| *b == b'/');
    let shorter = ends.map(|(end, _)| path.get(..end.max(1)).unwrap_or(path));
    std::iter::once(path).chain(shorter.skip_while(move |shorter| *shorter == path))
}

/// Whether a path lies under a prefix, or is it, as protection compares them.
pub(super) fn is_under(path: &str, prefix: &str) -> bool {
    prefix == "/"
        || path.get(..prefix.len()).is_some_and(|start| {
            start.eq_ignore_ascii_case(prefix)
                && (path.len() == prefix.len() || path.as_bytes()[prefix.len()] == b'/')
        })
}

fn unused(file: &File, lints: &mut Lints) {
    let routes = || file.good_routes().map(|(_, keys)| keys);
    let targets = routes().filter_map(|keys| match keys.upstream.given()? {
        Target::Name(name) => Some(name.as_str()),
        Target::Url(_) => None,
    });
    let why = "no route leads to the upstream";
    unnamed(targets, file.upstreams.names(), why, lints);
    let tiers = file
        .clients
        .good()
        .filter_map(|(_, client)| client.tier.as_ref());
    let why = "no client is of the tier";
    unnamed(
        tiers.map(|tier| tier.0.as_str()),
        file.limits.tiers.names(),
        why,
        lints,
    );
    let policies = routes().flat_map(|keys| keys.limits.iter());
    let policies = policies.map(|policy| policy.0.as_str());
    let why = "no route is held to the policy";
    unnamed(policies, file.limits.policies.names(), why, lints);
    for route in file
        .all_routes()
        .filter(|route| route.prefix.as_str() == "/health")
    {
        let text = "`GET /health` is answered by the gateway itself, and never gets to this route";
        lints.add(route.prefix.span, text);
    }
    for named in file.named().filter(|named| named.entries == 0) {
        let what = named.what;
        let text = format!(
            "there are no {what} in this file, and a gateway that has read some from one does not take it at a reload"
        );
        lints.add(named.span, text);
    }
    if file.all_routes().next().is_none() {
        let text = "there are no routes: every request is answered with 404, and a gateway that has some does not take this file at a reload";
        lints.0.push((None, Finding::warning(text)));
    }
}

/// Finds routes that say what a service gets as `Host`, most likely in the place of whom they are for.
fn sent_hosts(file: &File, lints: &mut Lints) {
    for (_, keys) in file.good_routes().filter(|(_, keys)| keys.hosts.is_empty()) {
        if let Some(SentHost::Name(name)) = &keys.host.value {
            let text = format!(
                "the route takes requests for any host, and its service gets `{name}` for each: only for this name? write `hosts`; if services are to get it, it can stand in their upstream"
            );
            lints.add(keys.host.span, text);
        }
    }
}

fn log(file: &File, lints: &mut Lints) {
    let LogKeys {
        fields, sample_ok, ..
    } = &*file.log;
    let has_weight = fields.iter().any(|field| field.value == Member::Weight);
    if sample_ok.0 < 1.0 && !fields.is_empty() && !has_weight {
        let text = "lines are left out (`log.sample_ok`), and those that are written do not say for how many they stand: add \"weight\"";
        lints.add(fields.span, text);
    }
}

/// Finds what nothing names.
fn unnamed<'f>(
    named: impl Iterator<Item = &'f str>,
    all: impl Iterator<Item = &'f At<Name>>,
    why: &str,
    lints: &mut Lints,
) {
    let named: HashSet<&str> = named.collect();
    for name in all.filter(|name| !named.contains(name.0.as_str())) {
        lints.add(name.span, format!("{why} `{}`", name.0));
    }
}

fn keys(name: &At<ClientName>, client: &ClientKeys, now: Timestamp, lints: &mut Lints) {
    let (span, name) = (name.span, name.as_str());
    if client.proves_nothing() {
        let text = format!("the client `{name}` has no keys: nobody can call as it");
        lints.add(span, text);
    }
    for expires_at in client
        .keys
        .iter()
        .filter_map(|key| key.expires_at.written())
    {
        let left = expires_at.value.duration_since(now);
        let text = if left <= SignedDuration::ZERO {
            format!("a key of `{name}` has expired at {}", expires_at.value)
        } else if left <= SOON {
            format!("a key of `{name}` expires soon, at {}", expires_at.value)
        } else {
            continue;
        };
        lints.add_passing(expires_at.span, text);
    }
}

fn limits(file: &File, lints: &mut Lints) {
    let limits = &file.limits;
    let (tiers, policies) = (&limits.tiers.0, &limits.policies.0);
    let own = limits.anonymous.is_some() || limits.identified.is_some() || !tiers.is_empty();
    if !own && policies.is_empty() {
        let text = "there are no limits: any caller may take all that the services can give";
        lints.0.push((None, Finding::warning(text)));
    }
    costs(file, lints);
}

/// Finds routes that cost more than callers have at all.
fn costs(file: &File, lints: &mut Lints) {
    let LimitsKeys {
        anonymous,
        identified,
        tiers,
        ..
    } = &*file.limits;
    let is_protected = |path: &str| {
        let mut protected = file.access.protected.iter();
        protected.any(|keys| keys.methods.is_empty() && is_under(path, keys.prefix.as_str()))
    };
    for (prefix, keys) in file.good_routes() {
        let path = prefix.as_str();
        // Anonymous callers get no further than protection.
        let anonymous = anonymous.as_ref().filter(|_| !is_protected(path));
        let own = [
            ("anonymous", anonymous),
            ("identified", identified.as_ref()),
        ];
        let own = own
            .into_iter()
            .filter_map(|(name, limit)| Some((name, limit?)));
        let tiers = tiers
            .good()
            .map(|(name, limit)| (name.0.as_str(), &**limit));
        for (name, limit) in own.chain(tiers) {
            let most = at_once(limit);
            if keys.cost.0 > most {
                let cost = keys.cost.0;
                let text = format!(
                    "nobody under the limit `{name}` gets to the route `{path}`: a request counts as {cost}, and {most} is all that is ever admitted at once"
                );
                lints.add(keys.cost.span, text);
            }
        }
    }
}

/// The most expensive request that a limit can ever admit.
fn at_once(limit: &LimitKeys) -> u64 {
    limit
        .burst
        .as_ref()
        .map_or(limit.requests.0, |burst| burst.0)
}

fn trust(file: &File, lints: &mut Lints) {
    for network in file.server.trusted_proxies.iter() {
        if network.prefix_len() == 0 {
            let text = "everybody is trusted to say for whom a request is: callers choose their own address, and with it their limit";
            lints.add(network.span, text);
        }
    }
}
