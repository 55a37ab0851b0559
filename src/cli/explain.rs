//! `tollgate explain`: what would become of a request, and why.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::acme::Acme;
use crate::config;
use crate::pipeline::explain::{Explanation, Question};
use crate::pipeline::snapshot::Snapshot;
use crate::tls::{ClientCertificate, Fault, Form, Half};

/// What the user asks about.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The method, such as GET
    method: String,
    /// A path with its query, or a whole URL
    url: String,
    /// Ask as this client, without one of its keys
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Ask as a client that shows this certificate, a file in PEM
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// A header field of the request; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// The address that the request comes from
    #[arg(long, value_name = "IP", default_value_t = Ipv4Addr::LOCALHOST.into())]
    from: IpAddr,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
    /// Exit with 1 if the status would be another; what gets to a service counts as 200
    #[arg(long, value_name = "STATUS", value_parser = status)]
    expect: Option<u16>,
}

fn status(text: &str) -> Result<u16, &'static str> {
    let status = text.parse().ok().filter(|it| (100..600).contains(it));
    status.ok_or("a status is a number from 100 to 599, such as 200")
}

/// Runs the command.
pub(super) fn run(file: &Path, options: &Options) -> ExitCode {
    let mut snapshot = match super::load(file) {
        Ok(loaded) => loaded.snapshot,
        Err(code) => return code,
    };
    // With the certificates that have been issued, if they may be read.
    snapshot.join_acme(&Acme::new(None));
    match answer(&snapshot, options) {
        Ok(explanation) => {
            let text = if options.json {
                json(&explanation)
            } else {
                explanation.text()
            };
            let printed = super::print(&text);
            match options.expect {
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

fn answer(snapshot: &Snapshot, options: &Options) -> Result<Explanation, String> {
    let certificate = options.certificate.as_deref().map(certificate);
    let question = Question {
        method: &options.method,
        url: &options.url,
        client: options.client.as_deref(),
        certificate: certificate.transpose()?,
        headers: &options.headers,
        from: options.from,
    };
    question.answer(snapshot)
}

fn certificate(file: &Path) -> Result<ClientCertificate, String> {
    let named = file.display();
    let bytes = config::said_if_long(file, || std::fs::read(file));
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
