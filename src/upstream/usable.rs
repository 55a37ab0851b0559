//! Which addresses of an upstream can be used, and which of these are best: what a request is picked by
//! when something is wrong with one of them, and what is said of a request beforehand. Nothing here
//! counts, and nobody becomes a probe by being looked at.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smallvec::SmallVec;

use super::address::{Address, Check};
use super::rules::Balance;
use super::{Endpoint, Upstream};

/// How long an open circuit waits for a request that can be repeated and is at hand; after that any is its
/// probe.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long it waits for one that is at hand while no endpoint can be used: the client of any other one may
/// take as long as it likes, and everybody waits for a probe.
const PATIENCE_OF_ALL: Duration = Duration::from_secs(1);

/// What is to be known about a request, or a try of it.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The time.
    pub now: Instant,
    /// The hash of what it is told apart by, where that is asked for.
    pub hash: u64,
    /// Whether it can be sent again.
    pub repeatable: bool,
    /// All of it is at hand: its client will not be waited for.
    pub whole: bool,
    /// How long a try takes at most.
    pub longest: Duration,
    /// Where it was tried before.
    pub tried: &'a [Arc<Address>],
}

/// Why there is nothing to send a request to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoEndpoint {
    /// No name of the upstream has been resolved yet.
    Unresolved,
    /// Circuits are open, and all else cannot be used either; the next probe is due in this time.
    CircuitsOpen(Duration),
    /// No endpoint takes requests.
    Unhealthy(Unready),
}

/// Why endpoints take no requests: how many for each reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unready {
    /// Their checks fail.
    pub failing: usize,
    /// An operator has drained them.
    pub drained: usize,
    /// The configuration gives them the weight 0.
    pub weightless: usize,
}

/// How well an address can be used, best first. Backups stand behind their likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Well,
    Unchecked,
    /// It has asked to be spared, or its name no longer has it.
    Spared,
    /// Its checks fail, but requests are answered.
    Serving,
}

/// An address that a request may be sent to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing<'a> {
    pub(super) address: &'a Arc<Address>,
    pub(super) is_backup: bool,
    /// The last answer about its name was without it.
    pub(super) is_missing: bool,
}

/// The addresses that can be used and are as good as each other, by their places, which ascend.
pub(super) struct Best {
    pub(super) places: SmallVec<[u16; 16]>,
    /// Nothing is wrong with any address.
    pub(super) all_well: bool,
    /// None can be used that the request has not been tried at.
    pub(super) none_new: bool,
}

/// Where a request would be sent.
#[derive(Debug)]
pub struct Outlook<'a> {
    /// The endpoints that it may be sent to, never none.
    pub endpoints: Vec<&'a Endpoint>,
    /// The one with the fewest requests for its weight, where that decides, and is sure to.
    pub least: Option<&'a Endpoint>,
    /// It would find out whether the endpoint can be used again, whose circuit is open, or whose checks
    /// fail.
    pub is_probe: bool,
}

