//! `tollgate explain`: what would become of a request, and why.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

use crate::acme::Acme;
use crate::config;
use crate::message::caller::{Entry, Peer, TlsPeer};
use crate::pipeline::explain::{
    AllowLine, AskedLine, CertificateLine, EndpointLine, Explanation, LimitLine, RouteLine, explain,
};
use crate::pipeline::snapshot::Snapshot;
use crate::tls::{ClientAuthMode, ClientCertificate};

/// What the user asks about.
#[derive(Debug)]
pub(super) struct Question<'q> {
    pub method: &'q str,
    /// A path with its query, or a whole URL.
    pub url: &'q str,
    /// The client as which to ask, instead of by one of its keys.
    pub client: Option<&'q str>,
    /// The certificate that it shows.
    pub certificate: Option<&'q Path>,
    /// Header fields, as `NAME: VALUE`.
    pub headers: &'q [String],
    pub from: IpAddr,
    pub json: bool,
    /// The status that is wanted.
    pub expect: Option<u16>,
}

/// Runs the command.
pub(super) fn run(file: &Path, question: &Question<'_>) -> ExitCode {
    let snapshot = match config::load(file, &config::environment) {
        Ok(loaded) => {
            let mut snapshot = loaded.snapshot;
            // With the certificates that have been issued, if they may be read.
            snapshot.join_acme(&Acme::new(None));
            snapshot
        }
        Err(problems) => {
            super::complain(&problems.to_string());
            return ExitCode::FAILURE;
        }
    };
    match answer(&snapshot, question) {
        Ok(explanation) => {
            let text = if question.json {
                json(&explanation)
            } else {
                text(&explanation)
            };
            let printed = super::print(&text);
            match question.expect {
                Some(wanted) if wanted != explanation.status() => {
                    let status = explanation.status();
                    super::fail(&format!("{wanted} was expected, and it would be {status}"))
                }
                _ => printed,
            }
        }
        Err(wrong) => {
            super::complain(&format!("tollgate explain: {wrong}\n"));
            ExitCode::from(2)
        }
    }
}

fn answer(snapshot: &Snapshot, question: &Question<'_>) -> Result<Explanation, String> {
    let client = match question.client {
        None => None,
        Some(name) => {
            let client = snapshot
                .access
                .clients
                .iter()
                .find(|client| client.name.as_str() == name);
            Some(
                client
                    .ok_or_else(|| format!("there is no client `{name}` in the configuration"))?,
            )
        }
    };
    // Other malformed fields are asked about on purpose. This one is not shown: it may hold a key.
    let is_assignment = |header: &String| header.contains('=') && !header.contains(':');
    if question.headers.iter().any(is_assignment) {
        return Err("`-H` takes a header field: write `NAME: VALUE`".to_owned());
    }
    let tls = connection(snapshot, question)?;
    let entry = tls.as_ref().map_or(Entry::Plain, Entry::Tls);
    let explained = explain(
        snapshot,
        head(question).into_bytes(),
        Peer {
            address: question.from,
            // Nobody says from which.
            port: 0,
            entry,
        },
        client,
    );
    // What could not be read as a request is told as it was asked.
    let mut told = explained.map_err(|error| error.to_string())?;
    if told.method.is_empty() {
        question.method.clone_into(&mut told.method);
        question.url.clone_into(&mut told.target);
    }
    Ok(told)
}

/// The connection with TLS that the request would come on, if it asks for `https`.
fn connection(snapshot: &Snapshot, question: &Question<'_>) -> Result<Option<TlsPeer>, String> {
    let certificate = question.certificate.map(certificate).transpose()?;
    let Some(host) = asks_for_https(question) else {
        return match certificate {
            None => Ok(None),
            Some(_) => Err("`--certificate` needs a URL that begins with https://".to_owned()),
        };
    };
    let client_auth = snapshot.tls.as_ref().and_then(|tls| tls.client_auth());
    let client_auth = client_auth.filter(|it| it.asks(Some(host)));
    if let Some(certificate) = &certificate {
        let client_auth = client_auth.ok_or_else(|| {
            format!("no client is asked for a certificate at `{host}`: see `[tls.client_auth]`")
        })?;
        let verified = client_auth.verify(certificate);
        verified.map_err(|why| format!("a handshake with this certificate fails: {why}"))?;
    } else if client_auth.is_some_and(|it| it.mode() == ClientAuthMode::Required) {
        return Err(format!(
            "clients need a certificate at `{host}`, and a handshake without one fails: `--certificate FILE` shows one"
        ));
    }
    Ok(Some(TlsPeer {
        version: "1.3",
        cipher: "",
        sni: Some(host.to_ascii_lowercase().into()),
        asked: client_auth.map(|it| Box::new(it.asked(certificate))),
    }))
}

