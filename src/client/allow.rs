//! Which clients may come in somewhere: those that a list names, by themselves or by a group. A list is
//! compiled into a bit for each client, so that a request costs the test of one.

use std::fmt;

use super::Client;

/// One of those whom a list lets in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AllowEntry {
    /// The clients of this group.
    Group(String),
    /// This client.
    Client(String),
}

impl AllowEntry {
    /// Whether it names `client`.
    pub fn names(&self, client: &Client) -> bool {
        match self {
            Self::Group(group) => client.groups().contains(group),
            Self::Client(name) => client.name.as_str() == name,
        }
    }
}

impl fmt::Display for AllowEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => write!(f, "group:{group}"),
            Self::Client(name) => write!(f, "client:{name}"),
        }
    }
}

/// A list of those who may come in.
#[derive(Debug)]
pub struct AllowList {
    entries: Vec<AllowEntry>,
    /// A bit for each client, by its place.
    members: Vec<u64>,
}

impl AllowList {
    /// Compiles a list for these clients.
    pub fn new<'c>(
        entries: Vec<AllowEntry>,
        clients: impl IntoIterator<Item = &'c Client>,
    ) -> Self {
        let mut members = Vec::new();
        for client in clients {
            if entries.iter().any(|entry| entry.names(client)) {
                let word = client.place() / 64;
                members.resize(members.len().max(word + 1), 0);
                members[word] |= 1 << (client.place() % 64);
            }
        }
        Self { entries, members }
    }

    /// Whether it lets a client in.
    pub fn admits(&self, client: &Client) -> bool {
        let word = self.members.get(client.place() / 64);
        word.is_some_and(|word| word >> (client.place() % 64) & 1 == 1)
    }

    /// The entry that lets a client in, for `explain`.
    pub fn entry_of(&self, client: &Client) -> Option<&AllowEntry> {
        self.entries.iter().find(|entry| entry.names(client))
    }

    /// Whom it lets in, as they were written.
    pub fn entries(&self) -> &[AllowEntry] {
        &self.entries
    }

    /// Why it keeps a client out of `place`, for the log.
    pub fn reason(&self, place: &str) -> String {
        let entries: Vec<_> = self.entries.iter().map(ToString::to_string).collect();
        format!("{place} lets in {} only", entries.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientName;

    fn client(place: usize, groups: &[&str]) -> Client {
        let name = ClientName::parse(&format!("c{place}")).unwrap();
        let groups = groups.iter().map(|group| (*group).to_owned()).collect();
        Client::new(name, None).in_groups(groups, place)
    }

    #[test]
    fn a_list_lets_in_whom_it_names_and_nobody_else() {
        let clients: Vec<_> = (0..200)
            .map(|place| {
                let third: &[&str] = if place % 3 == 0 { &["b", "a"] } else { &["b"] };
                client(place, third)
            })
            .collect();
        let entries = vec![
            AllowEntry::Group("a".into()),
            AllowEntry::Client("c64".into()),
            AllowEntry::Group("nobody".into()),
        ];
        let list = AllowList::new(entries, &clients);
        for (place, client) in clients.iter().enumerate() {
            let expected = place % 3 == 0 || place == 64;
            assert_eq!(list.admits(client), expected, "{place}");
            assert_eq!(list.entry_of(client).is_some(), expected, "{place}");
        }
        assert!(
            !list.admits(&client(100_000, &[])),
            "no client of the configuration"
        );
        assert!(!AllowList::new(Vec::new(), &clients).admits(&clients[0]));
    }
}