impl Upstream {
    /// Which of the addresses are best.
    pub(super) fn best<'a>(
        &self,
        all: impl Iterator<Item = Standing<'a>>,
        tried: &[Arc<Address>],
        now: Instant,
    ) -> Best {
        let (mut best, mut places, mut all_well) = (None, SmallVec::new(), true);
        for (place, one) in (0..).zip(all) {
            let class = self.class(one, now);
            // Another configuration may heed a check that this one does not.
            let is_down = one.address.check() == Check::Down;
            all_well &= class == Some(Class::Well) && !is_down;
            let Some(class) = class else { continue };
            let was_tried = tried.iter().any(|it| Arc::ptr_eq(it, one.address));
            let (late, early) = (class >= Class::Spared, class);
            let rank = (was_tried, late, one.is_backup, early);
            if best.is_none_or(|best| rank < best) {
                best = Some(rank);
                places.clear();
            }
            if best == Some(rank) {
                places.push(place);
            }
        }
        Best {
            all_well: all_well && !places.is_empty(),
            none_new: best.is_none_or(|(was_tried, ..)| was_tried),
            places,
        }
    }

    fn class(&self, one: Standing<'_>, now: Instant) -> Option<Class> {
        let address = one.address;
        if self.is_open(address) {
            return None;
        }
        let check = match self.rules.health {
            Some(_) => address.check(),
            None => Check::Up,
        };
        match check {
            Check::Down => address.circuit.serves(now).then_some(Class::Serving),
            _ if one.is_missing || address.is_spared(now) => Some(Class::Spared),
            Check::Up => Some(Class::Well),
            Check::Unknown => Some(Class::Unchecked),
        }
    }

    /// Whether the circuit of an address is open.
    fn is_open(&self, address: &Address) -> bool {
        self.rules.breaker.is_some() && address.circuit.is_open()
    }

    /// Whether the circuit of an address waits for such a request as its probe. With `all_open` there is nothing
    /// else to send it to.
    pub(super) fn wants_probe(
        &self,
        address: &Arc<Address>,
        all_open: bool,
        asked: &Asked<'_>,
    ) -> bool {
        let was_tried = || asked.tried.iter().any(|it| Arc::ptr_eq(it, address));
        if !self.is_open(address) || !all_open && was_tried() {
            return false;
        }
        let Some(patience) = self.patience_of_probe(all_open, asked) else {
            return false;
        };
        let then = asked.now.checked_sub(patience);
        let circuit = &address.circuit;
        then.is_some_and(|at| {
            circuit.until_probe(all_open, at).is_zero() && !circuit.gave_way_after(at)
        })
    }

    /// For how long a probe has to have been due before such a request becomes it. Where there are checks they
    /// find out, and no client has to, unless there is nothing else to send the request to: then it gives the
    /// next check the time to.
    fn patience_of_probe(&self, all_open: bool, asked: &Asked<'_>) -> Option<Duration> {
        let checks = match &self.rules.health {
            Some(health) if all_open => health.interval + health.timeout,
            Some(_) => return None,
            None => Duration::ZERO,
        };
        let better = match (all_open, asked.whole) {
            (true, true) => Duration::ZERO,
            (true, false) => PATIENCE_OF_ALL,
            (false, true) if asked.repeatable => Duration::ZERO,
            (false, _) => PATIENCE,
        };
        Some(checks.max(better))
    }

    /// Whether it is due that one request finds out whether an address serves again, whose checks fail as
    /// its requests did. Asked where nothing else can be used.
    pub(super) fn wants_trial(
        &self,
        address: &Arc<Address>,
        tried: &[Arc<Address>],
        now: Instant,
    ) -> bool {
        let was_tried = tried.iter().any(|it| Arc::ptr_eq(it, address));
        !was_tried && !self.is_open(address) && address.circuit.is_trial_due(now)
    }

    /// Whether requests are sent to an address, were there no better one.
    pub(super) fn takes_now(&self, address: &Arc<Address>, now: Instant) -> bool {
        let standing = Standing {
            address,
            is_backup: false,
            is_missing: false,
        };
        self.class(standing, now).is_some()
    }

    /// The same, or as the probe of its circuit.
    pub(super) fn can_use(&self, address: &Arc<Address>, now: Instant) -> bool {
        let is_probed =
            || address.check() != Check::Down && address.circuit.until_probe(false, now).is_zero();
        self.takes_now(address, now) || self.is_open(address) && is_probed()
    }

    /// The addresses that get requests though their checks fail: no other can be used.
    pub(super) fn used_though_down(&self, now: Instant) -> Vec<Arc<Address>> {
        let all = self.in_use();
        let Best { places, .. } = self.best(standings(&all), &[], now);
        let best = places.iter().map(|place| &all[usize::from(*place)].1);
        let down = best.filter(|one| self.rules.health.is_some() && one.check() == Check::Down);
        down.map(Arc::clone).collect()
    }

    /// All addresses that may take requests, with their endpoints, and whether their names lack them now.
    fn in_use(&self) -> Vec<(&Endpoint, Arc<Address>, bool)> {
        let mut all = Vec::new();
        for endpoint in self.endpoints.iter().filter(|one| one.takes_requests()) {
            let in_use = endpoint.state.in_use().into_iter();
            all.extend(in_use.map(|(address, missing)| (endpoint, address, missing)));
        }
        all.sort_by_key(|(endpoint, _, missing)| endpoint.backup || *missing);
        all
    }

    /// Why none of the addresses can be used.
    pub(super) fn why_none<'a>(
        &self,
        all: impl Iterator<Item = &'a Arc<Address>>,
        now: Instant,
    ) -> NoEndpoint {
        let mut has_any = false;
        let open = all.inspect(|_| has_any = true);
        let open = open.filter(|one| self.is_open(one));
        let next = open.map(|one| one.circuit.until_next_chance(now)).min();
        let takes_any = || self.endpoints.iter().any(Endpoint::takes_requests);
        match next {
            Some(next) => NoEndpoint::CircuitsOpen(next),
            None if !has_any && takes_any() => NoEndpoint::Unresolved,
            None => NoEndpoint::Unhealthy(self.unready()),
        }
    }

    fn unready(&self) -> Unready {
        let count = |is: &dyn Fn(&Endpoint) -> bool| {
            let endpoints = self.endpoints.iter();
            endpoints.filter(|one| is(one)).count()
        };
        Unready {
            failing: count(&Endpoint::takes_requests),
            drained: count(&|one| one.weight > 0 && !one.takes_requests()),
            weightless: count(&|one| one.weight == 0),
        }
    }

    /// Where a request would be sent that came now: what a pick would say, but for turns and hashes. A name
    /// that has not been looked up is taken to have addresses.
    ///
    /// # Errors
    /// When it would be sent nowhere.
    pub fn outlook(&self, repeatable: bool, now: Instant) -> Result<Outlook<'_>, NoEndpoint> {
        let all = self.in_use();
        let Best {
            places, all_well, ..
        } = self.best(standings(&all), &[], now);
        let asked = Asked {
            now,
            hash: 0,
            repeatable,
            whole: true,
            longest: Duration::ZERO,
            tried: &[],
        };
        let probe = |(_, address, _): &&(_, Arc<Address>, _)| {
            !all_well && self.wants_probe(address, places.is_empty(), &asked)
        };
        let trial = |(_, address, _): &&(_, Arc<Address>, _)| {
            places.is_empty() && self.wants_trial(address, &[], now)
        };
        let probe = all.iter().find(probe);
        if let Some((endpoint, ..)) = probe.or_else(|| all.iter().find(trial)) {
            return Ok(Outlook {
                endpoints: vec![endpoint],
                least: None,
                is_probe: true,
            });
        }
        let best: Vec<_> = places
            .iter()
            .map(|place| &all[usize::from(*place)])
            .collect();
        let is_best = |endpoint: &Endpoint| best.iter().any(|one| std::ptr::eq(one.0, endpoint));
        let endpoints = self.endpoints.iter();
        let endpoints = endpoints.filter(|one| is_best(one) || one.is_to_be_resolved());
        let mut endpoints: Vec<_> = endpoints.collect();
        if endpoints.is_empty() {
            return Err(self.why_none(all.iter().map(|(_, address, _)| address), now));
        }
        if endpoints.iter().any(|one| !one.backup) {
            endpoints.retain(|one| !one.backup);
        }
        let weighed = best.iter().map(|(endpoint, address, _)| {
            let present = all
                .iter()
                .filter(|one| std::ptr::eq(one.0, *endpoint) && !one.2);
            (
                *endpoint,
                &**address,
                share(endpoint.weight, present.count()),
            )
        });
        let decides = matches!(self.rules.balance, Balance::LeastRequests);
        let is_certain = decides && !endpoints.iter().any(|one| one.is_to_be_resolved());
        let weighed: Vec<_> = weighed.filter(|_| is_certain).collect();
        Ok(Outlook {
            least: self.least(&weighed, now),
            endpoints,
            is_probe: false,
        })
    }
}

