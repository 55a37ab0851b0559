//! Sessions of browsers: a random id in a cookie stands for a token that was shown once. Kept in memory, and
//! as hashes; there are few, they end after half a day, and with their token.

use std::time::{Duration, Instant};

use http::{HeaderMap, header};

use crate::client::{ApiKey, ApiKeyHash, NoRandomness};

/// The cookie. Ports share the cookies of a host, so browsers hold one session for all gateways of a host.
pub(super) use crate::message::key_sources::ADMIN_COOKIE as COOKIE;
/// How long a session lasts.
pub(super) const LIFETIME: Duration = Duration::from_hours(12);
/// How many there are at once for a token; its oldest gives way.
const MAX_SESSIONS: usize = 64;

/// All sessions, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Sessions(Vec<Session>);

#[derive(Debug)]
struct Session {
    /// Of its id.
    id: ApiKeyHash,
    /// Of the token that it stands for.
    token: ApiKeyHash,
    ends: Instant,
}

impl Sessions {
    /// Begins a session for a token; returns its id.
    pub(super) fn open(&mut self, token: ApiKeyHash, now: Instant) -> Result<String, NoRandomness> {
        let id = ApiKey::generate()?;
        self.0.retain(|session| session.ends > now);
        let of_token = |session: &Session| session.token == token;
        if self.0.iter().filter(|it| of_token(it)).count() >= MAX_SESSIONS
            && let Some(oldest) = self.0.iter().position(of_token)
        {
            self.0.remove(oldest);
        }
        self.0.push(Session {
            id: id.hash(),
            token,
            ends: now + LIFETIME,
        });
        Ok(id.expose().to_owned())
    }

    /// The token that a session stands for.
    pub(super) fn token_of(&self, id: &str, now: Instant) -> Option<ApiKeyHash> {
        let id = ApiKeyHash::of(id.as_bytes());
        let mut alive = self.0.iter().filter(|session| session.ends > now);
        alive
            .find(|session| session.id == id)
            .map(|session| session.token)
    }

    /// Ends those of tokens that are not in force any more.
    pub(super) fn keep(&mut self, in_force: impl Fn(ApiKeyHash) -> bool) {
        self.0.retain(|session| in_force(session.token));
    }

    /// Ends a session.
    pub(super) fn close(&mut self, id: &str) {
        let id = ApiKeyHash::of(id.as_bytes());
        self.0.retain(|session| session.id != id);
    }
}

/// The value of a cookie.
pub(super) fn cookie<'f>(fields: &'f HeaderMap, name: &str) -> Option<&'f str> {
    let lines = fields.get_all(header::COOKIE).into_iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(own, _)| *own == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_end_by_time_by_wish_and_by_number() {
        let (token, now) = (ApiKeyHash::of(b"token"), Instant::now());
        let mut sessions = Sessions::default();
        let first = sessions.open(token, now).unwrap();
        assert_eq!(sessions.token_of(&first, now), Some(token));
        assert_eq!(sessions.token_of("tg_other", now), None);
        assert_eq!(sessions.token_of(&first, now + LIFETIME), None);
        let second = sessions.open(token, now).unwrap();
        sessions.close(&second);
        assert_eq!(sessions.token_of(&second, now), None);
        let other = ApiKeyHash::of(b"other token");
        let of_other = sessions.open(other, now).unwrap();
        for _ in 0..MAX_SESSIONS {
            sessions.open(token, now).unwrap();
        }
        assert_eq!(
            (sessions.0.len(), sessions.token_of(&first, now)),
            (MAX_SESSIONS + 1, None)
        );
        assert_eq!(sessions.token_of(&of_other, now), Some(other));
        sessions.keep(|it| it == token);
        assert_eq!(sessions.token_of(&of_other, now), None);
        assert_eq!(sessions.0.len(), MAX_SESSIONS);
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut fields = HeaderMap::new();
        fields.append(
            header::COOKIE,
            "a=b; tollgate_admin=x; tollgate_admin=y".parse().unwrap(),
        );
        fields.append(header::COOKIE, "c=d".parse().unwrap());
        assert_eq!(cookie(&fields, COOKIE), Some("x"));
        assert_eq!(cookie(&fields, "c"), Some("d"));
        assert_eq!(cookie(&fields, "tollgate"), None);
    }
}
