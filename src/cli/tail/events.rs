//! Server-sent events, as far as the stream of requests has them: lines, how many were lost, and why it ends.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

/// A gateway that is there says something at least every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);
/// No event is longer: an access line has a few KiB.
const LONGEST: usize = 256 << 10;

/// What has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A request's access line.
    Line(String),
    /// So many lines were left out.
    Lost(u64),
    /// There is no more.
    End(Why),
}

/// Why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The gateway has handed over to a successor, which answers at the same place.
    HandedOver,
    /// The gateway ends.
    Ended,
    /// It did not say.
    Lost,
}

/// A stream of events.
pub(super) struct Events {
    body: Incoming,
    parser: Parser,
}

impl Events {
    /// The events of an answer's body.
    pub(super) fn of(body: Incoming) -> Self {
        Self {
            body,
            parser: Parser::default(),
        }
    }

    /// The next event. One that has broken off, or is silent for too long, has ended too.
    pub(super) async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.parser.next() {
                return event;
            }
            if self.parser.text.len() > LONGEST {
                return Event::End(Why::Lost);
            }
            let Ok(Some(Ok(frame))) = timeout(SILENCE, self.body.frame()).await else {
                return Event::End(Why::Lost);
            };
            if let Some(bytes) = frame.data_ref() {
                self.parser.text.extend_from_slice(bytes);
            }
        }
    }
}

/// What has come, up to the end of the last event that was taken out.
#[derive(Default)]
struct Parser {
    text: Vec<u8>,
    taken: usize,
}

impl Parser {
    fn next(&mut self) -> Option<Event> {
        loop {
            let rest = &self.text[self.taken..];
            let Some(end) = memchr::memmem::find(rest, b"\n\n") else {
                self.text.drain(..self.taken);
                self.taken = 0;
                return None;
            };
            let event = event(&String::from_utf8_lossy(&rest[..end]));
            self.taken += end + 2;
            if event.is_some() {
                return event;
            }
        }
    }
}

/// An event from its lines; none of what this program does not know, such as a comment.
fn event(lines: &str) -> Option<Event> {
    let (mut name, mut data) = ("message", None);
    for line in lines.lines() {
        match line.split_once(':') {
            Some(("event", value)) => name = value.trim(),
            Some(("data", value)) => data = Some(value.strip_prefix(' ').unwrap_or(value)),
            _ => {}
        }
    }
    match (name, data?) {
        ("message", line) => Some(Event::Line(line.to_owned())),
        ("lost", number) => {
            let number: serde_json::Value = serde_json::from_str(number).ok()?;
            number["lost"].as_u64().map(Event::Lost)
        }
        ("end", why) => {
            let why: serde_json::Value = serde_json::from_str(why).ok()?;
            Some(Event::End(match why["reason"].as_str() {
                Some("handed_over") => Why::HandedOver,
                Some("ended") => Why::Ended,
                _ => Why::Lost,
            }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_however_they_come_in_pieces() {
        let text = b":\n\ndata: {\"a\":\"b: c\"}\n\nevent: lost\ndata: {\"lost\":3}\n\nevent: new\ndata: x\n\ndata: 2\n\nevent: end\ndata: {\"reason\":\"handed_over\"}\n\n";
        let expected = [
            Event::Line("{\"a\":\"b: c\"}".to_owned()),
            Event::Lost(3),
            Event::Line("2".to_owned()),
            Event::End(Why::HandedOver),
        ];
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let mut events = Vec::new();
            for piece in text.chunks(size) {
                parser.text.extend_from_slice(piece);
                while let Some(event) = parser.next() {
                    events.push(event);
                }
            }
            assert_eq!(events, expected, "in pieces of {size}");
            assert!(parser.text.is_empty());
        }
    }
}
