//! The operator's log: structured events on standard error, JSON or pretty, through a sink so that
//! a terminal that has stopped scrolling holds up nothing.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use serde_json::Value as Json;
use tracing::field::{Field, Visit};
use tracing::{Level, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{Filtered, LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::{Layer, Layered, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload::{self, Handle};

use crate::lock::lock;

use super::events::{EventLayer, Events, visit_numbers};
use super::{Sink, Target};
use crate::message::own_keys;

/// The operator's log.
#[derive(Debug)]
pub struct OperatorLog {
    /// Writes its lines.
    pub sink: Arc<Sink>,
    /// Keeps the last of them.
    pub events: Arc<Events>,
    /// Which lines it has.
    pub level: LogLevel,
}

/// The least severe lines that the operator's log has; may be changed at any time.
#[derive(Clone)]
pub struct LogLevel {
    filter: Handle<Targets, Kept>,
    /// Held while it is set.
    level: Arc<Mutex<Level>>,
}

/// What keeps lines, below what writes them.
type Kept = Layered<Filtered<EventLayer, LevelFilter, Registry>, Registry>;

impl fmt::Debug for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogLevel(..)")
    }
}

impl LogLevel {
    /// Has lines of this level and more severe ones from now on. Returns the level before, with which `say`
    /// is called to write a line of INFO about it: the log has that line whatever the levels are.
    pub fn set(&self, level: Level, say: impl FnOnce(Level)) -> Level {
        let mut current = lock(&self.level);
        let before = *current;
        // Of levels, the one with more lines is the greater one.
        self.filter(before.max(level).max(Level::INFO));
        say(before);
        self.filter(level);
        *current = level;
        before
    }

    fn filter(&self, level: Level) {
        // It fails when there is no log any more, and then nothing is written either.
        let _ = self.filter.reload(of_level(level));
    }
}

/// Starts the operator's log. Called once; a second call changes nothing.
///
/// # Errors
/// When no thread can be started.
pub fn start_operator_log(level: Level, pretty: bool, colours: bool) -> io::Result<OperatorLog> {
    let sink = Sink::start(Target::Stderr, Arc::default())?;
    let events = Arc::<Events>::default();
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .with_writer(Lines(Arc::clone(&sink)));
    let (filter, handle) = reload::Layer::new(of_level(level));
    let lines = if pretty {
        lines.with_ansi(colours).with_filter(filter).boxed()
    } else {
        lines.event_format(JsonLines).with_filter(filter).boxed()
    };
    let kept = EventLayer(Arc::clone(&events)).with_filter(LevelFilter::INFO);
    // Kept before it is written: whoever has read a line finds what it says.
    let log = tracing_subscriber::registry().with(kept).with(lines);
    // Only a second call can fail here, and then the first log serves.
    let _ = tracing::subscriber::set_global_default(log);
    Ok(OperatorLog {
        sink,
        events,
        level: LogLevel {
            filter: handle,
            level: Arc::new(Mutex::new(level)),
        },
    })
}

/// Lines of this level and more severe ones. What libraries say below INFO is about their own work: the one
/// that speaks HTTP/2 has a line for each frame.
fn of_level(level: Level) -> Targets {
    // Of levels, the one with more lines is the greater one.
    Targets::new()
        .with_default(level.min(Level::INFO))
        .with_target(env!("CARGO_PKG_NAME"), level)
}

/// An object a line, whose members are called as in the access log.
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> fmt::Result {
        let mut members = Members(String::new());
        members.put("time", format!("{:.3}", Timestamp::now()));
        members.put("level", event.metadata().level().as_str());
        event.record(&mut members);
        writeln!(writer, "{{{}}}", members.0)
    }
}

/// Members of an object.
struct Members(String);

impl Members {
    fn put(&mut self, name: &str, value: impl Into<Json>) {
        let comma = if self.0.is_empty() { "" } else { "," };
        let name = Json::from(name);
        // Writing to a string never fails.
        let _ = write!(self.0, "{comma}{name}:{}", value.into());
    }
}

impl Visit for Members {
    visit_numbers!();

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), format!("{value:?}"));
    }
}

struct Lines(Arc<Sink>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            sink: &self.0,
            text: Vec::new(),
        }
    }
}

/// One event's text, handed over without keys when the event ends.
struct Line<'a> {
    sink: &'a Sink,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        own_keys::hide(&mut self.text);
        if !self.text.is_empty() {
            self.sink.write(mem::take(&mut self.text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_have_no_lines_below_info() {
        for (level, of_ours, of_others) in [
            (Level::WARN, Level::WARN, Level::WARN),
            (Level::INFO, Level::INFO, Level::INFO),
            (Level::TRACE, Level::TRACE, Level::INFO),
        ] {
            for (target, least) in [(module_path!(), of_ours), ("h2::codec", of_others)] {
                let filter = of_level(level);
                for said in [
                    Level::ERROR,
                    Level::WARN,
                    Level::INFO,
                    Level::DEBUG,
                    Level::TRACE,
                ] {
                    let has = filter.would_enable(target, &said);
                    assert_eq!(has, said <= least, "{said} of {target} at {level}");
                }
            }
        }
    }
}
