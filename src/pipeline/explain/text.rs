//! An explanation as people read it: a line for each stage.

use std::fmt::Write as _;

use super::{
    AllowLine, AskedLine, CertificateLine, EndpointLine, Explanation, LimitLine, RouteLine,
};

impl Explanation {
    /// As `tollgate explain` prints it.
    pub fn text(&self) -> String {
        text(self)
    }
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
    let is_odd = |one: &EndpointLine| one.verify == Some(false) || one.trouble.is_some();
    if told.picks.is_some() || told.sends.is_none() || told.endpoints.iter().any(is_odd) {
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
    let trouble = endpoint.trouble.as_ref();
    let trouble = trouble.map_or_else(String::new, |why| format!("; {why}"));
    match weight {
        0 => format!("{url}: weight 0, takes nothing new{unverified}"),
        weight => format!("{url}: weight {weight}{backup}{unverified}{trouble}"),
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
