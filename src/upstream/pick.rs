//! Which address a request is sent to. While all is well this looks at the addresses' loads, or takes
//! turns, or hashes, and takes no lock. When something is wrong with one of them, all are looked at:
//! the request may be the probe of an open circuit, or goes to the best that can be used.

use std::net::SocketAddr;
use std::time::Instant;

use super::address::Address;
use super::bound::BoundLinks;
use super::candidates::{Candidate, Candidates, List};
use super::circuit::Ticket;
use super::hash::{FEW, hash as text_hash, owner};
use super::rules::Balance;
use super::try_guard::Try;
use super::usable::{Asked, NoEndpoint};
use super::{Endpoint, Upstream};

/// All of so many are compared; of more, two.
pub(super) const ALL_OF: usize = 8;
/// The load up to which an address may be drawn by weight alone.
pub(super) const NEXT_TO_NOTHING: f32 = 1.0;
/// How much more than its share an address may have in flight where requests are hashed.
const BOUNDED: f32 = 1.25;
/// But so many it always may: the few requests of a quiet hour stay where they belong.
const ALWAYS_ROOM: f32 = 4.0;
/// The share with which a slow start begins.
const SLOW: f32 = 0.1;

impl Candidates {
    /// Picks an address.
    ///
    /// # Errors
    /// When there is none that may be used.
    pub fn pick(&self, asked: &Asked<'_>) -> Result<Try, NoEndpoint> {
        let list = self.list();
        let seen = self.upstream.state.trouble();
        if seen != 0 || !asked.tried.is_empty() || list.regular == 0 {
            return self.pick_with_care(&list, seen, asked);
        }
        let nth = match list.regular {
            1 => 0,
            count => self.choose(&list, count, |nth| nth, asked),
        };
        let one = &list.all[nth];
        match self.ticket(one) {
            Some(ticket) => Ok(Try::new(one, ticket)),
            None => self.pick_with_care(&list, seen, asked),
        }
    }

    /// The address that a client has a connection of its own to, if it has: what it authenticates takes
    /// several requests, all to be sent there.
    pub fn pick_bound(&self, links: &BoundLinks) -> Option<Try> {
        let list = self.list();
        let one = list.all.iter().find(|one| links.lead_to(&one.pool))?;
        Some(Try::new(one, self.ticket(one)?))
    }

    #[cold]
    fn pick_with_care(&self, list: &List, seen: u32, asked: &Asked<'_>) -> Result<Try, NoEndpoint> {
        let upstream = &*self.upstream;
        let standings = list.all.iter().map(|one| one.standing());
        let best = upstream.best(standings, asked.tried, asked.now);
        let mut usable = best.places;
        // One probe is enough for a request: else all its tries may be probes of what is still down, while
        // another endpoint serves.
        let may_probe = asked.tried.is_empty() || best.none_new;
        if best.all_well {
            upstream.state.is_well(seen);
        } else if may_probe && let Some(probe) = self.probe(list, usable.is_empty(), asked) {
            return Ok(probe);
        }
        while !usable.is_empty() {
            let chosen = self.choose(list, usable.len(), |nth| usize::from(usable[nth]), asked);
            let one = &list.all[chosen];
            if let Some(ticket) = self.ticket(one) {
                return Ok(Try::new(one, ticket));
            }
            // It has just been opened.
            usable.retain(|nth| usize::from(*nth) != chosen);
        }
        if let Some(trial) = self.trial(list, asked) {
            return Ok(trial);
        }
        let addresses = list.all.iter().map(|one| &one.pool.address);
        Err(upstream.why_none(addresses, asked.now))
    }

    /// A ticket for a try, unless the address's circuit is open.
    #[inline]
    fn ticket(&self, one: &Candidate) -> Option<Ticket> {
        match self.upstream.rules.breaker {
            Some(_) => one.pool.address.circuit.enter(),
            None => Some(Ticket::Unguarded),
        }
    }

    /// Makes the request the probe of a circuit that waits for one.
    fn probe(&self, list: &List, all_open: bool, asked: &Asked<'_>) -> Option<Try> {
        let probe = |one: &std::rc::Rc<Candidate>| {
            let address = &one.pool.address;
            if !self.upstream.wants_probe(address, all_open, asked) {
                return None;
            }
            let ticket = address.circuit.probe(all_open, asked.longest, asked.now)?;
            Some(Try::new(one, ticket))
        };
        list.all.iter().find_map(probe)
    }

