//! What a route sets, adds and removes of the fields of its requests, or of its answers.

use std::fmt;
use std::net::IpAddr;

use http::HeaderName;

use super::caller::put_address;
use super::sink::FieldSink;

/// The rules of a route for one direction, compiled.
#[derive(Clone, PartialEq, Eq)]
pub struct FieldRules {
    set: Box<[(HeaderName, Template)]>,
    add: Box<[(HeaderName, Template)]>,
    remove: Box<[HeaderName]>,
}

/// The value of a field, with places in it for what differs from request to request.
#[derive(Clone, PartialEq, Eq)]
pub struct Template(pub Box<[Part]>);

/// A part of a value.
#[derive(Clone, PartialEq, Eq)]
pub enum Part {
    /// The same in all requests.
    Text(Box<str>),
    /// The client's name. For an anonymous caller the whole field is left out.
    Client,
    /// The address that the request comes from.
    Address,
    /// The request's id.
    RequestId,
}

/// What values are made of.
#[derive(Debug, Clone, Copy)]
pub struct Variables<'a> {
    /// The client's name, if it is an identified one.
    pub client: Option<&'a str>,
    /// The address that the request comes from.
    pub address: IpAddr,
    /// The request's id.
    pub request_id: &'a [u8],
}

/// Rules, and what the values are made of.
#[derive(Debug, Clone, Copy)]
pub struct Edit<'a> {
    /// The rules.
    pub rules: &'a FieldRules,
    /// What the values are made of.
    pub variables: Variables<'a>,
}

impl FieldRules {
    /// Rules that change something; `None` if these do not.
    pub fn new(
        set: Vec<(HeaderName, Template)>,
        add: Vec<(HeaderName, Template)>,
        remove: Vec<HeaderName>,
    ) -> Option<Self> {
        let changes = !(set.is_empty() && add.is_empty() && remove.is_empty());
        changes.then(|| Self {
            set: set.into(),
            add: add.into(),
            remove: remove.into(),
        })
    }

    /// Whether a field that came under this name ends here.
    pub fn drops(&self, name: &[u8]) -> bool {
        self.dropped()
            .any(|own| own.as_str().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The same, where also a look-alike ends here: services that turn names into variables take
    /// `X_Env` for `X-Env`.
    pub fn drops_alike(&self, name: &[u8]) -> bool {
        let plain = |b: &u8| {
            if b.is_ascii_alphanumeric() {
                b.to_ascii_lowercase()
            } else {
                b'-'
            }
        };
        self.dropped().any(|own| {
            let own = own.as_str().as_bytes();
            own.len() == name.len() && own.iter().map(plain).eq(name.iter().map(plain))
        })
    }

    fn dropped(&self) -> impl Iterator<Item = &HeaderName> {
        self.set.iter().map(|(name, _)| name).chain(&self.remove)
    }

    /// What they do, for people: names alone, for a value may be a secret.
    pub fn summary(&self) -> String {
        let put = |all: &[(HeaderName, Template)]| -> Vec<String> {
            all.iter().map(|(name, _)| name.to_string()).collect()
        };
        let removed = self.remove.iter().map(ToString::to_string).collect();
        let parts = [
            ("set", put(&self.set)),
            ("added", put(&self.add)),
            ("removed", removed),
        ];
        let parts = parts.iter().filter(|(_, names)| !names.is_empty());
        let parts = parts.map(|(what, names)| format!("{} {what}", names.join(", ")));
        parts.collect::<Vec<_>>().join("; ")
    }
}

impl Edit<'_> {
    /// Puts the fields that are set and added, but for those that `but` names.
    pub fn put_but(&self, sink: &mut impl FieldSink, but: impl Fn(&HeaderName) -> bool) {
        for (name, value) in self.rules.set.iter().chain(&self.rules.add) {
            if value.has_all(&self.variables) && !but(name) {
                sink.composed(name.as_ref(), |out| value.put(out, &self.variables));
            }
        }
    }

    /// Puts the fields that are set and added.
    pub fn put(&self, sink: &mut impl FieldSink) {
        self.put_but(sink, |_| false);
    }
}

impl Template {
    fn has_all(&self, variables: &Variables<'_>) -> bool {
        variables.client.is_some() || !self.0.contains(&Part::Client)
    }

    fn put(&self, out: &mut Vec<u8>, variables: &Variables<'_>) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.extend_from_slice(text.as_bytes()),
                Part::Client => out.extend_from_slice(variables.client.unwrap_or("").as_bytes()),
                Part::Address => put_address(out, variables.address),
                Part::RequestId => out.extend_from_slice(variables.request_id),
            }
        }
    }
}

/// Without values, which may be secrets.
impl fmt::Debug for FieldRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())
    }
}

/// `X-Env: prod` and `X-Who: ${client} at ${ip}` set, `X-Id: ${request_id}` added, `X-Debug` removed.
#[cfg(test)]
pub(crate) fn example() -> FieldRules {
    let name = HeaderName::from_static;
    let text = |text: &str| Part::Text(text.into());
    let value = |parts: Vec<Part>| Template(parts.into());
    let who = vec![Part::Client, text(" at "), Part::Address];
    FieldRules::new(
        vec![
            (name("x-env"), value(vec![text("prod")])),
            (name("x-who"), value(who)),
        ],
        vec![(name("x-id"), value(vec![Part::RequestId]))],
        vec![name("x-debug")],
    )
    .expect("rules")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::sink::List;

    fn put(client: Option<&str>) -> Vec<String> {
        let variables = Variables {
            client,
            address: IpAddr::from([192, 0, 2, 7]),
            request_id: b"r1",
        };
        let rules = &example();
        let mut sink = List::default();
        Edit { rules, variables }.put(&mut sink);
        let line = |(name, value)| format!("{name}: {value}");
        sink.0.into_iter().map(line).collect()
    }

    #[test]
    fn values_are_made_of_what_is_known_of_the_request() {
        let all = ["x-env: prod", "x-who: app at 192.0.2.7", "x-id: r1"];
        assert_eq!(put(Some("app")), all);
        assert_eq!(put(None), ["x-env: prod", "x-id: r1"]);
    }

    #[test]
    fn what_is_set_or_removed_is_dropped_and_what_is_added_is_not() {
        let rules = example();
        for (name, drops, drops_alike) in [
            ("X-Env", true, true),
            ("x-who", true, true),
            ("X-DEBUG", true, true),
            ("x_env", false, true),
            ("X.Debug", false, true),
            ("x-id", false, false),
            ("x-env2", false, false),
            ("x-en", false, false),
            ("", false, false),
        ] {
            assert_eq!(rules.drops(name.as_bytes()), drops, "{name}");
            assert_eq!(rules.drops_alike(name.as_bytes()), drops_alike, "{name}");
        }
    }

    #[test]
    fn values_are_shown_nowhere() {
        let said = "x-env, x-who set; x-id added; x-debug removed";
        assert_eq!(format!("{:?}", example()), said);
        assert!(FieldRules::new(vec![], vec![], vec![]).is_none());
    }
}
