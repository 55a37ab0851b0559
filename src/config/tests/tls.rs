//! TLS towards clients: what belongs together, and what is said of certificates that cannot be used.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::{Served, load, load_again};
use crate::server::Serves;
use crate::tls::{Certificate, Purpose, Secret, ServerTls, Source, TlsVersion};

use super::*;

const TLS: &str = "listen = { address = \"0.0.0.0:443\", tls = true }\n";

/// Reads a configuration beside which lie a pair, `site.pem` and `site.key`, and odd files.
fn with_files(text: &str) -> Result<Loaded, Problems> {
    let made = rcgen::generate_simple_self_signed(["www.example.com".to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let files = |path: &Path| match path.to_str() {
        Some("conf/site.pem") => Ok(cert.clone()),
        Some("conf/site.key") => Ok(key.clone()),
        Some("conf/other.key") => Ok(other.clone()),
        Some("conf/empty") => Ok(String::new()),
        Some("conf/der") => Err(Unreadable::NotUtf8 {
            line: 1,
            form: crate::tls::Form::Certificate,
        }),
        Some("conf/key.der") => Err(Unreadable::NotUtf8 {
            line: 1,
            form: crate::tls::Form::Key,
        }),
        Some("conf/folder") => Err(Unreadable::Directory),
        Some("conf/denied") => Err(Unreadable::Denied),
        _ => Err(Unreadable::Missing),
    };
    let name = "conf/tollgate.toml";
    parse(name, text, Format::Toml, &environment, &files)
}

fn pair(cert: &str, key: &str) -> String {
    format!("[[tls.certificates]]\ncert = \"{cert}\"\nkey = \"{key}\"\n")
}

fn said(text: &str) -> String {
    with_files(text)
        .expect_err("there are problems")
        .to_string()
}

#[test]
fn addresses_are_plain_or_speak_tls_or_redirect() {
    let text = format!(
        "listen = [\"0.0.0.0:1\", {{ address = \"0.0.0.0:2\", tls = true }}, {{ address = \"0.0.0.0:3\", redirect = \"https\" }}]\n{}",
        pair("site.pem", "site.key")
    );
    let loaded = fine(with_files(&text));
    let serves: Vec<_> = loaded.settings.listen.iter().map(|it| it.serves).collect();
    assert_eq!(
        serves,
        [Serves::Plain, Serves::Tls, Serves::RedirectToHttps]
    );
    let tls = loaded.snapshot.tls.unwrap();
    let certificates = tls.certificates();
    let names = certificates.values().map(|it| &it.names[..]);
    assert_eq!(names.collect::<Vec<_>>(), [["www.example.com"]]);
}

#[test]
fn what_does_not_go_together_is_said() {
    let without = said(TLS);
    assert!(without.contains("`tls` needs a certificate"), "{without}");
    assert!(without.contains("`[[tls.certificates]]`"), "{without}");
    let text = format!(
        "listen = {{ address = \"0.0.0.0:443\", tls = true, redirect = \"https\" }}\n{}",
        pair("site.pem", "site.key")
    );
    let both = said(&text);
    assert!(
        both.contains("`redirect = \"https\"` is for clients without TLS"),
        "{both}"
    );
    let twice =
        said("listen = [\"127.0.0.1:0\", { address = \"127.0.0.1:0\", redirect = \"https\" }]\n");
    assert!(
        twice.contains("given twice, for different things"),
        "{twice}"
    );
    good("listen = [\"127.0.0.1:0\", \"127.0.0.1:0\"]\n");
}

#[test]
fn each_certificate_that_cannot_be_used_is_reported() {
    let text = [
        TLS.to_owned(),
        pair("site.pem", "other.key"),
        pair("missing.pem", "denied"),
        pair("folder", "empty"),
        pair("der", "key.der"),
        pair("site.key", "site.pem"),
    ];
    let said = said(&text.concat());
    for expected in [
        "the key `conf/other.key` cannot be used",
        "the key does not fit the certificate",
        "cannot read `conf/missing.pem`: there is no such file",
        "cannot read `conf/denied`: permission denied: let the user",
        "cannot read `conf/folder`: it is a directory",
        "the key `conf/empty` cannot be used",
        "the certificate `conf/der` cannot be used",
        "`openssl x509 -inform DER ",
        "`openssl pkey -inform DER ",
        "there is no certificate in it, but a private key",
        "there is no private key in it, but a certificate",
        "\n9 problems\n",
    ] {
        assert!(said.contains(expected), "{expected:?} is missing:\n{said}");
    }
}

#[test]
fn the_text_of_a_key_in_the_place_of_its_path_is_not_shown() {
    let made = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let secret = made.lines().nth(1).unwrap();
    for text in [
        format!("{TLS}[[tls.certificates]]\ncert = \"site.pem\"\nkey = '''{made}'''\n"),
        format!("[limits.redis]\nurl = \"rediss://a\"\ncert = \"site.pem\"\nkey = '''{made}'''\n"),
    ] {
        let problems = with_files(&text).expect_err("it is no path");
        let shown = format!("{problems}{:?}", problems.findings().collect::<Vec<_>>());
        assert!(!shown.contains(secret), "{shown}");
        assert!(
            shown.contains("write it to one, and its path here"),
            "{shown}"
        );
    }
}

#[test]
fn what_nobody_can_use_is_warned_of() {
    let plain = with_files(&pair("site.pem", "site.key")).unwrap();
    let lints = oddities(&plain);
    let lint = "conf/tollgate.toml:1:1: `tls.certificates` has no use: no address in `listen` has `tls = true`";
    assert!(lints.iter().any(|it| it == lint), "{lints:#?}");
    let spoken = with_files(&format!("{TLS}{}", pair("site.pem", "site.key"))).unwrap();
    let lints = oddities(&spoken);
    assert!(!lints.iter().any(|it| it.contains("tls")), "{lints:#?}");
}

#[test]
fn a_short_secret_is_refused_and_none_is_shown() {
    let with = |secret: &str| {
        format!(
            "{TLS}[tls]\nsecret = \"{secret}\"\n{}",
            pair("site.pem", "site.key")
        )
    };
    let short = "1234567890123456789012345678901";
    let said = said(&with(short));
    assert!(
        said.contains("`tls.secret` takes 32 characters at least"),
        "{said}"
    );
    assert!(said.contains("openssl rand"), "{said}");
    assert!(!said.contains(short), "{said}");
    let loaded = with_files(&with(&format!("{short}2"))).unwrap();
    let shown = format!("{:?}{:?}", loaded.written, loaded.snapshot.tls);
    assert!(
        shown.contains("secret = ...") && !shown.contains(short),
        "{shown}"
    );
}

#[test]
fn the_files_of_certificates_are_watched_apart() {
    let loaded = with_files(&format!("{TLS}{}", pair("site.pem", "site.key"))).unwrap();
    assert_eq!(loaded.files.paths().count(), 0);
    let files: Vec<_> = loaded.certificates.files().paths().collect();
    assert_eq!(
        files,
        [Path::new("conf/site.pem"), Path::new("conf/site.key")]
    );
    // What keeps a configuration from being taken may be mended in them.
    let problems = with_files(&format!("{TLS}{}", pair("site.pem", "other.key")))
        .err()
        .unwrap();
    assert_eq!(problems.files().paths().count(), 2);
}

/// Writes a configuration with a certificate that is valid until then, and not otherwise odd.
fn folder_with_certificate(days: i64) -> tempfile::TempDir {
    folder_with(days, |_| {})
}

fn folder_with(days: i64, change: impl Fn(&mut rcgen::CertificateParams)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    let now = Timestamp::now().as_second();
    let at = |days: i64| {
        let seconds = (now + days * 86_400).unsigned_abs();
        rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(seconds)
    };
    change(&mut params);
    params.not_before = at(days - 90);
    params.not_after = at(days);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut issuer = rcgen::CertificateParams::new(Vec::new()).unwrap();
    issuer
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Below");
    let issuer_key = rcgen::KeyPair::generate().unwrap();
    let issuer = rcgen::Issuer::new(issuer, issuer_key);
    let cert = params.signed_by(&key, &issuer).unwrap().pem();
    let text = format!("{TLS}{}", pair("site.pem", "site.key"));
    for (name, text) in [
        ("tollgate.toml", text),
        ("site.pem", cert),
        ("site.key", key.serialize_pem()),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn a_certificate_that_expires_soon_is_warned_of() {
    for (days, warns) in [(13, true), (16, false)] {
        let folder = folder_with_certificate(days);
        let loaded = load(&folder.path().join("tollgate.toml"), &environment).unwrap();
        let lints: Vec<_> = loaded
            .lints
            .iter()
            .filter(|it| it.message.contains("expires soon"))
            .collect();
        assert_eq!(lints.len(), usize::from(warns), "{lints:?}");
        assert!(
            lints
                .iter()
                .all(|lint| lint.is_passing && lint.line == Some(3))
        );
    }
}

#[test]
fn a_pipe_holds_nothing_up() {
    let folder = folder_with_certificate(60);
    let path = |name: &str| folder.path().join(name);
    std::fs::remove_file(path("site.key")).unwrap();
    let mut pipe = std::process::Command::new("mkfifo");
    assert!(pipe.arg(path("site.key")).status().unwrap().success());
    let text = format!(
        "{TLS}{}[tls.client_auth]\nca = \"site.key\"\nmode = \"required\"\n[upstreams.a]\nendpoints = [\"https://a.test\"]\n[upstreams.a.tls]\nca = \"site.key\"\n[limits.redis]\nurl = \"rediss://a\"\nca = \"site.key\"\n",
        pair("site.pem", "site.key")
    );
    std::fs::write(path("tollgate.toml"), text).unwrap();
    let problems = load(&path("tollgate.toml"), &environment).err().unwrap();
    let said = problems.to_string();
    let count = said
        .matches("it is a pipe or a device: name a file")
        .count();
    assert_eq!(count, 4, "{said}");
}

#[test]
fn an_expired_certificate_is_served_on_but_not_begun_with() {
    let folder = folder_with_certificate(-2);
    let file = folder.path().join("tollgate.toml");
    let problems = load(&file, &environment).err().unwrap().to_string();
    assert!(
        problems.contains("the certificate has expired, at "),
        "{problems}"
    );
    // As it was read while it was valid.
    let text = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let (cert, key) = (text("site.pem"), text("site.key"));
    let then = Timestamp::now() - jiff::SignedDuration::from_hours(24 * 10);
    let served = Certificate::read(Some(&cert), Some(&key), Purpose::Server, then).unwrap();
    let served = BTreeMap::from([(Source::Files(0), Arc::new(served))]);
    let served = ServerTls::new(TlsVersion::Tls12, Secret::of_process(), served);
    let served = Served {
        tls: Some(&served),
        ..Served::default()
    };
    let loaded = load_again(&file, &environment, served).unwrap();
    let lints = oddities(&loaded);
    assert!(
        lints.iter().any(|it| it.contains("has expired, at")),
        "{lints:?}"
    );
}

#[test]
fn a_certificate_of_a_public_authority_needs_its_chain() {
    // SEQUENCE { SEQUENCE { caIssuers, [6] "http://a" } }
    let access = [
        &[
            0x30, 0x14, 0x30, 0x12, 6, 8, 43, 6, 1, 5, 5, 7, 48, 2, 0x86, 6,
        ][..],
        b"http:/",
    ]
    .concat();
    let folder = folder_with(60, |params| {
        let oid = [1, 3, 6, 1, 5, 5, 7, 1, 1];
        let access = rcgen::CustomExtension::from_oid_content(&oid, access.clone());
        params.custom_extensions.push(access);
    });
    let loaded = load(&folder.path().join("tollgate.toml"), &environment).unwrap();
    let lints = oddities(&loaded);
    let said = "site.pem` has one certificate only, and clients may not know who has signed it (`CN=Below`)";
    assert!(lints.iter().any(|it| it.contains(said)), "{lints:#?}");
}

#[test]
fn a_certificate_that_is_never_shown_is_warned_of() {
    let twice = [pair("site.pem", "site.key"), pair("site.pem", "site.key")].concat();
    let loaded = with_files(&format!("{TLS}{twice}")).unwrap();
    let lints = oddities(&loaded);
    let lint = "conf/tollgate.toml:6:8: the certificate `conf/site.pem` is never shown: `conf/site.pem` has its names and a key of the same kind";
    assert!(lints.iter().any(|it| it == lint), "{lints:#?}");
}

#[test]
fn every_example_of_the_page_loads() {
    let page = include_str!("../../../docs/tls.md");
    let made = rcgen::generate_simple_self_signed(["www.example.com".to_owned()]).unwrap();
    let files = |path: &Path| match path.extension().and_then(|it| it.to_str()) {
        Some("key") => Ok(made.signing_key.serialize_pem()),
        _ => Ok(made.cert.pem()),
    };
    let environment = |_: &str| Ok("0123456789abcdef0123456789abcdef".to_owned());
    let mut count = 0;
    for example in super::docs::of_page(page) {
        if let Err(problems) = parse("t.toml", example, Format::Toml, &environment, &files) {
            panic!("{example}\n{problems}");
        }
        count += 1;
    }
    assert!(count >= 4, "{count} examples");
}
