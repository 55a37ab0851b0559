//! TLS towards clients: what belongs together, and what is said of certificates that cannot be used.

use crate::server::Serves;

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
        Some("conf/der") => Err(Unreadable::NotUtf8 { line: 1 }),
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
    let loaded = with_files(&text).unwrap_or_else(|problems| panic!("{problems}"));
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
        pair("der", "der"),
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
    let lints: Vec<_> = plain.lints.iter().map(ToString::to_string).collect();
    let lint = "conf/tollgate.toml:1:1: `tls.certificates` has no use: no address in `listen` has `tls = true`";
    assert!(lints.iter().any(|it| it == lint), "{lints:#?}");
    let spoken = with_files(&format!("{TLS}{}", pair("site.pem", "site.key"))).unwrap();
    let lints: Vec<_> = spoken.lints.iter().map(ToString::to_string).collect();
    assert!(!lints.iter().any(|it| it.contains("tls")), "{lints:#?}");
}
