//! A caller that asks for more than it may have, and what it is given by whom.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::{LIMIT, most_by_local};
use crate::support::{Client, Ending, Gateway, Request, Response};

/// Connections to each gateway: more than there are workers.
const CONNECTIONS: usize = 3;

/// Who decided about a request, by its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    /// Redis, and so many were left.
    Counted(u64),
    /// A gateway by itself.
    ByProcess,
    Refused,
}

impl Given {
    fn by(response: &Response) -> Self {
        if response.status == 429 {
            return Self::Refused;
        }
        response.is(200);
        let field = response.fields.one("ratelimit");
        let field = field.unwrap_or_else(|| panic!("{:?}", response.fields));
        let mut parts = field.split(';');
        if parts.next().is_some_and(|name| name.ends_with("-local\"")) {
            return Self::ByProcess;
        }
        let left = parts.find_map(|part| part.strip_prefix("r="));
        let left = left.and_then(|left| left.parse().ok());
        Self::Counted(left.unwrap_or_else(|| panic!("{field}")))
    }
}

/// What came of all its requests.
#[derive(Debug)]
pub(super) struct Offered {
    all: Vec<Given>,
    instances: usize,
}

impl Offered {
    /// Offers `requests`, as many to each gateway.
    pub(super) fn to(gateways: &[Gateway], target: &str, from: IpAddr, requests: usize) -> Self {
        let request = Request::get(target);
        let connections = gateways.len() * CONNECTIONS;
        let all = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..connections)
                .map(|nth| {
                    let address = gateways[nth % gateways.len()].address();
                    let share = requests / connections + usize::from(nth < requests % connections);
                    let request = &request;
                    scope.spawn(move || {
                        let mut client = Client::from(from, address);
                        let mut ask = |_| Given::by(&client.ask(request));
                        (0..share).map(&mut ask).collect::<Vec<_>>()
                    })
                })
                .collect();
            let clients = clients.into_iter();
            clients
                .flat_map(|client| client.join().expect("a client"))
                .collect()
        });
        Self {
            all,
            instances: gateways.len(),
        }
    }

    /// Asks over one connection until it ends, which may be at any moment: the last request may have
    /// been counted without an answer.
    pub(super) fn until_cut(address: SocketAddr) -> Vec<Response> {
        let request = Request::get("/tight");
        let mut answers = Vec::new();
        let Some(mut client) = Client::try_to(address) else {
            return answers;
        };
        while client.try_send(request.bytes()).is_ok() {
            match client.ending_of(&request) {
                Ending::Whole(response) => answers.push(response),
                Ending::Cut(..) | Ending::Nothing(_) => break,
            }
        }
        answers
    }

    /// What these answers say.
    pub(super) fn of(answers: &[Response], instances: usize) -> Self {
        Self {
            all: answers.iter().map(Given::by).collect(),
            instances,
        }
    }

    /// How many Redis admitted.
    pub(super) fn counted(&self) -> u64 {
        self.permits().count() as u64
    }

    /// How many the gateways admitted by themselves.
    pub(super) fn by_process(&self) -> u64 {
        let by_process = |given: &&Given| **given == Given::ByProcess;
        self.all.iter().filter(by_process).count() as u64
    }

    /// How many were admitted.
    pub(super) fn admitted(&self) -> u64 {
        self.counted() + self.by_process()
    }

    /// Fails if gateways admitted more by themselves than they may.
    pub(super) fn local_shares_hold(&self) -> &Self {
        let most = most_by_local(LIMIT, self.instances);
        assert!(self.by_process() <= most, "{self:?}");
        self
    }

    /// Fails if Redis gave the same place in a window to two requests.
    pub(super) fn were_given_once(&self) -> &Self {
        let different: BTreeSet<_> = self.permits().collect();
        assert_eq!(different.len() as u64, self.counted(), "{self:?}");
        self
    }

    /// Fails unless Redis decided all of them, and admitted exactly the limit.
    pub(super) fn are_exact(&self) -> &Self {
        assert_eq!(self.by_process(), 0, "{self:?}");
        assert_eq!(self.counted(), LIMIT, "{self:?}");
        self.were_given_once()
    }

    /// Together with others.
    pub(super) fn and(&self, others: &[&Self]) -> Self {
        let mut all = self.all.clone();
        for other in others {
            all.extend(&other.all);
        }
        Self { all, ..*self }
    }

    fn permits(&self) -> impl Iterator<Item = u64> {
        self.all.iter().filter_map(|given| match given {
            Given::Counted(left) => Some(*left),
            Given::ByProcess | Given::Refused => None,
        })
    }
}
