//! Both ends of a stream, and each against the other implementation of the same: tokio-rustls.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::wire::buffers::Buffers;
use crate::wire::stream::{Connection, Ended};

const BOTH: &[&[&SupportedProtocolVersion]] = &[&[&TLS12], &[&TLS13]];

fn configs(
    versions: &[&'static SupportedProtocolVersion],
) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let cert = rcgen::CertificateParams::new(vec!["gateway.test".into()]).unwrap();
    let cert: CertificateDer<'static> = cert.self_signed(&key).unwrap().der().clone();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![cert.clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    server.send_tls13_tickets = 2;
    let mut roots = RootCertStore::empty();
    roots.add(cert).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

fn name() -> ServerName<'static> {
    "gateway.test".try_into().unwrap()
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), accepted.unwrap().0)
}

async fn write_all(connection: &mut Connection, buffers: &Buffers, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let written = poll_fn(|cx| connection.poll_write(cx, buffers, bytes))
            .await
            .unwrap();
        bytes = &bytes[written..];
    }
    poll_fn(|cx| connection.poll_flush(cx, buffers))
        .await
        .unwrap();
}

async fn read_exact(connection: &mut Connection, buffers: &Buffers, mut left: usize) -> Vec<u8> {
    let mut all = vec![];
    while left > 0 {
        let at_hand = connection.input().bytes().len().min(left);
        if at_hand == 0 {
            assert_ne!(
                connection.fill(buffers).await.unwrap(),
                0,
                "{left} bytes are missing"
            );
        }
        connection.input_mut().move_to(&mut all, at_hand);
        left -= at_hand;
    }
    all
}

/// Bytes of which no two pieces are alike.
fn bytes(len: usize) -> Vec<u8> {
    (0..len)
        .map(|n| u8::try_from((n ^ n >> 8 ^ n >> 16) % 256).expect("a byte"))
        .collect()
}

#[tokio::test]
async fn a_client_is_served_in_both_versions() {
    for versions in BOTH {
        let (server, client) = configs(versions);
        let (near, far) = pair().await;
        let sent = bytes(3_000_000);
        let expected = sent.clone();
        let task = tokio::spawn(async move {
            let connector = TlsConnector::from(client);
            let mut tls = connector.connect(name(), near).await.unwrap();
            tls.write_all(&sent).await.unwrap();
            tls.flush().await.unwrap();
            let mut back = vec![];
            tls.read_to_end(&mut back).await.unwrap();
            assert!(back == sent, "what came back is not what was sent");
        });
        let buffers = Buffers::default();
        let mut connection = Connection::new(far);
        // A proxy has said so in front of the handshake.
        let reached = "192.0.2.1:443".parse().unwrap();
        connection.announce(reached);
        let mut connection = connection.accept_tls(server, &buffers).await.unwrap();
        assert_eq!(connection.reached(), reached);
        let got = read_exact(&mut connection, &buffers, expected.len()).await;
        assert!(got == expected, "what came is not what was sent");
        write_all(&mut connection, &buffers, &got).await;
        // Its end is said, so that the client takes it for whole.
        drop(connection);
        task.await.unwrap();
    }
}

#[tokio::test]
async fn a_server_is_called_in_both_versions() {
    for versions in BOTH {
        let (server, client) = configs(versions);
        let (near, far) = pair().await;
        let task = tokio::spawn(async move {
            let mut tls = TlsAcceptor::from(server).accept(far).await.unwrap();
            let mut buffer = vec![0; 100_000];
            loop {
                match tls.read(&mut buffer).await.unwrap() {
                    0 => break tls.shutdown().await.unwrap(),
                    n => tls.write_all(&buffer[..n]).await.unwrap(),
                }
            }
        });
        let buffers = Buffers::default();
        let connection = Connection::new(near);
        let mut connection = connection
            .connect_tls(client, name(), &buffers)
            .await
            .unwrap();
        for len in [1, 100, 5_000, 16_384, 70_000] {
            let sent = bytes(len);
            write_all(&mut connection, &buffers, &sent).await;
            assert!(read_exact(&mut connection, &buffers, len).await == sent);
            connection.end_message();
            // The tickets that came with the first answer do not make it unusable.
            assert!(connection.is_clean() && connection.is_surely_clean());
        }
        poll_fn(|cx| connection.poll_finish(cx, &buffers))
            .await
            .unwrap();
        assert_eq!(connection.fill(&buffers).await.unwrap(), 0);
        assert!(!connection.is_clean(), "the server has ended");
        task.await.unwrap();
    }
}

