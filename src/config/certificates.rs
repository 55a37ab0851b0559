//! The files of certificates, once they are served: which there are, and what they hold now.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::disk::{self, Holds, ReadFiles, Unreadable};
use super::file::{CertificateKeys, File};
use super::source::At;
use crate::tls::{Certificate, ClientAuthorities, Fault, Half, Purpose};

/// The files of all certificates.
#[derive(Debug, Clone, Default)]
pub struct CertificateFiles {
    pairs: Vec<PairFiles>,
    /// The authorities of clients.
    authorities: Option<PathBuf>,
    read: ReadFiles,
}

/// What the files hold now, or all that is wrong.
pub struct ReadAgain {
    /// The pairs, in the order of the configuration.
    pub pairs: Vec<PairRead>,
    /// The authorities of clients, if clients are asked for certificates.
    pub authorities: Option<Result<ClientAuthorities, CannotUse>>,
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
        let client_auth = file.tls.client_auth.as_ref();
        Self {
            pairs,
            authorities: client_auth.map(|keys| keys.ca.path.clone()),
            read,
        }
    }

    /// The pairs, in the order of the configuration.
    pub fn pairs(&self) -> &[PairFiles] {
        &self.pairs
    }

    /// All files, and what they held when they were read.
    pub fn files(&self) -> &ReadFiles {
        &self.read
    }

    /// The file of the authorities of clients.
    pub fn authorities(&self) -> Option<&Path> {
        self.authorities.as_deref()
    }

    /// Reads all files again.
    pub fn read_again(&mut self, now: Timestamp) -> ReadAgain {
        let mut read = ReadFiles::default();
        let pairs = self.pairs.iter().map(|pair| pair.read(&mut read, now));
        let pairs = pairs.collect();
        let authorities = self.authorities.as_deref();
        let authorities = authorities.map(|path| authorities_in(path, &mut read));
        self.read = read;
        ReadAgain { pairs, authorities }
    }
}

fn authorities_in(path: &Path, files: &mut ReadFiles) -> Result<ClientAuthorities, CannotUse> {
    let text = files.read(path, Holds::Certificate, disk::read);
    let text = text.map_err(|why| CannotUse::new(path, Half::Cert, why))?;
    ClientAuthorities::read(&text).map_err(|fault| CannotUse::Unfit {
        file: path.to_owned(),
        fault,
    })
}

/// A certificate, or all that is wrong with its files.
pub type PairRead = Result<Certificate, Vec<CannotUse>>;

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
    fn read(&self, files: &mut ReadFiles, now: Timestamp) -> PairRead {
        let mut wrong = Vec::new();
        let mut text = |path: &Path, half| {
            let text = files.read(path, Holds::Certificate, disk::read);
            text.map_err(|why| wrong.push(CannotUse::new(path, half, why)))
                .ok()
        };
        let (cert, key) = (text(&self.cert, Half::Cert), text(&self.key, Half::Key));
        let read = Certificate::read(cert.as_deref(), key.as_deref(), Purpose::Server, now);
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
            Unreadable::NotUtf8 { form, .. } => Self::Unfit {
                file,
                fault: Fault::OtherForm(half, form),
            },
            why => Self::Unreadable { file, why },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let missing = folder.path().join("missing");
        let pair = |cert: &Path| PairFiles {
            cert: cert.to_owned(),
            key: missing.clone(),
        };
        let mut files = CertificateFiles {
            pairs: vec![pair(&pipe), pair(&missing)],
            authorities: Some(pipe.clone()),
            read: ReadFiles::default(),
        };
        let read = files.read_again(Timestamp::now());
        let said = |wrong: &[CannotUse]| wrong.iter().map(ToString::to_string).collect::<String>();
        let wrong = read.pairs[0].as_ref().unwrap_err();
        assert!(
            said(wrong).contains("it is a pipe or a device"),
            "{wrong:?}"
        );
        let wrong = [read.authorities.unwrap().unwrap_err()];
        assert!(
            said(&wrong).contains("it is a pipe or a device"),
            "{wrong:?}"
        );
        let wrong = read.pairs[1].as_ref().unwrap_err();
        assert_eq!(wrong.len(), 2, "{wrong:?}");
    }
}
