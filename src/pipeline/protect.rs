//! Stage 2: protected prefixes are for identified callers, or for some of them; so are routes that say
//! who may. All that is said of a path has to let the caller in.

use http::Method;

use crate::client::Client;
use crate::message::path::RequestPath;
use crate::route::Route;

use super::identify::Caller;
use super::rejection::Rejection;
use super::snapshot::Access;

/// A caller that may come to this path. Only this stage makes one.
#[derive(Debug)]
pub struct Admitted<'s> {
    caller: Caller<'s>,
}

impl<'s> Admitted<'s> {
    /// Who is calling.
    #[must_use]
    pub fn caller(&self) -> Caller<'s> {
        self.caller
    }
}

/// Lets a caller in, unless it is anonymous where clients have to say who they are, or a client that
/// is not among those who may.
pub fn protect<'s>(
    access: &'s Access,
    route: Option<&Route>,
    method: &Method,
    path: &RequestPath<'_>,
    caller: Caller<'s>,
) -> Result<Admitted<'s>, Rejection> {
    let of_route = route.and_then(|route| route.allow);
    let keeps_slashes = route.is_some_and(|route| !route.merge_slashes);
    match caller {
        Caller::Anonymous(_) => {
            let protected = access.protected.protects(path, method, keeps_slashes);
            if of_route.is_some() || protected.is_some() {
                return Err(Rejection::ApiKeyRequired);
            }
        }
        Caller::Identified(client) => {
            let keeps_out = |list: usize| !access.lets_in(list, client);
            let kept_out = |list: usize| keeps_out(list).then_some(());
            let protected = &access.protected;
            if of_route.is_some_and(keeps_out)
                || protected
                    .find_restricted(path, method, keeps_slashes, |_, list| kept_out(list))
                    .is_some()
            {
                return Err(Rejection::Forbidden);
            }
        }
    }
    Ok(Admitted { caller })
}

impl Access {
    /// Whether a list lets a client in.
    fn lets_in(&self, list: usize, client: &Client) -> bool {
        self.allow.get(list).is_some_and(|list| list.admits(client))
    }
}
