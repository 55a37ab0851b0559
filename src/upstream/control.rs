//! The control thread: looks up the names of all endpoints and checks their addresses, once for the
//! process. A name in use is looked up every ten seconds, and when connecting failed or waits for it.
//! Each lookup has a thread of its own, for the system's resolver cannot be interrupted: a name server
//! that is silent holds up neither other names nor the end of the process, and what was known is used
//! meanwhile.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;

use super::addresses::Answer;
use super::checks::{Checks, FirstRound, Token};
use super::state::{EndpointState, LOOKUP_PATIENCE};
use super::{Endpoint, Upstream};
use crate::shortage::{in_words, look_up};

/// How often endpoints are looked at.
const TICK: Duration = Duration::from_secs(1);
/// After so long a lookup is taken to have no end, and the name is looked up beside it. Resolvers give up
/// well before.
const HUNG: Duration = Duration::from_mins(2);
/// How many lookups of a name there are at most; each holds a thread for as long as it takes.
const MOST_LOOKUPS: u8 = 4;

/// Looks a name up; blocks as long as that takes.
type Lookup = Arc<dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// The work of the control thread.
pub struct Control {
    upstreams: watch::Receiver<Vec<Arc<Upstream>>>,
    wake: Arc<Notify>,
    lookup: Lookup,
    names: HashMap<Box<str>, Name>,
}

/// When a name was looked up, and how that went.
struct Name {
    begun: Instant,
    /// The last lookup of it has not ended.
    is_running: bool,
    /// How many have not.
    running: u8,
    is_failing: bool,
}

impl Name {
    /// Whether the lookup that is under way is waited for, and no other begun.
    fn is_waited_for(&self, now: Instant) -> bool {
        let is_hung = now.saturating_duration_since(self.begun) >= HUNG;
        self.is_running && !is_hung || self.running >= MOST_LOOKUPS
    }
}

impl Control {
    pub(super) fn new(upstreams: watch::Receiver<Vec<Arc<Upstream>>>, wake: Arc<Notify>) -> Self {
        Self {
            upstreams,
            wake,
            lookup: Arc::new(look_up),
            names: HashMap::new(),
        }
    }

