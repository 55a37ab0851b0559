//! TLS with an endpoint: what its handshakes go by, and how one can fail. All of it belongs to making a
//! connection: a request on a kept one sees nothing of it.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, InvalidMessage, PeerIncompatible,
};
use tokio::time::{Instant, timeout_at};

use crate::tls::ClientTls;
use crate::wire::buffers::Buffers;
use crate::wire::stream::Connection;
use crate::wire::tls::HandshakeError;

/// How many names of a wrong certificate are told.
const MOST_NAMES: usize = 5;

/// How an endpoint is spoken to through TLS.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointTls {
    /// What its upstream says.
    pub tls: Arc<ClientTls>,
    /// The name that its certificate has to be for.
    pub name: ServerName<'static>,
}

/// Why TLS with an endpoint could not be begun. The text is for the log, not for the client.
#[derive(Debug)]
pub enum TlsError {
    /// The handshake has failed.
    Handshake(HandshakeError),
    /// It was not done within what connecting may take.
    TimedOut(Duration),
}

/// The same, as far as failures are told apart by a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFault {
    /// The time of a certificate is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// It is for other names.
    WrongName,
    /// No authority that is trusted has signed it.
    UnknownIssuer,
    /// Something else is wrong with it.
    Certificate,
    /// The service does not accept what the gateway has said.
    Refused,
    /// The two have no version or cipher in common, or the service does not speak TLS.
    Protocol,
    /// The service has ended the connection.
    Ended,
    /// It took too long.
    TimedOut,
}

impl EndpointTls {
    /// Goes on in TLS on a connection that has just been made, behind what is put in clear before it, or
    /// fails when `patience` is over, which began at `begun`.
    pub(super) async fn begin(
        &self,
        mut connection: Connection,
        config: &Arc<ClientConfig>,
        (begun, patience): (Instant, Duration),
        before: impl FnOnce(&mut Vec<u8>),
        buffers: &Buffers,
    ) -> Result<Connection, TlsError> {
        let mut first = Vec::new();
        before(&mut first);
        let handshake = async {
            let mut left = &first[..];
            while !left.is_empty() {
                let written = poll_fn(|cx| connection.poll_write(cx, buffers, left)).await;
                left = &left[written.map_err(|_| HandshakeError::Left)?..];
            }
            let (config, name) = (Arc::clone(config), self.name.clone());
            connection.connect_tls(config, name, buffers).await
        };
        match timeout_at(begun + patience, handshake).await {
            Ok(done) => done.map_err(TlsError::Handshake),
            Err(_) => Err(TlsError::TimedOut(patience)),
        }
    }
}

impl TlsError {
    /// What the service says by an alert.
    pub fn refused(alert: AlertDescription) -> Self {
        Self::Handshake(Error::AlertReceived(alert).into())
    }

    /// Whether the service speaks none of the protocols that it was offered (RFC 7301 section 3.2).
    pub(super) fn is_of_protocol(&self) -> bool {
        let alert = Error::AlertReceived(AlertDescription::NoApplicationProtocol);
        matches!(self, Self::Handshake(HandshakeError::Tls(error)) if *error == alert)
    }

    /// What kind of failure it is.
    pub fn fault(&self) -> TlsFault {
        use CertificateError as C;
        let error = match self {
            Self::TimedOut(_) => return TlsFault::TimedOut,
            Self::Handshake(HandshakeError::Left) => return TlsFault::Ended,
            Self::Handshake(HandshakeError::Tls(error)) => error,
        };
        match error {
            Error::InvalidCertificate(why) => match why {
                C::Expired | C::ExpiredContext { .. } => TlsFault::Expired,
                C::NotValidYet | C::NotValidYetContext { .. } => TlsFault::NotYetValid,
                C::NotValidForName | C::NotValidForNameContext { .. } => TlsFault::WrongName,
                C::UnknownIssuer => TlsFault::UnknownIssuer,
                _ => TlsFault::Certificate,
            },
            Error::NoCertificatesPresented => TlsFault::Certificate,
            Error::AlertReceived(_) => TlsFault::Refused,
            _ => TlsFault::Protocol,
        }
    }
}

