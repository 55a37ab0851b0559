//! A cluster of three masters with a replica each, quick to fail over, on this machine.

use std::cell::Cell;

use super::redis::{Redis, free_port};
use super::redis_tls::Certificates;
use super::wait::{PATIENCE, eventually, eventually_within};

/// How many masters there are, and how many replicas.
const MASTERS: usize = 3;

/// Masters first, then their replicas in the same order.
pub(crate) struct Cluster {
    pub nodes: Vec<Redis>,
    ports: Vec<Ports>,
}

/// What a node listens on beside its port for clients. Chosen anew if one turns out to be taken.
#[derive(Default)]
struct Ports {
    bus: Cell<u16>,
    tls: Cell<u16>,
}

impl Cluster {
    /// Starts a cluster; returns when all nodes agree on it.
    pub(crate) fn start() -> Self {
        Self::start_as(|_| Vec::new())
    }

    /// Starts a cluster whose nodes speak TLS with each other, and with clients on ports of their own.
    pub(crate) fn start_with_tls(certificates: &Certificates) -> Self {
        Self::start_as(|ports| {
            ports.tls.set(free_port());
            let mut arguments = certificates.arguments(ports.tls.get());
            arguments.extend(["--tls-cluster", "yes"].map(str::to_owned));
            arguments.extend(["--tls-replication", "yes"].map(str::to_owned));
            arguments
        })
    }

    fn start_as(more: impl Fn(&Ports) -> Vec<String>) -> Self {
        let ports: Vec<Ports> = (0..2 * MASTERS).map(|_| Ports::default()).collect();
        let node = |ports: &Ports| {
            Redis::start_as(|_, _| {
                let bus = free_port();
                ports.bus.set(bus);
                [arguments(bus), more(ports)].concat()
            })
        };
        let nodes: Vec<_> = ports.iter().map(node).collect();
        let cluster = Self { nodes, ports };
        cluster.meet();
        for nth in 0..MASTERS {
            let id = cluster.id(nth);
            let replica = &cluster.nodes[nth + MASTERS];
            eventually("a replica to know its master", || {
                replica.try_ask::<()>(&["CLUSTER", "REPLICATE", &id])
            });
        }
        cluster.settled();
        cluster
    }

