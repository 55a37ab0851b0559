//! The operator's log: structured events on standard error, JSON or pretty, through a sink so that
//! a terminal that has stopped scrolling holds up nothing.

use std::io::{self, Write};
use std::mem;
use std::sync::Arc;

use tracing::Level;
use tracing_subscriber::fmt::MakeWriter;

use super::{Sink, Target};

/// Starts the operator's log. Called once; a second call changes nothing.
///
/// # Errors
/// When no thread can be started.
pub fn start_operator_log(level: Level, pretty: bool, colours: bool) -> io::Result<Arc<Sink>> {
    let sink = Sink::start(Target::Stderr)?;
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_writer(Events(Arc::clone(&sink)));
    // Only a second call can fail here, and then the first log serves.
    let _ = if pretty {
        tracing::subscriber::set_global_default(log.with_ansi(colours).finish())
    } else {
        tracing::subscriber::set_global_default(
            log.json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .finish(),
        )
    };
    Ok(sink)
}

struct Events(Arc<Sink>);

impl<'a> MakeWriter<'a> for Events {
    type Writer = Event<'a>;

    fn make_writer(&'a self) -> Event<'a> {
        Event {
            sink: &self.0,
            text: Vec::new(),
        }
    }
}

/// One event's text, handed over when the event ends.
struct Event<'a> {
    sink: &'a Sink,
    text: Vec<u8>,
}

impl Write for Event<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Event<'_> {
    fn drop(&mut self) {
        if !self.text.is_empty() {
            self.sink.write(mem::take(&mut self.text));
        }
    }
}
