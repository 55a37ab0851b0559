//! Who asks, and what they may: by a token, by a session that a browser has got for one, or because the port
//! is reached from this machine alone and has no token. Tokens are kept and compared as hashes, so that how
//! long a comparison takes says nothing about a token.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode, header};
use tokio::sync::watch;

use crate::client::{ApiKeyHash, MAX_KEY};
use crate::lock::lock;
use crate::pipeline::snapshot::{Operators, Snapshot};
use crate::words::words;

use super::problem::Problem;
use super::sessions::{COOKIE, Sessions, cookie};
use super::tries::WrongTries;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// See.
    Read,
    /// See and change.
    Change,
}

words! {
    /// What somebody is known by.
    pub enum Proof {
        /// Nothing: the port is for this machine alone.
        Local = "local",
        /// `admin.token`, or a session for it.
        Token = "token",
        /// `admin.read_token`, or a session for it.
        ReadToken = "read_token",
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Operator {
    /// What they are known by.
    pub proof: Proof,
    /// Where they connect from; absent through a Unix socket.
    pub address: Option<IpAddr>,
}

impl Operator {
    /// What they may do.
    pub fn grant(&self) -> Grant {
        match self.proof {
            Proof::Local | Proof::Token => Grant::Change,
            Proof::ReadToken => Grant::Read,
        }
    }

    /// Where they connect from, for the log.
    pub fn from(&self) -> String {
        self.address
            .map_or_else(|| "the Unix socket".to_owned(), |it| it.to_string())
    }
}

/// Who has logged in, and who tries.
#[derive(Debug, Default)]
pub struct Doorkeeper {
    sessions: Mutex<Sessions>,
    tries: Mutex<WrongTries>,
}

impl Operators {
    /// Whether somebody without a token may do nothing; `is_open`: other machines can connect. A reload
    /// may have taken the token away from a port that it cannot close.
    pub(super) fn need_a_token(&self, is_open: bool) -> bool {
        is_open || self.token.is_some() || self.read_token.is_some()
    }

    /// What a token with this hash proves.
    pub(super) fn proves(&self, hash: ApiKeyHash) -> Option<Proof> {
        match Some(hash) {
            of if of == self.token => Some(Proof::Token),
            of if of == self.read_token => Some(Proof::ReadToken),
            _ => None,
        }
    }

    /// What a token proves.
    fn proof_of(&self, token: &[u8]) -> Option<Proof> {
        let is_one = (1..=MAX_KEY).contains(&token.len());
        let hash = is_one.then(|| ApiKeyHash::of(token));
        self.proves(hash?)
    }
}

impl Doorkeeper {
    /// Says who asks with these fields from there. `None`: they show nothing.
    ///
    /// # Errors
    /// What they show is wrong.
    pub fn identify(
        &self,
        operators: &Operators,
        fields: &HeaderMap,
        address: Option<IpAddr>,
    ) -> Result<Option<Operator>, Problem> {
        let shown = self.recognize(operators, fields, address);
        if shown.is_none() && fields.contains_key(header::AUTHORIZATION) {
            return Err(self.wrong(address, Instant::now()));
        }
        Ok(shown)
    }

    /// The same for what is open to all: whoever shows something wrong is nobody, and has tried nothing.
    pub(super) fn recognize(
        &self,
        operators: &Operators,
        fields: &HeaderMap,
        address: Option<IpAddr>,
    ) -> Option<Operator> {
        let proof = if let Some(field) = fields.get(header::AUTHORIZATION) {
            operators.proof_of(bearer(field.as_bytes())?)?
        } else {
            let id = cookie(fields, COOKIE)?;
            let hash = lock(&self.sessions).token_of(id, Instant::now())?;
            operators.proves(hash)?
        };
        Some(Operator { proof, address })
    }

    /// Says what a token proves. The right one passes however many wrong ones came before it.
    ///
    /// # Errors
    /// Nothing.
    pub fn check(
        &self,
        operators: &Operators,
        token: &[u8],
        address: Option<IpAddr>,
        now: Instant,
    ) -> Result<Proof, Problem> {
        let proof = operators.proof_of(token);
        proof.ok_or_else(|| self.wrong(address, now))
    }

    /// Notes a wrong token, and says so.
    fn wrong(&self, address: Option<IpAddr>, now: Instant) -> Problem {
        match lock(&self.tries).note(address, now) {
            None => Problem::new(
                StatusCode::UNAUTHORIZED,
                "wrong_token",
                "Wrong token",
                "This is neither `admin.token` nor `admin.read_token`.",
            ),
            Some(wait) => too_many(wait),
        }
    }

    /// Lets the log say how many wrong tokens it has no line of. To be called now and then.
    pub(super) fn log_wrong_tries(&self, now: Instant) {
        lock(&self.tries).log_rest(now);
    }

    /// Begins a session for a token that was right, and is by what is in force now; returns its id. A reload
    /// that takes the token away comes before this, or ends the session ([`Self::keep`]).
    ///
    /// # Errors
    /// The token has just been taken away, or there is no randomness.
    pub(super) fn open_session(
        &self,
        in_force: &watch::Receiver<Arc<Snapshot>>,
        token: &[u8],
        address: Option<IpAddr>,
    ) -> Result<String, Problem> {
        let now = Instant::now();
        let mut sessions = lock(&self.sessions);
        if in_force.borrow().operators.proof_of(token).is_none() {
            return Err(self.wrong(address, now));
        }
        let id = sessions.open(ApiKeyHash::of(token), now);
        id.map_err(|error| {
            tracing::error!(%error, "nobody can log in to the admin port");
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            Problem::new(status, "internal", "Internal error", "The log says why.")
        })
    }

    /// Ends the sessions of tokens that are not among these any more: of one that comes back later nobody
    /// has shown that they still have it. To be called once a reload is in force.
    pub fn keep(&self, operators: &Operators) {
        lock(&self.sessions).keep(|token| operators.proves(token).is_some());
    }

    /// Ends the session of these fields, if there is one.
    pub fn close_session(&self, fields: &HeaderMap) {
        if let Some(id) = cookie(fields, COOKIE) {
            lock(&self.sessions).close(id);
        }
    }
}

fn too_many(wait: Duration) -> Problem {
    let seconds = wait.as_secs().max(1);
    let detail = format!("Too many wrong tokens from this address; try again in {seconds} s.");
    let status = StatusCode::TOO_MANY_REQUESTS;
    Problem::new(status, "too_many_tries", "Too many tries", detail).retry_after(seconds)
}

/// The token of `Bearer TOKEN`.
fn bearer(field: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = field.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_no_token() {
        let operators = |token: &[u8]| Operators {
            token: Some(ApiKeyHash::of(token)),
            read_token: None,
            ready_needs: Vec::new(),
            hosts: Vec::new(),
        };
        assert_eq!(operators(b"x").proof_of(b"x"), Some(Proof::Token));
        for token in [&b""[..], &[b'x'; MAX_KEY + 1]] {
            assert_eq!(operators(token).proof_of(token), None);
        }
    }
}