    /// Has the nodes know each other, and the masters have slots.
    fn meet(&self) {
        for (nth, node) in self.nodes.iter().enumerate() {
            let () = node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(nth + 1).to_string()]);
            let port = match self.tls_port(nth) {
                0 => node.port(),
                tls => tls,
            };
            let bus = self.ports[nth].bus.get().to_string();
            let meet = ["CLUSTER", "MEET", "127.0.0.1", &port.to_string(), &bus];
            let () = self.nodes[0].ask(&meet);
            if nth < MASTERS {
                let first = (nth * 16_384 / MASTERS).to_string();
                let last = ((nth + 1) * 16_384 / MASTERS - 1).to_string();
                let () = node.ask(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
            }
        }
    }

    /// Where one speaks TLS; zero if it does not.
    fn tls_port(&self, nth: usize) -> u16 {
        self.ports[nth].tls.get()
    }

    /// The nodes' addresses for TLS.
    pub(crate) fn tls_urls(&self) -> Vec<String> {
        let ports = (0..self.nodes.len()).map(|nth| self.tls_port(nth));
        ports
            .map(|port| format!("rediss://127.0.0.1:{port}"))
            .collect()
    }

    /// The nodes' addresses.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }

    /// By what the nodes know one.
    pub(crate) fn id(&self, nth: usize) -> String {
        self.nodes[nth].ask(&["CLUSTER", "MYID"])
    }

    /// Which of the masters had the slot of this key at first.
    pub(crate) fn master_of(&self, key: &str) -> usize {
        usize::from(self.slot(key)) * MASTERS / 16_384
    }

    /// Which slot a key is in.
    pub(crate) fn slot(&self, key: &str) -> u16 {
        self.nodes[MASTERS].ask(&["CLUSTER", "KEYSLOT", key])
    }

    /// Moves a slot with its keys from one master to another, as `redis-cli --cluster reshard` does.
    pub(crate) fn move_slot(&self, slot: u16, from: usize, to: usize) {
        self.move_slot_while(slot, from, to, || ());
    }

    /// The same, with a pause when the keys have gone but the slot has not: who asks for them is
    /// sent after them, each time.
    pub(crate) fn move_slot_while(
        &self,
        slot: u16,
        from: usize,
        to: usize,
        between: impl FnOnce(),
    ) {
        let slot = slot.to_string();
        let (from_id, to_id) = (self.id(from), self.id(to));
        let (from, to) = (&self.nodes[from], &self.nodes[to]);
        let () = to.ask(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
        let () = from.ask(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
        let port = to.port().to_string();
        loop {
            let keys: Vec<String> = from.ask(&["CLUSTER", "GETKEYSINSLOT", &slot, "10"]);
            if keys.is_empty() {
                break;
            }
            for key in keys {
                let () = from.ask(&["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"]);
            }
        }
        between();
        // The new owner first, lest for a moment each names the other.
        let () = to.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]);
        for node in &self.nodes[..MASTERS] {
            let () = node.ask(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]);
        }
        eventually("all nodes to know of the move", || {
            let knows = |node: &Redis| {
                let nodes: String = node.ask(&["CLUSTER", "NODES"]);
                let owner = nodes.lines().find(|line| line.starts_with(&to_id));
                owner.is_some_and(|line| has_slot(line, &slot))
            };
            self.nodes.iter().all(knows).then_some(())
        });
    }

    /// Waits until a master's replica has everything that was written up to now.
    pub(crate) fn is_replicated(&self, master: usize) {
        self.nodes[master].is_replicated_to(&self.nodes[master + MASTERS]);
    }

    /// Waits until a master's replica has taken its place.
    pub(crate) fn promoted(&self, master: usize) {
        // A replica that found no majority asks again after a few seconds.
        eventually_within(4 * PATIENCE, "the replica to be promoted", || {
            let info: String = self.nodes[master + MASTERS].ask(&["INFO", "replication"]);
            info.contains("role:master").then_some(())
        });
    }

    fn settled(&self) {
        eventually("the nodes to agree", || {
            let agrees = |node: &Redis| {
                let info: String = node.ask(&["CLUSTER", "INFO"]);
                let nodes: String = node.ask(&["CLUSTER", "NODES"]);
                info.contains("cluster_state:ok")
                    && info.contains("cluster_slots_assigned:16384")
                    && info.contains("cluster_known_nodes:6")
                    && nodes.matches("slave ").count() == MASTERS
            };
            self.nodes.iter().all(agrees).then_some(())
        });
        eventually("the replicas to follow", || {
            let follows = |replica: &Redis| {
                let info: String = replica.ask(&["INFO", "replication"]);
                info.contains("master_link_status:up")
            };
            self.nodes[MASTERS..].iter().all(follows).then_some(())
        });
    }
}

/// Whether a line of `CLUSTER NODES` has a slot in its runs, which come after eight other words.
fn has_slot(line: &str, slot: &str) -> bool {
    let slot: u16 = slot.parse().expect("a slot");
    line.split(' ').skip(8).any(|run| {
        let (first, last) = run.split_once('-').unwrap_or((run, run));
        let run = first.parse().ok().zip(last.parse().ok());
        run.is_some_and(|(first, last): (u16, u16)| (first..=last).contains(&slot))
    })
}

fn arguments(bus_port: u16) -> Vec<String> {
    let words: [&str; 12] = [
        "--cluster-enabled",
        "yes",
        "--cluster-port",
        &bus_port.to_string(),
        "--cluster-node-timeout",
        "1000",
        "--cluster-require-full-coverage",
        "no",
        "--cluster-replica-validity-factor",
        "0",
        "--repl-diskless-sync-delay",
        "0",
    ];
    words.map(str::to_owned).to_vec()
}
