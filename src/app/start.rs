//! The start: everything that the gateway needs is opened and claimed before its threads run, or it does
//! not start at all.

use std::io;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::acme::Acme;
use crate::admin::{self, AdminSocket, ClaimError, Given, Port, Reloads};
use crate::config::{AccessLog, AdminListen, Finding, Loaded, Settings, Written};
use crate::limit::{Clock, LimitStore, StateFile};
use crate::logging::{OperatorLog, Sink, Target};
use crate::metrics::{Dropped, Metrics, ReloadOutcome};
use crate::pipeline::codes::CODES;
use crate::pipeline::names;
use crate::pipeline::snapshot::Snapshot;
use crate::server::{Claimed, Inherited, claim};
use crate::traces::Traces;
use crate::upstream::Registry;

use super::hand_over::{Predecessor, TakeOverError};
use super::keeper::{Keeper, restore};
use super::reload::{Reloader, now_ms};
use super::{Begun, Gateway, StartError, is_pretty};

/// A gateway that is ready to serve.
pub(super) struct Started {
    pub gateway: Arc<Gateway>,
    pub claimed: Claimed,
    pub admin: Vec<AdminSocket>,
    pub predecessor: Option<Predecessor>,
    pub reloader: Reloader,
    pub keeper: Option<Keeper>,
}

impl Started {
    /// Opens and claims what the gateway needs; what a predecessor hands over is taken from it.
    pub(super) fn new(
        begun: Begun,
        mut predecessor: Option<Predecessor>,
        loaded: Loaded,
        operator_log: Arc<OperatorLog>,
    ) -> Result<Self, StartError> {
        if let Some(predecessor) = &mut predecessor {
            predecessor.compare(&loaded.written, &begun.file)?;
        }
        let (settings, mut snapshot) = (loaded.settings, loaded.snapshot);
        log_start(&begun.file, &settings, &snapshot, &loaded.written);
        log_lints(&loaded.lints);
        let metrics = Arc::new(Metrics::new(CODES));
        let (access_log, pretty_access) = open_access_log(&settings, &metrics.dropped)?;
        let store = LimitStore::new(settings.max_keys, settings.redis.as_ref(), Clock::system());
        let store = Arc::new(store);
        let state = open_state(&settings, &store, predecessor.as_mut())?;
        let mut sockets = begun.sockets?;
        let admin = claim_admin(&settings, &mut sockets, predecessor.as_mut())?;
        let claimed = claim_all(&settings, sockets, predecessor.as_mut())?;
        let keep = |file: &Arc<_>| Keeper::start(Arc::clone(file), Arc::clone(&store));
        let keeper = state.as_ref().map(keep).transpose()?;
        let registry = Registry::default();
        registry.join(&mut snapshot.upstreams);
        let acme = Arc::new(Acme::new(settings.redis.clone()));
        snapshot.join_acme(&acme);
        metrics.keep(names(&snapshot, None));
        metrics.note_reload(ReloadOutcome::Ok, now_ms());
        let traces = Arc::new(Traces::new(Arc::clone(&metrics.dropped.spans)));
        traces.apply(snapshot.traces.as_ref());
        let written = Arc::new(loaded.written);
        let reloads = Reloads::new(Arc::clone(&written), &loaded.lints, Timestamp::now());
        let gateway = Arc::new(Gateway {
            file: begun.file,
            program: begun.program,
            settings,
            snapshots: watch::Sender::new(Arc::new(snapshot)),
            store,
            metrics,
            state,
            acme,
            drains: registry.drains(),
            circuits: registry.circuits(),
            reloads: Arc::new(reloads),
            traces,
            doorkeeper: Arc::default(),
            access_log,
            operator_log,
            pretty_access,
            tap: Arc::default(),
            recent: Arc::default(),
        });
        let reloader = Reloader {
            gateway: Arc::clone(&gateway),
            files: loaded.files,
            certificates: loaded.certificates,
            started: Arc::clone(&written),
            served: written,
            registry,
        };
        Ok(Self {
            gateway,
            claimed,
            admin,
            predecessor,
            reloader,
            keeper,
        })
    }
}

