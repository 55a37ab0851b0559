//! What is said of files that cannot be used, and which certificate is for whom.

mod chains;
mod forms;
mod handshakes;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};

use rustls::{ClientConnection, ServerConnection};

use super::*;

/// A certificate and its key, in PEM.
struct Pair {
    cert: String,
    key: String,
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

fn signed_by_itself(params: &CertificateParams, key: &KeyPair) -> Pair {
    Pair {
        cert: params.self_signed(key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

fn pair(names: &[&str]) -> Pair {
    signed_by_itself(&params(names), &KeyPair::generate().unwrap())
}

fn rsa(names: &[&str]) -> Pair {
    let key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    signed_by_itself(&params(names), &key)
}

/// An authority, one below it, and a server below that, each as PEM.
fn chain() -> [Pair; 3] {
    let authority = |name: &str| {
        let mut params = params(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        (params, KeyPair::generate().unwrap())
    };
    let (root, root_key) = authority("Root");
    let (below, below_key) = authority("Below");
    let leaf_key = KeyPair::generate().unwrap();
    let root_pair = signed_by_itself(&root, &root_key);
    let root = Issuer::from_params(&root, &root_key);
    let below_pair = Pair {
        cert: below.signed_by(&below_key, &root).unwrap().pem(),
        key: below_key.serialize_pem(),
    };
    let below = Issuer::from_params(&below, &below_key);
    let mut leaf = params(&["a.example"]);
    leaf.distinguished_name.push(DnType::CommonName, "Server");
    let leaf = Pair {
        cert: leaf.signed_by(&leaf_key, &below).unwrap().pem(),
        key: leaf_key.serialize_pem(),
    };
    [leaf, below_pair, root_pair]
}

/// Takes a handshake to its end; an error is that of the end which notices first.
pub(super) fn exchange(
    client: &mut ClientConnection,
    server: &mut ServerConnection,
) -> Result<(), rustls::Error> {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        client.write_tls(&mut up).unwrap();
        let mut read = &up[..];
        while !read.is_empty() {
            server.read_tls(&mut read).unwrap();
            server.process_new_packets()?;
        }
        up.clear();
        server.write_tls(&mut down).unwrap();
        let mut read = &down[..];
        while !read.is_empty() {
            client.read_tls(&mut read).unwrap();
            client.process_new_packets()?;
        }
        down.clear();
    }
    Ok(())
}

fn read(cert: &str, key: &str) -> Result<Certificate, Vec<Fault>> {
    Certificate::read(Some(cert), Some(key), Purpose::Server, Timestamp::now())
}

fn good(pair: &Pair) -> Certificate {
    read(&pair.cert, &pair.key).unwrap()
}

fn faults(cert: &str, key: &str) -> Vec<String> {
    let faults = read(cert, key).expect_err("it cannot be used");
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_chain_is_taken_from_the_leaf_on() {
    let [leaf, below, root] = chain();
    let all = [&*leaf.cert, &below.cert, &root.cert];
    for length in 1..=3 {
        let read = read(&all[..length].concat(), &leaf.key).unwrap();
        assert_eq!(read.names, ["a.example"]);
        assert_eq!(read.certified().cert.len(), length);
    }
    // Certificate and key in one file.
    let both = format!("{}{}", leaf.key, all.concat());
    read(&both, &both).unwrap();
    for (order, at, subject) in [
        ([1, 0, 2], 2, "CN=Server"),
        ([2, 1, 0], 2, "CN=Below"),
        ([0, 2, 1], 2, "CN=Root"),
    ] {
        let mixed = order.map(|at| all[at]).concat();
        let said = faults(&mixed, &leaf.key);
        let [said] = &said[..] else {
            panic!("{said:?}")
        };
        assert!(
            said.contains("in the wrong order") && said.contains(&format!("certificate {at} (`")),
            "{said}"
        );
        assert!(said.contains(subject), "{said}");
    }
}

#[test]
fn files_of_another_kind_are_named() {
    let pair = pair(&["a.example"]);
    let (cert, key) = (&*pair.cert, &*pair.key);
    let cut = |text: &str| text[..text.len() / 2].to_owned();
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let request = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n";
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (text, of_cert, of_key) in [
        ("\n", "it is empty", "it is empty"),
        ("hello", "there is no PEM in it", "there is no PEM in it"),
        (key, "there is no certificate in it, but a private key", ""),
        (cert, "", "there is no private key in it, but a certificate"),
        (
            request,
            "there is no certificate in it, but a request for a certificate",
            "there is no private key in it, but a request for a certificate",
        ),
        (
            &cut(cert),
            "the PEM in it is damaged or cut off",
            "the PEM in it is damaged or cut off",
        ),
        (
            empty,
            "certificate 1 in it is damaged",
            "there is no private key in it, but a certificate",
        ),
        (
            encrypted,
            "there is no certificate in it, but a private key",
            "the key is encrypted",
        ),
        (old, "", "the key is encrypted"),
    ] {
        if !of_cert.is_empty() {
            assert_eq!(faults(text, key), [of_cert], "{text}");
        }
        if !of_key.is_empty() {
            assert_eq!(faults(cert, text), [of_key], "{text}");
        }
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let other = pair(&["a.example"]).key;
    let mut old = params(&[]);
    old.distinguished_name.push(DnType::CommonName, "a.example");
    old.not_before = rcgen::date_time_ymd(2020, 1, 1);
    old.not_after = rcgen::date_time_ymd(2021, 1, 1);
    old.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let old = signed_by_itself(&old, &KeyPair::generate().unwrap());
    let expected = [
        "the certificate has expired, at 2021-01-01T00:00:00Z",
        "the certificate has no names: its common name does not count, as for all clients",
        "the certificate is not for servers: its extended key usage has no `serverAuth`",
        "the key does not fit the certificate",
    ];
    assert_eq!(faults(&old.cert, &other), expected);
    // The half that can be read is checked if the other cannot.
    let half =
        Certificate::read(Some(&old.cert), None, Purpose::Server, Timestamp::now()).unwrap_err();
    assert_eq!(half.len(), 3);
    assert_eq!(
        Certificate::read(None, Some(&old.key), Purpose::Server, Timestamp::now()).unwrap_err(),
        []
    );

    let pair = pair(&["a.example"]);
    let early = Timestamp::UNIX_EPOCH - SignedDuration::from_hours(100_000);
    let early =
        Certificate::read(Some(&pair.cert), Some(&pair.key), Purpose::Server, early).unwrap_err();
    assert!(matches!(early[..], [Fault::NotYetValid(_)]), "{early:?}");
}

#[test]
fn a_short_rsa_key_is_refused() {
    // Made by: openssl req -x509 -newkey rsa:1024 -nodes -days 36500 -subj /CN=a -addext subjectAltName=DNS:a.example
    let cert = include_str!("rsa1024.pem");
    let key = pair(&["a.example"]).key;
    assert_eq!(faults(cert, &key), ["the key is weak: RSA with 1024 bits"]);
}

#[test]
fn certificates_that_never_expire_are_taken() {
    let mut params = params(&["a.example"]);
    params.not_after = rcgen::date_time_ymd(9999, 12, 31);
    let pair = signed_by_itself(&params, &KeyPair::generate().unwrap());
    assert_eq!(good(&pair).not_after, Timestamp::MAX);
}

fn tls(pairs: &[&Pair]) -> ServerTls {
    let certificates = pairs.iter().map(|pair| good(pair)).enumerate();
    let certificates = certificates.map(|(at, it)| (Source::Files(at), Arc::new(it)));
    let secret = Secret::of_process();
    ServerTls::new(TlsVersion::Tls12, secret, certificates.collect())
}

#[test]
fn requests_for_another_certificate_are_told_apart() {
    let both = pair(&["a.example", "b.example"]);
    let (wild, named) = (pair(&["*.c.example"]), pair(&["x.c.example"]));
    let tls = tls(&[&both, &wild, &named]);
    for (sni, host, same) in [
        (None, "x.c.example", true),
        (Some("a.example"), "a.example", true),
        (Some("a.example"), "A.EXAMPLE.:8443", true),
        (Some("a.example"), "b.example:443", true),
        (Some("a.example"), "y.c.example", false),
        (Some("x.c.example"), "y.c.example", false),
        (Some("z.c.example"), "y.c.example", true),
        (Some("z.c.example"), "y.z.c.example", false),
        // What nobody has is shown the first.
        (Some("other.example"), "a.example", true),
        (Some("other.example"), "[::1]:443", true),
        (Some("x.c.example"), "other.example", false),
    ] {
        assert_eq!(tls.same_certificate(sni, host), same, "{sni:?} {host}");
    }
    // The same certificate is for both from now on.
    let wider = good(&pair(&["x.c.example", "y.c.example"]));
    tls.install(Source::Files(2), wider);
    assert!(tls.same_certificate(Some("x.c.example"), "y.c.example"));
    assert_eq!(tls.certificates().len(), 3);
}

#[test]
fn the_exact_name_goes_before_the_wildcard_and_that_before_the_first() {
    use rustls::SignatureScheme::{ECDSA_NISTP256_SHA256, RSA_PSS_SHA256};
    let first = [rsa(&["a.example"]), pair(&["a.example"])];
    let (wild, named) = (pair(&["*.c.example"]), pair(&["x.c.example"]));
    let all = [&first[0], &wild, &named, &first[1]];
    let all = all.iter().enumerate();
    let all = all.map(|(at, pair)| (Source::Files(at), Arc::new(good(pair))));
    let table = table::Table::new(all.collect());
    let all = table.all();
    let (rsa, ecdsa) = (&[RSA_PSS_SHA256][..], &[ECDSA_NISTP256_SHA256][..]);
    let both = &[RSA_PSS_SHA256, ECDSA_NISTP256_SHA256][..];
    for (name, schemes, expected) in [
        (Some("x.c.example"), both, 2),
        (Some("x.c.example."), both, 2),
        (Some("y.c.example"), both, 1),
        (Some("a.example"), both, 3),
        (Some("a.example"), ecdsa, 3),
        (Some("a.example"), rsa, 0),
        (Some("c.example"), rsa, 0),
        (Some("y.x.c.example"), both, 3),
        (None, rsa, 0),
        (None, both, 3),
        // The handshake fails, and says that no signature fits.
        (Some("y.c.example"), rsa, 1),
    ] {
        let chosen = table.choose(name, schemes).unwrap();
        assert!(
            Arc::ptr_eq(chosen, &all[&Source::Files(expected)]),
            "{name:?} {schemes:?}"
        );
    }
    assert!(table::Table::default().choose(None, both).is_none());
}

#[test]
fn a_client_gets_http_1_1_or_nothing() {
    let config = tls(&[&pair(&["a.example"])]);
    let config = config.handshake(None, []).config;
    assert_eq!(config.alpn_protocols, [&b"http/1.1"[..], ACME_TLS]);
    assert_eq!(config.max_early_data_size, 0);
    assert!(!config.send_half_rtt_data);
}

#[test]
fn expiry_is_warned_of_two_weeks_before_or_in_the_last_third() {
    let lasting = |days: i64| {
        let mut params = params(&["a.example"]);
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after =
            params.not_before + std::time::Duration::from_secs(days.unsigned_abs() * 86_400);
        let pair = signed_by_itself(&params, &KeyPair::generate().unwrap());
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let read =
            Certificate::read(Some(&pair.cert), Some(&pair.key), Purpose::Server, start).unwrap();
        (read, start)
    };
    let after = |start: Timestamp, hours: i64| start + SignedDuration::from_hours(hours);
    for (days, quiet, soon) in [(365, 350, 352), (90, 75, 77), (6, 3, 5)] {
        let (certificate, start) = lasting(days);
        assert_eq!(certificate.expiry(after(start, quiet * 24)), None, "{days}");
        let said = certificate.expiry(after(start, soon * 24)).unwrap();
        let said = said.to_string();
        assert!(
            said.starts_with("the certificate for `a.example` expires soon, at 202"),
            "{said}"
        );
        let said = certificate.expiry(after(start, days * 24 + 1)).unwrap();
        assert!(said.to_string().contains("has expired, at"), "{said}");
    }
}
