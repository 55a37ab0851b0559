//! The files of certificates, once they are served: which there are, and what they hold now.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::disk::{self, ReadFiles, Unreadable};
use super::file::{CertificateKeys, File};
use super::source::At;
use crate::tls::{Certificate, Fault, Half};

/// The files of all certificates.
#[derive(Debug, Clone, Default)]
pub struct CertificateFiles {
    pairs: Vec<PairFiles>,
    read: ReadFiles,
}

/// The two files of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairFiles {
    /// That of the certificate.
    pub cert: PathBuf,
    /// That of its key.
    pub key: PathBuf,
}

impl CertificateFiles {
    /// Those that a file names, as they were read.
    pub(super) fn of(file: &File, read: ReadFiles) -> Self {
        let pair = |keys: &At<CertificateKeys>| PairFiles {
            cert: keys.cert.path.clone(),
            key: keys.key.path.clone(),
        };
        let pairs = file.tls.certificates.iter().map(pair).collect();
        Self { pairs, read }
    }

    /// The pairs, in the order of the configuration.
    #[must_use]
    pub fn pairs(&self) -> &[PairFiles] {
        &self.pairs
    }

    /// All files, and what they held when they were read.
    #[must_use]
    pub fn files(&self) -> &ReadFiles {
        &self.read
    }

    /// Reads all files again. Of each pair there is a certificate, or all that is wrong.
    pub fn read_again(&mut self, now: Timestamp) -> Vec<Result<Certificate, Vec<CannotUse>>> {
        self.read = ReadFiles::default();
        let pairs = self.pairs.iter();
        pairs.map(|pair| pair.read(&mut self.read, now)).collect()
    }
}

/// Why a pair cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CannotUse {
    /// The file is not to be had.
    #[error("cannot read `{}`: {why}", file.display())]
    Unreadable {
        /// Which one.
        file: PathBuf,
        /// Why.
        why: Unreadable,
    },
    /// It is no good.
    #[error("`{}`: {fault}", file.display())]
    Unfit {
        /// Which one.
        file: PathBuf,
        /// Why.
        fault: Fault,
    },
}

impl PairFiles {
    fn read(&self, files: &mut ReadFiles, now: Timestamp) -> Result<Certificate, Vec<CannotUse>> {
        let mut wrong = Vec::new();
        let mut text = |path: &Path, half| {
            let text = files.read_certificate(path, disk::read);
            text.map_err(|why| wrong.push(CannotUse::new(path, half, why)))
                .ok()
        };
        let (cert, key) = (text(&self.cert, Half::Cert), text(&self.key, Half::Key));
        let read = Certificate::read(cert.as_deref(), key.as_deref(), now);
        read.map_err(|faults| {
            let unfit = |fault: Fault| CannotUse::Unfit {
                file: self.half(fault.half()).clone(),
                fault,
            };
            wrong.extend(faults.into_iter().map(unfit));
            wrong
        })
    }

    fn half(&self, half: Half) -> &PathBuf {
        match half {
            Half::Cert => &self.cert,
            Half::Key => &self.key,
        }
    }
}

impl CannotUse {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Unreadable { .. } => None,
            Self::Unfit { fault, .. } => Some(fault.remedy()),
        }
    }

    /// Says of a file that it cannot be read. Binary content is most likely another form of the same.
    fn new(file: &Path, half: Half, why: Unreadable) -> Self {
        let file = file.to_owned();
        match why {
            Unreadable::NotUtf8 { .. } => Self::Unfit {
                file,
                fault: Fault::NotText(half),
            },
            why => Self::Unreadable { file, why },
        }
    }
}