fn standings<'a>(all: &'a [(&Endpoint, Arc<Address>, bool)]) -> impl Iterator<Item = Standing<'a>> {
    all.iter().map(|(endpoint, address, missing)| Standing {
        address,
        is_backup: endpoint.backup,
        is_missing: *missing,
    })
}

/// The part of an endpoint's weight that each of its addresses has.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
pub(super) fn share(weight: u32, addresses: usize) -> f32 {
    weight as f32 / addresses.max(1) as f32
}

impl Endpoint {
    /// Whether it takes requests once its name has been looked up, which has not been tried.
    fn is_to_be_resolved(&self) -> bool {
        let state = &self.state;
        self.takes_requests() && state.in_use().is_empty() && state.unresolved().is_none()
    }
}

/// How many of them, and why: `2 fail their checks, 1 drained`.
impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("endpoints: ")?;
        let reasons = [
            (self.failing, "whose checks fail"),
            (self.drained, "drained by an operator"),
            (self.weightless, "with weight 0"),
        ];
        let there_are = reasons.iter().filter(|(count, _)| *count > 0);
        for (nth, (count, why)) in there_are.enumerate() {
            let comma = if nth > 0 { ", " } else { "" };
            write!(f, "{comma}{count} {why}")?;
        }
        Ok(())
    }
}
