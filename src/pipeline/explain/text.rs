//! An explanation as people read it: a line for each stage.

use std::fmt::{Display, Write as _};

use super::{
    AllowLine, AskedLine, CertificateLine, EndpointLine, Explanation, LimitLine, NearMissLine,
    Refusal, RouteLine,
};

/// Lines so far.
#[derive(Default)]
struct Lines(String);

impl Lines {
    /// A line of this name for each text.
    fn put<T: Display>(&mut self, name: &str, texts: impl IntoIterator<Item = T>) {
        for text in texts {
            let _ = writeln!(self.0, "{name:<12}{text}");
        }
    }
}

impl Explanation {
    /// As `tollgate explain` prints it.
    pub fn text(&self) -> String {
        let mut lines = Lines::default();
        lines.put("request", [format!("{} {}", self.method, self.target)]);
        lines.put("certificate", certificate_texts(self));
        lines.put("asks for", self.client_certificate.as_ref().map(asked_text));
        lines.put("path", self.path.as_ref().map(|path| path_text(self, path)));
        let client = self.client_kind.map(|kind| client_text(self, kind));
        lines.put("client", client);
        lines.put("key", &self.key_fault);
        let address = self.address.as_ref();
        let address = address.map(|ruling| format!("{} {ruling}", self.ip));
        lines.put("address", address);
        lines.put("protection", protection(self));
        lines.put("allow", self.allow.iter().map(allow_text));
        lines.put("cors", &self.cors);
        lines.put("limit", self.limits.iter().map(limit_text));
        if let Some(route) = &self.route {
            put_route(&mut lines, route);
        }
        lines.put("passed over", self.near_misses.iter().map(near_miss_text));
        let sends = self.sends.as_ref();
        lines.put("sends", sends.map(|url| format!("{} {url}", self.method)));
        let is_odd = |one: &EndpointLine| one.verify == Some(false) || one.trouble.is_some();
        if self.picks.is_some() || self.sends.is_none() || self.endpoints.iter().any(is_odd) {
            lines.put("endpoint", self.endpoints.iter().map(endpoint_text));
        }
        lines.put("picks", &self.picks);
        lines.put("announces", &self.announces);
        lines.put("answers", &self.answers);
        lines.put("refused", self.refused.as_ref().map(refusal_text));
        lines.0
    }
}

fn path_text(explanation: &Explanation, path: &str) -> String {
    match &explanation.path_steps[..] {
        [] => format!("{path} (as it came)"),
        steps => format!("{path} ({})", steps.join(", ")),
    }
}

fn near_miss_text(miss: &NearMissLine) -> String {
    let conditions = conditions(&miss.hosts, &miss.methods);
    format!("{}{conditions}: {}", miss.prefix, miss.why)
}

fn refusal_text(refused: &Refusal) -> String {
    format!("{} {}: {}", refused.status, refused.code, refused.detail)
}

fn client_text(explanation: &Explanation, kind: &str) -> String {
    match &explanation.client {
        Some(name) => format!("{name} ({kind}) from {}", explanation.ip),
        None => format!("{kind} from {}", explanation.ip),
    }
}

/// Which certificates there are for a request with TLS.
fn certificate_texts(explanation: &Explanation) -> Vec<String> {
    let Some(certificates) = &explanation.certificates else {
        return Vec::new();
    };
    if certificates.is_empty() {
        return vec!["none: the gateway has none, or none yet".to_owned()];
    }
    let text = |it: &CertificateLine| {
        let names = it.names.join(", ");
        let mut text = format!("{names}; {}, until {}", it.key, it.not_after);
        if !it.fits {
            let _ = write!(
                text,
                ": clients refuse it, it is not for {}",
                explanation.host
            );
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
fn protection(explanation: &Explanation) -> Option<String> {
    explanation.path.as_ref()?;
    let refused = explanation.refused.as_ref().map(|refusal| refusal.code);
    explanation
        .client_kind
        .filter(|_| refused != Some("invalid_api_key"))?;
    let mut lists = explanation.allow.iter().map(|list| &list.of);
    let of_route = lists.find(|of| of.starts_with("the route "));
    Some(
        match (&explanation.protected_by, of_route, &explanation.public_by) {
            (Some(place), ..) | (None, Some(place), _) => {
                format!("{place} is for identified clients")
            }
            (None, None, Some(public)) => format!("none: {public} is public"),
            (None, None, None) => "none: the path is public".to_owned(),
        },
    )
}

fn allow_text(list: &AllowLine) -> String {
    match &list.by {
        Some(entry) => format!("{} lets the client in by {entry}", list.of),
        None => format!("{} lets in {} only", list.of, list.entries.join(", ")),
    }
}

fn put_route(lines: &mut Lines, route: &RouteLine) {
    let upstream = route.upstream.iter();
    let leads: String = upstream.flat_map(|name| [" to ", name]).collect();
    let conditions = conditions(&route.hosts, &route.methods);
    let text = format!("{}{conditions}{leads}: {}", route.prefix, route.why);
    lines.put("route", [text]);
    if route.name != route.prefix {
        lines.put("name", [&route.name]);
    }
    lines.put("changes", &route.changes);
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
    text.push_str(match limit.outage {
        Some("local") => "; Redis does not answer: it counts here meanwhile",
        Some("open") => "; Redis does not answer: it counts nothing meanwhile",
        Some("closed") if limit.mode != "shadow" => "; Redis does not answer: it refuses meanwhile",
        _ => "",
    });
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
