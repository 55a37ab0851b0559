//! A TLS session, of a server or of a client: records in and out on one side, plain bytes on the other.
//! It is used through the unbuffered interface of rustls: records are read from, and written to,
//! buffers that are not the session's, so that a resting connection holds none.

use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    AppDataRecord, ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus,
    WriteTraffic,
};
use rustls::{ClientConfig, CommonState, Error, ServerConfig};

use crate::wire::input::Input;

/// What a record adds to its payload, at most, in any cipher suite (a header of 5 bytes, a nonce of 8, a
/// type, a tag of 16), and what the session may have to say itself beside it: an update of its keys.
const OVERHEAD: usize = 128;
/// The largest payload of a record (RFC 8446 section 5.1).
const LARGE_RECORD: usize = 16 * 1024;
/// Records are no larger than this while a message begins: its reader can use the first bytes after
/// three segments rather than after twelve.
const SMALL_RECORD: usize = 4 * 1024;
/// How much of a message goes in small records.
const BEGINNING: usize = 16 * 1024;

/// One end of a session.
pub(super) enum Session {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

/// Where a session stands once all records at hand have been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The handshake goes on when more has come.
    Handshake,
    /// Bytes can be sent.
    Open,
}

/// What came of one step of rustls.
enum Step {
    Again,
    PeerEnded,
    Rests(State),
}

/// Takes one step: the records of `incoming`, as far as they have been read, are consumed, and `$state`
/// is handled.
macro_rules! step {
    ($session:expr, $incoming:expr, |$state:ident, $more:ident| $handle:expr) => {
        match $session {
            Self::Server(session) => step!(@ session, $incoming, $state, $more, $handle),
            Self::Client(session) => step!(@ session, $incoming, $state, $more, $handle),
        }
    };
    (@ $session:expr, $incoming:expr, $state:ident, $more:ident, $handle:expr) => {{
        let UnbufferedStatus { discard, state: $state } =
            $session.process_tls_records($incoming.bytes_mut());
        let mut more = 0;
        let $more = &mut more;
        let handled = $handle;
        $incoming.consume(discard + more);
        handled
    }};
}

impl Session {
    pub(super) fn server(config: Arc<ServerConfig>) -> Result<Self, Error> {
        UnbufferedServerConnection::new(config).map(Self::Server)
    }

