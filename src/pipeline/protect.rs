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
    let keeps_slashes = route.is_some_and(|route| !route.merge_slashes);
    may_come(access, route, method, path, keeps_slashes, caller)?;
    Ok(Admitted { caller })
}

/// Whether a caller may come to a path. With `keeps_slashes` the service gets its slashes as they came.
pub fn may_come(
    access: &Access,
    route: Option<&Route>,
    method: &Method,
    path: &RequestPath<'_>,
    keeps_slashes: bool,
    caller: Caller<'_>,
) -> Result<(), Rejection> {
    let of_route = route.and_then(|route| route.allow);
    match caller {
        Caller::Anonymous(_) => {
            let protected = access.protected.protects(path, method, keeps_slashes);
            if of_route.is_some() || protected.is_some() {
                return Err(Rejection::ApiKeyRequired);
            }
        }
        Caller::Identified(client) => {
            if let (Some(route), Some(list)) = (route, of_route) {
                let place = || format!("the route {}", route.prefix.as_str());
                access.let_in(list, client, place)?;
            }
            let kept_out =
                access
                    .protected
                    .find_restricted(path, method, keeps_slashes, |protected, list| {
                        let place = || protected.prefix.as_str().to_owned();
                        access.let_in(list, client, place).err()
                    });
            if let Some(kept_out) = kept_out {
                return Err(kept_out);
            }
        }
    }
    Ok(())
}

impl Access {
    /// Lets a client in, if a list does, or says that it does not.
    fn let_in(
        &self,
        list: usize,
        client: &Client,
        place: impl FnOnce() -> String,
    ) -> Result<(), Rejection> {
        match self.allow.get(list) {
            Some(list) if list.admits(client) => Ok(()),
            Some(list) => Err(Rejection::Forbidden(list.reason(&place()).into())),
            None => Err(Rejection::Forbidden("a list that is not there".into())),
        }
    }
}
