//! The configuration: whatever a file says, it is either compiled into something that the other
//! parts can live with, or its problems can be shown.

use std::env::VarError;
use std::path::Path;

use http::Method;
use tollgate::config::{self, Format, Loaded, Problems, Unreadable};
use tollgate::route::Resolved;
use tollgate::wire::head::MOST_FIELDS;

/// A password in the URL of Redis, which is never shown.
const SECRET: &str = "hunter2-hunter2";

/// The first byte says whether the rest is TOML, JSON or YAML, and whether it follows on a password.
pub fn check(input: &[u8]) {
    let Some((format, text)) = input.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let secret = match format & 7 {
        2 => format!("[limits.redis]\nurl = \"redis://u:{SECRET}@h"),
        3 => format!("{{\"limits\": {{\"redis\": {{\"url\": \"redis://u:{SECRET}@h"),
        6 | 7 => format!("limits:\n  redis:\n    url: redis://u:{SECRET}@h"),
        _ => String::new(),
    };
    if text.contains(SECRET) {
        return;
    }
    let text = &(secret + text);
    let format = match format & 7 {
        0 | 2 => Format::Toml,
        1 | 3 => Format::Json,
        _ => Format::Yaml,
    };
    match (parse(text, format), parse(text, format)) {
        (Ok(loaded), Ok(again)) => {
            let settings = format!("{:?}", loaded.settings);
            assert_eq!(settings, format!("{:?}", again.settings));
            assert!(!settings.contains(SECRET));
            check_loaded(&loaded);
        }
        (Err(problems), Err(again)) => {
            assert!(!problems.is_empty());
            let shown = problems.render(false);
            assert_eq!(shown, again.render(false));
            assert!(!shown.contains(SECRET), "{shown}");
            let count = problems.len();
            let ending = if count == 1 { "" } else { "s" };
            assert!(
                shown.ends_with(&format!("{count} problem{ending}\n")),
                "{shown}"
            );
            assert!(problems.render(true).len() >= shown.len());
        }
        _ => panic!("the same text is good once and bad once"),
    }
}

fn parse(text: &str, format: Format) -> Result<Loaded, Problems> {
    let environment = |name: &str| match name {
        "SIZE" => Ok("64KiB".to_owned()),
        "EMPTY" => Ok(String::new()),
        "ODD" => Ok("${SIZE}\"\n\0".to_owned()),
        _ => Err(VarError::NotPresent),
    };
    let files = |path: &Path| match path.to_str() {
        Some("/etc/routes.json") => Ok(r#"{"/b": "http://[::1]:1"}"#.to_owned()),
        _ => Err(Unreadable::Missing),
    };
    config::parse("/etc/tollgate.toml", text, format, &environment, &files)
}

fn check_loaded(loaded: &Loaded) {
    let (settings, snapshot) = (&loaded.settings, &loaded.snapshot);
    assert!(!settings.listen.is_empty());
    assert!(settings.max_connections > 0 && settings.max_keys > 0);
    let limits = snapshot.head_limits;
    assert!((1024..=16 * 1024 * 1024).contains(&limits.max_bytes));
    assert!(
        (1..=MOST_FIELDS).contains(&limits.max_fields),
        "as many as heads can have"
    );
    let names = &snapshot.access.names;
    let distinct = [&names.api_key, &names.client, &names.request_id];
    assert!((0..3).all(|at| !distinct[..at].contains(&distinct[at])));
    for route in snapshot.routes.routes() {
        let upstreams = snapshot.upstreams.len();
        assert!(route.upstream().is_none_or(|upstream| upstream < upstreams));
        let host = route.hosts.first().map_or("any.test", |host| host);
        let host = host.replace('*', "x");
        let method = route.methods.first().unwrap_or(&Method::GET);
        let path = route.prefix.as_str();
        match snapshot.routes.find(host.as_bytes(), method, path) {
            Resolved::Route(found) => assert_eq!(found.prefix, route.prefix),
            other => panic!("{path} of {host} is not found: {other:?}"),
        }
    }
}
