//! Looks up the names of servers: one lookup at a time for a name, whichever workers ask, on a thread
//! of its own. The system's resolver cannot be interrupted: with a name server that is silent each
//! attempt to connect would leave a thread behind, and they would hold up the end of the process.
//!
//! A name is also looked up while connections to it last, for it may move and its old address still
//! answer: all gateways have to count at the same one.

mod known;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep;

use crate::shortage::look_up;

use crate::lock::lock;

use known::Known;

/// How often a connection asks whether its address is still the name's. All workers find out within
/// that time.
const TICK: Duration = Duration::from_secs(1);

/// What came of a lookup; shared by all who have waited for it. The addresses have no port.
type Addresses = Result<Vec<SocketAddr>, Arc<io::Error>>;

/// Looks a name up; blocks as long as that takes.
type Lookup = fn(&str) -> io::Result<Vec<SocketAddr>>;

/// What is known of names.
pub(super) struct Names {
    lookup: Lookup,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The lookups that are under way, by name.
    under_way: HashMap<Box<str>, watch::Receiver<Option<Addresses>>>,
    /// What lookups have found.
    known: Known,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            lookup: look_up,
            state: Arc::default(),
        }
    }
}

impl Names {
    /// The addresses of a host, found by a lookup that begins now or is under way. May be dropped
    /// before there is an answer.
    pub(super) async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(vec![(ip, port).into()]);
        }
        let mut answer = self.ask(host)?;
        let answer = answer.wait_for(Option::is_some).await;
        let answer = answer.map_err(|_| io::Error::other("the resolver has panicked"))?;
        let answer = answer.clone().unwrap_or_else(|| Ok(Vec::new()));
        let mut found = answer.map_err(io::Error::other)?;
        for address in &mut found {
            address.set_port(port);
        }
        Ok(found)
    }

    /// Waits until an address that a connection leads to is none of the host's any more, and has not been
    /// for a while. It is logged once for all connections there.
    pub(super) async fn moved(&self, host: &str, from: IpAddr) {
        if host.parse::<IpAddr>().is_ok() {
            return std::future::pending().await;
        }
        loop {
            sleep(TICK).await;
            let is_due = lock(&self.state).known.is_due(host, Instant::now());
            if is_due {
                // What cannot be asked now is asked later; nothing changes meanwhile.
                let _ = self.ask(host);
            }
            if lock(&self.state).known.has_left(host, from) {
                return;
            }
        }
    }

    fn ask(&self, host: &str) -> io::Result<watch::Receiver<Option<Addresses>>> {
        let mut state = lock(&self.state);
        let under_way = &mut state.under_way;
        under_way.retain(|_, answer| answer.borrow().is_none() && answer.has_changed().is_ok());
        if let Some(answer) = under_way.get(host) {
            return Ok(answer.clone());
        }
        let (send, answer) = watch::channel(None);
        let (lookup, name) = (self.lookup, host.to_owned());
        let shared = Arc::clone(&self.state);
        let work = move || {
            let found = lookup(&name).map_err(Arc::new);
            if let Ok(found) = &found {
                lock(&shared).known.settle(&name, found, Instant::now());
            }
            send.send_replace(Some(found));
        };
        thread::Builder::new().name("lookup".into()).spawn(work)?;
        state.under_way.insert(host.into(), answer.clone());
        state.known.begins(host, Instant::now());
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn names(lookup: Lookup) -> Names {
        Names {
            lookup,
            ..Names::default()
        }
    }

    #[tokio::test]
    async fn a_name_is_asked_for_again_when_there_was_an_answer_and_only_then() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let names = names(|name| {
            if name == "silent.test" {
                ASKED.fetch_add(1, Ordering::Relaxed);
                loop {
                    thread::park();
                }
            }
            assert_ne!(name, "broken.test", "a resolver with a bug");
            Err(io::Error::other("no such name"))
        });
        for _ in 0..3 {
            let short = Duration::from_millis(20);
            let silent = timeout(short, names.addresses("silent.test", 1));
            assert!(silent.await.is_err());
            for host in ["gone.test", "broken.test"] {
                names.addresses(host, 1).await.unwrap_err();
            }
        }
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn addresses_have_the_port_that_is_asked_for() {
        let names = names(|_| Ok(vec![([10, 0, 0, 2], 0).into()]));
        let (one, other) = tokio::join!(names.addresses("a.test", 1), names.addresses("a.test", 2));
        assert_eq!(one.unwrap(), [([10, 0, 0, 2], 1).into()]);
        assert_eq!(other.unwrap(), [([10, 0, 0, 2], 2).into()]);
        let literal = names.addresses("::1", 3).await.unwrap();
        assert_eq!(literal, ["[::1]:3".parse().unwrap()]);
    }
}
