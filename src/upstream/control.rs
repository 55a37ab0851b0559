//! The control thread: looks up the names of all endpoints, once for the process. A name in use is
//! looked up every ten seconds, and when connecting failed or waits for it. Each lookup has a
//! thread of its own, for the system's resolver cannot be interrupted: a name server that is silent
//! holds up neither other names nor the end of the process, and what was known is used meanwhile.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;

use super::addresses::Answer;
use super::state::{EndpointState, LOOKUP_PATIENCE};

/// All endpoints by upstream, host and port.
pub(super) type Endpoints = HashMap<(Arc<str>, Box<str>, u16), Arc<EndpointState>>;

/// How often endpoints are looked at.
const TICK: Duration = Duration::from_secs(1);

/// Looks a name up; blocks as long as that takes.
type Lookup = Arc<dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// The work of the control thread.
pub struct Control {
    endpoints: watch::Receiver<Endpoints>,
    wake: Arc<Notify>,
    lookup: Lookup,
    names: HashMap<Box<str>, Name>,
}

/// When a name was looked up, and how that went.
struct Name {
    begun: Instant,
    is_running: bool,
    is_failing: bool,
}

impl Control {
    pub(super) fn new(endpoints: watch::Receiver<Endpoints>, wake: Arc<Notify>) -> Self {
        Self {
            endpoints,
            wake,
            lookup: Arc::new(|name| Ok((name, 0).to_socket_addrs()?.collect())),
            names: HashMap::new(),
        }
    }

    /// Runs on the calling thread until the registry is dropped.
    ///
    /// # Errors
    /// When the system refuses the runtime.
    pub fn run(self) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()?;
        runtime.block_on(self.work());
        Ok(())
    }

    async fn work(mut self) {
        let mut tick = tokio::time::interval(TICK);
        let mut lookups = JoinSet::new();
        loop {
            for name in self.due(Instant::now()) {
                lookups.spawn(look_up(name, Arc::clone(&self.lookup)));
            }
            tokio::select! {
                changed = self.endpoints.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
                _ = tick.tick() => self.note_late_lookups(Instant::now()),
                () = self.wake.notified() => {}
                Some(Ok((name, answer))) = lookups.join_next() => {
                    self.settle(&name, &answer, Instant::now());
                }
            }
        }
    }

    /// The names whose lookup begins now.
    fn due(&mut self, now: Instant) -> HashSet<Box<str>> {
        let endpoints = self.endpoints.borrow_and_update();
        let mut due: HashSet<Box<str>> = HashSet::new();
        let mut configured = HashSet::new();
        for (name, state) in named(&endpoints) {
            configured.insert(name);
            let since_last = match self.names.get(name) {
                Some(name) if name.is_running => continue,
                Some(name) => now.saturating_duration_since(name.begun),
                None => Duration::MAX,
            };
            if state.needs_lookup(since_last) {
                due.insert(name.into());
            }
        }
        self.names
            .retain(|name, lookup| lookup.is_running || configured.contains(&**name));
        for (_, state) in named(&endpoints).filter(|(name, _)| due.contains(*name)) {
            state.lookup_begins();
        }
        for name in &due {
            let is_failing = self.names.get(name).is_some_and(|name| name.is_failing);
            let name = self.names.entry(name.clone());
            name.insert_entry(Name {
                begun: now,
                is_running: true,
                is_failing,
            });
        }
        due
    }

    fn note_late_lookups(&self, now: Instant) {
        let is_late = |name: &Name| {
            name.is_running && now.saturating_duration_since(name.begun) >= LOOKUP_PATIENCE
        };
        for (name, state) in named(&self.endpoints.borrow()) {
            if self.names.get(name).is_some_and(is_late) {
                state.note_late_lookup(now);
            }
        }
    }

    fn settle(&mut self, name: &str, answer: &Answer, now: Instant) {
        if let Some(known) = self.names.get_mut(name) {
            known.is_running = false;
            match answer {
                Err(error) if !known.is_failing => {
                    tracing::warn!(name, %error, "a name cannot be resolved; addresses found before stay in use");
                }
                Ok(_) if known.is_failing => tracing::info!(name, "a name is resolved again"),
                _ => {}
            }
            known.is_failing = answer.is_err();
        }
        for (_, state) in named(&self.endpoints.borrow()).filter(|(other, _)| *other == name) {
            state.settle(answer, now);
        }
    }
}

/// The endpoints that have a name.
fn named(endpoints: &Endpoints) -> impl Iterator<Item = (&str, &EndpointState)> {
    let states = endpoints.values().map(|state| &**state);
    states.filter_map(|state| Some((state.name()?, state)))
}

