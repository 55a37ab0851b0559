//! Reads configuration files, and says clearly why one cannot be read.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use memchr::memchr_iter;
use sha2::{Digest as _, Sha256};

/// No configuration is larger; what is, is another file given by mistake.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Why a file cannot be read as a configuration.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is not there.
    #[error("there is no such file")]
    Missing,
    /// It is no file.
    #[error("it is a directory")]
    Directory,
    /// It is too large to be a configuration.
    #[error("it is larger than 16 MiB")]
    TooLarge,
    /// It is no text.
    #[error("it is not UTF-8: see line {line}")]
    NotUtf8 {
        /// The first line that is not, from 1.
        line: usize,
    },
    /// The system does not let us.
    #[error("{0}")]
    System(io::Error),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::IsADirectory => Self::Directory,
            _ => Self::System(error),
        }
    }
}

/// Reads a file whole.
pub(super) fn read(path: &Path) -> Result<String, Unreadable> {
    String::from_utf8(bytes(path)?).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = memchr_iter(b'\n', good).count() + 1;
        Unreadable::NotUtf8 { line }
    })
}

fn bytes(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Unreadable::TooLarge);
    }
    Ok(bytes)
}

/// The files that a configuration was read from, and what they held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadFiles {
    /// With the digest of each file's content, or nothing if it could not be read.
    list: Vec<(PathBuf, Option<Digest>)>,
}

type Digest = [u8; 32];

impl ReadFiles {
    /// Their paths, in the order in which they were read.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.list.iter().map(|(path, _)| path.as_path())
    }

    /// Notes what a file held.
    pub(super) fn note(&mut self, path: PathBuf, text: Option<&str>) {
        let digest = text.map(|text| Sha256::digest(text).into());
        self.list.push((path, digest));
    }

    /// The same files, and what they hold now.
    pub(super) fn again(&self) -> Self {
        let again = |path: &Path| bytes(path).ok().map(|bytes| Sha256::digest(bytes).into());
        Self {
            list: self
                .paths()
                .map(|path| (path.to_owned(), again(path)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_cannot_be_read_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let why = || read(&file).unwrap_err().to_string();

        assert_eq!(why(), "there is no such file");
        fs::write(&file, b"a = 1\nb = \"\xff\"\n").unwrap();
        assert_eq!(why(), "it is not UTF-8: see line 2");
        File::create(&file).unwrap().set_len(LARGEST + 1).unwrap();
        assert_eq!(why(), "it is larger than 16 MiB");
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert_eq!(why(), "it is a directory");
    }
}
