//! Why a check has not passed.

use std::borrow::Cow;

use crate::upstream::address::ConnectError;
use crate::upstream::check_failure::CheckFailure;

/// Why a check has not passed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The endpoint is to blame, and what exactly is wrong with its answer, where that can be said.
    Endpoint(CheckFailure, Option<Cow<'static, str>>),
    /// This process or machine is, which says nothing about the endpoint.
    Ours(ConnectError),
}

impl<F: Into<CheckFailure>> From<F> for Fault {
    fn from(why: F) -> Self {
        Self::Endpoint(why.into(), None)
    }
}
