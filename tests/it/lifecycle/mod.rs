//! The life of a gateway: starting, reloading while it serves, draining, stopping.

mod certificates;
mod drain;
mod reload;
mod signals;
mod start;
mod watch;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::{Gateway, Request};

pub(crate) use drain::answers_when_told;

/// Requests over kept connections, one after another, until told to stop.
#[derive(Default)]
struct Load {
    stop: AtomicBool,
    served: AtomicUsize,
}

impl Load {
    /// Asks over one connection until told to stop. Every answer must be 200, and none may
    /// announce that the connection ends.
    fn keep_asking(&self, gateway: &Gateway, request: &Request) {
        let mut client = gateway.connect();
        while !self.stop.load(Ordering::Relaxed) {
            let response = client.ask(request);
            assert!(!response.is(200).announces_close(), "{:?}", response.fields);
            self.served.fetch_add(1, Ordering::Relaxed);
        }
    }
}
