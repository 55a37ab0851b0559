//! A question about a request, and the request that it asks about, as a client would write it.

use std::fmt::Write as _;
use std::net::IpAddr;

use jiff::Timestamp;

use crate::message::caller::{Entry, Peer, TlsPeer};
use crate::pipeline::snapshot::Snapshot;
use crate::tls::{ClientAuthMode, ClientCertificate};

use super::{Explanation, explain, keys};

/// What somebody asks about.
#[derive(Debug)]
pub struct Question<'q> {
    /// Its method.
    pub method: &'q str,
    /// A path with its query, or a whole URL.
    pub url: &'q str,
    /// The client as which to ask, instead of by one of its keys.
    pub client: Option<&'q str>,
    /// The certificate that it shows.
    pub certificate: Option<ClientCertificate>,
    /// Header fields, as `NAME: VALUE`.
    pub headers: &'q [String],
    /// Where it comes from.
    pub from: IpAddr,
}

impl Question<'_> {
    /// Explains the request.
    ///
    /// # Errors
    /// The question makes no sense, for this reason.
    pub fn answer(self, snapshot: &Snapshot) -> Result<Explanation, String> {
        let find = |name: &str| {
            let mut clients = snapshot.access.clients.iter();
            let client = clients.find(|client| client.name.as_str() == name);
            client.ok_or_else(|| format!("there is no client `{name}` in the configuration"))
        };
        let client = self.client.map(find).transpose()?;
        if let Some(client) = client {
            let certificates = &snapshot.access.certificates;
            let agreed = certificates.agree(self.certificate.as_ref(), client);
            agreed.map_err(|fault| {
                format!("`--client` and `--certificate` do not agree: {fault}; with both, the gateway would answer 401")
            })?;
        }
        // Other malformed fields are asked about on purpose. This one is not shown: it may hold a key.
        let is_assignment = |header: &String| header.contains('=') && !header.contains(':');
        if self.headers.iter().any(is_assignment) {
            return Err("`-H` takes a header field: write `NAME: VALUE`".to_owned());
        }
        let head = head(&self).into_bytes();
        // A certificate lets it in without a key.
        let by_key = client.filter(|_| self.certificate.is_none());
        let key_fault =
            by_key.and_then(|client| keys::fault(&snapshot.access.keys, client, Timestamp::now()));
        let tls = connection(snapshot, self.url, self.certificate)?;
        let entry = tls.as_ref().map_or(Entry::Plain, Entry::Tls);
        let explained = explain(
            snapshot,
            head,
            Peer {
                address: self.from,
                // Nobody says from which.
                port: 0,
                entry,
            },
            client,
        );
        // What could not be read as a request is shown as it was asked.
        let mut explanation = explained.map_err(|error| error.to_string())?;
        if explanation.method.is_empty() {
            self.method.clone_into(&mut explanation.method);
            self.url.clone_into(&mut explanation.target);
        }
        explanation.key_fault = key_fault.or(explanation.key_fault);
        Ok(explanation)
    }
}

/// The connection with TLS that the request would come on, if it asks for `https`.
fn connection(
    snapshot: &Snapshot,
    url: &str,
    certificate: Option<ClientCertificate>,
) -> Result<Option<TlsPeer>, String> {
    let Some(host) = asks_for_https(url) else {
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

/// The host of a URL with `https`, without its port: the name that its client would ask for.
fn asks_for_https(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
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
