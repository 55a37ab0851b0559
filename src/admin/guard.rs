//! What stands between a socket and the paths of the admin port. A page in an operator's browser can send
//! requests here, too, for the browser is on the right side of every firewall: so the host has to be one that
//! the port is known by (against names that are made to lead here), and a request that another page begins is
//! refused. What a change needs besides is in `changer`.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderName, Method, StatusCode, Uri, header};

use crate::message::host;
use crate::message::target::host_without_port;

use super::access::{Operator, Proof};
use super::caller::Caller;
use super::problem::Problem;
use super::view::View;

/// Paths that somebody without a token gets to. What the health answers say depends on who asks.
const FOR_ALL: [&str; 4] = ["/login", "/logout", "/livez", "/readyz"];
/// What programs ask for that may not know `Host`: HTTP/1.0 has none, and that is what checks of `HAProxy` speak
/// unless they are told otherwise. A browser always sends it, so a page that has made a name lead here is
/// still found out.
const NEED_NO_HOST: [&str; 3] = ["/livez", "/readyz", "/metrics"];
/// What is judged here, and may be there once.
const SINGLE: [HeaderName; 4] = [
    header::HOST,
    header::ORIGIN,
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
];
/// The files of pages.
const ASSETS: &str = "/assets/";

/// Lets a request pass to the admin port's paths, with who asks, or refuses it.
pub(super) async fn admin(
    State(view): State<Arc<View>>,
    mut request: Request,
    next: Next,
) -> Response {
    match judge(&view, &request) {
        Ok(operator) => {
            if let Some(operator) = operator {
                request.extensions_mut().insert(operator);
            }
            next.run(request).await
        }
        Err(problem) if problem.status == StatusCode::UNAUTHORIZED && wants_page(&request) => {
            Redirect::to("/login").into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

/// The same for the port of metrics, which has no token and is known by any name.
pub(super) async fn metrics(request: Request, next: Next) -> Response {
    match single_fields(&request).and_then(|()| not_from_a_page(&request)) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

/// Says who asks. `None`: they show no token, and the path needs none.
fn judge(view: &View, request: &Request) -> Result<Option<Operator>, Problem> {
    let snapshot = Arc::clone(&view.snapshots.borrow());
    let operators = &snapshot.operators;
    let caller = request.extensions().get::<Caller>();
    let caller = caller.copied().unwrap_or_default();
    single_fields(request)?;
    known_host(request, &caller, &operators.hosts)?;
    not_from_a_page(request)?;
    let fields = request.headers();
    let (address, path) = (caller.address, request.uri().path());
    let for_all = FOR_ALL.contains(&path) || path.starts_with(ASSETS);
    let operator = if !operators.need_a_token(caller.is_open) {
        let proof = Proof::Local;
        Some(Operator { proof, address })
    } else if for_all {
        view.doorkeeper.recognize(operators, fields, address)
    } else {
        view.doorkeeper.identify(operators, fields, address)?
    };
    if for_all {
        return Ok(operator);
    }
    operator.map(Some).ok_or_else(token_required)
}

/// Nobody has shown anything.
pub(super) fn token_required() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "token_required",
        "Token required",
        "Send `Authorization: Bearer TOKEN`; a browser logs in at /login.",
    )
}

fn is_reading(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Of two fields it is not for us to choose which one counts.
fn single_fields(request: &Request) -> Result<(), Problem> {
    for name in SINGLE {
        if request.headers().get_all(&name).iter().nth(1).is_some() {
            let detail = format!("There is more than one `{name}` field.");
            return Err(Problem::bad_request(detail));
        }
    }
    Ok(())
}

/// The host that is asked for has to be one that the port is known by.
fn known_host(request: &Request, caller: &Caller, names: &[Box<str>]) -> Result<(), Problem> {
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let known = |host: &str| is_known(host, caller.local, names);
    let by_field = match request.headers().get(header::HOST) {
        Some(field) => field.to_str().is_ok_and(known),
        None => NEED_NO_HOST.contains(&request.uri().path()),
    };
    if by_field && authority.is_none_or(known) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "unknown_host",
        "Unknown host",
        "The admin port is not known by this host. Use its address or `localhost`, or name the host in `admin.hosts`.",
    ))
}

fn is_known(host: &str, local: Option<IpAddr>, names: &[Box<str>]) -> bool {
    let name = host_without_port(host.as_bytes());
    // A list of hosts is none.
    let port = &host.as_bytes()[name.len()..];
    let digits = port.strip_prefix(b":").unwrap_or(port);
    if !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    let literal = name.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    if let Ok(address) = literal.unwrap_or(name).parse::<IpAddr>() {
        let address = address.to_canonical();
        return address.is_loopback()
            || local == Some(address)
            || names.iter().any(|it| **it == *name);
    }
    let mut names = names.iter();
    name == "localhost" || names.any(|known| host::covers(known, name.as_bytes()))
}

/// Refuses what a page of another origin begins, but for following a link to here.
fn not_from_a_page(request: &Request) -> Result<(), Problem> {
    let fields = request.headers();
    let text = |name: &str| fields.get(name).map(|it| it.to_str().unwrap_or("?"));
    let foreign = Err(Problem::new(
        StatusCode::FORBIDDEN,
        "foreign_origin",
        "Foreign origin",
        "A page of another origin may not ask here.",
    ));
    let host = text("host").unwrap_or_default();
    if let Some(origin) = text("origin")
        && !is_same(origin, host)
    {
        return foreign;
    }
    let follows_link = is_reading(request.method())
        && text("sec-fetch-mode") == Some("navigate")
        && text("sec-fetch-dest") == Some("document");
    match text("sec-fetch-site") {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) if follows_link => Ok(()),
        Some(_) => foreign,
    }
}

