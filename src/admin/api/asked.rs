//! What a list, or a chart, is asked for: the query of a request. Whatever is not understood is refused, with
//! what would be right; values are not repeated, for one may be a key.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use jiff::Timestamp;
use serde::Serialize;

use crate::admin::filter::well_escaped;
use crate::admin::problem::Problem;

/// Items of a list, where nothing else is said.
const USUAL: usize = 100;
/// The most that are shown at once.
const MAX_ITEMS: usize = 1000;

/// The parameters of a query.
#[derive(Debug, Default)]
pub(super) struct Asked(BTreeMap<String, String>);

/// Which part of a list is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    limit: usize,
    /// How many come before it.
    cursor: usize,
    /// What names contain, in lower case.
    q: Option<String>,
    /// By which of the list's fields it is sorted, by their place, and whether from the last on.
    sort: Option<(usize, bool)>,
}

/// A part of a list.
#[derive(Debug, Serialize)]
pub(super) struct Listed<T> {
    items: Vec<T>,
    total: usize,
    next_cursor: Option<String>,
}

/// What a list can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum SortKey<'k> {
    Text(&'k str),
    Number(f64),
}

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        well_escaped(parts.uri.query().unwrap_or_default())?;
        let query = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri);
        let Ok(Query(pairs)) = query else {
            return Err(Problem::bad_request("The query cannot be read."));
        };
        let mut asked = Self::default();
        for (name, value) in pairs {
            if asked.0.insert(name, value).is_some() {
                return Err(Problem::bad_request("A parameter is given twice."));
            }
        }
        Ok(asked)
    }
}

impl Asked {
    /// Takes a parameter; an empty one is none.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|value| !value.is_empty())
    }

    /// Refuses what is left, where these are known.
    pub(super) fn nothing_else(&self, known: &[&str]) -> Result<(), Problem> {
        match (self.0.len(), known) {
            (0, _) => Ok(()),
            (_, []) => Err(Problem::bad_request("There are no parameters here.")),
            _ => Err(Problem::bad_request(format!(
                "There is a parameter that is not known here. Known: {}.",
                known.join(", ")
            ))),
        }
    }

    /// The part of a list whose items can be sorted by these fields; `more` are other parameters that it knows.
    pub(super) fn part(mut self, fields: &[&str], more: &[&str]) -> Result<Part, Problem> {
        let limit = self.number("limit", 1..=MAX_ITEMS)?.unwrap_or(USUAL);
        let cursor = self.number("cursor", 0..=usize::MAX)?.unwrap_or(0);
        let q = self.take("q").map(|q| q.to_lowercase());
        let sort = self.take("sort");
        let sort = sort.map(|asked| {
            let field = asked.strip_prefix('-').unwrap_or(&asked);
            let place = fields.iter().position(|known| *known == field);
            let place = place.ok_or_else(|| {
                Problem::bad_request(format!(
                    "`sort` is one of {}; with a `-` before it, the largest come first.",
                    fields.join(", ")
                ))
            })?;
            Ok((place, asked.starts_with('-')))
        });
        let known: Vec<_> = ["limit", "cursor", "q", "sort"]
            .iter()
            .chain(more)
            .copied()
            .collect();
        self.nothing_else(&known)?;
        Ok(Part {
            limit,
            cursor,
            q,
            sort: sort.transpose()?,
        })
    }

    fn number(
        &mut self,
        name: &str,
        allowed: std::ops::RangeInclusive<usize>,
    ) -> Result<Option<usize>, Problem> {
        let Some(text) = self.take(name) else {
            return Ok(None);
        };
        let number = text.parse().ok().filter(|number| allowed.contains(number));
        number.map(Some).ok_or_else(|| {
            let wanted = match *allowed.end() {
                usize::MAX => "what `next_cursor` of the page before says".to_owned(),
                most => format!("a number from {} to {most}", allowed.start()),
            };
            Problem::bad_request(format!("`{name}` is {wanted}."))
        })
    }
}

impl Part {
    /// Whether it is sorted by the field of this place.
    pub(super) fn sorts_by(&self, place: usize) -> bool {
        self.sort.is_some_and(|(field, _)| field == place)
    }

    /// Whether a name is asked for.
    pub(super) fn takes(&self, name: &str) -> bool {
        self.q
            .as_ref()
            .is_none_or(|q| name.to_lowercase().contains(q.as_str()))
    }