    /// Lets the request find out whether one of the addresses serves again, whose checks fail.
    fn trial(&self, list: &List, asked: &Asked<'_>) -> Option<Try> {
        let is_due = |one: &&std::rc::Rc<Candidate>| {
            let (upstream, address) = (&self.upstream, &one.pool.address);
            upstream.wants_trial(address, asked.tried, asked.now)
                && address.circuit.begin_trial(asked.now)
        };
        let one = list.all.iter().find(is_due)?;
        Some(Try::new(one, self.ticket(one)?))
    }

    /// Chooses one of `count`, which `nth` has the places of.
    fn choose(
        &self,
        list: &List,
        count: usize,
        nth: impl Fn(usize) -> usize + Copy,
        asked: &Asked<'_>,
    ) -> usize {
        let now = asked.now;
        match &self.upstream.rules.balance {
            _ if count == 1 => nth(0),
            Balance::LeastRequests if count <= ALL_OF => {
                let places = (0..count).map(nth);
                let best = self.least(list, places.clone(), now);
                if list.is_even && self.upstream.rules.slow_start.is_none() {
                    return best;
                }
                self.or_lighter(list, best, self.draw_of(list, places, now), now)
            }
            Balance::LeastRequests => {
                let two = self.draw_two(list, count, nth, now);
                let best = self.least(list, two.into_iter(), now);
                self.or_lighter(list, best, two[0], now)
            }
            Balance::RoundRobin => self.turn(list, (0..count).map(nth), now),
            Balance::Hash(_) => self.hashed(list, count, nth, asked),
        }
    }

    fn weight(&self, one: &Candidate, now: Instant) -> f32 {
        self.upstream.weight_of(&one.pool.address, one.weight, now)
    }

    /// The one with the least to do for its weight; of equals any.
    fn least(&self, list: &List, places: impl Iterator<Item = usize>, now: Instant) -> usize {
        let (mut best, mut least, mut equals) = (0, f32::INFINITY, 1);
        for place in places {
            let one = &list.all[place];
            let load = (one.pool.address.load.get(now) + 1.0) / self.weight(one, now);
            if load < least {
                (best, least, equals) = (place, load, 1);
            } else if load.to_bits() == least.to_bits() {
                equals += 1;
                if fastrand::u32(..equals) == 0 {
                    best = place;
                }
            }
        }
        best
    }

    /// The one that was drawn by weight, if it is lighter than the best and has next to nothing to do; else
    /// the best. A whole request is much for a light one, so it would get none before the others are full:
    /// with few requests shares follow weights so, and with many the fewest requests decide.
    fn or_lighter(&self, list: &List, best: usize, drawn: usize, now: Instant) -> usize {
        let [best_one, drawn_one] = [best, drawn].map(|place| &list.all[place]);
        let is_lighter = self.weight(drawn_one, now) < self.weight(best_one, now);
        if is_lighter && drawn_one.pool.address.load.get(now) <= NEXT_TO_NOTHING {
            drawn
        } else {
            best
        }
    }

    /// Draws one of some by weight, all of which are looked at.
    fn draw_of(
        &self,
        list: &List,
        places: impl Iterator<Item = usize> + Clone,
        now: Instant,
    ) -> usize {
        let weights = places.map(|place| (place, self.weight(&list.all[place], now)));
        let sum: f32 = weights.clone().map(|(_, weight)| weight).sum();
        let (mut left, mut drawn) = (fastrand::f32() * sum, 0);
        for (place, weight) in weights {
            drawn = place;
            left -= weight;
            if left < 0.0 {
                break;
            }
        }
        drawn
    }

    /// Draws two of many by weight, the second from those that the first has left.
    fn draw_two(
        &self,
        list: &List,
        count: usize,
        nth: impl Fn(usize) -> usize + Copy,
        now: Instant,
    ) -> [usize; 2] {
        let is_slow = self.upstream.rules.slow_start.is_some();
        if list.is_even && !is_slow {
            let first = fastrand::usize(..count);
            return [first, (first + fastrand::usize(1..count)) % count].map(nth);
        }
        // Places ascend: these are the first ones, whose weights have been added up.
        if nth(count - 1) == count - 1 && !is_slow {
            let first = list.draw(count, None);
            return [first, list.draw(count, Some(first))];
        }
        let first = self.draw_of(list, (0..count).map(nth), now);
        let others = (0..count).map(nth).filter(|place| *place != first);
        [first, self.draw_of(list, others, now)]
    }