#[tokio::test]
async fn tickets_do_not_dirty_a_connection_and_bytes_do() {
    let (server, client) = configs(&[&TLS13]);
    let (near, far) = pair().await;
    let (said, say) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let mut tls = TlsAcceptor::from(server).accept(far).await.unwrap();
        say.await.unwrap();
        tls.write_all(b"HTTP/1.1 408 Request Timeout")
            .await
            .unwrap();
        tls.flush().await.unwrap();
        tls
    });
    let buffers = Buffers::default();
    let connection = Connection::new(near);
    let mut connection = connection
        .connect_tls(client, name(), &buffers)
        .await
        .unwrap();
    // They may arrive now or later.
    for _ in 0..20 {
        assert!(connection.is_clean() && connection.is_surely_clean());
        tokio::task::yield_now().await;
    }
    said.send(()).unwrap();
    let _tls = task.await.unwrap();
    while connection.is_surely_clean() {
        tokio::task::yield_now().await;
    }
    assert!(!connection.is_clean());
}

#[tokio::test]
async fn an_end_that_nobody_has_said_is_an_error() {
    for versions in BOTH {
        let (server, client) = configs(versions);
        let (near, far) = pair().await;
        let task = tokio::spawn(async move {
            let mut tls = TlsAcceptor::from(server).accept(far).await.unwrap();
            tls.write_all(b"half of it").await.unwrap();
            tls.flush().await.unwrap();
            // The socket ends, and the session says nothing.
            drop(tls.into_inner());
        });
        let buffers = Buffers::default();
        let connection = Connection::new(near);
        let mut connection = connection
            .connect_tls(client, name(), &buffers)
            .await
            .unwrap();
        task.await.unwrap();
        read_exact(&mut connection, &buffers, 10).await;
        let error = connection.fill(&buffers).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}");
    }
}

#[tokio::test]
async fn a_peer_learns_why_a_handshake_fails() {
    let (server, client) = configs(&[&TLS13]);
    let (near, far) = pair().await;
    let task = tokio::spawn(async move {
        let other = "other.test".try_into().unwrap();
        let connector = TlsConnector::from(client);
        connector
            .connect(other, near)
            .await
            .unwrap_err()
            .to_string()
    });
    let buffers = Buffers::default();
    let error = Connection::new(far)
        .accept_tls(server, &buffers)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("CertificateUnknown")
            || error.to_string().contains("BadCertificate"),
        "{error}"
    );
    assert!(task.await.unwrap().contains("not valid for name"));

    let (server, _) = configs(&[&TLS13]);
    let (_, client) = configs(&[&TLS12]);
    let (near, far) = pair().await;
    let task = tokio::spawn(async move {
        TlsConnector::from(client)
            .connect(name(), near)
            .await
            .unwrap_err()
            .to_string()
    });
    let error = Connection::new(far)
        .accept_tls(server, &buffers)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("peer is incompatible"),
        "{error}"
    );
    let told = task.await.unwrap();
    assert!(told.contains("ProtocolVersion"), "{told}");
}

#[tokio::test]
async fn a_resting_connection_holds_no_buffer() {
    let (server, client) = configs(&[&TLS13]);
    let (near, far) = pair().await;
    let task = tokio::spawn(async move {
        let mut tls = TlsConnector::from(client)
            .connect(name(), near)
            .await
            .unwrap();
        tls.write_all(&bytes(40_000)).await.unwrap();
        tls.flush().await.unwrap();
        tls
    });
    let buffers = Buffers::default();
    let mut connection = Connection::new(far)
        .accept_tls(server, &buffers)
        .await
        .unwrap();
    read_exact(&mut connection, &buffers, 40_000).await;
    write_all(&mut connection, &buffers, &bytes(40_000)).await;
    let resting = poll_fn(|cx| Poll::Ready(connection.poll_fill(cx, &buffers))).await;
    assert!(resting.is_pending());
    assert_eq!(connection.held(), 0);
    task.await.unwrap();
}

