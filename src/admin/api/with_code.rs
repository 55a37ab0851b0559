//! What ended with a code lately: the routes, clients, limits or upstreams that stand in the requests that
//! are kept. Of a code those are some and not all (`metrics::recent`): a flood of one kind may push out what
//! is rare in it, so a name that is missing here has not been spared for certain.

use std::borrow::Borrow;
use std::collections::BTreeSet;

use crate::admin::filter::known_code;
use crate::admin::problem::Problem;
use crate::admin::view::View;
use crate::metrics::filter::Filter;
use crate::metrics::recent::Entry;

use super::asked::Asked;

/// The names that a list is narrowed to by `?code=`; `None`: it is not asked for.
#[derive(Debug)]
pub(super) struct WithCode<N>(Option<BTreeSet<N>>);

impl<N: Borrow<str> + Ord> WithCode<N> {
    /// Takes the parameter; `name` is what the list knows a request by.
    ///
    /// # Errors
    /// There is no such code.
    pub(super) fn take(
        asked: &mut Asked,
        view: &View,
        name: impl Fn(Entry) -> Option<N>,
    ) -> Result<Self, Problem> {
        let Some(code) = asked.take("code") else {
            return Ok(Self(None));
        };
        let filter = Filter {
            code: Some(known_code(code.into())?),
            ..Filter::default()
        };
        let entries = view.recent.list(&filter).into_iter();
        Ok(Self(Some(entries.filter_map(name).collect())))
    }

    /// Whether the list has this one.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.contains(name))
    }
}
