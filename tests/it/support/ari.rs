//! An authority that says when to renew (ARI, RFC 9773), which `pebble` does not: it passes requests on to one,
//! tells of its own resource in the directory, and reflects `replaces` in orders.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::pebble::Pebble;
use super::tls::{connect, provider, trusting_all};

/// The window of the first certificate that is asked for begins a day ago, that of all others in 20 days.
const DAYS: [i64; 2] = [-1, 20];

/// It.
pub(crate) struct Ari {
    address: SocketAddr,
    told: Arc<Mutex<Told>>,
}

/// What it has been asked and told.
#[derive(Debug, Default, Clone)]
pub(crate) struct Told {
    /// The certificates that were asked for, by their ids.
    pub asked: Vec<String>,
    /// Those that orders were to replace.
    pub replaced: Vec<String>,
}

impl Ari {
    /// Stands in front of that authority.
    pub(crate) fn before(pebble: &Pebble) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let told = Arc::<Mutex<Told>>::default();
        let (config, behind, noted) = (config(pebble), pebble.address(), Arc::clone(&told));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (config, told) = (Arc::clone(&config), Arc::clone(&noted));
                std::thread::spawn(move || serve(client, config, address, behind, &told));
            }
        });
        Self { address, told }
    }

    pub(crate) fn directory(&self) -> String {
        format!("https://{}/dir", self.address)
    }

    pub(crate) fn told(&self) -> Told {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn config(pebble: &Pebble) -> Arc<ServerConfig> {
    let (cert, key) = pebble.own_certificate();
    let chain = CertificateDer::pem_slice_iter(cert.as_bytes());
    let chain: Result<Vec<_>, _> = chain.collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain.expect("PEM"), key);
    Arc::new(config.expect("a pair"))
}

/// Answers the one request of a connection.
fn serve(
    client: TcpStream,
    config: Arc<ServerConfig>,
    own: SocketAddr,
    behind: SocketAddr,
    told: &Mutex<Told>,
) {
    let session = ServerConnection::new(config).expect("a session");
    let mut client = BufReader::new(StreamOwned::new(session, client));
    let Some((head, body)) = read(&mut client) else {
        return;
    };
    let path = head.split(' ').nth(1).unwrap_or_default();
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = if let Some(id) = path.strip_prefix("/ari/") {
        let start =
            Timestamp::now() + SignedDuration::from_hours(24 * DAYS[told.asked.len().min(1)]);
        let end = start + SignedDuration::from_hours(1);
        told.asked.push(id.to_owned());
        let window = json!({ "start": start.to_string(), "end": end.to_string() });
        let body = json!({ "suggestedWindow": window });
        format!("HTTP/1.0 200 OK\r\nRetry-After: 21600\r\n\r\n{body}")
    } else {
        let mut answer = pass_on(behind, &head, &body);
        if path == "/dir" {
            answer = edited(&answer, |json| {
                json["renewalInfo"] = format!("https://{own}/ari").into();
            });
        }
        if let Some(id) = replaces(&body) {
            told.replaced.push(id.clone());
            answer = edited(&answer, |json| json["replaces"] = id.into());
        }
        answer
    };
    drop(told);
    let client = client.get_mut();
    let _ = client.write_all(answer.as_bytes());
    client.conn.send_close_notify();
    let _ = client.flush();
}

/// Reads a request: its head, and its body.
fn read(client: &mut impl BufRead) -> Option<(String, String)> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        client.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
        head.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    client.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).ok()?))
}

/// Asks the authority behind, with an old version of HTTP: its answer ends with the connection.
fn pass_on(behind: SocketAddr, head: &str, body: &str) -> String {
    let mut authority = connect(behind, &Arc::new(trusting_all()), "localhost").expect("TLS");
    let request = format!("{}{body}", head.replacen("HTTP/1.1", "HTTP/1.0", 1));
    authority.write_all(request.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    let _ = authority.read_to_end(&mut answer);
    String::from_utf8(answer).expect("text")
}

/// An answer with another body, if it succeeds.
fn edited(answer: &str, edit: impl FnOnce(&mut Value)) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    let status = head.split(' ').nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        return answer.to_owned();
    }
    let mut json: Value = serde_json::from_str(body).expect("JSON");
    edit(&mut json);
    let has_length = |line: &&str| !line.to_ascii_lowercase().starts_with("content-length:");
    let head: Vec<_> = head.split("\r\n").filter(has_length).collect();
    format!("{}\r\n\r\n{json}", head.join("\r\n"))
}

/// The certificate that an order is to replace, if the request is one and says so.
fn replaces(body: &str) -> Option<String> {
    let signed: Value = serde_json::from_str(body).ok()?;
    let payload = base64(signed["payload"].as_str()?)?;
    let payload: Value = serde_json::from_slice(&payload).ok()?;
    Some(payload["replaces"].as_str()?.to_owned())
}

/// Decodes Base64 for URLs (RFC 4648 section 5).
fn base64(text: &str) -> Option<Vec<u8>> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes() {
        let value = DIGITS.iter().position(|it| *it == digit)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(bytes)
}
