//! Reloads as operators see them: one is asked for and heard of, and what came of the last one is kept, with
//! what was wrong and what has changed. The thread of reloads writes here; nothing of the configuration but what
//! messages have of it is kept.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::{Notify, oneshot};

use crate::config::{Change, Finding, Problems, Written};
use crate::lock::lock;

/// How many findings are kept of a file.
const MOST_FINDINGS: usize = 100;

/// What has been loaded, and who waits for the next reload.
#[derive(Debug)]
pub struct Reloads {
    wanted: Notify,
    times_asked: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    waiting: Vec<Waiting>,
    in_force: Arc<InForce>,
}

/// Somebody who waits for what comes of a reload.
type Waiting = oneshot::Sender<Arc<InForce>>;

/// The configuration in force, and what came of the last reload.
#[derive(Clone)]
pub struct InForce {
    /// How often a configuration has come into force; 1 at the start.
    pub generation: u64,
    /// When this one has.
    pub loaded: Timestamp,
    /// What it says.
    pub written: Arc<Written>,
    /// What it has changed.
    pub changes: Vec<Change>,
    /// What came of the last reload, or of the start.
    pub last: Last,
}

/// What came of a reload.
#[derive(Debug, Clone, Serialize)]
pub struct Last {
    /// In a word.
    pub outcome: Outcome,
    /// When.
    #[serde(serialize_with = "as_text")]
    pub time: Timestamp,
    /// What is wrong with the file, or odd.
    pub findings: Vec<Shown>,
    /// Why it was refused, in short.
    #[serde(skip)]
    pub refused: Option<String>,
}

/// What came of a reload, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was the start.
    Started,
    /// What the file says is in force.
    Reloaded,
    /// What was in force is in force still.
    Refused,
}

/// A finding as a reader sees it.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// What, and where.
    #[serde(flatten)]
    pub finding: Finding,
    /// With the lines of the file and a caret.
    pub rendered: String,
}

/// What a reload has come to, to be kept.
pub struct Done {
    waiting: Vec<Waiting>,
}

impl Reloads {
    /// Of a gateway that has been started with this configuration.
    pub fn new(written: Arc<Written>, odd: &[Finding], now: Timestamp) -> Self {
        let last = Last {
            outcome: Outcome::Started,
            time: now,
            findings: shown(odd),
            refused: None,
        };
        Self {
            wanted: Notify::new(),
            times_asked: AtomicU64::new(0),
            state: Mutex::new(State {
                waiting: Vec::new(),
                in_force: Arc::new(InForce {
                    generation: 1,
                    loaded: now,
                    written,
                    changes: Vec::new(),
                    last,
                }),
            }),
        }
    }

    /// What is in force.
    pub fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&lock(&self.state).in_force)
    }

    /// Asks for a reload.
    pub fn ask(&self) {
        self.times_asked.fetch_add(1, Ordering::SeqCst);
        self.wanted.notify_one();
    }

    /// How often one has been asked for. Files that were read before this last changed may be read anew since.
    pub fn times_asked(&self) -> u64 {
        self.times_asked.load(Ordering::SeqCst)
    }

    /// Asks for a reload, and hears what came of it. One that has begun already does not count: it may have
    /// read the file before.
    pub fn ask_and_hear(&self) -> oneshot::Receiver<Arc<InForce>> {
        let (sender, outcome) = oneshot::channel();
        lock(&self.state).waiting.push(sender);
        self.ask();
        outcome
    }

    /// Waits until somebody asks.
    pub async fn asked(&self) {
        self.wanted.notified().await;
    }

    /// A reload begins; whoever has asked before hears of it.
    pub fn begin(&self) -> Done {
        Done {
            waiting: mem::take(&mut lock(&self.state).waiting),
        }
    }

    /// Another configuration is in force.
    pub fn reloaded(
        &self,
        done: Done,
        written: Arc<Written>,
        changes: Vec<Change>,
        odd: &[Finding],
    ) {
        let now = Timestamp::now();
        let generation = self.in_force().generation + 1;
        self.end(
            done,
            InForce {
                generation,
                loaded: now,
                written,
                changes,
                last: Last {
                    outcome: Outcome::Reloaded,
                    time: now,
                    findings: shown(odd),
                    refused: None,
                },
            },
        );
    }

    /// The file was refused, for it has problems; `why` is them in short.
    pub fn refused(&self, done: Done, problems: &Problems, why: String) {
        let all = problems.shown().take(MOST_FINDINGS);
        let all = all.map(|(finding, rendered)| Shown { finding, rendered });
        self.refused_for(done, all.collect(), why);
    }

    /// There was another reason.
    pub fn refused_with(&self, done: Done, why: &Finding) {
        self.refused_for(done, shown(std::slice::from_ref(why)), why.to_string());
    }

    fn refused_for(&self, done: Done, findings: Vec<Shown>, why: String) {
        let last = Last {
            outcome: Outcome::Refused,
            time: Timestamp::now(),
            findings,
            refused: Some(why),
        };
        let before = InForce::clone(&self.in_force());
        self.end(done, InForce { last, ..before });
    }

    fn end(&self, done: Done, in_force: InForce) {
        let in_force = Arc::new(in_force);
        lock(&self.state).in_force = Arc::clone(&in_force);
        for waiting in done.waiting {
            // They may not wait any more.
            let _ = waiting.send(Arc::clone(&in_force));
        }
    }
}

impl fmt::Debug for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InForce")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

fn shown(findings: &[Finding]) -> Vec<Shown> {
    let shown = |finding: &Finding| Shown {
        rendered: finding.to_string(),
        finding: finding.clone(),
    };
    findings.iter().take(MOST_FINDINGS).map(shown).collect()
}

fn as_text<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}