/// Whether an origin is that of this host. Which scheme a proxy in front speaks is not known.
fn is_same(origin: &str, host: &str) -> bool {
    let Ok(origin) = origin.parse::<Uri>() else {
        return false;
    };
    let (Some(scheme), Some(authority)) = (origin.scheme_str(), origin.authority()) else {
        return false;
    };
    let default = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return false,
    };
    let bare = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.strip_suffix(default)
            .map(str::to_owned)
            .unwrap_or(text)
    };
    bare(authority.as_str()) == bare(host)
}

/// Whether a browser asks for a page to show.
fn wants_page(request: &Request) -> bool {
    let accept = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|it| it.to_str().ok());
    let for_programs = ["/api/", "/metrics"]
        .iter()
        .any(|it| request.uri().path().starts_with(it));
    !for_programs
        && is_reading(request.method())
        && !request.headers().contains_key(header::AUTHORIZATION)
        && accept.is_some_and(|it| it.contains("text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_known_by_address_by_localhost_and_by_configuration() {
        let local = "10.0.0.7".parse().ok();
        let names = ["tollgate.internal".into(), "*.ops.example".into()];
        for host in [
            "127.0.0.1:9000",
            "127.0.0.9",
            "[::1]:9000",
            "localhost:9000",
            "LOCALHOST",
            "localhost.",
            "10.0.0.7:9000",
            "[::ffff:10.0.0.7]:1",
            "tollgate.internal:9000",
            "a.ops.example",
        ] {
            assert!(is_known(host, local, &names), "{host}");
        }
        for host in [
            "",
            ":9000",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.8",
            "a.b.ops.example",
            "ops.example",
            "2130706433",
            "user@localhost",
            "127.0.0.1:9000, evil",
            "127.0.0.1, evil",
            "[::1]:9000, evil",
            "[::1], evil",
            "localhost:9000 evil.example",
            "localhost:9000:9000",
        ] {
            assert!(!is_known(host, local, &names), "{host}");
        }
    }

    #[test]
    fn origins_are_compared_with_the_host() {
        for (origin, host) in [
            ("http://localhost:9000", "localhost:9000"),
            ("https://tollgate.internal", "tollgate.internal"),
            ("https://tollgate.internal", "tollgate.internal:443"),
            ("http://[::1]:9000", "[::1]:9000"),
            ("http://LOCALHOST:9000", "localhost:9000"),
        ] {
            assert!(is_same(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("null", "localhost:9000"),
            ("http://localhost:8000", "localhost:9000"),
            ("http://evil.example", "localhost:9000"),
            ("file://localhost:9000", "localhost:9000"),
            ("", ""),
        ] {
            assert!(!is_same(origin, host), "{origin} {host}");
        }
    }
}
