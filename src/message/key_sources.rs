//! Where in a request its key may stand. All places are looked at: of two different keys it is not for
//! the gateway to choose which one counts. A key in a query or a cookie is taken out before the request
//! goes on; a query is written into logs and histories wherever it comes by.

use std::borrow::Cow;

use http::HeaderName;

use super::bytes::split_at_equals;
use super::cookies::{cookies, name_and_value, pairs};
use super::escapes::Decoded;
use super::fields::Fields;
use super::known_field::KnownField;

/// The cookie of sessions on the admin port. Browsers send it to all ports of a host; no service gets it.
pub const ADMIN_COOKIE: &str = "tollgate_admin";

/// A place for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The header field that the configuration names.
    Header,
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// A parameter of the query.
    Query(String),
    /// A cookie.
    Cookie(String),
}

/// The places where a key may stand.
#[derive(Debug, Default)]
pub struct KeySources {
    header: bool,
    bearer: bool,
    queries: Vec<String>,
    cookies: Vec<String>,
    /// What a 401 says of them, without a key and with a wrong one.
    challenges: [String; 2],
    /// As a sentence names them.
    places: String,
}

/// What a request has for a key, and where.
#[derive(Debug)]
pub struct Sent<'r> {
    /// The key.
    pub key: SentKey<'r>,
    /// Whether cookies alone have one: browsers send them by themselves.
    pub by_cookie: bool,
}

/// What a request has for a key.
#[derive(Debug)]
pub enum SentKey<'r> {
    /// None.
    Nothing,
    /// This one, wherever it stands.
    Key(Cow<'r, [u8]>),
    /// Several, of which none can be preferred.
    Several,
}

impl KeySources {
    /// Compiles places; `header` is the name of the field.
    pub fn new(header: &HeaderName, sources: impl IntoIterator<Item = KeySource>) -> Self {
        let mut all = Self::default();
        let mut places = Vec::new();
        for source in sources {
            places.push(source.place(header));
            match source {
                KeySource::Header => all.header = true,
                KeySource::Bearer => all.bearer = true,
                KeySource::Query(name) => all.queries.push(name),
                KeySource::Cookie(name) => all.cookies.push(name),
            }
        }
        // A field's name has nothing that would need escaping in a quoted string.
        let key = if all.header {
            format!("ApiKey realm=\"tollgate\", header=\"{header}\"")
        } else {
            "ApiKey realm=\"tollgate\"".to_owned()
        };
        let bearer = "Bearer realm=\"tollgate\"";
        let rejected = "Bearer realm=\"tollgate\", error=\"invalid_token\"";
        all.challenges = match (all.bearer, all.header) {
            (false, _) => [key.clone(), key],
            (true, false) => [bearer.to_owned(), rejected.to_owned()],
            (true, true) => [format!("{key}, {bearer}"), format!("{key}, {rejected}")],
        };
        all.places = places.join(" or ");
        all
    }

    /// The places, for a sentence: "the x-api-key field".
    pub fn places(&self) -> &str {
        &self.places
    }

    /// The field that has a key, as a client would send it; `None`: no field does.
    pub fn field(&self, header: &HeaderName, key: &str) -> Option<String> {
        if self.header {
            Some(format!("{header}: {key}"))
        } else if self.bearer {
            Some(format!("Authorization: Bearer {key}"))
        } else {
            let cookie = self.cookies.first()?;
            Some(format!("Cookie: {cookie}={key}"))
        }
    }

    /// The parameter of the query that has a key, if one does.
    pub fn parameter(&self) -> Option<&str> {
        self.queries.first().map(|name| &**name)
    }

    /// The value of `WWW-Authenticate` for a request without a key, or with a wrong one (RFC 6750
    /// section 3.1).
    pub fn challenge(&self, has_wrong_key: bool) -> &str {
        &self.challenges[usize::from(has_wrong_key)]
    }

