//! `tollgate explain`: what would become of a request, and why.

use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

use crate::acme::Acme;
use crate::config;
use crate::pipeline::explain::{Explanation, Question};
use crate::pipeline::snapshot::Snapshot;
use crate::tls::{ClientCertificate, Fault, Form, Half};

/// What the user asks about.
#[derive(Debug)]
pub(super) struct Asked<'q> {
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
pub(super) fn run(file: &Path, asked: &Asked<'_>) -> ExitCode {
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
    match answer(&snapshot, asked) {
        Ok(explanation) => {
            let text = if asked.json {
                json(&explanation)
            } else {
                explanation.text()
            };
            let printed = super::print(&text);
            match asked.expect {
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

fn answer(snapshot: &Snapshot, asked: &Asked<'_>) -> Result<Explanation, String> {
    let question = Question {
        method: asked.method,
        url: asked.url,
        client: asked.client,
        certificate: asked.certificate.map(certificate).transpose()?,
        headers: asked.headers,
        from: asked.from,
    };
    question.answer(snapshot)
}

fn certificate(file: &Path) -> Result<ClientCertificate, String> {
    let named = file.display();
    let bytes = std::fs::read(file);
    let bytes = bytes.map_err(|error| format!("cannot read `{named}`: {error}"))?;
    let read = match std::str::from_utf8(&bytes) {
        Ok(text) => ClientCertificate::read(text),
        Err(_) => Err(Fault::OtherForm(Half::Cert, Form::of(&bytes))),
    };
    read.map_err(|fault| match fault {
        Fault::OtherForm(..) => format!("`{named}`: {fault}; {}", fault.remedy()),
        fault => format!("`{named}`: {fault}"),
    })
}

fn json(explanation: &Explanation) -> String {
    let mut text = serde_json::to_string_pretty(explanation).unwrap_or_default();
    text.push('\n');
    text
}
