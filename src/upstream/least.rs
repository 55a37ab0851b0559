//! Which endpoint `least-requests` picks, told beforehand: for `explain`, which counts nothing.

use std::time::Instant;

use super::address::Address;
use super::pick::{ALL_OF, NEXT_TO_NOTHING};
use super::{Endpoint, Upstream};

impl Upstream {
    /// The endpoint with the least to do for its weight, if a pick among these addresses surely took it:
    /// not of many, of which two are drawn, nor of equals, nor where a lighter one has next to nothing to do.
    /// Each stands there with its endpoint, and with its part of that one's weight.
    pub(super) fn least<'a>(
        &self,
        all: &[(&'a Endpoint, &Address, f32)],
        now: Instant,
    ) -> Option<&'a Endpoint> {
        if all.len() > ALL_OF {
            return None;
        }
        let of = |(endpoint, address, weight): &(&'a Endpoint, &Address, f32)| {
            let (load, weight) = (address.load.get(now), self.weight_of(address, *weight, now));
            ((load + 1.0) / weight, load, weight, *endpoint)
        };
        let each: Vec<_> = all.iter().map(of).collect();
        let (least, _, heavy, endpoint) =
            each.iter().min_by(|one, other| one.0.total_cmp(&other.0))?;
        let may_be_picked = |(busy, load, weight, _): &&(f32, f32, f32, &Endpoint)| {
            busy <= least || weight < heavy && *load <= NEXT_TO_NOTHING
        };
        let mut may = each.iter().filter(may_be_picked);
        let is_sure = may.all(|one| std::ptr::eq(one.3, *endpoint));
        is_sure.then_some(*endpoint)
    }
}
