//! Certificates that come by themselves: what is said before anything is ordered.

use crate::acme::ChallengeKind;

use super::*;

const TLS: &str = "{ address = \"0.0.0.0:443\", tls = true }";
const REDIRECT: &str = "{ address = \"0.0.0.0:80\", redirect = \"https\" }";

fn acme(listen: &str, keys: &str) -> String {
    format!("listen = [{listen}]\n[tls.acme]\n{keys}\n")
}

#[test]
fn names_are_enough() {
    let loaded = good(&acme(TLS, "domains = [\"API.example.com.\", \"b.test\"]"));
    let settings = loaded.snapshot.acme.unwrap();
    assert_eq!(settings.domains, ["api.example.com", "b.test"]);
    assert_eq!(
        settings.directory,
        "https://acme-v02.api.letsencrypt.org/directory"
    );
    assert_eq!(settings.state_dir, Path::new("/var/lib/tollgate/acme"));
    assert_eq!(settings.challenge, ChallengeKind::TlsAlpn01);
    assert_eq!(settings.contact, None);
    assert!(loaded.snapshot.tls.unwrap().certificates().is_empty());
    assert!(good("").snapshot.acme.is_none());
    let http = "domains = [\"a.test\"]\nchallenge = \"http-01\"";
    for plain in [REDIRECT, "\"0.0.0.0:80\""] {
        assert!(
            read(&acme(&format!("{TLS}, {plain}"), http)).is_ok(),
            "{plain}"
        );
    }
}

#[test]
fn what_could_not_work_is_refused_with_the_reason() {
    for (listen, keys, told) in [
        (TLS, "domains = [\"*.example.com\"]", "DNS-01"),
        (TLS, "domains = []", "takes one name at least"),
        (TLS, "", "domains"),
        (
            TLS,
            "domains = [\"a.test\", \"A.test\"]",
            "`a.test` is given twice",
        ),
        (
            TLS,
            "domains = [\"a.test\"]\ndirectory = \"http://ca.test/dir\"",
            "https://",
        ),
        (
            TLS,
            "domains = [\"a.test\"]\nca = \"missing.pem\"",
            "missing.pem",
        ),
        (
            TLS,
            "domains = [\"a.test\"]\nchallenge = \"dns-01\"",
            "\"tls-alpn-01\" or \"http-01\"",
        ),
        (
            TLS,
            "domains = [\"a.test\"]\nchallenge = \"http-01\"",
            "redirect = \"https\"",
        ),
        (
            REDIRECT,
            "domains = [\"a.test\"]",
            "an address with `tls = true`",
        ),
        (
            "\"0.0.0.0:80\"",
            "domains = [\"a.test\"]\nchallenge = \"http-01\"",
            "an address with `tls = true`",
        ),
    ] {
        let said = complaints(&acme(listen, keys));
        assert!(said.contains(told), "{keys}: {said}");
        assert!(!said.contains("needs a certificate"), "{keys}: {said}");
    }
}

#[test]
fn a_fleet_without_a_secret_is_warned() {
    let redis = "domains = [\"a.test\"]\n[limits.redis]\nurl = \"redis://10.0.0.5\"";
    let warned = |text: &str| {
        let lints = lints(text);
        lints
            .iter()
            .any(|lint| lint.contains("each gateway orders certificates of its own"))
    };
    assert!(warned(&acme(TLS, redis)));
    let secret = format!("[tls]\nsecret = \"{}\"\n[tls.acme]", "s3cret".repeat(8));
    assert!(!warned(&acme(TLS, redis).replace("[tls.acme]", &secret)));
    assert!(!warned(&acme(TLS, "domains = [\"a.test\"]")));
}
