//! The old gateway's side: the successor is started, given what it needs, and asked. Any failure before
//! it serves is undone here.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::channel::{Channel, Kind, Lost};
use super::predecessor::socket_text;
use super::program::Program;
use super::resting::{refuse_changes, rest};
use super::{VERSION, texts};
use crate::admin::{AdminSocket, Presence};
use crate::config::Texts;
use crate::limit::{LimitStore, Questions, StateFile};
use crate::metrics::{Metrics, Portion, since};
use crate::server::Listener;
use crate::upstream::{Circuits, Drains};

/// How long it may take for the counters, while requests wait.
const COUNTERS_WITHIN: Duration = Duration::from_secs(10);
/// How long one that has closed its end may take to end by itself, and so to say how.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What a gateway hands over.
#[derive(Debug)]
pub(in crate::app) struct Offer {
    pub program: Program,
    /// Every socket once.
    pub sockets: Vec<Listener>,
    pub admin: Vec<AdminSocket>,
    pub state: Option<Arc<StateFile>>,
    /// What the configuration was read from that is served.
    pub texts: Texts,
    pub store: Arc<LimitStore>,
    pub metrics: Arc<Metrics>,
    pub drains: Drains,
    pub circuits: Circuits,
    pub presence: watch::Sender<Presence>,
    /// How long the successor may take until it could serve.
    pub ready_within: Duration,
}

/// A hand-over that has begun.
#[derive(Debug)]
pub(in crate::app) struct UnderWay {
    channel: Arc<Channel>,
    given_up: Arc<AtomicBool>,
    /// The successor once it serves.
    done: oneshot::Receiver<Result<Heir, HandOverError>>,
}

/// A successor that serves.
#[derive(Debug)]
pub(in crate::app) struct Heir {
    /// Its process id.
    pub pid: u32,
    channel: Arc<Channel>,
    /// What it has got of what was counted for metrics.
    given: Vec<Portion>,
}

impl Heir {
    /// Gives it what has been counted since it got the last of that.
    pub(in crate::app) fn give_rest(&mut self, metrics: &Metrics) {
        let now = metrics.portions();
        let rest = since(now.clone(), &self.given);
        self.given = now;
        if let Err(lost) = self.channel.send_totals(&rest) {
            tracing::warn!(error = %lost, "the successor does not get what was counted here last");
        }
    }
}

/// Why a gateway has not handed over.
#[derive(Debug, thiserror::Error)]
pub(in crate::app) enum HandOverError {
    /// It cannot be started.
    #[error("{} cannot be started: {error}", .program.display())]
    Start { program: PathBuf, error: io::Error },
    /// It has ended, mostly for a reason that the log has.
    #[error("the successor ended before it could serve ({0})")]
    Ended(ExitStatus),
    /// It took too long.
    #[error("the successor took too long, and was ended")]
    Late,
    /// It has found what it must not take over.
    #[error("{0}")]
    Refused(String),
    /// It is to be ended itself.
    #[error("told to stop")]
    Stopped,
    /// It said something else than it should, or the system did not let us.
    #[error("the successor was ended: {0}")]
    Lost(Lost),
}

impl UnderWay {
    /// Starts to hand over, on a thread of its own.
    pub(in crate::app) fn begin(offer: Offer) -> io::Result<Self> {
        let (channel, end) = Channel::pair()?;
        let (channel, given_up) = (Arc::new(channel), Arc::default());
        let (is_done, done) = oneshot::channel();
        let under_way = Self {
            channel: Arc::clone(&channel),
            given_up: Arc::clone(&given_up),
            done,
        };
        let work = move || {
            let mut child = match offer.program.start(end) {
                Ok(child) => child,
                Err(error) => {
                    let program = offer.program.path().to_owned();
                    let _ = is_done.send(Err(HandOverError::Start { program, error }));
                    return;
                }
            };
            let pid = child.id();
            tracing::info!(successor = pid, program = %offer.program.path().display(), "handing over");
            let done = offer.hand_over(&channel);
            match done {
                Ok((questions, given)) => {
                    // Our sockets are to be closed by those who accept from them.
                    drop(offer);
                    // The gateway that waits for it may be gone.
                    let heir = Heir {
                        pid,
                        channel: Arc::clone(&channel),
                        given,
                    };
                    let _ = is_done.send(Ok(heir));
                    ask(questions, &channel);
                    // Until the successor ends, or this process.
                    let _ = child.wait();
                }
                Err(lost) => {
                    channel.close();
                    let stopped = given_up.load(Ordering::Relaxed);
                    // One that has closed its end may end by itself, and so say how.
                    let may_end = matches!(lost, Lost::Ended | Lost::Refused(_)) && !stopped;
                    let ended = end_of(&mut child, may_end);
                    offer.share_sockets(|_| false);
                    drop(offer);
                    let _ = is_done.send(Err(match (lost, ended) {
                        _ if stopped => HandOverError::Stopped,
                        (Lost::Ended, Some(status)) => HandOverError::Ended(status),
                        (Lost::Late, _) => HandOverError::Late,
                        (Lost::Refused(why), _) => HandOverError::Refused(why),
                        (lost, _) => HandOverError::Lost(lost),
                    }));
                }
            }
        };
        thread::Builder::new()
            .name("successor".into())
            .spawn(work)?;
        Ok(under_way)
    }

