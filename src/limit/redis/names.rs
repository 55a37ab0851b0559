//! Looks up the names of servers: one lookup at a time for a name, whichever workers ask, on a thread
//! of its own. The system's resolver cannot be interrupted: with a name server that is silent each
//! attempt to connect would leave a thread behind, and they would hold up the end of the process.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::thread;

use tokio::sync::watch;

use crate::shortage::look_up;

use crate::lock::lock;

/// What came of a lookup; shared by all who have waited for it. The addresses have no port.
type Addresses = Result<Vec<SocketAddr>, Arc<io::Error>>;

/// Looks a name up; blocks as long as that takes.
type Lookup = fn(&str) -> io::Result<Vec<SocketAddr>>;

/// The lookups that are under way, by name.
pub(super) struct Names {
    lookup: Lookup,
    under_way: Mutex<HashMap<Box<str>, watch::Receiver<Option<Addresses>>>>,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            lookup: look_up,
            under_way: Mutex::default(),
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

    fn ask(&self, host: &str) -> io::Result<watch::Receiver<Option<Addresses>>> {
        let mut under_way = lock(&self.under_way);
        under_way.retain(|_, answer| answer.borrow().is_none() && answer.has_changed().is_ok());
        if let Some(answer) = under_way.get(host) {
            return Ok(answer.clone());
        }
        let (send, answer) = watch::channel(None);
        let (lookup, name) = (self.lookup, host.to_owned());
        thread::Builder::new()
            .name("lookup".into())
            .spawn(move || send.send_replace(Some(lookup(&name).map_err(Arc::new))))?;
        under_way.insert(host.into(), answer.clone());
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