/// The first line of the log.
fn log_start(file: &Path, settings: &Settings, snapshot: &Snapshot, written: &Written) {
    let counters = match (&settings.redis, &settings.state_file) {
        (Some(redis), _) => format!("in Redis at {}", redis.target),
        (None, Some(file)) => format!("in this process, kept in {}", file.display()),
        (None, None) => "in this process".to_owned(),
    };
    let no_redis = if written.has_empty_redis() {
        " (`limits.redis.url` is empty)"
    } else {
        ""
    };
    tracing::info!(
        version = crate::VERSION,
        file = %file.display(),
        routes = snapshot.routes.routes().len(),
        upstreams = snapshot.upstreams.len(),
        clients = snapshot.access.clients.len(),
        limits = written.limits(),
        counters = format!("{counters}{no_redis}"),
        "starting"
    );
}

fn log_lints(lints: &[Finding]) {
    for lint in lints {
        tracing::warn!("{lint}");
    }
}

/// Makes the state file this process' own and reads it. A predecessor gives counters that are newer, and
/// the file's lock if it has it.
fn open_state(
    settings: &Settings,
    store: &LimitStore,
    predecessor: Option<&mut Predecessor>,
) -> Result<Option<Arc<StateFile>>, StartError> {
    let Some(path) = settings.state_file.as_deref() else {
        return Ok(None);
    };
    let opened = match predecessor {
        None => restore(path, store),
        Some(predecessor) => match predecessor.take_lock(path) {
            Some(lock) => StateFile::inherit(path, lock),
            None => StateFile::open(path),
        },
    };
    let file = path.to_owned();
    let opened = opened.map_err(|error| StartError::State { file, error })?;
    Ok(Some(Arc::new(opened)))
}

/// Opens the operator's own port, with the socket that systemd or a predecessor has for it.
fn claim_admin(
    settings: &Settings,
    sockets: &mut Vec<Inherited>,
    predecessor: Option<&mut Predecessor>,
) -> Result<Vec<AdminSocket>, ClaimError> {
    let mut given = predecessor.map_or_else(Vec::new, Predecessor::take_admin_sockets);
    let listen = &settings.admin_listen;
    for (port, listen) in [
        (Port::Admin, listen),
        (Port::Metrics, &settings.metrics_listen),
    ] {
        let AdminListen::Tcp(address) = listen else {
            continue;
        };
        let of_systemd = |it: &mut Inherited| it.of_systemd && it.configured == *address;
        given.extend(sockets.extract_if(.., of_systemd).map(|it| Given {
            name: port.at(listen),
            socket: it.socket.into(),
            accepted: false,
        }));
    }
    let admin = match admin::claim(Port::Admin, listen, &mut given) {
        // Nobody has asked for that port by name: it is no reason not to serve.
        Err(error) if *listen == AdminListen::DEFAULT => {
            tracing::warn!("no admin port: {error}");
            None
        }
        claimed => claimed?,
    };
    let metrics = admin::claim(Port::Metrics, &settings.metrics_listen, &mut given)?;
    Ok(admin.into_iter().chain(metrics).collect())
}

/// Claims all addresses, with the sockets that systemd or a predecessor has for them.
fn claim_all(
    settings: &Settings,
    mut sockets: Vec<Inherited>,
    predecessor: Option<&mut Predecessor>,
) -> Result<Claimed, StartError> {
    if let Some(predecessor) = predecessor {
        sockets.append(&mut predecessor.take_sockets());
    }
    let addresses: Vec<_> = settings.listen.iter().map(|it| it.address).collect();
    let listens = |socket: &&Inherited| addresses.contains(&socket.configured);
    let mut of_systemd = sockets.iter().filter(|socket| socket.of_systemd);
    if let Some(socket) = of_systemd.find(|socket| !listens(socket)) {
        let address = socket.configured;
        return Err(TakeOverError::Unlisted { address }.into());
    }
    Ok(claim(&addresses, sockets)?)
}

/// The access log, if there is one, and whether its lines are for people.
fn open_access_log(
    settings: &Settings,
    dropped: &Dropped,
) -> Result<(Option<Arc<Sink>>, bool), StartError> {
    let Some(target) = access_target(settings) else {
        return Ok((None, false));
    };
    let pretty = target == Target::Stdout && is_pretty(settings.log_format, &io::stdout());
    match Sink::start(target.clone(), Arc::clone(&dropped.lines)) {
        Ok(sink) => Ok((Some(sink), pretty)),
        Err(error) => Err(StartError::AccessLog { target, error }),
    }
}

pub(super) fn access_target(settings: &Settings) -> Option<Target> {
    match &settings.access_log {
        AccessLog::Off => None,
        AccessLog::Stdout => Some(Target::Stdout),
        AccessLog::File(path) => Some(Target::File(path.clone())),
    }
}