#[tokio::test]
async fn what_is_no_record_ends_the_session_once() {
    for versions in BOTH {
        let (server, client) = configs(versions);
        let (near, far) = pair().await;
        let task = tokio::spawn(async move {
            let connector = TlsConnector::from(client);
            let (mut socket, mut session) =
                connector.connect(name(), near).await.unwrap().into_inner();
            socket.write_all(&[23, 3, 3, 0, 32]).await.unwrap();
            socket.write_all(&[7; 64]).await.unwrap();
            let mut told = vec![];
            socket.read_to_end(&mut told).await.unwrap();
            session.read_tls(&mut &told[..]).unwrap();
            session.process_new_packets().unwrap_err().to_string()
        });
        let buffers = Buffers::default();
        let connection = Connection::new(far).accept_tls(server, &buffers).await;
        let mut connection = connection.unwrap();
        let error = connection.fill(&buffers).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidData, "{error}");
        assert!(!connection.is_clean());
        let written = poll_fn(|cx| connection.poll_write(cx, &buffers, b"more")).await;
        assert!(written.is_err());
        // Read to its end, lest the end is a reset that takes the alert with it.
        poll_fn(|cx| connection.poll_finish(cx, &buffers))
            .await
            .unwrap();
        let told = task.await.unwrap();
        assert!(told.contains("BadRecordMac"), "{told}");
        drop(connection);
    }
}

#[tokio::test]
async fn an_end_that_comes_with_the_last_bytes_is_seen() {
    for versions in BOTH {
        let (server, client) = configs(versions);
        let (near, far) = pair().await;
        let task = tokio::spawn(async move {
            let connector = TlsConnector::from(client);
            let tls = connector.connect(name(), near).await.unwrap();
            let (mut socket, mut session) = tls.into_inner();
            // One write, and no end of the connection behind it.
            std::io::Write::write_all(&mut session.writer(), b"all of it").unwrap();
            session.send_close_notify();
            let mut records = vec![];
            while session.wants_write() {
                session.write_tls(&mut records).unwrap();
            }
            socket.write_all(&records).await.unwrap();
            socket
        });
        let buffers = Buffers::default();
        let connection = Connection::new(far).accept_tls(server, &buffers).await;
        let mut connection = connection.unwrap();
        read_exact(&mut connection, &buffers, 9).await;
        let end = tokio::time::timeout(Duration::from_secs(10), connection.fill(&buffers)).await;
        assert_eq!(end.expect("the end was said").unwrap(), 0);
        assert_eq!(connection.ended(), Some(Ended::Sending));
        drop(task.await.unwrap());
    }
}

#[tokio::test]
async fn a_part_of_a_record_is_seen_to_come_and_costs_little() {
    let (server, client) = configs(&[&TLS13]);
    let (near, far) = pair().await;
    let (go, gone) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let connector = TlsConnector::from(client);
        let tls = connector.connect(name(), near).await.unwrap();
        let (mut socket, mut session) = tls.into_inner();
        std::io::Write::write_all(&mut session.writer(), &[b'x'; 5_000]).unwrap();
        let mut records = vec![];
        while session.wants_write() {
            session.write_tls(&mut records).unwrap();
        }
        socket.write_all(&records[..700]).await.unwrap();
        gone.await.unwrap();
        socket.write_all(&records[700..]).await.unwrap();
        socket
    });
    let buffers = Buffers::default();
    let connection = Connection::new(far).accept_tls(server, &buffers).await;
    let mut connection = connection.unwrap();
    connection.take_moved();
    let mut come = 0;
    while come < 700 {
        let filled = poll_fn(|cx| Poll::Ready(connection.poll_fill(cx, &buffers))).await;
        assert!(filled.is_pending());
        come += connection.take_moved().received;
        tokio::task::yield_now().await;
    }
    assert!(connection.is_within_record());
    assert!(connection.held() < 2_048, "{}", connection.held());
    go.send(()).unwrap();
    read_exact(&mut connection, &buffers, 5_000).await;
    assert!(connection.take_moved().received > 4_000 && !connection.is_within_record());
    drop(task.await.unwrap());
}
