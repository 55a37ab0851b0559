//! Certificates of clients: what is refused, so that nobody comes in unasked, and what is warned of.

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use super::*;

fn authority(until_year: i32) -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_after = rcgen::date_time_ymd(until_year, 1, 1);
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().pem()
}

/// A certificate of a server, say, that an authority has signed.
fn signed_by_another() -> String {
    let name = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let kind = rcgen::DnType::CommonName;
        params.distinguished_name.push(kind, name);
        params
    };
    let issuer = rcgen::Issuer::new(name("authority"), KeyPair::generate().unwrap());
    let key = KeyPair::generate().unwrap();
    name("leaf").signed_by(&key, &issuer).unwrap().pem()
}

/// Reads a configuration that speaks TLS, beside which lie authorities and odd files.
fn with_files(text: &str) -> Result<Loaded, Problems> {
    with_listeners("{ address = \"0.0.0.0:443\", tls = true }", text)
}

/// The same with these addresses.
fn with_listeners(listen: &str, text: &str) -> Result<Loaded, Problems> {
    let made = rcgen::generate_simple_self_signed(["www.example.com".to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let files = |path: &Path| match path.to_str() {
        Some("conf/site.pem") => Ok(cert.clone()),
        Some("conf/site.key") => Ok(key.clone()),
        Some("conf/ca.pem") => Ok(authority(4000)),
        Some("conf/leaf.pem") => Ok(signed_by_another()),
        Some("conf/old.pem") => Ok(authority(2001)),
        Some("conf/cut.pem") => Ok(authority(4000)[..200].to_owned()),
        Some("conf/damaged.pem") => {
            Ok("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_owned())
        }
        Some("conf/empty") => Ok(" \n".to_owned()),
        Some("conf/der") => Err(Unreadable::NotUtf8 {
            line: 1,
            form: crate::tls::Form::Certificate,
        }),
        Some("conf/denied") => Err(Unreadable::Denied),
        _ => Err(Unreadable::Missing),
    };
    let text = format!(
        "listen = [{listen}]\n[[tls.certificates]]\ncert = \"site.pem\"\nkey = \"site.key\"\n{text}"
    );
    parse(
        "conf/tollgate.toml",
        &text,
        Format::Toml,
        &environment,
        &files,
    )
}

fn asks(ca: &str) -> String {
    format!("[tls.client_auth]\nca = \"{ca}\"\nmode = \"required\"\n")
}

fn said(text: &str) -> String {
    let problems = with_files(text).expect_err("there are problems");
    problems.to_string()
}

#[test]
fn nobody_comes_in_unasked_because_a_file_is_not_as_it_should_be() {
    for (ca, why) in table(
        "
        none.pem => cannot read `conf/none.pem`: there is no such file
        denied => permission denied
        empty => it is empty
        der => it is a certificate in DER, not in PEM
        site.key => there is no certificate in it, but a private key
        cut.pem => the PEM in it is damaged or cut off
        damaged.pem => certificate 1 in it is damaged
        leaf.pem => certificate 1 in it (`CN=leaf`) is no authority's: its basic constraints have no `CA:TRUE`
        ",
    ) {
        let said = said(&asks(&ca));
        assert!(said.contains(why), "{ca}: {said}");
        assert_eq!(said.matches("error:").count(), 1, "{said}");
    }
    // A client's own is believed.
    fine(with_files(&asks("site.pem")));
    let loaded = fine(with_files(&asks("ca.pem")));
    assert!(!oddities(&loaded).concat().contains("authority"));
    let tls = loaded.snapshot.tls.expect("TLS is spoken");
    assert!(tls.handshake(Some("any.test"), []).verifier.is_some());
    assert!(tls.handshake(None, []).verifier.is_some());
    // An authority that looks at a challenge has no certificate to show.
    let challenge = tls.handshake(None, [crate::tls::ACME_TLS]);
    assert!(challenge.verifier.is_none());
    let both = tls.handshake(None, [crate::tls::ACME_TLS, b"http/1.1"]);
    assert!(both.verifier.is_some());
    let said = said("[tls.client_auth]\nca = \"ca.pem\"\n");
    assert!(said.contains("`mode`"), "{said}");
}

#[test]
fn an_authority_that_has_expired_is_warned_of() {
    let lints = oddities(&fine(with_files(&asks("old.pem")))).concat();
    assert!(lints.contains("has expired, at 2001-01-01"), "{lints}");
}

#[test]
fn an_address_at_which_no_certificate_is_required_is_warned_of() {
    let tls = "{ address = \"0.0.0.0:443\", tls = true }";
    let (clear, short) = ("{ address = \"127.0.0.1:80\" }", "\"127.0.0.1:80\"");
    let redirect = "{ address = \"127.0.0.1:80\", redirect = \"https\" }";
    let (required, optional) = (
        asks("ca.pem"),
        asks("ca.pem").replace("required", "optional"),
    );
    for (beside, text, is_warned_of) in [
        (clear, &required, true),
        (short, &required, true),
        (redirect, &required, false),
        (clear, &optional, false),
        (clear, &String::new(), false),
    ] {
        let mut said = oddities(&fine(with_listeners(&format!("{tls}, {beside}"), text)));
        said.retain(|it| it.contains("without the certificate"));
        assert_eq!(said.len(), usize::from(is_warned_of), "{beside} {said:?}");
        assert!(
            said.iter().all(|it| it.contains("at `127.0.0.1:80`")),
            "{said:?}"
        );
    }
}

#[test]
fn a_name_that_nothing_else_knows_is_warned_of() {
    let acme = "[tls.acme]\ndomains = [\"ordered.test\"]\n";
    let route = "[routes.\"/\"]\nupstream = \"http://127.0.0.1:9\"\nhosts = [\"route.test\", \"*.wide.test\"]\n";
    let lints = |name: &str| {
        let text = format!("{}names = [\"{name}\"]\n{acme}{route}", asks("ca.pem"));
        let mut lints = oddities(&fine(with_files(&text)));
        lints.retain(|lint| lint.contains("no certificate and no route is for"));
        lints
    };
    for name in [
        "www.example.com",
        "WWW.Example.com",
        "*.example.com",
        "ordered.test",
        "route.test",
        "*.wide.test",
        "a.wide.test",
    ] {
        assert_eq!(lints(name), [""; 0], "{name}");
    }
    for (name, meant) in [
        ("ww.example.com", ": did you mean `www.example.com`?"),
        ("ordred.test", ": did you mean `ordered.test`?"),
        ("a.b.wide.test", ""),
        ("wide.test", ""),
        ("elsewhere.org", ""),
    ] {
        let [lint] = &lints(name)[..] else {
            panic!("{name} is not warned of once");
        };
        assert!(lint.starts_with("conf/tollgate.toml:8:"), "{lint}");
        assert!(lint.contains(&format!("for `{name}`")), "{lint}");
        assert!(lint.contains(meant), "{lint}");
    }
}

#[test]
fn what_a_certificate_is_known_by_belongs_to_one_client() {
    let hex = "ab".repeat(32);
    let good = format!(
        "[clients.a]\ncertificates = [\"spki-sha256:{hex}\", \"san-dns:a.test\"]\n[clients.b]\ncertificates = [\"san-uri:spiffe://test/b\"]\n"
    );
    let asks = asks("ca.pem");
    fine(with_files(&format!("{asks}{good}")));
    for (again, what) in [
        (
            format!("spki-sha256:{}", hex.to_uppercase()),
            "spki-sha256:abab",
        ),
        ("san-dns:A.Test.".to_owned(), "`san-dns:a.test`"),
        (
            "san-uri:spiffe://test/b".to_owned(),
            "`san-uri:spiffe://test/b`",
        ),
    ] {
        let said = said(&format!(
            "{asks}{good}[clients.c]\ncertificates = [\"{again}\"]\n"
        ));
        assert!(said.contains(what) && said.contains("twice"), "{said}");
    }
    // Nobody would be known by it.
    let problems = read("[clients.a]\ncertificates = [\"san-dns:a.test\"]\n").expect_err("unasked");
    let said = problems.to_string();
    assert!(
        said.contains("no client is asked for a certificate"),
        "{said}"
    );
}

#[test]
fn what_nothing_can_be_known_by_is_explained() {
    for (written, why) in table(
        r#"
        spki-sha256:abc => openssl pkey -pubin -outform der | sha256sum
        sha256:abc => write "spki-sha256:HEX"
        CN=orders => subjects are not compared
        san-dns: => write the name alone
        san-dns:a.test:443 => write the name alone
        san-uri:orders => write the whole URI
        "#,
    ) {
        let text = format!(
            "{}[clients.a]\ncertificates = [\"{written}\"]\n",
            asks("ca.pem")
        );
        let said = said(&text);
        assert!(said.contains(why), "{written}: {said}");
    }
}

#[test]
fn a_reload_that_lets_clients_in_without_a_certificate_says_so() {
    let asks = |mode: &str, names: &str| {
        let text =
            format!("[tls.client_auth]\nca = 'ca.pem'\nmode = '{mode}'\nnames = [{names}]\n");
        fine(with_files(&text))
    };
    let (all, some) = (
        asks("required", ""),
        asks("required", "'a.test', 'x.b.test'"),
    );
    let none = fine(with_files(""));
    for (old, new, said) in [
        (&all, &all, None),
        (&none, &all, None),
        (&asks("optional", ""), &none, None),
        (&some, &all, None),
        (&some, &asks("required", "'*.b.test', 'a.test'"), None),
        (&all, &none, Some("clients need no certificate any more")),
        (
            &all,
            &asks("optional", ""),
            Some("clients need no certificate any more"),
        ),
        (
            &all,
            &asks("required", "'a.test'"),
            Some("clients need a certificate at `a.test` only, before at all names"),
        ),
        (
            &some,
            &asks("required", "'a.test'"),
            Some("clients need no certificate at `x.b.test` any more"),
        ),
        (
            &some,
            &none,
            Some("clients need no certificate at `a.test`, `x.b.test` any more"),
        ),
    ] {
        let lines = reload(old, new);
        let mut public = lines
            .iter()
            .filter_map(|line| line.strip_prefix("Public: "));
        assert_eq!((public.next(), public.next()), (said, None));
    }
}