fn certificate(file: &Path) -> Result<ClientCertificate, String> {
    let named = file.display();
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| format!("cannot read `{named}`: {error}"))?;
    ClientCertificate::read(&text).map_err(|fault| format!("`{named}`: {fault}"))
}

/// The host of a URL with `https`, without its port: the name that its client would ask for.
fn asks_for_https<'q>(question: &Question<'q>) -> Option<&'q str> {
    let (scheme, rest) = question.url.split_once("://")?;
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    scheme.eq_ignore_ascii_case("https").then_some(host)
}

/// The request as a client would write it.
fn head(question: &Question<'_>) -> String {
    let mut text = format!("{} {} HTTP/1.1\r\n", question.method, question.url);
    let names_host = |header: &String| header.to_ascii_lowercase().starts_with("host:");
    if !question.headers.iter().any(names_host) {
        let authority = question
            .url
            .split_once("://")
            .map_or("localhost", |(_, rest)| {
                rest.split(['/', '?']).next().unwrap_or_default()
            });
        let _ = write!(text, "Host: {authority}\r\n");
    }
    for header in question.headers {
        let _ = write!(text, "{header}\r\n");
    }
    text.push_str("\r\n");
    text
}

fn json(explanation: &Explanation) -> String {
    let mut text = serde_json::to_string_pretty(explanation).unwrap_or_default();
    text.push('\n');
    text
}

fn text(told: &Explanation) -> String {
    let mut out = String::new();
    let mut line = |name: &str, text: &str| {
        let _ = writeln!(out, "{name:<12}{text}");
    };
    line("request", &format!("{} {}", told.method, told.target));
    for text in certificate_texts(told) {
        line("certificate", &text);
    }
    if let Some(asked) = &told.client_certificate {
        line("asks for", &asked_text(asked));
    }
    if let Some(path) = &told.path {
        let how = if told.path_steps.is_empty() {
            "as it came".to_owned()
        } else {
            told.path_steps.join(", ")
        };
        line("path", &format!("{path} ({how})"));
    }
    if let Some(kind) = told.client_kind {
        line("client", &client_text(told, kind));
    }
    if let Some(fault) = &told.key_fault {
        line("key", fault);
    }
    if let Some(ruling) = &told.address {
        line("address", &format!("{} {ruling}", told.ip));
    }
    if let Some(protection) = protection(told) {
        line("protection", &protection);
    }
    for list in &told.allow {
        line("allow", &allow_text(list));
    }
    if let Some(cors) = &told.cors {
        line("cors", cors);
    }
    for limit in &told.limits {
        line("limit", &limit_text(limit));
    }
    if let Some(route) = &told.route {
        route_lines(route, &mut line);
    }
    for miss in &told.near_misses {
        line(
            "passed over",
            &format!(
                "{}{}: {}",
                miss.prefix,
                conditions(&miss.hosts, &miss.methods),
                miss.why
            ),
        );
    }
    if let Some(url) = &told.sends {
        line("sends", &format!("{} {url}", told.method));
    }
    let is_unverified = |one: &EndpointLine| one.verify == Some(false);
    if told.picks.is_some() || told.endpoints.iter().any(is_unverified) {
        for endpoint in &told.endpoints {
            line("endpoint", &endpoint_text(endpoint));
        }
    }
    if let Some(picks) = &told.picks {
        line("picks", picks);
    }
    if let Some(announces) = &told.announces {
        line("announces", announces);
    }
    if let Some(own) = &told.answers {
        line("answers", own);
    }
    if let Some(refused) = &told.refused {
        line(
            "refused",
            &format!("{} {}: {}", refused.status, refused.code, refused.detail),
        );
    }
    out
}

