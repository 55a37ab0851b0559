//! The addresses from which requests are accepted now and were not before. Rules of the gateway and of
//! a route hold together, so one that has moved from here to there has not gone. And the peers that are
//! believed when they say for whom they call.

use ipnet::IpNet;

use super::ChangeKind;
use super::public::names;
use crate::config::file::{AccessKeys, File, RouteKeys};
use crate::config::source::At;

/// Peers that are believed now, and were not before, when they say for whom they call.
pub(super) fn trusted(served: &File, now: &File) -> Option<(ChangeKind, String)> {
    let nets = |file: &File| Nets::new(&file.server.trusted_proxies);
    let (before, now) = (nets(served), nets(now));
    let more: Vec<_> = now.0.iter().filter(|net| !before.contain(net)).collect();
    let text = || {
        let more = names(more.iter().copied());
        format!(
            "{more} in `server.trusted_proxies`: who calls from there may claim any address, also one that `ip_allow` has"
        )
    };
    (!more.is_empty()).then(|| (ChangeKind::Wider, text()))
}

/// What the whole gateway says of addresses, before and now.
pub(super) struct Addresses {
    before: Rules,
    now: Rules,
}

/// Rules about addresses.
struct Rules {
    allow: Nets,
    deny: Nets,
}

impl Addresses {
    pub(super) fn new(served: &AccessKeys, now: &AccessKeys) -> Self {
        let rules = |access: &AccessKeys| Rules::new(&access.ip_allow, &access.ip_deny);
        let (mut before, now) = (rules(served), rules(now));
        // What is still said need not be looked at for each route.
        before.deny.0.retain(|net| !now.deny.contain(net));
        if now.allow.are_within(&before.allow) {
            before.allow.0.clear();
        }
        Self { before, now }
    }

    /// Compares what is said of addresses where a route takes requests that another one took.
    pub(super) fn compare(&self, here: &str, old: &RouteKeys, new: &RouteKeys) -> Vec<String> {
        let of_old = Rules::new(&old.ip_allow, &old.ip_deny);
        let of_new = Rules::new(&new.ip_allow, &new.ip_deny);
        let all = [&self.now, &of_new];
        let gateway = self.before.lost("the gateway", all, &self.now.allow);
        let route = of_old.lost(here, all, &of_new.allow);
        gateway.chain(route).collect()
    }
}

impl Rules {
    fn new(allow: &[At<IpNet>], deny: &[At<IpNet>]) -> Self {
        Self {
            allow: Nets::new(allow),
            deny: Nets::new(deny),
        }
    }

    /// What these rules kept out and others do not; `allow` stands in the place of these.
    fn lost(
        &self,
        place: &str,
        now: [&Self; 2],
        allow: &Nets,
    ) -> impl Iterator<Item = String> + use<> {
        let is_kept = now.iter().any(|rules| rules.allow.are_within(&self.allow));
        let allowed = (!self.allow.0.is_empty() && !is_kept).then(|| {
            let more = allow.0.iter().filter(|net| !self.allow.contain(net));
            let more: Vec<_> = more.collect();
            if more.is_empty() {
                let before = names(&self.allow.0);
                format!("{place} takes requests from every address, before only from {before}")
            } else {
                format!("{place} takes requests from {}, too", names(more))
            }
        });
        let is_open = |net: &&IpNet| {
            let keeps_out = |rules: &Self| {
                let others = !rules.allow.0.is_empty() && !rules.allow.meet(net);
                others || rules.deny.contain(net)
            };
            !now.iter().any(|rules| keeps_out(rules))
        };
        let open: Vec<_> = self.deny.0.iter().filter(is_open).collect();
        let denied = (!open.is_empty())
            .then(|| format!("{place} no longer refuses requests from {}", names(open)));
        allowed.into_iter().chain(denied)
    }
}

/// Networks that do not overlap, sorted.
struct Nets(Vec<IpNet>);

impl Nets {
    fn new(written: &[At<IpNet>]) -> Self {
        let nets: Vec<_> = written.iter().map(|net| net.value.trunc()).collect();
        let mut nets = IpNet::aggregate(&nets);
        nets.sort_unstable();
        Self(nets)
    }

    /// Whether one of them holds another network.
    fn contain(&self, net: &IpNet) -> bool {
        let behind = self.0.partition_point(|own| own.network() <= net.network());
        let last = behind.checked_sub(1).and_then(|at| self.0.get(at));
        last.is_some_and(|own| own.contains(net))
    }

    /// Whether one of them has addresses in common with another network.
    fn meet(&self, net: &IpNet) -> bool {
        let first = self.0.partition_point(|own| own.network() < net.network());
        let behind = self.0.get(first);
        self.contain(net) || behind.is_some_and(|own| net.contains(own))
    }

    /// Whether they are a list that accepts nothing that another does not.
    fn are_within(&self, other: &Self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|net| other.contain(net))
    }
}
