//! TLS to services: what is taken, what is said of files that cannot be used and of keys without effect,
//! and what makes two upstreams differ.

use std::sync::Arc;

use crate::config::{Served, load_again};
use crate::tls::{Certificate, ClientTls, Purpose};
use crate::upstream::{Endpoint, EndpointTls, EndpointUrl, Rules, Upstream};

use super::*;

/// Files for one test: a pair without a name, a server's, and odd ones.
struct Files {
    client: (String, String),
    server: (String, String),
    other_key: String,
}

impl Files {
    fn new() -> Self {
        let pair = |usage| {
            let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
            params.extended_key_usages = vec![usage];
            let key = rcgen::KeyPair::generate().unwrap();
            let cert = params.self_signed(&key).unwrap();
            (cert.pem(), key.serialize_pem())
        };
        Self {
            client: pair(rcgen::ExtendedKeyUsagePurpose::ClientAuth),
            server: pair(rcgen::ExtendedKeyUsagePurpose::ServerAuth),
            other_key: rcgen::KeyPair::generate().unwrap().serialize_pem(),
        }
    }

    /// Reads a configuration beside which they lie.
    fn read(&self, text: &str) -> Result<Loaded, Problems> {
        let files = |path: &Path| match path.to_str() {
            Some("ca.pem") => Ok(self.server.0.clone()),
            Some("ca.key") => Ok(self.server.1.clone()),
            Some("two.pem") => Ok(self.server.0.clone() + &self.client.0),
            Some("client.pem") => Ok(self.client.0.clone()),
            Some("client.key") => Ok(self.client.1.clone()),
            Some("other.key") => Ok(self.other_key.clone()),
            Some("empty") => Ok(String::new()),
            Some("text") => Ok("no certificate".to_owned()),
            Some("der") => Err(Unreadable::NotUtf8 {
                line: 1,
                form: crate::tls::Form::Certificate,
            }),
            _ => Err(Unreadable::Missing),
        };
        parse("tollgate.toml", text, Format::Toml, &environment, &files)
    }

    #[track_caller]
    fn assert_said(&self, keys: &str, parts: &str) {
        let text = format!("\"https://orders.test\"\n[upstreams.u.tls]\n{keys}");
        let said = self.read(&upstream(&text)).expect_err(keys).to_string();
        for part in parts.split(" & ") {
            assert!(
                said.contains(part),
                "{part:?} is not said of {keys}\n{said}"
            );
        }
        assert!(said.ends_with("1 problem\n"), "{said}");
    }

    /// TLS of the one endpoint of an upstream with these keys.
    fn tls(&self, keys: &str) -> EndpointTls {
        let text = upstream(&format!("\"https://orders.test\"\n{keys}"));
        let loaded = fine(self.read(&text));
        let tls = loaded.snapshot.upstreams[0].endpoints[0].tls.clone();
        tls.expect("it speaks TLS")
    }
}

fn upstream(endpoints: &str) -> String {
    format!("[routes]\n\"/a\" = \"u\"\n[upstreams.u]\nendpoints = {endpoints}\n")
}

#[test]
fn certificates_are_for_the_host_or_the_name_that_is_written() {
    let files = Files::new();
    for (url, keys, name) in [
        ("https://Orders.Test.:444/v1", "", "orders.test"),
        ("https://10.0.0.1", "", "10.0.0.1"),
        ("https://[::1]:444", "", "::1"),
        ("https://my_service", "", "my_service"),
        ("https://10.0.0.1", "tls.server_name = \"a.test\"", "a.test"),
        (
            "https://a.test",
            "tls.server_name = \"10.0.0.1\"",
            "10.0.0.1",
        ),
    ] {
        let text = upstream(&format!("\"{url}\"\ntls.ca = \"ca.pem\"\n{keys}"));
        let loaded = fine(files.read(&text));
        let tls = loaded.snapshot.upstreams[0].endpoints[0].tls.as_ref();
        assert_eq!(tls.unwrap().name.to_str(), name, "{url}");
        assert!(tls.unwrap().tls.verifies());
        assert_eq!(loaded.lints.len(), 1, "only that there are no limits");
    }
}