/// Looks a name up on a thread of its own. An answer without an address is a failure.
async fn look_up(name: Box<str>, lookup: Lookup) -> (Box<str>, Answer) {
    let (send, answer) = oneshot::channel();
    let asked = name.clone();
    let spawned = thread::Builder::new().name("lookup".into()).spawn(move || {
        // Whoever waits for this may have given up already.
        let _ = send.send(lookup(&asked));
    });
    let answer = match spawned {
        Ok(_) => answer
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::Other.into())),
        Err(error) => Err(error),
    };
    let answer = match answer {
        Ok(found) if found.is_empty() => Err(io::Error::other("the answer has no address")),
        answer => answer,
    };
    (name, answer.map_err(Arc::new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Registry;
    use crate::upstream::testing::{ips, upstream};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_name_is_looked_up_once_however_many_endpoints_have_it() {
        let registry = Registry::default();
        let mut upstreams = [
            upstream("a", "http://up.test:81"),
            upstream("b", "http://up.test:82"),
            upstream("c", "http://10.0.0.1"),
        ];
        registry.join(&mut upstreams);
        let states = upstreams.each_ref().map(|one| &one.endpoints[0].state);
        let (mut control, t) = (registry.control(), Instant::now());
        assert!(control.due(t).is_empty());
        for state in states {
            state.mark_used();
        }
        assert_eq!(control.due(t), HashSet::from(["up.test".into()]));
        states[0].mark_used();
        let later = t + 60 * SECOND;
        assert!(control.due(later).is_empty(), "one lookup at a time");
        control.settle("up.test", &Ok(ips(&["10.0.0.2"])), later);
        for (state, port) in [(states[0], 81), (states[1], 82)] {
            let addresses = state.follow();
            let found = addresses.borrow().iter().next().unwrap().socket;
            assert_eq!(found, ([10, 0, 0, 2], port).into());
        }
        assert_eq!(control.due(later).len(), 1);
    }

    #[test]
    fn names_that_are_gone_from_the_configuration_are_forgotten() {
        let registry = Registry::default();
        let mut old = [upstream("a", "http://old.test")];
        registry.join(&mut old);
        old[0].endpoints[0].state.mark_used();
        let (mut control, t) = (registry.control(), Instant::now());
        assert_eq!(control.due(t).len(), 1);
        registry.join(&mut [upstream("a", "http://new.test")]);
        control.due(t);
        assert!(control.names.contains_key("old.test"), "it is being asked");
        control.settle("old.test", &Ok(ips(&["10.0.0.2"])), t);
        control.due(t);
        assert!(control.names.is_empty());
    }

    /// A lookup that never ends, one that panics and one that is fine.
    #[tokio::test]
    async fn no_lookup_holds_up_another_nor_the_end() {
        let registry = Registry::default();
        let mut upstreams =
            ["silent", "broken", "good"].map(|name| upstream(name, &format!("http://{name}.test")));
        registry.join(&mut upstreams);
        let mut control = registry.control();
        control.lookup = Arc::new(|name| match name {
            "silent.test" => loop {
                thread::park();
            },
            "broken.test" => panic!("a resolver with a bug"),
            _ => Ok(vec![([10, 0, 0, 2], 0).into()]),
        });
        let control = tokio::spawn(control.work());
        let [silent, broken, good] = upstreams
            .each_ref()
            .map(|one| Arc::clone(&one.endpoints[0].state));
        let silent = tokio::spawn(async move { silent.addresses().await.is_ok() });
        assert!(broken.addresses().await.is_err());
        assert_eq!(good.addresses().await.unwrap().len(), 1);
        assert!(!silent.is_finished());
        silent.abort();
        drop(registry);
        control.await.unwrap();
    }

    #[test]
    fn what_is_known_is_used_while_a_lookup_takes_long() {
        let registry = Registry::default();
        let mut upstreams = [upstream("a", "http://up.test")];
        registry.join(&mut upstreams);
        let state = &upstreams[0].endpoints[0].state;
        let (mut control, t) = (registry.control(), Instant::now());
        control.settle("up.test", &Ok(ips(&["10.0.0.2"])), t);
        let later = t + 3600 * SECOND;
        let is_fresh = |now| state.follow().borrow().are_fresh(now);
        assert!(!is_fresh(later));
        state.mark_used();
        assert_eq!(control.due(later).len(), 1);
        control.note_late_lookups(later);
        assert!(!is_fresh(later), "it has only begun");
        control.note_late_lookups(later + SECOND);
        assert!(is_fresh(later + SECOND));
    }
}
