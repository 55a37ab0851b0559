//! Whether a connection that rests can be used again: tickets and new keys that have come meanwhile are
//! the session's own, and anything else is not.

use std::io::{self, Read};
use std::task::{Context, Waker};

use socket2::SockRef;

use crate::wire::input::Input;

use super::TlsStream;

/// Room for what a server sends behind a handshake: two tickets.
const TICKETS: usize = 2048;

impl TlsStream {
    /// Whether nothing has come that concerns more than the session: its tickets and new keys do not.
    /// What else has come goes to `plain`. With `ask_kernel` the kernel is asked although the runtime
    /// has not been told of anything.
    pub(in crate::wire) fn is_silent(&mut self, ask_kernel: bool, plain: &mut Vec<u8>) -> bool {
        if self.has_ended() || self.is_within_record() {
            return false;
        }
        let mut cx = Context::from_waker(Waker::noop());
        if !ask_kernel && self.socket.poll_read_ready(&mut cx).is_pending() {
            return true;
        }
        self.reads_tickets_only(ask_kernel, plain)
    }

    /// Reads what has come; whether that was nothing, or of the session alone.
    #[cold]
    fn reads_tickets_only(&mut self, ask_kernel: bool, plain: &mut Vec<u8>) -> bool {
        let mut room = [0; TICKETS];
        loop {
            let read = if ask_kernel {
                let socket = SockRef::from(&self.socket);
                (&*socket).read(&mut room)
            } else {
                self.socket.try_read(&mut room)
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return !self.is_within_record();
                }
                Ok(0) | Err(_) => return false,
                Ok(read) => self.incoming.put(&room[..read]),
            }
            if self.read_records(plain).is_err() || self.peer_ended || !plain.is_empty() {
                return false;
            }
            if self.incoming.is_empty() {
                self.incoming = Input::default();
            }
        }
    }
}
