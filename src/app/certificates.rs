//! Certificates while they are served. Their files are watched, and a pair is taken once it fits together
//! and is valid; until then the one before it is shown on. That one expires soon is logged once a day.

use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use crate::config::{CannotUse, CertificateFiles, Watch};
use crate::tls::{Certificate, ServerTls, Source};

/// For so long a pair may be unfit before that is logged: whoever replaces two files may do so one after
/// the other.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a pair that is unfit is looked at although its files do not change: a certificate may become
/// valid.
const LOOK_AGAIN: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// The certificates that are served, and their files.
pub(super) struct Certificates {
    tls: Arc<ServerTls>,
    files: CertificateFiles,
    watch: Watch,
    /// Pairs that cannot be taken, by their place.
    unfit: HashMap<usize, Unfit>,
    looked: Instant,
    /// When to say again what expires soon.
    next_day: Instant,
}

struct Unfit {
    since: Instant,
    /// What has been logged of it.
    logged: Option<String>,
}

/// Why it is time to do something.
#[derive(Debug, Clone, Copy)]
pub(super) enum Due {
    /// Files have changed, or one that was unfit may be fit by now.
    Look,
    /// A day is over.
    Day,
}

impl Certificates {
    /// Watches the files of certificates that have just been read; `None` if there are none.
    pub(super) fn watch(tls: Option<Arc<ServerTls>>, files: CertificateFiles) -> Option<Self> {
        let tls = tls.filter(|_| !files.pairs().is_empty())?;
        Some(Self {
            tls,
            watch: Watch::start(files.files().clone()),
            files,
            unfit: HashMap::new(),
            looked: Instant::now(),
            next_day: Instant::now() + DAY,
        })
    }

    /// Waits until there is something to be done. May be dropped and called again at any time.
    pub(super) async fn due(&mut self) -> Due {
        let look_again = self.look_again();
        let look_again = async {
            match look_again {
                Some(then) => sleep_until(then).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = self.watch.changed() => Due::Look,
            () = look_again => Due::Look,
            () = sleep_until(self.next_day) => Due::Day,
        }
    }

    /// When to look at the files although they have not changed.
    fn look_again(&self) -> Option<Instant> {
        let of_one = |unfit: &Unfit| match unfit.logged {
            None => unfit.since + PATIENCE,
            Some(_) => self.looked + LOOK_AGAIN,
        };
        self.unfit.values().map(of_one).min()
    }

    /// Does it.
    pub(super) fn act(&mut self, due: Due) {
        match due {
            Due::Look => self.look(),
            Due::Day => {
                self.next_day = Instant::now() + DAY;
                self.warn_of_expiry();
            }
        }
    }

    /// Reads all pairs, and takes those that are new and fit.
    fn look(&mut self) {
        self.looked = Instant::now();
        let read = self.files.read_again(Timestamp::now());
        let served = self.tls.certificates();
        for (at, read) in read.into_iter().enumerate() {
            let Some(read) = read else { continue };
            let source = Source::Files(at);
            match read {
                Ok(certificate) => {
                    self.unfit.remove(&at);
                    let is_new = served.get(&source).is_none_or(|old| !old.is(&certificate));
                    if is_new {
                        self.take(at, source, certificate);
                    }
                }
                Err(wrong) => self.leave(at, &wrong),
            }
        }
        self.watch.follow(self.files.files().clone());
    }

    fn take(&self, at: usize, source: Source, certificate: Certificate) {
        log_taken(&self.files, at, &certificate);
        self.tls.install(source, certificate);
    }

    /// Keeps the one before, and says so if that is not just for a moment. Each reason is logged once.
    fn leave(&mut self, at: usize, wrong: &[CannotUse]) {
        let unfit = self.unfit.entry(at).or_insert_with(|| Unfit {
            since: Instant::now(),
            logged: None,
        });
        if unfit.since.elapsed() < PATIENCE {
            return;
        }
        let reasons: Vec<_> = wrong.iter().map(ToString::to_string).collect();
        let reasons = reasons.join("; ");
        if unfit.logged.as_ref() == Some(&reasons) {
            return;
        }
        let cert = self.files.pairs()[at].cert.display();
        let help = wrong.first().and_then(CannotUse::remedy);
        tracing::error!(%cert, help, "certificate not replaced; the one before it is shown on: {reasons}");
        unfit.logged = Some(reasons);
    }

    fn warn_of_expiry(&self) {
        let now = Timestamp::now();
        for (source, certificate) in self.tls.certificates() {
            let Source::Files(at) = source else { continue };
            let pair = self.files.pairs().get(at);
            if let (Some(expiry), Some(pair)) = (certificate.expiry(now), pair) {
                tracing::warn!(cert = %pair.cert.display(), "{expiry}");
            }
        }
    }
}

/// Logs that another certificate is shown from now on.
pub(super) fn log_taken(files: &CertificateFiles, at: usize, certificate: &Certificate) {
    let cert = files.pairs().get(at).map(|pair| pair.cert.display());
    tracing::info!(
        cert = cert.map(tracing::field::display),
        names = certificate.names.join(" "),
        not_after = %certificate.not_after,
        "certificate replaced"
    );
}

/// Waits until there is something to be done with certificates; for ever if there are none.
pub(super) async fn due(certificates: &mut Option<Certificates>) -> Due {
    match certificates {
        Some(certificates) => certificates.due().await,
        None => pending().await,
    }
}
