//! What is said of files that hold something else than one certificate chain, or one key, in PEM.

use super::*;

/// The beginning of what OpenSSL writes, of which nothing secret is left.
fn beginning(hex: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

#[test]
fn other_forms_are_told_apart() {
    let key = KeyPair::generate().unwrap();
    let params = params(&["a.example"]);
    let cert = params.self_signed(&key).unwrap();
    let request = params.serialize_request(&key).unwrap();
    let utf16: Vec<u8> = "\u{feff}-----BEGIN "
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let pkcs12 = "308205ac0201033082056206092a864886f70d010701a0820553";
    let unknown_length = "3080020103308006092a864886f70d010701a080";
    let pkcs7 = "3082031c06092a864886f70d010702a082030d308203090201";
    let encrypted = "3081ec305706092a864886f70d01050d304a302906092a864886f70d01050c301c0408\
        3b0d82187769fcba02020800300c06082a864886f70d02090500301d060960864801650304012a0410bd3753525c\
        f564dafb96e26e0e25a3b9048190";
    let revoked = "3081a6304e020101300a06082a8648ce3d040302300f310d300b06035504030c04526f6f74\
        170d3236313132373230343833305a170d3236313232373230343833305aa00e300c300a0603551d140403020101\
        300a06082a8648ce3d0403020348003045";
    for (bytes, form) in [
        (cert.der().to_vec(), Form::Certificate),
        (request.der().to_vec(), Form::Request),
        (key.serialize_der(), Form::Key),
        (key.public_key_raw().to_vec(), Form::Unknown),
        (beginning(pkcs12), Form::Pkcs12),
        (beginning(unknown_length), Form::Pkcs12),
        (beginning(pkcs7), Form::Pkcs7),
        (beginning(encrypted), Form::EncryptedKey),
        (beginning(revoked), Form::Revoked),
        (utf16, Form::Utf16),
        (
            b"Gr\xfc\xdfe\n-----BEGIN CERTIFICATE-----\n".to_vec(),
            Form::BesidePem,
        ),
    ] {
        assert_eq!(Form::of(&bytes), form, "{bytes:x?}");
    }
}

#[test]
fn the_remedy_is_a_command_that_fits() {
    let remedy = |half, form| Fault::OtherForm(half, form).remedy();
    for (half, form, command) in [
        (Half::Cert, Form::Certificate, "openssl x509 -inform DER"),
        (Half::Cert, Form::Pkcs12, "openssl pkcs12 -in FILE -noenc"),
        (Half::Key, Form::Pkcs12, "openssl pkcs12 -in FILE -noenc"),
        (Half::Cert, Form::Pkcs7, "openssl pkcs7 -inform DER"),
        (Half::Cert, Form::Pkcs7Pem, "openssl pkcs7 -in FILE -print"),
        (Half::Key, Form::EncryptedKey, "openssl pkey -inform DER"),
        (Half::Key, Form::Key, "openssl pkey -inform DER"),
        // What is of the other half is not to be converted.
        (Half::Key, Form::Certificate, "`key` takes the private key"),
        (Half::Cert, Form::Key, "`cert` takes the certificate"),
    ] {
        let said = remedy(half, form);
        assert!(said.contains(command), "{half:?} {form:?}: {said}");
    }
}

#[test]
fn a_byte_order_mark_does_no_harm() {
    let [leaf, below, _] = chain();
    let cert = format!("\u{feff}{}{}", leaf.cert, below.cert);
    let read = read(&cert, &format!("\u{feff}{}", leaf.key)).unwrap();
    assert_eq!(read.certified().cert.len(), 2);
}

#[test]
fn no_section_is_passed_over_in_silence() {
    let [leaf, below, _] = chain();
    let glued = format!("{}{}", leaf.cert.trim_end(), below.cert);
    let line = leaf.cert.trim_end().lines().count();
    let at = |line: usize| {
        format!(
            "line {line} in it has `-----BEGIN` behind spaces or another `-----`, so what follows would not be seen"
        )
    };
    assert_eq!(faults(&glued, &leaf.key), [at(line)]);
    let indented = leaf.cert.replace("-----BEGIN", "  -----BEGIN");
    assert_eq!(faults(&indented, &leaf.key), [at(1)]);
    // A mark that came between by `cat`.
    let marked = format!("{}\u{feff}{}", leaf.cert, below.cert);
    assert_eq!(faults(&marked, &leaf.key), [at(line + 1)]);
    let trusted = below.cert.replace("CERTIFICATE", "TRUSTED CERTIFICATE");
    let said = ["it is a `TRUSTED CERTIFICATE`, a form of OpenSSL's own"];
    assert_eq!(faults(&trusted, &leaf.key), said);
    assert_eq!(faults(&format!("{}{trusted}", leaf.cert), &leaf.key), said);
    let pkcs7 = "-----BEGIN PKCS7-----\nAAAA\n-----END PKCS7-----\n";
    assert_eq!(
        faults(pkcs7, &leaf.key),
        ["it is PKCS#7 (.p7b), not certificates in PEM"]
    );
    // Words about it are nothing.
    let explained = format!("# from -----BEGIN CERTIFICATE----- on\n{}", leaf.cert);
    read(&explained, &leaf.key).unwrap();
}

#[test]
fn of_several_keys_the_first_is_taken() {
    let (one, other) = (pair(&["a.example"]), pair(&["a.example"]));
    read(&one.cert, &format!("{}{}", one.key, other.key)).unwrap();
    assert_eq!(
        faults(&one.cert, &format!("{}{}", other.key, one.key)),
        ["there are 2 private keys in it, and the first does not fit the certificate"]
    );
}

#[test]
fn a_certificate_of_another_chain_is_named() {
    let [leaf, below, root] = chain();
    let mut other = params(&["other.example"]);
    other.distinguished_name.push(DnType::CommonName, "Foreign");
    let other = signed_by_itself(&other, &KeyPair::generate().unwrap()).cert;
    for (place, chain) in [
        (1, [&other, &leaf.cert, &below.cert, &root.cert]),
        (2, [&leaf.cert, &other, &below.cert, &root.cert]),
        (4, [&leaf.cert, &below.cert, &root.cert, &other]),
    ] {
        let chain = chain.map(String::as_str).concat();
        assert_eq!(
            faults(&chain, &leaf.key),
            [format!(
                "certificate {place} in it (`CN=Foreign`) does not belong to the others: it has signed none of them, and none of them has signed it"
            )]
        );
    }
}
