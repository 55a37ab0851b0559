//! Which requests somebody wants to see, of those that have been served lately or are served now.

use std::time::Duration;

/// From here on a request is slow, whatever the others are.
pub(super) const SLOW: Duration = Duration::from_secs(1);

/// What requests have to be like; nothing is asked of what is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The route's name.
    pub route: Option<Box<str>>,
    /// The client's name.
    pub client: Option<Box<str>>,
    /// The code, or the kind under which a request is kept.
    pub code: Option<Box<str>>,
    /// The status.
    pub status: Option<Statuses>,
    /// The least time that the request took.
    pub slow: Option<Duration>,
    /// Only requests that failed, were refused or were slow.
    pub trouble: bool,
}

/// What a filter looks at.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'f> {
    /// The route's name.
    pub route: Option<&'f str>,
    /// The client's name.
    pub client: Option<&'f str>,
    /// Why the gateway itself answered, or the answer broke off.
    pub code: Option<&'f str>,
    /// The kind under which it is kept.
    pub kind: &'f str,
    /// The status.
    pub status: u16,
    /// How long the request took.
    pub took: Duration,
}

impl Filter {
    /// Whether a request is wanted.
    pub fn takes(&self, facts: &Facts<'_>) -> bool {
        let is = |wanted: &Option<Box<str>>, has: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == has
        };
        is(&self.route, facts.route)
            && is(&self.client, facts.client)
            && (is(&self.code, facts.code) || is(&self.code, Some(facts.kind)))
            && self.status.is_none_or(|it| it.has(facts.status))
            && self.slow.is_none_or(|least| facts.took >= least)
            && (!self.trouble || facts.is_trouble())
    }
}

impl Facts<'_> {
    fn is_trouble(&self) -> bool {
        self.code.is_some() || self.status >= 400 || self.took >= SLOW
    }
}

/// A status, or all of a class: `404`, `5xx`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statuses {
    /// One.
    One(u16),
    /// Those with this first digit.
    Class(u16),
}

impl Statuses {
    /// Parses `404` or `5xx`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX"));
        if let Some(class) = digits {
            let class = class.parse().ok().filter(|class| (1..=5).contains(class));
            return class.map(Self::Class);
        }
        let status = text.parse().ok().filter(|_| text.len() == 3);
        status
            .filter(|status| (100..=599).contains(status))
            .map(Self::One)
    }

    fn has(self, status: u16) -> bool {
        match self {
            Self::One(one) => status == one,
            Self::Class(class) => status / 100 == class,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_one_or_a_class() {
        for (text, parsed) in [
            ("404", Some(Statuses::One(404))),
            ("5xx", Some(Statuses::Class(5))),
            ("4XX", Some(Statuses::Class(4))),
            ("499", Some(Statuses::One(499))),
            ("6xx", None),
            ("0xx", None),
            ("55xx", None),
            ("99", None),
            ("600", None),
            ("+44", None),
            ("", None),
            ("xx", None),
            ("ok", None),
        ] {
            assert_eq!(Statuses::parse(text), parsed, "{text}");
        }
    }

    #[test]
    fn a_filter_takes_what_fits_all_that_it_says() {
        let facts = Facts {
            route: Some("orders"),
            client: None,
            code: Some("rate_limited"),
            kind: "rate_limited",
            status: 429,
            took: Duration::from_millis(200),
        };
        let route = |name: &str| Filter {
            route: Some(name.into()),
            ..Filter::default()
        };
        assert!(Filter::default().takes(&facts));
        assert!(route("orders").takes(&facts) && !route("other").takes(&facts));
        let of = |status: &str, slow, client: Option<&str>, code: &str| Filter {
            client: client.map(Into::into),
            code: Some(code.into()),
            status: Statuses::parse(status),
            slow: Some(Duration::from_millis(slow)),
            ..route("orders")
        };
        assert!(of("4xx", 200, None, "rate_limited").takes(&facts));
        assert!(!of("5xx", 200, None, "rate_limited").takes(&facts));
        assert!(!of("429", 201, None, "rate_limited").takes(&facts));
        assert!(!of("429", 200, Some("a"), "rate_limited").takes(&facts));
        assert!(!of("429", 200, None, "no_route").takes(&facts));
        let trouble = Filter {
            trouble: true,
            ..Filter::default()
        };
        let well = Facts {
            code: None,
            status: 200,
            ..facts
        };
        assert!(!trouble.takes(&well) && trouble.takes(&facts));
        assert!(trouble.takes(&Facts {
            status: 404,
            ..well
        }));
        assert!(trouble.takes(&Facts { took: SLOW, ..well }));
    }
}