    /// Sorts what is asked for and cuts this part out of it; only its items are shown, because to show one
    /// may be work. `key` says what an item is sorted by: the field of this place.
    pub(super) fn of<T, S>(
        &self,
        mut all: Vec<T>,
        key: impl for<'k> Fn(&'k T, usize) -> SortKey<'k>,
        show: impl FnMut(T) -> S,
    ) -> Listed<S> {
        if let Some((field, descending)) = self.sort {
            all.sort_by(|a, b| {
                let order = key(a, field).compare(&key(b, field));
                if descending { order.reverse() } else { order }
            });
        }
        let total = all.len();
        let rest = all.into_iter().skip(self.cursor);
        let items: Vec<_> = rest.take(self.limit).map(show).collect();
        let end = self.cursor.saturating_add(items.len());
        Listed {
            items,
            total,
            next_cursor: (end < total).then(|| end.to_string()),
        }
    }
}

impl SortKey<'_> {
    /// Of a number of things.
    #[expect(
        clippy::cast_precision_loss,
        reason = "two so close are as good as equal"
    )]
    pub(super) fn count(count: u64) -> Self {
        Self::Number(count as f64)
    }

    /// Of a time; without one it is this.
    pub(super) fn time(time: Option<Timestamp>, without: f64) -> Self {
        Self::Number(time.map_or(without, |time| time.as_duration().as_secs_f64()))
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(_), Self::Number(_)) => Ordering::Less,
            (Self::Number(_), Self::Text(_)) => Ordering::Greater,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Asked, String> {
        let uri = format!("/x?{query}").parse().unwrap();
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.uri = uri;
        let asked = Asked::from_request_parts(&mut parts, &());
        let waker = std::task::Waker::noop();
        let poll = std::pin::pin!(asked).poll(&mut std::task::Context::from_waker(waker));
        let std::task::Poll::Ready(asked) = poll else {
            panic!("there is nothing to wait for");
        };
        asked.map_err(|problem| problem.detail)
    }

    fn part(query: &str) -> Result<Part, String> {
        let part = asked(query)?.part(&["name", "requests"], &["route"]);
        part.map_err(|problem| problem.detail)
    }

    #[test]
    fn bad_values_are_refused_with_what_would_be_right() {
        let numbers = "`limit` is a number from 1 to 1000.";
        let sorts =
            "`sort` is one of name, requests; with a `-` before it, the largest come first.";
        for (query, problem) in [
            ("limit=0", numbers),
            ("limit=1001", numbers),
            ("limit=x", numbers),
            ("limit=-1", numbers),
            (
                "cursor=x",
                "`cursor` is what `next_cursor` of the page before says.",
            ),
            ("sort=secret", sorts),
            ("sort=-", sorts),
            ("q=a&q=b", "A parameter is given twice."),
            (
                "nme=secret",
                "There is a parameter that is not known here. Known: limit, cursor, q, sort, route.",
            ),
        ] {
            assert_eq!(part(query).unwrap_err(), problem, "{query}");
        }
    }

    #[test]
    fn an_escape_stands_for_text() {
        for query in [
            "route=%zz",
            "route=%",
            "route=%2",
            "a=%ff",
            "a=%c3",
            "%zz=a",
        ] {
            assert!(asked(query).is_err(), "{query}");
        }
        for query in ["route=%2Fapi", "a=%c3%A4+b", "", "a=%25zz"] {
            assert!(asked(query).is_ok(), "{query}");
        }
    }

    fn key<'k>(item: &'k (&'static str, f64), field: usize) -> SortKey<'k> {
        match field {
            0 => SortKey::Text(item.0),
            _ => SortKey::Number(item.1),
        }
    }

    #[test]
    fn a_part_is_cut_out_of_what_is_sorted() {
        let all = || vec![("a", 3.0), ("b", 1.0), ("C", 2.0), ("d", 2.0)];
        let show = |query: &str| {
            let part = part(query).unwrap();
            let taken = all().into_iter().filter(|(name, _)| part.takes(name));
            let listed = part.of(taken.collect(), key, |(name, _)| name);
            (listed.items.concat(), listed.total, listed.next_cursor)
        };
        let to = |cursor: &str| Some(cursor.to_owned());
        assert_eq!(show(""), ("abCd".to_owned(), 4, None));
        assert_eq!(show("sort=requests"), ("bCda".to_owned(), 4, None));
        assert_eq!(show("sort=-name"), ("dbaC".to_owned(), 4, None));
        assert_eq!(show("limit=3"), ("abC".to_owned(), 4, to("3")));
        assert_eq!(show("limit=3&cursor=3"), ("d".to_owned(), 4, None));
        assert_eq!(show("cursor=9"), (String::new(), 4, None));
        assert_eq!(show("q=c"), ("C".to_owned(), 1, None));
    }
}
