//! Files in PEM: the text in one, or what is said of it.

use crate::config::disk::Unreadable;
use crate::config::kinds::PemFile;
use crate::config::problems::{Problem, Problems};
use crate::config::source::At;
use crate::tls::{Fault, Half};

/// The text in a file that is to hold this half of a pair. Reports that it cannot be read.
pub(super) fn text<'f>(
    file: At<&'f PemFile>,
    half: Half,
    problems: &mut Problems,
) -> Result<Option<&'f str>, Fault> {
    match &file.value.text {
        Ok(text) => Ok(Some(text)),
        Err(Unreadable::NotUtf8 { form, .. }) => Err(Fault::OtherForm(half, *form)),
        Err(error) => {
            let message = format!("cannot read `{}`: {error}", file.path.display());
            problems.add(Problem::at(file.span, message).label("named here"));
            Ok(None)
        }
    }
}

/// The problem of a file with a fault.
pub(super) fn unusable(file: At<&PemFile>, what: &str, fault: &Fault) -> Problem {
    let message = format!("the {what} `{}` cannot be used", file.path.display());
    Problem::at(file.span, message).label(fault.to_string())
}

/// Reads the certificates of authorities.
pub(super) fn authorities<T>(
    file: At<&PemFile>,
    read: fn(&str) -> Result<T, Fault>,
    problems: &mut Problems,
) -> Option<T> {
    let text = text(file, Half::Cert, problems);
    let read = text.and_then(|text| text.map(read).transpose());
    read.unwrap_or_else(|fault| {
        let help = match fault {
            Fault::OtherForm(..) | Fault::NotAtLineStart(..) => fault.remedy(),
            _ => {
                "`ca` takes certificates of authorities in PEM, each from `-----BEGIN CERTIFICATE-----` on"
            }
        };
        let problem = unusable(file, "file of authorities", &fault);
        problems.add(problem.help(help));
        None
    })
}
