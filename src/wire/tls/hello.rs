//! What a client says first: the name that it calls, by which a certificate is chosen, and the protocols
//! that it speaks.

use rustls::server::Acceptor;

/// A larger hello is no hello: browsers' have less than 2 KiB.
const MAX_HELLO: usize = 16 * 1024;

/// The first message of a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hello {
    /// The name that it calls (RFC 6066 section 3).
    pub sni: Option<Box<str>>,
    /// The protocols that it offers (RFC 7301), in the order of its preference.
    pub alpn: Vec<Box<[u8]>>,
}

/// Why there is no hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// The peer has ended the connection.
    #[error("the client ended the connection before it said hello")]
    Left,
    /// What came is not TLS.
    #[error("the client does not speak TLS")]
    NotTls,
    /// It is larger than any that is meant well.
    #[error("the client's first message is larger than 16 KiB")]
    TooLarge,
    /// It is TLS, and no hello that could be read. A session finds out what is wrong with it.
    #[error("the client's first message is no hello")]
    Malformed,
}

/// Reads a hello out of the records that have come. `None`: more has to come.
pub(in crate::wire) fn read_hello(records: &[u8]) -> Result<Option<Hello>, HelloError> {
    let more = match records {
        // A record of the handshake protocol (RFC 8446 section 5.1), worth a look once it is whole.
        [22, 3, _, high, low, payload @ ..] => {
            payload.len() < usize::from(u16::from_be_bytes([*high, *low]))
        }
        [] | [22] | [22, 3] | [22, 3, _] | [22, 3, _, _] => true,
        _ => return Err(HelloError::NotTls),
    };
    if more {
        return wait_for_more(records);
    }
    let mut acceptor = Acceptor::default();
    let mut rest = records;
    while !rest.is_empty() {
        match acceptor.read_tls(&mut rest) {
            Ok(0) | Err(_) => return Err(HelloError::Malformed),
            Ok(_) => {}
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => {
                let hello = accepted.client_hello();
                let alpn = hello.alpn().into_iter().flatten();
                return Ok(Some(Hello {
                    sni: hello
                        .server_name()
                        .map(str::to_ascii_lowercase)
                        .map(Into::into),
                    alpn: alpn.map(Into::into).collect(),
                }));
            }
            Ok(None) => {}
            Err(_) => return Err(HelloError::Malformed),
        }
    }
    wait_for_more(records)
}

fn wait_for_more(records: &[u8]) -> Result<Option<Hello>, HelloError> {
    if records.len() < MAX_HELLO {
        Ok(None)
    } else {
        Err(HelloError::TooLarge)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    /// What a client says first that calls `name` and offers `alpn`.
    fn hello(name: &str, alpn: &[&[u8]]) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("it has both versions")
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        let name = name.to_owned().try_into().expect("a name");
        let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
        let mut records = vec![];
        client.write_tls(&mut records).expect("written to memory");
        records
    }

    #[test]
    fn a_hello_is_read_once_it_is_whole() {
        let records = hello("API.Example.com", &[b"h2", b"http/1.1"]);
        for cut in 0..records.len() {
            assert_eq!(read_hello(&records[..cut]), Ok(None), "{cut}");
        }
        let found = read_hello(&records).unwrap().expect("it is whole");
        assert_eq!(found.sni.as_deref(), Some("api.example.com"));
        let alpn: Vec<&[u8]> = found.alpn.iter().map(|name| &**name).collect();
        assert_eq!(alpn, [&b"h2"[..], b"http/1.1"]);
        let unnamed = read_hello(&hello("127.0.0.1", &[])).unwrap();
        assert_eq!(unnamed, Some(Hello::default()));
    }

    #[test]
    fn a_hello_may_be_spread_over_records() {
        let records = hello("a.example", &[]);
        let mut spread = vec![];
        for part in records[5..].chunks(100) {
            spread.extend_from_slice(&[22, 3, 1, 0, part.len().try_into().unwrap()]);
            spread.extend_from_slice(part);
        }
        let found = read_hello(&spread).unwrap().expect("it is whole");
        assert_eq!(found.sni.as_deref(), Some("a.example"));
        assert_eq!(read_hello(&spread[..210]), Ok(None));
    }

    #[test]
    fn what_is_no_hello_is_not_waited_for() {
        for plain in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"G",
            b"\x16\x02",
            b"\x80\x2e\x01",
        ] {
            assert_eq!(read_hello(plain), Err(HelloError::NotTls), "{plain:?}");
        }
        let mut server = hello("a.example", &[]);
        server[5] = 2;
        assert_eq!(read_hello(&server), Err(HelloError::Malformed));
        // 40,000 bytes, in a message of which each record is whole.
        let mut endless = vec![22, 3, 1, 0, 4, 1, 0, 0x9c, 0x40];
        while endless.len() < MAX_HELLO {
            endless.extend_from_slice(&[22, 3, 1, 0, 200]);
            endless.extend_from_slice(&[0; 200]);
        }
        assert_eq!(read_hello(&endless), Err(HelloError::TooLarge));
    }
}