impl TlsFault {
    /// What the log calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Expired => "tls_certificate_expired",
            Self::NotYetValid => "tls_certificate_not_yet_valid",
            Self::WrongName => "tls_wrong_name",
            Self::UnknownIssuer => "tls_unknown_issuer",
            Self::Certificate => "tls_bad_certificate",
            Self::Refused => "tls_refused",
            Self::Protocol => "tls_protocol",
            Self::Ended => "tls_ended",
            Self::TimedOut => "tls_timeout",
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut(patience) => write!(
                f,
                "the handshake was not done within connect_timeout = {patience:?}"
            ),
            Self::Handshake(HandshakeError::Left) => {
                f.write_str("the service ended the connection during the handshake")
            }
            Self::Handshake(HandshakeError::Tls(error)) => put_error(f, error),
        }
    }
}

impl std::error::Error for TlsError {}

fn put_error(f: &mut fmt::Formatter<'_>, error: &Error) -> fmt::Result {
    match error {
        Error::InvalidCertificate(why) => put_certificate(f, why),
        Error::NoCertificatesPresented => f.write_str("the service shows no certificate"),
        Error::AlertReceived(alert) => {
            let why = refused(*alert);
            write!(f, "the service refused TLS: {why} ({alert:?})")
        }
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            f.write_str("the service speaks neither TLS 1.2 nor TLS 1.3")
        }
        Error::PeerIncompatible(why) => {
            write!(f, "the two have no way of TLS in common ({why:?})")
        }
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => f.write_str(
            "the service does not speak TLS on this port: write `http://`, or its other port",
        ),
        other => write!(f, "the service did not keep to TLS: {other}"),
    }
}

/// What is wrong with a service's certificate.
fn put_certificate(f: &mut fmt::Formatter<'_>, why: &CertificateError) -> fmt::Result {
    use CertificateError as C;
    match why {
        C::ExpiredContext { not_after, .. } => {
            write!(f, "the service's certificate has expired, at {}", At(*not_after))
        }
        C::NotValidYetContext { not_before, .. } => {
            write!(f, "the service's certificate is not valid before {}", At(*not_before))
        }
        C::NotValidForNameContext {
            expected,
            presented,
        } => {
            let expected = expected.to_str();
            let names: Vec<String> = presented.iter().take(MOST_NAMES).map(|it| name(it)).collect();
            match (&names[..], presented.len() - names.len()) {
                ([], _) => write!(f, "the service's certificate has no names, so none is `{expected}`"),
                (names, 0) => write!(
                    f,
                    "the service's certificate is for {}, and not for `{expected}`",
                    names.join(", ")
                ),
                (names, more) => write!(
                    f,
                    "the service's certificate is for {} and {more} more, and not for `{expected}`",
                    names.join(", ")
                ),
            }
        }
        C::UnknownIssuer => f.write_str(
            "the service's certificate is signed by nobody who is trusted: `tls.ca` names a file with the authority to trust",
        ),
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => {
            f.write_str("the service's certificate is not for servers")
        }
        // webpki says it in this way, of an authority that is not listed itself.
        C::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => f.write_str(
            "the service's certificate is that of an authority: add it to the file of `tls.ca` to trust it for itself",
        ),
        other => write!(f, "the service's certificate cannot be accepted: {other}"),
    }
}

/// Why a service has refused a handshake, by its alert.
fn refused(alert: AlertDescription) -> &'static str {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired => "it asks for a client certificate (`tls.cert` and `tls.key`)",
        A::HandshakeFailure => "there is no cipher in common, or it asks for a client certificate",
        A::ProtocolVersion | A::InsufficientSecurity => "it speaks neither TLS 1.2 nor TLS 1.3",
        A::BadCertificate
        | A::UnsupportedCertificate
        | A::CertificateRevoked
        | A::CertificateExpired
        | A::CertificateUnknown
        | A::UnknownCA
        | A::AccessDenied => "it does not accept the client certificate",
        A::UnrecognisedName => {
            "it does not know the name that it was asked for (`tls.server_name`)"
        }
        A::NoApplicationProtocol => "it does not speak HTTP/1.1",
        _ => "it gives this reason",
    }
}

/// A name of a certificate, which comes as `DnsName("a.test")` or `IpAddress(127.0.0.1)`.
fn name(presented: &str) -> String {
    let inner = presented
        .split_once('(')
        .and_then(|(_, it)| it.strip_suffix(')'));
    format!("`{}`", inner.unwrap_or(presented).trim_matches('"'))
}

/// A moment as the log has it.
struct At(UnixTime);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = i64::try_from(self.0.as_secs()).unwrap_or(i64::MAX);
        match Timestamp::from_second(seconds) {
            Ok(moment) => moment.fmt(f),
            Err(_) => f.write_str("a time beyond the year 9999"),
        }
    }
}