    /// The one whose turn it is: all are a little nearer, in proportion to their weight, and the
    /// nearest one begins anew (the smooth way of nginx: a heavy one has its turns apart).
    fn turn(&self, list: &List, places: impl Iterator<Item = usize>, now: Instant) -> usize {
        let mut turns = list.turns.borrow_mut();
        let (mut best, mut nearest, mut sum) = (0, f32::NEG_INFINITY, 0.0);
        for place in places {
            let weight = self.weight(&list.all[place], now);
            turns[place] += weight;
            sum += weight;
            if turns[place] > nearest {
                (best, nearest) = (place, turns[place]);
            }
        }
        turns[best] -= sum;
        best
    }

    /// The one that the request's text belongs to, unless that has too much to do: then the next one
    /// that has not (Mirrokni et al., 2016: "Consistent Hashing with Bounded Loads").
    fn hashed(
        &self,
        list: &List,
        count: usize,
        nth: impl Fn(usize) -> usize,
        asked: &Asked<'_>,
    ) -> usize {
        let in_flight = |one: &Candidate| one.pool.address.load.in_flight();
        let (mut requests, mut weights) = (1_u32, 0.0);
        for place in (0..count).map(&nth) {
            requests = requests.saturating_add(in_flight(&list.all[place]));
            weights += list.all[place].weight;
        }
        #[expect(clippy::cast_precision_loss, reason = "a bound that is rounded up")]
        let has_room = |one: &Candidate| {
            let share = requests as f32 * one.weight / weights;
            (in_flight(one) as f32) < (BOUNDED * share).ceil().max(ALWAYS_ROOM)
        };
        // Places ascend. While some cannot be used, only what belongs to these goes elsewhere.
        if list.regular > FEW && nth(count - 1) < list.regular {
            let is_usable = |place| count == list.regular || has_place(place, count, &nth);
            let places = (0..list.regular as u64).map(|nth| list.owner(asked.hash, nth));
            let mut fit = places.filter(|place| is_usable(*place) && has_room(&list.all[*place]));
            let found = fit.next();
            return found.unwrap_or_else(|| self.least(list, (0..count).map(nth), asked.now));
        }
        let all = (0..count).map(&nth).map(|place| (place, &*list.all[place]));
        let fit = all.filter(|(_, one)| has_room(one));
        owner(asked.hash, fit.map(|(place, one)| (place, one.drawn()))).unwrap_or(nth(0))
    }
}

/// Whether one of `count` ascending places is this one.
fn has_place(place: usize, count: usize, nth: impl Fn(usize) -> usize) -> bool {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = usize::midpoint(low, high);
        if nth(middle) < place {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low < count && nth(low) == place
}

impl Upstream {
    /// The weight of an address, or what a slow start leaves of it.
    pub(super) fn weight_of(&self, address: &Address, weight: f32, now: Instant) -> f32 {
        match self.rules.slow_start {
            Some(slow) => {
                let age = address.age(now).as_secs_f32();
                weight * (age / slow.as_secs_f32()).clamp(SLOW, 1.0)
            }
            None => weight,
        }
    }

    /// The endpoint that a text of this hash belongs to while all are well. None where that depends on
    /// what a name resolves to.
    pub fn hashed(&self, hash: u64) -> Option<&Endpoint> {
        let taking = self.endpoints.iter().filter(|one| one.takes_requests());
        let (backups, others): (Vec<&Endpoint>, Vec<_>) = taking.partition(|one| one.backup);
        let all = if others.is_empty() { &backups } else { &others };
        let drawn = all.iter().map(|one| {
            let address = SocketAddr::new(one.url.host.parse().ok()?, one.url.port);
            #[expect(clippy::cast_precision_loss, reason = "weights are small")]
            let weight = one.weight as f32;
            Some((*one, (text_hash(address.to_string().as_bytes()), weight)))
        });
        owner(hash, drawn.collect::<Option<Vec<_>>>()?.into_iter())
    }
}

#[cfg(test)]
mod tests;