    /// Waits until the successor serves, or is found not to.
    pub(in crate::app) async fn done(&mut self) -> Result<Heir, HandOverError> {
        let gone = |_| Err(HandOverError::Lost(Lost::Ended));
        (&mut self.done).await.unwrap_or_else(gone)
    }

    /// Ends the successor, unless it serves already.
    pub(in crate::app) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.channel.close();
    }
}

impl Offer {
    /// Everything up to the moment from which the successor serves. What was ended here for that is
    /// resumed on any error.
    fn hand_over(&self, channel: &Channel) -> Result<(Questions, Vec<Portion>), Lost> {
        let deadline = Instant::now() + self.ready_within;
        channel.set_patience(self.ready_within)?;
        self.share_sockets(|_| true);
        self.send_files(channel)?;
        let taken = self.wait_until_ready(channel, deadline)?;
        let totals = self.metrics.portions();
        channel.send_totals(&totals)?;

        let file = self.state.as_deref().map(rest);
        let questions = self.store.move_out();
        channel.set_patience(COUNTERS_WITHIN)?;
        let given = self.store.give(|some| channel.send_counters(some));
        given.map_err(Lost::System)?;
        channel.send(Kind::AllCounters, b"")?;
        channel.expect(Kind::Taken)?;
        // What was counted meanwhile: from now on it is the successor who is asked.
        let now = self.metrics.portions();
        let mut news = since(now.clone(), &totals);
        // As late as can be: from here on an operator changes nothing.
        let no_changes = refuse_changes(&self.presence);
        news.extend(self.drains.drained().into_iter().map(Portion::drained));
        let standings = self.circuits.standings().into_iter();
        news.extend(standings.map(Portion::circuit));
        channel.send_totals(&news)?;
        let totals = now;
        // Before it serves: from then on nothing may be done to sockets that it has.
        self.share_sockets(|address| taken.contains(&address));
        channel.send(Kind::Serve, b"")?;
        if let Some(file) = file {
            file.keep();
        }
        no_changes.keep();
        Ok((questions, totals))
    }

    fn send_files(&self, channel: &Channel) -> Result<(), Lost> {
        channel.send(Kind::Hello, VERSION)?;
        for Listener { socket, on } in &self.sockets {
            let text = socket_text(on.configured, on.of_systemd);
            channel.send_file(Kind::Socket, text.as_bytes(), socket.as_fd())?;
        }
        for socket in &self.admin {
            let name = socket.name();
            channel.send_file(Kind::AdminSocket, name.as_bytes(), socket.as_fd())?;
        }
        if let Some(state) = &self.state {
            let path = std::path::absolute(state.path()).map_err(Lost::System)?;
            let path = path.as_os_str().as_bytes();
            channel.send_file(Kind::StateFile, path, state.lock())?;
        }
        channel.send(Kind::AllFiles, b"")
    }

