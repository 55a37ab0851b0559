//! What is said of certificates that lead from the one that is shown to its authority, and of old ones.

use super::*;

/// A certificate that is valid until 2040, behind it that of an authority, which is valid for these years.
fn below(from: i32, until: i32) -> Pair {
    let mut authority = params(&[]);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(DnType::CommonName, "Below");
    authority.not_before = rcgen::date_time_ymd(from, 1, 1);
    authority.not_after = rcgen::date_time_ymd(until, 1, 1);
    let authority_key = KeyPair::generate().unwrap();
    let authority_cert = signed_by_itself(&authority, &authority_key).cert;
    let mut own = params(&["a.example"]);
    own.distinguished_name.push(DnType::CommonName, "Server");
    own.not_after = rcgen::date_time_ymd(2040, 1, 1);
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::from_params(&authority, &authority_key);
    let own = own.signed_by(&key, &issuer).unwrap().pem();
    Pair {
        cert: format!("{own}{authority_cert}"),
        key: key.serialize_pem(),
    }
}

fn at(moment: &str, pair: &Pair) -> Result<Certificate, Vec<Fault>> {
    let moment = moment.parse().unwrap();
    Certificate::read(Some(&pair.cert), Some(&pair.key), Purpose::Server, moment)
}

#[test]
fn all_of_the_chain_has_to_be_valid() {
    let pair = below(2020, 2030);
    at("2029-01-01T00:00:00Z", &pair).unwrap();
    let said = |faults: Vec<Fault>| faults.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        said(at("2031-01-01T00:00:00Z", &pair).unwrap_err()),
        ["certificate 2 of the chain (`CN=Below`) has expired, at 2030-01-01T00:00:00Z"]
    );
    assert_eq!(
        said(at("2019-01-01T00:00:00Z", &pair).unwrap_err()),
        ["certificate 2 of the chain (`CN=Below`) is not valid before 2020-01-01T00:00:00Z"]
    );
}

#[test]
fn what_expires_first_of_a_chain_is_warned_of() {
    let expiry = |until: i32, moment: &str| {
        let certificate = at("2029-01-01T00:00:00Z", &below(2020, until)).unwrap();
        let expiry = certificate.expiry(moment.parse().unwrap());
        expiry.map(|it| it.to_string())
    };
    assert_eq!(expiry(2030, "2029-12-01T00:00:00Z"), None);
    assert_eq!(
        expiry(2030, "2029-12-31T00:00:00Z").unwrap(),
        "`CN=Below` in the chain of the certificate for `a.example` expires soon, at 2030-01-01T00:00:00Z"
    );
    assert_eq!(
        expiry(2050, "2039-12-31T00:00:00Z").unwrap(),
        "the certificate for `a.example` expires soon, at 2040-01-01T00:00:00Z"
    );
}

#[test]
fn an_old_version_is_not_laid_on_the_key() {
    // Made by: openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=a.example, and
    // openssl x509 -req -signkey KEY -days 36500
    let cert = include_str!("version1.pem");
    let key = pair(&["a.example"]).key;
    assert_eq!(
        faults(cert, &key),
        ["the certificate is of version 1, without extensions"]
    );
}