    pub(super) fn client(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Self, Error> {
        UnbufferedClientConnection::new(config, name).map(Self::Client)
    }

    /// What has been agreed upon.
    pub(super) fn agreed(&self) -> &CommonState {
        match self {
            Self::Server(session) => session,
            Self::Client(session) => session,
        }
    }

    /// Reads all whole records of `incoming`. What the peer has sent goes behind `plain`; what the session
    /// has to say goes behind `outgoing`, after an error the alert. `ended` is set once the peer has
    /// said that it sends no more.
    pub(super) fn read(
        &mut self,
        incoming: &mut Input,
        outgoing: &mut Vec<u8>,
        plain: &mut Vec<u8>,
        ended: &mut bool,
    ) -> Result<State, Error> {
        loop {
            match step!(self, incoming, |state, more| state
                .and_then(|state| handle(state, outgoing, plain, more)))
            {
                Ok(Step::Again) => {}
                Ok(Step::PeerEnded) => *ended = true,
                Ok(Step::Rests(state)) => return Ok(state),
                Err(error) => {
                    // What has been said before it follows, and then the alert, if there is one. What
                    // has come is not read again: rustls would find the same fault in it, and must not
                    // say so twice.
                    while self.agreed().wants_write()
                        && let Ok(Step::Again) = step!(self, incoming, |state, more| state
                            .and_then(|state| handle(state, outgoing, plain, more)))
                    {
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Encrypts all of `plain` behind `outgoing`; so much of its message was sent before.
    pub(super) fn write(
        &mut self,
        incoming: &mut Input,
        outgoing: &mut Vec<u8>,
        plain: &[u8],
        sent: usize,
    ) -> Result<(), EncryptError> {
        self.when_open(incoming, outgoing, |traffic, outgoing| {
            let (mut rest, mut sent) = (plain, sent);
            while !rest.is_empty() {
                let most = if sent < BEGINNING {
                    SMALL_RECORD
                } else {
                    LARGE_RECORD
                };
                let (record, later) = rest.split_at(most.min(rest.len()));
                put(outgoing, record.len(), |room| traffic.encrypt(record, room))?;
                sent += record.len();
                rest = later;
            }
            Ok(())
        })
    }

    /// Says that nothing more is sent.
    pub(super) fn end(
        &mut self,
        incoming: &mut Input,
        outgoing: &mut Vec<u8>,
    ) -> Result<(), EncryptError> {
        self.when_open(incoming, outgoing, |traffic, outgoing| {
            put(outgoing, 0, |room| traffic.end(room))
        })
    }

    /// Lets `work` write records, if the handshake is over and the session has not ended.
    fn when_open(
        &mut self,
        incoming: &mut Input,
        outgoing: &mut Vec<u8>,
        mut work: impl FnMut(&mut dyn Traffic, &mut Vec<u8>) -> Result<(), EncryptError>,
    ) -> Result<(), EncryptError> {
        loop {
            // All records were read before anything is written, so that there is nothing plain here.
            let mut plain = Vec::new();
            let written = step!(self, incoming, |state, more| match state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) =>
                    Some(work(&mut traffic, outgoing)),
                Ok(state) => match handle(state, outgoing, &mut plain, more) {
                    Ok(Step::Again | Step::PeerEnded) => None,
                    Ok(Step::Rests(_)) | Err(_) => Some(Err(EncryptError::EncryptExhausted)),
                },
                Err(_) => Some(Err(EncryptError::EncryptExhausted)),
            });
            if let Some(written) = written {
                return written;
            }
        }
    }
}

/// What can be sent in an open session, of a server or a client.
trait Traffic {
    fn encrypt(&mut self, plain: &[u8], room: &mut [u8]) -> Result<usize, EncryptError>;
    fn end(&mut self, room: &mut [u8]) -> Result<usize, EncryptError>;
}

impl<D> Traffic for WriteTraffic<'_, D> {
    fn encrypt(&mut self, plain: &[u8], room: &mut [u8]) -> Result<usize, EncryptError> {
        WriteTraffic::encrypt(self, plain, room)
    }

    fn end(&mut self, room: &mut [u8]) -> Result<usize, EncryptError> {
        self.queue_close_notify(room)
    }
}

/// Appends what `write` puts into the room that it is given, for a payload of `len` bytes or as much as it
/// then asks for.
fn put(
    outgoing: &mut Vec<u8>,
    len: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), EncryptError> {
    let start = outgoing.len();
    let mut room = len + OVERHEAD;
    loop {
        outgoing.resize(start + room, 0);
        match write(&mut outgoing[start..]) {
            Ok(written) => {
                outgoing.truncate(start + written);
                return Ok(());
            }
            Err(EncryptError::InsufficientSize(size)) if size.required_size > room => {
                room = size.required_size;
            }
            Err(error) => {
                outgoing.truncate(start);
                return Err(error);
            }
        }
    }
}

/// Does what a state asks for. Adds to `more` what is to be dropped of the records beyond what rustls has
/// said before.
fn handle<D>(
    state: ConnectionState<'_, '_, D>,
    outgoing: &mut Vec<u8>,
    plain: &mut Vec<u8>,
    more: &mut usize,
) -> Result<Step, Error> {
    Ok(match state {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                let AppDataRecord {
                    discard, payload, ..
                } = record?;
                plain.extend_from_slice(payload);
                *more += discard;
            }
            Step::Again
        }
        ConnectionState::EncodeTlsData(mut message) => {
            encode(&mut message, outgoing);
            Step::Again
        }
        // It is sent before anything that is written later.
        ConnectionState::TransmitTlsData(sent) => {
            sent.done();
            Step::Again
        }
        ConnectionState::PeerClosed => Step::PeerEnded,
        ConnectionState::WriteTraffic(_) | ConnectionState::Closed => Step::Rests(State::Open),
        // `BlockedHandshake`. Early data is not taken; rustls may have further states some day.
        _ => Step::Rests(State::Handshake),
    })
}

fn encode<D>(message: &mut EncodeTlsData<'_, D>, outgoing: &mut Vec<u8>) {
    let start = outgoing.len();
    let mut room = OVERHEAD;
    loop {
        outgoing.resize(start + room, 0);
        match message.encode(&mut outgoing[start..]) {
            Ok(written) => return outgoing.truncate(start + written),
            Err(EncodeError::InsufficientSize(size)) if size.required_size > room => {
                room = size.required_size;
            }
            Err(_) => return outgoing.truncate(start),
        }
    }
}