    /// Waits until the successor could serve, and answers what it asks till then. Returns the addresses
    /// whose sockets it takes.
    fn wait_until_ready(
        &self,
        channel: &Channel,
        deadline: Instant,
    ) -> Result<Vec<SocketAddr>, Lost> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            channel.set_patience(left.max(Duration::from_millis(1)))?;
            let message = channel.receive()?;
            let text = || String::from_utf8_lossy(&message.text);
            match message.kind {
                Kind::AskTexts => texts::send(channel, &self.texts)?,
                Kind::Refused => return Err(Lost::Refused(text().into_owned())),
                Kind::Ready => {
                    let addresses = text();
                    let addresses = addresses.lines().filter_map(|line| line.parse().ok());
                    return Ok(addresses.collect());
                }
                _ => return Err(Lost::Odd),
            }
        }
    }

    fn share_sockets(&self, is_shared: impl Fn(SocketAddr) -> bool) {
        for Listener { on, .. } in &self.sockets {
            on.set_handed_over(is_shared(on.configured));
        }
    }
}

/// Lets the successor decide what is asked here. Counting goes on here if it ends first.
fn ask(mut questions: Questions, channel: &Channel) {
    while let Some(question) = questions.wait() {
        let asked = channel.send(Kind::Question, &question.text);
        match asked.and_then(|()| channel.expect(Kind::Answer)) {
            Ok(answer) => question.answer(answer),
            Err(lost) => {
                tracing::warn!(error = %lost, "the successor cannot be asked; counting by what was counted before");
                return;
            }
        }
    }
}

/// Ends the successor, unless it may and does so by itself, and says how it ended.
fn end_of(child: &mut Child, may_end: bool) -> Option<ExitStatus> {
    let deadline = Instant::now() + LAST_WORDS;
    while may_end && Instant::now() < deadline {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
    // It may have ended meanwhile.
    let _ = child.kill();
    child.wait().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Clock;
    use crate::upstream::Registry;

    /// Hands over to a shell that runs these words, with the channel as its standard input and output.
    fn hand_over(
        words: &str,
    ) -> (
        Result<Heir, HandOverError>,
        Presence,
        Arc<StateFile>,
        tempfile::TempDir,
    ) {
        let presence = watch::Sender::new(Presence::Here);
        let folder = tempfile::tempdir().unwrap();
        let state = Arc::new(StateFile::open(&folder.path().join("limits")).unwrap());
        let mut under_way = UnderWay::begin(Offer {
            program: Program::shell(words),
            sockets: Vec::new(),
            admin: Vec::new(),
            state: Some(Arc::clone(&state)),
            texts: Texts::default(),
            store: Arc::new(LimitStore::new(10, None, Clock::system())),
            metrics: Arc::new(Metrics::new(&[])),
            drains: Registry::default().drains(),
            circuits: Registry::default().circuits(),
            presence: presence.clone(),
            ready_within: Duration::from_millis(300),
        })
        .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let done = runtime.unwrap().block_on(under_way.done());
        let presence = *presence.borrow();
        (done, presence, state, folder)
    }

    fn writes(state: &StateFile, folder: &tempfile::TempDir) -> bool {
        let store = LimitStore::new(10, None, Clock::system());
        state.save(&store).unwrap();
        folder.path().join("limits").exists()
    }

    #[test]
    fn whatever_a_successor_does_before_it_serves_is_undone() {
        for (words, expected) in [
            ("exit 3", "before it could serve (exit status: 3)"),
            ("exec sleep 60", "took too long"),
            (
                "printf R >&0; exit 4",
                "before it could serve (exit status: 4)",
            ),
            ("printf T >&0; exec sleep 60", "not say what was expected"),
            ("printf B >&0; printf Uwhy >&0; exec cat >/dev/null", "why"),
            (
                "printf RT >&0; printf S >&0; exec sleep 60",
                "not say what was expected",
            ),
        ] {
            let (done, presence, state, folder) = hand_over(words);
            let error = done.unwrap_err().to_string();
            assert_eq!(presence, Presence::Here, "{words}");
            assert!(error.contains(expected), "{words}: {error}");
            assert!(writes(&state, &folder), "{words}");
        }
    }

    #[test]
    fn the_file_is_the_successors_once_it_serves_and_so_is_what_operators_change() {
        // Each `printf` is a message of its own.
        let (done, presence, state, folder) = hand_over("printf R >&0; printf T >&0; exec sleep 1");
        done.unwrap();
        assert_eq!(presence, Presence::HandingOver);
        assert!(!writes(&state, &folder));
    }
}