    /// Runs on the calling thread until the registry is dropped. Calls `first_round` once each
    /// endpoint that is to be checked has been, or its check takes too long.
    ///
    /// # Errors
    /// When the system refuses the runtime.
    pub fn run(self, first_round: impl FnOnce()) -> io::Result<()> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())?;
        runtime.block_on(self.work(first_round));
        Ok(())
    }

    async fn work(self, first_round: impl FnOnce()) {
        let (checks, round) = (Checks::default(), FirstRound::of(&self.upstreams.borrow()));
        let token = round.token();
        let checked = async {
            round.over().await;
            first_round();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = self.follow(checks, token) => {}
            () = checked => {}
        }
    }

    async fn follow(mut self, mut checks: Checks, token: Token) {
        let mut token = Some(token);
        let mut tick = tokio::time::interval(TICK);
        let mut lookups = JoinSet::new();
        loop {
            for name in self.due(Instant::now()) {
                lookups.spawn(on_a_thread(name, Arc::clone(&self.lookup)));
            }
            checks.follow(&self.upstreams.borrow(), token.as_ref());
            token = token.filter(|_| !self.all_are_settled());
            tokio::select! {
                changed = self.upstreams.changed() => {
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

    /// Whether the names of all endpoints that are checked have been looked up.
    fn all_are_settled(&self) -> bool {
        let upstreams = self.upstreams.borrow();
        checked(&upstreams).all(|endpoint| endpoint.state.is_settled())
    }

    /// The names whose lookup begins now.
    fn due(&mut self, now: Instant) -> HashSet<Box<str>> {
        let upstreams = self.upstreams.borrow_and_update();
        for endpoint in checked(&upstreams) {
            endpoint.state.mark_used();
        }
        let mut due: HashSet<Box<str>> = HashSet::new();
        let mut configured = HashSet::new();
        for (name, state) in named(&upstreams) {
            configured.insert(name);
            let since_last = match self.names.get(name) {
                Some(name) if name.is_waited_for(now) => continue,
                Some(name) => now.saturating_duration_since(name.begun),
                None => Duration::MAX,
            };
            if state.needs_lookup(since_last) {
                due.insert(name.into());
            }
        }
        self.names
            .retain(|name, lookup| lookup.running > 0 || configured.contains(&**name));
        for (_, state) in named(&upstreams).filter(|(name, _)| due.contains(*name)) {
            state.lookup_begins();
        }
        for name in &due {
            let known = self.names.get(name);
            let known = known.map_or((0, false), |name| (name.running, name.is_failing));
            let (running, is_failing) = known;
            let name = self.names.entry(name.clone());
            name.insert_entry(Name {
                begun: now,
                is_running: true,
                running: running + 1,
                is_failing,
            });
        }
        due
    }

    fn note_late_lookups(&self, now: Instant) {
        let is_late = |name: &Name| {
            name.is_running && now.saturating_duration_since(name.begun) >= LOOKUP_PATIENCE
        };
        for (name, state) in named(&self.upstreams.borrow()) {
            if self.names.get(name).is_some_and(is_late) {
                state.note_late_lookup(now);
            }
        }
    }

    fn settle(&mut self, name: &str, answer: &Answer, now: Instant) {
        if let Some(known) = self.names.get_mut(name) {
            known.is_running = false;
            known.running = known.running.saturating_sub(1);
            match answer {
                Err(error) if !known.is_failing => {
                    let error = in_words(error);
                    tracing::warn!(
                        name,
                        error,
                        "a name cannot be resolved; addresses found before stay in use"
                    );
                }
                Ok(_) if known.is_failing => tracing::info!(name, "a name is resolved again"),
                _ => {}
            }
            known.is_failing = answer.is_err();
        }
        for (_, state) in named(&self.upstreams.borrow()).filter(|(other, _)| *other == name) {
            state.settle(answer, now);
        }
    }
}

/// The endpoints that have a name.
fn named(upstreams: &[Arc<Upstream>]) -> impl Iterator<Item = (&str, &EndpointState)> {
    let endpoints = upstreams.iter().flat_map(|one| &one.endpoints);
    endpoints.filter_map(|one| Some((one.state.name()?, &*one.state)))
}

/// The endpoints that are checked.
fn checked(upstreams: &[Arc<Upstream>]) -> impl Iterator<Item = &Endpoint> {
    let checked = upstreams.iter().filter(|one| one.rules.health.is_some());
    checked.flat_map(|one| &one.endpoints)
}

/// Looks a name up on a thread of its own. An answer without an address is a failure.
async fn on_a_thread(name: Box<str>, lookup: Lookup) -> (Box<str>, Answer) {
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
    use tokio::task::spawn_local;

    use super::*;
    use crate::upstream::Registry;
    use crate::upstream::testing::{ips, run, upstream};

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
    fn a_lookup_that_never_ends_is_not_the_last() {
        let registry = Registry::default();
        let mut upstreams = [upstream("a", "http://up.test")];
        registry.join(&mut upstreams);
        let state = &upstreams[0].endpoints[0].state;
        let (mut control, mut t) = (registry.control(), Instant::now());
        let mut due = |t| {
            state.mark_used();
            control.due(t).len()
        };
        for begun in [1, 1, 1, 1, 0, 0] {
            assert_eq!(due(t), begun);
            assert_eq!(due(t + SECOND), 0);
            t += HUNG;
        }
        // One of them ends after all.
        for _ in 0..2 {
            control.settle("up.test", &Ok(ips(&["10.0.0.2"])), t);
            state.mark_used();
            assert_eq!(control.due(t).len(), 1, "every ten seconds as before");
            t += 10 * SECOND;
        }
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
    #[test]
    fn no_lookup_holds_up_another_nor_the_end() {
        run(no_lookup_holds_up_another());
    }

    async fn no_lookup_holds_up_another() {
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
        let control = spawn_local(control.work(|| {}));
        let [silent, broken, good] = upstreams
            .each_ref()
            .map(|one| Arc::clone(&one.endpoints[0].state));
        let silent = spawn_local(async move { silent.addresses().await.is_ok() });
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
