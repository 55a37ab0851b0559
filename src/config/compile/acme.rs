//! Certificates that come by themselves: for which names, from whom, and whether the authority can see that
//! the names lead here.

use std::collections::HashMap;
use std::sync::Arc;

use crate::acme::{AcmeSettings, ChallengeKind, FleetKey};
use crate::config::file::{AcmeKeys, File};
use crate::config::problems::{Problem, Problems};
use crate::tls::{Purpose, Secret};

use super::client_tls::{ClientFiles, Servers};

/// Compiles `[tls.acme]`, if it is there.
pub(super) fn compile(file: &File, problems: &mut Problems) -> Option<Arc<AcmeSettings>> {
    let keys = file.tls.acme.given()?;
    check_listeners(file, keys, problems);
    let domains = domains(keys, problems);
    let files = ClientFiles {
        table: "tls.acme",
        ca: keys.ca.written(),
        cert: None,
        key: None,
    };
    let authority = Servers {
        noun: "directory of ACME",
        purpose: Purpose::Client,
        are_verified: true,
        named_at: Some(keys.directory.span),
    };
    let trust = files.compile(authority, &[], problems)?;
    let secret = file.tls.secret.as_ref();
    Some(Arc::new(AcmeSettings {
        domains,
        contact: keys.contact.as_ref().map(|contact| contact.0.clone()),
        directory: keys.directory.0.clone(),
        trust,
        state_dir: keys.state_dir.0.clone(),
        challenge: *keys.challenge,
        fleet_key: secret.map(|secret| FleetKey::of(&Secret::shared(&secret.0))),
    }))
}

/// The names, each once.
fn domains(keys: &AcmeKeys, problems: &mut Problems) -> Vec<String> {
    if keys.domains.is_empty() {
        let problem = Problem::at(
            keys.domains.span,
            "`tls.acme.domains` takes one name at least",
        );
        problems.add(problem.help("leave `[tls.acme]` out if no certificate is to be ordered"));
    }
    let mut seen = HashMap::new();
    for name in keys.domains.iter() {
        if let Some(first) = seen.insert(&name.0, name.span) {
            problems.add(Problem::given_twice(
                &format!("`{}`", name.0),
                first,
                name.span,
            ));
        }
    }
    keys.domains.iter().map(|name| name.0.clone()).collect()
}

/// Makes sure that certificates are shown somewhere, and that challenges can be answered.
fn check_listeners(file: &File, keys: &AcmeKeys, problems: &mut Problems) {
    let mut addresses = file.listen.iter();
    if !addresses.any(|listen| *listen.tls) {
        let problem = Problem::at(
            keys.domains.span,
            "nobody would see the certificates of `tls.acme`",
        );
        problems.add(problem.help("`listen` needs an address with `tls = true`"));
        return;
    }
    let mut addresses = file.listen.iter();
    if *keys.challenge == ChallengeKind::Http01 && addresses.all(|listen| *listen.tls) {
        let message =
            "`challenge = \"http-01\"` is answered without TLS, and there is no address for it";
        let problem = Problem::at(keys.challenge.span, message);
        let help = "add `{ address = \"0.0.0.0:80\", redirect = \"https\" }` to `listen`, which port 80 \
                    of each name has to reach";
        problems.add(problem.help(help));
    }
}
