//! The successor's side: what it gets from the gateway before it, and the requests that it decides for
//! that one until it ends.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::stdio::dup2_stdin;
use tokio::sync::oneshot;

use super::channel::{Channel, Kind, Lost, Message};
use super::{PREDECESSOR, TELLS_TEXTS, TakeOverError, VERSION, texts};
use crate::admin::Given;
use crate::config::{self, Change, Written, changes_at_start};
use crate::limit::LimitStore;
use crate::memory;
use crate::metrics::{Metrics, Portion};
use crate::server::Inherited;
use crate::upstream::{Circuits, Drains};

/// How long the first messages may take, which are there before this process is.
const FIRST_MESSAGES: Duration = Duration::from_secs(10);
/// How long the old gateway may take for anything later: a disk may hold up its last copy. It ends this
/// process when it has waited enough itself.
const LATER_MESSAGES: Duration = Duration::from_hours(1);

/// The gateway that hands over to this process.
#[derive(Debug)]
pub(in crate::app) struct Predecessor {
    channel: Channel,
    sockets: Vec<Inherited>,
    admin: Vec<Given>,
    state: Option<(PathBuf, File)>,
    /// Whether it can be asked what its configuration was read from.
    tells_texts: bool,
    /// The addresses of its sockets.
    listened: Vec<SocketAddr>,
    /// What differs from what it has served.
    changes: Vec<Change>,
}

/// What goes on from where the old gateway was.
#[derive(Debug)]
pub(in crate::app) struct Totals {
    pub metrics: Arc<Metrics>,
    pub drains: Drains,
    pub circuits: Circuits,
}

/// A hand-over that this process has begun to take.
#[derive(Debug)]
pub(in crate::app) struct TakeOver {
    serve: Option<oneshot::Receiver<Result<usize, TakeOverError>>>,
    ended: oneshot::Receiver<()>,
    /// What differs from what the old gateway has served, to be said once this one serves.
    pub changes: Vec<Change>,
    /// The addresses that are not listened on any more.
    pub closed: Vec<SocketAddr>,
}

/// What the old gateway lets us know.
#[derive(Debug)]
pub(in crate::app) enum Heard {
    /// This process is to serve, with so many counters; or why it never will.
    Serve(Result<usize, TakeOverError>),
    /// The old gateway asks nothing any more.
    Ended,
}

impl TakeOver {
    /// Waits for what is next.
    pub(in crate::app) async fn heard(&mut self) -> Heard {
        if let Some(serve) = &mut self.serve {
            let said = serve.await;
            self.serve = None;
            return Heard::Serve(said.unwrap_or(Err(TakeOverError::GivenUp)));
        }
        // Nothing is ever said: the other side is dropped.
        let _ = (&mut self.ended).await;
        Heard::Ended
    }
}

impl Predecessor {
    /// Takes what the gateway before this one hands over at once, if there is one.
    pub(in crate::app) fn meet() -> Result<Option<Self>, TakeOverError> {
        let Some(predecessor) = std::env::var_os(PREDECESSOR) else {
            return Ok(None);
        };
        let nobody = |_: io::Error| TakeOverError::Nobody;
        let stdin = io::stdin();
        let end = stdin.as_fd().try_clone_to_owned().map_err(nobody)?;
        let channel = Channel::inherited(end);
        // For whatever reads it later; and when we close our end, the other is to notice.
        let nothing = File::open("/dev/null").map_err(nobody)?;
        dup2_stdin(nothing).map_err(|errno| nobody(errno.into()))?;
        channel
            .set_patience(FIRST_MESSAGES)
            .map_err(|_| TakeOverError::Nobody)?;
        let mut words = predecessor.as_bytes().split(|byte| *byte == b' ');
        let tells_texts = words.any(|word| word == TELLS_TEXTS.as_bytes());
        Self::get(channel, tells_texts).map(Some)
    }