#[test]
fn both_kinds_stand_together_and_defaults_hold_for_urls() {
    let files = Files::new();
    let text = "[routes]\n\"/a\" = \"u\"\n\"/b\" = \"https://b.test\"\n\"/c\" = \"http://b.test\"\n\
                [upstream_defaults]\ntls = { ca = \"ca.pem\" }\n[upstreams.u]\n\
                endpoints = [\"http://a.test\", \"https://a.test\"]\ntls = { verify = false }\n";
    let loaded = fine(files.read(text));
    let verifies = |place: usize| {
        let endpoints = loaded.snapshot.upstreams[place].endpoints.iter();
        let verifies = endpoints.map(|one| one.tls.as_ref().map(|tls| tls.tls.verifies()));
        verifies.collect::<Vec<_>>()
    };
    assert_eq!(verifies(0), [None, Some(false)]);
    assert_eq!((verifies(1), verifies(2)), (vec![Some(true)], vec![None]));
}

#[test]
fn what_cannot_be_used_is_said_with_what_to_do() {
    let files = Files::new();
    for (keys, parts) in table(
        r#"
        ca = "none.pem" => cannot read `none.pem`: there is no such file
        ca = "empty" => the file of authorities `empty` cannot be used & it is empty & -----BEGIN CERTIFICATE-----
        ca = "text" => there is no PEM in it
        ca = "der" => it is a certificate in DER & openssl x509 -inform DER
        ca = "client.key" => no certificate in it, but a private key
        ca = "-----BEGIN CERTIFICATE-----" => write it to one, and its path here
        cert = "client.pem" => `tls.key` is missing & go together
        key = "client.key" => `tls.cert` is missing & go together
        cert = "client.pem"\nkey = "other.key" => the key `other.key` cannot be used & the key does not fit the certificate
        cert = "ca.pem"\nkey = "ca.key" => the certificate `ca.pem` cannot be used & not for clients & get one for TLS clients
        "#,
    ) {
        files.assert_said(&keys, parts);
    }
    // The same where nobody uses it yet, and once where several take it.
    let several = "[upstream_defaults.tls]\nca = \"empty\"\n[routes]\n\"/a\" = \"u\"\n\"/b\" = \"https://b\"\n\
                   [upstreams.u]\nendpoints = \"https://a\"\n";
    for text in [several, "[upstream_defaults.tls]\nca = \"empty\"\n"] {
        let said = files.read(text).expect_err(text).to_string();
        assert!(
            said.contains("it is empty") && said.ends_with("1 problem\n"),
            "{said}"
        );
    }
}

#[test]
fn what_has_no_effect_or_verifies_nothing_is_said_once() {
    let files = Files::new();
    let lints = |text: &str| {
        let mut lints = oddities(&fine(files.read(text)));
        lints.retain(|it| it.contains("tls"));
        lints
    };
    for (text, expected) in [
        (
            upstream("\"http://a\"\ntls.ca = \"ca.pem\""),
            "`tls.ca` has no effect: no endpoint has `https`",
        ),
        (
            upstream("\"http://a\"\ntls.verify = false"),
            "`tls.verify` has no effect: no endpoint has `https`",
        ),
        (
            upstream("\"https://a\"\ntls.verify = false"),
            "`tls.verify = false`: whoever answers",
        ),
        (
            upstream("\"https://a\"") + "[upstream_defaults.tls]\nverify = false\n",
            "`tls.verify = false`: whoever answers",
        ),
    ] {
        let lints = lints(&text);
        assert!(
            lints.len() == 1 && lints[0].contains(expected),
            "{lints:#?}"
        );
    }
    let both = lints(&upstream(
        "\"https://a\"\ntls = { ca = \"ca.pem\", verify = false }",
    ));
    assert!(
        both[0].contains("`tls.ca` has no effect with `verify = false`"),
        "{both:#?}"
    );
    let used_once = upstream("[\"http://a\", \"https://b\"]\ntls.ca = \"ca.pem\"")
        + "[upstream_defaults.tls]\nserver_name = \"b.test\"\n[upstreams.v]\nendpoints = \"http://b\"\n";
    assert_eq!(lints(&used_once), [""; 0]);
}

