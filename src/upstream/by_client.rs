//! Idle connections that have begun with whose they are (a PROXY protocol header), and so serve one
//! client each: found by the address and port of that client, given up with its connection, and, where
//! there are too many, the oldest first.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use smallvec::SmallVec;

use crate::wire::proxy_protocol::{Addresses, Version};

/// What a connection to a service begins with: the client that it is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announcement {
    /// How it is written.
    pub version: Version,
    /// Both ends of the client's connection.
    pub addresses: Addresses,
}

impl Announcement {
    /// Appends the header.
    pub fn put(&self, out: &mut Vec<u8>) {
        self.version.put(Some(&self.addresses), out);
    }
}

/// Things that are of use to one client each.
#[derive(Debug)]
pub(super) struct ByClient<T> {
    /// By age: the oldest has the lowest number.
    idle: BTreeMap<u64, (Announcement, T)>,
    /// The numbers of those of a client, the oldest first. Never empty.
    of: HashMap<SocketAddr, SmallVec<[u64; 2]>>,
    next: u64,
}

impl<T> Default for ByClient<T> {
    fn default() -> Self {
        Self {
            idle: BTreeMap::new(),
            of: HashMap::new(),
            next: 0,
        }
    }
}

impl<T> ByClient<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.idle.is_empty()
    }

    /// Adds the youngest; the oldest go where there are more than `most`.
    pub(super) fn push(&mut self, announced: Announcement, one: T, most: usize) {
        let number = self.next;
        self.next += 1;
        let of = self.of.entry(announced.addresses.source).or_default();
        of.push(number);
        self.idle.insert(number, (announced, one));
        while self.idle.len() > most
            && let Some((&oldest, _)) = self.idle.first_key_value()
        {
            self.remove(oldest);
        }
    }

    /// Takes the youngest of those that were announced so.
    pub(super) fn pop(&mut self, announced: &Announcement) -> Option<T> {
        let of = self.of.get(&announced.addresses.source)?;
        let fits = |number: &&u64| self.idle.get(number).is_some_and(|one| one.0 == *announced);
        let number = *of.iter().rev().find(fits)?;
        self.remove(number)
    }

    /// Drops those that are not to be kept.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut T) -> bool) {
        let all = self.idle.iter_mut();
        let gone = all.filter_map(|(number, (_, one))| (!keep(one)).then_some(*number));
        for number in gone.collect::<Vec<_>>() {
            self.remove(number);
        }
    }

    /// Drops those of a client.
    pub(super) fn client_left(&mut self, from: SocketAddr) {
        for number in self.of.remove(&from).unwrap_or_default() {
            self.idle.remove(&number);
        }
    }

    pub(super) fn clear(&mut self) {
        self.idle.clear();
        self.of.clear();
    }

    fn remove(&mut self, number: u64) -> Option<T> {
        let (announced, one) = self.idle.remove(&number)?;
        let source = announced.addresses.source;
        if let Some(of) = self.of.get_mut(&source) {
            of.retain(|it| *it != number);
            if of.is_empty() {
                self.of.remove(&source);
            }
        }
        Some(one)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client by its port, at a gateway's port.
    fn client(port: u16, gateway: u16) -> Announcement {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Announcement {
            version: Version::V1,
            addresses: Addresses {
                source: at(port),
                destination: at(gateway),
            },
        }
    }

    fn kept(of: &[(Announcement, u32)], most: usize) -> ByClient<u32> {
        let mut kept = ByClient::default();
        for (announced, one) in of {
            kept.push(*announced, *one, most);
        }
        kept
    }

    #[test]
    fn each_client_gets_its_own_the_youngest_first() {
        let (a, b) = (client(1, 80), client(2, 80));
        let mut kept = kept(&[(a, 1), (b, 2), (a, 3)], 9);
        let other_version = Announcement {
            version: Version::V2,
            ..a
        };
        for other in [client(1, 81), client(3, 80), other_version] {
            assert_eq!(kept.pop(&other), None, "{other:?}");
        }
        let taken = [a, a, a, b, b].map(|client| kept.pop(&client));
        assert_eq!(taken, [Some(3), Some(1), None, Some(2), None]);
        assert!(kept.is_empty() && kept.of.is_empty(), "{kept:?}");
    }

    #[test]
    fn the_oldest_go_where_there_are_too_many() {
        let clients: Vec<_> = (1..=5).map(|n| (client(n, 80), u32::from(n))).collect();
        let mut kept = kept(&clients, 3);
        let left: Vec<_> = clients.iter().map(|(client, _)| kept.pop(client)).collect();
        assert_eq!(left, [None, None, Some(3), Some(4), Some(5)]);
        assert!(kept.is_empty() && kept.of.is_empty(), "{kept:?}");
    }

    #[test]
    fn what_is_dropped_leaves_nothing_behind() {
        let (a, b) = (client(1, 80), client(2, 80));
        let mut kept = kept(&[(a, 1), (b, 2), (a, 3), (client(1, 81), 4)], 9);
        kept.client_left(a.addresses.source);
        assert_eq!((kept.idle.len(), kept.of.len()), (1, 1));
        kept.retain(|one| *one != 2);
        assert!(kept.is_empty() && kept.of.is_empty(), "{kept:?}");
    }
}
