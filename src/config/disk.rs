//! Reads configuration files, and says clearly why one cannot be read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use memchr::memchr_iter;
use sha2::{Digest as _, Sha256};

use crate::tls::Form;

use super::pipe;

/// No configuration is larger; what is, is another file given by mistake.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Why a file cannot be read as a configuration.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is not there.
    #[error("there is no such file")]
    Missing,
    /// It is no file.
    #[error("it is a directory: name a file in it")]
    Directory,
    /// Reading it may last for ever, or give its content once only.
    #[error("it is a pipe or a device: name a file, which is read again when it changes")]
    NotRegular,
    /// It belongs to somebody else.
    #[error("permission denied: let the user that runs tollgate read it, and enter its folders")]
    Denied,
    /// It is too large to be a configuration.
    #[error("it is larger than 16 MiB")]
    TooLarge,
    /// It is no text.
    #[error("{}", not_utf8(*line, *form))]
    NotUtf8 {
        /// The first line that is not, from 1.
        line: usize,
        /// What it is, if it was to be a certificate or a key.
        form: Form,
    },
    /// The system does not let us.
    #[error("{0}")]
    System(io::Error),
}

fn not_utf8(line: usize, form: Form) -> String {
    match form {
        Form::Utf16 => format!("it is {form}: save it as UTF-8"),
        _ => format!("it is not UTF-8: see line {line}"),
    }
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::IsADirectory => Self::Directory,
            io::ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::System(error),
        }
    }
}

/// Reads a file whole. A pipe is waited for while it stands there; what takes its place is read instead.
pub(super) fn read(path: &Path) -> Result<String, Unreadable> {
    while is_pipe(path) {
        if let Some(pipe) = pipe::written_to(path)? {
            return text(all_of(pipe)?);
        }
    }
    text(all_of(File::open(path)?)?)
}

fn is_pipe(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}

/// Why a file cannot be read, as far as that shows without reading it.
pub fn unreadable(path: &Path) -> Option<Unreadable> {
    match fs::metadata(path) {
        Err(error) => Some(error.into()),
        Ok(found) if found.is_dir() => Some(Unreadable::Directory),
        // Whoever opens a pipe may wait for ever.
        Ok(found) if found.is_file() => File::open(path).err().map(Unreadable::from),
        Ok(_) => None,
    }
}

fn text(bytes: Vec<u8>) -> Result<String, Unreadable> {
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = memchr_iter(b'\n', good).count() + 1;
        let form = Form::of(error.as_bytes());
        Unreadable::NotUtf8 { line, form }
    })
}

/// Whether this stands for standard input.
pub fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// Reads standard input to its end.
pub(super) fn read_stdin() -> Result<String, Unreadable> {
    text(all_of(io::stdin().lock())?)
}

fn all_of(reader: impl Read) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::new();
    reader.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Unreadable::TooLarge);
    }
    Ok(bytes)
}

/// The files that a configuration was read from, and what they held.
#[derive(Debug, Clone, Default)]
pub struct ReadFiles {
    list: Vec<ReadFile>,
}

#[derive(Debug, Clone)]
struct ReadFile {
    path: PathBuf,
    /// Of one, or of its key.
    of_certificate: bool,
    /// From before it was read; absent if there was no file.
    stamp: Option<Stamp>,
    /// Of its content; absent if it could not be read.
    digest: Option<[u8; 32]>,
}

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// The configuration, which may come through a pipe.
    Keys,
    /// Keys in a file that the configuration names.
    MoreKeys,
    /// Something in PEM that is read anew with the configuration alone.
    Pem,
    /// A certificate that is served, its key, or authorities of clients.
    Certificate,
}

