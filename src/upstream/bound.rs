//! Connections to services that belong to one connection of a client, for the service has
//! authenticated them, and not the requests on them ([`connection_auth`]). Nobody else is ever given
//! them, for they are kept with the client's connection and end with it.
//!
//! [`connection_auth`]: crate::message::connection_auth

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::by_client::Announcement;
use super::pool::{AddressPool, Link};

/// A client that asks more services than that so, over one connection, begins anew with the first.
const MOST: usize = 8;

/// Those of one client's connection.
#[derive(Debug, Default)]
pub struct BoundLinks(Vec<Bound>);

#[derive(Debug)]
struct Bound {
    link: Link,
    /// Until when it may be used.
    until: Instant,
}

impl BoundLinks {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is one to this address.
    pub(super) fn lead_to(&self, pool: &Rc<AddressPool>) -> bool {
        self.0.iter().any(|one| Rc::ptr_eq(&one.link.pool, pool))
    }

    /// Keeps one whose exchange has ended in good order for `rest`.
    pub fn keep(&mut self, link: Link, rest: Duration, now: Instant) {
        if link.pool.has_gone() || rest.is_zero() {
            return;
        }
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        let until = now + rest;
        self.0.push(Bound { link, until });
    }

    /// Takes one to this address that is not known to be dead, as [`AddressPool::take`] does.
    pub fn take(
        &mut self,
        pool: &Rc<AddressPool>,
        announced: Option<&Rc<Announcement>>,
        ask_kernel: bool,
        now: Instant,
    ) -> Option<Link> {
        let is_it =
            |one: &Bound| Rc::ptr_eq(&one.link.pool, pool) && one.link.begins_with(announced);
        let nth = self.0.iter().position(is_it)?;
        let Bound { mut link, until } = self.0.remove(nth);
        let is_good = link.is_clean(ask_kernel) && now < until && !pool.has_gone();
        link.reused = true;
        is_good.then_some(link)
    }
}