#[test]
fn a_certificate_that_has_expired_is_shown_on_but_not_begun_with() {
    let mut files = Files::new();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    files.client = (params.self_signed(&key).unwrap().pem(), key.serialize_pem());
    let text = upstream(
        "\"https://a\"\ntls = { ca = \"ca.pem\", cert = \"client.pem\", key = \"client.key\" }",
    );
    let said = files.read(&text).expect_err("it has expired").to_string();
    assert!(
        said.contains("has expired, at 2021-01-01T00:00:00Z"),
        "{said}"
    );

    // As it was read while it was valid.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tollgate.toml");
    for (name, text) in [
        ("tollgate.toml", &text),
        ("ca.pem", &files.server.0),
        ("client.pem", &files.client.0),
        ("client.key", &files.client.1),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let (cert, key) = (Some(&*files.client.0), Some(&*files.client.1));
    let then = "2020-06-01T00:00:00Z".parse().unwrap();
    let certificate = Certificate::read(cert, key, Purpose::Client, then).unwrap();
    let tls = EndpointTls {
        tls: Arc::new(ClientTls::new(None, Some(Arc::new(certificate)))),
        name: "a".try_into().unwrap(),
    };
    let endpoint = Endpoint::new(EndpointUrl::parse("https://a").unwrap(), Some(tls));
    let running = [Arc::new(Upstream::new(
        "u",
        vec![endpoint],
        Rules::default(),
    ))];
    let served = Served {
        upstreams: &running,
        ..Served::default()
    };
    let loaded = fine(load_again(&file, &environment, served));
    let expected =
        "of what services are shown, the certificate has expired, at 2021-01-01T00:00:00Z";
    let lints = oddities(&loaded).into_iter();
    assert_eq!(lints.filter(|it| it.contains(expected)).count(), 1);
}

#[test]
fn tls_is_the_same_if_it_was_made_from_the_same() {
    let files = Files::new();
    let keys = [
        "tls.ca = \"ca.pem\"",
        "tls.ca = \"two.pem\"",
        "tls.verify = false",
        "tls = { ca = \"ca.pem\", server_name = \"b.test\" }",
        "tls = { ca = \"ca.pem\", cert = \"client.pem\", key = \"client.key\" }",
    ];
    for (at, one) in keys.iter().enumerate() {
        for (other_at, other) in keys.iter().enumerate() {
            let same = files.tls(one) == files.tls(other);
            assert_eq!(same, at == other_at, "{one} and {other}");
        }
    }
    // Other files of the same names.
    assert_ne!(files.tls(keys[0]), Files::new().tls(keys[0]));
    assert_ne!(files.tls(keys[4]), Files::new().tls(keys[4]));
}

#[test]
fn a_reload_says_that_a_file_holds_something_else() {
    let (old, new) = (Files::new(), Files::new());
    let text = upstream("\"https://a\"\ntls.ca = \"ca.pem\"");
    let [old, new] = [old, new].map(|files| fine(files.read(&text)));
    assert_eq!(
        reload(&old, &new),
        ["Applied: `upstreams.u.tls.ca`: changed, still ca.pem (the rest is not shown)"]
    );
}

#[test]
fn names_that_no_certificate_has_are_said() {
    let files = Files::new();
    for (keys, parts) in table(
        r#"
        server_name = "https://a" => write the name alone
        server_name = "a.test:443" => write "a.test"
        server_name = "*.a.test" => the name that the service is asked for
        server_name = "[::1]" => write "::1"
        server_name = "a b" => neither the name of a host nor an address
        verify = "no" => `upstreams.u.tls.verify` takes true or false
        min_version = "1.3" => unknown key `min_version`
        ca_file = "ca.pem" => did you mean `ca`?
        sni = "a" => did you mean `server_name`?
        insecure_skip_verify = true => write `verify = false`
        "#,
    ) {
        files.assert_said(&keys, parts);
    }
}