/// What shows that a file is another one or was written to, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    is_regular: bool,
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl ReadFiles {
    /// Their paths, in the order in which they were read.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.list.iter().map(|file| file.path.as_path())
    }

    /// Reads a file, and keeps in mind what it held.
    pub(super) fn read(
        &mut self,
        path: &Path,
        holds: Holds,
        disk: impl FnOnce(&Path) -> Result<String, Unreadable>,
    ) -> Result<String, Unreadable> {
        let stamp = Stamp::of(path);
        let text = match fs::metadata(path) {
            // Whoever opens a pipe may wait for ever.
            Ok(it) if holds != Holds::Keys && !it.is_file() && !it.is_dir() => {
                Err(Unreadable::NotRegular)
            }
            // Why it cannot be read is seen when it is.
            _ => disk(path),
        };
        let digest = text.as_ref().ok().map(|text| Sha256::digest(text).into());
        self.list.push(ReadFile {
            path: path.to_owned(),
            of_certificate: holds == Holds::Certificate,
            stamp,
            digest,
        });
        text
    }

    /// Takes out those of certificates, which are watched apart once they are served.
    pub(super) fn take_certificates(&mut self) -> Self {
        let certificates = self.list.extract_if(.., |file| file.of_certificate);
        Self {
            list: certificates.collect(),
        }
    }

    /// Looks at the files again. Only those that look different are read.
    pub(super) fn again(&self) -> Self {
        Self {
            list: self.list.iter().map(ReadFile::again).collect(),
        }
    }

    /// Whether the files hold the same.
    pub(super) fn hold_the_same(&self, other: &Self) -> bool {
        let own = self.list.iter().map(|file| file.digest);
        own.eq(other.list.iter().map(|file| file.digest))
    }
}

impl ReadFile {
    fn again(&self) -> Self {
        let stamp = Stamp::of(&self.path);
        let digest = match stamp {
            None => None,
            // A pipe gives its content once, and whoever opens it may wait for ever.
            Some(stamp) if !stamp.is_regular => self.digest,
            Some(stamp) if self.stamp == Some(stamp) && stamp.is_reliable() => self.digest,
            Some(_) => {
                let bytes = File::open(&self.path).map_err(Unreadable::from);
                let bytes = bytes.and_then(all_of).ok();
                bytes.map(|bytes| Sha256::digest(bytes).into())
            }
        };
        Self {
            path: self.path.clone(),
            of_certificate: self.of_certificate,
            stamp,
            digest,
        }
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self {
            is_regular: metadata.is_file(),
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Whether another write would have given another stamp: file systems count time in steps of up
    /// to two seconds.
    fn is_reliable(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_secs().cast_signed());
        self.modified.0 + 2 < now
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::OpenOptionsExt as _;

    use super::*;

    #[test]
    fn a_pipe_is_not_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let mut files = ReadFiles::default();
        let _ = files.read(&pipe, Holds::Keys, |_| Ok("given once".to_owned()));
        assert!(files.again().hold_the_same(&files));
        fs::remove_file(&pipe).unwrap();
        assert!(!files.again().hold_the_same(&files));
        fs::write(&pipe, "given once").unwrap();
        assert!(files.again().hold_the_same(&files));
    }

    #[test]
    fn what_takes_the_place_of_a_pipe_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let [pipe, other] = ["pipe", "other"].map(|name| folder.path().join(name));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let read = std::thread::spawn({
            let pipe = pipe.clone();
            move || read(&pipe)
        });
        // Once somebody can write to it without waiting, it is read.
        let mut nonblocking = fs::OpenOptions::new();
        nonblocking.write(true).custom_flags(0o4000);
        let written = loop {
            if let Ok(written) = nonblocking.open(&pipe) {
                break written;
            }
            assert!(!read.is_finished(), "it has not waited");
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        fs::write(&other, "new").unwrap();
        fs::rename(&other, &pipe).unwrap();
        assert_eq!(read.join().unwrap().unwrap(), "new");
        drop(written);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let why = || read(&file).unwrap_err().to_string();

        assert_eq!(why(), "there is no such file");
        fs::write(&file, b"a = 1\nb = \"\xff\"\n").unwrap();
        assert_eq!(why(), "it is not UTF-8: see line 2");
        // What `>` of PowerShell writes.
        fs::write(&file, b"\xff\xfea\0=\x001\0").unwrap();
        assert_eq!(
            why(),
            "it is text in UTF-16, as Windows writes it, not in UTF-8: save it as UTF-8"
        );
        File::create(&file).unwrap().set_len(LARGEST + 1).unwrap();
        assert_eq!(why(), "it is larger than 16 MiB");
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        assert_eq!(why(), "it is a directory: name a file in it");
        let denied = Unreadable::from(io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(denied.to_string().starts_with("permission denied: let "));
    }
}
