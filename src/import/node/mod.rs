//! From the Node gateway: `routes.json`, `protectedRoutes.js` and API keys in JSON.

mod key_members;
mod key_sides;
mod keys;
mod protected;

use std::collections::HashSet;

use serde_json::{Map, Value};

pub use self::key_sides::KeysAre;
use self::keys::read_keys;
use self::protected::read_protected;
use super::draft::{Draft, Protected, Route, quoted};
use super::mended::{mended, refuse};
use super::{ImportError, Imported, Notes, Source};
use crate::config::Format;
use crate::route::PathPrefix;

const COMMENT: &str = "\
Taken over from the Node gateway. Its files do not hold its limits; without these lines nobody is limited:
    [limits]
    anonymous  = { requests = 60,  per = \"1m\" }
    identified = { requests = 600, per = \"1m\" }";

const PREFIX: [&str; 4] = ["prefix", "path", "route", "url"];
const UPSTREAM: [&str; 5] = ["upstream", "target", "to", "service", "url"];

/// In milliseconds: what is longer was not meant.
const LONGEST_TIMEOUT: u64 = 24 * 60 * 60 * 1000;

/// Reads the gateway's files, of which only the routes have to be there. `keys_are` says what the keys
/// are in a file of keys that pairs strings.
///
/// # Errors
/// A file that is not what its name says. What stands in a file and has no counterpart is a note.
pub fn node(
    routes: Source<'_>,
    protected: Option<Source<'_>>,
    keys: Option<Source<'_>>,
    keys_are: Option<KeysAre>,
) -> Result<Imported, ImportError> {
    let mut notes = Notes::default();
    let mut draft = Draft::default();
    read_routes(routes, &mut draft, &mut notes)?;
    if let Some(source) = protected {
        read_protected(source, &mut draft, &mut notes)?;
    }
    if let Some(source) = keys {
        read_keys(source, keys_are, &mut draft, &mut notes)?;
    }
    let toml = mended(&mut draft, COMMENT, &mut notes);
    Ok(notes.with(toml))
}

fn read_routes(
    source: Source<'_>,
    draft: &mut Draft,
    notes: &mut Notes,
) -> Result<(), ImportError> {
    let document = source.read(Format::Json)?;
    let routes = match document.get("routes") {
        Some(routes @ (Value::Array(_) | Value::Object(_))) => {
            let beside = document.as_object().into_iter().flatten();
            for (name, _) in beside.filter(|(name, _)| *name != "routes") {
                let what = format!("`{name}`, which stands beside `routes`");
                notes.left_out(source.name, what);
            }
            routes
        }
        _ => &document,
    };
    let wrong = || {
        let what = "holds routes: `{ \"/api/orders\": \"http://localhost:4002\" }`, or a list of `{ \"prefix\": ..., \"upstream\": ... }`";
        ImportError::unexpected(source.name, what)
    };
    match routes {
        Value::Object(map) => {
            for (prefix, value) in map {
                match value {
                    Value::String(url) => push(route(prefix, url), source.name, draft, notes),
                    Value::Object(keys) => {
                        read_route(Some(prefix), keys, source.name, draft, notes);
                    }
                    _ => return Err(wrong()),
                }
            }
        }
        Value::Array(list) => {
            for value in list {
                let keys = value.as_object().ok_or_else(wrong)?;
                read_route(None, keys, source.name, draft, notes);
            }
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

fn read_route(
    prefix: Option<&str>,
    keys: &Map<String, Value>,
    file: &str,
    draft: &mut Draft,
    notes: &mut Notes,
) {
    let mut used = HashSet::new();
    let mut first = |names: &[&'static str]| {
        let found = names
            .iter()
            .find(|name| !used.contains(*name) && keys.get(**name).is_some_and(Value::is_string));
        found.and_then(|name| {
            used.insert(*name);
            keys[*name].as_str()
        })
    };
    let prefix = prefix.or_else(|| first(&PREFIX));
    let (Some(prefix), Some(url)) = (prefix, first(&UPSTREAM)) else {
        let names: Vec<&str> = keys.keys().map(String::as_str).collect();
        notes.left_out(
            file,
            format!(
                "a route with `{}`: it wants `prefix` and `upstream`",
                names.join("`, `")
            ),
        );
        return;
    };
    let mut made = route(prefix, url);
    let mut refuses = false;
    for (name, value) in keys {
        match (name.as_str(), value) {
            (name, _) if used.contains(name) => {}
            ("stripPrefix" | "strip_prefix" | "strip", Value::Bool(strip)) => {
                made.pairs.push(("strip_prefix", strip.to_string()));
            }
            ("timeout" | "proxyTimeout", value) => {
                if let Err(why) = take_timeout(&mut made, value) {
                    notes.left_out(&format!("{file}: {prefix}"), format!("`{name}` {why}"));
                }
            }
            // Whether services get their own name as `Host`, or the one that the client asked for.
            ("changeOrigin", Value::Bool(true)) => made.pairs.push(("host", quoted("endpoint"))),
            ("changeOrigin", Value::Bool(false)) => {}
            // Their proxy puts this in the place of the prefix.
            ("rewritePrefix" | "prefixRewrite", Value::String(to)) => rewrite(&mut made, to),
            (name, Value::Bool(wants)) if wants_key(name) => {
                let prefix = made.prefix.clone();
                draft.protected.extend(wants.then_some(Protected {
                    prefix,
                    methods: Vec::new(),
                }));
            }
            (name, value) if says_who_may(name) && !value.is_null() => {
                refuses = true;
                let what = format!("its requests get 503, for `{name}` may keep callers out");
                notes.left_out(&format!("{file}: {prefix}"), what);
            }
            _ => notes.left_out(
                &format!("{file}: {prefix}"),
                format!("`{name}` has no counterpart"),
            ),
        }
    }
    if refuses {
        refuse(&mut made);
    }
    push(made, file, draft, notes);
}

/// Adds a route, unless there is one of its prefix or none can have it.
fn push(route: Route, file: &str, draft: &mut Draft, notes: &mut Notes) {
    let place = format!("{file}: {}", route.prefix);
    if let Err(why) = PathPrefix::parse(&route.prefix) {
        notes.left_out(&place, format!("the whole route: {why}"));
    } else if draft
        .routes
        .iter()
        .any(|other| other.prefix == route.prefix)
    {
        notes.left_out(&place, "the whole route, for another one has its prefix");
    } else {
        draft.routes.push(route);
    }
}

/// Whether a key says who may call, as far as its name tells.
fn says_who_may(name: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let plain = letters.collect::<String>().to_ascii_lowercase();
    let words = [
        "auth",
        "protect",
        "secur",
        "guard",
        "role",
        "scope",
        "permission",
        "acl",
        "allow",
        "deny",
        "whitelist",
        "blacklist",
        "middleware",
        "private",
        "public",
        "access",
        "login",
        "token",
        "apikey",
        "method",
        "host",
    ];
    words.iter().any(|word| plain.contains(word)) || plain.starts_with("ip")
}

/// Whether a key set to `true` asks for a key, and set to `false` for nothing.
fn wants_key(name: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let plain = letters.collect::<String>().to_ascii_lowercase();
    let names = [
        "auth",
        "authenticate",
        "authenticated",
        "authrequired",
        "isprotected",
        "needsauth",
        "protected",
        "requireauth",
        "requiresauth",
        "requireapikey",
        "requiresapikey",
        "secured",
    ];
    names.contains(&plain.as_str())
}

/// Takes a time over, which Node has in milliseconds. There 0 is none; here a route always has one.
fn take_timeout(route: &mut Route, value: &Value) -> Result<(), &'static str> {
    if route.pairs.iter().any(|(key, _)| *key == "timeout") {
        return Err("stands beside another time, which is taken");
    }
    match value.as_u64() {
        Some(0) => Err("is 0, but here a route always has one"),
        Some(time @ 1..=LONGEST_TIMEOUT) => {
            route.pairs.push(("timeout", quoted(&format!("{time}ms"))));
            Ok(())
        }
        _ => Err("is not a number of milliseconds, at most a day"),
    }
}

fn rewrite(route: &mut Route, to: &str) {
    match canonical(to).as_str() {
        "/" => {}
        to if to == route.prefix => route.pairs.push(("strip_prefix", "false".to_owned())),
        to => route.pairs.push(("replace_prefix", quoted(to))),
    }
}

fn route(prefix: &str, url: &str) -> Route {
    Route {
        name: String::new(),
        prefix: canonical(prefix),
        hosts: Vec::new(),
        methods: Vec::new(),
        pairs: vec![("upstream", quoted(url.trim_end_matches('/')))],
        limits: Vec::new(),
    }
}

/// A prefix as it is written here: a slash in front, none at the end, no `*` that means the rest.
pub(super) fn canonical(prefix: &str) -> String {
    let prefix = prefix.strip_suffix("/*").unwrap_or(prefix);
    format!("/{}", prefix.trim_matches('/'))
}

#[cfg(test)]
mod tests;