fn client_text(told: &Explanation, kind: &str) -> String {
    match &told.client {
        Some(name) => format!("{name} ({kind}) from {}", told.ip),
        None => format!("{kind} from {}", told.ip),
    }
}

/// Which certificates there are for a request with TLS.
fn certificate_texts(told: &Explanation) -> Vec<String> {
    let Some(certificates) = &told.certificates else {
        return Vec::new();
    };
    if certificates.is_empty() {
        return vec!["none: the gateway has none, or none yet".to_owned()];
    }
    let text = |it: &CertificateLine| {
        let names = it.names.join(", ");
        let mut text = format!("{names}; {}, until {}", it.key, it.not_after);
        if !it.fits {
            let _ = write!(text, ": clients refuse it, it is not for {}", told.host);
        }
        text
    };
    certificates.iter().map(text).collect()
}

/// What the client is asked for in the handshake.
fn asked_text(asked: &AskedLine) -> String {
    let given = match &asked.identities {
        Some(identities) => identities.join(", "),
        None => "none is given here: `--certificate FILE` shows one".to_owned(),
    };
    format!("a client's certificate, {}: {given}", asked.mode)
}

fn endpoint_text(endpoint: &EndpointLine) -> String {
    let EndpointLine { url, weight, .. } = endpoint;
    let backup = if endpoint.backup {
        ", a backup: while no other can be used"
    } else {
        ""
    };
    let unverified = match endpoint.verify {
        Some(false) => ", its certificate not verified",
        Some(true) | None => "",
    };
    match weight {
        0 => format!("{url}: weight 0, takes nothing new{unverified}"),
        weight => format!("{url}: weight {weight}{backup}{unverified}"),
    }
}

/// What protects the path, if the request came so far that this matters.
fn protection(told: &Explanation) -> Option<String> {
    told.path.as_ref()?;
    let refused = told.refused.as_ref().map(|refusal| refusal.code);
    told.client_kind
        .filter(|_| refused != Some("invalid_api_key"))?;
    let mut lists = told.allow.iter().map(|list| &list.of);
    let of_route = lists.find(|of| of.starts_with("the route "));
    Some(match (&told.protected_by, of_route, &told.public_by) {
        (Some(place), ..) | (None, Some(place), _) => format!("{place} is for identified clients"),
        (None, None, Some(public)) => format!("none: {public} is public"),
        (None, None, None) => "none: the path is public".to_owned(),
    })
}

fn allow_text(list: &AllowLine) -> String {
    match &list.by {
        Some(entry) => format!("{} lets the client in by {entry}", list.of),
        None => format!("{} lets in {} only", list.of, list.entries.join(", ")),
    }
}

fn route_lines(route: &RouteLine, line: &mut dyn FnMut(&str, &str)) {
    let upstream = route.upstream.iter();
    let leads: String = upstream.flat_map(|name| [" to ", name]).collect();
    let conditions = conditions(&route.hosts, &route.methods);
    line(
        "route",
        &format!("{}{conditions}{leads}: {}", route.prefix, route.why),
    );
    if route.name != route.prefix {
        line("name", &route.name);
    }
    for change in &route.changes {
        line("changes", change);
    }
}

fn limit_text(limit: &LimitLine) -> String {
    let mut text = format!(
        "{}: {} per {} s",
        limit.policy, limit.requests, limit.per_seconds
    );
    let _ = match (limit.algorithm, limit.burst) {
        ("fixed-window", _) => Ok(()),
        (algorithm, None) => write!(text, ", {algorithm}"),
        (algorithm, Some(burst)) => write!(text, ", {algorithm} with burst {burst}"),
    };
    let together = if limit.by.starts_with("route ") {
        " (everybody together)"
    } else {
        ""
    };
    let _ = write!(
        text,
        ", counted by {}{together}, this request counts {}",
        limit.by, limit.cost
    );
    if limit.mode == "shadow" {
        text.push_str(", shadow: never refuses");
    }
    text
}

fn conditions(hosts: &[String], methods: &[String]) -> String {
    let mut text = String::new();
    if !hosts.is_empty() {
        let _ = write!(text, " on {}", hosts.join(", "));
    }
    if !methods.is_empty() {
        let _ = write!(text, " for {}", methods.join(", "));
    }
    text
}
