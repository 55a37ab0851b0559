//! One strict reader of HTTP/1.1 messages, used for what the gateway sends to either side. It
//! shares no code with the gateway on purpose: what it can't read by the letter of RFC 9112 is
//! an error, never repaired.

use std::fmt;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::Duration;

use super::wait::PATIENCE;

/// Why a message could not be read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The other side closed.
    Closed,
    /// The other side reset the connection.
    Reset,
    /// Nothing came for as long as the reader was ready to wait.
    Silent,
    /// What came is not HTTP/1.1.
    Malformed(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the connection was closed"),
            Self::Reset => f.write_str("the connection was reset"),
            Self::Silent => f.write_str("nothing came in time"),
            Self::Malformed(what) => write!(f, "malformed: {what}"),
        }
    }
}

/// Header or trailer fields as they were sent, one char a byte.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(pub Vec<(String, String)>);

impl Fields {
    /// The values of all fields of that name, in order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = |(n, _): &&(String, String)| n.eq_ignore_ascii_case(name);
        self.0
            .iter()
            .filter(named)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The value of the only field of that name, or none. Fails when there are several.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{} fields {name}: {all:?}", all.len());
        all.first().copied()
    }

    /// Whether there is a field of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        !self.all(name).is_empty()
    }

    /// The comma-separated items of all fields of that name, in lower case.
    pub(crate) fn items(&self, name: &str) -> Vec<String> {
        let items = self.all(name).join(",").to_ascii_lowercase();
        items
            .split(',')
            .map(|i| i.trim().to_owned())
            .filter(|i| !i.is_empty())
            .collect()
    }

    /// All names in lower case, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|(name, _)| name.to_ascii_lowercase())
            .collect()
    }
}

/// A start line and the fields under it.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub raw: Vec<u8>,
    pub start: String,
    pub fields: Fields,
}

/// How a message says where its body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

/// The reading half of a connection, with what has come but was not asked for yet.
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    at: usize,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a time-out above zero");
        Self {
            stream,
            buffer: Vec::new(),
            at: 0,
        }
    }

    /// Sets how long a read waits for the next byte.
    pub(crate) fn patience(&mut self, longest: Duration) {
        self.stream
            .set_read_timeout(Some(longest))
            .expect("a time-out above zero");
    }

    /// What has been received and not yet been read.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// Reads once.
    pub(crate) fn fill(&mut self) -> Result<(), Broken> {
        if self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
        }
        let mut piece = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return Err(Broken::Closed),
                Ok(n) => {
                    self.buffer.extend_from_slice(&piece[..n]);
                    return Ok(());
                }
                Err(e) => match e.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => return Err(Broken::Silent),
                    _ => return Err(Broken::Reset),
                },
            }
        }
    }

    /// Waits for the next byte; the end of the connection is an error.
    pub(crate) fn wait(&mut self) -> Result<(), Broken> {
        if self.unread().is_empty() {
            self.fill()
        } else {
            Ok(())
        }
    }

    /// A line without its CRLF.
    pub(crate) fn line(&mut self) -> Result<Vec<u8>, Broken> {
        let end = loop {
            match memchr::memchr(b'\n', self.unread()) {
                Some(end) => break end,
                None => self.fill()?,
            }
        };
        let mut line = self.unread()[..end].to_vec();
        self.at += end + 1;
        if line.pop() != Some(b'\r') || line.iter().any(|b| matches!(b, b'\r' | 0)) {
            return Err(Broken::Malformed(format!(
                "bare CR, LF or NUL near {}",
                shown(&line)
            )));
        }
        Ok(line)
    }

    /// Appends the next `len` bytes to `body`; what came before an error is in there too.
    pub(crate) fn take(&mut self, mut len: usize, body: &mut Vec<u8>) -> Result<(), Broken> {
        while len > 0 {
            self.wait()?;
            let piece = len.min(self.unread().len());
            body.extend_from_slice(&self.unread()[..piece]);
            self.at += piece;
            len -= piece;
        }
        Ok(())
    }

    /// A head. `Broken::Closed` is an orderly end before its first byte; an end inside it is
    /// malformed.
    pub(crate) fn head(&mut self) -> Result<Head, Broken> {
        self.wait()?;
        let (mut raw, mut lines) = (Vec::new(), Vec::new());
        loop {
            let line = self.line().map_err(|why| match why {
                Broken::Closed | Broken::Reset => Broken::Malformed(format!(
                    "{why} inside a head: {}",
                    shown(&[&raw, self.unread()].concat())
                )),
                other => other,
            })?;
            raw.extend_from_slice(&line);
            raw.extend_from_slice(b"\r\n");
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        if lines.is_empty() {
            return Err(Broken::Malformed(
                "an empty line before the start line".into(),
            ));
        }
        let start = lines[0].iter().map(|&b| char::from(b)).collect();
        Ok(Head {
            raw,
            start,
            fields: fields(&lines[1..])?,
        })
    }

    /// A body by its framing, and its trailers. What came before an error is in `body`.
    pub(crate) fn body(&mut self, by: Framing, body: &mut Vec<u8>) -> Result<Fields, Broken> {
        match by {
            Framing::None => {}
            Framing::Length(len) => self.take(len, body)?,
            Framing::Chunked => return self.chunks(body),
            Framing::UntilClose => loop {
                match self.wait() {
                    Ok(()) => self.take(self.unread().len(), body)?,
                    Err(Broken::Closed) => break,
                    Err(why) => return Err(why),
                }
            },
        }
        Ok(Fields::default())
    }

    fn chunks(&mut self, body: &mut Vec<u8>) -> Result<Fields, Broken> {
        loop {
            let line = self.line()?;
            let size = std::str::from_utf8(&line).ok().filter(|digits| {
                (1..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit())
            });
            let size = size.and_then(|digits| usize::from_str_radix(digits, 16).ok());
            match size {
                None => return Err(Broken::Malformed(format!("chunk line {}", shown(&line)))),
                Some(0) => break,
                Some(size) => self.take(size, body)?,
            }
            let mut end = Vec::new();
            self.take(2, &mut end)?;
            if end != b"\r\n" {
                return Err(Broken::Malformed(format!(
                    "a chunk's data ends in {}",
                    shown(&end)
                )));
            }
        }
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return fields(&lines);
            }
            lines.push(line);
        }
    }
}

fn fields(lines: &[Vec<u8>]) -> Result<Fields, Broken> {
    let read = |line: &Vec<u8>| -> Option<(String, String)> {
        let colon = memchr::memchr(b':', line)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let text = |bytes: &[u8]| bytes.iter().map(|&b| char::from(b)).collect();
        is_token(name).then(|| (text(name), text(value)))
    };
    let read = |line| read(line).ok_or_else(|| Broken::Malformed(format!("field {}", shown(line))));
    lines.iter().map(read).collect::<Result<_, _>>().map(Fields)
}

/// Whether the bytes are a token of RFC 9110 section 5.6.2.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    let special = b"!#$%&'*+-.^_`|~";
    !bytes.is_empty()
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || special.contains(b))
}

/// Bytes for a failure's text, cut to a readable length.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let text = bytes[..bytes.len().min(160)].escape_ascii().to_string();
    if bytes.len() > 160 {
        format!("\"{text}...\" ({} bytes)", bytes.len())
    } else {
        format!("{text:?}")
    }
}
