//! Certificates while they are served. Their files are watched, and a pair is taken once it fits together
//! and is valid; until then the one before it is shown on. That one expires soon is logged once a day.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use crate::config::{CannotUse, CertificateFiles, Watch};
use crate::tls::{Certificate, ClientAuthorities, ServerTls, Source};

use super::if_any;

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
    /// What cannot be taken.
    unfit: HashMap<Part, Unfit>,
    looked: Instant,
    /// When to say again what expires soon.
    next_day: Instant,
}

/// Files that are taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    /// The pair at this place.
    Pair(usize),
    /// The authorities of clients.
    Authorities,
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
        let has_files = !files.pairs().is_empty() || files.authorities().is_some();
        let tls = tls.filter(|_| has_files)?;
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
        let look_again = self.look_again().map(sleep_until);
        tokio::select! {
            () = self.watch.changed() => Due::Look,
            () = if_any(look_again) => Due::Look,
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

    /// Reads all files, and takes what is new and fits.
    fn look(&mut self) {
        self.looked = Instant::now();
        let read = self.files.read_again(Timestamp::now());
        let served = self.tls.certificates();
        for (at, read) in read.pairs.into_iter().enumerate() {
            let source = Source::Files(at);
            match read {
                Ok(certificate) => {
                    self.unfit.remove(&Part::Pair(at));
                    let old = served.get(&source);
                    if old.is_none_or(|old| !old.is(&certificate)) {
                        self.take(at, &certificate, old);
                    }
                }
                Err(wrong) => self.leave(Part::Pair(at), &wrong),
            }
        }
        match read.authorities {
            None => {}
            Some(Ok(authorities)) => {
                self.unfit.remove(&Part::Authorities);
                self.take_authorities(authorities);
            }
            Some(Err(wrong)) => self.leave(Part::Authorities, &[wrong]),
        }
        self.watch.follow(self.files.files().clone());
    }

    fn take(&self, at: usize, certificate: &Certificate, old: Option<&Arc<Certificate>>) {
        self.tls.install(Source::Files(at), certificate.clone());
        let lost = old.map(|old| lost_names(old, &self.tls));
        log_taken(&self.files, at, certificate, &lost.unwrap_or_default());
        self.warn_of(at, certificate, Timestamp::now());
    }

    fn take_authorities(&self, authorities: ClientAuthorities) {
        let Some(client_auth) = self.tls.client_auth() else {
            return;
        };
        if !client_auth.authorities().are(&authorities) {
            client_auth.install(authorities);
            log_authorities(&self.files, &client_auth.authorities());
            self.warn_of_authorities(Timestamp::now());
        }
    }

    /// Keeps the one before, and says so if that is not just for a moment. Each reason is logged once.
    fn leave(&mut self, part: Part, wrong: &[CannotUse]) {
        let unfit = self.unfit.entry(part).or_insert_with(|| Unfit {
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
        match part {
            Part::Pair(at) => {
                let cert = self.files.pairs()[at].cert.display();
                let help = wrong.first().and_then(CannotUse::remedy);
                tracing::error!(%cert, help, "certificate not replaced; the one before it is shown on: {reasons}");
            }
            Part::Authorities => tracing::error!(
                "authorities of clients not replaced; those before are believed on: {reasons}"
            ),
        }
        unfit.logged = Some(reasons);
    }

    fn warn_of_expiry(&self) {
        let now = Timestamp::now();
        for (source, certificate) in self.tls.certificates() {
            if let Source::Files(at) = source {
                self.warn_of(at, &certificate, now);
            }
        }
        self.warn_of_authorities(now);
    }

    fn warn_of(&self, at: usize, certificate: &Certificate, now: Timestamp) {
        let pair = self.files.pairs().get(at);
        if let (Some(expiry), Some(pair)) = (certificate.expiry(now), pair) {
            tracing::warn!(cert = %pair.cert.display(), "{expiry}");
        }
    }

    fn warn_of_authorities(&self, now: Timestamp) {
        if let Some(client_auth) = self.tls.client_auth() {
            for expiry in client_auth.authorities().expiry(now) {
                tracing::warn!("{expiry}");
            }
        }
    }
}

/// The names of a certificate of before for which there is none now.
pub(super) fn lost_names<'c>(old: &'c Certificate, now: &ServerTls) -> Vec<&'c str> {
    let names = old.names.iter().map(String::as_str);
    names.filter(|name| !now.is_for(name)).collect()
}

/// Logs that another certificate is shown from now on, and which names have none any more.
pub(super) fn log_taken(
    files: &CertificateFiles,
    at: usize,
    certificate: &Certificate,
    lost: &[&str],
) {
    let cert = files.pairs().get(at).map(|pair| pair.cert.display());
    tracing::info!(
        event = "certificate",
        cert = cert.as_ref().map(tracing::field::display),
        names = certificate.names.join(" "),
        not_after = %certificate.not_after,
        "certificate replaced"
    );
    if !lost.is_empty() {
        tracing::warn!(
            cert = cert.as_ref().map(tracing::field::display),
            lost = lost.join(" "),
            "the new certificate lacks names of the one before, and no other has them: clients that ask for them are shown a certificate of other names"
        );
    }
}

/// Logs whose certificates clients may show from now on.
pub(super) fn log_authorities(files: &CertificateFiles, authorities: &ClientAuthorities) {
    let ca = files.authorities().map(|path| path.display());
    tracing::info!(
        event = "certificate",
        ca = ca.map(tracing::field::display),
        authorities = authorities.subjects().collect::<Vec<_>>().join("; "),
        "authorities of clients replaced"
    );
}
