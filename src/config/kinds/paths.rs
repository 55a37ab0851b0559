//! Paths of files, and what the files hold. Relative ones start at the folder of the configuration.

use std::path::{Path, PathBuf};

use crate::config::disk::{Holds, Unreadable};
use crate::config::keys::{Form, Kind, Shown, Wrong, read_at};
use crate::config::private;
use crate::config::reading::Reading;
use crate::config::settings::AccessLog;
use crate::config::source::At;
use crate::config::tree::{Format, Value};

/// A path.
pub(in crate::config) struct FilePath(pub PathBuf);

/// The path of a file, and the part of the configuration that stands in it.
pub(in crate::config) struct InFile<T> {
    pub path: PathBuf,
    pub content: T,
    /// How many entries were in it, once they have been taken out.
    pub entries: usize,
}

/// The path of a file in PEM, and the text in it or why there is none. What is wrong with it is reported
/// together with all that is wrong with the certificate or the key.
pub(in crate::config) struct PemFile {
    pub path: PathBuf,
    pub text: Result<String, Unreadable>,
}

/// The same, of a file that is read anew with the configuration alone.
pub(in crate::config) struct ReloadedPem(pub PemFile);

impl<T: Kind> Kind for InFile<T> {
    fn form() -> Form {
        Form::not_empty("the path of a file")
    }

    fn read(written: &mut At<Value>, path: &str, reading: &mut Reading<'_>) -> Result<Self, Wrong> {
        let FilePath(path) = FilePath::read(written, path, reading)?;
        let text = reading.file_named_at(&path, written.span);
        let text = text.ok_or(Wrong::Reported)?;
        let tree = reading.tree(&path.to_string_lossy(), &text, Format::of(&path));
        let content = tree.and_then(|mut tree| read_at::<T>(&mut tree, "", reading));
        let content = content.ok_or(Wrong::Reported)?.value;
        Ok(Self {
            path,
            content,
            entries: 0,
        })
    }

    fn shown(&self) -> Shown {
        shown(&self.path)
    }
}

impl Kind for FilePath {
    fn form() -> Form {
        Form::not_empty("a path")
    }

    fn read(written: &mut At<Value>, _: &str, reading: &mut Reading<'_>) -> Result<Self, Wrong> {
        match &written.value {
            Value::Text(text) if text.is_empty() => Err(Wrong::Text("this is empty".to_owned())),
            Value::Text(text) if text.contains('\0') => {
                Err(Wrong::Text("a path has no NUL in it".to_owned()))
            }
            Value::Text(text) => Ok(Self(reading.path(text))),
            _ => Err(Wrong::Kind),
        }
    }

    fn shown(&self) -> Shown {
        shown(&self.0)
    }
}

impl Kind for ReloadedPem {
    fn form() -> Form {
        PemFile::form()
    }

    fn read(written: &mut At<Value>, path: &str, reading: &mut Reading<'_>) -> Result<Self, Wrong> {
        let path = path_of_pem(written, path, reading)?;
        let text = reading.file(&path, Holds::Pem);
        Ok(Self(PemFile { path, text }))
    }

    fn shown(&self) -> Shown {
        shown_with_content(&self.0.path, self.0.text.as_deref().ok())
    }
}

impl Kind for PemFile {
    fn form() -> Form {
        Form::not_empty("the path of a file in PEM")
    }

    fn read(written: &mut At<Value>, path: &str, reading: &mut Reading<'_>) -> Result<Self, Wrong> {
        let path = path_of_pem(written, path, reading)?;
        let text = reading.file(&path, Holds::Certificate);
        Ok(Self { path, text })
    }

    /// What it holds changes without a reload, too, and is logged of the certificate.
    fn shown(&self) -> Shown {
        shown(&self.path)
    }
}

/// Reads the path of a file in PEM. Its text in the place of the path may be a private key.
fn path_of_pem(
    written: &mut At<Value>,
    path: &str,
    reading: &mut Reading<'_>,
) -> Result<PathBuf, Wrong> {
    if matches!(&written.value, Value::Text(text) if text.contains("-----BEGIN ")) {
        private::hide(written, &mut reading.problems.sources);
        let text = "this is the text of such a file: write it to one, and its path here";
        return Err(Wrong::Text(text.to_owned()));
    }
    FilePath::read(written, path, reading).map(|path| path.0)
}

/// The word, and paths that cannot be opened where standard output is a socket, as under systemd.
const STDOUT: [&str; 4] = ["stdout", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

impl Kind for AccessLog {
    fn form() -> Form {
        Form::not_empty("\"stdout\", \"off\" or a path")
    }

    fn read(written: &mut At<Value>, path: &str, reading: &mut Reading<'_>) -> Result<Self, Wrong> {
        match &written.value {
            Value::Text(text) if STDOUT.contains(&text.as_str()) => Ok(Self::Stdout),
            Value::Text(text) if text == "off" => Ok(Self::Off),
            _ => FilePath::read(written, path, reading).map(|path| Self::File(path.0)),
        }
    }

    fn shown(&self) -> Shown {
        match self {
            Self::Stdout => Shown::Text("stdout".to_owned()),
            Self::Off => Shown::Text("off".to_owned()),
            Self::File(path) => shown(path),
        }
    }
}

fn shown(path: &Path) -> Shown {
    Shown::Text(path.display().to_string())
}

/// A path whose file matters as much: that another content is there is said, and not what.
fn shown_with_content(path: &Path, text: Option<&str>) -> Shown {
    let path = path.display();
    Shown::Secret {
        all: format!("{path}\0{text:?}"),
        shown: path.to_string(),
    }
}
