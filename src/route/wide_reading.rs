//! A decoded path as the most lenient service would compare it, byte by byte: what
//! [`super::wide`] compares with prefixes.

use smallvec::SmallVec;

use crate::message::escapes::MARK;

/// At which slashes parameters end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slashes {
    All,
    /// At those that [`MARK`] stands for.
    Marked,
}

/// The bytes of a decoded path as the most lenient service would compare them: ASCII letters in
/// lower case, without parameters, backslashes taken for slashes, blanks around segments and dots
/// behind them taken off, empty segments left out, no slash at the end.
#[derive(Debug)]
pub(super) struct WideReading<I> {
    bytes: I,
    at: Position,
    parameters_end_at: Slashes,
    pub(super) met_parameters: bool,
    /// Bytes that were read ahead, in reverse order: dots and blanks that do not end their segment,
    /// and the byte that follows them.
    held: SmallVec<[u8; 8]>,
}

/// Where in a path a reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// In a segment.
    Name,
    /// Behind slashes; one is returned when a segment follows.
    Slash,
    /// In parameters.
    Parameters,
}

impl<I: Iterator<Item = u8>> WideReading<I> {
    pub(super) fn new(decoded: I, parameters_end_at: Slashes) -> Self {
        Self {
            bytes: decoded,
            at: Position::Name,
            parameters_end_at,
            met_parameters: false,
            held: SmallVec::new(),
        }
    }

    /// The next byte that is not among dots and blanks at the end of a segment.
    fn read(&mut self) -> Option<u8> {
        if let Some(held) = self.held.pop() {
            return Some(held);
        }
        let byte = self.bytes.next()?;
        if self.at == Position::Parameters || !is_dot_or_blank(byte) {
            return Some(byte);
        }
        let mut run: SmallVec<[u8; 8]> = smallvec::smallvec![byte];
        let end = loop {
            match self.bytes.next() {
                Some(byte) if is_dot_or_blank(byte) => run.push(byte),
                end => break end,
            }
        };
        let is_end = |b| matches!(b, b'/' | MARK | b'\\' | b';' | b'?' | b'#' | 0);
        if end.is_none_or(is_end) {
            return end;
        }
        run.extend(end);
        run.reverse();
        self.held = run;
        self.held.pop()
    }
}

impl<I: Iterator<Item = u8>> Iterator for WideReading<I> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        loop {
            let byte = self.read()?;
            match (byte, self.at) {
                (MARK, _) => self.at = Position::Slash,
                (b'/', Position::Parameters) if self.parameters_end_at == Slashes::All => {
                    self.at = Position::Slash;
                }
                (_, Position::Parameters) | (b' ' | b'+', Position::Slash) => {}
                (b'/' | b'\\', _) => self.at = Position::Slash,
                (b';', _) => {
                    self.at = Position::Parameters;
                    self.met_parameters = true;
                }
                (_, Position::Slash) => {
                    self.at = Position::Name;
                    self.held.push(byte);
                    return Some(b'/');
                }
                // A blank in forms, and to some services in paths.
                (b'+', Position::Name) => return Some(b' '),
                (byte, Position::Name) => return Some(byte.to_ascii_lowercase()),
            }
        }
    }
}

fn is_dot_or_blank(b: u8) -> bool {
    matches!(b, b'.' | b' ' | b'+')
}