    fn get(channel: Channel, tells_texts: bool) -> Result<Self, TakeOverError> {
        if channel.expect(Kind::Hello)? != VERSION {
            return Err(TakeOverError::Version);
        }
        let mut met = Self {
            channel,
            sockets: Vec::new(),
            admin: Vec::new(),
            state: None,
            tells_texts,
            listened: Vec::new(),
            changes: Vec::new(),
        };
        loop {
            let Message { kind, text, file } = met.channel.receive()?;
            match (kind, file) {
                (Kind::Socket, Some(file)) => {
                    let socket = TcpListener::from(file);
                    let (configured, of_systemd) =
                        read_socket(&text).ok_or(TakeOverError::Version)?;
                    met.listened.push(configured);
                    met.sockets.push(Inherited {
                        socket,
                        configured,
                        of_systemd,
                    });
                }
                (Kind::AdminSocket, Some(socket)) => {
                    let name = String::from_utf8(text).map_err(|_| TakeOverError::Version)?;
                    met.admin.push(Given {
                        name,
                        socket,
                        accepted: true,
                    });
                }
                (Kind::StateFile, Some(file)) => {
                    let path = std::ffi::OsString::from_vec(text).into();
                    met.state = Some((path, file.into()));
                }
                (Kind::AllFiles, None) => return Ok(met),
                _ => return Err(TakeOverError::Version),
            }
        }
    }

    /// Compares what this process is to serve with what the old one serves. If something is gone that nobody
    /// takes away like this, the old one is told, says so, and serves on.
    pub(in crate::app) fn compare(
        &mut self,
        now: &Written,
        main: &Path,
    ) -> Result<(), TakeOverError> {
        if !self.tells_texts {
            return Ok(());
        }
        self.channel.send(Kind::AskTexts, b"")?;
        let texts = texts::receive(&self.channel)?;
        let Some(before) = config::read_texts(&texts, &config::environment) else {
            return Ok(());
        };
        if let Some((what, file)) = now.emptied(&before) {
            let file = file.unwrap_or(main).display();
            let why = format!("there are no {what} in {file}");
            self.channel.send(Kind::Refused, why.as_bytes())?;
            return Err(TakeOverError::Refused);
        }
        self.changes = changes_at_start(&before, now);
        drop(before);
        memory::give_back();
        Ok(())
    }

    /// The listening sockets, once.
    pub(in crate::app) fn take_sockets(&mut self) -> Vec<Inherited> {
        std::mem::take(&mut self.sockets)
    }

    /// The operator's listening sockets, once.
    pub(in crate::app) fn take_admin_sockets(&mut self) -> Vec<Given> {
        std::mem::take(&mut self.admin)
    }

    /// The lock of this state file, if it was that of the old gateway.
    pub(in crate::app) fn take_lock(&mut self, path: &Path) -> Option<File> {
        let (its, lock) = self.state.take()?;
        let same = std::path::absolute(path).is_ok_and(|path| path == its);
        same.then_some(lock)
    }

    /// Says that this process could serve with the sockets of these addresses, and takes the counters;
    /// then decides what the old gateway asks until that ends. On a thread of its own.
    pub(in crate::app) fn take_over(
        self,
        taken: &[SocketAddr],
        store: Arc<LimitStore>,
        totals: Totals,
    ) -> io::Result<TakeOver> {
        let (can_serve, serve) = oneshot::channel();
        let (has_ended, ended) = oneshot::channel();
        let mut closed = self.listened;
        closed.retain(|address| !taken.contains(address));
        closed.sort_unstable();
        closed.dedup();
        let changes = self.changes;
        let taken: Vec<_> = taken.iter().map(SocketAddr::to_string).collect();
        let channel = self.channel;
        let work = move || {
            let done = take_counters(&channel, &taken.join("\n"), &store, &totals);
            let serves = done.is_ok();
            // Nobody may wait any more.
            let _ = can_serve.send(done);
            if serves {
                answer(&channel, &store, &totals);
            }
            drop(has_ended);
        };
        thread::Builder::new()
            .name("predecessor".into())
            .spawn(work)?;
        Ok(TakeOver {
            serve: Some(serve),
            ended,
            changes,
            closed,
        })
    }
}