    /// The key that a request has.
    pub fn find<'r>(
        &self,
        header: &HeaderName,
        fields: &'r Fields,
        query: Option<&'r [u8]>,
    ) -> Sent<'r> {
        let mut sent = SentKey::Nothing;
        if self.header {
            sent.add_all(fields.get_all_named(header).map(Cow::Borrowed));
        }
        if self.bearer {
            let tokens = fields.get_all(KnownField::Authorization);
            sent.add_all(tokens.filter_map(token).map(Cow::Borrowed));
        }
        for name in &self.queries {
            let named = parameters(query).filter(|one| one.is_called(name));
            sent.add_all(named.map(|one| decoded(one.value)));
        }
        let has_other = !matches!(sent, SentKey::Nothing);
        for name in &self.cookies {
            let named = cookies(fields).filter(|(own, _)| *own == name.as_bytes());
            sent.add_all(named.map(|(_, value)| Cow::Borrowed(value)));
        }
        Sent {
            by_cookie: !has_other && !matches!(sent, SentKey::Nothing),
            key: sent,
        }
    }

    /// A query without the keys in it, if there are any.
    pub fn query_without_keys(&self, query: &[u8]) -> Option<Vec<u8>> {
        if self.queries.is_empty() {
            return None;
        }
        let is_key = |one: &Parameter<'_>| self.queries.iter().any(|name| one.is_called(name));
        if !parameters(Some(query)).any(|one| is_key(&one)) {
            return None;
        }
        let rest = parameters(Some(query)).filter(|one| !is_key(one));
        let rest: Vec<&[u8]> = rest.map(|one| one.whole).collect();
        Some(rest.join(&b'&'))
    }

    /// The value of a `Cookie` field without a session of the admin port and, unless services get them,
    /// without keys, if there are any in it.
    pub fn cookie_for_service(&self, value: &[u8], forward_keys: bool) -> Option<Vec<u8>> {
        let keys: &[String] = if forward_keys { &[] } else { &self.cookies };
        let is_own = |pair: &[u8]| {
            let (name, _) = name_and_value(pair);
            name == ADMIN_COOKIE.as_bytes() || keys.iter().any(|own| own.as_bytes() == name)
        };
        if !pairs(value).any(is_own) {
            return None;
        }
        let rest: Vec<&[u8]> = pairs(value).filter(|pair| !is_own(pair)).collect();
        Some(rest.join(&b"; "[..]))
    }

    /// Whether the value of an `Authorization` field is a key.
    pub fn takes_authorization(&self, value: &[u8]) -> bool {
        self.bearer && token(value).is_some()
    }
}

impl KeySource {
    fn place(&self, header: &HeaderName) -> String {
        match self {
            Self::Header => format!("the {header} field"),
            Self::Bearer => "an Authorization field with Bearer".to_owned(),
            Self::Query(name) => format!("the query parameter {name}"),
            Self::Cookie(name) => format!("the cookie {name}"),
        }
    }
}

impl<'r> SentKey<'r> {
    /// Adds the keys of one place: two of them are too many, even equal ones.
    fn add_all(&mut self, mut keys: impl Iterator<Item = Cow<'r, [u8]>>) {
        let Some(key) = keys.next() else {
            return;
        };
        let is_same = match self {
            Self::Nothing => true,
            Self::Key(before) => *before == key,
            Self::Several => false,
        };
        *self = if is_same && keys.next().is_none() {
            Self::Key(key)
        } else {
            Self::Several
        };
    }
}

/// The token of an `Authorization` field, if its scheme is `Bearer` (RFC 6750 section 2.1).
fn token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(b"bearer".len())?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"bearer");
    (is_bearer && rest.first().is_none_or(u8::is_ascii_whitespace)).then(|| rest.trim_ascii())
}

/// A parameter of a query.
struct Parameter<'q> {
    whole: &'q [u8],
    name: &'q [u8],
    value: &'q [u8],
}

impl Parameter<'_> {
    /// Whether it has this name, however that is encoded.
    fn is_called(&self, name: &str) -> bool {
        Decoded::once(self.name.iter().copied())
            .bytes()
            .eq(name.bytes())
    }
}

fn parameters(query: Option<&[u8]>) -> impl Iterator<Item = Parameter<'_>> {
    let all = query
        .into_iter()
        .flat_map(|query| query.split(|b| *b == b'&'));
    all.map(|whole| {
        let (name, value) = split_at_equals(whole);
        Parameter { whole, name, value }
    })
}

/// A value as it is meant. A `+` is itself: no key has a blank.
fn decoded(value: &[u8]) -> Cow<'_, [u8]> {
    if value.contains(&b'%') {
        Decoded::once(value.iter().copied()).bytes().collect()
    } else {
        value.into()
    }
}

#[cfg(test)]
mod tests;
