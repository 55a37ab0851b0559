//! What a counter in this process is found by: who is counted, under which policy. Policies are
//! numbered within a shard, so that a key takes 24 bytes and a whole slot one cache line.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use super::Subject;

/// Who is counted, and the number of the policy. An enum of its own, because a number beside a
/// [`Subject`] would not go into the room that its variants leave.
#[derive(Debug)]
pub(super) enum Key {
    Client(u32, Arc<str>),
    Address(u32, IpAddr),
    Route(u32, Arc<str>),
}

/// A subject, borrowed from a request or a key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who<'k> {
    Client(&'k Arc<str>),
    Address(IpAddr),
    Route(&'k Arc<str>),
}

impl Key {
    /// Makes a key that owns its subject.
    pub(super) fn new(policy: u32, subject: &Subject) -> Self {
        match subject {
            Subject::Client(name) => Self::Client(policy, Arc::clone(name.text())),
            Subject::Address(address) => Self::Address(policy, *address),
            Subject::Route(name) => Self::Route(policy, Arc::clone(name)),
        }
    }

    /// The number of the policy.
    pub(super) fn policy(&self) -> u32 {
        let (Self::Client(policy, _) | Self::Address(policy, _) | Self::Route(policy, _)) = self;
        *policy
    }

    /// Who is counted.
    pub(super) fn who(&self) -> Who<'_> {
        match self {
            Self::Client(_, name) => Who::Client(name),
            Self::Address(_, address) => Who::Address(*address),
            Self::Route(_, name) => Who::Route(name),
        }
    }

    /// Takes the name of `subject`, who is meant by this key, for its own. A reload and a restart
    /// leave keys with names that nobody else holds: memory, and one more line to be read.
    pub(super) fn renew(&mut self, subject: &Subject) {
        if let (Self::Client(_, kept), Subject::Client(name)) = (self, subject)
            && !Arc::ptr_eq(kept, name.text())
        {
            *kept = Arc::clone(name.text());
        }
    }

    /// Whether the configuration says how many such keys there are, and not whoever calls.
    pub(super) fn is_client(&self) -> bool {
        !matches!(self, Self::Address(..))
    }
}

impl PartialEq for Who<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Client(one), Self::Client(other)) | (Self::Route(one), Self::Route(other)) => {
                same(one, other)
            }
            (Self::Address(one), Self::Address(other)) => one == other,
            _ => false,
        }
    }
}

/// Whether two names are the same. Most are one name in one place, until a reload reads them anew.
pub(super) fn same(one: &Arc<str>, other: &Arc<str>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

impl<'k> From<&'k Subject> for Who<'k> {
    fn from(subject: &'k Subject) -> Self {
        match subject {
            Subject::Client(name) => Self::Client(name.text()),
            Subject::Address(address) => Self::Address(*address),
            Subject::Route(name) => Self::Route(name),
        }
    }
}

/// Hashes a key. The hasher is keyed: callers choose their addresses. Written by hand, for derived
/// code writes more and in more pieces, which takes 10 ns; the kind stands between the two names,
/// so that neither runs on into the other.
pub(super) fn hash(hasher: &RandomState, policy: &str, who: Who<'_>) -> u64 {
    let mut hasher = hasher.build_hasher();
    let kind = match who {
        Who::Client(name) => {
            hasher.write(name.as_bytes());
            0xfc
        }
        Who::Address(IpAddr::V4(address)) => {
            hasher.write(&address.octets());
            0xfd
        }
        Who::Address(IpAddr::V6(address)) => {
            hasher.write(&address.octets());
            0xfe
        }
        Who::Route(name) => {
            hasher.write(name.as_bytes());
            0xff
        }
    };
    hasher.write_u8(kind);
    hasher.write(policy.as_bytes());
    hasher.finish()
}

/// The names of the policies that a shard has windows of, by number.
#[derive(Debug, Default)]
pub(super) struct Names {
    list: Vec<Name>,
}

#[derive(Debug)]
struct Name {
    name: Arc<str>,
    windows: usize,
}

impl Names {
    /// The name with this number, which a window has.
    pub(super) fn name(&self, number: u32) -> &Arc<str> {
        &self.list[number as usize].name
    }

    /// The number for one more window of this name. A policy that reloads have left without
    /// windows gives up its number. There are few, and only a caller's first request looks.
    pub(super) fn enter(&mut self, name: &Arc<str>) -> u32 {
        let mut place = self.list.iter().position(|known| known.name == *name);
        if place.is_none() {
            place = self.list.iter().position(|known| known.windows == 0);
        }
        let place = place.unwrap_or_else(|| {
            self.list.push(Name {
                name: Arc::clone(name),
                windows: 0,
            });
            self.list.len() - 1
        });
        let known = &mut self.list[place];
        if known.windows == 0 {
            known.name = Arc::clone(name);
        }
        known.windows += 1;
        u32::try_from(place).expect("each has a window, of which there are fewer than 2^32")
    }

    /// To be told that a window with this number is gone.
    pub(super) fn leave(&mut self, number: u32) {
        self.list[number as usize].windows -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientName;

    #[test]
    fn a_number_is_used_again_once_its_last_window_is_gone() {
        let mut names = Names::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let first = names.enter(&a);
        assert_eq!(names.enter(&"a".into()), first);
        let second = names.enter(&b);
        assert_ne!(second, first);
        names.leave(first);
        assert_ne!(names.enter(&"c".into()), first, "it still has a window");
        names.leave(first);
        assert_eq!(names.enter(&"d".into()), first);
        assert_eq!(&**names.name(first), "d");
        assert_eq!(names.name(second), &b);
    }

    #[test]
    fn a_key_does_not_hold_on_to_a_name_from_before_a_reload() {
        let [old, new] = ["a", "a"].map(|name| ClientName::parse(name).unwrap());
        let mut key = Key::new(3, &Subject::Client(old.clone()));
        assert_eq!(Arc::strong_count(old.text()), 2);
        assert_eq!(key.who(), Who::Client(new.text()));
        key.renew(&Subject::Client(new.clone()));
        assert_eq!(Arc::strong_count(old.text()), 1);
        assert_eq!(key.who(), Who::Client(old.text()));
    }

    #[test]
    fn a_subject_hashes_alike_from_a_request_and_from_a_key() {
        let hasher = RandomState::new();
        for subject in [
            Subject::Client(ClientName::parse("a").unwrap()),
            Subject::Address([203, 0, 113, 7].into()),
            Subject::Route("a".into()),
        ] {
            let key = Key::new(3, &subject);
            assert_eq!(key.who(), Who::from(&subject));
            let of_key = hash(&hasher, "p", key.who());
            assert_eq!(of_key, hash(&hasher, "p", Who::from(&subject)));
        }
    }
}
