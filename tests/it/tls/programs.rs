//! Programs that people use speak TLS with the gateway: curl, openssl, Python, Node.

use std::process::Command;

use crate::support::tls::Authority;
use crate::support::{Gateway, Upstream};

/// Runs a program against the gateway; `{port}` and `{ca}` stand in its arguments.
fn run(program: &str, arguments: &[&str], gateway: &Gateway, authority: &Authority) -> String {
    let port = gateway.address().port().to_string();
    let ca = authority.path("ca.pem").display().to_string();
    let arguments = arguments
        .iter()
        .map(|argument| argument.replace("{port}", &port).replace("{ca}", &ca));
    let output = Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success(),
        "{program}: {}\n{out}\n{err}",
        output.status
    );
    out + &err
}

#[test]
fn well_known_programs_speak_with_it() {
    let (authority, upstream) = (Authority::new(), Upstream::echo());
    authority.issue("a", &["localhost"]);
    let gateway = Gateway::start(&format!(
        "listen = {{ address = \"127.0.0.1:0\", tls = true }}\n{}[routes]\n\"/a\" = \"{}\"\n",
        authority.certificate("a"),
        upstream.url(),
    ));
    let url = "https://localhost:{port}/a/x";
    for version in ["--tlsv1.2", "--tlsv1.3"] {
        let maximum = version.replace("--tlsv", "");
        let arguments = [
            "-sS",
            "-i",
            "--fail",
            "--cacert",
            "{ca}",
            version,
            "--tls-max",
            &maximum,
            url,
            url,
        ];
        let told = run("curl", &arguments, &gateway, &authority);
        assert_eq!(told.matches("HTTP/1.1 200").count(), 2, "{told}");
    }
    let openssl = [
        "s_client",
        "-connect",
        "localhost:{port}",
        "-servername",
        "localhost",
        "-CAfile",
        "{ca}",
        "-verify_return_error",
        "-alpn",
        "http/1.1",
        "-brief",
    ];
    let told = run("openssl", &openssl, &gateway, &authority);
    assert!(told.contains("TLSv1.3") && told.contains("OK"), "{told}");
    let python = format!(
        "import ssl,urllib.request as r;c=ssl.create_default_context(cafile='{{ca}}');print(r.urlopen('{url}',context=c).status)"
    );
    assert!(run("python3", &["-c", &python], &gateway, &authority).contains("200"));
    let node = format!(
        "const https=require('https'),fs=require('fs');https.get('{url}',{{ca:fs.readFileSync('{{ca}}')}},a=>{{console.log(a.statusCode,a.socket.getProtocol());process.exit()}})"
    );
    let told = run("node", &["-e", &node], &gateway, &authority);
    assert!(told.contains("200 TLSv1.3"), "{told}");
}