fn take_counters(
    channel: &Channel,
    taken: &str,
    store: &LimitStore,
    totals: &Totals,
) -> Result<usize, TakeOverError> {
    channel.set_patience(LATER_MESSAGES)?;
    channel.send(Kind::Ready, taken.as_bytes())?;
    totals.take(channel)?;
    let mut given = channel.counters();
    let taken = store.take(&mut given);
    let counters = taken.map_err(|error| TakeOverError::Lost(error.to_string()))?;
    // Up to what says that it is the end.
    io::copy(&mut given, &mut io::sink()).map_err(|_| TakeOverError::GivenUp)?;
    drop(given);
    channel.send(Kind::Taken, b"")?;
    totals.take(channel)?;
    channel.expect(Kind::Serve)?;
    Ok(counters)
}

impl Totals {
    /// Goes on from what the old gateway says so far.
    fn take(&self, channel: &Channel) -> Result<(), TakeOverError> {
        loop {
            let message = channel.receive()?;
            match message.kind {
                Kind::Total => self.take_one(&message),
                Kind::AllTotals => return Ok(()),
                _ => return Err(TakeOverError::Version),
            }
        }
    }

    /// Goes on from a part of it.
    fn take_one(&self, message: &Message) {
        let Some(portion) = Portion::from_bytes(&message.text) else {
            return;
        };
        if let Some((name, for_time)) = portion.as_drained() {
            self.drains.drain(name, for_time);
        } else if let Some((name, standing)) = portion.as_circuit() {
            self.circuits.resume(name, &standing);
        } else {
            self.metrics.take_in(&portion);
        }
    }
}

/// Decides until the old gateway has ended, and takes what it has counted since.
fn answer(channel: &Channel, store: &LimitStore, totals: &Totals) {
    loop {
        let question = match channel.receive() {
            Ok(message) if message.kind == Kind::Question => message.text,
            Ok(message) if message.kind == Kind::Total => {
                totals.take_one(&message);
                continue;
            }
            Ok(message) if message.kind == Kind::AllTotals => continue,
            // There is none for now.
            Err(Lost::Late) => continue,
            Ok(_) | Err(_) => return,
        };
        // One that makes no sense ends the conversation, and the old gateway decides by itself.
        let Some(answer) = store.answer(&question) else {
            return;
        };
        if channel.send(Kind::Answer, &answer).is_err() {
            return;
        }
    }
}

/// `systemd 127.0.0.1:3000` or `own 127.0.0.1:0`.
pub(super) fn socket_text(configured: SocketAddr, of_systemd: bool) -> String {
    let whose = if of_systemd { "systemd" } else { "own" };
    format!("{whose} {configured}")
}

fn read_socket(text: &[u8]) -> Option<(SocketAddr, bool)> {
    let (whose, address) = std::str::from_utf8(text).ok()?.split_once(' ')?;
    Some((address.parse().ok()?, whose == "systemd"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Format;

    #[test]
    fn a_gateway_of_before_there_were_texts_is_not_asked_for_them() {
        let (old, end) = Channel::pair().unwrap();
        old.send(Kind::Hello, VERSION).unwrap();
        old.send(Kind::AllFiles, b"").unwrap();
        let mut met = Predecessor::get(Channel::inherited(end), false).unwrap();
        let no_file = |_: &Path| unreachable!();
        let empty = config::parse("", "", Format::Toml, &config::environment, &no_file);
        let main = Path::new("tollgate.toml");
        met.compare(&empty.unwrap().written, main).unwrap();
        assert!(met.changes.is_empty());
        old.set_patience(Duration::from_millis(1)).unwrap();
        assert!(matches!(old.receive(), Err(Lost::Late)));
    }
}
