//! What the admin port sees of the gateway: shared values that others write.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::acme::Acme;
use crate::limit::{LimitStore, StateFile};
use crate::logging::{Events, LogLevel, Sink, Tap};
use crate::metrics::Metrics;
use crate::metrics::recent::Recent;
use crate::pipeline::snapshot::Snapshot;
use crate::server::Phase;
use crate::tls::Certificate;
use crate::traces::Traces;

use super::access::Doorkeeper;
use super::exposition::Scrapes;
use super::live::Live;
use super::reloads::Reloads;

/// What the admin port works on.
#[derive(Debug)]
pub struct View {
    /// What is served; a reload swaps it.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Where in its life the gateway is.
    pub phase: watch::Receiver<Phase>,
    /// Certificates that come by themselves.
    pub acme: Arc<Acme>,
    /// Requests of late.
    pub recent: Arc<Recent>,
    /// Where access lines can be followed.
    pub tap: Arc<Tap>,
    /// Whether this process answers operators; answers without an end end with that.
    pub presence: watch::Receiver<Presence>,
    /// What the gateway counts.
    pub metrics: Arc<Metrics>,
    /// Who collects that.
    pub scrapes: Scrapes,
    /// Where spans go.
    pub traces: Arc<Traces>,
    /// What Redis is shown, if it is shown one.
    pub redis_certificate: Option<Arc<Certificate>>,
    /// Where requests are counted for their limits.
    pub store: Arc<LimitStore>,
    /// Absent: there is no access log.
    pub access_log: Option<Arc<Sink>>,
    /// Where counters are kept; absent: nowhere.
    pub state: Option<Arc<StateFile>>,
    /// Who has logged in.
    pub doorkeeper: Arc<Doorkeeper>,
    /// The last lines of the operator's log.
    pub events: Arc<Events>,
    /// The configuration.
    pub file: PathBuf,
    /// When the process began.
    pub started: Timestamp,
    /// What was counted, second by second, and who watches.
    pub live: Live,
    /// The configuration in force, and what came of the last reload.
    pub reloads: Arc<Reloads>,
    /// That of the operator's log.
    pub log_level: LogLevel,
}

/// Who answers on the operator's ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// This process.
    Here,
    /// This process still, but a successor has been told what was changed here, and would not hear of more.
    HandingOver,
    /// A successor. What was accepted before is still answered.
    HandedOver,
    /// Nobody: the process ends.
    Ended,
}

impl Presence {
    fn has_left(self) -> bool {
        matches!(self, Self::HandedOver | Self::Ended)
    }
}

/// Waits until this process is to accept nothing any more.
pub(super) async fn leaves(presence: &mut watch::Receiver<Presence>) {
    // Its sender lives as long as the process.
    let _ = presence.wait_for(|it| it.has_left()).await;
}
